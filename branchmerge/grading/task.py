"""One answer compared with its gold one, as a worker process does it."""

from dataclasses import dataclass

from branchmerge.grading import choice, equality
from branchmerge.grading.answers import final_answer
from branchmerge.grading.grade import Grade


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
    rules: equality.Equality


def compare(task: Comparison) -> Grade:
    """The verdict on an answer; an empty one is wrong."""
    final = final_answer(task.answer)
    options = choice.choices(task.meta)
    if not final:
        return Grade("wrong", "no answer", task.rules.grader)
    if options is not None:
        return choice.grade(final, task.gold, options)
    return equality.compare(final, task.gold.strip(), task.rules)
