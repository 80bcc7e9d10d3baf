"""The shapes that tests come in, checked before anything runs: a malformed test is no program's fault.

Python is one; every other is JSON: {"inputs", "outputs"} with perhaps "fn_name", as APPS and TACO have it (or
"input" and "output", as CodeContests); a list of cases with "input" and "output", as LiveCodeBench and Codeforces
have them; a list of Python asserts, as MBPP has them. "checker" is a program that judges what is printed.
"""

import contextlib
import json
from typing import Any

Exam = str | dict[str, Any]

_KEYS = {"fn_name", "inputs", "outputs", "checker"}
_SINGULAR = {"input": "inputs", "output": "outputs", "func_name": "fn_name"}
_CALLED = {"functional", "function_call"}
_BOM = "\ufeff"
_SHOWN = 60  # characters of what is malformed


class ExamError(ValueError):
    """Tests that are malformed, and how."""


def read(tests: str) -> Exam:
    """Tests of one shape: Python, or {"inputs", "outputs"} with perhaps "fn_name" or "checker".

    Without fn_name inputs and outputs are texts. With it, inputs are lists of arguments, and outputs are lists of
    the results that are right: APPS often has the result in a list.

    Raises:
        ExamError: They have no such shape.
    """
    tests = tests.lstrip(_BOM)
    found = _json(tests)
    if found is None:
        return tests
    if isinstance(found, list) and found and all(isinstance(line, str) for line in found):
        return "\n".join(found)
    return _cases(_joined(found) if isinstance(found, list) else found)


def with_checker(tests: str | None, checker: str | None) -> str | None:
    """Tests as JSON that has the checker, too; as they are where there are none or no checker.

    Raises:
        ExamError: The tests are malformed, or of functions.
    """
    if tests is None or not (checker or "").strip():
        return tests
    found = _json(tests.lstrip(_BOM))
    if found is None or (isinstance(found, list) and any(isinstance(case, str) for case in found)):
        raise ExamError("a checker judges what is printed, and these tests are Python")
    exam = _joined(found) if isinstance(found, list) else found
    _cases(exam | {"checker": checker})
    return json.dumps(exam | {"checker": checker}, ensure_ascii=False)


def _json(tests: str) -> Any:
    """An object or a list; None where the tests are neither, and so Python."""
    if tests.lstrip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(tests)
    return None


def _joined(cases: list[Any]) -> dict[str, Any]:
    """One object of a list of cases."""
    for case in cases:
        if not isinstance(case, dict) or not {"input", "output"} <= case.keys():
            raise ExamError(f"a case without input and output: {_shown(case)}")
        if (case.get("testtype") or case.get("type")) in _CALLED and not _name(case):
            raise ExamError("a function is to be called, and its name (fn_name) is missing")
    names = {_name(case) for case in cases}
    if len(names) > 1:
        raise ExamError("cases of different functions")
    return {
        "inputs": [case["input"] for case in cases],
        "outputs": [case["output"] for case in cases],
    } | ({"fn_name": name} if (name := next(iter(names), None)) else {})


def _name(case: dict[str, Any]) -> Any:
    """The function that a case is of, if of any; LiveCodeBench's metadata has it, perhaps as a text."""
    metadata = case.get("metadata")
    if isinstance(metadata, str):
        metadata = _json(metadata)
    return case.get("fn_name") or (metadata.get("func_name") if isinstance(metadata, dict) else None)


def _cases(found: dict[str, Any]) -> dict[str, Any]:
    exam = {_SINGULAR.get(key, key): value for key, value in found.items()}
    if unknown := exam.keys() - _KEYS:
        raise ExamError(f"neither Python nor cases: JSON with {', '.join(map(repr, sorted(unknown)))}")
    inputs, outputs = exam.get("inputs"), exam.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise ExamError("inputs and outputs that are no lists")
    if len(inputs) != len(outputs):
        raise ExamError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    if not inputs:
        raise ExamError("no cases")
    if name := exam.get("fn_name"):
        if exam.get("checker"):
            raise ExamError("a checker judges what is printed, and a function prints nothing")
        return _calls(name, inputs, outputs)
    checker = {"checker": _checker(exam["checker"])} if exam.get("checker") else {}
    return {"inputs": [*map(_text, inputs)], "outputs": [*map(_text, outputs)]} | checker


def _checker(source: Any) -> str:
    if not isinstance(source, str):
        raise ExamError("a checker that is no Python program")
    return source


def _text(lines: Any) -> str:
    """APPS has some inputs and outputs as lists of lines."""
    if isinstance(lines, str):
        return lines
    if isinstance(lines, list) and all(isinstance(line, str | int | float) for line in lines):
        return "\n".join(map(str, lines))
    raise ExamError(f"neither a text nor lines: {_shown(lines)}")


def _calls(name: Any, inputs: list[Any], outputs: list[Any]) -> dict[str, Any]:
    if not isinstance(name, str) or not name.isidentifier():
        raise ExamError(f"fn_name is no name of a function: {_shown(name)}")
    calls = [_call(given, wanted) for given, wanted in zip(inputs, outputs, strict=True)]
    return {"fn_name": name, "inputs": [args for args, _ in calls], "outputs": [results for _, results in calls]}


def _call(given: Any, wanted: Any) -> tuple[list[Any], list[Any]]:
    """Arguments and the results that are right. LiveCodeBench writes JSON texts, an argument a line."""
    if isinstance(given, str) and isinstance(wanted, str):
        return [_value(line) for line in given.split("\n") if line.strip()], [_value(wanted)]
    if isinstance(given, str) or not isinstance(given, list):
        raise ExamError(f"neither a list of arguments nor a line of JSON for each: {_shown(given)}")
    is_in_a_list = isinstance(wanted, list) and len(wanted) == 1
    return given, [wanted, wanted[0]] if is_in_a_list else [wanted]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExamError(f"no JSON: {error}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
