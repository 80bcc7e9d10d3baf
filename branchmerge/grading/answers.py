r"""Where in a text its final answer is: tagged, boxed, fenced, announced in words, or all of it."""

import re

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"```[\w+-]*[ \t]*\n(.*?)```", re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_ANNOUNCED = re.compile(
    r"^[\W_]*(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is\b\s*:?|[\s*_]*:)[\s*_]*"
    r"(\S.*?)[\s*_.]*$"
    r"|^####\s*(\S.*?)\s*$"
    r"|\bthe\s+(?:final|correct)\s+answer\s+is\b\s*:?[\s*_]*(\S.*?)[\s*_.]*$",
    re.IGNORECASE | re.MULTILINE,
)


def final_answer(text: str) -> str:
    r"""The last <answer> of a text, else its last \boxed, fenced block or announced answer, else the text itself."""
    for find in (_tagged, _boxed, _fenced, _announced):
        if (found := find(text)) is not None:
            return final_answer(found) if found != text else found
    return text.strip()


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.findall(text)
    return str(found[-1]).strip() if found else None


def _tagged(text: str) -> str | None:
    return _last(_TAGGED, text)


def _fenced(text: str) -> str | None:
    return _last(_FENCED, text)


def _announced(text: str) -> str | None:
    found = _ANNOUNCED.findall(text)
    return "".join(found[-1]).strip() if found else None


def _boxed(text: str) -> str | None:
    """What the last box holds that is closed; its own braces are balanced."""
    for opening in reversed(list(_BOX.finditer(text))):
        depth = 1
        for place in range(opening.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return text[opening.end() : place].strip()
    return None
