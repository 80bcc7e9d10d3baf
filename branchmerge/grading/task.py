"""One answer compared with its gold one, as a worker process does it."""

from dataclasses import dataclass

from branchmerge.grading import choice, equality
from branchmerge.grading.answers import readings
from branchmerge.grading.grade import Grade, graded
from branchmerge.grading.rules import Equality


@dataclass(frozen=True)
class Comparison:
    """What a worker is given.

    Args:
        answer: The whole answer; what counts of it is found by the worker.
        meta: The prompt's, JSON: its "choices" make the question one of multiple choice.
    """

    answer: str
    gold: str
    meta: str | None
    rules: Equality


def compare(task: Comparison) -> Grade:
    """The verdict on an answer; an empty one is wrong."""
    options = choice.choices(task.meta)
    if options is not None:
        return choice.grade(task.answer, task.gold, options)
    found = readings(task.answer)
    if not found:
        return Grade("wrong", "no answer", task.rules.grader)
    golds = equality.of_gold(task.gold.strip())
    grades = [equality.best(found, gold, task.rules) for gold in golds]
    grade = next((grade for grade in grades if grade.verdict == "correct"), grades[0])
    if grade.verdict != "correct" and equality.is_letter(golds[-1]):
        return graded(choice.concluded(task.answer, 10) == golds[-1].strip("()"), task.gold, "choice")
    return grade
