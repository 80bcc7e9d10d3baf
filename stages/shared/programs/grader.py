"""Does a program pass its tests? The program runs in one confined process, the tests in another.

This process carries lines between the two, keeps the time, and takes the verdict from the examiner
only. So nothing that a program prints, returns or patches makes it pass.
"""

import contextlib
import json
import math
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from stages.shared.params import Params
from stages.shared.programs import sandbox
from stages.shared.programs.channel import Channel, TooMuchError
from stages.shared.programs.workers import ForkServer, Sandboxes

_EXAMINER_WALL_S = 20  # for what the tests do between two calls of the program
_EXAMINER_MEMORY_BYTES = 2**30
_EXAMINER_OUTPUT_BYTES = 2**28
_EXAMINER_CPU_S = 60
_MAX_FILES = 64
_MIB = 2**20

Exam = str | dict[str, Any]


class ProgramParams(Params):
    """How programs are run.

    Args:
        isolation: bubblewrap holds hostile programs; process only limits clumsy ones.
        program_wall_s: A program that runs longer is wrong; each case of a list of cases may run so long.
        program_memory_mib: Address space of each of its processes.
        program_max_processes: Processes and threads at once, its own included. As root this holds in bubblewrap only.
        program_file_mib: Size of a file; in bubblewrap of all files together.
        program_output_mib: What it may print, and what it may return in all.
    """

    isolation: sandbox.Isolation
    program_wall_s: PositiveFloat
    program_memory_mib: int = Field(ge=32, description="less does not start Python")
    program_max_processes: PositiveInt
    program_file_mib: PositiveInt
    program_output_mib: PositiveInt


@dataclass(frozen=True)
class Outcome:
    """A verdict and the reason for it, empty where correct; unverifiable where the program is not to blame."""

    verdict: Literal["correct", "wrong", "unverifiable"]
    reason: str


class ProgramGrader:
    """Grades programs one after the other. Use as a context manager; starts nothing before the first program."""

    def __init__(self, params: ProgramParams) -> None:
        self._params = params
        self._examiner: ForkServer | None = None
        self._player: ForkServer | Sandboxes | None = None

    def __enter__(self) -> "ProgramGrader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes; a later program starts new ones."""
        for worker in (self._examiner, self._player):
            if worker is not None:
                worker.close()
        self._examiner = self._player = None

    def grade(self, program: str, tests: str) -> Outcome:
        """Run a program's tests.

        Args:
            tests: Python, or JSON {"inputs", "outputs"} with perhaps "fn_name".

        Raises:
            StageError: The isolation cannot be had on this machine.
        """
        exam = _exam(tests)
        player, examiner = self._workers()
        try:
            with (
                examiner.session(_EXAMINER_OUTPUT_BYTES, "numpy" if "numpy" in tests else "nothing") as to_examiner,
                player.session(self._params.program_output_mib * _MIB) as to_player,
            ):
                to_examiner.send(_line(self._examiner_job(exam)), _EXAMINER_WALL_S)
                to_player.send(_line(self._player_job(program, exam)), _EXAMINER_WALL_S)
                return self._relay(to_player, to_examiner)
        except (OSError, TooMuchError) as error:
            self.close()
            return Outcome("unverifiable", f"the grader lost its own processes: {type(error).__name__}")

    def _workers(self) -> "tuple[ForkServer | Sandboxes, ForkServer]":
        isolation, tmp_bytes = self._params.isolation, self._params.program_file_mib * _MIB
        if self._player is None or self._examiner is None:
            sandbox.check(isolation)
            self._examiner = ForkServer("examiner", isolation, tmp_bytes)
            is_sandboxed = isolation == "bubblewrap"
            self._player = (
                Sandboxes("player", tmp_bytes) if is_sandboxed else ForkServer("player", isolation, tmp_bytes)
            )
        return self._player, self._examiner

    def _player_job(self, program: str, exam: Exam) -> dict[str, Any]:
        runs = len(exam["inputs"]) if isinstance(exam, dict) and exam.get("fn_name") else 1
        memory = self._params.program_memory_mib * _MIB
        return {
            "program": program,
            "limits": self._limits(memory, self._params.program_wall_s * runs),
            "max_output_bytes": self._params.program_output_mib * _MIB,
        }

    def _examiner_job(self, exam: Exam) -> dict[str, Any]:
        return {
            "tests": exam,
            "limits": self._limits(_EXAMINER_MEMORY_BYTES, _EXAMINER_CPU_S),
            "packages": sandbox.packages(self._params.isolation),
        }

    def _limits(self, memory_bytes: int, cpu_s: float) -> dict[str, int]:
        return {
            "AS": memory_bytes,
            "CPU": math.ceil(cpu_s) + 1,  # the wall time is the limit that is meant
            "NPROC": self._params.program_max_processes + sandbox.other_processes(self._params.isolation),
            "FSIZE": self._params.program_file_mib * _MIB,
            "NOFILE": _MAX_FILES,
            "CORE": 0,
        }

    def _relay(self, player: Channel, examiner: Channel) -> Outcome:
        """Carry requests and replies until the examiner has a verdict or somebody's time is up."""
        left_s = self._params.program_wall_s
        while True:
            try:
                line = examiner.receive(_EXAMINER_WALL_S)
            except TimeoutError:
                return Outcome("unverifiable", f"the tests compared for over {_EXAMINER_WALL_S} s")
            if line[:1] == b"=":
                return self._outcome(line[1:])
            if line[:1] == b"!":
                left_s = self._params.program_wall_s
            start = time.monotonic()
            try:
                player.send(line[1:], left_s)
                reply = player.receive(left_s)
            except TimeoutError:
                return Outcome("wrong", f"time-out after {self._params.program_wall_s:g} s")
            except TooMuchError:
                return Outcome("wrong", "output limit")
            except ConnectionError:
                return Outcome("wrong", "ended before its tests")
            left_s -= time.monotonic() - start
            examiner.send(reply, _EXAMINER_WALL_S)

    def _outcome(self, line: bytes) -> Outcome:
        outcome = Outcome(**json.loads(line))
        if outcome.verdict == "wrong" and outcome.reason == "MemoryError: ":
            return Outcome("wrong", f"MemoryError: memory limit of {self._params.program_memory_mib} MiB")
        return outcome


def _exam(tests: str) -> Exam:
    """Tests in Python are text, those in JSON an object."""
    if tests.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            found = json.loads(tests)
            if isinstance(found, dict) and {"inputs", "outputs"} <= found.keys():
                return found
    return tests


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
