"""Is an answer right? The one judge of traces and of benchmarks.

A prompt with tests is a program's: it is run. Any other is compared with its gold answer, in worker
processes that can be ended. No gold, no verdict; a grader that fails gives none either: unverifiable
is never wrong.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pydantic import Field, PositiveFloat, PositiveInt

from stages.shared.graders import task
from stages.shared.graders.answers import final_program
from stages.shared.graders.equality import Equality, Grader
from stages.shared.graders.grade import Grade
from stages.shared.graders.majority import MajorityParams
from stages.shared.graders.workers import Workers
from stages.shared.params import Params

_SERVER = Path("stages/shared/program_server.py")


class VerifyParams(Params):
    """How answers are graded.

    Args:
        grader: Of prompts without tests and choices; auto takes the first that fits: equal text, quantity, math, text.
        graders: By domain, where it is another. Benchmarks are graded by the grader of their domain.
        relative_tolerance: Numbers this close count as equal where they are not exact; 0 for exact.
        unit_may_be_missing: Whether a number alone is right where the gold answer has a unit.
        wall_s: A comparison that takes longer is unverifiable.
        memory_mib: Address space a comparison may take.
        workers: Processes that compare; null for as many as run.threads.
        majority: When the most frequent answer counts as correct for want of a gold one; null for never.
        program_wall_s: A program that runs longer is wrong.
        program_memory_mib: Address space a program may take.
    """

    grader: Grader
    graders: dict[str, Grader] = Field(default_factory=dict)
    relative_tolerance: float = Field(ge=0, lt=1)
    unit_may_be_missing: bool
    wall_s: PositiveFloat
    memory_mib: PositiveInt
    workers: PositiveInt | None = None
    majority: MajorityParams | None = None
    program_wall_s: PositiveFloat
    program_memory_mib: PositiveInt


@dataclass(frozen=True)
class Question:
    """An answer and what its prompt says about the right one; None where it says nothing.

    Args:
        tests: Python that passes where the answer, a program, is right.
        meta: JSON; its "choices" are the options of a multiple choice.
    """

    answer: str | None
    gold: str | None
    tests: str | None
    meta: str | None = None


class Judge:
    """Grades answers, in processes that end with the block. Use as a context manager.

    Args:
        domain: Whose grader is used; None for the one of all.
        workers: Processes that compare.
    """

    def __init__(self, params: VerifyParams, domain: str | None = None, workers: int = 1) -> None:
        self._params = params
        self._rules = Equality(
            grader=params.graders.get(domain or "", params.grader),
            relative_tolerance=params.relative_tolerance,
            unit_may_be_missing=params.unit_may_be_missing,
        )
        self._workers = Workers(workers, params.wall_s, params.memory_mib, self._rules.grader)
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Judge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, error, trace)
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None

    def grade(self, answer: str | None, gold: str | None, tests: str | None, meta: str | None = None) -> Grade:
        """The verdict on one answer."""
        (grade,) = self.grade_all([Question(answer, gold, tests, meta)])
        return grade

    def grade_all(self, questions: Iterable[Question]) -> Iterator[Grade]:
        """The verdicts in the order of the questions, of which only the next few are held."""
        return self._workers.grade_all(task.compare, map(self._task, questions))

    def _task(self, question: Question) -> Grade | task.Comparison:
        """A grade where it takes no comparison, else the comparison to make."""
        if question.tests is not None:
            return self._program(question.answer, question.tests)
        if question.gold is None:
            return Grade("unverifiable", "no gold answer", self._rules.grader)
        if not question.answer:
            return Grade("wrong", "no answer", self._rules.grader)
        return task.Comparison(question.answer, question.gold, question.meta, self._rules)

    def _program(self, answer: str | None, tests: str) -> Grade:
        program = final_program(answer or "")
        if not program:
            return Grade("wrong", "no answer", "program")
        problem = self._run(program, tests)
        return Grade("wrong" if problem else "correct", problem, "program")

    def _run(self, program: str, tests: str) -> str:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SERVER.resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={},
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        request = {
            "program": program,
            "tests": tests,
            "wall_s": self._params.program_wall_s,
            "memory_bytes": self._params.program_memory_mib * 2**20,
        }
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        problem: str = json.loads(self._server.stdout.readline())
        return problem
