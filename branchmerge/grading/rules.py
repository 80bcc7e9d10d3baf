"""What counts as equal to a gold answer: matters of taste, each a key of `verify`."""

from dataclasses import dataclass
from typing import Literal

Grader = Literal["auto", "text", "quantity", "math"]


@dataclass(frozen=True)
class Equality:
    """What counts as equal.

    Args:
        relative_tolerance: Numbers this close count as equal where they are not exact.
        unit_may_be_missing: Whether a number alone is right where the gold has a unit that is no variable.
        may_be_rounded: Whether a decimal of five digits and more is right for the exact number it is rounded from.
        yes_is_true: Whether Yes, True and Y are one answer, and No, False and N.
    """

    grader: Grader
    relative_tolerance: float
    unit_may_be_missing: bool
    may_be_rounded: bool = False
    yes_is_true: bool = True
