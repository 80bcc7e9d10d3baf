"""Is an answer right? The one judge of traces and of benchmarks.

A prompt with tests is a program's: it is run. Any other is compared with the gold answer, as text
or as a number with its unit. No gold, no verdict: unverifiable is never wrong.
"""

import re
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from pydantic import Field

from stages.shared.programs.grader import ProgramGrader, ProgramParams

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_FENCED = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
_QUANTITY = re.compile(r"(?P<number>[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*(?P<unit>\D.*)?", re.IGNORECASE)

Verdict = Literal["correct", "wrong", "unverifiable"]


class VerifyParams(ProgramParams):
    """How answers are graded.

    Args:
        relative_tolerance: Numbers this close count as equal; 0 for exact.
    """

    relative_tolerance: float = Field(ge=0, lt=1)


@dataclass(frozen=True)
class Grade:
    """A verdict, the reason for it (empty where correct), and who gave it."""

    verdict: Verdict
    reason: str
    grader: Literal["text", "number", "program"]


class Judge:
    """Grades answers; the processes that programs run in end with the block.

    Use as a context manager.
    """

    def __init__(self, params: VerifyParams) -> None:
        self._params = params
        self._programs = ProgramGrader(params)

    def __enter__(self) -> "Judge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._programs.close()

    def grade(self, answer: str | None, gold: str | None, tests: str | None) -> Grade:
        """The verdict on an answer, given the prompt's gold answer and tests (None where it has none)."""
        final = None if answer is None else final_answer(answer)
        if tests is not None:
            if not final:
                return Grade("wrong", "no answer", "program")
            outcome = self._programs.grade(final, tests)
            return Grade(outcome.verdict, outcome.reason, "program")
        if gold is None:
            return Grade("unverifiable", "no gold answer", "text")
        if not final:
            return Grade("wrong", "no answer", "text")
        return compare(final, gold, self._params.relative_tolerance)


def final_answer(answer: str) -> str:
    """The last <answer> of a text, or its last fenced program, or the text itself."""
    for pattern in (_TAGGED, _FENCED):
        if found := pattern.findall(answer):
            return str(found[-1]).strip()
    return answer.strip()


def compare(answer: str, gold: str, relative_tolerance: float) -> Grade:
    """Equal as text (case and spaces aside), or as numbers within a tolerance and with equal units."""
    given, wanted = _plain(answer), _plain(gold)
    number, gold_number = _QUANTITY.fullmatch(given), _QUANTITY.fullmatch(wanted)
    if number is None or gold_number is None:
        return Grade("correct", "", "text") if given == wanted else Grade("wrong", f"not {gold}", "text")
    if (number["unit"] or "") != (gold_number["unit"] or ""):
        return Grade("wrong", f"unit is not that of {gold}", "number")
    target = float(gold_number["number"])
    if abs(float(number["number"]) - target) > relative_tolerance * abs(target):
        return Grade("wrong", f"not {gold}", "number")
    return Grade("correct", "", "number")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).removesuffix(".")
