"""Two expressions are equal when they have one value at every point tried, to 40 digits."""

import re
from fractions import Fraction
from typing import Any

from branchmerge.grading import quantity
from branchmerge.grading.mathematics import based, expression
from branchmerge.grading.notation import undelimited
from branchmerge.grading.rules import Equality

_DIGITS, _AGREEING = 40, 30  # of the values compared, and of those that must agree
_POINTS = ("1.3717", "0.6183", "2.2361", "0.1931", "3.1427", "5.7713", "-1.7321", "-0.4142")
_FEWEST_POINTS = 3  # where both sides are real
_RELATION = re.compile(r"(\\leq(?![a-z])|\\geq(?![a-z])|\\neq(?![a-z])|[<>=])")
_TURNED = {"<": ">", ">": "<", r"\leq": r"\geq", r"\geq": r"\leq", "=": "=", r"\neq": r"\neq"}


def are_equal(answer: str, gold: str, rules: Equality) -> bool | None:
    """Whether two expressions, equations, inequalities or matrices are equal; None where one of them cannot be read."""
    if based(gold) or based(answer):
        return based(answer) == based(gold)
    sides, gold_sides = _related(undelimited(answer)), _related(undelimited(gold))
    if len(sides) != len(gold_sides):
        return False
    if len(sides) > 3:  # a chain of relations
        return None
    expressions = [expression(side.strip()) for side in (*sides[::2], *gold_sides[::2])]
    if any(one is None for one in expressions):
        return None
    if len(sides) == 1:
        return _same(expressions[0], expressions[1], answer, gold, rules)
    left, right, gold_left, gold_right = expressions
    return _same_relation(left - right, sides[1].strip(), gold_left - gold_right, gold_sides[1].strip())


def _related(text: str) -> list[str]:
    """Sides and the signs between them, outside of braces."""
    hidden = re.sub(r"\{[^{}]*\}", lambda found: found[0].replace("=", "\0"), text)
    return [part.replace("\0", "=") for part in _RELATION.split(hidden)]


def _same(one: Any, other: Any, answer: str, gold: str, rules: Equality) -> bool:
    import sympy

    matrices = [isinstance(part, sympy.MatrixBase) for part in (one, other)]
    if any(matrices):
        return (
            all(matrices)
            and one.shape == other.shape
            and all(_same_values(*pair, Fraction(0)) for pair in zip(one, other, strict=True))
        )
    tolerance = Fraction(0)
    if re.search(r"\d\.\d", gold):
        if not other.free_symbols and not one.free_symbols and not _is_worked_out(answer):
            return False
        tolerance = Fraction(rules.relative_tolerance)
    elif rules.may_be_rounded and re.search(r"\d\.\d", answer):
        if other.free_symbols:
            tolerance = Fraction(rules.relative_tolerance)
        elif (given := quantity.parse(answer)) is not None:
            return _is_rounded(given, other)
    return _same_values(one, other, tolerance)


def _is_worked_out(answer: str) -> bool:
    r"""Whether an answer is numbers and their operations: a gold with a point asks for a decimal, not for 3\pi."""
    return not re.search(r"\\?(?:pi|sqrt|ln|log|exp|sin|cos|tan)(?![a-z])|π|√|(?<![A-Za-z\\])e(?![A-Za-z])", answer)


def _is_rounded(given: quantity.Quantity, exact: Any) -> bool:
    """Whether a decimal is an exact constant rounded to its last digit."""
    value = exact.evalf(_DIGITS)
    return bool(value.is_Float) and quantity.is_rounded_from(given, Fraction(str(value)))


def _same_values(one: Any, other: Any, relative_tolerance: Fraction) -> bool:
    """Equal at all points tried; with a constant of integration in both, equal but for a constant."""
    import sympy

    small, large = sympy.Symbol("c"), sympy.Symbol("C")
    both = (one, other)
    if {small, large} <= one.free_symbols | other.free_symbols:
        both = tuple(
            part.subs(small, large) if small in part.free_symbols and large not in part.free_symbols else part
            for part in both
        )
        one, other = both
    if any(part.has(sympy.zoo, sympy.nan) for part in both):
        return False
    if any(part.has(sympy.oo, -sympy.oo) for part in both):
        return bool(one == other)
    names = sorted(one.free_symbols | other.free_symbols, key=str)
    pairs = _values(both, names)
    if pairs is None:
        return False
    if not names and relative_tolerance:
        return _near_constant(*pairs[0], float(relative_tolerance))
    differences = [value - target for value, target in pairs]
    if all(_has_constant(part) for part in both):
        differences = [difference - differences[0] for difference in differences]
    allowed = max(float(relative_tolerance), 10.0**-_AGREEING)
    are_near = all(
        abs(difference) <= allowed * (abs(target) or 1)
        for difference, (_, target) in zip(differences, pairs, strict=True)
    )
    return are_near if names else are_near and _same_constant(one, other, pairs[0][1])


def _near_constant(value: Any, target: Any, relative_tolerance: float) -> bool:
    """Whether the real and the imaginary part are each within the tolerance; of whole ones, within a tenth of it."""
    import sympy

    for part in (sympy.re, sympy.im):
        wanted = part(target)
        is_whole = abs(wanted - round(wanted)) < 10.0**-_AGREEING
        allowed = relative_tolerance * abs(wanted) / (10 if is_whole else 1)
        if abs(part(value) - wanted) > max(allowed, 10.0**-_AGREEING * abs(target)):
            return False
    return True


def _same_constant(one: Any, other: Any, value: Any) -> bool:
    """Whether two numbers of any size are one, as 2^2008 and 2^2008 - 2 are not: their difference is worked out."""
    exact = [part.doit() for part in (one, other)]
    if all(part.is_Rational for part in exact):
        return bool(exact[0] == exact[1])
    difference = abs((one - other).evalf(_DIGITS))
    return bool(difference <= 10.0**-_AGREEING * (min(1, abs(value)) or 1))


def _has_constant(part: Any) -> bool:
    """Whether there is a "+ C" beside a variable."""
    import sympy

    constant = sympy.Symbol("C")
    return len(part.free_symbols) > 1 and bool(part.diff(constant) == 1)


def _values(both: tuple[Any, Any], names: list[Any]) -> list[tuple[Any, Any]] | None:
    """The values of two expressions where each name has another value: at points where both are real, if there are.

    None where one has no value, or the two have too few points in common.
    """
    import sympy

    pairs = []
    for shift in range(len(_POINTS) if names else 1):
        point = {
            name: sympy.Rational(_POINTS[(shift + place) % len(_POINTS)]) + place for place, name in enumerate(names)
        }
        pair = tuple(part.subs(point).evalf(_DIGITS) for part in both)
        if not all(value.is_number and value.is_finite for value in pair):
            if not names:
                return None
            continue
        pairs.append(pair)
    real = [pair for pair in pairs if all(abs(sympy.im(value)) < 10.0**-_AGREEING for value in pair)]
    kept = real if len(real) >= _FEWEST_POINTS else pairs
    return kept if len(kept) >= (_FEWEST_POINTS if names else 1) else None


def _same_relation(one: Any, sign: str, other: Any, gold_sign: str) -> bool:
    """Whether one is the other times a constant that is not nought, and the sign is turned where it is negative."""
    import sympy

    if one.free_symbols != other.free_symbols or not one.free_symbols:
        return False
    quotient = sympy.simplify(one / other)
    if not (quotient.is_number and quotient.is_finite and quotient != 0):
        return False
    return gold_sign == (sign if quotient.is_positive else _TURNED[sign]) or sign == gold_sign in {"=", r"\neq"}
