"""Units of measure: whether a text is one, and how one is turned into another."""

import re
from fractions import Fraction
from functools import cache
from typing import Any

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SPELLINGS = (
    (re.compile(r"°\s*C\b|\bdegrees? (?:celsius|centigrade)\b|\bcelsius\b", re.IGNORECASE), "degC"),
    (re.compile(r"°\s*F\b|\bdegrees? fahrenheit\b|\bfahrenheit\b", re.IGNORECASE), "degF"),
    (re.compile(r"°|\bdeg\b"), "degree"),
    (re.compile(r"Ω|Ω"), "ohm"),
    (re.compile(r"\b(?:square|sq\.?)\s+([A-Za-z]+)", re.IGNORECASE), r"\1**2"),
    (re.compile(r"\b(?:cubic|cu\.?)\s+([A-Za-z]+)", re.IGNORECASE), r"\1**3"),
    (re.compile(r"\b([A-Za-z]+)\s+squared\b", re.IGNORECASE), r"\1**2"),
    (re.compile(r"\b([A-Za-z]+)\s+cubed\b", re.IGNORECASE), r"\1**3"),
    (re.compile(r"\bsecs?\b"), "second"),
    (re.compile(r"\bhrs?\b"), "hour"),
    (re.compile(r"\bmins?\b"), "minute"),
    (re.compile(r"\bamu\b"), "dalton"),
    (re.compile(r"[·⋅×]"), "*"),
    (re.compile(r"\^"), "**"),
    (re.compile(r"(?<=[A-Za-zΩµμ])(-?\d+)"), r"**\1"),  # m/s2, m s-1
)
# names that pint knows and people use as numbers or variables
_NO_UNITS = frozenset({"pi", "π", "e", "i", "j", "x", "y", "z", "n", "inf", "nan"})
_ALLOWED = re.compile(r"[A-Za-zΩµμ°%'\"*/^()\s.\d·⋅×⁰¹²³⁴⁵⁶⁷⁸⁹⁻-]{1,60}")


def same_spelling(unit: str, other: str) -> bool:
    """Whether two units are written alike; in capitals or not only where that is no other unit, as mW and MW are."""
    one, two = _spelled(unit), _spelled(other)
    if one == two:
        return True
    is_alike = _singular(one.casefold()) == _singular(two.casefold())
    return is_alike and not (is_known(unit) and is_known(other))


def _spelled(unit: str) -> str:
    for pattern, spelling in _SPELLINGS:
        unit = pattern.sub(spelling, unit.translate(_SUPERSCRIPTS))
    return " ".join(unit.split()).removesuffix(".")


def _singular(unit: str) -> str:
    return unit.removesuffix("s") if len(unit) > 3 else unit


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


@cache
def _parsed(unit: str) -> Any:
    """pint's unit; None where the text is none."""
    spelled = _spelled(unit)
    if not spelled or spelled in _NO_UNITS or not _ALLOWED.fullmatch(unit) or re.search(r"\*\*-?\d{2}", spelled):
        return None
    try:
        return _registry().parse_units(spelled)
    except Exception:  # pint raises its tokenizer's errors too; whatever it cannot read is no unit
        return None


def is_known(unit: str) -> bool:
    """Whether a text is a unit of measure."""
    return _parsed(unit) is not None


def ratio(unit: str, other: str) -> tuple[Fraction, Fraction] | None:
    """Factor and offset that turn a number of one unit into one of the other; None where nothing does."""
    one, two = _parsed(unit), _parsed(other)
    if one is None or two is None or one.dimensionality != two.dimensionality:
        return None
    registry = _registry()
    zero, unity = (registry.Quantity(float(number), one).to(two).magnitude for number in (0, 1))
    return Fraction(unity) - Fraction(zero), Fraction(zero)
