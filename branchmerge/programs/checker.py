"""A checker: a Python program that judges what a program printed, where a problem has several right answers.

It is called as those of open-r1/codeforces are, `checker.py INPUT EXPECTED PRINTED` with three paths, and
prints a score: 1 where the printed answer is right, less where it is not. It runs where the tests run, in a
process of its own that holds none of the sockets to the others. Stdlib only.
"""

import contextlib
import os
import select
import signal
import sys
import time
from types import CodeType, ModuleType
from typing import NamedTuple

from branchmerge.programs.remote import TestsError

WALL_S = 10  # of one run
_MAX_PRINTED_BYTES = 2**16


class _Run(NamedTuple):
    """What a checker came to: a score from 0 to 1, or else what went wrong."""

    score: float | None
    problem: str


class Checker:
    """Judges printed outputs. What it says counts only if it takes the expected output for right.

    Raises:
        TestsError: It is no Python.
    """

    def __init__(self, source: str) -> None:
        try:
            self._code = compile(source.lstrip("\ufeff"), "checker", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise TestsError(f"the checker: {type(error).__name__}: {error}") from None

    def accepts(self, given: str, wanted: str, printed: str) -> bool:
        """Whether an output is right. One that the checker breaks on is not, if the expected one does not break it.

        Raises:
            TestsError: The checker takes too long, or does not take the expected output for right.
        """
        run = _run(self._code, given, wanted, printed)
        if run.score == 1:
            return True
        if (own := _run(self._code, given, wanted, wanted)).score != 1:
            raise TestsError(
                f"the checker does not accept the expected output: {own.problem or f'score {own.score:g}'}"
            )
        return False


def _run(code: CodeType, given: str, wanted: str, printed: str) -> _Run:
    files = [_file(text) for text in (given, wanted, printed)]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _run_child(code, files, writer)
    for fd in (*files, writer):
        os.close(fd)
    try:
        said = _read(reader)
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return _scored(said.decode(errors="replace"))


def _file(text: str) -> int:
    """A file that counts against no folder's size; its path is below /proc/self/fd."""
    fd = os.memfd_create("checked", 0)
    with open(os.dup(fd), "wb") as file:
        file.write(text.encode(errors="surrogatepass"))
    return fd


def _run_child(code: CodeType, files: list[int], writer: int) -> None:
    try:
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(writer, 1)
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd > 2 and fd not in files:
                with contextlib.suppress(OSError):  # that of the listing itself
                    os.close(fd)
        sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115  # they live as long as the process
        sys.argv = ["checker.py", *(f"/proc/self/fd/{fd}" for fd in files)]
        module = sys.modules["__main__"] = ModuleType("__main__")
        try:
            exec(code, module.__dict__)
        except SystemExit as end:
            if end.code:
                raise
        sys.stdout.flush()
    except BaseException as error:  # in one line: it may quote what the program printed, which is no score
        os.write(1, f"\n{type(error).__name__}: {' '.join(str(error).split())}".encode()[:200])
    finally:
        os._exit(0)


def _read(reader: int) -> bytes:
    """What a checker prints until it ends.

    Raises:
        TestsError: It prints too much, or takes too long.
    """
    deadline, said = time.monotonic() + WALL_S, b""
    while len(said) <= _MAX_PRINTED_BYTES:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([reader], [], [], left_s)[0]:
            raise TestsError(f"the checker took over {WALL_S} s")
        if not (part := os.read(reader, _MAX_PRINTED_BYTES)):
            return said
        said += part
    raise TestsError("the checker printed too much")


def _scored(said: str) -> _Run:
    """The score in the last line."""
    last = said.strip().rpartition("\n")[2]
    try:
        score = float(last)
    except ValueError:
        return _Run(None, f"it printed {last[:80]!r}, no score from 0 to 1")
    return _Run(score, "") if 0 <= score <= 1 else _Run(None, f"it printed {last[:80]!r}, no score from 0 to 1")
