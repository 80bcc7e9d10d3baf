"""Our training function against a bare TRL script with the same settings, on the toy's rows and student.

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
from stages.shared.training import TrainingParams, train

STEPS = 100
TOY = Path("profiles/toy.yaml")


def main() -> None:
    """Train twice from the same weights and print both times."""
    run_params = read_params(RunParams, "run", file=TOY)
    scratch = read_params(BaseParams, "base.student", file=TOY).scratch
    assert scratch
    params = scratch.training.model_copy(update={"max_steps": STEPS})
    solved = [problem for source in scratch.problems for problem in problems(source, "train", 0, 1000)]
    tokenizer = make_tokenizer(solved, scratch.architecture.vocab_size)
    rows = [training_row(tokenizer, conversation(problem.question, solution(problem))) for problem in solved]
    networks = [make_network(scratch.architecture, tokenizer, run_params.seed) for _ in range(3)]
    _bare(networks[0], tokenizer, rows, params, run_params)  # the first run pays for imports and allocation
    with tempfile.TemporaryDirectory() as metrics:
        ours_s = seconds(lambda: train(networks[1], tokenizer, rows, params, run_params, Path(metrics)))
    peer_s = seconds(lambda: _bare(networks[2], tokenizer, rows, params, run_params))
    print(f"{STEPS} steps of {params.batch_size} rows: ours {ours_s:.1f} s, bare TRL {peer_s:.1f} s")
    print_result("sft", ours_s, peer_s, "trl.SFTTrainer")


def _bare(network: Any, tokenizer: Any, rows: Any, params: TrainingParams, run_params: RunParams) -> None:
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
