"""Traces chosen by SQL: rules reject, choices take their share of what is left, audits select what must not be."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from branchmerge.core.errors import StageError
from branchmerge.core.sql import query
from branchmerge.curation.near_duplicates import find_near_duplicates
from branchmerge.curation.params import CurateParams

_SQL = Path(__file__).parent / "sql"
CANDIDATES = _SQL / "candidates.sql"
HITS = _SQL / "hits.sql"
_FOLDER = Path(__file__).parent / "choices"
CHOICES = (_FOLDER / "near_duplicate.sql", _FOLDER / "surplus.sql", _FOLDER / "over_quota.sql")
_SHOWN = 5  # rows of a failed audit


def select(connection: Any, params: CurateParams, rules: Path) -> None:
    """Make the tables candidates, hits, steps (reason, position), rejected (trace_id, reason) and kept (trace_id).

    Args:
        connection: With prompts, traces, verdicts, counts and benchmarks.
        rules: Folder of the rules.
    """
    thresholds = params.model_dump()
    query(connection, CANDIDATES, {})
    query(connection, HITS, thresholds)
    quotas = {"source": list(params.max_traces_by_source), "max_traces": list(params.max_traces_by_source.values())}
    connection.register("quotas", pa.table(quotas, schema=pa.schema({"source": pa.string(), "max_traces": pa.int64()})))
    files = sorted(rules.glob("*.sql"))
    steps = {"reason": [file.stem for file in (*files, *CHOICES)], "position": range(len(files) + len(CHOICES))}
    connection.register("steps", pa.table(steps))
    connection.execute("create table rejected (trace_id varchar, reason varchar)")
    for rule in files:
        _reject(connection, rule, thresholds)
    find_near_duplicates(connection, params.near_duplicate_similarity)
    for choice in CHOICES:
        _reject(connection, choice, thresholds)
    connection.execute("create table kept as select trace_id from candidates anti join rejected using (trace_id)")


def _reject(connection: Any, file: Path, thresholds: dict[str, Any]) -> None:
    query(connection, file, thresholds, into="found")
    connection.execute("insert into rejected select trace_id, $reason from found", {"reason": file.stem})


def audit(connection: Any, params: CurateParams, audits: Path) -> None:
    """Run the audits: queries that return what must not be.

    Raises:
        StageError: One returned rows; the first are shown.
    """
    for file in sorted(audits.glob("*.sql")):
        wrong = query(connection, file, params.model_dump())
        rows = wrong.fetchall()
        if rows:
            shown = "; ".join(str(dict(zip(wrong.columns, row, strict=True))) for row in rows[:_SHOWN])
            raise StageError(
                where=str(file),
                expected="no rows",
                got=f"{len(rows)}, such as {shown}",
                do="find out which rule or file is wrong; nothing was written",
            )


def refuse_nothing(connection: Any, domain: str) -> None:
    """Refuse a selection that kept no trace.

    Raises:
        StageError: With the rules that rejected them.
    """
    if count(connection, "kept"):
        return
    reasons = connection.sql("select distinct reason from rejected order by reason").fetchall()
    raise StageError(
        where=f"data/traces/{domain}.parquet",
        expected="at least one trace to keep",
        got=f"{count(connection, 'candidates')} traces, all rejected by {', '.join(reason for (reason,) in reasons)}",
        do="loosen domains.*.curate, or look at the teacher's answers",
    )


def count(connection: Any, table: str) -> int:
    """Rows of a table."""
    return int(connection.sql(f"select count(*) from {table}").fetchall()[0][0])
