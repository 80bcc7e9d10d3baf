"""Tests as inputs and outputs, in the JSON of APPS, TACO and LiveCodeBench; stdlib only.

With fn_name: a function, or a method of class Solution, is called with each input's arguments.
Without: the program is run with each input as stdin, and its lines are compared.
"""

import json
import math
import re
from typing import Any

from branchmerge.programs.remote import Program, ProgramError, TestsError

_TOLERANCE = 1e-6  # of printed numbers, relative or absolute: what contests state most often
_INTEGER = re.compile(r"[-+]?\d+")


def run(program: Program, tests: dict[str, Any]) -> None:
    """Run every case; raises AssertionError at the first that is wrong, or what the program raised."""
    name, inputs, outputs = tests.get("fn_name"), tests["inputs"], tests["outputs"]
    if len(inputs) != len(outputs):
        raise TestsError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    for index, (given, wanted) in enumerate(zip(inputs, outputs, strict=True)):
        program.restart_clock()
        program.is_used = True
        is_right = _call(program, name, given, wanted) if name else _print(program, given, wanted)
        if not is_right:
            raise AssertionError(f"case {index + 1} of {len(inputs)}")


def _call(program: Program, name: str, given: Any, wanted: Any) -> bool:
    """LiveCodeBench writes JSON texts, an argument a line; APPS writes lists, the result often in a list."""
    found = program.names(["Solution", name])
    if "Solution" in found:
        function = getattr(found["Solution"](), name)
    elif name in found:
        function = found[name]
    else:
        raise NameError(f"name {name!r} is not defined")
    if isinstance(given, str):
        args, wanted = [_read(line) for line in given.splitlines() if line.strip()], _read(wanted)
        return same(function(*args), wanted)
    result = function(*given)
    return same(result, wanted) or (isinstance(wanted, list) and len(wanted) == 1 and same(result, wanted[0]))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise TestsError(f"no JSON: {error}") from None


def same(value: Any, wanted: Any) -> bool:
    """Whether a result is what JSON says: a tuple counts as a list, floats may differ in the last digits."""
    if isinstance(value, list | tuple) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(same, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        texts = {str(key): item for key, item in value.items()}  # JSON knows no other keys
        return texts.keys() == wanted.keys() and all(same(texts[key], wanted[key]) for key in wanted)
    if isinstance(value, float) and isinstance(wanted, int | float):
        return math.isclose(value, wanted, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(value == wanted)


def _print(program: Program, given: Any, wanted: Any) -> bool:
    reply = program.ask(stdin=_text(given))
    if "ended" in reply:
        raise ProgramError(reply["ended"])
    return same_lines(reply["output"], _text(wanted))


def _text(lines: Any) -> str:
    """APPS has some inputs and outputs as lists of lines."""
    return lines if isinstance(lines, str) else "\n".join(map(str, lines))


def same_lines(printed: str, wanted: str) -> bool:
    """Whether two outputs are equal line by line, trailing spaces aside, or as numbers within a tolerance."""
    ours, theirs = _lines(printed), _lines(wanted)
    return len(ours) == len(theirs) and all(map(_same_line, ours, theirs))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _same_line(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    tokens, wanted = ours.split(), theirs.split()
    return len(tokens) == len(wanted) and all(map(_same_token, tokens, wanted))


def _same_token(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    try:
        if _INTEGER.fullmatch(theirs):
            return (int if _INTEGER.fullmatch(ours) else float)(ours) == int(theirs)
        return math.isclose(float(ours), float(theirs), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    except ValueError:
        return False
