r"""Answers of several parts: lists, pairs, sets, intervals, unions, matrices and solutions side by side.

The kind counts: (1,2), {1,2} and [1,2] are three answers. Solutions without brackets, like a set,
have no order; words without brackets have theirs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from branchmerge.grading.notation import unstyled

Kind = Literal["()", "[]", "{}", "(]", "[)", "union", "bare", "rows"]

_KINDS: dict[str, Kind] = {"()": "()", "[]": "[]", "{}": "{}", "(]": "(]", "[)": "[)"}
_OPENING, _CLOSING = "([{", ")]}"
_BRACES = ((r"\{", "{"), (r"\}", "}"), (r"\lbrace", "{"), (r"\rbrace", "}"), (r"\langle", "("), (r"\rangle", ")"))
_MATRIX = re.compile(r"\\begin\{([pbBvV]?matrix|array)\}(?:\{[lcr|]+\})?(.*?)\\end\{\1\}", re.DOTALL)
_JOINED = re.compile(r"\s*(?:\\cup(?![a-z])|∪)\s*|(?<=[\])])\s+U\s+(?=[\[(])")
_MEMBER = re.compile(r"^[A-Za-z]\s*(?:\\in(?![a-z])|∈)\s*")
_WORDED = re.compile(r"\s*,?\s*(?:\\text\{\s*(?:and|or)\s*\}|\b(?:and|or)\b)\s*", re.IGNORECASE)
_ROWS = re.compile(r"\s*[-+]?[\d.]+(?:\s+[-+]?[\d.]+)+\s*")  # numbers side by side, perhaps in lines
_PLUS_MINUS = re.compile(r"\\pm(?![a-z])|±|\+/-")
_RELATIONS = (
    (re.compile(r"\\(?:leq?|leqslant)(?![a-z])|≤|<="), "≤"),
    (re.compile(r"\\(?:geq?|geqslant)(?![a-z])|≥|>="), "≥"),
    (re.compile(r"\\lt(?![a-z])"), "<"),
    (re.compile(r"\\gt(?![a-z])"), ">"),
)
_INEQUALITY = re.compile(r"(?:([^<>≤≥=]+?)\s*([<>≤≥]))?\s*([A-Za-z])\s*(?:([<>≤≥])\s*([^<>≤≥=]+))?")


@dataclass(frozen=True)
class Collection:
    """Parts and the brackets around them."""

    kind: Kind
    parts: tuple[str, ...]


def parse(text: str, is_mathematics: bool) -> Collection | None:
    """The parts of a text; None where it is one thing.

    Args:
        is_mathematics: Whether "and", "or", ± and inequalities mean what they do there.
    """
    if _ROWS.fullmatch(text):
        lines = [line for line in text.splitlines() if line.strip()]
        return Collection("rows", tuple(lines if len(lines) > 1 else text.split()))
    plain = _bracketed(text)
    if matrix := _matrix(plain):
        return matrix
    if is_mathematics:
        plain = _MEMBER.sub("", plain)
        if len(pieces := _JOINED.split(plain)) > 1:
            return Collection("union", tuple(sorted(pieces)))
        if interval := _interval(plain):
            return interval
    if _encloses(plain):
        parts = _split(plain[1:-1])
        kind = _KINDS.get(plain[0] + plain[-1])
        return Collection(kind, parts) if kind and (len(parts) > 1 or kind in {"[]", "{}"}) else None
    return _bare(plain, is_mathematics)


def _bracketed(text: str) -> str:
    plain = unstyled(text)
    for command, sign in _BRACES:
        plain = (
            re.sub(re.escape(command) + r"(?![a-z])", sign, plain)
            if command[1].isalpha()
            else plain.replace(command, sign)
        )
    return plain.strip()


def _matrix(plain: str) -> Collection | None:
    match = _MATRIX.fullmatch(plain)
    if match is None:
        return None
    rows = [row for row in re.split(r"\\\\", match[2]) if row.strip()]
    return Collection("[]", tuple("[" + ", ".join(cell.strip() for cell in row.split("&")) + "]" for row in rows))


def _interval(plain: str) -> Collection | None:
    """x > 2 as (2, infinity), 1 < x ≤ 2 as (1, 2]."""
    for pattern, sign in _RELATIONS:
        plain = pattern.sub(sign, plain)
    match = _INEQUALITY.fullmatch(plain)
    if match is None or not (match[2] or match[4]):
        return None
    left, right = match[2], match[4]
    if left and right and (left in "<≤") != (right in "<≤"):
        return None
    ends = {"low": (r"-\infty", False), "high": (r"\infty", False)}
    if left:
        ends["low" if left in "<≤" else "high"] = (match[1].strip(), left in "≤≥")
    if right:
        ends["high" if right in "<≤" else "low"] = (match[5].strip(), right in "≤≥")
    (low, has_low), (high, has_high) = ends["low"], ends["high"]
    return Collection(_KINDS[("[" if has_low else "(") + ("]" if has_high else ")")], (low, high))


def _encloses(plain: str) -> bool:
    """Whether the first bracket closes at the end."""
    if len(plain) < 2 or plain[0] not in _OPENING or plain[-1] not in _CLOSING:
        return False
    depth = 0
    for place, sign in enumerate(plain):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0:
            return place == len(plain) - 1
    return False


def _split(plain: str) -> tuple[str, ...]:
    """Parts between the commas (or semicolons) outside of brackets and quotation marks."""
    parts, depth, start, quote = [], 0, 0, ""
    for place, sign in enumerate(plain):
        if sign in "'\"" and quote in ("", sign) and (quote or plain[start:place].strip() == ""):
            quote = "" if quote else sign
        elif quote:
            continue
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if sign in ",;" and depth == 0:
            parts.append(plain[start:place].strip())
            start = place + 1
    parts.append(plain[start:].strip())
    return tuple(parts) if parts != [""] else ()


def _bare(plain: str, is_mathematics: bool) -> Collection | None:
    if is_mathematics:
        plain = _WORDED.sub(", ", plain)
    parts = _split(plain)
    if is_mathematics:
        parts = tuple(solution for part in parts for solution in _both_signs(part))
    return Collection("bare", parts) if len(parts) > 1 and all(parts) else None


def _both_signs(part: str) -> tuple[str, ...]:
    if not _PLUS_MINUS.search(part):
        return (part,)
    plus = _PLUS_MINUS.sub("+", part)
    return plus.removeprefix("+"), _PLUS_MINUS.sub("-", part)


def are_equal(given: Collection, wanted: Collection, equal: Callable[[str, str], bool], is_ordered: bool) -> bool:
    """Whether two collections have equal parts and brackets.

    Args:
        equal: Compares a part with a part of the gold.
        is_ordered: Whether parts without brackets have an order.
    """
    has_order = given.kind not in {"{}", "union"} and (given.kind != "bare" or is_ordered)
    kinds = {given.kind, wanted.kind}
    if len(kinds) > 1 and kinds != {"bare", "{}"}:
        return False
    if len(given.parts) != len(wanted.parts):
        return False
    if has_order and len(kinds) == 1:
        return all(equal(*pair) for pair in zip(given.parts, wanted.parts, strict=True))
    remaining = list(wanted.parts)
    for part in given.parts:
        match = next((place for place, other in enumerate(remaining) if equal(part, other)), None)
        if match is None:
            return False
        del remaining[match]
    return True
