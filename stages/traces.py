"""The teacher's answers to one domain's prompts: sampled by an engine, or ready-made ones of its sources.

A sampled answer is kept in the row store as it comes, by the content of what was asked. The output is
the selection from it that params.yaml describes; so a change costs only the rows that are new.

Reads   data/prompts/<domain>.parquet, domains.<domain>.traces.teacher, the row store
Writes  data/traces/<domain>.parquet, reports/cost/traces-<domain>.json
Params  run, traces, domains.<domain>.traces, domains.<domain>.prompts.sources
Run     python -m stages.traces --domain math
"""

from pathlib import Path
from typing import Annotated

import typer

from branchmerge.core.arithmetic import read_run
from branchmerge.core.command import Domain, run
from branchmerge.core.cost import measured
from branchmerge.core.files import iterate_rows, write_rows
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import read_params, read_value
from branchmerge.core.records import PROMPT, TRACE
from branchmerge.engines.choice import TracesMachine
from branchmerge.rowstore.params import TracesParams
from branchmerge.rowstore.ready_made import SOURCES, ready_made
from branchmerge.rowstore.traces import sample

RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Ask again the rows that failed.")]


def main(domain: Domain, retry_failed: RetryFailed = False) -> None:
    """Write the traces of one domain."""
    run_params = read_run()
    params = read_params(TracesParams, domain=domain)
    target = Path(f"data/traces/{domain}.parquet")
    prompts = iterate_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)
    with measured(f"traces-{domain}") as cost:
        if params.teacher == SOURCES:
            rows = ready_made(prompts, read_value(f"domains.{domain}.prompts.sources"), domain)
            write_rows(target, TRACE, rows)
            cost["rows"] = len(rows)
        else:
            machine, threads = read_machine(TracesMachine), read_machine(RunMachine).threads
            sample(prompts, params, machine, run_params, threads, domain, target, retry_failed, cost)


if __name__ == "__main__":
    run(main)
