"""The one training function: TRL's SFTTrainer over rows whose loss mask is explicit.

Base models, branches and mixtures all learn here; only their rows and their params differ.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from stages.shared.chat import training_row
from stages.shared.cost import measured
from stages.shared.errors import StageError
from stages.shared.files import read_rows, whole_folder
from stages.shared.params import Params, RunParams
from stages.shared.records import SFT

STUDENT = Path("models/student")

TokenRow = dict[str, list[int]]


class TrainingParams(Params):
    """Hyper-parameters of one training run, named as TRL names them.

    Args:
        max_steps: Optimiser steps.
        batch_size: Rows an optimiser step sees.
        max_length: Longest row in tokens; a longer one is an error, never cut.
        warmup_ratio: Share of the steps over which the learning rate rises.
        dtype: Of the weights, while training and when saved.
    """

    max_steps: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    lr_scheduler: Literal["constant", "constant_with_warmup", "linear", "cosine"]
    warmup_ratio: float = Field(ge=0, lt=1)
    weight_decay: NonNegativeFloat
    adam_beta2: float = Field(gt=0, lt=1)
    max_grad_norm: PositiveFloat
    max_length: PositiveInt
    dtype: Literal["float32", "bfloat16"]
    logging_steps: PositiveInt


@dataclass(frozen=True)
class Trained:
    """What a run used: steps, rows, and tokens (prompts and answers, padding aside)."""

    steps: int
    rows: int
    tokens: int


def fine_tune(
    *, name: str, datasets: list[Path], params: TrainingParams, run_params: RunParams, output: Path, metrics: Path
) -> None:
    """Fine-tune a copy of the student on SFT sets and save it whole.

    Args:
        name: Of the cost file.
        datasets: SFT rows; all of them form one set.
        output: Folder of the model.
        metrics: Folder of DVCLive.
    """
    with measured(name) as cost, whole_folder(output) as folder, whole_folder(metrics) as metrics_folder:
        import torch
        import transformers

        transformers.set_seed(run_params.seed)
        tokenizer = transformers.AutoTokenizer.from_pretrained(STUDENT)
        model = transformers.AutoModelForCausalLM.from_pretrained(STUDENT, dtype=getattr(torch, params.dtype))
        rows = [training_row(tokenizer, row["messages"]) for dataset in datasets for row in read_rows(dataset, SFT)]
        trained = train(model, tokenizer, rows, params, run_params, metrics_folder)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        cost |= {"steps": trained.steps, "rows": trained.rows, "tokens": trained.tokens}


def train(
    model: Any, tokenizer: Any, rows: list[TokenRow], params: TrainingParams, run_params: RunParams, metrics: Path
) -> Trained:
    """Train a model in place.

    Args:
        rows: `chat.training_row`s: input_ids (T,) and completion_mask (T,).
        metrics: Folder for DVCLive's metrics and the curve of the loss.

    Raises:
        StageError: No rows, a row longer than max_length, or a loss that is not a number.
    """
    check_lengths(rows, params)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = make_trainer(model, tokenizer, rows, params, run_params, metrics, scratch)
        result = trainer.train()
    if not result.training_loss < float("inf"):
        raise StageError(
            where=f"training of {metrics.name}",
            expected="a finite loss",
            got=str(result.training_loss),
            do="lower the learning rate",
        )
    model.cpu()
    return Trained(
        steps=params.max_steps,
        rows=params.max_steps * params.batch_size,
        tokens=int(trainer.state.num_input_tokens_seen),
    )


def check_lengths(rows: list[TokenRow], params: TrainingParams) -> None:
    """Refuse an empty set, and rows that training would have to cut."""
    longest = max((len(row["input_ids"]) for row in rows), default=0)
    if not 0 < longest <= params.max_length:
        raise StageError(
            where="training rows",
            expected=f"rows of 1 to {params.max_length} tokens (max_length)",
            got=f"{len(rows)} rows, the longest of {longest}",
            do="raise max_length, or lower curate.max_tokens",
        )


def make_trainer(
    model: Any,
    tokenizer: Any,
    rows: list[TokenRow],
    params: TrainingParams,
    run_params: RunParams,
    metrics: Path,
    scratch: str,
) -> Any:
    """The SFTTrainer of a run; nothing is trained yet."""
    import torch
    from datasets import Dataset
    from dvclive import Live
    from transformers.integrations import DVCLiveCallback
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(run_params.threads)
    live = Live(str(metrics), report=None, save_dvc_exp=False, dvcyaml=None)
    arguments = SFTConfig(
        output_dir=scratch,
        max_steps=params.max_steps,
        per_device_train_batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        lr_scheduler_type=params.lr_scheduler,
        warmup_steps=params.warmup_ratio,  # below 1, transformers 5 takes it as a share
        weight_decay=params.weight_decay,
        adam_beta2=params.adam_beta2,
        max_grad_norm=params.max_grad_norm,
        max_length=params.max_length,
        completion_only_loss=True,
        bf16=False,  # the weights have their dtype already; no autocast on top
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        train_sampling_strategy="random",
        logging_steps=params.logging_steps,
        include_num_input_tokens_seen="non_padding",
        save_strategy="no",
        logging_nan_inf_filter=False,  # else a loss that is no number is logged as 0
        report_to="none",
        disable_tqdm=not sys.stderr.isatty(),  # a bar for a person, plain lines for a log
        seed=run_params.seed,
        data_seed=run_params.seed,
    )
    return SFTTrainer(
        model=model,
        processing_class=tokenizer,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        callbacks=[_optimiser_steps(live), DVCLiveCallback(live=live)],
    )


def _optimiser_steps(live: Any) -> Any:
    """A callback that has DVCLive count optimiser steps; alone it counts log lines."""
    from transformers import TrainerCallback

    class OptimiserSteps(TrainerCallback):  # type: ignore[misc]  # transformers has no types here
        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            live.step = state.global_step

    return OptimiserSteps()
