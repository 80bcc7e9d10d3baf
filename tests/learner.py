"""What tests of training share: a tiny student, its rows, its params."""

from pathlib import Path
from typing import Any

from branchmerge.bases.scratch import make_network, make_tokenizer
from branchmerge.chat.conversation import exchange, training_row
from branchmerge.core.files import write_rows
from branchmerge.core.records import SFT
from branchmerge.sources.problems import Problem
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.machine import LaunchMachine, Setup, SftMachine
from branchmerge.training.rows import Examples
from tests.conftest import TINY

SEED = 0
ALONE = Setup(threads=1, sft=SftMachine(checkpoint_steps=None))
PARAMS = TrainingParams(
    max_steps=4,
    batch_size=2,
    learning_rate=1e-2,
    lr_scheduler="constant",
    warmup_ratio=0,
    weight_decay=0,
    adam_beta2=0.95,
    max_grad_norm=1,
    max_length=64,
    dtype="float32",
    logging_steps=2,
)
ANSWER = "<think>\nx\n</think>\n7"
QUESTIONS = [f"What is {n}+1?" for n in range(6)]
UNEVEN = [f"What is {'1+' * n}1?" for n in (1, 9, 3, 14, 5, 2, 11, 7)]  # of 25 to 51 tokens


def other(**changes: Any) -> TrainingParams:
    """The params, with some of them changed."""
    return TrainingParams.model_validate(PARAMS.model_dump() | changes)


def setup(strategy: str = "none", processes: int = 1, nodes: int = 1, **sft: Any) -> Setup:
    """How a machine trains: one thread, no checkpoints, and what is asked for."""
    launch = LaunchMachine.model_validate({"strategy": strategy, "processes": processes, "nodes": nodes})
    return Setup(threads=1, launch=launch, sft=SftMachine.model_validate({"checkpoint_steps": None} | sft))


def tiny_tokenizer() -> Any:
    return make_tokenizer([Problem("What is 1+1?", "1+1=2", "2")], vocab_size=384)


def tiny_model(tokenizer: Any) -> Any:
    return make_network(TINY, tokenizer, seed=0)


def rows_of(tokenizer: Any, questions: list[str] = QUESTIONS) -> list[dict[str, list[int]]]:
    return [training_row(tokenizer, exchange(question, ANSWER)) for question in questions]


def trainer_of(
    model: Any,
    tokenizer: Any,
    params: TrainingParams,
    folder: Path,
    questions: list[str] = QUESTIONS,
    machine: Setup = ALONE,
) -> Any:
    """The trainer that a run would have."""
    from branchmerge.training.trainer import make_arguments, make_trainer

    rows = Examples(rows_of(tokenizer, questions))
    arguments = make_arguments(params, SEED, machine, folder / "scratch", "tiny", evaluates=False)
    return make_trainer(model, tokenizer, rows, params, machine, folder, arguments)


def sft_set(folder: Path, questions: list[str], source: str = "arithmetic", answer: str = ANSWER) -> Path:
    target = folder / f"{source}.parquet"
    rows = [
        {
            "trace_id": f"{source}{index:03}",
            "domain": "math",
            "source": source,
            "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
            "n_tokens": 1,
        }
        for index, question in enumerate(questions)
    ]
    write_rows(target, SFT, rows)
    return target


def make_student(folder: Path) -> None:
    """models/student in a project's folder."""
    from branchmerge.chat import contract

    tokenizer, student = tiny_tokenizer(), folder / "models/student"
    tiny_model(tokenizer).save_pretrained(student)
    tokenizer.save_pretrained(student)
    contract.write_contract(student, tokenizer)


def learn_branch(folder: Path, params: TrainingParams, machine: Setup = ALONE, sft: str = "arithmetic") -> Path:
    """Fine-tune the branch of a project's folder, which is the current one; its model."""
    from branchmerge.training.run import fine_tune

    output = Path("models/branches/math")
    fine_tune(
        name="sft-math",
        datasets=[folder / f"{sft}.parquet"],
        params=params,
        seed=SEED,
        setup=machine,
        output=output,
        metrics=Path("reports/training/math"),
    )
    return output
