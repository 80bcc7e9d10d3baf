r"""What the last \boxed{} of a text holds, with its unit behind it; several where they are joined to one answer."""

import re
from dataclasses import dataclass

from branchmerge.grading import quantity

_OPENING = re.compile(r"\\(?:boxed|fbox|framebox)(?![a-zA-Z])\s*(?:\[[^\]\n]{0,20}\])?\s*|(?<![\\\w])boxed(?=[\[{(])")
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_SIGN = re.compile(r"[{}\[\]()]|\\.", re.DOTALL)
_BARE = re.compile(r"[-+]?[\w.]+")
# what may stand between two boxes that are one answer: commas, "and", spaces, the ends of formulas, names of values
_FILLER = re.compile(r"\\q?quad(?![a-z])|\\[,;:!()\[\]]|[\s$,;&*]")
_TEXT = re.compile(r"\\text\w*\s*\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z](?:_\{?\w+\}?)?(?:\([A-Za-z]\))?\s*=")
_MAX_JOINED = 50  # boxes
_MAX_BETWEEN = 80  # characters
_MAX_UNIT = 40  # characters, behind a box
_END = re.compile(r"\s*\.?\s*(?:$|\n|\.\s|,\s|;)")


@dataclass(frozen=True)
class _Box:
    start: int
    end: int
    content: str


def boxed(text: str) -> str | None:
    """The content of the last box that is closed and not empty, joined with those that belong to it.

    It reads the text once, whatever it holds.
    """
    boxes = _boxes(text)
    if not boxes:
        return None
    last = [boxes[-1]]
    for box in reversed(boxes[-_MAX_JOINED:-1]):
        between = text[box.end : last[0].start]
        if not _is_joined(between) or box.end > last[0].start:
            break
        last.insert(0, box)
    contents = [f"{_name_before(text, box.start) if len(last) > 1 else ''}{box.content}" for box in last]
    if len(set(contents)) > 1:
        return ", ".join(contents)
    return _with_unit(text, last[-1])


def _boxes(text: str) -> list[_Box]:
    """All boxes outside of each other that are closed and hold something, in one pass."""
    openings = {found.end(): found.start() for found in _OPENING.finditer(text)}
    boxes: list[_Box] = []
    open_signs: list[tuple[str, int]] = []
    for found in _SIGN.finditer(text) if openings else ():
        sign, place = found[0], found.start()
        if sign in _CLOSING and (sign == "{" or place in openings):
            open_signs.append((_CLOSING[sign], place))
        elif open_signs and sign == open_signs[-1][0]:
            _, opened = open_signs.pop()
            if opened in openings and (content := text[opened + 1 : place].strip()):
                while boxes and boxes[-1].start > openings[opened]:
                    boxes.pop()  # inside of this one
                boxes.append(_Box(openings[opened], place + 1, content))
    for end, start in openings.items():
        if end < len(text) and text[end] not in "{[(" and (bare := _BARE.match(text, end)):
            boxes.append(_Box(start, bare.end(), bare[0].rstrip(".")))
    return sorted(boxes, key=lambda box: box.start)


def _is_joined(between: str) -> bool:
    if len(between) > _MAX_BETWEEN:
        return False
    words = _TEXT.sub(lambda found: " and " if "and" in found[1].split() else f" {found[1]} ", between)
    rest = _NAME.sub(" = ", words)
    names = rest.count("=")
    left = _FILLER.sub(" ", rest.replace("=", " ")).split()
    return left in ([], ["and"]) or (left == ["or"] and names > 0)


def _name_before(text: str, start: int) -> str:
    """The "x = " in front of a box."""
    found = re.search(r"([A-Za-z](?:_\{?\w+\}?)?(?:\([A-Za-z]\))?\s*=\s*)\$?$", text[max(0, start - 20) : start])
    return found[1] if found else ""


def _with_unit(text: str, box: _Box) -> str:
    """A number in a box with the unit that follows it, where its sentence ends with the unit."""
    found = quantity.parse(box.content)
    if found is None or found.unit:
        return box.content
    behind = text[box.end : box.end + _MAX_UNIT].removeprefix("$").removeprefix("\\)")
    end = _END.search(behind)
    unit = behind[: end.start()].rstrip("$ ") if end else ""
    unit = unit.removesuffix("\\)").rstrip("*")
    if unit.strip() and (whole := quantity.parse(f"{box.content} {unit}")) and whole.unit and whole.is_marked:
        return f"{box.content} {unit}".strip()
    return box.content
