"""Prompts of one domain from one or more sources: questions for the teacher, and held-out ones as its benchmark.

Reads   data/sources/<source>.parquet
Writes  data/prompts/<domain>.parquet, data/benchmarks/<domain>.parquet
Params  domains.<domain>.prompts
Run     python -m stages.prompts --domain math
"""

import json
from pathlib import Path

from pydantic import Field

from stages.shared.command import Domain, run
from stages.shared.files import Row, content_id, iterate_rows, write_rows
from stages.shared.params import Params, read_params
from stages.shared.records import PROMPT, SOURCE


class PromptsParams(Params):
    """Which sources a domain has; a question in two of them is taken from the first."""

    sources: list[str] = Field(min_length=1)


def main(domain: Domain) -> None:
    """Write the prompts and the benchmark of one domain."""
    params = read_params(PromptsParams, f"domains.{domain}.prompts")
    splits: dict[str, dict[str, Row]] = {"train": {}, "test": {}}  # split -> question -> prompt
    for source in params.sources:
        for row in iterate_rows(Path(f"data/sources/{source}.parquet"), SOURCE):
            splits[row["split"]].setdefault(row["question"], _prompt(domain, row))
    write_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT, splits["train"].values())
    write_rows(Path(f"data/benchmarks/{domain}.parquet"), PROMPT, splits["test"].values())


def _prompt(domain: str, row: Row) -> Row:
    return {
        "prompt_id": content_id(domain, row["question"], row["answer"], row["tests"]),
        "domain": domain,
        **{column: row[column] for column in ("source", "licence", "question", "answer", "tests")},
        "meta": json.dumps({"split": row["split"]}),
    }


if __name__ == "__main__":
    run(main)
