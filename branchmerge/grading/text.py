"""Answers that are words: equal but for case, spaces, quotation marks around them and a final stop."""

from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.notation import undelimited, word_of

_QUOTES = "'\"`“”‘’"


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


def grade(answer: str, gold: str) -> Grade:
    """Equal as words, or wrong."""
    return graded(plain(answer) == plain(gold), gold, "text")
