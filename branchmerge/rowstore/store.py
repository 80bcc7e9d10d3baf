"""The row store: every answer a teacher gave, by the content of what it was asked, so that none is paid for twice.

One SQLite file outside the project (BRANCHMERGE_CACHE, or the user's cache folder), shared by experiments,
clones and parallel processes. An answer is committed as it comes, so a kill loses only what is under way.
Rows under way are claimed by the process that asks them; the claims of a process that died are void.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Literal, NamedTuple, Protocol, Self

from branchmerge.core.errors import StageError
from branchmerge.core.files import Row
from branchmerge.engines.engine import FAILED, Completion, Request
from branchmerge.rowstore.database import connect, folder
from branchmerge.rowstore.liveness import LiveProcess

# what one run wants, in the order it is asked: questions of like length together
_WANTED = """
create temp table wanted (
    n_chars integer, trace_id text, prompt_id text, sample_index integer, question text,
    primary key (n_chars, trace_id)
) without rowid;
create unique index temp.wanted_by_id on wanted (trace_id);
"""
_ANSWER = (
    "(trace_id, teacher, response, finish_reason, error, prompt_tokens, completion_tokens, made_with, stored_at)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_MISSING = """
from wanted
left join answers using (trace_id)
where answers.trace_id is null
"""
_BLOCK = 1000
_REASONS = ", ".join(f"'{reason}'" for reason in FAILED)
IS_FAILED = f"finish_reason in ({_REASONS})"


class Wanted(NamedTuple):
    """One sample that a run wants."""

    trace_id: str
    prompt_id: str
    sample_index: int
    question: str


class Tally(NamedTuple):
    """Counts over the wanted rows that are answered, by whichever process."""

    rows: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Budget(Protocol):
    """What rows may cost, in tokens."""

    def worst(self, question: str) -> tuple[int, int]:
        """Most tokens that a row can cost: prompt, answer."""

    def fits(self, prompt_tokens: int, completion_tokens: int) -> bool:
        """Whether so many may be spent in all."""


class Store:
    """The row store, open; a context manager.

    Args:
        teacher: Whose answers this run stores.

    Raises:
        StageError: The file was written by a newer version, or cannot be opened.
    """

    def __init__(self, teacher: str) -> None:
        self._teacher = teacher
        self._owner = LiveProcess(folder() / "owners")
        self._tally, self._counted = Tally(), 0
        self.is_refused = False
        self.path = folder() / "rows.sqlite"

    def __enter__(self) -> Self:
        try:
            self._owner.__enter__()
        except OSError as error:
            raise StageError(
                where=str(folder()),
                expected="a folder to keep teacher answers in",
                got=str(error),
                do="point BRANCHMERGE_CACHE to a folder you can write",
            ) from None
        self._db = connect(self.path)
        self._db.executescript(_WANTED)
        self.release()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._db.close()
        self._owner.__exit__()

    @contextmanager
    def _transaction(self, kind: Literal["immediate", "deferred"] = "immediate") -> Iterator[None]:
        self._db.execute(f"begin {kind}")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def want(self, rows: Iterable[Wanted]) -> int:
        """Say which samples this run wants; returns how many. Kept in a temporary table on disk, not in memory."""
        with self._transaction("deferred"):  # the table is ours alone: nobody waits
            self._db.executemany(
                "insert or ignore into wanted values (?, ?, ?, ?, ?)",
                ((len(row.question), *row) for row in rows),
            )
        self._tally, self._counted = Tally(), 0
        return int(self._db.execute("select count(*) from wanted").fetchone()[0])

    def missing(self) -> int:
        """How many wanted rows have no answer yet."""
        return int(self._db.execute(f"select count(*) {_MISSING}").fetchone()[0])

    def tally(self) -> Tally:
        """Counts over the wanted rows that are answered; only answers that came since the last call are read."""
        newest = self._db.execute("select coalesce(max(number), 0) from answers").fetchone()[0]
        # the first table is the outer loop: few wanted among many answers, then few new answers
        tables = "answers cross join wanted" if self._counted else "wanted cross join answers"
        counts = self._db.execute(
            f"select count(*), total({IS_FAILED}), total(prompt_tokens), total(completion_tokens)"
            f" from {tables} using (trace_id) where number > ? and number <= ?",
            (self._counted, newest),
        ).fetchone()
        self._counted = newest
        self._tally = Tally(*(int(old + new) for old, new in zip(self._tally, counts, strict=True)))
        return self._tally

    def claims(self, budget: Budget, block: int = 64) -> Iterator[Request]:
        """Wanted rows that nobody has answered or asks now, claimed for this process as they are taken.

        They end where the next row's worst case does not fit the budget beside the answers so far and the worst
        cases of all rows under way, this process's and others'; then `is_refused` is true.
        """
        self.is_refused = False
        position: tuple[int, str] = (-1, "")
        while True:
            with self._transaction():
                rows = self._db.execute(
                    f"select n_chars, trace_id, question {_MISSING}"
                    " and not exists (select 1 from claims where claims.trace_id = wanted.trace_id)"
                    " and (n_chars, trace_id) > (?, ?) order by n_chars, trace_id limit ?",
                    (*position, block),
                ).fetchall()
                admitted = self._admitted(rows, budget)
                self._db.executemany("insert into claims values (?, ?, ?, ?)", admitted)
            for n_chars, trace_id, question in rows[: len(admitted)]:
                position = (n_chars, trace_id)
                yield Request(trace_id, question)
            if len(rows) < block or self.is_refused:
                return

    def _admitted(self, rows: list[tuple[int, str, str]], budget: Budget) -> list[tuple[str, str, int, int]]:
        """Claims of the first rows that fit the budget; for use inside a transaction."""
        under_way = self._db.execute(
            "select total(prompt_tokens), total(completion_tokens) from claims"
            " where trace_id in (select trace_id from wanted)"
        ).fetchone()
        tally = self.tally()
        prompt_tokens, completion_tokens = tally.prompt_tokens + under_way[0], tally.completion_tokens + under_way[1]
        admitted = []
        for _, trace_id, question in rows:
            worst = budget.worst(question)
            prompt_tokens, completion_tokens = prompt_tokens + worst[0], completion_tokens + worst[1]
            if not budget.fits(prompt_tokens, completion_tokens):
                self.is_refused = True
                break
            admitted.append((trace_id, self._owner.name, *worst))
        return admitted

    def rivals(self) -> bool:
        """Whether other processes have wanted rows under way."""
        return bool(
            self._db.execute(
                "select exists (select 1 from claims where owner <> ? and trace_id in (select trace_id from wanted))",
                (self._owner.name,),
            ).fetchone()[0]
        )

    def record(self, completion: Completion, made_with: str) -> None:
        """Keep an answer, at once and whole, with what may show of its engine."""
        with self._transaction():
            self._db.execute(
                f"insert or replace into answers {_ANSWER}",
                (
                    completion.trace_id,
                    self._teacher,
                    completion.text,
                    completion.finish_reason,
                    completion.error,
                    completion.prompt_tokens,
                    completion.completion_tokens,
                    made_with,
                    time.time(),
                ),
            )
            self._db.execute("delete from claims where trace_id = ?", (completion.trace_id,))

    def release(self) -> None:
        """Give up this process's claims, and void those of processes that died."""
        owners = [owner for (owner,) in self._db.execute("select distinct owner from claims")]
        void = [owner for owner in owners if owner == self._owner.name or not self._owner.lives(owner)]
        with self._transaction():
            self._db.executemany("delete from claims where owner = ?", ((owner,) for owner in void))

    def refill(self, rows: Iterable[Row]) -> None:
        """Take in answers of another machine's store, as its traces carry them; those known already stay.

        Rows that failed are left out, so that they can be asked again.
        """
        remaining = (row for row in rows if row["finish_reason"] not in FAILED)
        names = (
            "trace_id",
            "teacher",
            "response",
            "finish_reason",
            "error",
            "prompt_tokens",
            "completion_tokens",
            "made_with",
        )
        while block := list(islice(remaining, _BLOCK)):  # in blocks: other processes write in between
            with self._transaction():
                self._db.executemany(
                    f"insert or ignore into answers {_ANSWER}",
                    ((*(row[name] for name in names), time.time()) for row in block),
                )

    def forget_failed(self) -> int:
        """Drop the wanted rows that failed, so that they are asked again; returns how many."""
        done = self._db.execute(f"delete from answers where {IS_FAILED} and trace_id in (select trace_id from wanted)")
        self._tally, self._counted = Tally(), 0
        return done.rowcount

    def failure(self) -> str:
        """The error of one wanted row that failed, with its trace_id."""
        trace_id, error = self._db.execute(
            f"select trace_id, error from wanted join answers using (trace_id) where {IS_FAILED} limit 1"
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
            "made_with",
        )
        found = self._db.execute(
            f"select {', '.join(names)} from wanted join answers using (trace_id) order by trace_id"
        )
        for row in found:
            yield dict(zip(names, row, strict=True))
