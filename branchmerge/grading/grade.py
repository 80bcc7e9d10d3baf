"""A verdict on one answer, with the reason for it and the grader that gave it."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["correct", "wrong", "unverifiable"]


@dataclass(frozen=True)
class Grade:
    """A verdict, the reason for it (empty where correct), and who gave it."""

    verdict: Verdict
    reason: str
    grader: str


def graded(is_correct: bool, gold: str, grader: str) -> Grade:
    """Correct, or wrong since the answer is not the gold one."""
    return Grade("correct", "", grader) if is_correct else Grade("wrong", f"not {gold}", grader)
