"""TRL's SFTTrainer over rows whose labels are explicit: nothing of a row is left for it to decide."""

import math
import os
import sys
from pathlib import Path
from typing import Any

from branchmerge.core.cpu import cpu_of
from branchmerge.training import checkpoints
from branchmerge.training.batches import is_first, split_batch, world_size
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.machine import Setup
from branchmerge.training.network import adapters, check_liger, set_attention, uses_liger
from branchmerge.training.packing import PackedRows, check_apart, pack
from branchmerge.training.rows import Examples, as_dataset, check_lengths

STRATEGIES = Path(__file__).parent / "strategies"


def make_trainer(
    model: Any,
    tokenizer: Any,
    examples: Examples,
    params: TrainingParams,
    setup: Setup,
    metrics: Path,
    arguments: Any,
) -> Any:
    """The trainer of a run; nothing is trained yet.

    Args:
        metrics: Folder of DVCLive, which goes on with what is there.
        arguments: From `make_arguments`.
    """
    import torch

    torch.set_num_threads(max(1, setup.threads // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    check_lengths(examples.training, params)
    set_attention(model, params, setup.sft)
    check_liger(setup.sft)
    rows = as_dataset(examples.training)
    sequences = pack(rows, params.max_length) if params.packing else rows
    # every epoch; with eval_strategy="epoch" a checkpoint at its end would lack what is evaluated after it
    arguments.eval_steps = math.ceil(len(sequences) / params.batch_size)
    # FlashAttention takes rows end to end, packed or not; other kernels want a batch
    is_flat = model.config._attn_implementation == "flash_attention_2"
    pad_id = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    arguments.padding_free = is_flat
    # flat rows have no padding
    arguments.include_num_input_tokens_seen = "all" if is_flat else "non_padding"
    return _trainer_class(are_neighbours=params.packing or is_flat, metrics=metrics)(
        model=model,
        processing_class=tokenizer,
        args=arguments,
        train_dataset=sequences,
        eval_dataset={source: as_dataset(held_out) for source, held_out in sorted(examples.held_out.items())} or None,
        data_collator=PackedRows(pad_id) if params.packing and not is_flat else None,
        peft_config=adapters(model, params.lora),
        callbacks=_callbacks(metrics, examples) if is_first() else [],
    )


def make_arguments(params: TrainingParams, seed: int, setup: Setup, output: Path, name: str, evaluates: bool) -> Any:
    """TRL's arguments. Made before the model is loaded, since ZeRO-3 shares it out while it loads.

    Args:
        output: Folder of the checkpoints.
        name: Of the run, for errors.
        evaluates: Whether there are held-out rows.
    """
    import torch
    from trl import SFTConfig

    batches = split_batch(name, params.batch_size, setup.sft.max_batch_size_per_device, world_size())
    strategy, checkpoints_inputs = setup.launch.strategy, setup.sft.gradient_checkpointing
    return SFTConfig(
        output_dir=str(output),
        max_steps=params.max_steps or -1,
        num_train_epochs=params.epochs or 1,
        per_device_train_batch_size=batches.per_device,
        gradient_accumulation_steps=batches.accumulation,
        learning_rate=params.learning_rate,
        lr_scheduler_type=params.lr_scheduler,
        warmup_steps=params.warmup_ratio,  # below 1, transformers 5 takes it as a share
        weight_decay=params.weight_decay,
        adam_beta2=params.adam_beta2,
        max_grad_norm=params.max_grad_norm,
        max_length=None,  # TRL would cut at 1024; here longer rows were refused or dropped before
        packing=False,  # the rows are packed already
        bf16=params.dtype == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=checkpoints_inputs,
        gradient_checkpointing_kwargs={"use_reentrant": False} if checkpoints_inputs else None,
        use_liger_kernel=uses_liger(setup.sft),
        train_sampling_strategy="random",
        eval_strategy="steps" if evaluates else "no",
        eval_on_start=evaluates,
        per_device_eval_batch_size=1,  # so the loss is the mean over rows, whatever they are padded to
        prediction_loss_only=True,
        logging_steps=params.logging_steps,
        **checkpoints.limit(setup.sft.checkpoint_steps),
        fsdp=strategy == "fsdp" or None,
        fsdp_config=str(STRATEGIES / "fsdp.json") if strategy == "fsdp" else None,
        deepspeed=str(STRATEGIES / f"{strategy}.json") if strategy.startswith("zero") else None,
        ddp_find_unused_parameters=False,
        logging_nan_inf_filter=False,  # else a loss that is no number is logged as 0
        report_to="none",
        disable_tqdm=not sys.stderr.isatty(),  # a bar for a person, plain lines for a log
        seed=seed,
        data_seed=seed,
    )


def _trainer_class(are_neighbours: bool, metrics: Path) -> Any:
    """SFTTrainer that counts rows, marks whole checkpoints, and refuses rows in one sequence that see each other."""
    import torch
    from trl import SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc]  # TRL is untyped
        rows_seen = 0
        is_checked = not are_neighbours

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            if not self.is_checked:
                check_apart(model, self.data_collator)
                self.is_checked = True
            rows = torch.tensor(_rows(inputs), device=self.args.device)
            self.rows_seen += int(self.accelerator.gather(rows).sum())
            return super().training_step(model, inputs, num_items_in_batch)

        def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            if "position_ids" in inputs:  # then the mask only counted tokens, see PackedRows
                inputs.pop("attention_mask", None)
            return super().compute_loss(model, inputs, *args, **kwargs)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if is_first():
                folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
                checkpoints.keep(folder, self.rows_seen, metrics)

    return Trainer


def _rows(inputs: dict[str, Any]) -> int:
    """Rows of a batch; packed ones each start at position 0."""
    if "position_ids" not in inputs:
        return len(inputs["input_ids"])
    starts = inputs["position_ids"] == 0
    return int((starts & inputs["attention_mask"].bool() if "attention_mask" in inputs else starts).sum())


def _callbacks(metrics: Path, examples: Examples) -> list[Any]:
    from dvclive import Live
    from transformers.integrations import DVCLiveCallback

    live = Live(str(metrics), resume=True, report=None, save_dvc_exp=False, dvcyaml=None)
    return [_metrics(live, examples), DVCLiveCallback(live=live)]


def _metrics(live: Any, examples: Examples) -> Any:
    """A callback that has DVCLive count optimiser steps (alone it counts log lines), and sums up the held-out loss."""
    from transformers import TrainerCallback

    losses: dict[str, float] = {}

    class Metrics(TrainerCallback):  # type: ignore[misc]  # transformers has no types here
        first_step = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.first_step = state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
            live.step = state.global_step
            if self.first_step:
                logs.pop("train_loss", None)  # the sum since this start over the steps of all
            if "num_tokens" in logs:  # TRL's count takes a batch with position ids for a single sequence
                logs["num_tokens"] = float(state.num_input_tokens_seen)
            for source, rows in examples.held_out.items():
                if (loss := logs.get(f"eval_{source}_loss")) is not None:
                    losses[source] = loss * len(rows)
            if losses and len(losses) == len(examples.held_out):
                logs["eval_loss"] = sum(losses.values()) / sum(map(len, examples.held_out.values()))
                losses.clear()

    return Metrics()


def made_with_of(trainer: Any, setup: Setup) -> str:
    """What may show in a trained model of the machine that trained it."""
    import torch

    count, strategy = setup.launch.world_size, setup.launch.strategy
    processes = f"{count} processes ({strategy})" if count > 1 else "1 process"
    attention = trainer.model.config._attn_implementation
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu_of(setup.threads)
    return f"{processes}, {attention}, {device}"
