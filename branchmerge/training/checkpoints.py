"""Checkpoints of a run: only whole ones count, and the newest is where the next start goes on."""

import json
import shutil
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.files import write_json

_MARK = "whole.json"  # written last: a checkpoint without it was being written when its process ended
_METRICS = "metrics"
_KEPT = 2  # so that one is whole while the next is written


def keep(checkpoint: Path, n_rows: int, metrics: Path) -> None:
    """Mark a checkpoint as whole, with the metrics up to here and the rows seen."""
    shutil.copytree(metrics, checkpoint / _METRICS, dirs_exist_ok=True)
    write_json(checkpoint / _MARK, {"rows": n_rows})


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint in a folder, or none."""
    whole = [mark.parent for mark in folder.glob(f"checkpoint-*/{_MARK}")]
    return max(whole, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """Optimiser steps that a checkpoint has seen."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def restore(checkpoint: Path | None, metrics: Path) -> None:
    """Set the metrics back to what they were at a checkpoint; to none without one."""
    shutil.rmtree(metrics, ignore_errors=True)
    if checkpoint:
        shutil.copytree(checkpoint / _METRICS, metrics)


def rows_of(checkpoint: Path) -> int:
    """Rows that a checkpoint has seen."""
    return int(json.loads((checkpoint / _MARK).read_text())["rows"])


def limit(checkpoint_steps: int | None) -> dict[str, Any]:
    """transformers' arguments for a checkpoint every so many steps."""
    if checkpoint_steps is None:
        return {"save_strategy": "no"}
    return {"save_strategy": "steps", "save_steps": checkpoint_steps, "save_total_limit": _KEPT}


def check_disk(folder: Path, model: Any, checkpoint_steps: int | None) -> None:
    """Refuse to begin what could not be saved: the model, and the checkpoints with Adam's two numbers for each weight.

    Raises:
        InputError: Less free disk than that takes, at four bytes a number.
    """
    sizes = [(getattr(weight, "ds_numel", weight.numel()), weight.requires_grad) for weight in model.parameters()]
    weights, trained = sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)
    needed = 4 * (weights + ((_KEPT + 1) * (weights + 2 * trained) if checkpoint_steps else 0))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            where=str(folder),
            expected=f"{needed / 2**30:.1f} GiB free for the model and its checkpoints",
            got=f"{free / 2**30:.1f} GiB",
            do="free some, make the folder checkpoints a link to a larger disk, or set checkpoint_steps: null",
        )
