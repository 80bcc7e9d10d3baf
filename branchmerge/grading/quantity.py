r"""Numbers with units: equal when, in the gold's unit, they are the same number.

A number is exact where it can be: a whole number without a unit, a fraction and an amount of money
admit no tolerance, nor do two whole numbers. Only what was measured or rounded has one.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.notation import readable
from branchmerge.grading.units import is_known, ratio, same_spelling

_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen", "₹": "rupee"}
_MONEY_WORDS = {"dollars": "dollar", "usd": "dollar", "euros": "euro", "eur": "euro", "gbp": "pound sterling"}
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NUMBER = re.compile(
    r"(?P<sign>[-+]?)\s*(?P<money>[$€£¥₹]?)\s*(?P<sign2>-?)"
    r"(?:(?P<whole>\d+)\s+(?P<top>\d+)\s*/\s*(?P<bottom>\d+)"
    r"|\(?(?P<over>\d+)\)?\s*/\s*\(?(?P<under>\d+)\)?(?!\.?\d)"
    r"|(?P<decimal>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+)(?:\s*(?:e|(?:[*×x]\s*)?10\s*\^)\s*\(?(?P<power>[-+]?\d{1,4})\)?(?!\.?\d))?"
    r"|(?:10\s*\^\s*\(?(?P<ten>[-+]?\d{1,4})\)?))"
    r"(?P<unit>(?:\s|(?![\d.,]))\D?.*)?",
    re.IGNORECASE | re.DOTALL,
)
# words behind a number that change it, so they are no unit: "5 more", "5 below", "5 factorial"
_NO_UNITS = frozenset(
    (
        *("pi", "e", "i", "j", "or", "and", "to", "more", "less", "fewer", "below", "above", "not", "none", "negative"),
        *("factorial", "squared", "cubed", "mod", "choose", "plus", "minus", "times", "over", "infinity", "inf"),
        *("half", "halves", "thirds", "quarters", "tenths", "hundredths", "thousandths", "dozen", "dozens", "score"),
        *("sqrt", "sin", "cos", "tan", "log", "ln", "exp"),
    )
)
_MAX_DIGITS = 400  # beyond it a number is no number: reading it would be the work of the one who wrote it


@dataclass(frozen=True)
class Quantity:
    """A number as it is written.

    Args:
        is_exact: Written as a fraction, or as money: nothing was rounded.
        unit: Empty where there is none; "%" for percent.
    """

    value: Fraction
    is_exact: bool
    unit: str


def parse(text: str) -> Quantity | None:
    """The number a text is, with its unit; None where it is anything else."""
    plain = readable(text)
    match = _NUMBER.fullmatch(plain) if len(plain) < _MAX_DIGITS else None
    if match is None or (match["sign"] and match["sign2"]):
        return None
    unit, scale = _unit(match)
    if unit is None:
        return None
    value = _value(match)
    if value is None:
        return None
    sign = -1 if "-" in (match["sign"], match["sign2"]) else 1
    return Quantity(sign * value * scale, match["decimal"] is None or unit in _CURRENCIES.values(), unit)


def _value(match: re.Match[str]) -> Fraction | None:
    """The number without its sign; None for a fraction over nought."""
    if match["ten"] is not None:
        return Fraction(10) ** int(match["ten"])
    if match["decimal"] is not None:
        return Fraction(match["decimal"].replace(",", "").rstrip(".")) * Fraction(10) ** int(match["power"] or 0)
    whole, top, bottom = match["whole"] or 0, match["top"] or match["over"], match["bottom"] or match["under"]
    return int(whole) + Fraction(int(top), int(bottom)) if int(bottom) else None


def _unit(match: re.Match[str]) -> tuple[str | None, int]:
    """The unit and the power of ten in front of it; None where what follows the number is no unit."""
    words = (match["unit"] or "").strip()
    first, _, rest = words.partition(" ")
    scale = _SCALES.get(first.casefold(), 1)
    words = rest.strip() if scale > 1 else words
    if words.casefold() in {"percent", "per cent", "percentage"}:
        words = "%"
    words = _MONEY_WORDS.get(words.casefold(), _CURRENCIES.get(words, words))
    if match["money"]:
        return (_CURRENCIES[match["money"]] if words in {"", _CURRENCIES[match["money"]]} else None), scale
    return (words if _is_unit(words) else None), scale


def _is_unit(words: str) -> bool:
    if words in {"", "%", *_CURRENCIES.values()}:
        return True
    first = words.split()[0]
    if (first if len(first) == 1 else first.casefold()) in _NO_UNITS or words[0] in "+-=<>^!,;:([{|":
        return False
    return bool(re.fullmatch(r"[^\W\d_]{3,}", words)) or words[0].isalpha() or words[0] in "°'\"Ωµμ/"


def grade(answer: str, gold: str, relative_tolerance: float, unit_may_be_missing: bool) -> Grade | None:
    """The verdict on a number against a number; None where one of them is none, or has what may be no unit.

    Args:
        unit_may_be_missing: Whether a number alone is right where the gold has a unit.
    """
    given, wanted = parse(answer), parse(gold)
    if given is None or wanted is None:
        return None
    if same_spelling(given.unit, wanted.unit):
        return graded(_are_equal(given, wanted, Fraction(1), relative_tolerance), gold, "quantity")
    if "%" in (given.unit, wanted.unit) and "" in (given.unit, wanted.unit):
        return graded(_as_percent(given, wanted, relative_tolerance, unit_may_be_missing), gold, "quantity")
    if not given.unit:
        is_right = unit_may_be_missing and _are_equal(given, wanted, Fraction(1), relative_tolerance)
        return graded(True, gold, "quantity") if is_right else Grade("wrong", f"no unit, not {gold}", "quantity")
    if not wanted.unit:
        return _beyond_gold(given, wanted, gold, relative_tolerance)
    return _converted(given, wanted, gold, relative_tolerance)


def _converted(given: Quantity, wanted: Quantity, gold: str, relative_tolerance: float) -> Grade | None:
    conversion = ratio(given.unit, wanted.unit)
    if conversion is None:
        is_both = _is_measure(given.unit) and _is_measure(wanted.unit)
        return Grade("wrong", f"unit is not that of {gold}", "quantity") if is_both else None
    factor, offset = conversion
    shifted = Quantity(given.value + offset / factor, given.is_exact, given.unit)
    return graded(_are_equal(shifted, wanted, factor, relative_tolerance), gold, "quantity")


def _is_measure(unit: str) -> bool:
    """A unit by its definition, or a word: not a letter that may be a variable."""
    return is_known(unit) or unit == "%" or bool(re.fullmatch(r"[^\W\d_]{3,}(?: [^\W\d_]+)?", unit))


def _beyond_gold(given: Quantity, wanted: Quantity, gold: str, relative_tolerance: float) -> Grade | None:
    """A gold without a unit leaves the unit to its question, so an answer may name one."""
    if not _is_measure(given.unit):
        return None
    return graded(_are_equal(given, wanted, Fraction(1), relative_tolerance), gold, "quantity")


def _as_percent(given: Quantity, wanted: Quantity, relative_tolerance: float, unit_may_be_missing: bool) -> bool:
    """50% is 0.5; it is 50 too where the gold is a number that asks for percent, so one above 1."""
    if _are_equal(given, wanted, Fraction(1, 100) if given.unit else Fraction(100), relative_tolerance):
        return True
    is_asked_in_percent = abs(wanted.value) > 1 if given.unit else unit_may_be_missing
    return is_asked_in_percent and _are_equal(given, wanted, Fraction(1), relative_tolerance)


def _are_equal(given: Quantity, wanted: Quantity, factor: Fraction, relative_tolerance: float) -> bool:
    """Whether a number times a factor is the wanted one, within the tolerance where there is one."""
    is_whole = wanted.value.denominator == 1
    is_counted = is_whole and (not wanted.unit or given.value.denominator == 1)
    value = given.value * factor
    if wanted.is_exact or is_counted:
        # a conversion by floats is exact to about 15 digits; where there is none, so is the comparison
        return value == wanted.value or (
            factor.denominator > 10**6 and math.isclose(value, wanted.value, rel_tol=1e-12)
        )
    return abs(value - wanted.value) <= Fraction(relative_tolerance) * abs(wanted.value)
