"""Units of measure: whether a text is one, and how one is turned into another."""

import re
from fractions import Fraction
from functools import cache
from typing import Any

from branchmerge.grading.notation import readable, without_words

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
# words behind a number that change it, so they are no unit: "5 more", "5 below", "5 factorial"
CHANGES = frozenset(
    (
        *("pi", "e", "i", "j", "or", "and", "to", "more", "less", "fewer", "below", "above", "not", "none", "negative"),
        *("factorial", "squared", "cubed", "mod", "choose", "plus", "minus", "times", "over", "infinity", "inf"),
        *("half", "halves", "thirds", "quarters", "tenths", "hundredths", "thousandths", "dozen", "dozens", "score"),
        *("sqrt", "sin", "cos", "tan", "log", "ln", "exp", "if", "for", "is", "of", "where"),
    )
)
# names that pint knows and people use as numbers or variables
_NO_UNITS = frozenset({"pi", "π", "e", "i", "j", "x", "y", "z", "n", "inf", "nan"})
_ALLOWED = re.compile(r"[A-Za-zÅΩµμ°%'\"*/^()\s.\d·⋅×⁰¹²³⁴⁵⁶⁷⁸⁹⁻-]{1,60}")
# behind an expression: what is in \text{} and its like with its power, or a word
_BEHIND = re.compile(
    r"(?:(?:\\[,;: ]|~|\s|\\cdot)*"
    r"(?:\\(?:text|textnormal|textrm|mathrm|mbox|rm)\s*\{[^{}]*\}(?:\s*\^\s*\{?-?\d+\}?)?\s*/?))+$"
    r"|(?<=[\d})\s])\s*(?:\\%|\s[A-Za-z]{2,}(?:\^\{?[23]\}?|[²³])?)$"
)
_FEWEST_LETTERS = 3  # of a word
_LONGEST = 100  # characters of a unit
_FILLERS = re.compile(r"[\s*·⋅^{}\\~]")
_LETTERS = re.compile(r"[^\W\d_]+")
# of one or two letters, and yet no variables where they stand behind a number and a space or beside another unit
_SYMBOLS = frozenset(
    (
        *("m", "s", "g", "h", "N", "J", "W", "V", "A", "K", "C", "F", "L", "l"),
        *("Å", "cm", "mm", "km", "kg", "mg", "kJ", "MJ", "eV", "Hz", "Pa", "ft", "in", "yd"),
        *("mi", "lb", "oz", "ml", "mL", "dL", "hr", "ms", "ns", "kW"),
    )
)


def same_spelling(unit: str, other: str) -> bool:
    """Whether two units are written alike; in capitals or not only where that is no other unit, as mW and MW are."""
    one, two = _spelled(unit), _spelled(other)
    if one == two or _FILLERS.sub("", one) == _FILLERS.sub("", two):
        return True
    is_alike = _singular(one.casefold()) == _singular(two.casefold())
    return is_alike and len(one) > 1 and not (is_known(unit) and is_known(other))


def is_marked(unit: str, bare: str) -> bool:
    r"""Whether what stands behind a number can only be its unit: it may be missing, and it may go beyond the gold.

    A letter in italics may be a variable, so 5k is not 5; a degree, %, money, a word, and what is in \text or
    \mathrm are none.

    Args:
        unit: As `quantity.parse` reads it.
        bare: The same without what is in \text{} and its like.
    """
    letters = _LETTERS.findall(bare)
    if not letters:
        return bool(_LETTERS.search(unit)) or any(sign in unit for sign in "°%'\"¢")
    if not all(_is_word(run) or run in _SYMBOLS for run in letters):
        return False
    is_word = any(map(_is_word, letters))
    is_apart = bare.startswith(" ") or len(_LETTERS.findall(unit)) > 1 or re.search("[²³]", bare) is not None
    return is_word or is_apart


def _is_word(run: str) -> bool:
    """Letters that nobody takes for a variable or a product of some: three and more, or Chinese."""
    return len(run) >= _FEWEST_LETTERS or re.fullmatch("[\u4e00-\u9fff]+", run) is not None


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


def without_unit(answer: str, gold: str, may_be_missing: bool) -> tuple[str, str] | None:
    """Two expressions without the units behind them, the answer's turned into the gold's; None where no unit is.

    Args:
        may_be_missing: Whether the gold's unit may be missing.
    """
    (given, unit), (wanted, gold_unit) = _parted(answer), _parted(gold)
    if not unit and not gold_unit:
        return None
    if not unit:
        return (given, wanted) if may_be_missing else None
    if not gold_unit or same_spelling(unit, gold_unit):
        return given, wanted
    conversion = ratio(unit, gold_unit)
    if conversion is None or conversion[1]:
        return None
    return rf"\frac{{{conversion[0].numerator}}}{{{conversion[0].denominator}}}({given})", wanted


def _parted(text: str) -> tuple[str, str]:
    """An expression and the unit behind it; the unit is empty where there is none that can be nothing else."""
    bare = text.strip().strip("$").strip()
    match = _BEHIND.search(bare[-_LONGEST:])
    if match is None or not bare[: len(bare) - len(match[0])].strip():
        return text, ""
    unit = readable(match[0])
    words = unit.casefold().split()
    if not words or CHANGES & set(words):
        return text, ""
    is_sure = is_marked(unit, " " + readable(without_words(match[0])) if without_words(match[0]).strip() else "")
    return (bare[: len(bare) - len(match[0])].strip(), unit) if is_sure else (text, "")
