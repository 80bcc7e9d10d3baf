"""Tests come in many shapes; one that is malformed is said to be, before anything runs."""

import json
from typing import Any

import pytest

from branchmerge.grading.judge import Judge
from branchmerge.programs.exams import ExamError, read, with_checker
from tests.programs import verify_params

CASES = {"inputs": ["1", "2"], "outputs": ["2", "4"]}
CALLS = {"fn_name": "f", "inputs": [[1]], "outputs": [[2]]}
SHAPES: dict[str, tuple[Any, Any]] = {
    "APPS": (CASES, CASES),
    "APPS with lines": ({"inputs": [["1", 2]], "outputs": [["3"]]}, {"inputs": ["1\n2"], "outputs": ["3"]}),
    "APPS without a function": (CASES | {"fn_name": None}, CASES),
    "CodeContests": ({"input": ["1"], "output": ["2"]}, {"inputs": ["1"], "outputs": ["2"]}),
    "Codeforces": ([{"input": "1", "output": "2"}], {"inputs": ["1"], "outputs": ["2"]}),
    "LiveCodeBench": (
        [{"input": "1", "output": "2", "testtype": "stdin"}, {"input": "3", "output": "4", "testtype": "stdin"}],
        {"inputs": ["1", "3"], "outputs": ["2", "4"]},
    ),
    "LiveCodeBench's functions": (
        [{"input": "[1]\n2", "output": "3", "testtype": "functional", "metadata": {"func_name": "f"}}],
        {"fn_name": "f", "inputs": [[[1], 2]], "outputs": [[3]]},
    ),
    "metadata as text": (
        [{"input": '"a\u2028b"', "output": "3", "testtype": "functional", "metadata": '{"func_name": "f"}'}],
        {"fn_name": "f", "inputs": [["a\u2028b"]], "outputs": [[3]]},
    ),
    "PrimeIntellect": (
        [{"type": "function_call", "fn_name": "f", "input": [1, 2], "output": 3}],
        {"fn_name": "f", "inputs": [[1, 2]], "outputs": [[3]]},
    ),
    "a result in a list": (CALLS, {"fn_name": "f", "inputs": [[1]], "outputs": [[[2], 2]]}),
    "MBPP": (["assert f(1) == 2", "assert f(2) == 4"], "assert f(1) == 2\nassert f(2) == 4"),
}


@pytest.mark.parametrize(("given", "exam"), SHAPES.values(), ids=SHAPES)
def test_published_shapes_are_read(given: Any, exam: Any):
    assert read(json.dumps(given)) == exam


@pytest.mark.parametrize("tests", ["assert f(1) == 2", "{f(1)}", "[f(1) for _ in range(3)]"])
def test_what_is_no_json_is_python(tests: str):
    assert read(tests) == tests


def test_a_mark_of_byte_order_is_no_part_of_tests():
    assert read("\ufeffassert f(1) == 2") == "assert f(1) == 2"
    assert read(f"\ufeff{json.dumps(CASES)}") == CASES


MALFORMED = {
    "more inputs": ({"inputs": ["1"], "outputs": []}, "1 inputs and 0 outputs"),
    "no cases": ({"inputs": [], "outputs": []}, "no cases"),
    "no cases in a list": ([], "no cases"),
    "texts for lists": ({"inputs": "1", "outputs": "2"}, "no lists"),
    "no outputs": ({"inputs": ["1"]}, "no lists"),
    "nothing": ({}, "no lists"),
    "a null output": ({"inputs": ["1"], "outputs": [None]}, "neither a text nor lines: None"),
    "a number": ({"inputs": [1], "outputs": ["1"]}, "neither a text nor lines: 1"),
    "lines of lists": ({"inputs": [[["1"]]], "outputs": ["1"]}, "neither a text nor lines"),
    "a misspelt key": (CALLS | {"fn_nmae": "f"}, "JSON with 'fn_nmae'"),
    "other JSON": ({"question": "1"}, "neither Python nor cases: JSON with 'question'"),
    "a name that is none": (CALLS | {"fn_name": "f(x)"}, "no name of a function"),
    "a name that is a number": (CALLS | {"fn_name": 5}, "no name of a function"),
    "arguments that are none": (CALLS | {"inputs": [1]}, "neither a list of arguments"),
    "arguments by name": (CALLS | {"inputs": [{"x": 1}]}, "neither a list of arguments"),
    "arguments that are no JSON": (CALLS | {"inputs": ["1,"], "outputs": ["2"]}, "no JSON"),
    "a result that is no JSON": (CALLS | {"inputs": ["1"], "outputs": ["two"]}, "no JSON"),
    "a text and a number": (CALLS | {"inputs": ["1"], "outputs": [2]}, "neither a list of arguments"),
    "a case without output": ([{"input": "1"}], "a case without input and output"),
    "cases that are none": ([1, 2], "a case without input and output"),
    "a function without its name": (
        [{"input": "1", "output": "2", "testtype": "functional"}],
        "its name .* is missing",
    ),
    "two functions": (
        [{"input": [1], "output": 2, "fn_name": "f"}, {"input": [1], "output": 2, "fn_name": "g"}],
        "cases of different functions",
    ),
    "a checker of a function": (CALLS | {"checker": "print(1)"}, "a function prints nothing"),
    "a checker that is none": (CASES | {"checker": 5}, "no Python program"),
}


@pytest.mark.parametrize(("given", "said"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_test_is_refused(given: Any, said: str):
    with pytest.raises(ExamError, match=said):
        read(json.dumps(given))


def test_a_malformed_test_is_unverifiable_and_runs_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("branchmerge.programs.grader.ProgramGrader._workers", None)
    with Judge(verify_params()) as judge:
        grade = judge.grade("print(1)", None, '{"inputs": ["1"], "outputs": [1]}')

    assert (grade.verdict, grade.reason) == ("unverifiable", "tests: neither a text nor lines: 1")


def test_a_checker_stands_in_the_tests():
    cases = json.dumps([{"input": "1", "output": "2"}])

    assert read(with_checker(cases, "print(1)") or "") == {"inputs": ["1"], "outputs": ["2"], "checker": "print(1)"}
    assert with_checker(cases, None) == with_checker(cases, " ") == cases
    assert with_checker(None, "print(1)") is None


@pytest.mark.parametrize("tests", ["assert f(1)", '["assert f(1)"]', json.dumps(CALLS), "[]"])
def test_a_checker_of_what_prints_nothing_is_refused(tests: str):
    with pytest.raises(ExamError):
        with_checker(tests, "print(1)")
