"""Tensors in safetensors files: their headers, their rows read and written in spans, never a whole tensor in memory.

Source of the format: https://github.com/huggingface/safetensors#format. A written file is byte for byte what
safetensors.torch.save_file writes.
"""

import json
import math
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from branchmerge.core.errors import InputError
from branchmerge.merging.matrix import matrix_shape

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
TORCH_NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_NAMES = {torch_name: name for name, torch_name in TORCH_NAMES.items()}
_SIZE_BYTES = {"F32": 4, "BF16": 2, "F16": 2}
_MAX_HEADER_BYTES = 100_000_000  # as safetensors has it


@dataclass(frozen=True)
class Stored:
    """Where a tensor stands. offset: of its first byte in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int

    @property
    def size_bytes(self) -> int:
        """Of its data; 0 for dtypes that no weights have."""
        return math.prod(self.shape) * _SIZE_BYTES.get(self.dtype, 0)


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """All tensors of a model's folder by name, from the files' headers alone.

    Raises:
        InputError: No safetensors, or a file that is none or is cut off.
    """
    files = {folder / SINGLE}
    if (folder / INDEX).is_file():
        files = {folder / name for name in json.loads((folder / INDEX).read_text())["weight_map"].values()}
    return {tensor.name: tensor for file in sorted(files) for tensor in _tensors_of_file(file)}


def _tensors_of_file(file: Path) -> Iterator[Stored]:
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if 0 < length < _MAX_HEADER_BYTES else None
    except (OSError, ValueError):
        header = None
    ends = [entry["data_offsets"][1] for name, entry in (header or {}).items() if name != "__metadata__"]
    if header is None or file.stat().st_size != 8 + length + max(ends, default=0):
        raise InputError(
            where=str(file),
            expected="a whole safetensors file",
            got="no such file" if not file.exists() else f"{file.stat().st_size} bytes that are none",
            do="make the model again: dvc repro, or dvc pull",
        )
    for name, entry in header.items():
        if name != "__metadata__":
            yield Stored(name, entry["dtype"], tuple(entry["shape"]), file, 8 + length + entry["data_offsets"][0])


@dataclass(frozen=True)
class RowsInFile:
    """Rows of a stored tensor, converted to a dtype as they are read.

    Args:
        name: For messages.
        stream: The open file.
        dtype: A torch name; None for the tensor's own.
    """

    name: str
    stored: Stored
    stream: BinaryIO
    dtype: str | None
    _buffers: threading.local = field(default_factory=threading.local, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(R, N)."""
        return matrix_shape(self.stored.shape)

    def read(self, start: int, stop: int) -> Any:
        """Rows start to stop (stop - start, N), until this thread reads others; safe from several threads."""
        import torch

        rows = self._buffer(stop - start)
        if rows.numel():
            offset = self.stored.offset + start * rows.shape[1] * rows.element_size()
            os.preadv(self.stream.fileno(), [rows.view(torch.uint8).numpy()], offset)
        return rows if self.dtype is None else rows.to(getattr(torch, self.dtype))

    def _buffer(self, n_rows: int) -> Any:
        """Room for some rows, the same each time: new memory would cost as much as the reading."""
        import torch

        rows = getattr(self._buffers, "rows", None)
        if rows is None or len(rows) < n_rows:
            rows = torch.empty((n_rows, self.shape[1]), dtype=getattr(torch, TORCH_NAMES[self.stored.dtype]))
            self._buffers.rows = rows
        return rows[:n_rows]


@dataclass(frozen=True)
class Planned:
    """A tensor that a file is to hold; dtype as torch names it."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Of its data."""
        return math.prod(self.shape) * _SIZE_BYTES[_NAMES[self.dtype]]


@dataclass(frozen=True)
class WritableFile:
    """A safetensors file whose tensors are written in spans. offsets: of each tensor's first byte."""

    stream: BinaryIO
    offsets: dict[str, int]

    def write(self, tensor: Planned, start: int, rows: Any) -> None:
        """Write rows (r, N), from row start on, converted to the tensor's dtype; safe from several threads."""
        import torch

        converted = rows.to(getattr(torch, tensor.dtype)).contiguous()
        offset = self.offsets[tensor.name] + start * converted.shape[1] * converted.element_size()
        data = memoryview(converted.view(torch.uint8).numpy()).cast("B")
        while data:
            written = os.pwrite(self.stream.fileno(), data, offset)
            data, offset = data[written:], offset + written


@contextmanager
def writable_file(target: Path, tensors: list[Planned]) -> Iterator[WritableFile]:
    """A new file for some tensors, its header written and its data still zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in sorted(tensors, key=lambda tensor: (-_SIZE_BYTES[_NAMES[tensor.dtype]], tensor.name)):
        header[tensor.name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end, end + tensor.size_bytes],
        }
        end += tensor.size_bytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    offsets = {tensor.name: 8 + len(text) + header[tensor.name]["data_offsets"][0] for tensor in tensors}
    with target.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.flush()
        os.truncate(stream.fileno(), 8 + len(text) + end)
        yield WritableFile(stream, offsets)


class OpenFiles(ExitStack):
    """Files opened once each, for reading, until the block ends."""

    def __init__(self) -> None:
        super().__init__()
        self._streams: dict[Path, BinaryIO] = {}

    def stream(self, file: Path) -> BinaryIO:
        """The open file."""
        if file not in self._streams:
            self._streams[file] = self.enter_context(file.open("rb"))
        return self._streams[file]
