"""An answer that says the same as the gold one is correct, any other is not: 700 pairs, one by one."""

import json
from collections.abc import Iterator

import pytest

from branchmerge.grading import majority, task
from branchmerge.grading.answers import final_answer, final_program
from branchmerge.grading.grade import Grade
from branchmerge.grading.rules import Equality, Grader
from tests.conftest import ROOT

RULES = Equality(grader="auto", relative_tolerance=1e-3, unit_may_be_missing=False)
PAIRS = ROOT / "tests/answer_pairs.txt"
MIN_FOUND = 0.98  # of the pairs that say the same; no pair that differs may be called the same


def pairs(sign: str) -> Iterator[tuple[str, str, list[str] | None]]:
    """Answer, gold and options of the pairs joined by a sign."""
    options = None
    for line in PAIRS.read_text().split("\n\n", 1)[1].splitlines():
        if line.startswith("## "):
            kind, _, named = line.partition(": ")
            options = [option.strip() for option in named.split("|")] if kind == "## choice" else None
        elif f" {sign} " in line:
            answer, gold = line.split(f" {sign} ")
            yield answer.replace("\\n```", "\n```").replace("```\\n", "```\n"), gold, options


def graded(answer: str, gold: str, options: list[str] | None = None, rules: Equality = RULES) -> Grade:
    meta = json.dumps({"choices": options}) if options else None
    return task.compare(task.Comparison(answer, gold, meta, rules))


def test_no_answer_that_differs_is_correct():
    different = list(pairs("!="))
    wrongly = [f"{answer} != {gold}" for answer, gold, options in different if is_correct(answer, gold, options)]

    assert len(different) >= 300
    assert wrongly == [], "\n".join(wrongly)


def test_an_answer_that_says_the_same_is_correct():
    same = list(pairs("=="))
    missed = [f"{answer} == {gold}" for answer, gold, options in same if not is_correct(answer, gold, options)]

    assert len(same) >= 300
    assert len(missed) <= (1 - MIN_FOUND) * len(same), "\n".join(missed)


def is_correct(answer: str, gold: str, options: list[str] | None) -> bool:
    return graded(answer, gold, options).verdict == "correct"


@pytest.mark.parametrize(
    ("answer", "gold", "grader", "verdict"),
    [
        ("0.5 km", "500 m", "quantity", "correct"),
        ("0.5 km", "500 m", "text", "wrong"),
        ("0.5 km", "500 m", "math", "wrong"),
        (r"\frac{2}{4}", "1/2", "math", "correct"),
        ("x + 1", "1 + x", "math", "correct"),
        ("x + 1", "1 + x", "quantity", "wrong"),
        ("x + 1", "1 + x", "text", "wrong"),
        ("Paris.", "paris", "text", "correct"),
    ],
)
def test_a_named_grader_is_the_only_one(answer: str, gold: str, grader: Grader, verdict: str):
    assert graded(answer, gold, rules=Equality(grader, 1e-3, unit_may_be_missing=False)).verdict == verdict


@pytest.mark.parametrize(("may_be_missing", "verdict"), [(True, "correct"), (False, "wrong")])
def test_a_number_alone_is_right_only_where_the_unit_may_be_missing(may_be_missing: bool, verdict: str):
    rules = Equality("auto", 1e-3, may_be_missing)

    assert graded("56", "56 N", rules=rules).verdict == verdict
    assert graded("57", "56 N", rules=rules).verdict == "wrong"
    assert graded("56 J", "56 N", rules=rules).verdict == "wrong"


@pytest.mark.parametrize(
    ("answer", "gold", "tolerance", "verdict"),
    [
        ("0.952", "0.951", 1e-2, "correct"),
        ("0.952", "0.951", 1e-4, "wrong"),
        ("0.951", "0.951", 0, "correct"),
        ("101", "100", 0.1, "wrong"),
        ("101 m", "100 m", 0.1, "wrong"),
        ("100.5 m", "100 m", 0.1, "correct"),
        ("100.5", "100", 0.1, "wrong"),
        ("0.33", "1/3", 0.1, "wrong"),
        ("$1.01", "$1.00", 0.1, "wrong"),
        ("1.42", r"\sqrt{2}", 0.1, "wrong"),
    ],
)
def test_the_tolerance_is_for_what_was_measured(answer: str, gold: str, tolerance: float, verdict: str):
    assert graded(answer, gold, rules=Equality("auto", tolerance, unit_may_be_missing=False)).verdict == verdict


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("thus <answer>4</answer> no: <answer> 5 </answer>", "5"),
        (r"<answer>\boxed{5}</answer>", "5"),
        (r"<answer>5</answer> or \boxed{6}", "5"),
        (r"\boxed{1}, or \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{4} and \boxed{5", "4"),
        ("see\n```python\ndef f(x): return x\n```\ndone", "def f(x): return x"),
        ("```\n4\n```\nThe answer is 5", "5"),
        ("The answer is\n```\n5\n```", "5"),
        ("The final answer is 7.", "7"),
        ("First.\nAnswer: 8\nBye", "8"),
        ("**Answer:** 9", "9"),
        ("so 3 + 4 = 7\n#### 7", "7"),
        ("the answerer is 5", "the answerer is 5"),
        (" 42 ", "42"),
    ],
)
def test_the_final_answer_is_tagged_boxed_fenced_announced_or_all(text: str, final: str):
    assert final_answer(text) == final


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("see\n```python\nprint('Answer: 4')\n```\ndone", "print('Answer: 4')"),
        ("```\na = 1\n```\nbetter:\n```py\na = 2\n```", "a = 2"),
        ("<answer>\n```python\na = 1\n```\n</answer>", "a = 1"),
        ("print(r'\\boxed{5}')\n# Answer: 6", "print(r'\\boxed{5}')\n# Answer: 6"),
    ],
)
def test_a_program_is_found_whatever_words_it_holds(text: str, program: str):
    assert final_program(text) == program


def same(answer: str, other: str) -> bool:
    return graded(answer, final_answer(other)).verdict == "correct"


@pytest.mark.parametrize(
    ("answers", "min_votes", "min_share", "verdicts", "reason"),
    [
        (["4", "4.0", "5"], 2, 0.5, ["correct", "correct", "wrong"], "2 of 3 answers agree"),
        (["4", r"\boxed{4}", "5"], 3, 0.5, ["unverifiable"] * 3, "2 of 3 answers agree"),
        (["4", "4", "5"], 2, 0.7, ["unverifiable"] * 3, "2 of 3 answers agree"),
        (["4", "4", "5", "5"], 2, 0.5, ["unverifiable"] * 4, "2 of 4 answers agree"),
        (["4", None, "4"], 2, 1.0, ["correct", "wrong", "correct"], "2 of 2 answers agree"),
        ([None, ""], 1, 0.1, ["wrong", "wrong"], "no answer"),
    ],
)
def test_most_answers_agree_or_nobody_knows(
    answers: list[str | None], min_votes: int, min_share: float, verdicts: list[str], reason: str
):
    params = majority.MajorityParams(min_votes=min_votes, min_share=min_share)
    grades = majority.grades(answers, same, params)

    assert [grade.verdict for grade in grades] == verdicts
    assert grades[0].reason == reason
    assert {grade.grader for grade in grades} == {"majority"}
