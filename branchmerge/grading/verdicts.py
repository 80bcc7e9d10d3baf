"""Verdicts on a domain's traces: against the gold answer or the tests, else by majority where that is asked for."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter

from branchmerge.core.files import Row
from branchmerge.grading import majority
from branchmerge.grading.answers import final_answer
from branchmerge.grading.grade import Grade
from branchmerge.grading.judge import Judge, Question, VerifyParams


def verdicts(
    traces: list[Row],
    prompts: dict[str, Row],
    judge: Judge,
    params: VerifyParams,
    shown: Callable[..., Iterable[Grade]],
) -> Iterator[Row]:
    """Rows of `VERDICT`, one for each trace.

    Args:
        prompts: By prompt_id.
        shown: Passes on the grades of all traces, and shows how far they are.
    """
    graded = shown(judge.grade_all(_question(trace, prompts[trace["prompt_id"]]) for trace in traces))
    grades = dict(zip((trace["trace_id"] for trace in traces), graded, strict=True))
    if params.majority is not None:
        grades |= _by_majority(traces, prompts, judge, params.majority)
    return ({"trace_id": trace_id, **asdict(grade)} for trace_id, grade in grades.items())


def _question(trace: Row, prompt: Row) -> Question:
    return Question(trace["answer"], prompt["answer"], prompt["tests"], prompt["meta"])


def _by_majority(
    traces: list[Row], prompts: dict[str, Row], judge: Judge, params: majority.MajorityParams
) -> dict[str, Grade]:
    """Verdicts on the traces whose prompts have neither a gold answer nor tests."""
    unknown = [trace for trace in traces if prompts[trace["prompt_id"]]["answer"] is None]
    unknown = [trace for trace in unknown if prompts[trace["prompt_id"]]["tests"] is None]
    grades: dict[str, Grade] = {}
    by_prompt = itemgetter("prompt_id")
    for prompt_id, group in groupby(sorted(unknown, key=by_prompt), by_prompt):
        meta, of_prompt = prompts[prompt_id]["meta"], list(group)

        def same(answer: str, other: str, meta: str | None = meta) -> bool:
            return judge.grade(answer, final_answer(other), None, meta).verdict == "correct"

        found = majority.grades([trace["answer"] for trace in of_prompt], same, params)
        grades |= dict(zip((trace["trace_id"] for trace in of_prompt), found, strict=True))
    return grades
