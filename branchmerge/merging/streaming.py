"""A branch_fusion recipe of mergekit's, run tensor by tensor and span by span, both cores at work.

mergekit's own executor gives the same bytes (a test holds both to it), one tensor at a time, in one thread but for
torch's, and keeps whole tensors and whole shards in memory. mergekit still plans: names, tied weights, parameters
by layer and filter.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchmerge.core.files import write_json
from branchmerge.merging.fusion import Fusion, fuse
from branchmerge.merging.tensors import (
    INDEX,
    SINGLE,
    TORCH_NAMES,
    OpenFiles,
    Planned,
    RowsInFile,
    Stored,
    WritableFile,
    stored_tensors,
    writable_file,
)

_MAX_SHARD_BYTES = 5_000_000_000  # mergekit's
_NOT_COPIED = ("config.json", INDEX)


@dataclass(frozen=True)
class Step:
    """One tensor to fuse: where it stands in the student and in each branch."""

    out: Planned
    student: Stored
    branches: tuple[Stored, ...]
    dtype: str | None
    fusion: Fusion


def stream_merge(recipe: dict[str, Any], target: Path, threads: int) -> bool:
    """Run a recipe whose method is branch_fusion into a folder.

    Args:
        recipe: mergekit's, with paths of local models.

    Returns:
        Whether it could: False, and nothing written, where only mergekit can read the models (.bin files, weights
        that some lack, weights that it would have to convert).
    """
    from mergekit.config import MergeConfiguration

    config = MergeConfiguration.model_validate(recipe)
    student = Path(str(config.base_model))
    steps = _steps(config)
    if steps is None:
        return False
    target.mkdir(parents=True, exist_ok=True)
    shards = _shards(steps)
    for index, shard in enumerate(shards, start=1):
        _write_shard(target / _shard_name(index, len(shards)), shard, threads)
    if len(shards) > 1:
        _write_index(target, shards)
    _write_config(student, config.out_dtype or config.dtype, target)
    for file in sorted(student.iterdir()):
        if file.is_file() and file.suffix in {".json", ".jinja", ".model", ".txt"} and file.name not in _NOT_COPIED:
            shutil.copyfile(file, target / file.name)
    return True


def _write_shard(file: Path, steps: Sequence[Step], threads: int) -> None:
    with OpenFiles() as files, writable_file(file, [step.out for step in steps]) as output:
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if following:
                _read_ahead(following, files)
            _run(step, files, output, threads)


def _run(step: Step, files: OpenFiles, output: WritableFile, threads: int) -> None:
    def rows(stored: Stored) -> RowsInFile:
        name = f"{stored.name} of {stored.file.parent}"
        return RowsInFile(name, stored, files.stream(stored.file), step.dtype)

    fuse(
        rows(step.student),
        [rows(branch) for branch in step.branches],
        step.fusion,
        threads,
        lambda start, fused: output.write(step.out, start, fused),
    )


def _read_ahead(step: Step, files: OpenFiles) -> None:
    """Have the kernel read the next tensor while this one is computed."""
    for stored in (step.student, *step.branches):
        descriptor = files.stream(stored.file).fileno()
        os.posix_fadvise(descriptor, stored.offset, stored.size_bytes, os.POSIX_FADV_WILLNEED)


def _steps(config: Any) -> list[Step] | None:
    """All tensors of a recipe by name, as mergekit plans them; None where one is not simply there in every model."""
    from mergekit.architecture import get_architecture_info
    from mergekit.io.tasks import LoaderCache, SaveTensor
    from mergekit.options import MergeOptions
    from mergekit.plan import MergePlanner

    from branchmerge.merging.mergekit_plugin import register

    register()  # mergekit plans by the methods it knows
    options = MergeOptions(lazy_unpickle=True)
    LoaderCache().setup(options=options)
    models = {str(model): Path(str(model)) for model in config.referenced_models()}
    if not all((folder / SINGLE).is_file() or (folder / INDEX).is_file() for folder in models.values()):
        return None
    tensors = {model: stored_tensors(folder) for model, folder in models.items()}
    planner = MergePlanner(
        config.model_copy(deep=True), get_architecture_info(config, options), options, config.base_model.config()
    )
    plan = [task for task in planner.plan_to_disk("") if isinstance(task, SaveTensor)]  # a plan writes nothing
    steps = [_step(task, tensors, str(config.base_model)) for task in plan]
    return None if None in steps else sorted((step for step in steps if step), key=lambda step: step.out.name)


def _step(task: Any, tensors: dict[str, dict[str, Stored]], student: str) -> Step | None:
    found = {}
    for model, weight in task.tensor_task.gather_tensors.weight_info.items():
        names = [weight.name, *(weight.aliases or ()), *(weight.tied_names or ())]
        stored = next((tensors[str(model)][name] for name in names if name in tensors[str(model)]), None)
        if stored is None or stored.dtype not in TORCH_NAMES:
            return None
        found[str(model)] = (stored, weight.force_dtype or task.tensor_task.gather_tensors.dtype)
    base, dtype = found[student]
    parameters = dict(task.tensor_task.parameters.items())
    assert not parameters.pop("parity")
    branches = tuple(found[str(model)][0] for model in task.tensor_task.model_order if str(model) != student)
    out = Planned(task.tensor_name, task.dtype or dtype or TORCH_NAMES[base.dtype], base.shape)
    return Step(out, base, branches, dtype, Fusion(**parameters))


def _shards(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps in files of at most _MAX_SHARD_BYTES, each of one tensor at least."""
    shards: list[list[Step]] = [[]]
    for step in steps:
        size = sum(other.out.size_bytes for other in shards[-1]) + step.out.size_bytes
        if shards[-1] and size > _MAX_SHARD_BYTES:
            shards.append([])
        shards[-1].append(step)
    return shards


def _shard_name(index: int, count: int) -> str:
    return SINGLE if count == 1 else f"model-{index:05d}-of-{count:05d}.safetensors"


def _write_index(target: Path, shards: list[list[Step]]) -> None:
    names = {
        step.out.name: _shard_name(index, len(shards)) for index, shard in enumerate(shards, start=1) for step in shard
    }
    total = sum(step.out.size_bytes for shard in shards for step in shard)
    write_json(target / INDEX, {"metadata": {"total_size": total}, "weight_map": names})


def _write_config(student: Path, dtype: str | None, target: Path) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(student)
    if dtype:
        config.dtype = dtype
    config.save_pretrained(target)
