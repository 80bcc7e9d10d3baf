"""Processes that others can tell alive from dead, whatever killed them."""

import fcntl
import os
import uuid
from pathlib import Path
from typing import IO, Self


class LiveProcess:
    """This process, known by a file that it keeps locked while it lives; a context manager.

    The kernel lets go of the lock at the process's death. Only for processes of one machine.

    Args:
        folder: Where the processes that should know each other keep their files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: IO[bytes] | None = None
        self.name = uuid.uuid4().hex

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / self.name).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.register_at_fork(after_in_child=self._lock.close)  # a child that outlives it must not hold on
        return self

    def __exit__(self, *_: object) -> None:
        assert self._lock is not None
        (self._folder / self.name).unlink(missing_ok=True)
        self._lock.close()

    def lives(self, name: str) -> bool:
        """Whether the process of that name is alive; the file of a dead one is removed."""
        file = self._folder / name
        try:
            with file.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        file.unlink(missing_ok=True)
        return False
