"""A domain's prompts out of the rows of its sources, by split."""

import json
from pathlib import Path

from pydantic import Field

from branchmerge.core.files import Row, content_id, iterate_rows
from branchmerge.core.params import Params
from branchmerge.core.records import SOURCE

# split -> where a domain's prompts of it lie
FOLDERS = {"train": Path("data/prompts"), "dev": Path("data/dev"), "test": Path("data/benchmarks")}


class PromptsParams(Params):
    """Which sources a domain has.

    Args:
        sources: Names of sources; a question in two of them is taken from the first.
    """

    sections = ("domains.{domain}.prompts",)

    sources: list[str] = Field(min_length=1)


def split_prompts(domain: str, sources: list[str]) -> dict[str, list[Row]]:
    """Rows of `PROMPT` by split; a question of several sources is taken from the first."""
    splits: dict[str, dict[str, Row]] = {split: {} for split in FOLDERS}  # split -> question -> prompt
    for source in sources:
        for row in iterate_rows(Path(f"data/sources/{source}.parquet"), SOURCE):
            splits[row["split"]].setdefault(row["question"], _prompt(domain, row))
    for question in splits["train"].keys() | splits["test"].keys():  # of a source that keeps no dev questions apart
        splits["dev"].pop(question, None)
    return {split: list(prompts.values()) for split, prompts in splits.items()}


def _prompt(domain: str, row: Row) -> Row:
    return {
        "prompt_id": content_id(domain, row["question"], row["answer"], row["tests"]),
        "domain": domain,
        **{column: row[column] for column in ("source", "licence", "question", "answer", "tests")},
        "meta": json.dumps(
            {"split": row["split"]} | ({"choices": json.loads(row["choices"])} if row["choices"] else {})
        ),
    }
