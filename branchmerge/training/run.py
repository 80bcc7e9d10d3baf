"""The one training run: base models, branches and mixtures all learn here, only their rows and params differ."""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from branchmerge.chat import contract
from branchmerge.core.command import run
from branchmerge.core.cost import measured
from branchmerge.core.errors import InputError, StageError
from branchmerge.core.files import whole_folder, write_json
from branchmerge.training import checkpoints
from branchmerge.training.batches import is_first
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.job import Job, describe, read_job, refuse_other, write_job
from branchmerge.training.machine import LaunchMachine, Setup
from branchmerge.training.network import finish, load_student, whole_model
from branchmerge.training.rows import Examples, sft_examples
from branchmerge.training.trainer import made_with_of, make_arguments, make_trainer

STUDENT = Path("models/student")
_MODEL, _METRICS, _TRAINED = "model", "metrics", "trained.json"


@dataclass(frozen=True)
class Trained:
    """What a run used: steps, rows, and tokens (prompts and answers, padding aside)."""

    steps: int
    rows: int
    tokens: int


def fine_tune(
    *,
    name: str,
    datasets: list[Path],
    params: TrainingParams,
    seed: int,
    setup: Setup,
    output: Path,
    metrics: Path,
) -> None:
    """Fine-tune a copy of the student on SFT sets and save it whole; go on from where a killed start had come.

    Args:
        name: Of the job and the cost file.
        datasets: SFT rows; all of them form one set.
        output: Folder of the model.
        metrics: Folder of DVCLive.

    Raises:
        InputError: Params that do not fit, or the checkpoint of a job that differs.
        StageError: As `train`; or a process of several failed.
    """
    if params.lora and setup.launch.strategy in ("zero3", "fsdp"):
        raise InputError(
            where="machine.yaml: launch.strategy",
            expected="none, ddp or zero2 with lora, whose adapters need the weights whole",
            got=setup.launch.strategy,
            do="set launch.strategy: zero2 there, or lora: null in params.yaml",
        )
    if setup.launch.strategy.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
        raise InputError(
            where="machine.yaml: launch.strategy",
            expected="the package deepspeed, which shares out the optimiser's state",
            got=f"{setup.launch.strategy}, and no such package",
            do="pip install -e '.[deepspeed]', or take fsdp or ddp",
        )
    job = describe(name, datasets, STUDENT, params, seed, setup)
    if os.environ.get("NODE_RANK", "0") != "0":
        return _start(job)  # the first node prepares, and takes the result
    with measured(name) as cost:
        _prepare(job)
        _start(job)
        with whole_folder(output) as folder, whole_folder(metrics) as metrics_folder:
            for made, place in ((_MODEL, folder), (_METRICS, metrics_folder)):
                place.rmdir()
                shutil.move(job.folder / made, place)
        cost |= json.loads((job.folder / _TRAINED).read_text())
    shutil.rmtree(job.folder)
    return None


def _prepare(job: Job) -> None:
    """An empty folder for the job, or one with a checkpoint of just this job."""
    if checkpoint := checkpoints.newest(job.folder):
        refuse_other(job)
        print(f"{job.name}: goes on after step {checkpoints.step_of(checkpoint)}, from {checkpoint}")
    else:
        shutil.rmtree(job.folder, ignore_errors=True)
        write_job(job)


def _start(job: Job) -> None:
    if job.setup.launch.strategy == "none":
        return learn(job)
    from branchmerge.training.processes import launch

    return launch(job)


def learn(job: Job) -> None:
    """Train a job from its newest checkpoint on; of several processes, all of which call this, the first one saves."""
    import transformers

    transformers.set_seed(job.seed)
    student, params, setup = Path(job.student[0]), job.params, job.setup
    tokenizer = transformers.AutoTokenizer.from_pretrained(student)
    contract.check_contract(student)
    examples = sft_examples(tokenizer, [Path(name) for name in job.datasets], params, job.seed)
    start, metrics = checkpoints.newest(job.folder), job.folder / _METRICS
    if is_first():
        checkpoints.restore(start, metrics)
    arguments = make_arguments(params, job.seed, setup, job.folder, job.name, bool(examples.held_out))
    arguments.eval_on_start &= start is None  # that was done by the first start
    _join(arguments, job)
    model = load_student(student, params, setup.launch.strategy)
    trainer = make_trainer(model, tokenizer, examples, params, setup, metrics, arguments)
    checkpoints.check_disk(job.folder, trainer.model, setup.sft.checkpoint_steps)
    trained = _run(trainer, job.name, start)
    whole = whole_model(trainer, student, setup.launch.strategy)
    if whole is None:
        return
    whole = finish(whole, params)
    with whole_folder(job.folder / _MODEL) as folder:
        whole.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        contract.write_contract(folder, tokenizer)
    counts = {"overlong_rows": examples.n_overlong, "held_out_rows": sum(map(len, examples.held_out.values()))}
    made_with = {"made_with": made_with_of(trainer, setup)}
    write_json(job.folder / _TRAINED, asdict(trained) | counts | made_with)


def _join(arguments: Any, job: Job) -> None:
    """Meet the other processes; before the model is loaded, since ZeRO-3 shares it out while it loads.

    Raises:
        StageError: They are not as many as the launch says.
    """
    met = arguments.world_size  # which starts torch's process group
    if job.setup.launch.strategy.startswith("zero"):
        import deepspeed

        deepspeed.init_distributed()
    if met != job.setup.launch.world_size:
        raise StageError(
            where=f"training of {job.name}",
            expected=f"{job.setup.launch.world_size} processes",
            got=str(met),
            do="start it by its stage, which starts the processes",
        )


def train(
    model: Any,
    tokenizer: Any,
    examples: Examples,
    params: TrainingParams,
    seed: int,
    setup: Setup,
    metrics: Path,
    name: str,
) -> Trained:
    """Train a model in place, in this process; afterwards its weights are on the CPU and of the params' dtype.

    Args:
        metrics: Folder for DVCLive's metrics and the curve of the loss.
        name: Of the run, for errors.

    Raises:
        InputError: Params that do not fit this machine, the model or the number of processes.
        StageError: No rows, a row longer than max_length, a loss that is not a number, or packed rows that see
            each other.
    """
    alone = setup.model_copy(
        update={"launch": LaunchMachine(), "sft": setup.sft.model_copy(update={"checkpoint_steps": None})}
    )
    with tempfile.TemporaryDirectory() as scratch:
        arguments = make_arguments(params, seed, alone, Path(scratch), name, bool(examples.held_out))
        trainer = make_trainer(model, tokenizer, examples, params, alone, metrics, arguments)
        trained = _run(trainer, name, None)
    finish(trainer.accelerator.unwrap_model(trainer.model), params)
    return trained


def _run(trainer: Any, name: str, start: Path | None) -> Trained:
    if start:
        trainer.rows_seen = checkpoints.rows_of(start)
    result = trainer.train(resume_from_checkpoint=str(start) if start else None)
    if not result.training_loss < float("inf"):
        raise StageError(
            where=f"training of {name}",
            expected="a finite loss",
            got=str(result.training_loss),
            do="lower the learning rate",
        )
    return Trained(
        steps=trainer.state.global_step,
        rows=trainer.rows_seen,
        tokens=int(trainer.state.num_input_tokens_seen),
    )


def main(folder: Annotated[Path, typer.Argument(help="Of a job.")]) -> None:
    """One process of a launch: train the job of a folder together with the others.

    It leaves without the interpreter's end: gloo's threads, which DeepSpeed keeps, may be destroyed there while they
    run, which aborts a process that has done its work (seen with ZeRO-3).
    """
    learn(read_job(folder))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    run(main)
