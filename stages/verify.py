"""A verdict on every trace of one domain: correct, wrong or unverifiable, with the reason.

Reads   data/prompts/<domain>.parquet, data/traces/<domain>.parquet
Writes  data/verdicts/<domain>.parquet
Params  verify
Run     python -m stages.verify --domain math
"""

from pathlib import Path

from rich.progress import track

from branchmerge.core.command import Domain, run
from branchmerge.core.files import read_rows, write_rows
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import read_params
from branchmerge.core.records import PROMPT, TRACE, VERDICT
from branchmerge.grading.judge import Judge, VerifyMachine, VerifyParams
from branchmerge.grading.verdicts import verdicts


def main(domain: Domain) -> None:
    """Grade the traces of one domain; every trace gets a verdict."""
    params = read_params(VerifyParams)
    workers = read_machine(VerifyMachine).workers or read_machine(RunMachine).threads
    prompts = {row["prompt_id"]: row for row in read_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)}
    traces = read_rows(Path(f"data/traces/{domain}.parquet"), TRACE)
    with Judge(params, domain, workers) as judge:
        rows = verdicts(
            traces, prompts, judge, params, lambda grades: track(grades, f"verify {domain}", total=len(traces))
        )
        write_rows(Path(f"data/verdicts/{domain}.parquet"), VERDICT, rows)


if __name__ == "__main__":
    run(main)
