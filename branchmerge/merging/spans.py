"""Work over a matrix in spans of rows, each small enough for a core's cache, by several threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_ENTRIES_IN_SPAN = 1 << 18  # 1 MiB of float32; at 2^16 calls cost as much as the work, at 2^20 the cache is too small

Span = range
State = TypeVar("State")


def spans(shape: tuple[int, int]) -> list[Span]:
    """All rows of a matrix (R, N) in spans; one row at least, however long."""
    rows, columns = shape
    step = max(1, _ENTRIES_IN_SPAN // max(1, columns))
    return [range(start, min(start + step, rows)) for start in range(0, rows, step)]


def in_threads(
    threads: int, parts: list[Span], work: Callable[[Span, State], None], start: Callable[[], State]
) -> list[State]:
    """Work on every span once, in any order; each thread has a state of its own, and all are returned."""
    remaining = iter(parts)  # next() of a list's iterator is atomic

    def run(_: int) -> State:
        state = start()
        for span in remaining:
            work(span, state)
        return state

    with one_torch_thread(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(min(threads, max(1, len(parts))))))


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Each of our threads works alone: torch's own would split rows, and their sums would end in other bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
