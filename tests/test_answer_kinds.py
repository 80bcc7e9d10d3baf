"""Kinds of answers that graders of the field miss or take wrongly: each kind is held by pairs of its own."""

import re
from itertools import groupby

import pytest

from branchmerge.core.params import read_params
from branchmerge.grading import task
from branchmerge.grading.judge import Judge, Question, VerifyParams
from tests.conftest import ROOT

LINES = (ROOT / "tests/answer_kinds.txt").read_text().split("\n\n", 1)[1].splitlines()
PARAMS = read_params(VerifyParams, file=ROOT / "params.yaml")
RULES = PARAMS.equality()


def kinds() -> dict[str, list[str]]:
    """The pairs under each heading."""
    found: dict[str, list[str]] = {}
    for is_heading, lines in groupby(filter(None, LINES), key=lambda line: line.startswith("% ")):
        if is_heading:
            name = list(lines)[-1].removeprefix("% ")
        else:
            found[name] = list(lines)
    return found


@pytest.mark.parametrize(("kind", "pairs"), kinds().items(), ids=kinds())
def test_a_kind_of_answer_is_graded_by_what_it_says(kind: str, pairs: list[str]):
    surprises = []
    for pair in pairs:
        answer, sign, gold = re.fullmatch("(.*) ([=!]=) (.*)", pair).groups()
        grade = task.compare(task.Comparison(answer.replace("⏎", "\n"), gold, None, RULES))
        if (grade.verdict == "correct") != (sign == "=="):
            surprises.append(f"{pair}: {grade.verdict} {grade.reason}")

    assert len(pairs) >= 2, kind
    assert surprises == [], "\n".join(surprises)


@pytest.mark.slow
@pytest.mark.parametrize(
    "loop", ["\n", r"\boxed{", r"\boxed{5} ", "so the answer is 5. ", "```\n", "1", "1+1=2=", "$x$ "]
)
def test_an_answer_that_loops_is_graded_in_its_time(loop: str):
    answer = "We think. " + loop * (200_000 // len(loop))
    with Judge(PARAMS) as judge:
        grade = next(judge.grade_all([Question(answer, r"\frac{1}{2}", None)]))

    assert grade.verdict == "wrong"  # and not unverifiable, as what takes longer than wall_s is
