"""Is an answer the gold one? Text, then quantity, then the parts of a collection, then mathematics."""

import re
from dataclasses import dataclass
from typing import Literal

from branchmerge.grading import collection, mathematics, quantity, text
from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.notation import undelimited

Grader = Literal["auto", "text", "quantity", "math"]

# x, x_1, f(x), area, (x, y)
_NAME = re.compile(
    r"^\s*([A-Za-z](?:_\{?\w+\}?|\([A-Za-z](?:,\s*[A-Za-z])*\))?|[a-z]+|\([A-Za-z](?:,\s*[A-Za-z])*\))\s*=(?!=)\s*([^=]+)$",
    re.DOTALL,
)
_MAX_PARTS = 500


@dataclass(frozen=True)
class Equality:
    """What counts as equal.

    Args:
        relative_tolerance: Numbers this close count as equal where they are not exact.
        unit_may_be_missing: Whether a number alone is right where the gold has a unit.
    """

    grader: Grader
    relative_tolerance: float
    unit_may_be_missing: bool


def compare(answer: str, gold: str, rules: Equality) -> Grade:
    """The verdict on an answer that is compared with a gold one."""
    if text.spaced(answer) == text.spaced(gold):
        return Grade("correct", "", "text")
    if rules.grader == "text":
        return text.grade(answer, gold)
    answer, gold = _unnamed(answer, gold)
    if rules.grader in ("auto", "quantity"):
        grade = quantity.grade(answer, gold, rules.relative_tolerance, rules.unit_may_be_missing)
        if grade is not None:
            return grade
        if rules.grader == "quantity":
            return Grade("wrong", f"no quantity like {gold}", "quantity")
    is_mathematics = mathematics.looks_like(gold)
    is_equal = _same_parts(answer, gold, rules, is_mathematics)
    if is_equal is None and is_mathematics:
        is_equal = _same_value(answer, gold, rules)
    if is_equal is None:
        return text.grade(answer, gold)
    return graded(is_equal, gold, "math" if is_mathematics else "text")


def _unnamed(answer: str, gold: str) -> tuple[str, str]:
    """Without "x =" in front, where only one has it or both have the same."""
    named, gold_named = _NAME.match(undelimited(answer)), _NAME.match(undelimited(gold))
    if named and gold_named:
        return (named[2], gold_named[2]) if named[1] == gold_named[1] else (answer, gold)
    if named and "=" not in gold:
        return named[2], gold
    return answer, gold_named[2] if gold_named and "=" not in answer else gold


def _same_parts(answer: str, gold: str, rules: Equality, is_mathematics: bool) -> bool | None:
    """Whether two collections are equal; None where neither is one, or only one is and it is of words."""
    given = collection.parse(answer, is_mathematics)
    wanted = collection.parse(gold, is_mathematics)
    if given and wanted:
        if len(wanted.parts) > _MAX_PARTS:
            return None
        return collection.are_equal(given, wanted, lambda one, other: _is_same(one, other, rules), not is_mathematics)
    if not is_mathematics or not (given or wanted):
        return None
    for one in (given, wanted):
        if one and one.kind == "{}" and len(one.parts) == 1:  # a set of one solution is that solution
            return _is_same(given.parts[0] if given else answer, wanted.parts[0] if wanted else gold, rules)
    return False


def _is_same(one: str, other: str, rules: Equality) -> bool:
    return compare(text.unquoted(one), text.unquoted(other), rules).verdict == "correct"


def _same_value(answer: str, gold: str, rules: Equality) -> bool | None:
    if _is_word_for(answer, gold) or _is_word_for(gold, answer):
        return None
    if not mathematics.looks_like(answer):
        return False
    return mathematics.are_equal(answer, gold, rules.relative_tolerance)


def _is_word_for(one: str, other: str) -> bool:
    """Letters beside letters or beside a quantity are a word, or an option's letter, and no variable."""
    return one.isalpha() and (other.isalpha() or quantity.parse(other) is not None)
