"""Times of day, dates and ratios: 2:30 PM is 14:30, 5 May is May 5th, 6:8 is 3:4."""

import re
from fractions import Fraction

from branchmerge.grading.notation import unstyled, words_bare

_TIME = re.compile(r"(\d{1,2})\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?\s*(?:([ap])\.?\s*m\.?)?", re.IGNORECASE)
_RATIO = re.compile(r"(\d+(?:\.\d+)?)\s*(?::|to)\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DATES = (
    (re.compile(rf"{_MONTH}\s+(?:the\s+)?{_DAY}(?:\s*,?\s*(\d{{4}}))?", re.IGNORECASE), (1, 2, 3)),
    (re.compile(rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}(?:\s*,?\s*(\d{{4}}))?", re.IGNORECASE), (2, 1, 3)),
)
_NOON = 12


def same(answer: str, gold: str) -> bool | None:
    """Whether two texts are one time, date or ratio; None where the gold is none of them, or the answer is not read."""
    given, wanted = _plain(answer), _plain(gold)
    for read in (_time, _date):
        one, other = read(given), read(wanted)
        if one is not None and other is not None:
            return one == other
    return _same_ratio(given, wanted)


def _plain(text: str) -> str:
    return " ".join(words_bare(unstyled(text), " ").split())


def _time(text: str) -> tuple[int, int, int | None] | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3]) if match[3] else None
    if match[4]:
        hour = hour % _NOON + (_NOON if match[4] in "pP" else 0)
    return hour, minute, second


def _date(text: str) -> tuple[int, int, int | None] | None:
    for pattern, (month, day, year) in _DATES:
        if match := pattern.fullmatch(text):
            at = _MONTHS.index(match[month].casefold())
            return at + 1, int(match[day]), int(match[year]) if match[year] else None
    return None


def _same_ratio(given: str, wanted: str) -> bool | None:
    """3:4 as 6 to 8 or 3/4; where the gold looks like a time, its two numbers only."""
    gold = _RATIO.fullmatch(wanted)
    if gold is None or not Fraction(gold[2]):
        return None
    said = _RATIO.fullmatch(given)
    if said is None:
        fraction = re.fullmatch(r"(?:\\frac\s*)?\{?(\d+)\}?\s*/?\s*\{?(\d+)\}?", given)
        is_fraction = fraction is not None and ("/" in given or "frac" in given) and int(fraction[2])
        return (
            Fraction(int(fraction[1]), int(fraction[2])) == Fraction(gold[1]) / Fraction(gold[2])
            if fraction and is_fraction
            else None
        )
    if not Fraction(said[2]):
        return False
    return Fraction(said[1]) / Fraction(said[2]) == Fraction(gold[1]) / Fraction(gold[2])
