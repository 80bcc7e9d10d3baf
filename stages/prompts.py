"""Prompts of one domain from one or more sources: questions for the teacher, and held-out ones.

The held-out ones of the split test are the domain's benchmark; a search chooses on those of the split dev.

Reads   data/sources/<source>.parquet
Writes  data/prompts/<domain>.parquet, data/dev/<domain>.parquet, data/benchmarks/<domain>.parquet
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

FOLDERS = {"train": Path("data/prompts"), "dev": Path("data/dev"), "test": Path("data/benchmarks")}


class PromptsParams(Params):
    """Which sources a domain has; a question in two of them is taken from the first."""

    sources: list[str] = Field(min_length=1)


def main(domain: Domain) -> None:
    """Write the prompts, the dev questions and the benchmark of one domain."""
    params = read_params(PromptsParams, f"domains.{domain}.prompts")
    splits: dict[str, dict[str, Row]] = {split: {} for split in FOLDERS}  # split -> question -> prompt
    for source in params.sources:
        for row in iterate_rows(Path(f"data/sources/{source}.parquet"), SOURCE):
            splits[row["split"]].setdefault(row["question"], _prompt(domain, row))
    for question in splits["train"].keys() | splits["test"].keys():  # of a source that keeps no dev questions apart
        splits["dev"].pop(question, None)
    for split, folder in FOLDERS.items():
        write_rows(folder / f"{domain}.parquet", PROMPT, splits[split].values())


def _prompt(domain: str, row: Row) -> Row:
    return {
        "prompt_id": content_id(domain, row["question"], row["answer"], row["tests"]),
        "domain": domain,
        **{column: row[column] for column in ("source", "licence", "question", "answer", "tests")},
        "meta": json.dumps({"split": row["split"]}),
    }


if __name__ == "__main__":
    run(main)
