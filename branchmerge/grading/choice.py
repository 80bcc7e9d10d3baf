r"""Multiple choice: the letter of the right option, or its text, also where an answer says it in a sentence."""

import json
import re

from branchmerge.grading.answers import readings
from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.notation import words_bare
from branchmerge.grading.text import plain, spaced

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# "B", "(B)", "B.", "B) 12 m", "option B", "**B**", "\text{B}"; what follows the letter is the second group
_NAMED = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)(?:\s+is)?\s*:?\s*)?"
    r"[(\[{]?\s*([A-Z])\s*(?:[)\]}.:,。，：]+|-(?=\s)|$|(?=\s+(?:because|since|as|is)\b))\s*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_ANOTHER = re.compile(r"\b([A-Z])\b")  # in capitals: "a" is mostly the article
_OF_OPTIONS = re.compile(
    r"\b(?!I(?:\s+[a-z]|'))(?!A\s+(?!because|since|as|is|or|and)[a-z])([A-Z])\b"
)  # no pronoun, no article
_DENIED = re.compile(
    r"(?:\b(?:not|isn't|can't\s+be|cannot\s+be|rather\s+than|instead\s+of|non|neither|nor)|不是|而不是)\s+(?:it\s+be\s+|to\s+be\s+)?"
    r"\(?[A-Z]\b\)?(?:\s*(?:,|or|and|nor)\s*\(?[A-Z]\b\)?)*"
    r"|\b(?:for\s+it\s+)?to\s+be\s+\(?[A-Z]\b\)?(?:\s*(?:,|or|and)\s*\(?[A-Z]\b\)?)*",
)
# a letter that a sentence gives as its answer, where no announcement was found
_CONCLUDED = re.compile(
    r"\b(?:it's|it\s+is|is|be|choose|select|pick|option|choice|est|选|选择)\s*:?\s*\(?\**([A-Z])\**\)?(?=[\s.,;:)!?。，]|$)"
)
_LONGEST = 2000  # characters of the end in which a letter is sought


def choices(meta: str | None) -> list[str] | None:
    """The options that a prompt's meta (JSON) holds; None where it holds none."""
    options = json.loads(meta).get("choices") if meta else None
    return [str(option) for option in options] if options else None


def grade(answer: str, gold: str, options: list[str]) -> Grade:
    """The option a whole answer names against the gold one; wrong where it names none or several."""
    right = _named(gold, options)
    if right is None:
        return Grade("unverifiable", f"{gold} is no option", "choice")
    found = (answer.strip(), *readings(answer))
    if not found[0]:
        return Grade("wrong", "no answer", "choice")
    named = next((place for place in (_named(one, options) for one in found) if place is not None), None)
    if named is None and (letter := concluded(answer, len(options))) is not None:
        index = _LETTERS.index(letter)
        named = index if not any(_mentions(one, index, options) for one in found) else None
    if named is None:
        return Grade("wrong", "names no one option", "choice")
    return graded(named == right, gold, "choice")


def letter_of(text: str) -> str | None:
    """The letter of an option in a text that is "C", "(c)" or "C) and its words"; None for any other."""
    match = _NAMED.fullmatch(_bare(text))
    return match[1].upper() if match else None


def concluded(answer: str, count: int) -> str | None:
    """The one letter of the first so many that an answer's end gives as its own and does not deny.

    Of the last announcement, where there is one, else of the last sentence that says "it is C" or the like.
    """
    letters = _LETTERS[:count]
    for said in readings(answer)[:3]:
        kept = _DENIED.sub(" ", said)
        named = {letter for letter in _OF_OPTIONS.findall(kept) if letter in letters}
        if len(said) <= _LONGEST // 10 and named:
            return named.pop() if len(named) == 1 else None
    kept = _DENIED.sub(" ", answer[-_LONGEST:])
    found = [letter for letter in _CONCLUDED.findall(kept) if letter in letters]
    return found[-1] if found else None


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
    return words_bare(text).replace("*", "").replace("$", "").strip()


def _places(said: str, options: list[str]) -> list[int]:
    """The options that read like a text; with another case only where none has the same: bb is not BB."""
    bare = [_bare(option) for option in options]
    exact = [place for place, option in enumerate(bare) if spaced(option) == spaced(said)]
    return exact or [place for place, option in enumerate(bare) if plain(option) == plain(said)]


def _mentions(said: str, index: int, options: list[str]) -> bool:
    """Whether a text holds the words of another option."""
    words = f" {plain(said)} "
    return any(f" {plain(_bare(option))} " in words for place, option in enumerate(options) if place != index)


def _agrees(rest: str, index: int, options: list[str]) -> bool:
    """Whether what follows a letter names no other option."""
    rest = _DENIED.sub(" ", rest).strip()
    if same := _places(rest, options):
        return index in same
    return set(_ANOTHER.findall(rest)) & set(_LETTERS[: len(options)]) <= {_LETTERS[index]}
