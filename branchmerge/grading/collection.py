r"""Answers of several parts: lists, pairs, sets, intervals, unions, matrices and solutions side by side.

The kind counts: (1,2), {1,2} and [1,2] are three answers. Solutions without brackets, like a set,
have no order; words without brackets have theirs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from branchmerge.grading.intervals import intervals
from branchmerge.grading.notation import unstyled

Kind = Literal["()", "[]", "{}", "(]", "[)", "union", "bare", "rows"]

_KINDS: dict[str, Kind] = {"()": "()", "[]": "[]", "{}": "{}", "(]": "(]", "[)": "[)"}
_OPENING, _CLOSING = "([{", ")]}"
_BRACES = ((r"\{", "{"), (r"\}", "}"), (r"\lbrace", "{"), (r"\rbrace", "}"), (r"\langle", "("), (r"\rangle", ")"))
_MATRIX = re.compile(
    r"[(\[]?\s*\\begin\{([pbB]?matrix|smallmatrix|array)\}(?:\{[^{}]*\})?(.*?)(?:\\\\\s*)?\\end\{\1\}\s*[)\]]?",
    re.DOTALL,
)
_CASES = re.compile(r"\\begin\{cases\}(.*?)(?:\\\\\s*)?\\end\{cases\}", re.DOTALL)
_JOINED = re.compile(r"\s*(?:\\cup(?![a-z])|∪)\s*|(?<=[\])])\s+U\s+(?=[\[(])")
_MEMBER = re.compile(r"^[A-Za-z]\s*(?:\\in(?![a-z])|∈)\s*(?!\\mathbb)")
_WORDED = re.compile(
    r"\s*,?\s*(?:\\q?quad\s*)*(?:\\text\{\s*(?:and|or)\s*\}|\b(?:and|or)\b)\s*(?:\\q?quad(?![a-z])\s*)*", re.IGNORECASE
)
_APART = re.compile(r"(?<![,;{])\s*\\q?quad(?![a-z])\s*(?![,;\s])")
_ROWS = re.compile(r"\s*[-+]?[\d.]+(?:\s+[-+]?[\d.]+)+\s*")  # numbers side by side, perhaps in lines
_GROUPED = re.compile(r"\s*[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?\s*")  # one number, its digits in threes
_PLUS_MINUS = re.compile(r"\\pm(?![a-z])|±|\+/-|\\mp(?![a-z])|∓")
_MAX_SIGNS = 4
_COLUMN = re.compile(r"\[[^,\[\]]*\]")
_NAMED = re.compile(r"\s*([A-Za-z][\w'{}\\]*?(?:\([A-Za-z]\))?)\s*=(?!=)\s*[^=]+")


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
    if _ROWS.fullmatch(text) and not _GROUPED.fullmatch(text):
        lines = [line for line in text.splitlines() if line.strip()]
        return Collection("rows", tuple(lines if len(lines) > 1 else text.split()))
    spread = _APART.sub(", ", _WORDED.sub(", ", text)) if is_mathematics and "quad" in text else text
    plain = _bracketed(spread)
    if matrix := _matrix(plain):
        return matrix
    if cases := _CASES.fullmatch(plain):
        rows = [row.strip(" ,") for row in re.split(r"\\\\", cases[1]) if row.strip()]
        return Collection("bare", tuple(rows)) if not any("&" in row for row in rows) else None
    if is_mathematics:
        plain = _MEMBER.sub("", plain)
        if sets := intervals(_MEMBER.sub("", re.sub(r"\\q?quad(?![a-z])", " ", _bracketed(text)))):
            return _of_intervals(sets)
        if len(pieces := _JOINED.split(plain)) > 1:
            return Collection("union", tuple(sorted(pieces)))
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


def _of_intervals(sets: list[tuple[str, str, str]]) -> Collection:
    if len(sets) == 1:
        ((brackets, low, high),) = sets
        return Collection(_KINDS[brackets], (low, high))
    return Collection("union", tuple(f"{brackets[0]}{low}, {high}{brackets[1]}" for brackets, low, high in sets))


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


def _split(plain: str, separators: str | None = None) -> tuple[str, ...]:
    """Parts between the commas (or semicolons, where there are any) outside of brackets and quotation marks."""
    if separators is None:
        by_semicolon = _split(plain, ";")
        return by_semicolon if len(by_semicolon) > 1 else _split(plain, ",")
    parts, depth, start, quote = [], 0, 0, ""
    for place, sign in enumerate(plain):
        if sign in "'\"" and quote in ("", sign) and (quote or plain[start:place].strip() == ""):
            quote = "" if quote else sign
        elif quote:
            continue
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if sign in separators and depth == 0:
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
    """The values of an expression with ±, each sign of its own; ∓ is the other one of the ± before it."""
    signs = _PLUS_MINUS.findall(part)
    if not signs or len(signs) > _MAX_SIGNS:
        return (part,)
    if any(sign in (r"\mp", "∓") for sign in signs):
        upper = _PLUS_MINUS.sub(lambda found: "-" if found[0] in (r"\mp", "∓") else "+", part)
        lower = _PLUS_MINUS.sub(lambda found: "+" if found[0] in (r"\mp", "∓") else "-", part)
        return upper.removeprefix("+"), lower.removeprefix("+")
    plus, minus = (_PLUS_MINUS.sub(sign, part, count=1) for sign in "+-")
    return tuple(value for one in (plus, minus) for value in _both_signs(one.strip().removeprefix("+").strip()))


def names(collection: Collection) -> tuple[str, ...] | None:
    """The names of parts that are all "name = value", each another; None for any other parts."""
    found = [_NAMED.fullmatch(part) for part in collection.parts]
    if not all(found) or collection.kind != "bare":
        return None
    said = tuple(match[1] for match in found if match)
    return said if len(set(said)) == len(said) > 1 else None


def are_equal(given: Collection, wanted: Collection, equal: Callable[[str, str], bool], is_ordered: bool) -> bool:
    """Whether two collections have equal parts and brackets.

    Args:
        equal: Compares a part with a part of the gold.
        is_ordered: Whether parts without brackets have an order.
    """
    given, wanted = _flat(given, wanted), _flat(wanted, given)
    kinds = {given.kind, wanted.kind}
    is_named = (names(given) is None) != (names(wanted) is None)  # (5, 2) or 5, 2 for p = 5, q = 2
    has_order = given.kind not in {"{}", "union"} and (given.kind != "bare" or is_ordered or is_named)
    if len(kinds) > 1 and kinds != {"bare", "{}"} and not (is_named and kinds == {"bare", "()"}):
        return False
    remaining = list(wanted.parts)
    parts = list(given.parts)
    if not has_order and len(set(remaining)) == len(remaining):
        parts = list({re.sub(r"\s", "", part): part for part in parts}.values())  # a solution named twice is one
    if len(parts) != len(remaining):
        return False
    if has_order and (len(kinds) == 1 or is_named):
        return all(equal(*pair) for pair in zip(parts, remaining, strict=True))
    for part in parts:
        match = next((place for place, other in enumerate(remaining) if equal(part, other)), None)
        if match is None:
            return False
        del remaining[match]
    return True


def _flat(one: Collection, other: Collection) -> Collection:
    """A matrix of one column as the vector it is, where the other is one: (1, 2) or [1, 2]."""
    if one.kind != "[]" or other.kind not in {"()", "[]"} or not all(_COLUMN.fullmatch(part) for part in one.parts):
        return one
    if any(part.startswith("[") for part in other.parts):
        return one
    return Collection(other.kind, tuple(part[1:-1] for part in one.parts))
