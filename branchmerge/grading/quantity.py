r"""Numbers with units: equal when, in the gold's unit, they are the same number.

A number is exact where it can be: a whole number without a unit, a fraction and an amount of money
admit no tolerance, nor do two whole numbers. Only what was measured or rounded has one.
"""

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction

from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.notation import readable, without_words
from branchmerge.grading.rules import Equality
from branchmerge.grading.units import CHANGES, is_known, is_marked, ratio, same_spelling

_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen", "₹": "rupee"}
_MONEY_WORDS = {"dollars": "dollar", "usd": "dollar", "euros": "euro", "eur": "euro", "gbp": "pound sterling"}
_MONEY_WORDS |= {"¢": "cents", "cent": "cents", "元": "yuan", "yuan": "yuan"}
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NUMBER = re.compile(
    r"(?P<sign>[-+]?)\s*(?P<money>[$€£¥₹]?)\s*(?P<sign2>-?)"
    r"(?:(?P<whole>\d+)\s+(?P<top>\d+)\s*/\s*(?P<bottom>\d+)"
    r"|\(?(?P<over>\d+)\)?\s*/\s*\(?(?P<under>\d+)\)?(?!\.?\d)"
    r"|(?:10\s*\^\s*\(?(?P<ten>[-+]?\d{1,4})\)?)(?!\.?\d)"
    r"|(?P<decimal>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+)"
    r"(?:\s*(?:e|(?:[*×x]\s*)?10\s*\^)\s*\(?(?P<power>[-+]?\d{1,4})\)?(?!\.?\d)"
    r"(?:\s*[*×x]?\s*10\s*\^\s*\(?(?P<power2>[-+]?\d{1,4})\)?(?!\.?\d))?)?)"
    r"(?P<unit>(?:\s|(?![\d.,]))\D?.*)?",
    re.IGNORECASE | re.DOTALL,
)
_IN_PARENTHESES = re.compile(r"^\(\s*([-+]?[\d.,/ ]+)\)")
_DEGREES = re.compile(r"(-?)(\d+)\s*°\s*(?:(\d+(?:\.\d+)?)\s*')?\s*(?:(\d+(?:\.\d+)?)\s*''?)?")
_FEWEST_DIGITS = 3  # that count, in a number with a power of ten that others may be rounded to
_FEWEST_ROUNDED = 5  # that count, in a decimal for an exact number: rounding is told from guessing
_MAX_DIGITS = 400  # beyond it a number is no number: reading it would be the work of the one who wrote it


@dataclass(frozen=True)
class Quantity:
    """A number as it is written.

    Args:
        is_exact: Written as a fraction, or as money: nothing was rounded.
        unit: Empty where there is none; "%" for percent.
        is_marked: Whether the unit can be nothing else, a variable least of all.
        n_digits: That count, of a decimal: 3 of 1.20 and of 1.20e5; 0 where no digit was rounded away.
        has_point: Written with a decimal point or a power of ten.
        has_power: Written with a power of ten.
    """

    value: Fraction
    is_exact: bool
    unit: str
    is_marked: bool = True
    n_digits: int = 0
    has_point: bool = False
    has_power: bool = False


def parse(text: str) -> Quantity | None:
    """The number a text is, with its unit; None where it is anything else."""
    plain = _IN_PARENTHESES.sub(r"\1", readable(text))
    if len(plain) >= _MAX_DIGITS:
        return None
    if degrees := _DEGREES.fullmatch(plain):
        return _in_degrees(degrees)
    match = _NUMBER.fullmatch(plain)
    if match is None or (match["sign"] and match["sign2"]):
        return None
    unit, scale = _unit(match)
    value = None if unit is None else _value(match)
    if unit is None or value is None:
        return None
    sign = -1 if "-" in (match["sign"], match["sign2"]) else 1
    is_exact = (match["decimal"] is None and match["ten"] is None) or unit in _CURRENCIES.values()
    digits = (match["decimal"] or "").replace(",", "").replace(" ", "")
    has_point = "." in digits.rstrip(".") or match["power"] is not None
    return Quantity(
        sign * value * scale,
        is_exact,
        unit,
        unit in {"", "%", *_CURRENCIES.values(), *_MONEY_WORDS.values()} or is_marked(unit, _bare_unit(text)),
        len(digits.replace(".", "").lstrip("0")) if has_point else 0,
        has_point,
        match["power"] is not None,
    )


def _in_degrees(match: re.Match[str]) -> Quantity:
    """Degrees, minutes and seconds of an angle."""
    value = int(match[2]) + Fraction(match[3] or 0) / 60 + Fraction(match[4] or 0) / 3600
    return Quantity(-value if match[1] else value, False, "°")


def _bare_unit(text: str) -> str:
    r"""What stands behind the number, without what is in \text{} and its like."""
    match = _NUMBER.fullmatch(readable(without_words(text)))
    apart = " " if re.search("[²³]", text) else ""  # raised as in print, so no formula's letter
    return apart + (match["unit"] or "") if match else "?"


def _value(match: re.Match[str]) -> Fraction | None:
    """The number without its sign; None for a fraction over nought."""
    if match["ten"] is not None:
        return Fraction(10) ** int(match["ten"])
    if match["decimal"] is not None:
        return Fraction(match["decimal"].replace(",", "").replace(" ", "").rstrip(".")) * Fraction(10) ** (
            int(match["power"] or 0) + int(match["power2"] or 0)
        )
    whole, top, bottom = match["whole"] or 0, match["top"] or match["over"], match["bottom"] or match["under"]
    return int(whole) + Fraction(int(top), int(bottom)) if int(bottom) else None


def _unit(match: re.Match[str]) -> tuple[str | None, int]:
    """The unit and the power of ten in front of it; None where what follows the number is no unit."""
    words = (match["unit"] or "").strip()
    first, _, rest = words.partition(" ")
    scale = _SCALES.get(first.casefold(), 1)
    words = rest.strip() if scale > 1 else words
    if words.casefold() in {"percent", "per cent", "percentage", "pct", "%", "% ."}:
        words = "%"
    words = _MONEY_WORDS.get(words.casefold(), _CURRENCIES.get(words, words))
    if match["money"]:
        return (_CURRENCIES[match["money"]] if words in {"", _CURRENCIES[match["money"]]} else None), scale
    return (words if _is_unit(words) else None), scale


def _is_unit(words: str) -> bool:
    if words in {"", "%", *_CURRENCIES.values()}:
        return True
    first = words.split()[0]
    if (first if len(first) == 1 else first.casefold()) in CHANGES or words[0] in "+-=<>^!,;:([{|":
        return False
    return words[0].isalpha() or words[0] in "°'\"Ωµμ/¢" or bool(re.fullmatch(r"10\^-?\d+ [A-Za-z].*", words))


def grade(answer: str, gold: str, rules: Equality) -> Grade | None:
    """The verdict on a number against a number; None where one of them is none, or has what may be no unit."""
    given, wanted = parse(answer), parse(gold)
    if given is None or wanted is None:
        return None
    if same_spelling(given.unit, wanted.unit):
        return graded(are_equal(given, wanted, Fraction(1), rules), gold, "quantity")
    if "%" in (given.unit, wanted.unit) and "" in (given.unit, wanted.unit):
        return graded(_as_percent(given, wanted, rules), gold, "quantity")
    if given.unit and wanted.unit:
        if len(given.unit) == len(wanted.unit) == 1 and given.unit.casefold() == wanted.unit.casefold():
            if not wanted.is_marked or is_known(given.unit):
                return None  # 2l is not 2L: they may be variables
            return graded(are_equal(given, wanted, Fraction(1), rules), gold, "quantity")  # 56 n for 56 N
        return _converted(given, wanted, gold, rules)
    if not (given.is_marked and wanted.is_marked):
        return None
    if not given.unit and not rules.unit_may_be_missing:
        return Grade("wrong", f"no unit, not {gold}", "quantity")
    return graded(are_equal(given, wanted, Fraction(1), rules), gold, "quantity")


def _converted(given: Quantity, wanted: Quantity, gold: str, rules: Equality) -> Grade | None:
    conversion = ratio(given.unit, wanted.unit)
    if conversion is None:
        is_both = _is_measure(given.unit) and _is_measure(wanted.unit)
        return Grade("wrong", f"unit is not that of {gold}", "quantity") if is_both else None
    factor, offset = conversion
    return graded(
        are_equal(replace(given, value=given.value + offset / factor), wanted, factor, rules), gold, "quantity"
    )


def _is_measure(unit: str) -> bool:
    """A unit by its definition, or a word: not a letter that may be a variable."""
    return is_known(unit) or unit == "%" or bool(re.fullmatch(r"[^\W\d_]{3,}(?: [^\W\d_]+)?", unit))


def _as_percent(given: Quantity, wanted: Quantity, rules: Equality) -> bool:
    """50% is 0.5; it is 50 too where the gold is a number that asks for percent, so one above 1."""
    is_share = abs(wanted.value) <= 1 or wanted.value.denominator > 1 or not given.unit  # 1200% for 12 is a slip
    if is_share and are_equal(given, wanted, Fraction(1, 100) if given.unit else Fraction(100), rules):
        return True
    is_asked_in_percent = abs(wanted.value) > 1 if given.unit else rules.unit_may_be_missing
    return is_asked_in_percent and are_equal(given, wanted, Fraction(1), rules)


def are_equal(given: Quantity, wanted: Quantity, factor: Fraction, rules: Equality) -> bool:
    """Whether a number times a factor is the wanted one, within the tolerance where there is one."""
    value = given.value * factor
    # a conversion by floats is exact to about 15 digits; where there is none, so is the comparison
    if value == wanted.value or (factor.denominator > 10**6 and math.isclose(value, wanted.value, rel_tol=1e-12)):
        return True
    if wanted.is_exact:
        is_fraction = wanted.value.denominator > 1 and wanted.unit not in _CURRENCIES.values()
        return rules.may_be_rounded and is_fraction and is_rounded_from(given, wanted.value)
    is_whole = wanted.value.denominator == 1
    if is_whole and not wanted.has_point and (not wanted.unit or given.value.denominator == 1):
        return False
    if wanted.has_power and wanted.n_digits >= _FEWEST_DIGITS and rules.relative_tolerance:
        return abs(value - wanted.value) <= max(_last_place(wanted) / 2, _allowed(wanted, rules))
    return abs(value - wanted.value) <= _allowed(wanted, rules)


def _allowed(wanted: Quantity, rules: Equality) -> Fraction:
    """The largest difference; of a whole number written with a point, as 1.0, a tenth of it."""
    is_whole = wanted.value.denominator == 1 and wanted.has_point
    return Fraction(rules.relative_tolerance) * abs(wanted.value) / (10 if is_whole else 1)


def _last_place(number: Quantity) -> Fraction:
    """What one more in the last digit that counts would add."""
    size = abs(number.value) or Fraction(1)
    exponent = int((size.numerator.bit_length() - size.denominator.bit_length()) * math.log10(2)) - 1
    while Fraction(10) ** (exponent + 1) <= size:
        exponent += 1
    return Fraction(10) ** (exponent - number.n_digits + 1)


def is_rounded_from(given: Quantity, exact: Fraction) -> bool:
    """Whether a decimal of five digits and more is an exact number, rounded or cut in its last digit."""
    missing = abs(exact) - abs(given.value)
    place = _last_place(given)
    is_near = -place / 2 <= missing < place and given.value * exact >= 0
    return given.has_point and given.n_digits >= _FEWEST_ROUNDED and is_near
