"""What curation writes: the SFT set, the rejections with their reasons, the benchmark hits, the funnel."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from branchmerge.chat import conversation
from branchmerge.core.files import ROWS_IN_GROUP, ahead, write_json, write_sorted_tables
from branchmerge.core.records import HIT, REJECTED, SFT
from branchmerge.core.sql import query

_SQL = Path(__file__).parent / "sql"
FUNNEL = _SQL / "funnel.sql"
KEPT = _SQL / "kept.sql"
TEXTS = _SQL / "kept_texts.sql"


def write_curated(connection: Any, domain: str) -> None:
    """Write the tables that `select` made, for one domain."""
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
                "messages": conversation.exchanges(questions.take(facts["prompt_index"]), texts["response"]),
                "n_tokens": facts["n_tokens"],
            },
            schema=SFT.schema,
        )
    assert start == len(kept), f"{start} texts of {len(kept)} kept traces"
