"""Exact order statistics of numbers that come in pieces, without keeping or sorting them.

Positive floats of 32 bits order as their bits do. So one pass counts the upper 16 bits of all, which
names the bin of every rank; a second pass counts the lower 16 bits within those bins, which names the
value. Counts are whole numbers: pieces, threads and their order change nothing.
"""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

_compiled = numba.njit(nogil=True, cache=True)

N_UPPER = 1 << 15  # the sign bit is 0
N_LOWER = 1 << 16
QUARTERS = (1, 2, 3)


@_compiled
def count_upper(values: Any, counts: Any) -> None:
    """Add each number's upper 16 bits to counts (N_UPPER,); values: float32, at least 0."""
    for bits in values.view(np.int32):
        counts[bits >> 16] += 1


@_compiled
def count_lower(values: Any, slot_of_bin: Any, counts: Any) -> None:
    """Add the lower 16 bits of the numbers in wanted bins to counts (slots, N_LOWER).

    Args:
        slot_of_bin: (N_UPPER,) int8: the row of counts that belongs to a bin; -1 for bins not wanted.
    """
    for bits in values.view(np.int32):
        slot = slot_of_bin[bits >> 16]
        if slot >= 0:
            counts[slot, bits & 0xFFFF] += 1


def quartile_ranks(n: int) -> list[int]:
    """Ranks from 0 of the three quartiles of n sorted numbers: the nearest below, as mergekit takes them."""
    return [quarter * (n - 1) // 4 for quarter in QUARTERS]


def bins_of_ranks(upper_counts: Any, ranks: Sequence[int]) -> list[int]:
    """The bin in which each rank falls."""
    return [int(index) for index in np.searchsorted(np.cumsum(upper_counts), ranks, side="right")]


def slots(bins: Sequence[int]) -> Any:
    """slot_of_bin for count_lower: distinct bins get distinct rows, in the order of their first rank."""
    slot_of_bin = np.full(N_UPPER, -1, dtype=np.int8)
    for slot, index in enumerate(dict.fromkeys(bins)):
        slot_of_bin[index] = slot
    return slot_of_bin


def values_of_ranks(upper_counts: Any, lower_counts: Any, ranks: Sequence[int]) -> list[float]:
    """The numbers at the ranks, exactly."""
    bins = bins_of_ranks(upper_counts, ranks)
    slot_of_bin = slots(bins)
    before = np.cumsum(upper_counts) - upper_counts
    found = []
    for index, rank in zip(bins, ranks, strict=True):
        within = np.cumsum(lower_counts[slot_of_bin[index]])
        lower = int(np.searchsorted(within, rank - before[index], side="right"))
        found.append(float(np.uint32(index << 16 | lower).view(np.float32)))
    return found
