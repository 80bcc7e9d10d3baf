"""Is an answer right? The one judge of traces and of benchmarks.

A prompt with tests is a program's: it is run. Any other is compared with its gold answer, in worker
processes that can be ended. No gold, no verdict; a grader that fails gives none either: unverifiable
is never wrong.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType

from pydantic import Field, PositiveFloat, PositiveInt

from branchmerge.core.machine import Machine
from branchmerge.grading import task
from branchmerge.grading.fences import programs
from branchmerge.grading.grade import Grade
from branchmerge.grading.majority import MajorityParams
from branchmerge.grading.rules import Equality, Grader
from branchmerge.grading.workers import Workers
from branchmerge.programs.blocks import Block
from branchmerge.programs.grader import ProgramGrader, ProgramParams


class VerifyParams(ProgramParams):
    """How answers are graded.

    Args:
        grader: Of prompts without tests and choices; auto takes the first that fits: equal text, quantity, math, text.
        graders: By domain, where it is another. Benchmarks are graded by the grader of their domain.
        relative_tolerance: Numbers this close count as equal where they are not exact; 0 for exact.
        unit_may_be_missing: Whether a number alone is right where the gold answer has a unit (that is no variable).
        may_be_rounded: Whether a decimal of five digits and more is right for the exact number it is rounded from.
        yes_is_true: Whether Yes, True and Y are one answer, and No, False and N.
        wall_s: A comparison that takes longer is unverifiable.
        memory_mib: Address space a comparison may take.
        majority: When the most frequent answer counts as correct for want of a gold one; null for never.
    """

    sections = ("verify",)
    of_the_machine = frozenset({"workers"})

    grader: Grader
    graders: dict[str, Grader] = Field(default_factory=dict)
    relative_tolerance: float = Field(ge=0, lt=1)
    unit_may_be_missing: bool = True
    may_be_rounded: bool = True
    yes_is_true: bool = True
    wall_s: PositiveFloat
    memory_mib: PositiveInt
    majority: MajorityParams | None = None

    def equality(self, domain: str | None = None) -> Equality:
        """What counts as equal in a domain; None for all that have no grader of their own."""
        return Equality(
            grader=self.graders.get(domain or "", self.grader),
            relative_tolerance=self.relative_tolerance,
            unit_may_be_missing=self.unit_may_be_missing,
            may_be_rounded=self.may_be_rounded,
            yes_is_true=self.yes_is_true,
        )


class VerifyMachine(Machine):
    """How many answers are graded at once here.

    Args:
        workers: Each in processes of its own; null for as many as run.threads.
    """

    sections = ("verify",)

    workers: PositiveInt | None = None


@dataclass(frozen=True)
class Question:
    """An answer and what its prompt says about the right one; None where it says nothing.

    Args:
        tests: What passes where the answer, a program, is right: Python, or JSON of cases.
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
        workers: Answers graded at once.
    """

    def __init__(self, params: VerifyParams, domain: str | None = None, workers: int = 1) -> None:
        self._params = params
        self._rules = params.equality(domain)
        self._workers = Workers(workers, params.wall_s, params.memory_mib, self._rules.grader)
        self._n_ahead = 2 * workers
        self._threads = ThreadPoolExecutor(workers)  # each waits for the processes of one program at a time
        self._programs: SimpleQueue[ProgramGrader] = SimpleQueue()
        self._opened = ExitStack()
        for _ in range(workers):
            self._programs.put(self._opened.enter_context(ProgramGrader(params)))

    def __enter__(self) -> "Judge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, error, trace)
        self._threads.shutdown(cancel_futures=True)
        self._opened.close()

    def grade(self, answer: str | None, gold: str | None, tests: str | None, meta: str | None = None) -> Grade:
        """The verdict on one answer."""
        (grade,) = self.grade_all([Question(answer, gold, tests, meta)])
        return grade

    def grade_all(self, questions: Iterable[Question]) -> Iterator[Grade]:
        """The verdicts in the order of the questions, of which only the next few are held."""
        return self._workers.grade_all(task.compare, self._tasks(questions))

    def _tasks(self, questions: Iterable[Question]) -> Iterator[Grade | task.Comparison]:
        """Grades where it takes no comparison, else comparisons; programs run a few questions ahead."""
        ahead: deque[Grade | task.Comparison | Future[Grade]] = deque()
        for question in questions:
            ahead.append(self._task(question))
            if len(ahead) >= self._n_ahead:
                yield _ready(ahead.popleft())
        yield from map(_ready, ahead)

    def _task(self, question: Question) -> Grade | task.Comparison | Future[Grade]:
        if question.tests is not None:
            texts = programs(question.answer or "")
            none = Grade("wrong", "no answer", "program")
            return self._threads.submit(self._run, texts, question.tests) if texts else none
        if question.gold is None:
            return Grade("unverifiable", "no gold answer", self._rules.grader)
        if not question.answer:
            return Grade("wrong", "no answer", self._rules.grader)
        return task.Comparison(question.answer, question.gold, question.meta, self._rules)

    def _run(self, texts: list[list[Block]], tests: str) -> Grade:
        grader = self._programs.get()
        try:
            outcome = grader.grade(texts, tests)
        finally:
            self._programs.put(grader)
        return Grade(outcome.verdict, outcome.reason, "program")


def _ready(graded: Grade | task.Comparison | Future[Grade]) -> Grade | task.Comparison:
    return graded.result() if isinstance(graded, Future) else graded
