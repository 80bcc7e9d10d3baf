"""The batch of an optimiser step, split over processes and over time."""

import os
from dataclasses import dataclass

from branchmerge.core.errors import InputError


@dataclass(frozen=True)
class Batches:
    """How a batch is run: rows at once on each device, and how often before the optimiser steps."""

    per_device: int
    accumulation: int


def world_size() -> int:
    """Processes that train together, as their launcher says; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return os.environ.get("RANK", "0") == "0"


def split_batch(name: str, batch_size: int, max_per_device: int | None, processes: int) -> Batches:
    """The fewest passes that make exactly batch_size rows an optimiser step.

    Args:
        name: Of the run, for the error.
        max_per_device: None where a device holds its whole share at once.

    Raises:
        InputError: The batch cannot be shared evenly; another size would train something else in silence.
    """
    share, rest = divmod(batch_size, processes)
    if rest:
        below, above = share * processes, (share + 1) * processes
        raise InputError(
            where=f"batch_size of {name}",
            expected=f"a multiple of the {processes} processes",
            got=str(batch_size),
            do=f"take {above}" + (f" or {below}" if below else "") + ", or start another number of processes",
        )
    limit = min(share, max_per_device or share)
    per_device = max(size for size in range(1, limit + 1) if share % size == 0)
    return Batches(per_device, share // per_device)
