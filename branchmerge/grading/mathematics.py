r"""Mathematical expressions: equal when they have one value at every point tried, to 40 digits.

Read by the parser of math-verify. Its comparison is not used: it takes (1,2) for {1,2} and rounds.
Whatever hangs here is ended by the worker's limits.
"""

import re
from functools import lru_cache
from typing import Any

from branchmerge.grading.notation import powers_lowered, undelimited, unstyled, words_bare

_FUNCTIONS = (
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sin", "cos", "tan", "cot", "sec", "csc"),
    *("asin", "acos", "atan", "log", "ln", "exp", "sqrt", "min", "max", "gcd", "lcm"),
)
_WORDS = {*_FUNCTIONS, "pi", "infinity", "inf", "infty", "and", "or", "dx", "theta", "alpha", "beta", "frac", "mod"}
_SHORT_WORDS = frozenset(
    [
        "am",
        "an",
        "as",
        "at",
        "be",
        "by",
        "do",
        "go",
        "he",
        "if",
        "in",
        "is",
        "it",
        "me",
        "my",
        "no",
        "of",
        "on",
        "so",
        "to",
        "up",
        "us",
        "we",
    ]
)
_VOWEL = re.compile("[aeou]")
_SIGNS = (
    (re.compile(r"\\[dtc]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"[*·⋅×]|\\times(?![a-z])"), r" \\cdot "),
    (re.compile(r"÷"), r" \\div "),
    (re.compile(r"(?<![\\A-Za-z])a(?=(?:sin|cos|tan)(?![A-Za-z]))"), "arc"),
    (re.compile(r"(?<![\\A-Za-z])log(?=\()"), "ln"),  # typed as code, where log is the natural one
    (re.compile(r"π|(?<![\\A-Za-z])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"∞|(?<![\\A-Za-z])(?:infinity|infty|inf)(?![A-Za-z])"), r"\\infty "),
    (re.compile(r"^\+\s*(?=\\infty)"), ""),
    (re.compile(r"√\s*(\d+|[A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"√\s*(?=\()"), "sqrt"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac\{[^{}]*\})\s*(\d)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s*(\d|[A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"(\d),(?=\d{3}(?!\d))"), r"\1"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|°"), r" \\cdot \\frac{\\pi}{180} "),
)
_FUNCTION = re.compile(rf"(?<![\\A-Za-z])({'|'.join(_FUNCTIONS)})(?![A-Za-z])")
_BASE = re.compile(r"\(?([0-9A-Fa-f]+)\)?\s*_\s*\{?\s*(\d+)\s*\}?")
_DIGITS, _AGREEING = 40, 30  # of the values compared, and of those that must agree
_POINTS = ("1.3717", "-0.6183", "2.2361", "0.1931", "-3.1427", "5.7713")  # far from roots, poles and each other


def looks_like(text: str) -> bool:
    """Whether a text can be read as mathematics: one-letter names, known functions, no words, dates or times."""
    plain = undelimited(text)
    if re.search(r"(?<![_\d])\d+\s+\d", plain):
        return False
    if not re.search(r"[\d\\=^√π∞±]|^[A-Za-z]$|[A-Za-z]\s*[-+*/<>]\s*[A-Za-z]", plain):
        return False
    if re.search(r":|\d-\d+-\d|[\"'#@&?]", re.sub(r"\\begin.*?\\end\{\w+\}", "", plain, flags=re.DOTALL)):
        return False
    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"\\[A-Za-z]+|\{[pbBvV]?matrix\}|π", " ", plain))
    if not all(_is_name(word) for word in words):
        return False
    return not re.search(r"(?<![\\A-Za-z])[A-Za-z]\d", plain)


def _is_name(word: str) -> bool:
    """A known function, or letters side by side: a product of two or three variables."""
    if word.casefold() in _WORDS:
        return True
    return word.isascii() and (
        word not in _SHORT_WORDS if len(word) == 2 else len(word) == 3 and not _VOWEL.search(word)
    )


def are_equal(answer: str, gold: str, relative_tolerance: float) -> bool | None:
    """Whether two expressions or equations are equal; None where one of them cannot be read.

    Args:
        relative_tolerance: For a constant gold with a decimal point; any other is exact.
    """
    if _BASE.fullmatch(undelimited(gold)) or _BASE.fullmatch(undelimited(answer)):
        return _based(answer) == _based(gold)
    sides, gold_sides = undelimited(answer).split("="), undelimited(gold).split("=")
    if len(sides) != len(gold_sides) or len(sides) > 2:
        return False
    expressions = [_expression(side) for side in (*sides, *gold_sides)]
    if any(expression is None for expression in expressions):
        return None
    if len(sides) == 1:
        tolerance = relative_tolerance if re.search(r"\d\.\d", gold) else 0
        return _same_values(expressions[0], expressions[1], tolerance)
    left, right, gold_left, gold_right = expressions
    return _proportional(left - right, gold_left - gold_right)


def _based(text: str) -> tuple[str, str] | None:
    match = _BASE.fullmatch(undelimited(text))
    return (match[1].lstrip("0").casefold(), match[2]) if match else None


def latex(text: str) -> str:
    r"""An expression, typed plainly or in LaTeX, in the LaTeX that the parser reads."""
    plain = words_bare(powers_lowered(unstyled(text), "^{{{}}}"))
    for pattern, sign in _SIGNS:
        plain = pattern.sub(sign, plain)
    plain = _FUNCTION.sub(r"\\\1", plain)
    plain = _braced(plain, r"\\sqrt\s*\(", r"\sqrt{")
    plain = _braced(plain, r"\\exp\s*\(", "e^{")
    return _braced(plain, r"\^\s*\(", "^{").strip()


def _braced(text: str, opening: str, replacement: str) -> str:
    """Parentheses after an opening turned into braces, as LaTeX wants them."""
    while match := re.search(opening, text):
        depth, place = 1, match.end()
        while place < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[place], 0)
            place += 1
        if depth:
            return text
        text = f"{text[: match.start()]}{replacement}{text[match.end() : place - 1]}}}{text[place:]}"
    return text


@lru_cache(maxsize=256)
def _expression(text: str) -> Any:
    """sympy's expression, decimals as exact fractions; None where the text is none."""
    import sympy
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig

    try:
        parsed = latex2sympy(
            latex(text), normalization_config=None, conversion_config=ConversionConfig(lowercase_symbols=False)
        )
    except Exception:  # the parser raises errors of three libraries; what it cannot read is no expression
        return None
    if not isinstance(parsed, sympy.Expr):
        return None
    exact = parsed.replace(lambda part: part.is_Float, lambda part: sympy.Rational(str(part)))
    return exact.subs({sympy.Symbol("i"): sympy.I, sympy.Symbol("e"): sympy.E})


def _same_values(one: Any, other: Any, relative_tolerance: float) -> bool:
    """Equal at all points tried; with a constant of integration in both, equal but for a constant."""
    import sympy

    if any(expression.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan) for expression in (one, other)):
        return bool(one == other)
    names = sorted(one.free_symbols | other.free_symbols, key=str)
    values, wanted = _values(one, names), _values(other, names)
    if values is None or wanted is None:
        return False
    differences = [value - target for value, target in zip(values, wanted, strict=True)]
    if _has_constant(one) and _has_constant(other):
        differences = [difference - differences[0] for difference in differences]
    allowed = max(0 if names else relative_tolerance, 10.0**-_AGREEING)
    return all(
        abs(difference) <= allowed * (abs(target) or 1) for difference, target in zip(differences, wanted, strict=True)
    )


def _has_constant(expression: Any) -> bool:
    """Whether there is a "+ C" beside a variable."""
    import sympy

    constant = sympy.Symbol("C")
    return len(expression.free_symbols) > 1 and bool(expression.diff(constant) == 1)


def _values(expression: Any, names: list[Any]) -> list[Any] | None:
    """An expression's values at the points tried, where each name has another value; None where it has none."""
    import sympy

    values = []
    for shift in range(len(_POINTS) if names else 1):
        point = {
            name: sympy.Rational(_POINTS[(shift + place) % len(_POINTS)]) + place for place, name in enumerate(names)
        }
        value = expression.subs(point).evalf(_DIGITS)
        if not value.is_number or not value.is_finite:
            return None
        values.append(value)
    return values


def _proportional(one: Any, other: Any) -> bool:
    """Whether one is the other times a constant that is not nought: then their equations say the same."""
    import sympy

    if one.free_symbols != other.free_symbols or not one.free_symbols:
        return False
    quotient = sympy.simplify(one / other)
    return bool(quotient.is_number and quotient.is_finite and quotient != 0)
