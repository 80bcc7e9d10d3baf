"""Files as the build wants them: whole or not at all, checked when read, the same bytes every time."""

import hashlib
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.records import Record

Row = dict[str, Any]

ROWS_IN_GROUP = 4096
_ROWS_IN_BATCH = 1024  # of 20 kB each, four times as fast to read as 4096


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A temporary path that becomes the target when the block ends well, and vanishes when not.

    Never written in place: DVC's outputs may be hard links into its cache.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes the target when the block ends well, and vanishes when not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_rows(target: Path, record: Record, rows: Iterable[Row]) -> None:
    """Rows as Parquet, sorted by the record's key; equal rows give equal bytes."""
    write_sorted_rows(target, record, sorted(rows, key=lambda row: tuple(row[column] for column in record.key)))


def write_sorted_rows(target: Path, record: Record, rows: Iterable[Row]) -> None:
    """Rows that come in the order of the record's key, as Parquet, without holding them all in memory."""
    import pyarrow as pa

    remaining = iter(rows)
    groups = iter(lambda: list(islice(remaining, ROWS_IN_GROUP)), [])
    write_sorted_tables(target, record, (pa.Table.from_pylist(group, schema=record.schema) for group in groups))


def write_sorted_tables(target: Path, record: Record, tables: Iterator[Any]) -> None:
    """Rows that come in the order of the record's key, as Parquet, from Arrow tables of any size."""
    import pyarrow.parquet as pq

    groups = _groups(tables)
    first = next(groups, None)  # before the file: rows that cannot be made leave no trace
    plain = {"use_dictionary": False, "write_statistics": False}  # nearly all is long texts, hardly two of them equal
    with whole_file(target) as partial, pq.ParquetWriter(partial, record.schema, compression="zstd", **plain) as writer:
        for group in () if first is None else chain([first], groups):
            writer.write_table(group)


def ahead(tables: Iterator[Any], count: int = 4) -> Iterator[Any]:
    """The tables as they come, of which the next few are made in a thread of their own while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(next, tables, None) for _ in range(count))
        while (table := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, tables, None))
            yield table


def _groups(tables: Iterator[Any]) -> Iterator[Any]:
    """The rows of some tables in tables of ROWS_IN_GROUP, and what is left.

    Each in one chunk: where chunks end would show in a Parquet file's pages, and depends on who made them.
    """
    import pyarrow as pa

    waiting: list[Any] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) >= ROWS_IN_GROUP:
            rows = pa.concat_tables(waiting)
            yield rows[:ROWS_IN_GROUP].combine_chunks()
            waiting = [rows[ROWS_IN_GROUP:]]
    if sum(map(len, waiting)):
        yield pa.concat_tables(waiting).combine_chunks()


def read_rows(source: Path, record: Record) -> list[Row]:
    """Rows of one record from a Parquet file; refused as by check_columns."""
    return list(iterate_rows(source, record))


def iterate_rows(source: Path, record: Record, may_lack: str = "") -> Iterator[Row]:
    """Rows of one record from a Parquet file, one by one; a file that cannot be used is refused before the first.

    Args:
        may_lack: A column that files of older versions have not; it is null then.
    """
    import pyarrow.dataset

    check_columns(source, record, may_lack)
    rows = pyarrow.dataset.dataset(source, schema=record.schema)  # a column that the file lacks is null
    batches = rows.to_batches(batch_size=_ROWS_IN_BATCH)  # reads ahead
    return (row for batch in batches for row in batch.to_pylist())


def check_columns(source: Path, record: Record, may_lack: str = "") -> None:
    """Refuse a file that does not hold rows of a record.

    Raises:
        InputError: No such file, not Parquet, or other columns than the record's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    made_by = f"run the stage that makes {source} again: dvc repro -f"
    if not source.is_file():
        raise InputError(where=str(source), expected=f"{record.name} rows", got="no such file", do="run dvc repro")
    try:
        schema = pq.read_schema(source)
    except pa.ArrowInvalid as error:
        raise InputError(where=str(source), expected="a Parquet file", got=str(error), do=made_by) from None
    expected = [field for field in record.schema if field.name != may_lack or may_lack in schema.names]
    if not schema.equals(pa.schema(expected)):
        got = ", ".join(f"{field.name} {field.type}" for field in schema)
        wanted = ", ".join(f"{field.name} {field.type}" for field in record.schema)
        raise InputError(where=str(source), expected=f"{record.name} columns {wanted}", got=got, do=made_by)


def write_json(target: Path, value: Any) -> None:
    """A value as indented JSON."""
    with whole_file(target) as partial:
        partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def content_id(*parts: object) -> str:
    """A short name for content: equal parts, equal name; 80 bits of SHA-256."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:20]


def file_hash(file: Path) -> str:
    """A short hash over a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:20]


def folder_hash(folder: Path, without: str = "") -> str:
    """A short hash over the names and bytes of all files of a folder, but those of one name."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != without):
        total.update(file.relative_to(folder).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:20]
