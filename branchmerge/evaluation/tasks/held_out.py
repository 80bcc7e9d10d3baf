"""Grading of one benchmark question for lm-eval: accuracy is the mean over its sampled answers."""

import atexit
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from branchmerge.chat.conversation import response
from branchmerge.core.params import read_params
from branchmerge.grading.judge import Judge, Question, VerifyParams

if TYPE_CHECKING:
    from branchmerge.evaluation.counting import Written


@cache
def _judge(domain: str) -> Judge:
    judge = Judge(read_params(VerifyParams), domain)
    atexit.register(judge.__exit__, None, None, None)
    return judge


def process_results(doc: dict[str, Any], results: "list[list[Written]]") -> dict[str, Any]:
    """Accuracy of the answers to one question; `grades` keeps the verdict on each."""
    (answers,) = results
    judge = _judge(doc["domain"])
    questions = (
        Question(response(written.text).answer, doc["answer"], doc["tests"], doc["meta"]) for written in answers
    )
    grades = list(judge.grade_all(questions))
    correct = [grade.verdict == "correct" for grade in grades]
    return {"accuracy": sum(correct) / len(correct), "grades": json.dumps(correct)}


def graded_answers(grades: list[str]) -> int:
    """How many answers of a benchmark were graded; lm-eval wants every metric summed up somehow."""
    return sum(len(json.loads(of_question)) for of_question in grades)
