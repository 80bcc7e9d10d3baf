r"""LaTeX and typographic signs written plainly, so that one reader serves both: \frac{1}{2} as 1/2, \text{m} as m."""

import re

_DELIMITERS = re.compile(r"^(?:\$\$?|\\\(|\\\[)\s*(.*?)\s*(?:\$\$?|\\\)|\\\])$", re.DOTALL)
_WORDS = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|operatorname|mbox|rm)\*?\s*\{([^{}]*)\}")
_SIZES = re.compile(r"\\(?:left|right|displaystyle|limits|[bB]igg?[lr]?)(?![a-z])\s*|\\!")
_SPACES = re.compile(r"(?<!\\)\\[,;:> ]|\\q?quad(?![a-z])|~|[\u00a0\u2009\u202f\u2007]")
_DASHES = re.compile(r"[−–—‐‑‒]")
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*(-?[\d.]+)\s*\}|(\d))\s*(?:\{\s*(-?[\d.]+)\s*\}|(\d))")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺"
_RAISED = re.compile(f"[{_SUPERSCRIPTS}]+")
_LOWERED = str.maketrans(_SUPERSCRIPTS, "0123456789-+")
_SIGNS = (
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"(?<=\d)\\,(?=\d{3}(?!\d))"), ""),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\\$"), "$"),
    (re.compile(r"\\times(?![a-z])|\\cdot(?![a-z])|[×⋅·]"), "*"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-z])|º"), "°"),
    (re.compile(r"\\mu(?![a-z])\s*"), "µ"),
    (re.compile(r"\\Omega(?![a-z])"), "Ω"),
    (re.compile(r"\\(?:approx|simeq)(?![a-z])|[≈≃]"), "≈"),
    (re.compile(r"\^\s*\{\s*([-+]?\w+)\s*\}"), r"^\1"),
)


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
    r"""The words of \text{...} and its like without the command.

    Args:
        around: Put before and after them.
    """
    return _WORDS.sub(rf"{around}\1{around}", text)


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
    plain = undelimited(text)
    for pattern, sign in _SIGNS:
        plain = pattern.sub(sign, plain)
    plain = words_bare(unstyled(plain), around=" ")
    plain = _FRACTION.sub(lambda found: f" {found[1] or found[2]}/{found[3] or found[4]}", plain)
    plain = powers_lowered(plain, "^{}")
    return re.sub(r"^([-+]) ", r"\1", " ".join(plain.removeprefix("≈").split()))
