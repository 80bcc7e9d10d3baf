r"""One way of writing for the many: signs, spaces and commands that say the same in LaTeX and in plain text.

`normal` keeps what is said and drops what only shows; every reader below starts from it.
"""

import re
import unicodedata

_DELIMITERS = re.compile(r"^(?:\$\$?|\\\(|\\\[)\s*(.*?)\s*(?:\$\$?|\\\)|\\\])$", re.DOTALL)
_WORDS = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|textnormal|mathrm|mathbf|mathit|mathsf|operatorname|mbox|hbox|rm)\*?"
    r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_INLINE = re.compile(r"(?<!\\)\$([^$]*[^$\\])\$")  # dollars around a part
_SIZES = re.compile(r"\\(?:left|right|displaystyle|textstyle|limits|[bB]igg?[lr]?)(?![a-z])\s*|\\!")
_SPACES = re.compile(r"(?<!\\)\\[,;:> ]|\\q?quad(?![a-z])|~|[\u00a0\u2009\u202f\u2007]")
_DASHES = re.compile(r"[−–—‐‑‒]")
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*(-?[\d.]+)\s*\}|(\d))\s*(?:\{\s*(-?[\d.]+)\s*\}|(\d))")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺"
_RAISED = re.compile(f"[{_SUPERSCRIPTS}]+")
_LOWERED = str.maketrans(_SUPERSCRIPTS, "0123456789-+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_WIDE = re.compile("[\uff01-\uff5e\u3000]")  # full-width forms of ASCII
_ESCAPED_TWICE = re.compile(r"(?<!\\)\\\\(?:begin|frac|sqrt|text|left|pi)(?![a-z])")
_VULGAR = re.compile("[¼½¾⅐-⅞]")
_SYNONYMS = (
    (re.compile(r"\\(?:[dtc]|s|nice|x)frac(?![a-z])"), r"\\frac"),
    (re.compile(r"(?<=\d)\s*⁄\s*(?=\d)"), "/"),
    (re.compile(r"∛\s*(\d+|[A-Za-z])"), r"\\sqrt[3]{\1}"),
    (re.compile(r"\\(?:leq?|leqslant)(?![a-z])|≤|<="), r"\\leq "),
    (re.compile(r"\\(?:geq?|geqslant)(?![a-z])|≥|>="), r"\\geq "),
    (re.compile(r"\\neq?(?![a-z])|≠|!=|\\not\s*="), r"\\neq "),
    (re.compile(r"\\lt(?![a-z])"), "<"),
    (re.compile(r"\\gt(?![a-z])"), ">"),
    (re.compile(r"\\[lr]?vert(?![a-z])|\\mid(?![a-z])"), "|"),
    (re.compile(r"\\varphi(?![a-z])"), r"\\phi"),
    (re.compile(r"\\(?:varnothing)(?![a-z])|∅"), r"\\emptyset"),
    (re.compile(r"∞|(?<![\\A-Za-z])(?:infinity|infty|inf)(?![A-Za-z])"), r"\\infty "),
    (re.compile(r"\\log\s*_\s*\{?\s*e\s*\}?"), r"\\ln "),
    (re.compile(r"\{\s*(\w+)\s*\\choose\s*(\w+)\s*\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\\text\w*\s*\{[\s\\]*\}?\s*$"), ""),
    (re.compile(r"\{\s*,\s*\}"), ","),
    (re.compile(r"(?<=\d),\\!\s*(?=\d{3}(?!\d))"), ""),
    (re.compile(r"\^\s*\{\s*\\prime\s*\\prime\s*\}|\^\s*\\prime\s*\\prime|″"), "''"),
    (re.compile(r"\^\s*\{?\s*\\prime\s*\}?|′"), "'"),
    (re.compile(r"(?<=[A-Za-z\d})])\s*&\s*(?==)|(?<==)\s*&"), ""),
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{(?:align|aligned|gathered|equation|split)\*?\}")
_SIGNS = (
    (re.compile(r"(?<=\d)\\,(?=\d{3}(?!\d))"), ""),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\\$"), "$"),
    (re.compile(r"\\times(?![a-z])|\\cdot(?![a-z])|[×⋅·]"), "*"),
    (re.compile(r"(?:\{\s*\})?\s*\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-z])|º|\{?\\circ(?![a-z])\}?"), "°"),
    (re.compile(r"\\mu(?![a-z])\s*|μ"), "µ"),
    (re.compile(r"\\Omega(?![a-z])|Ω"), "Ω"),
    (re.compile(r"\\(?:approx|simeq)(?![a-z])|[≈≃]"), "≈"),
    (re.compile(r"(?:\{\s*\})?\s*\^\s*\{\s*([-+]?\w+)\s*\}"), r"^\1"),
)
# single tokens: two digits or two letters side by side keep the space between them
_BETWEEN = re.compile(r"(?<=\d)\s+(?=\d)|(?<=[^\W\d_])\s+(?=[^\W\d_])")
_SINGLE = re.compile(r"\{(\\[A-Za-z]+|\w+)\}")


def normal(text: str) -> str:
    """A text whose typographic variants and LaTeX synonyms are written one way; what it says is unchanged."""
    plain = _INVISIBLE.sub("", text)
    if _ESCAPED_TWICE.search(plain):
        plain = plain.replace("\\\\", "\\")
    plain = without_environments(plain)
    plain = _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), plain)
    plain = _VULGAR.sub(_vulgar, plain)
    for pattern, sign in _SYNONYMS:
        plain = pattern.sub(sign, plain)
    return plain.strip().removesuffix("\\").rstrip()


def without_environments(text: str) -> str:
    """A text without the commands that set lines of formulas under each other."""
    return re.sub(r"&\s*=", "=", _ENVIRONMENT.sub(" ", text))


def _vulgar(found: re.Match[str]) -> str:
    """½ as 1/2, and 2½ as 2 1/2."""
    fraction = unicodedata.normalize("NFKC", found[0]).replace("\u2044", "/")
    return (" " if found.start() and found.string[found.start() - 1].isdigit() else "") + fraction


def tokens(text: str) -> str:
    r"""What is left where spaces, dollars, \left and braces around one sign do not count: equal tokens say the same."""
    plain = unstyled(powers_lowered(text, "^{{{}}}"))
    if "\\" not in plain and not re.search(r"[=^_<>|+*/\d]", plain):
        return plain
    plain = words_bare(plain.replace("$", " "))
    plain = re.sub(r"\\begin\{array\}\{[^}]*\}", r"\\begin{array}", plain)
    plain = re.sub(r",\s*&", "&", plain)
    gap = r"(?<=\d)\s+(?=\d)" if "\\" in plain or "=" in plain else _BETWEEN.pattern
    plain = re.sub(gap, "\0", plain)
    plain = re.sub(r"\s+", "", plain).replace("\0", " ")
    return _SINGLE.sub(r"\1", plain)


def undelimited(text: str) -> str:
    """A text without the dollars or brackets that say it is mathematics, without bold and final stop."""
    bare = text.strip().removesuffix(".").strip()
    if len(bare) > 4 and bare.startswith("**") and bare.endswith("**"):
        bare = bare[2:-2].strip()
    match = _DELIMITERS.match(bare)
    return match[1].strip().removesuffix(".") if match and "$" not in match[1].replace(r"\$", "") else bare


def unstyled(text: str) -> str:
    r"""Mathematics without what only shows: delimiters, \left and \big, LaTeX's spaces, the many dashes."""
    return _SPACES.sub(" ", _DASHES.sub("-", _SIZES.sub("", undelimited(text))))


def words_bare(text: str, around: str = "") -> str:
    r"""The words of \text{...} and its like without the command, nested ones too.

    Args:
        around: Put before and after them.
    """
    while (bare := _WORDS.sub(lambda found: f"{around}{found[1]}{around}", text)) != text:
        text = bare
    return text


def without_words(text: str) -> str:
    r"""A text without its \text{...} and their like."""
    return _WORDS.sub(" ", text)


def word_of(text: str) -> str | None:
    r"""What stands in a text that is one \text{...} or its like; None for any other."""
    match = _WORDS.fullmatch(text)
    return match[1].strip() if match else None


def powers_lowered(text: str, form: str) -> str:
    """Raised digits as a power: x² as x^2.

    Args:
        form: Of the power, such as "^{}" with the place of the exponent.
    """
    return _RAISED.sub(lambda found: form.format(found[0].translate(_LOWERED)), text)


def readable(text: str) -> str:
    """A number with its unit in plain signs."""
    plain = _INLINE.sub(r" \1 ", undelimited(text))
    for pattern, sign in _SIGNS:
        plain = pattern.sub(sign, plain)
    plain = words_bare(unstyled(plain), around=" ")
    plain = _FRACTION.sub(lambda found: f" {found[1] or found[2]}/{found[3] or found[4]}", plain)
    plain = powers_lowered(plain, "^{}")
    return re.sub(r"^([-+]) ", r"\1", " ".join(plain.removeprefix("≈").split()))
