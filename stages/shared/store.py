"""The row store: every answer a teacher gave, by the content of what it was asked, so that none is paid for twice.

One SQLite file outside the project (BRANCHMERGE_CACHE, or the user's cache folder), shared by experiments,
clones and parallel processes. An answer is committed as it comes, so a kill loses only what is under way.
Rows under way are claimed by the process that asks them; the claims of a process that died are void.
"""

import fcntl
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Self

from stages.shared.engines.engine import FAILED, Completion, Request
from stages.shared.errors import StageError
from stages.shared.files import Row

VERSION = 1
_SCHEMA = """
create table if not exists answers (
    trace_id text primary key,
    teacher text not null,
    response text,
    finish_reason text not null,
    error text,
    prompt_tokens integer,
    completion_tokens integer,
    stored_at real not null
);
create table if not exists claims (trace_id text primary key, owner text not null) without rowid;
"""
# what one run wants, in the order it is asked: questions of like length together
_WANTED = """
create temp table wanted (
    n_chars integer, trace_id text, prompt_id text, sample_index integer, question text,
    primary key (n_chars, trace_id)
) without rowid;
"""
_MISSING = """
from wanted
left join answers using (trace_id)
where answers.trace_id is null
"""
_BUSY_S = 60.0
_FAILED = ", ".join(f"'{reason}'" for reason in FAILED)


class Wanted(NamedTuple):
    """One sample that a run wants."""

    trace_id: str
    prompt_id: str
    sample_index: int
    question: str


class Tally(NamedTuple):
    """Counts over the wanted rows that are answered."""

    rows: int
    failed: int
    prompt_tokens: int
    completion_tokens: int


def folder() -> Path:
    """Where the row store lies on this machine."""
    import platformdirs

    return Path(os.environ.get("BRANCHMERGE_CACHE") or platformdirs.user_cache_dir("branchmerge"))


class Store:
    """The row store, open; a context manager.

    Args:
        teacher: Whose answers this run stores.

    Raises:
        StageError: The file was written by a newer version, or cannot be opened.
    """

    def __init__(self, teacher: str) -> None:
        self._teacher = teacher
        self._folder = folder()
        self._owner = uuid.uuid4().hex
        self._lock: IO[bytes] | None = None
        self.path = self._folder / "rows.sqlite"

    def __enter__(self) -> Self:
        try:
            (self._folder / "owners").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StageError(
                where=str(self._folder),
                expected="a folder to keep teacher answers in",
                got=str(error),
                do="point BRANCHMERGE_CACHE to a folder you can write",
            ) from None
        self._lock = self._lock_file(self._owner).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # the kernel lets go of it when this process dies
        self._db = connect(self.path)
        self._db.executescript(_WANTED)
        self.release()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._db.close()
        assert self._lock is not None
        self._lock_file(self._owner).unlink(missing_ok=True)
        self._lock.close()

    def _lock_file(self, owner: str) -> Path:
        return self._folder / "owners" / owner

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def want(self, rows: Iterable[Wanted]) -> int:
        """Say which samples this run wants; returns how many. Kept in a temporary table on disk, not in memory."""
        self._db.execute("begin")
        self._db.executemany(
            "insert or ignore into wanted values (?, ?, ?, ?, ?)",
            ((len(row.question), *row) for row in rows),
        )
        self._db.execute("commit")
        return int(self._db.execute("select count(*) from wanted").fetchone()[0])

    def missing(self) -> int:
        """How many wanted rows have no answer yet."""
        return int(self._db.execute(f"select count(*) {_MISSING}").fetchone()[0])

    def tally(self) -> Tally:
        """Counts over the wanted rows that are answered."""
        counts = self._db.execute(
            "select count(*), total(finish_reason in (" + _FAILED + ")), total(prompt_tokens), total(completion_tokens)"
            " from wanted join answers using (trace_id)"
        ).fetchone()
        return Tally(*(int(count) for count in counts))

    def claims(self, block: int = 64) -> Iterator[Request]:
        """Wanted rows that nobody has answered or asks now, claimed for this process as they are taken."""
        position: tuple[int, str] = (-1, "")
        while True:
            with self._transaction():
                rows = self._db.execute(
                    f"select n_chars, trace_id, question {_MISSING}"
                    " and not exists (select 1 from claims where claims.trace_id = wanted.trace_id)"
                    " and (n_chars, trace_id) > (?, ?) order by n_chars, trace_id limit ?",
                    (*position, block),
                ).fetchall()
                self._db.executemany("insert into claims values (?, ?)", ((row[1], self._owner) for row in rows))
            for n_chars, trace_id, question in rows:
                position = (n_chars, trace_id)
                yield Request(trace_id, question)
            if len(rows) < block:
                return

    def record(self, completion: Completion) -> None:
        """Keep an answer, at once and whole."""
        with self._transaction():
            self._db.execute(
                "insert or replace into answers values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    completion.trace_id,
                    self._teacher,
                    completion.text,
                    completion.finish_reason,
                    completion.error,
                    completion.prompt_tokens,
                    completion.completion_tokens,
                    time.time(),
                ),
            )
            self._db.execute("delete from claims where trace_id = ?", (completion.trace_id,))

    def release(self) -> None:
        """Give up this process's claims, and void those of processes that died."""
        dead = [owner for (owner,) in self._db.execute("select distinct owner from claims") if not self._lives(owner)]
        with self._transaction():
            self._db.executemany("delete from claims where owner = ?", ((owner,) for owner in [*dead, self._owner]))

    def _lives(self, owner: str) -> bool:
        try:
            with self._lock_file(owner).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        self._lock_file(owner).unlink(missing_ok=True)
        return False

    def refill(self, rows: Iterable[Row]) -> None:
        """Take in answers of another machine's store, as its traces carry them; those known already stay."""
        self._db.execute("begin immediate")
        self._db.executemany(
            "insert or ignore into answers values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    row["trace_id"],
                    row["teacher"],
                    row["response"],
                    row["finish_reason"],
                    row["error"],
                    row["prompt_tokens"],
                    row["completion_tokens"],
                    time.time(),
                )
                for row in rows
            ),
        )
        self._db.execute("commit")

    def forget_failed(self) -> int:
        """Drop the wanted rows that failed, so that they are asked again; returns how many."""
        done = self._db.execute(
            f"delete from answers where finish_reason in ({_FAILED}) and trace_id in (select trace_id from wanted)"
        )
        return done.rowcount

    def failure(self) -> str:
        """The error of one wanted row that failed, with its trace_id."""
        trace_id, error = self._db.execute(
            "select trace_id, error from wanted join answers using (trace_id)"
            f" where finish_reason in ({_FAILED}) limit 1"
        ).fetchone()
        return f"{trace_id}: {error}"

    def answered(self) -> Iterator[Row]:
        """Wanted rows with their answers, by trace_id."""
        names = (
            "trace_id",
            "prompt_id",
            "sample_index",
            "response",
            "finish_reason",
            "error",
            "prompt_tokens",
            "completion_tokens",
            "teacher",
        )
        found = self._db.execute(
            f"select {', '.join(names)} from wanted join answers using (trace_id) order by trace_id"
        )
        for row in found:
            yield dict(zip(names, row, strict=True))


def connect(path: Path) -> sqlite3.Connection:
    """The store's file, made where there is none.

    Raises:
        StageError: It is damaged, or of a newer version.
    """
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")  # a crash of the machine may lose the last rows, never the file
        version = db.execute("pragma user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {VERSION}; commit;")
        if version in (0, VERSION):
            return db
    except sqlite3.DatabaseError as error:
        db.close()
        raise StageError(
            where=str(path),
            expected="the row store, an SQLite file",
            got=str(error),
            do="move it away (answers come back from data/traces), or point BRANCHMERGE_CACHE elsewhere",
        ) from None
    db.close()
    raise StageError(
        where=str(path),
        expected=f"a row store of version {VERSION}",
        got=f"version {version}",
        do="update branchmerge, or point BRANCHMERGE_CACHE elsewhere",
    )
