"""Our training function against a bare TRL script with the same settings, and packed against padded rows.

All on the toy's student and on rows of the toy's problems, mixed as its student sees them. Packing is measured twice:
with about as many tokens a step as padded rows have, and with as many sequences, as when `packing` is switched on and
nothing else is changed.

Run   make bench NAME=sft
"""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.result import TINY, print_result, seconds
from branchmerge.bases.params import BaseParams
from branchmerge.bases.scratch import make_network, make_tokenizer, solution
from branchmerge.chat.conversation import exchange, training_row
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import RunParams, read_params
from branchmerge.sources.problems import problems
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.machine import Setup, SftMachine
from branchmerge.training.rows import Examples, TokenRow
from branchmerge.training.run import Trained, train

STEPS = 100
ROUNDS = 3
ROWS = 16  # a step, where they are padded
ONE_IN = 6  # of the teacher's problems
TOY = Path("profiles/toy.yaml")
BARE, PADDED = "bare TRL, padded", "padded"


def main(tiny: bool = TINY) -> None:
    """Train in turns from the same weights; the best round of each counts, as the machine is never quite idle."""
    steps, rounds, one_in = (2, 1, 100 * ONE_IN) if tiny else (STEPS, ROUNDS, ONE_IN)
    seed = read_params(RunParams, file=TOY).seed
    setup = Setup(threads=read_machine(RunMachine).threads, sft=SftMachine(checkpoint_steps=None))
    scratch = read_params(BaseParams, model="teacher", file=TOY).scratch
    assert scratch
    chosen = scratch.problems.items()
    solved = [problem for source, count in chosen for problem in problems(source, "train", 0, count // one_in)]
    tokenizer = make_tokenizer(solved, scratch.architecture.vocab_size)
    rows = [training_row(tokenizer, exchange(problem.question, solution(problem))) for problem in solved]
    lengths = [len(row["input_ids"]) for row in rows]
    trainings = _trainings(scratch.training, sum(lengths) / len(lengths), steps)
    times: dict[str, list[float]] = {name: [] for name in trainings}
    tokens: dict[str, int] = {}
    for _ in range(rounds):
        for name, (run, params) in trainings.items():
            network = make_network(scratch.architecture, tokenizer, seed)
            times[name].append(seconds(run, network, tokenizer, rows, params, seed, setup, name, tokens))
    _print_packing(lengths, {name: count / min(times[name]) for name, count in tokens.items()})
    ours_s, bare_s = min(times[PADDED]), min(times[BARE])
    print(f"{steps} steps of {ROWS} rows: ours {ours_s} s, bare TRL {bare_s} s")
    print_result("sft", ours_s, bare_s, "trl.SFTTrainer")


def _trainings(
    toy: TrainingParams, mean_tokens: float, steps: int
) -> dict[str, tuple[Callable[..., None], TrainingParams]]:
    """What is trained, by name; the toy itself packs."""
    padded = toy.model_copy(update={"packing": False, "batch_size": ROWS, "max_steps": steps})
    sequences = max(1, round(ROWS * mean_tokens / toy.max_length))
    as_many_tokens = {"packing": True, "batch_size": sequences}
    as_many_sequences = {"packing": True, "max_steps": max(1, steps // 4)}
    return {
        BARE: (_bare, padded),
        PADDED: (_ours, padded),
        "packed, as many tokens a step": (_ours, padded.model_copy(update=as_many_tokens)),
        "packed, as many sequences a step": (_ours, padded.model_copy(update=as_many_sequences)),
    }


def _print_packing(lengths: list[int], tokens_per_s: dict[str, float]) -> None:
    random.Random(0).shuffle(lengths)  # as training does
    batches = [lengths[start : start + ROWS] for start in range(0, len(lengths), ROWS)]
    filled = sum(lengths) / sum(len(batch) * max(batch) for batch in batches)
    mean = sum(lengths) / len(lengths)
    print(f"{len(lengths)} rows of {min(lengths)} to {max(lengths)} tokens, {mean:.0f} in the mean")
    print(f"padded batches of {ROWS} are {filled:.0%} tokens, so packing can win {1 / filled:.2f}")
    for name, speed in tokens_per_s.items():
        print(f"  {name}: {speed:.0f} tokens/s, ratio {speed / tokens_per_s[PADDED]:.2f}")


def _ours(
    network: Any,
    tokenizer: Any,
    rows: list[TokenRow],
    params: TrainingParams,
    seed: int,
    setup: Setup,
    name: str,
    tokens: dict[str, int],
) -> None:
    with tempfile.TemporaryDirectory() as metrics:
        trained: Trained = train(network, tokenizer, Examples(rows), params, seed, setup, Path(metrics), name)
    tokens[name] = trained.tokens


def _bare(
    network: Any, tokenizer: Any, rows: list[TokenRow], params: TrainingParams, seed: int, setup: Setup, *_: Any
) -> None:
    """The shortest TRL script with these settings; its seed gives the same batches.

    Its SFTConfig is written out: `make_arguments` is part of ours, and would be compared with itself.
    """
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(setup.threads)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            max_steps=params.max_steps,
            per_device_train_batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            lr_scheduler_type=params.lr_scheduler,
            warmup_steps=params.warmup_ratio,
            weight_decay=params.weight_decay,
            adam_beta2=params.adam_beta2,
            max_grad_norm=params.max_grad_norm,
            seed=seed,
            data_seed=seed,
            max_length=params.max_length,
            completion_only_loss=True,
            bf16=False,
            use_cpu=True,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_steps=params.logging_steps,
        )
        SFTTrainer(
            model=network, processing_class=tokenizer, args=arguments, train_dataset=Dataset.from_list(rows)
        ).train()


if __name__ == "__main__":
    main()
