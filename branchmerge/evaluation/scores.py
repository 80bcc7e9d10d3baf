"""Answers to benchmarks as scores: each asked of a model, graded, and written as one row."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from branchmerge.chat.conversation import response
from branchmerge.chat.faults import faults
from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows
from branchmerge.core.records import SCORE
from branchmerge.engines.engine import Sampling
from branchmerge.evaluation.params import BenchmarkParams, EvaluateParams
from branchmerge.evaluation.questions import fitting
from branchmerge.evaluation.respondent import Respondent
from branchmerge.grading.judge import Judge, Question, VerifyParams
from branchmerge.rowstore.last_output import last_output

TASK_GRADER = "lm-eval "  # begins the grader of a task's rows


def sampling_of(params: BenchmarkParams, dtype: str) -> Sampling:
    """How a benchmark's answers are sampled."""
    return Sampling.model_validate(
        {"temperature": params.temperature, "top_p": params.top_p, "max_tokens": params.max_tokens, "dtype": dtype}
    )


def score_all(
    model: str,
    respondent: Respondent,
    questions: dict[str, list[Row]],
    params: EvaluateParams,
    verify: VerifyParams,
    seed: int,
) -> list[Row]:
    """A row for each answer of a model to each benchmark's questions.

    Raises:
        InputError: A question does not fit the model; before any is asked.
        StageError: A question got no answer.
    """
    samplings = {name: sampling_of(params.benchmarks[name], params.dtype) for name in questions}
    fits = {
        name: fitting(of, respondent.folder, samplings[name], name, params.benchmarks[name])
        for name, of in questions.items()
    }
    rows: list[Row] = []
    for name, (asked, overlong) in fits.items():
        same = {"model": model, "model_hash": respondent.model_hash, "benchmark": name}
        samples = params.benchmarks[name].samples_per_question
        answers = respondent.answers(asked, samplings[name], samples, seed, f"{model} on {name}")
        rows += (same | row for row in graded(asked, answers, samples, name, verify, respondent.threads))
        rows += (same | _skipped(question, reason) for question, reason in overlong)
    return rows


def graded(
    questions: Sequence[Row], answers: Sequence[Row], samples: int, domain: str, verify: VerifyParams, workers: int
) -> Iterator[Row]:
    """The answers with their verdicts.

    Args:
        answers: `samples` of each question, in the questions' order.
        domain: Whose grader is used.
    """
    asked = [question for question in questions for _ in range(samples)]
    parts = [response(answer["response"] or "") for answer in answers]
    with Judge(verify, domain, workers) as judge:
        grades = judge.grade_all(
            Question(part.answer, question["answer"], question["tests"], question["meta"])
            for question, part in zip(asked, parts, strict=True)
        )
        for question, answer, part, grade in zip(asked, answers, parts, grades, strict=True):
            yield {
                "question_id": question["prompt_id"],
                "sample_index": answer["sample_index"],
                "trace_id": answer["trace_id"],
                "response": part.text,
                "answer": part.answer,
                "is_correct": None if grade.verdict == "unverifiable" else grade.verdict == "correct",
                "reason": grade.reason,
                "grader": grade.grader,
                "prompt_tokens": answer["prompt_tokens"],
                "completion_tokens": answer["completion_tokens"],
                "finish_reason": answer["finish_reason"],
                "faults": faults(part.text, question["question"]),
                "made_with": answer["made_with"],
            }


def _skipped(question: Row, reason: str) -> Row:
    empty = dict.fromkeys(SCORE.schema.names)
    nothing = {"sample_index": 0, "prompt_tokens": 0, "completion_tokens": 0, "faults": []}
    return empty | nothing | {"question_id": question["prompt_id"], "finish_reason": "skipped", "reason": reason}


def known_answers(target: Path) -> list[Row]:
    """The answers that the last scores hold, as the row store takes them: another machine's may know none."""
    file = last_output(target)
    if file is None:
        return []
    try:
        rows = read_rows(file, SCORE)
    except InputError:  # of an older version, without the answers' names
        return []
    return [
        row | {"teacher": f"model@{row['model_hash']}", "error": None}
        for row in rows
        if row["trace_id"] is not None and not row["grader"].startswith(TASK_GRADER)  # a task shows texts its own way
    ]
