"""The traces worth learning from, chosen by SQL: one rule a file, and every rejection kept with its reasons.

A rule is stages/sql/rules/<reason>.sql, selecting the trace_id of what it rejects from the table
`candidates`. Adding a file adds a rule.

Reads   data/prompts, data/traces, data/verdicts of one domain; models/<student> for its tokenizer
Writes  data/sft/<domain>.parquet, data/rejected/<domain>.parquet
Params  run, curate, domains.<domain>.curate
Run     python -m stages.curate --domain math
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import PositiveInt

from stages.shared import chat
from stages.shared.command import Domain, run
from stages.shared.errors import StageError
from stages.shared.files import Row, read_rows, write_rows
from stages.shared.params import Params, RunParams, read_params
from stages.shared.records import PROMPT, REJECTED, SFT, TRACE, VERDICT
from stages.shared.sql import connect, query

RULES = Path("stages/sql/rules")
CANDIDATES = Path("stages/sql/candidates.sql")
SURPLUS = Path("stages/sql/surplus.sql")
STUDENT = Path("models/student")


class CurateParams(Params):
    """Thresholds of the rules; null switches a rule off.

    Args:
        max_tokens: Prompt and answer together, by the student's tokenizer.
        max_traces_per_prompt: The shortest are kept.
    """

    max_tokens: PositiveInt | None
    max_traces_per_prompt: PositiveInt | None


def main(domain: Domain) -> None:
    """Split the traces of one domain into an SFT set and rejections."""
    run_params = read_params(RunParams, "run")
    params = read_params(CurateParams, "curate", f"domains.{domain}.curate")
    prompts = read_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)
    traces = read_rows(Path(f"data/traces/{domain}.parquet"), TRACE)
    verdicts = read_rows(Path(f"data/verdicts/{domain}.parquet"), VERDICT)
    from transformers import AutoTokenizer  # here, since it takes seconds and missing inputs are told at once

    tokenizer = AutoTokenizer.from_pretrained(STUDENT)
    lengths = _lengths(prompts, traces, tokenizer)
    kept, rejected = select(prompts, traces, verdicts, lengths, params, run_params.threads)
    if not kept:
        reasons = ", ".join(sorted({row["reason"] for row in rejected}))
        raise StageError(
            where=f"data/traces/{domain}.parquet",
            expected="at least one trace to keep",
            got=f"{len(traces)} traces, all rejected by {reasons}",
            do="loosen domains.*.curate, or look at the teacher's answers",
        )
    sft = [
        {
            "trace_id": row["trace_id"],
            "domain": domain,
            "messages": chat.conversation(row["question"], row["response"]),
            "n_tokens": row["n_tokens"],
        }
        for row in kept
    ]
    write_rows(Path(f"data/sft/{domain}.parquet"), SFT, sft)
    write_rows(Path(f"data/rejected/{domain}.parquet"), REJECTED, rejected)
    print(f"{domain}: {len(traces)} traces in, {len(kept)} kept, {len(traces) - len(kept)} rejected")


def _lengths(prompts: list[Row], traces: list[Row], tokenizer: Any) -> list[Row]:
    """Tokens of each trace with its prompt, stop token included."""
    questions = {prompt["prompt_id"]: prompt["question"] for prompt in prompts}
    return [
        {
            "trace_id": trace["trace_id"],
            "n_tokens": len(
                chat.training_row(tokenizer, chat.conversation(questions[trace["prompt_id"]], trace["response"] or ""))[
                    "input_ids"
                ]
            ),
        }
        for trace in traces
    ]


def select(
    prompts: list[Row], traces: list[Row], verdicts: list[Row], lengths: list[Row], params: CurateParams, threads: int
) -> tuple[list[Row], list[Row]]:
    """Kept candidates, and a (trace_id, reason) row for every reason a trace was rejected for."""
    connection = connect(threads)
    _table(connection, "prompts", prompts, PROMPT.schema)
    _table(connection, "traces", traces, TRACE.schema)
    _table(connection, "verdicts", verdicts, VERDICT.schema)
    _table(connection, "lengths", lengths, pa.schema({"trace_id": pa.string(), "n_tokens": pa.int64()}))
    query(connection, CANDIDATES, {})
    thresholds = params.model_dump()
    rejected = [
        {"trace_id": trace_id, "reason": rule.stem}
        for rule in sorted(RULES.glob("*.sql"))
        for (trace_id,) in query(connection, rule, thresholds).fetchall()
    ]
    _table(connection, "rejected", rejected, REJECTED.schema)
    surplus = [trace_id for (trace_id,) in query(connection, SURPLUS, thresholds).fetchall()]
    rejected += [{"trace_id": trace_id, "reason": "surplus"} for trace_id in surplus]
    gone = {row["trace_id"] for row in rejected}
    candidates = connection.sql("from candidates order by trace_id").to_arrow_table().to_pylist()
    return [row for row in candidates if row["trace_id"] not in gone], rejected


def _table(connection: Any, name: str, rows: list[Row], schema: pa.Schema) -> None:
    connection.register(name, pa.Table.from_pylist(rows, schema=schema))


if __name__ == "__main__":
    run(main)
