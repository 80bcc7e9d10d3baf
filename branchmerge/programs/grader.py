"""Does a program pass its tests? The program runs in one confined process, the tests in another.

This process joins the two by a socket, and takes the verdict from the examiner only. So nothing that
a program prints, returns or patches makes it pass.
"""

import json
import math
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from branchmerge.core.params import Params
from branchmerge.programs import checker, exams, sandbox
from branchmerge.programs.blocks import Block, block
from branchmerge.programs.channel import Channel, TooMuchError
from branchmerge.programs.processes import ForkServer, Processes, Sandboxes

_EXAMINER_WALL_S = 20  # for what the tests do between two calls of the program
_EXAMINER_MEMORY_BYTES = 2**30
_EXAMINER_CPU_S = 60
_MAX_FILES = 64
_MIB = 2**20


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
        self._examiners: ForkServer | None = None
        self._players: Processes | None = None

    def __enter__(self) -> "ProgramGrader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes; a later program starts new ones."""
        for worker in (self._examiners, self._players):
            if worker is not None:
                worker.close()
        self._examiners = self._players = None

    def grade(self, program: str | list[list[Block]], tests: str) -> Outcome:
        """Run a program's tests.

        Args:
            program: The program, or the blocks of the texts that hold it.
            tests: Of one of the shapes in `exams`.

        Raises:
            StageError: The isolation cannot be had on this machine.
        """
        try:
            exam = exams.read(tests)
        except exams.ExamError as error:
            return Outcome("unverifiable", f"tests: {error}")
        texts = [[block(program)]] if isinstance(program, str) else program
        players, examiners = self._workers()
        warm_up = "numpy" if "numpy" in tests else "nothing"
        try:
            with players.program() as player, examiners.program(player, warm_up=warm_up) as examiner:
                Channel(player, 0).send(_line(self._player_job(texts, exam)), _EXAMINER_WALL_S)
                verdicts = Channel(examiner, _MIB)
                verdicts.send(_line(self._examiner_job(exam)), _EXAMINER_WALL_S)
                return self._outcome(verdicts.receive(self._longest_s(exam)))
        except TimeoutError:
            return Outcome("unverifiable", f"the tests took over {self._longest_s(exam):g} s")
        except (OSError, TooMuchError):
            return Outcome("unverifiable", "the grader lost its own processes")

    def _workers(self) -> tuple[Processes, ForkServer]:
        isolation, tmp_bytes = self._params.isolation, self._params.program_file_mib * _MIB
        if self._players is None or self._examiners is None:
            sandbox.check(isolation)
            self._examiners = ForkServer("examiner", isolation, tmp_bytes)
            is_boxed = isolation == "bubblewrap"
            self._players = Sandboxes("player", tmp_bytes) if is_boxed else ForkServer("player", isolation, tmp_bytes)
        return self._players, self._examiners

    def _longest_s(self, exam: exams.Exam) -> float:
        """More than the tests may take, the program's time in them included."""
        runs = len(exam["inputs"]) if isinstance(exam, dict) else 1
        checked_s = 2 * checker.WALL_S * runs if isinstance(exam, dict) and "checker" in exam else 0
        return self._params.program_wall_s * runs + checked_s + _EXAMINER_WALL_S

    def _player_job(self, texts: list[list[Block]], exam: exams.Exam) -> dict[str, Any]:
        runs = len(exam["inputs"]) if isinstance(exam, dict) and exam.get("fn_name") else 1
        memory = self._params.program_memory_mib * _MIB
        return {
            "texts": texts,
            "packages": sandbox.packages(self._params.isolation),
            "limits": self._limits(memory, self._params.program_wall_s * runs),
            "max_output_bytes": self._params.program_output_mib * _MIB,
        }

    def _examiner_job(self, exam: exams.Exam) -> dict[str, Any]:
        limits = self._limits(_EXAMINER_MEMORY_BYTES, _EXAMINER_CPU_S)
        if isinstance(exam, dict) and "checker" in exam:  # which reads inputs and outputs of any size as files
            limits["FSIZE"] = _EXAMINER_MEMORY_BYTES
        return {
            "tests": exam,
            "wall_s": self._params.program_wall_s,
            "max_bytes": self._params.program_output_mib * _MIB,
            "limits": limits,
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

    def _outcome(self, line: bytes) -> Outcome:
        outcome = Outcome(**json.loads(line))
        if outcome.verdict == "wrong" and outcome.reason == "MemoryError: ":
            return Outcome("wrong", f"MemoryError: memory limit of {self._params.program_memory_mib} MiB")
        return outcome


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
