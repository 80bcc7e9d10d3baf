r"""What stands before "=": x = 5, \angle ABC = 30^\circ, S = 2 + 3 = 5 name a value that is asked for alone."""

import re

from branchmerge.grading.notation import undelimited, words_bare

_EQUALS = re.compile(r"(?<![<>!=:\\])=(?!=)")
_APPROX = re.compile(r"\\(?:approx|simeq|doteq)(?![a-z])|[≈≃]")
_LETTER = r"\\?[A-Za-z]+(?:_\{?\w+\}?)?'*"
_NAME = re.compile(
    rf"(?:{_LETTER}|[a-z]+(?:\s[a-z]+)*"  # x, x_1, \theta, area, the number of ways
    rf"|{_LETTER}\s*\([^()=]{{1,20}}\)"  # f(x), f(2), P(A)
    r"|\|\s*\\?[A-Za-z]+\s*\||\[\s*[A-Z]{3,}\s*\]"  # |AB|, [ABC]
    r"|(?:\\(?:angle|triangle|overline|overrightarrow|vec|mathbf|hat|cos|sin|tan|operatorname|text)|∠|△)\s*\{?\s*[\w\s]+\}?"
    rf"|{_LETTER}\s*:\s*{_LETTER}|\([A-Za-z](?:,\s*[A-Za-z])*\))\s*"
)
_DEPENDENT = re.compile(r"y|[a-zA-Z]\([a-z]\)")
_NUMBER = re.compile(r"[-+]?[\d.,]+")
_OUTSIDE = re.compile(r"[\\]begin|\\text\w*\{\s*(?:and|or)\b|\b(?:and|or)\b|\\pm(?![a-z])|[<>]|\\[lg]eq(?![a-z])|[;]")


def unnamed(answer: str, gold: str) -> list[tuple[str, str]]:
    """Pairs to compare, of which one must be equal: both as they are, or without what names a value.

    An answer's names and the steps of its chain count for nothing where the gold is a value alone, and a gold's name
    where the answer is; two that are named differently are compared whole.
    """
    given, wanted = _sides(answer), _sides(gold)
    if len(given) == 1 and len(wanted) == 1:
        return [(one, gold) for one in _rounded(answer)]
    if len(wanted) == 1:
        return [(one, gold) for one in _ends(given)] or [(answer, gold)]
    if not all(_NAME.fullmatch(side) for side in wanted[:1]) and len(wanted) == 2:
        return [(answer, gold)]  # an equation is asked for, and no value
    if len(given) == 1:
        return [(one, wanted[-1]) for one in _rounded(answer)]
    if not _are_one_name(given[0], wanted[0]):
        return [(answer, gold)]
    return [(one, wanted[-1]) for one in _ends(given)] or [(answer, gold)]


def _sides(text: str) -> list[str]:
    """What stands between the "=" of a text that is one equation or chain, else the text."""
    bare = undelimited(text)
    if (inner := re.fullmatch(r"\(([^()]*=[^()]*)\)", bare)) is not None:
        bare = inner[1].strip()
    if _OUTSIDE.search(bare) or _has_comma_outside(bare):
        return _named_block(bare) or [bare]
    hidden = re.sub(r"\{[^{}]*\}", lambda found: found[0].replace("=", "\0"), bare)  # the = of a sum's bounds
    sides = [side.strip().replace("\0", "=") for side in _EQUALS.split(hidden)]
    return sides if all(sides) else [bare]


def _named_block(bare: str) -> list[str] | None:
    r"""A name before a matrix, cases or a tuple: \mathbf{v} = \begin{pmatrix}..."""
    name, equals, rest = bare.partition("=")
    is_block = rest.strip().startswith(("\\begin", "(", "[", r"\left"))
    return [name.strip(), rest.strip()] if equals and is_block and _NAME.fullmatch(name.strip()) else None


def _has_comma_outside(bare: str) -> bool:
    depth = 0
    for sign in re.sub(r"(?<=\d),(?=\d{3})", "", bare):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            return True
    return False


def _ends(sides: list[str]) -> list[str]:
    """The value of a chain: its last side, or the first where the last is the name; none of 2 = 2."""
    last = sides[-1]
    if _NAME.fullmatch(last) and not _NAME.fullmatch(sides[0]):
        return [sides[0]]
    if len(sides) == 2 and _NUMBER.fullmatch(sides[0]):
        return []
    return _rounded(last)


def _rounded(text: str) -> list[str]:
    """What stands before and behind "approximately"; the whole where the two are not about the same."""
    exact, *rest = _APPROX.split(text, maxsplit=1)
    if not rest or not exact.strip():
        return [text]
    are_close = _are_close(exact, rest[0])
    if are_close is None:
        return [exact.strip()]
    return [exact.strip(), rest[0].strip()] if are_close else [text]


def _are_close(one: str, other: str) -> bool | None:
    """Whether two numbers differ by less than a fiftieth; None where one is none."""
    from branchmerge.grading.mathematics import expression

    values = [expression(undelimited(part).replace(r"\$", "")) for part in (one, other)]
    if any(value is None or getattr(value, "free_symbols", {1}) for value in values):
        return None
    first, second = (value.evalf() for value in values)
    return bool(abs(first - second) <= abs(first) / 50) if first.is_number and second.is_number else None


def _are_one_name(one: str, other: str) -> bool:
    bare, gold = (words_bare(name).replace(" ", "") for name in (one, other))
    return bare == gold or all(_DEPENDENT.fullmatch(name) for name in (bare, gold))
