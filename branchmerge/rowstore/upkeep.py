"""The row store seen from outside: what it holds, out to a file, in from a file, and less of it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, iterate_rows, write_sorted_rows
from branchmerge.core.records import Record
from branchmerge.rowstore.database import connect, folder
from branchmerge.rowstore.store import IS_FAILED, Store

# an answer as the row store keeps it
ANSWER = Record(
    "answer",
    ("trace_id",),
    pa.schema(
        {
            "trace_id": pa.string(),
            "teacher": pa.string(),
            "response": pa.string(),
            "finish_reason": pa.string(),
            "error": pa.string(),
            "prompt_tokens": pa.int64(),
            "completion_tokens": pa.int64(),
            "made_with": pa.string(),
        }
    ),
)
_DAY_S = 86400


class Holding(NamedTuple):
    """What the store holds of one teacher; seconds since 1970."""

    teacher: str
    rows: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    newest_s: float


def path() -> Path:
    """The store's file.

    Raises:
        InputError: There is none yet.
    """
    file = folder() / "rows.sqlite"
    if not file.is_file():
        raise InputError(
            where=str(file),
            expected="a row store",
            got="no such file",
            do="run dvc repro, or point BRANCHMERGE_CACHE to one",
        )
    return file


def holdings() -> list[Holding]:
    """Counts by teacher."""
    with connect(path()) as db:
        found = db.execute(
            f"select teacher, count(*), sum({IS_FAILED}), total(prompt_tokens),"
            " total(completion_tokens), max(stored_at) from answers group by teacher order by teacher"
        ).fetchall()
    return [Holding(*row) for row in found]


def export(target: Path, teacher: str | None) -> int:
    """Write answers to Parquet; returns how many."""
    if target.is_dir():
        raise InputError(
            where=str(target), expected="a file to write", got="a folder", do="name a file in it, as answers.parquet"
        )
    columns = ANSWER.schema.names
    count = 0

    def rows() -> Iterator[Row]:
        nonlocal count
        with connect(path()) as db:
            for row in db.execute(
                f"select {', '.join(columns)} from answers where ?1 is null or teacher = ?1 order by trace_id",
                (teacher,),
            ):
                count += 1
                yield dict(zip(columns, row, strict=True))

    write_sorted_rows(target, ANSWER, rows())
    return count


def take_in(source: Path) -> int:
    """Add answers of an exported file; those known already stay, failed ones are left out. Returns how many are new."""
    with Store("") as store:
        before = len_of(store.path)
        store.refill(iterate_rows(source, ANSWER, may_lack="made_with"))
        return len_of(store.path) - before


def len_of(file: Path) -> int:
    """Rows in a store."""
    with connect(file) as db:
        return int(db.execute("select count(*) from answers").fetchone()[0])


def prune(teacher: str | None, older_than_days: float | None, is_failed: bool) -> int:
    """Delete the answers that meet every condition given; returns how many.

    Raises:
        InputError: No condition is given.
    """
    conditions = {
        "teacher = ?": teacher,
        "stored_at < ?": None if older_than_days is None else time.time() - older_than_days * _DAY_S,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    wheres = [*given, *([IS_FAILED] if is_failed else [])]
    if not wheres:
        raise InputError(
            where="branchmerge store prune",
            expected="which answers to delete",
            got="no condition",
            do="give --teacher, --older-than-days or --failed; to lose everything, delete the file",
        )
    db = connect(path())
    count = db.execute(f"delete from answers where {' and '.join(wheres)}", list(given.values())).rowcount
    while db.execute("pragma freelist_count").fetchone()[0]:  # a bit at a time: builds write in between
        db.execute("pragma incremental_vacuum(1000)").fetchall()
    db.close()
    return count
