r"""Sets of real numbers as they are written: x > 2, 1 < x \leq 3 or x > 5, \mathbb{R} without 0."""

import re
from itertools import pairwise
from typing import Any

from branchmerge.grading.mathematics import expression

# brackets and ends, or several such
Interval = tuple[str, str, str]

_SIGN = re.compile(r"(\\leq(?![a-z])|\\geq(?![a-z])|[<>])")
_OR = re.compile(r"\s*,?\s*(?:\\text\{\s*or\s*\}|\bor\b|\\cup(?![a-z])|\\lor(?![a-z])|∪)\s*")
_AND = re.compile(r"\s*,?\s*(?:\\text\{\s*and\s*\}|\band\b|\\land(?![a-z])|\\cap(?![a-z]))\s*")
_NAME = re.compile(r"[A-Za-z](?:\([A-Za-z]\))?")
_APPLIED = re.compile(r"(?<![\\A-Za-z])([a-zA-Z])\(([a-zA-Z])\)")
_REALS = re.compile(r"(?:[A-Za-z]\s*\\in\s*)?(?:\\mathbb\s*\{?\s*R\s*\}?|ℝ|\\R(?![a-z])|(?:all )?real numbers)")
_WITHOUT = re.compile(r"\s*(?:\\setminus|\\backslash|\\smallsetminus|\\?\\|-)\s*\\?\{(.*?)\\?\}\s*$")


def intervals(plain: str) -> list[Interval] | None:
    r"""The intervals of a set in their order; None where a text is no such set.

    One end that is not a number is kept as it is written: 1 < x < a.
    """
    if reals := _REALS.match(plain):
        return _without(plain[reals.end() :])
    if not _SIGN.search(plain):
        return None
    if (one := _chain(plain)) is not None:
        return [one]
    return _solved(plain)


def variable(plain: str) -> str | None:
    """The name that an inequality bounds, as x in 1 < x < 2; None where there is no one name."""
    sides = [part.strip() for part in _SIGN.split(plain)[::2]]
    names = [side for side in sides if _NAME.fullmatch(side)]
    return names[0] if len(names) == 1 and len(sides) > 1 else None


def _without(rest: str) -> list[Interval] | None:
    ends = [r"-\infty"]
    if rest.strip():
        match = _WITHOUT.fullmatch(rest)
        if match is None:
            return None
        points = [part.strip() for part in match[1].split(",")]
        values = [expression(point) for point in points]
        if any(value is None or not value.is_real for value in values):
            return None
        ends += [point for _, point in sorted(zip(values, points, strict=True), key=lambda pair: float(pair[0]))]
    ends.append(r"\infty")
    return [("()", low, high) for low, high in pairwise(ends)]


def _chain(plain: str) -> Interval | None:
    """x > 2 as (2, infinity), 1 < x ≤ 2 as (1, 2]: one name between ends."""
    parts = [part.strip() for part in _SIGN.split(plain)]
    if len(parts) == 3 and _NAME.fullmatch(parts[2]) and not _NAME.fullmatch(parts[0]):
        parts = [parts[2], {"<": ">", ">": "<", r"\leq": r"\geq", r"\geq": r"\leq"}[parts[1]], parts[0]]
    if len(parts) == 3 and _NAME.fullmatch(parts[0]):
        name, sign, end = parts
        if not end or "=" in end or re.search(rf"(?<![\\A-Za-z]){re.escape(name)}(?![A-Za-z])", end):
            return None
        is_open = sign in "<>"
        if sign in ("<", r"\leq"):
            return ("()" if is_open else "(]", r"-\infty", end)
        return ("()" if is_open else "[)", end, r"\infty")
    if len(parts) != 5 or not _NAME.fullmatch(parts[2]) or not (parts[0] and parts[4]):
        return None
    low, first, _, second, high = parts
    if (first in ("<", r"\leq")) != (second in ("<", r"\leq")):
        return None
    if first in (">", r"\geq"):
        low, first, second, high = high, second, first, low
    return ("[" if first.startswith("\\") else "(") + ("]" if second.startswith("\\") else ")"), low, high


def _solved(plain: str) -> list[Interval] | None:
    """Inequalities in one name, solved by sympy: with "or", with "and", with any expression between the signs."""
    import sympy

    found: Any = sympy.S.EmptySet
    for piece in _OR.split(plain):
        kept: Any = sympy.S.Reals
        for one in _AND.split(piece):
            solved = _one(one)
            if solved is None:
                return None
            kept &= solved
        found |= kept
    parts = found.args if isinstance(found, sympy.Union) else (found,)
    if not all(isinstance(part, sympy.Interval) for part in parts):
        return None
    return [
        (
            ("(" if part.left_open else "[") + (")" if part.right_open else "]"),
            sympy.latex(part.start),
            sympy.latex(part.end),
        )
        for part in parts
    ]


def _one(text: str) -> Any:
    import sympy

    parts = [part.strip() for part in _SIGN.split(_APPLIED.sub(r"\1", text))]
    sides = [expression(side) for side in parts[::2]]
    if len(sides) < 2 or any(side is None or isinstance(side, sympy.MatrixBase) for side in sides):
        return None
    names = set().union(*(side.free_symbols for side in sides))
    if len(names) != 1:
        return None
    real = dict.fromkeys(names, sympy.Symbol("x", real=True))
    sides = [side.subs(real) for side in sides]
    relations = {"<": sympy.Lt, ">": sympy.Gt, r"\leq": sympy.Le, r"\geq": sympy.Ge}
    kept: Any = sympy.S.Reals
    try:
        for left, sign, right in zip(sides, parts[1::2], sides[1:], strict=False):
            kept &= relations[sign](left, right).as_set()
    except (NotImplementedError, AttributeError, TypeError):  # sympy cannot solve it
        return None
    return kept
