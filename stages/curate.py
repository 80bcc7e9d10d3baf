"""The traces worth learning from, chosen by SQL: one rule a file, and every rejection kept with its reasons.

A rule is stages/sql/rules/<reason>.sql, selecting the trace_id of what it rejects; adding a file adds a rule. Rules
see the tables candidates and hits, and the views prompts, traces, verdicts, counts and benchmarks. Of what all rules
leave, stages/sql/choices take their share one after another. stages/sql/audits select what must not be.

Reads   data/prompts, data/traces, data/verdicts, data/counts of one domain; data/benchmarks
Writes  data/sft, data/rejected and data/hits of the domain; reports/funnel/<domain>.json
Params  run, curate, domains.<domain>.curate, domains
Run     python -m stages.curate --domain math
"""

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field, PositiveInt

from stages.shared import chat
from stages.shared.command import Domain, run
from stages.shared.errors import StageError
from stages.shared.files import ROWS_IN_GROUP, ahead, check_columns, write_json, write_sorted_tables
from stages.shared.near_duplicates import find_near_duplicates
from stages.shared.params import Params, RunParams, read_params, read_section
from stages.shared.records import COUNT, HIT, PROMPT, REJECTED, SFT, TRACE, VERDICT, Record
from stages.shared.sql import connect, query

CANDIDATES = Path("stages/sql/candidates.sql")
HITS = Path("stages/sql/hits.sql")
RULES = Path("stages/sql/rules")
_FOLDER = Path("stages/sql/choices")
CHOICES = (_FOLDER / "near_duplicate.sql", _FOLDER / "surplus.sql", _FOLDER / "over_quota.sql")
AUDITS = Path("stages/sql/audits")
FUNNEL = Path("stages/sql/funnel.sql")
KEPT = Path("stages/sql/kept.sql")
TEXTS = Path("stages/sql/kept_texts.sql")
_SHOWN = 5  # rows of a failed audit


class CurateParams(Params):
    """Thresholds of the rules and choices; null switches one off.

    Args:
        min_tokens, max_tokens: Prompt and answer together, by the student's tokenizer.
        require_thought: Whether there must be think tags; false allows none, but refuses malformed ones.
        max_foreign_ratio: Characters of scripts other than Latin and Greek.
        max_repeated_ratio: Sentences and lines that were said before.
        min_distinct_ratio: Distinct words among the last 100.
        min_pass_rate, max_pass_rate: Share of a prompt's traces that are correct.
        contamination_words: Length of the runs of words in which prompts are compared with benchmarks.
        min_contamination_ratio: Share of a benchmark question's runs that a prompt holds to be rejected.
        near_duplicate_similarity: Jaccard similarity from which one of two prompts is rejected.
        max_traces_per_prompt: Taken in trace_order.
        max_traces_by_source: Most traces of the sources named.
    """

    max_tokens: PositiveInt | None
    min_tokens: PositiveInt | None = None
    require_thought: bool | None = None
    max_foreign_ratio: float | None = Field(default=None, ge=0, le=1)
    max_repeated_ratio: float | None = Field(default=None, ge=0, le=1)
    min_distinct_ratio: float | None = Field(default=None, ge=0, le=1)
    min_pass_rate: float | None = Field(default=None, ge=0, le=1)
    max_pass_rate: float | None = Field(default=None, ge=0, le=1)
    contamination_words: PositiveInt | None = None
    min_contamination_ratio: float = Field(default=0.8, gt=0, le=1)
    near_duplicate_similarity: float | None = Field(default=None, gt=0, le=1)
    max_traces_per_prompt: PositiveInt | None
    trace_order: Literal["shortest", "longest", "first"] = "shortest"
    max_traces_by_source: dict[str, PositiveInt] = Field(default_factory=dict)


def main(domain: Domain) -> None:
    """Split the traces of one domain into an SFT set and rejections."""
    run_params = read_params(RunParams, "run")
    params = read_params(CurateParams, "curate", f"domains.{domain}.curate")
    connection = connect(run_params.threads)
    for name, record in (("prompts", PROMPT), ("traces", TRACE), ("verdicts", VERDICT), ("counts", COUNT)):
        _rows_of(connection, Path(f"data/{name}/{domain}.parquet"), record).create_view(name)
    _view_benchmarks(connection, list(read_section("domains")))
    select(connection, params)
    _refuse_nothing(connection, domain)
    audit(connection, params)
    _write(connection, domain)
    n_traces, n_kept = _count(connection, "candidates"), _count(connection, "kept")
    print(f"{domain}: {n_traces} traces in, {n_kept} kept, {n_traces - n_kept} rejected (branchmerge funnel)")


def _rows_of(connection: Any, file: Path, record: Record) -> Any:
    check_columns(file, record)
    return connection.read_parquet(str(file), file_row_number=True)


def _view_benchmarks(connection: Any, names: list[str]) -> None:
    """The view benchmarks: the questions of all domains, and which benchmark each belongs to."""
    files = [_rows_of(connection, Path(f"data/benchmarks/{name}.parquet"), PROMPT) for name in names]
    named = [rows.project("*, domain as benchmark") for rows in files]
    reduce(lambda one, other: one.union(other), named).create_view("benchmarks")


def select(connection: Any, params: CurateParams) -> None:
    """Make the tables candidates, hits, steps (reason, position), rejected (trace_id, reason) and kept (trace_id).

    Args:
        connection: With prompts, traces, verdicts, counts and benchmarks.
    """
    thresholds = params.model_dump()
    query(connection, CANDIDATES, {})
    query(connection, HITS, thresholds)
    quotas = {"source": list(params.max_traces_by_source), "max_traces": list(params.max_traces_by_source.values())}
    connection.register("quotas", pa.table(quotas, schema=pa.schema({"source": pa.string(), "max_traces": pa.int64()})))
    rules = sorted(RULES.glob("*.sql"))
    steps = {"reason": [file.stem for file in (*rules, *CHOICES)], "position": range(len(rules) + len(CHOICES))}
    connection.register("steps", pa.table(steps))
    connection.execute("create table rejected (trace_id varchar, reason varchar)")
    for rule in rules:
        _reject(connection, rule, thresholds)
    find_near_duplicates(connection, params.near_duplicate_similarity)
    for choice in CHOICES:
        _reject(connection, choice, thresholds)
    connection.execute("create table kept as select trace_id from candidates anti join rejected using (trace_id)")


def _reject(connection: Any, file: Path, thresholds: dict[str, Any]) -> None:
    query(connection, file, thresholds, into="found")
    connection.execute("insert into rejected select trace_id, $reason from found", {"reason": file.stem})


def audit(connection: Any, params: CurateParams) -> None:
    """Run the audits: queries that return what must not be.

    Raises:
        StageError: One returned rows; the first are shown.
    """
    for file in sorted(AUDITS.glob("*.sql")):
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


def _refuse_nothing(connection: Any, domain: str) -> None:
    if _count(connection, "kept"):
        return
    reasons = connection.sql("select distinct reason from rejected order by reason").fetchall()
    raise StageError(
        where=f"data/traces/{domain}.parquet",
        expected="at least one trace to keep",
        got=f"{_count(connection, 'candidates')} traces, all rejected by {', '.join(reason for (reason,) in reasons)}",
        do="loosen domains.*.curate, or look at the teacher's answers",
    )


def _count(connection: Any, table: str) -> int:
    return int(connection.sql(f"select count(*) from {table}").fetchall()[0][0])


def _write(connection: Any, domain: str) -> None:
    for name, record in (("rejected", REJECTED), ("hits", HIT)):
        rows = connection.sql(f"select {', '.join(record.schema.names)} from {name} order by {', '.join(record.key)}")
        reader = rows.to_arrow_reader(ROWS_IN_GROUP)
        tables = (pa.Table.from_batches([batch]).cast(record.schema) for batch in reader)
        write_sorted_tables(Path(f"data/{name}/{domain}.parquet"), record, tables)
    funnel = query(connection, FUNNEL, {}).to_arrow_table().to_pylist()
    write_json(Path(f"reports/funnel/{domain}.json"), funnel)
    write_sorted_tables(Path(f"data/sft/{domain}.parquet"), SFT, ahead(_sft(connection, domain)))


def _sft(connection: Any, domain: str) -> Iterator[pa.Table]:
    """The kept traces as conversations, in the order of the traces' file and without holding their texts."""
    questions = connection.sql("select question from prompts order by prompt_id").to_arrow_table()["question"]
    kept = connection.sql(KEPT.read_text()).to_arrow_table()
    start = 0
    for batch in connection.sql(TEXTS.read_text()).to_arrow_reader(ROWS_IN_GROUP):
        texts = pa.Table.from_batches([batch])
        facts = kept[start : start + len(texts)]
        start += len(texts)
        yield pa.table(
            {
                "trace_id": texts["trace_id"],
                "domain": pa.repeat(domain, len(texts)),
                "source": facts["source"],
                "messages": chat.conversations(questions.take(facts["prompt_index"]), texts["response"]),
                "n_tokens": facts["n_tokens"],
            },
            schema=SFT.schema,
        )
    assert start == len(kept), f"{start} texts of {len(kept)} kept traces"


if __name__ == "__main__":
    run(main)
