r"""LaTeX and typographic signs written plainly, so that one reader serves both: \frac{1}{2} as 1/2, \text{m} as m."""

import re

_DELIMITERS = re.compile(r"^(?:\$\$?|\\\(|\\\[)\s*(.*?)\s*(?:\$\$?|\\\)|\\\])$", re.DOTALL)
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|operatorname|mbox|rm|displaystyle)\*?\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*(-?[\d.]+)\s*\}|(\d))\s*(?:\{\s*(-?[\d.]+)\s*\}|(\d))")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺"
_RAISED = re.compile(f"[{_SUPERSCRIPTS}]+")
_LOWERED = str.maketrans(_SUPERSCRIPTS, "0123456789-+")
_SIGNS = (
    (re.compile(r"[−–—‐‑‒]"), "-"),
    (re.compile(r"\\displaystyle|\\left(?![a-z])|\\right(?![a-z])|\\[bB]igg?[lr]?(?![a-z])|\\!"), ""),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"(?<=\d)\\,(?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<!\\)\\[,;:> ]|\\q?quad(?![a-z])|~|[\u00a0\u2009\u202f\u2007]"), " "),
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


def readable(text: str) -> str:
    """A number with its unit in plain signs."""
    plain = undelimited(text)
    for pattern, sign in _SIGNS:
        plain = pattern.sub(sign, plain)
    plain = _TEXT.sub(r" \1 ", plain)
    plain = _FRACTION.sub(lambda found: f" {found[1] or found[2]}/{found[3] or found[4]}", plain)
    plain = _RAISED.sub(lambda found: f"^{found[0].translate(_LOWERED)}", plain)
    return re.sub(r"^([-+]) ", r"\1", " ".join(plain.removeprefix("≈").split()))
