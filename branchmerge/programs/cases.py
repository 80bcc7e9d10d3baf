"""Tests as inputs and outputs, as `exams` reads them; stdlib only.

With fn_name: a function, or a method of class Solution, is called with each input's arguments.
Without: the program is run with each input as stdin, and its lines are compared, or a checker judges them.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from branchmerge.programs.checker import Checker
from branchmerge.programs.remote import Program, ProgramError

_TOLERANCE = 1e-6  # of printed numbers, relative or absolute: what contests state most often
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
# neither 010 nor 1_0, which Python reads as numbers: they may be digits that something was asked about
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def run(program: Program, exam: dict[str, Any]) -> None:
    """Run every case; raises AssertionError at the first that is wrong, or what the program raised."""
    name, inputs = exam.get("fn_name"), exam["inputs"]
    accepts = Checker(exam["checker"]).accepts if "checker" in exam else _prints_the_same
    program.choose(["Solution", name] if name else None)
    for index, (given, wanted) in enumerate(zip(inputs, exam["outputs"], strict=True)):
        program.restart_clock()
        program.is_used = True
        is_right = _call(program, name, given, wanted) if name else _print(program, given, wanted, accepts)
        if not is_right:
            raise AssertionError(f"case {index + 1} of {len(inputs)}")


def _call(program: Program, name: str, args: list[Any], results: list[Any]) -> bool:
    found = program.names(["Solution", name])
    if "Solution" in found:
        function = getattr(found["Solution"](), name)
    elif name in found:
        function = found[name]
    else:
        raise NameError(f"name {name!r} is not defined")
    result = function(*args)
    return any(same(result, wanted) for wanted in results)


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


def _print(program: Program, given: str, wanted: str, accepts: Callable[[str, str, str], bool]) -> bool:
    reply = program.ask(stdin=given)
    if "ended" in reply:
        raise ProgramError(reply["ended"])
    return accepts(given, wanted, str(reply["output"]))


def _prints_the_same(_: str, wanted: str, printed: str) -> bool:
    return same_lines(printed, wanted)


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
    if not (_NUMBER.fullmatch(ours) and _NUMBER.fullmatch(theirs)):
        return False
    try:
        if _INTEGER.fullmatch(theirs):
            return Decimal(ours) == Decimal(theirs)
    except InvalidOperation:  # an exponent beyond all bounds
        return False
    number, wanted = float(ours), float(theirs)
    return math.isfinite(wanted) and math.isclose(number, wanted, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
