"""Stable branch fusion: each weight is that of the branch to which its change matters most, or the student's.

Where the importance of a branch's change reaches the branch's threshold, median + multiplier * (Q3 - Q1) of its
importances in this tensor, the branch may take the weight; of several the one of the highest importance does.

- Quartiles are exact, and over importances above 0 only: with the unchanged weights of a bfloat16 model among them
  the threshold would be 0 as soon as three quarters are unchanged, and the whole branch would be copied.
- Importances are each branch's own, against the student, so the order of the branches changes nothing; of equal
  importances the larger value wins.
- Weights are taken, never computed: what comes out stands in one of the models to the bit.

Tensors are read three times, in spans of rows that fit a core's cache, so that memory does not grow with them.

R rows of N columns; a span has r rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np

from branchmerge.core.errors import StageError
from branchmerge.merging import selection
from branchmerge.merging.importance import divergences, importances
from branchmerge.merging.matrix import Rows, RowsInMemory
from branchmerge.merging.spans import Span, in_threads, spans

Order = Literal["free", "sequential"]
Granularity = Literal["tensor", "row"]
Write = Callable[[int, Any], None]


@dataclass(frozen=True)
class Fusion:
    """How branches are fused.

    Args:
        threshold_multiplier: Of the interquartile range above the median; 1.5 in Arcee Fusion. Less takes more.
        granularity: Quartiles over a whole tensor, or each row's own.
        order: free: all branches against the student at once. sequential: the paper's: the second branch against
            the first, the third against their fusion; the student has no part in it.
    """

    threshold_multiplier: float = 1.5
    granularity: Granularity = "tensor"
    order: Order = "free"


def fuse(student: Rows, branches: Sequence[Rows], fusion: Fusion, threads: int, write: Write) -> None:
    """Fuse one tensor of shape (R, N).

    Args:
        write: Is called with the first row of a span and its fused rows (r, N); from several threads, in any order.

    Raises:
        StageError: A model holds a weight that is no number.
    """
    if fusion.order == "free":
        _fuse(student, branches, fusion, threads, write)
        return
    fused = branches[0]
    for branch in branches[1:-1]:
        fused = _in_memory(fused, branch, fusion, threads)
    _fuse(fused, branches[-1:], fusion, threads, write)


def _in_memory(student: Rows, branch: Rows, fusion: Fusion, threads: int) -> Rows:
    import torch

    result = torch.empty(student.shape, dtype=student.read(0, 0).dtype)

    def write(start: int, rows: Any) -> None:
        result[start : start + len(rows)] = rows

    _fuse(student, [branch], fusion, threads, write)
    return RowsInMemory(student.name, result)


def _fuse(student: Rows, branches: Sequence[Rows], fusion: Fusion, threads: int, write: Write) -> None:
    import torch

    dtype = student.read(0, 0).dtype
    divergence, counts = _measure(student, branches, threads)
    of_tensor = fusion.granularity == "tensor"
    limits = _limits(student, branches, divergence, counts, fusion, threads) if of_tensor else None

    def take(span: Span, _: None) -> None:
        result, best = _floats(student, span).copy(), np.zeros((len(span), student.shape[1]), np.float32)
        for index, (values, importance) in enumerate(_importances(student, branches, divergence, span)):
            limit = _limits_of_rows(importance, fusion) if limits is None else np.full(len(span), limits[index])
            _take(result, best, values, importance, _float32_from(limit))
        write(span.start, torch.from_numpy(result).to(dtype))

    in_threads(threads, spans(student.shape), take, lambda: None)


@numba.njit(nogil=True, cache=True)
def _take(result: Any, best: Any, values: Any, importance: Any, limit: Any) -> None:
    """Put a branch's values (r, N) where they reach their row's limit and matter more than the best so far."""
    for row in range(result.shape[0]):
        for i in range(result.shape[1]):
            mine, other = importance[row, i], best[row, i]
            # & and |, not and, or: without jumps the loop is ten times as fast
            is_higher = (mine > other) | ((mine == other) & (values[row, i] > result[row, i]))
            is_taken = (mine >= limit[row]) & is_higher
            best[row, i] = mine if is_taken else other
            result[row, i] = values[row, i] if is_taken else result[row, i]


def _measure(student: Rows, branches: Sequence[Rows], threads: int) -> tuple[Any, Any]:
    """Each branch's divergence in each row (branches, R), and counts of the upper bits of its importances."""
    divergence = np.empty((len(branches), student.shape[0]), np.float32)

    def measure(span: Span, counts: Any) -> None:
        base = student.read(span.start, span.stop).float()
        q = base.softmax(-1).numpy()
        for index, branch in enumerate(branches):
            values = branch.read(span.start, span.stop).float()
            mine = divergence[index, span.start : span.stop]
            if not divergences(q, (values - base).numpy(), mine):
                raise StageError(
                    where=f"merge: {branch.name}",
                    expected=f"finite weights, in it and in {student.name}",
                    got="a weight that is infinite or no number",
                    do="train the branch again, with a lower learning rate",
                )
            importance = importances(base.numpy(), values.numpy(), mine)
            selection.count_upper(importance.reshape(-1), counts[index])

    shape = (len(branches), selection.N_UPPER)
    counted = in_threads(threads, spans(student.shape), measure, lambda: np.zeros(shape, np.int64))
    return divergence, np.sum(counted, axis=0)


def _limits(
    student: Rows, branches: Sequence[Rows], divergence: Any, upper: Any, fusion: Fusion, threads: int
) -> list[float]:
    """The importance from which each branch takes a weight of this tensor."""
    upper[:, 0] = 0  # unchanged weights, and importances below 1e-40
    ranks = [selection.quartile_ranks(int(counts.sum())) for counts in upper]
    slots = [selection.slots(selection.bins_of_ranks(counts, of)) for counts, of in zip(upper, ranks, strict=True)]

    def count(span: Span, lower: Any) -> None:
        for index, (_, importance) in enumerate(_importances(student, branches, divergence, span)):
            selection.count_lower(importance.reshape(-1), slots[index], lower[index])

    shape = (len(branches), len(selection.QUARTERS), selection.N_LOWER)
    counted = in_threads(threads, spans(student.shape), count, lambda: np.zeros(shape, np.int64))
    return [
        _limit(selection.values_of_ranks(counts, below, of), fusion) if of[-1] >= 0 else float("inf")
        for counts, below, of in zip(upper, np.sum(counted, axis=0), ranks, strict=True)
    ]


def _limit(quartiles: Any, fusion: Fusion) -> Any:
    q1, median, q3 = quartiles
    return median + fusion.threshold_multiplier * (q3 - q1)


def _limits_of_rows(importance: Any, fusion: Fusion) -> Any:
    """Thresholds above which a weight is taken, from each row's own quartiles: (r, N) -> (r,)."""
    ascending = np.sort(importance, axis=-1).astype(np.float64)
    n_zero = (importance == 0).sum(axis=-1)
    n = importance.shape[-1] - n_zero
    ranks = np.stack([n_zero + quarter * np.maximum(n - 1, 0) // 4 for quarter in selection.QUARTERS], axis=-1)
    quartiles = np.take_along_axis(ascending, np.minimum(ranks, importance.shape[-1] - 1), axis=-1)
    return np.where(n > 0, _limit(quartiles.T, fusion), np.inf)


def _float32_from(limit: Any) -> Any:
    """The smallest float32 that is at least a float64."""
    nearest = limit.astype(np.float32)
    return np.where(nearest < limit, np.nextafter(nearest, np.float32(np.inf)), nearest)


def _importances(student: Rows, branches: Sequence[Rows], divergence: Any, span: Span) -> Any:
    """Each branch's values (r, N) and their importances (r, N)."""
    base = _floats(student, span)
    for branch, mine in zip(branches, divergence, strict=True):
        values = _floats(branch, span)
        yield values, importances(base, values, mine[span.start : span.stop])


def _floats(rows: Rows, span: Span) -> Any:
    return rows.read(span.start, span.stop).float().numpy()
