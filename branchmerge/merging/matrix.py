"""Tensors that are read by rows, whole in memory or in spans from a file.

R rows of N columns, the columns being a tensor's last axis.
"""

from dataclasses import dataclass
from typing import Any, Protocol


class Rows(Protocol):
    """A tensor (R, N) that can be read by rows."""

    @property
    def name(self) -> str:
        """For messages: the tensor's name, and whose it is."""

    @property
    def shape(self) -> tuple[int, int]:
        """(R, N)."""

    def read(self, start: int, stop: int) -> Any:
        """Rows start to stop as a torch tensor (stop - start, N), of the tensor's own dtype."""


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(R, N) of a tensor of any shape; a scalar is one row of one column."""
    rows = 1
    for size in shape[:-1]:
        rows *= size
    return rows, shape[-1] if shape else 1


@dataclass(frozen=True)
class RowsInMemory:
    """Rows of a torch tensor."""

    name: str
    tensor: Any

    @property
    def shape(self) -> tuple[int, int]:
        """(R, N)."""
        return matrix_shape(tuple(self.tensor.shape))

    def read(self, start: int, stop: int) -> Any:
        """Rows start to stop, a view."""
        return self.tensor.reshape(self.shape)[start:stop]
