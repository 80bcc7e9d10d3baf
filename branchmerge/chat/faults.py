"""What is wrong with an answer's text, whatever it says: a loop, a thought that never ends, another script."""

import unicodedata

from branchmerge.chat.conversation import THINK_CLOSE, THINK_OPEN

FAULTS = ("loop", "unclosed", "script")
_MIN_REPEATS, _MIN_LOOP_CHARACTERS, _MAX_UNIT_CHARACTERS = 5, 20, 400
_MIN_STRANGE_LETTERS = 5
_EVERYWHERE = frozenset({"LATIN", "GREEK", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "MICRO", "OHM", "ANGSTROM"})


def faults(text: str, question: str) -> list[str]:
    """Those of `FAULTS` that an answer has."""
    found = (is_loop(text), is_unclosed(text), is_in_another_script(text, question))
    return [name for name, is_so in zip(FAULTS, found, strict=True) if is_so]


def is_loop(text: str) -> bool:
    """Whether a text ends in the same again and again: five times, and over twenty characters."""
    units = range(1, min(len(text) // _MIN_REPEATS, _MAX_UNIT_CHARACTERS) + 1)
    # whatever its phase: the end of a text that repeats is a unit too
    return any(text.endswith(text[-n:] * max(_MIN_REPEATS, -(-_MIN_LOOP_CHARACTERS // n))) for n in units)


def is_unclosed(text: str) -> bool:
    """Whether a thought was begun and not ended."""
    return THINK_OPEN in text and THINK_CLOSE not in text


def is_in_another_script(text: str, question: str) -> bool:
    """Whether a text has five letters or more of a script that the question has none of; Latin and Greek aside."""
    strange = _letters(text)
    known = _EVERYWHERE | _letters(question).keys()
    return sum(count for script, count in strange.items() if script not in known) >= _MIN_STRANGE_LETTERS


def _letters(text: str) -> dict[str, int]:
    """Letters of each script: the first word of their Unicode names."""
    counts: dict[str, int] = {}
    for letter in text:
        if letter.isalpha() and not letter.isascii():
            script = unicodedata.name(letter, "UNKNOWN").split()[0]
            counts[script] = counts.get(script, 0) + 1
    return counts
