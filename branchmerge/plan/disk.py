"""Disk that a build fills: outputs, DVC's cache, downloads, and the checkpoints of a run under way."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from branchmerge.plan.build import Build
from branchmerge.plan.lengths import lengths_of

_BYTES_A_TOKEN = 4  # of text, before compression; in sources, traces and SFT rows
_COPIES_OF_TEXT = 3
_STATE_BYTES = 12  # a parameter in a checkpoint: float32 weights and Adam's moments


@dataclass(frozen=True)
class Disk:
    """Bytes.

    Args:
        cache_bytes: What DVC's cache adds: nothing where it links, else all outputs once more.
        download_bytes: Of hub models, in the hub's own cache.
        checkpoint_bytes: One checkpoint of the largest run: its weights and the optimiser's state.
    """

    model_bytes: float
    data_bytes: float
    cache_bytes: float
    download_bytes: float
    checkpoint_bytes: float

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(asdict(self).values()))


def disk(build: Build, running: set[str], has_links: bool) -> Disk:
    """The disk of a whole build, whether it is there already or not."""
    sizes = {dtype: 2 if dtype == "bfloat16" else 4 for dtype in ("bfloat16", "float32")}
    student = build.student.parameters
    bases = sum(shape.parameters * _base_size(build, name) for name, shape in build.shapes.items() if shape)
    trained = sum(student * sizes[params.dtype] for params in build.training.values())
    models = bases + trained + student * sizes[_out_dtype()]
    rows = [lengths_of(build, (name,), running, build.training[f"sft@{name}"].max_length) for name in build.prompts]
    data = _COPIES_OF_TEXT * _BYTES_A_TOKEN * sum(part.rows * part.mean for part in rows)
    return Disk(
        model_bytes=models,
        data_bytes=data,
        cache_bytes=0.0 if has_links else models + data,
        download_bytes=sum(
            2.0 * shape.parameters for name, shape in build.shapes.items() if shape and build.bases[name].hub
        ),
        checkpoint_bytes=student * max(sizes[params.dtype] + _STATE_BYTES for params in build.training.values()),
    )


def free_bytes() -> int:
    """Free on the disk of this folder."""
    return shutil.disk_usage(Path.cwd()).free


def _base_size(build: Build, name: str) -> int:
    scratch = build.bases[name].scratch
    return 4 if scratch and scratch.training.dtype == "float32" else 2


def _out_dtype() -> str:
    from branchmerge.core.params import read_params
    from branchmerge.merging.params import MergeParams

    return read_params(MergeParams).out_dtype
