"""Our training function against a bare TRL script with the same settings, and packed against padded rows.

Both on the toy's rows and student. The bare script is given the token rows ready made, as ours is.

Run   make bench NAME=sft
"""

import tempfile
from pathlib import Path
from typing import Any

from bench.result import print_result, seconds
from stages.base import BaseParams, make_network, make_tokenizer, solution
from stages.shared.chat import conversation, training_row
from stages.shared.params import RunParams, read_params
from stages.shared.problems import problems
from stages.shared.training.hyperparameters import TrainingParams
from stages.shared.training.rows import Examples, TokenRow
from stages.shared.training.run import Trained, train

STEPS = 100
ROUNDS = 3
TOY = Path("profiles/toy.yaml")


def main() -> None:
    """Train in turns from the same weights; the best round of each counts, as the machine is never quite idle."""
    run_params = read_params(RunParams, "run", file=TOY)
    scratch = read_params(BaseParams, "base.student", file=TOY).scratch
    assert scratch
    params = scratch.training.model_copy(update={"max_steps": STEPS})
    packed = params.model_copy(update={"packing": True})
    solved = [problem for source in scratch.problems for problem in problems(source, "train", 0, 1000)]
    tokenizer = make_tokenizer(solved, scratch.architecture.vocab_size)
    rows = [training_row(tokenizer, conversation(problem.question, solution(problem))) for problem in solved]

    def network() -> Any:
        return make_network(scratch.architecture, tokenizer, run_params.seed)

    bare_s, ours_s, packed_s = [], [], []
    used: dict[str, Trained] = {}
    _bare(network(), tokenizer, rows, params, run_params)  # the first run pays for imports and allocation
    for _ in range(ROUNDS):
        bare_s.append(seconds(_bare, network(), tokenizer, rows, params, run_params))
        ours_s.append(seconds(_ours, "padded", used, network(), tokenizer, rows, params, run_params))
        packed_s.append(seconds(_ours, "packed", used, network(), tokenizer, rows, packed, run_params))
    print(f"{STEPS} steps of {params.batch_size} rows: ours {min(ours_s)} s, bare TRL {min(bare_s)} s")
    speed = {name: round(used[name].tokens / min(times)) for name, times in (("padded", ours_s), ("packed", packed_s))}
    print(
        f"packed: {used['packed'].rows} rows instead of {used['padded'].rows}, "
        f"{speed['packed']} tokens/s instead of {speed['padded']}: {speed['packed'] / speed['padded']:.2f}"
    )
    print_result("sft", min(ours_s), min(bare_s), "trl.SFTTrainer")


def _ours(
    name: str,
    used: dict[str, Trained],
    network: Any,
    tokenizer: Any,
    rows: list[TokenRow],
    params: TrainingParams,
    run_params: RunParams,
) -> None:
    with tempfile.TemporaryDirectory() as metrics:
        used[name] = train(network, tokenizer, Examples(rows), params, run_params, Path(metrics), name)


def _bare(network: Any, tokenizer: Any, rows: list[TokenRow], params: TrainingParams, run_params: RunParams) -> None:
    """The shortest TRL script with these settings."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(run_params.threads)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            max_steps=params.max_steps,
            per_device_train_batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            lr_scheduler_type=params.lr_scheduler,
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
