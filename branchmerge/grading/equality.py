"""Is an answer the gold one? Tokens, then times, quantities, the parts of a collection, mathematics and words."""

import re
from collections.abc import Sequence

from branchmerge.grading import choice, clock, collection, intervals, mathematics, quantity, text, values
from branchmerge.grading.answers import readings
from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.names import unnamed
from branchmerge.grading.notation import normal, tokens, undelimited, unstyled
from branchmerge.grading.rules import Equality
from branchmerge.grading.units import without_unit

_MAX_PARTS = 500
_MAX_LENGTH = 10_000  # characters; longer texts are compared as they are
_LETTER = re.compile(r"[A-J]|\([A-Ja-j]\)")
_LETTERS = re.compile(r"[A-J](?:\s*(?:,|and|,\s*and)?\s*[A-J])+")
_WITH_POINT = re.compile(r"-?\d+\.\d+")
_WITH_COMMA = re.compile(r"-?\d+,(?:\d{2}|\d{4,})")


def best(answers: Sequence[str], gold: str, rules: Equality) -> Grade:
    """The verdict on the readings of one answer: correct where one of them is the gold one, else that on the first."""
    grades = []
    for answer in answers:
        grade = compare(answer, gold, rules)
        if grade.verdict == "correct":
            return grade
        grades.append(grade)
    return grades[0]


def compare(answer: str, gold: str, rules: Equality) -> Grade:
    """The verdict on an answer that is compared with a gold one."""
    if text.spaced(answer) == text.spaced(gold):
        return Grade("correct", "", "text")
    if rules.grader == "text" or max(len(answer), len(gold)) > _MAX_LENGTH:
        return text.grade(answer, gold)
    answer, gold = normal(answer), normal(gold)
    if rules.grader != "quantity" and (tokens(answer) == tokens(gold) or _same_letter(answer, gold)):
        return Grade("correct", "", "text")
    grades = [_compare(*pair, rules) for pair in unnamed(answer, gold)]
    return next((grade for grade in grades if grade.verdict == "correct"), grades[0])


def _compare(answer: str, gold: str, rules: Equality) -> Grade:
    """The same of texts that are normal and without names in front."""
    if rules.grader == "auto" and (clock.same(answer, gold) or text.say_the_same(answer, gold, rules.yes_is_true)):
        return Grade("correct", "", "text")
    if mathematics.based(answer) and mathematics.based(gold):
        return graded(mathematics.based(answer) == mathematics.based(gold), gold, "math")
    answer, gold = _with_points(text.in_digits(answer), text.in_digits(gold))
    if rules.grader in ("auto", "quantity"):
        grade = quantity.grade(answer, gold, rules)
        if grade is not None:
            return grade
        if rules.grader == "quantity":
            return Grade("wrong", f"no quantity like {gold}", "quantity")
        answer, gold = without_unit(answer, gold, rules.unit_may_be_missing) or (answer, gold)
    is_mathematics = mathematics.looks_like(gold)
    is_equal = _same_parts(answer, gold, rules, is_mathematics)
    if is_equal is None and is_mathematics:
        is_equal = _same_value(answer, gold, rules)
    if is_equal is None:
        return text.grade(answer, gold, rules.yes_is_true)
    return graded(is_equal, gold, "math" if is_mathematics else "text")


def _with_points(answer: str, gold: str) -> tuple[str, str]:
    """A decimal comma as a point, where the other has a point and the comma is none between thousands."""
    one, other = undelimited(answer), undelimited(gold)
    if _WITH_COMMA.fullmatch(one) and _WITH_POINT.fullmatch(other):
        return one.replace(",", "."), gold
    if _WITH_COMMA.fullmatch(other) and _WITH_POINT.fullmatch(one):
        return answer, other.replace(",", ".")
    return answer, gold


def _same_letter(answer: str, gold: str) -> bool:
    """The letters of options, without the options: C for (C) and its words, AC for A, C."""
    wanted = text.unquoted(gold)
    if _LETTERS.fullmatch(wanted) and "," in wanted:
        given = text.unquoted(answer)
        return bool(_LETTERS.fullmatch(given)) and sorted(re.findall("[A-J]", given)) == sorted(
            re.findall("[A-J]", wanted)
        )
    if not _LETTER.fullmatch(wanted):
        return False
    said = choice.letter_of(answer)
    is_apart = said is not None and (len(answer.strip("().")) == 1 or bool(re.match(r"\(?[A-Ja-j][).:]", answer)))
    return is_apart and said == wanted.strip("()").upper()


def _same_parts(answer: str, gold: str, rules: Equality, is_mathematics: bool) -> bool | None:
    """Whether two collections are equal; None where neither is one, or only one is and it is of words."""
    if is_mathematics and r"\begin{" in answer and r"\begin{" in gold:
        found = values.are_equal(answer, gold, rules)
        if found:
            return True
    if is_mathematics and _bound_otherwise(answer, gold):
        return False
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
    return r"\begin{" in answer + gold and bool(values.are_equal(answer, gold, rules))


def _bound_otherwise(answer: str, gold: str) -> bool:
    """Whether both are inequalities, each of another name."""
    names = [intervals.variable(unstyled(one)) for one in (answer, gold)]
    return None not in names and names[0] != names[1]


def _is_same(one: str, other: str, rules: Equality) -> bool:
    return compare(text.unquoted(one), text.unquoted(other), rules).verdict == "correct"


def _same_value(answer: str, gold: str, rules: Equality) -> bool | None:
    if _is_word_for(answer, gold) or _is_word_for(gold, answer):
        return None
    if not mathematics.looks_like(answer):
        return False
    return values.are_equal(answer, gold, rules)


def _is_word_for(one: str, other: str) -> bool:
    """Letters beside letters or beside a quantity are a word, or an option's letter, and no variable."""
    return one.isalpha() and (other.isalpha() or quantity.parse(other) is not None)


def of_gold(gold: str) -> tuple[str, ...]:
    """A gold answer as it stands, and what it announces or boxes where it is a whole solution."""
    found = readings(gold)
    if not found or found[0] == gold:
        return (gold,)
    letter = re.match(r"\(?([A-J])\)?[.:]?\s+\S", found[0])
    return (gold, found[0], *([letter[1]] if letter else []))


def is_letter(gold: str) -> bool:
    """Whether a gold answer is the letter of an option and no more."""
    return _LETTER.fullmatch(gold.strip()) is not None
