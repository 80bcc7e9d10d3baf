r"""Multiple choice: the letter of the right option, or its text."""

import json
import re

from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.text import plain, spaced

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# "B", "(B)", "B.", "B) 12 m", "option B", "**B**", "\text{B}"; what follows the letter is the second group
_NAMED = re.compile(
    r"(?:\\text\w*\{\s*)?(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)(?:\s+is)?\s*:?\s*)?"
    r"[(\[]?\s*([A-Z])\s*(?:[)\]}.:,]+|-(?=\s)|$)\s*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_ANOTHER = re.compile(r"\b([A-Z])\b")  # in capitals: "a" is mostly the article


def choices(meta: str | None) -> list[str] | None:
    """The options that a prompt's meta (JSON) holds; None where it holds none."""
    options = json.loads(meta).get("choices") if meta else None
    return [str(option) for option in options] if options else None


def grade(answer: str, gold: str, options: list[str]) -> Grade:
    """The option an answer names against the gold one; wrong where it names none or several."""
    right = _named(gold, options)
    if right is None:
        return Grade("unverifiable", f"{gold} is no option", "choice")
    named = _named(answer, options)
    if named is None:
        return Grade("wrong", "names no one option", "choice")
    return graded(named == right, gold, "choice")


def _named(text: str, options: list[str]) -> int | None:
    """Index of the one option that a text names by its letter, its text or both."""
    said = _bare(text)
    same = _places(said, options)
    if len(same) == 1 and len(said) > 1:  # one sign is a letter first: "C" may also be the text of option A
        return same[0]
    match = _NAMED.fullmatch(said)
    if match is None or (index := _LETTERS.index(match[1].upper())) >= len(options):
        return same[0] if len(same) == 1 else None
    return index if _agrees(match[2].strip(" }.\n"), index, options) else None


def _bare(text: str) -> str:
    """Without the signs of bold and of mathematics."""
    return text.replace("*", "").replace("$", "").strip()


def _places(said: str, options: list[str]) -> list[int]:
    """The options that read like a text; with another case only where none has the same: bb is not BB."""
    bare = [_bare(option) for option in options]
    exact = [place for place, option in enumerate(bare) if spaced(option) == spaced(said)]
    return exact or [place for place, option in enumerate(bare) if plain(option) == plain(said)]


def _agrees(rest: str, index: int, options: list[str]) -> bool:
    """Whether what follows a letter names no other option."""
    if same := _places(rest, options):
        return index in same
    return set(_ANOTHER.findall(rest)) & set(_LETTERS[: len(options)]) <= {_LETTERS[index]}
