"""A right answer is correct however it is written, a wrong one is wrong, and no program harms the judge."""

import pytest

from stages.shared.grading import Judge, VerifyParams, compare, final_answer

PARAMS = VerifyParams(
    relative_tolerance=1e-3,
    isolation="process",
    program_wall_s=1,
    program_memory_mib=256,
    program_max_processes=8,
    program_file_mib=1,
    program_output_mib=16,
)

COMPARED = [
    # answer, gold, verdict
    ("56 N", "56 N", "correct"),
    ("56N", "56 N", "correct"),
    ("56.0 n", "56 N", "correct"),
    ("56.01 N", "56 N", "correct"),
    ("57 N", "56 N", "wrong"),
    ("56 J", "56 N", "wrong"),
    ("56", "56 N", "wrong"),
    ("-7", "7", "wrong"),
    ("1e3", "1000", "correct"),
    ("B", "b", "correct"),
    ("B.", "B", "correct"),
    ("A", "B", "wrong"),
    ("so it is 56 N", "56 N", "wrong"),
    ("1877.0 - 23.0i", "1877.0 - 23.0i", "correct"),
]


@pytest.mark.parametrize(("answer", "gold", "verdict"), COMPARED)
def test_answers_compare_as_numbers_with_units_or_as_text(answer: str, gold: str, verdict: str):
    assert compare(answer, gold, PARAMS.relative_tolerance).verdict == verdict


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("thus <answer>4</answer> no: <answer> 5 </answer>", "5"),
        ("see\n```python\ndef f(x): return x\n```\ndone", "def f(x): return x"),
        (" 42 ", "42"),
    ],
)
def test_the_final_answer_is_tagged_or_fenced_or_all(text: str, final: str):
    assert final_answer(text) == final


TESTS = "assert f(2) == 4\nassert f(3) == 9"

PROGRAMS = [
    # program, verdict, what the reason names
    ("def f(x): return x * x", "correct", ""),
    ("def f(x): return x + x", "wrong", "AssertionError"),
    ("def f(x) return x", "wrong", "SyntaxError"),
    ("def g(x): return x * x", "wrong", "NameError"),
    ("def f(x):\n while True: pass", "wrong", "time-out"),
    ("def f(x): return bytearray(10**10)", "wrong", "MemoryError"),
    ("def f(x): return f(x)", "wrong", "RecursionError"),
    ("import sys\nsys.exit(0)", "wrong", "SystemExit"),
    ("import os\nos._exit(0)", "wrong", "ended before its tests"),
    ("open('f', 'w').write('x' * 2**21)\ndef f(x): return x * x", "wrong", "OSError"),
    ("print('passed')\ndef f(x): return 0", "wrong", "AssertionError"),
]


@pytest.mark.parametrize(("program", "verdict", "reason"), PROGRAMS, ids=[reason or "right" for *_, reason in PROGRAMS])
def test_a_program_is_run_with_limits(program: str, verdict: str, reason: str):
    with Judge(PARAMS) as judge:
        grade = judge.grade(program, None, TESTS)
        after = judge.grade("def f(x): return x * x", None, TESTS)

    assert (grade.verdict, grade.grader) == (verdict, "program")
    assert reason in grade.reason
    assert after.verdict == "correct"  # the judge goes on


def test_no_gold_answer_is_unverifiable_and_no_answer_is_wrong():
    with Judge(PARAMS) as judge:
        assert judge.grade("5", None, None).verdict == "unverifiable"
        assert judge.grade(None, "5", None).verdict == "wrong"
        assert judge.grade("", "5", None).verdict == "wrong"
