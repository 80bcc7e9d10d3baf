"""The traces worth learning from, chosen by SQL: one rule a file, and every rejection kept with its reasons.

A rule is stages/rules/<reason>.sql, selecting the trace_id of what it rejects; adding a file adds a rule. Rules
see the tables candidates and hits, and the views prompts, traces, verdicts, counts and benchmarks. Of what all rules
leave, the choices of branchmerge/curation take their share one after another. stages/audits select what must not be.

Reads   data/prompts, data/traces, data/verdicts, data/counts of one domain; data/benchmarks, data/domains.json
Writes  data/sft, data/rejected and data/hits of the domain; reports/funnel/<domain>.json
Params  curate, domains.<domain>.curate
Run     python -m stages.curate --domain math
"""

from functools import reduce
from pathlib import Path
from typing import Any

from branchmerge.core.command import Domain, run
from branchmerge.core.files import check_columns
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import read_params
from branchmerge.core.records import COUNT, PROMPT, TRACE, VERDICT, Record
from branchmerge.core.sql import connect
from branchmerge.curation.output import write_curated
from branchmerge.curation.params import CurateParams
from branchmerge.curation.selection import audit, count, refuse_nothing, select
from branchmerge.sources.domains import domains

RULES = Path("stages/rules")
AUDITS = Path("stages/audits")


def main(domain: Domain) -> None:
    """Split the traces of one domain into an SFT set and rejections."""
    params = read_params(CurateParams, domain=domain)
    connection = connect(read_machine(RunMachine).threads)
    for name, record in (("prompts", PROMPT), ("traces", TRACE), ("verdicts", VERDICT), ("counts", COUNT)):
        _rows_of(connection, Path(f"data/{name}/{domain}.parquet"), record).create_view(name)
    _view_benchmarks(connection, domains())
    select(connection, params, RULES)
    refuse_nothing(connection, domain)
    audit(connection, params, AUDITS)
    write_curated(connection, domain)
    n_traces, n_kept = count(connection, "candidates"), count(connection, "kept")
    print(f"{domain}: {n_traces} traces in, {n_kept} kept, {n_traces - n_kept} rejected (branchmerge funnel)")


def _rows_of(connection: Any, file: Path, record: Record) -> Any:
    check_columns(file, record)
    return connection.read_parquet(str(file), file_row_number=True)


def _view_benchmarks(connection: Any, names: list[str]) -> None:
    """The view benchmarks: the questions of all domains, and which benchmark each belongs to."""
    files = [_rows_of(connection, Path(f"data/benchmarks/{name}.parquet"), PROMPT) for name in names]
    named = [rows.project("*, domain as benchmark") for rows in files]
    reduce(lambda one, other: one.union(other), named).create_view("benchmarks")


if __name__ == "__main__":
    run(main)
