"""Answers that are words: equal but for case, spaces, quotation marks around them, an article and a final stop."""

import re

from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.notation import undelimited, word_of

_QUOTES = "'\"`“”‘’"
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S{3})")
_TO_TWENTY = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_TENS = ("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {word: str(number) for number, word in enumerate(_TO_TWENTY)} | {
    word: str(number) for number, word in zip(range(30, 100, 10), _TENS, strict=True)
}
_NONE = {
    *(r"\emptyset", "{}", r"\{\}", "empty set"),
    *("no solution", "no solutions", "no real solution", "no real solutions"),
}
_UNDEFINED = {"dne", "does not exist", "undefined", "doesn't exist"}
_TRUE, _FALSE = {"yes", "true", "y"}, {"no", "false", "n"}


def spaced(text: str) -> str:
    """A text with single spaces, without the stop at its end."""
    return " ".join(text.split()).removesuffix(".").rstrip()


def unquoted(text: str) -> str:
    r"""A text without the marks around it: quotation, the bold of Markdown, or the \text of LaTeX."""
    bare = undelimited(text)
    if (word := word_of(bare)) is not None:
        bare = word
    while len(bare) > 1 and bare[0] in _QUOTES and bare[-1] in _QUOTES:
        bare = bare[1:-1].strip()
    return bare


def plain(text: str) -> str:
    """What counts of a text: its words, whatever their case."""
    return spaced(unquoted(spaced(text))).casefold()


def in_digits(text: str) -> str:
    """A number word from zero to ninety-nine in digits; any other text as it is."""
    words = plain(text).replace("-", " ").split()
    found = [_NUMBERS.get(word) for word in words]
    if len(found) == 1 and found[0]:
        return found[0]
    is_two = len(found) == 2 and found[0] and found[1] and int(found[0]) >= 20 and 0 < int(found[1]) < 10
    return str(int(found[0] or 0) + int(found[1] or 0)) if is_two else text


def are_equal(answer: str, gold: str, yes_is_true: bool) -> bool:
    """Whether two texts are the same words, or the same of the few that say one thing: no solution, DNE, yes.

    Args:
        yes_is_true: Whether yes, true and y are one answer.
    """
    return _words(answer) == _words(gold) or say_the_same(answer, gold, yes_is_true)


def say_the_same(answer: str, gold: str, yes_is_true: bool) -> bool:
    """Whether two texts are among the few that say one thing in several words."""
    groups = (_NONE, _UNDEFINED, *((_TRUE, _FALSE) if yes_is_true else ()))
    return any(_words(answer) in group and _words(gold) in group for group in groups)


def _words(text: str) -> str:
    return _ARTICLE.sub("", plain(text))


def grade(answer: str, gold: str, yes_is_true: bool = False) -> Grade:
    """Equal as words, or wrong."""
    return graded(are_equal(answer, gold, yes_is_true), gold, "text")
