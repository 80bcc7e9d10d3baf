"""A verdict on every trace of one domain: correct, wrong or unverifiable, with the reason.

Reads   data/prompts/<domain>.parquet, data/traces/<domain>.parquet
Writes  data/verdicts/<domain>.parquet
Params  run.threads, verify
Run     python -m stages.verify --domain math
"""

from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from rich.progress import track

from stages.shared.command import Domain, run
from stages.shared.files import Row, read_rows, write_rows
from stages.shared.graders import majority
from stages.shared.graders.answers import final_answer
from stages.shared.graders.grade import Grade
from stages.shared.grading import Judge, Question, VerifyParams
from stages.shared.params import read_params, read_value
from stages.shared.records import PROMPT, TRACE, VERDICT


def main(domain: Domain) -> None:
    """Grade the traces of one domain; every trace gets a verdict."""
    params = read_params(VerifyParams, "verify")
    prompts = {row["prompt_id"]: row for row in read_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)}
    traces = read_rows(Path(f"data/traces/{domain}.parquet"), TRACE)
    with Judge(params, domain, params.workers or read_value("run.threads")) as judge:
        questions = (_question(trace, prompts[trace["prompt_id"]]) for trace in traces)
        graded = track(judge.grade_all(questions), description=f"verify {domain}", total=len(traces))
        grades = dict(zip((trace["trace_id"] for trace in traces), graded, strict=True))
        if params.majority is not None:
            grades |= _by_majority(traces, prompts, judge, params.majority)
    write_rows(
        Path(f"data/verdicts/{domain}.parquet"),
        VERDICT,
        [{"trace_id": trace_id, **asdict(grade)} for trace_id, grade in grades.items()],
    )


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


if __name__ == "__main__":
    run(main)
