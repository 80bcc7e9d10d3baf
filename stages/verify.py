"""A verdict on every trace of one domain: correct, wrong or unverifiable, with the reason.

Reads   data/prompts/<domain>.parquet, data/traces/<domain>.parquet
Writes  data/verdicts/<domain>.parquet
Params  verify
Run     python -m stages.verify --domain math
"""

from pathlib import Path

from rich.progress import track

from stages.shared.command import Domain, run
from stages.shared.files import read_rows, write_rows
from stages.shared.grading import Judge, VerifyParams
from stages.shared.params import read_params
from stages.shared.records import PROMPT, TRACE, VERDICT


def main(domain: Domain) -> None:
    """Grade the traces of one domain; every trace gets a verdict."""
    params = read_params(VerifyParams, "verify")
    prompts = {row["prompt_id"]: row for row in read_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)}
    traces = read_rows(Path(f"data/traces/{domain}.parquet"), TRACE)
    verdicts = []
    with Judge(params) as judge:
        for trace in track(traces, description=f"verify {domain}"):
            prompt = prompts[trace["prompt_id"]]
            grade = judge.grade(trace["answer"], prompt["answer"], prompt["tests"])
            verdicts.append(
                {
                    "trace_id": trace["trace_id"],
                    "verdict": grade.verdict,
                    "reason": grade.reason,
                    "grader": grade.grader,
                }
            )
    write_rows(Path(f"data/verdicts/{domain}.parquet"), VERDICT, verdicts)


if __name__ == "__main__":
    run(main)
