r"""Mathematical expressions, read by the parser of math-verify from LaTeX or from what is typed plainly.

Its comparison is not used: it takes (1,2) for {1,2} and rounds. Whatever hangs here is ended by the worker's limits.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

from branchmerge.grading.notation import powers_lowered, undelimited, unstyled, words_bare
from branchmerge.grading.text import in_digits

_FUNCTIONS = (
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sin", "cos", "tan", "cot", "sec", "csc"),
    *("asin", "acos", "atan", "log", "ln", "exp", "sqrt", "min", "max", "gcd", "lcm"),
)
_WORDS = {*_FUNCTIONS, "pi", "infinity", "inf", "infty", "and", "or", "dx", "theta", "alpha", "beta", "frac", "mod"}
_SHORT_WORDS = frozenset(
    (
        *("am", "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is"),
        *("it", "me", "my", "no", "of", "on", "so", "to", "up", "us", "we"),
    )
)
_VOWEL = re.compile("[aeou]")
_GROUP = r"(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\w))"
_SIGNS = (
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(\^\s*(?:\{[^{}]*\}|\d))\s+(?=\d)"), r"\1 \\cdot "),  # 2^6 3^5
    (re.compile(r"[*·⋅×]|\\times(?![a-z])"), r" \\cdot "),
    (re.compile(r"÷"), r" \\div "),
    (re.compile(r"(?<![\\A-Za-z])a(?=(?:sin|cos|tan)(?![A-Za-z]))"), "arc"),
    (re.compile(r"(?<![\\A-Za-z])log(?=\()"), "ln"),  # typed as code, where log is the natural one
    (re.compile(r"π|(?<![\\A-Za-z])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"^\+\s*(?=\\infty)"), ""),
    (re.compile(r"√\s*(\d+|[A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"√\s*(?=\()"), "sqrt"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac\{(?:[^{}]|\{[^{}]*\})*\})\s*(\w)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s*(\d|[A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"(\d),(?=\d{3}(?!\d))"), r"\1"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|°"), r" \\cdot \\frac{\\pi}{180} "),
    (re.compile(r"(?<![A-Za-z\\])C_\{?(\d+)\}?\^\{?(\d+)\}?"), r"\\binom{\1}{\2}"),
    # latex2sympy loses the base of a logarithm inside an exponent of e
    (
        re.compile(rf"\\log\s*_\s*{_GROUP}(?!\s*\^)"),
        lambda found: rf"\frac{{1}}{{\ln {{{found[1] or found[2]}}}}} \ln ",
    ),
    (re.compile(r"(?<![\\A-Za-z])E(?=_)"), r"\\Xi "),  # a name, where latex2sympy sees Euler's number
    (re.compile(r"(?<=\d)j(?![A-Za-z])"), "i"),
    (re.compile(r"(?<=[A-Za-z])\s*'"), r"\\prime "),
)
_PERIODIC = re.compile(r"(?<![\d.])(\d*)\.(\d*)\\overline\s*\{\s*(\d+)\s*\}")
_FUNCTION = re.compile(rf"(?<![\\A-Za-z])({'|'.join(_FUNCTIONS)})(?![A-Za-z])")
_BASE = re.compile(r"(-?)\(?([0-9A-Fa-f]+)\)?\s*_\s*\{?\s*(?:\\text\w*\s*\{)?\s*(\d+|[a-z]+)\s*\}*")
# the parser stops at "approximately", takes \cdots for a product with s, and adds two numbers side by side
_MISREAD = re.compile(r"\\(?:approx|cdots)(?![a-z])|≈|\d(?:\s|~|'|\\(?:[ ,;:!$]|q?quad(?![a-z])))+\s*\d")
_MAX_LENGTH = 1000  # characters; nobody's final expression is longer


def looks_like(text: str) -> bool:
    """Whether a text can be read as mathematics: one-letter names, known functions, no words, dates or times."""
    plain = undelimited(text)
    if len(plain) > _MAX_LENGTH or re.search(r"(?<![_\d^}])\d+\s+\d", re.sub(r"\^\{?\d+\}?\s+", "^", plain)):
        return False
    if not re.search(r"[\d\\=^√π∞±]|^[-+]?[A-Za-z]$|[A-Za-z)]\s*[-+*/<>]\s*[A-Za-z(]", plain):
        return False
    if re.search(r":|\d-\d+-\d|[\"#@&?]", re.sub(r"\\begin.*?\\end\{\w+\}", "", plain, flags=re.DOTALL)):
        return False
    for word in re.findall(r"\\(?:text|textnormal|textbf|mathrm|mbox)\s*\{\s*([^{}]*?)\s*\}", plain):
        if re.search(r"[A-Za-z]{2,}|[A-Za-z]_?\d", word) and word.casefold() not in _WORDS:
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


def based(text: str) -> tuple[str, str] | None:
    """Digits, with their sign, and base of a number written with its base, as 101_2; None for any other."""
    match = _BASE.fullmatch(undelimited(text))
    base = in_digits(match[3]) if match else ""
    return (match[1] + match[2].lstrip("0").casefold(), base) if match and base.isdigit() else None


def latex(text: str) -> str:
    r"""An expression, typed plainly or in LaTeX, in the LaTeX that the parser reads."""
    plain = _PERIODIC.sub(_fraction, words_bare(powers_lowered(unstyled(text), "^{{{}}}")))
    for pattern, sign in _SIGNS:
        plain = pattern.sub(sign, plain)
    plain = _FUNCTION.sub(r"\\\1", plain)
    plain = _braced(plain, r"\\sqrt\s*\(", r"\sqrt{")
    plain = _braced(plain, r"\\exp\s*\(", "e^{")
    return _braced(plain, r"\^\s*\(", "^{").strip()


def _fraction(found: re.Match[str]) -> str:
    """0.1\\overline{6} as the fraction it is."""
    once, period = found[2], found[3]
    value = Fraction(int(once or 0), 10 ** len(once)) + Fraction(int(period), 10 ** len(once) * (10 ** len(period) - 1))
    value += int(found[1] or 0)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


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
def expression(text: str) -> Any:
    """sympy's expression or matrix, decimals as exact fractions, sums worked out; None where the text is none."""
    import sympy
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig

    written = latex(text)
    if len(text) > _MAX_LENGTH or text.count("{") != text.count("}") or _MISREAD.search(written):
        return None
    try:
        parsed = latex2sympy(
            written, normalization_config=None, conversion_config=ConversionConfig(lowercase_symbols=False)
        )
    except Exception:  # the parser raises errors of three libraries; what it cannot read is no expression
        return None
    if not isinstance(parsed, sympy.Expr | sympy.MatrixBase | sympy.MatrixExpr):
        return None
    if isinstance(parsed, sympy.MatrixExpr) or parsed.has(sympy.Sum, sympy.Product):
        parsed = parsed.doit()
    exact = parsed.replace(lambda part: part.is_Float, lambda part: sympy.Rational(str(part)))
    return exact.subs({sympy.Symbol("i"): sympy.I, sympy.Symbol("e"): sympy.E})
