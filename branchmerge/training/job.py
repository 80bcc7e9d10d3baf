"""A training job as a file: all that decides what comes out, so that its processes and its later starts agree on it."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.files import content_id, file_hash, folder_hash, whole_file
from branchmerge.core.meaning import closure, hash_of
from branchmerge.core.params import Params
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.machine import Setup

CHECKPOINTS = Path("checkpoints")  # one folder a job, outside what DVC stores
FILE = "job.json"
# with these a checkpoint goes on as well: they change rounding at most
_ROUNDS_OTHERWISE = {
    "setup.threads",
    "setup.sft.gradient_checkpointing",
    "setup.sft.liger",
    "setup.sft.attention",
    "setup.sft.checkpoint_steps",
}
_LEARNS = Path(__file__).parent / "run.py"
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")


class Job(Params):
    """One training of a copy of a student.

    Args:
        datasets: SFT sets and the hash of each.
        student: Folder of the model, and its hash.
        setup: How the machine trains. Another number of processes, strategy or batch on the device is another job;
            threads, kernels and the like only round otherwise.
        code: Hash of all that the training stands on, by meaning.
        libraries: Versions.
    """

    name: str
    datasets: dict[str, str]
    student: tuple[str, str]
    params: TrainingParams
    seed: int
    setup: Setup
    code: str
    libraries: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where its checkpoints are, and what is not moved in yet."""
        return CHECKPOINTS / self.name


def describe(name: str, datasets: list[Path], student: Path, params: TrainingParams, seed: int, setup: Setup) -> Job:
    """The job of these files, as they are now."""
    return Job(
        name=name,
        datasets={str(dataset): file_hash(dataset) for dataset in datasets},
        student=(str(student), folder_hash(student)),
        params=params,
        seed=seed,
        setup=setup,
        code=content_id(*(hash_of(file) for file in closure(_LEARNS))),
        libraries={library: importlib.metadata.version(library) for library in _LIBRARIES},
    )


def write_job(job: Job) -> None:
    """Put a job beside its checkpoints."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with whole_file(job.folder / FILE) as partial:
        partial.write_text(job.model_dump_json(indent=1))


def read_job(folder: Path) -> Job:
    """The job of a folder."""
    return Job.model_validate_json((folder / FILE).read_text())


def refuse_other(job: Job) -> None:
    """Refuse to go on from the checkpoint of another job: it would end as a mixture of both.

    Raises:
        InputError: Naming each field that differs, with its value then and now.
    """
    file = job.folder / FILE
    then, now = _flat(json.loads(file.read_text())), _flat(json.loads(job.model_dump_json()))
    asked = sorted(key for key in then.keys() | now.keys() if key not in _ROUNDS_OTHERWISE)
    changed = [key for key in asked if then.get(key) != now.get(key)]
    if changed:
        raise InputError(
            where=str(job.folder),
            expected="a checkpoint of this job: " + ", ".join(f"{key} {now.get(key)}" for key in changed),
            got=", ".join(f"{key} {then.get(key)}" for key in changed),
            do=f"remove {job.folder} to train from the start, or set back what changed to go on from the checkpoint",
        )


def _flat(node: Any, path: str = "") -> dict[str, Any]:
    """Leaves by dotted path."""
    if isinstance(node, dict):
        return {key: leaf for name, child in node.items() for key, leaf in _flat(child, f"{path}.{name}").items()}
    return {path.removeprefix("."): node}
