"""The file of the row store: one SQLite database outside the project, made where there is none."""

import os
import sqlite3
import time
from pathlib import Path

from branchmerge.core.errors import StageError

VERSION = 1
# response comes last, so that counting need not read through it
_SCHEMA = """
create table if not exists answers (
    number integer primary key,
    trace_id text not null unique,
    teacher text not null,
    finish_reason text not null,
    prompt_tokens integer,
    completion_tokens integer,
    stored_at real not null,
    error text,
    response text,
    made_with text
);
create table if not exists claims (
    trace_id text primary key, owner text not null, prompt_tokens integer not null, completion_tokens integer not null
) without rowid;
"""
_BUSY_S = 60.0


def folder() -> Path:
    """Where the row store lies on this machine."""
    import platformdirs

    return Path(os.environ.get("BRANCHMERGE_CACHE") or platformdirs.user_cache_dir("branchmerge"))


def connect(path: Path) -> sqlite3.Connection:
    """The store's file, made where there is none.

    Raises:
        StageError: It is damaged, of a newer version, or others hold it too long.
    """
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            return _connect(path)
        except sqlite3.OperationalError as error:  # two that make the file at once may fail without waiting
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise _unusable(path, error) from None
            time.sleep(0.05)
        except sqlite3.DatabaseError as error:
            raise _unusable(path, error) from None


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        version = db.execute("pragma user_version").fetchone()[0]
        if version == 0:
            db.execute("pragma auto_vacuum = incremental")
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")  # a crash of the machine may lose the last rows, never the file
        if version == 0:
            db.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {VERSION}; commit;")
        elif version == VERSION and "made_with" not in _columns(db):  # a store from before it was kept
            try:
                db.execute("alter table answers add column made_with text")
            except sqlite3.OperationalError as error:
                if "duplicate column" not in str(error):  # another process was first
                    raise
        elif version != VERSION:
            raise StageError(
                where=str(path),
                expected=f"a row store of version {VERSION}",
                got=f"version {version}",
                do="update branchmerge, or point BRANCHMERGE_CACHE elsewhere",
            )
    except BaseException:
        db.close()
        raise
    return db


def _columns(db: sqlite3.Connection) -> list[str]:
    return [row[1] for row in db.execute("pragma table_info(answers)")]


def _unusable(path: Path, error: sqlite3.Error) -> StageError:
    return StageError(
        where=str(path),
        expected="the row store, an SQLite file",
        got=str(error),
        do="if it is damaged, move it away (answers come back from data/traces); or point BRANCHMERGE_CACHE elsewhere",
    )
