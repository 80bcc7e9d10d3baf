r"""Where in a text its final answer is: tagged, boxed, announced in words, fenced, at its end, or all of it."""

import json
import re

from branchmerge.grading.announced import announced, closing
from branchmerge.grading.boxes import boxed
from branchmerge.grading.notation import undelimited, word_of

_TAG = re.compile(r"<(/?)(?:final_)?answer>", re.IGNORECASE)
_FENCED = re.compile(r"```[\w+-]*[ \t]*\n(.*?)```", re.DOTALL)
_MAX_END_SIGNS = 20
_MAX_TAIL = 400_000  # characters; nobody's final answer is further from the end
_END_OF_TEXT = re.compile(r"(?:</s>|<[|｜][^<>|｜\n]{1,40}[|｜]>)$")


def final_answer(text: str) -> str:
    """The final answer of a text as it is shown; empty where the text is."""
    found = readings(text)
    return found[0] if found else ""


def readings(text: str) -> tuple[str, ...]:
    """What the final answer of a text may be: one place in it, read narrowly and widely, the most probable first.

    The last <answer>, else the last box, else what is announced or fenced, whichever is last, else the text
    itself and what its last line comes to. It takes time that grows with the text and no faster.
    """
    text = ended(text[-_MAX_TAIL:])
    if (inside := tagged(text)) is not None:
        return readings(inside)
    if (box := boxed(text)) is not None:
        return _inside(box)
    whole = text.strip()
    if (value := _from_json(whole)) is not None:
        return value
    said, fenced = announced(text), _last_fence(text)
    if said and not (fenced and fenced.end() >= said[0]):
        return said[1]
    if fenced:
        inside = fenced[1].strip()
        return _from_json(inside) or (inside,)
    return tuple(dict.fromkeys((whole, *closing(whole)))) if whole else ()


def ended(text: str) -> str:
    """A text without the signs of a tokenizer that end it."""
    text = text.rstrip()
    for _ in range(_MAX_END_SIGNS):
        end = _END_OF_TEXT.search(text, max(0, len(text) - 50))
        if end is None:
            break
        text = text[: end.start()].rstrip()
    return text


def _inside(box: str) -> tuple[str, ...]:
    """The readings of what is boxed: a sentence in a box may announce in turn."""
    words = word_of(undelimited(box))
    said = announced(words if words is not None else box)
    return said[1] if said else (box,)


def tagged(text: str) -> str | None:
    """What the last tag holds that is closed; one that is left open at the end holds the rest."""
    opened, found = None, None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened = tag.end()
        elif opened is not None:
            found, opened = text[opened : tag.start()].strip(), None
    return text[opened:].strip() if opened is not None and found is None else found


def _last_fence(text: str) -> re.Match[str] | None:
    last = None
    for last in _FENCED.finditer(text):  # noqa: B007
        pass
    return last


def _from_json(text: str) -> tuple[str, ...] | None:
    """The "answer" of a JSON object."""
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    keys = {"answer", "final_answer"}
    found = [value[key] for key in value if key.casefold().replace(" ", "_") in keys]
    return (found[0] if isinstance(found[0], str) else json.dumps(found[0]),) if found else None
