"""A domain's prompts out of the rows of its sources, by split."""

import json
from pathlib import Path

from pydantic import Field

from branchmerge.core.files import Row, check_columns, content_id, iterate_rows
from branchmerge.core.params import Params
from branchmerge.core.records import SOURCE
from branchmerge.core.text import folded
from branchmerge.sources.golds import NO_GOLD, Gold, gold_of, tell

# split -> where a domain's prompts of it lie
SOURCES = Path("data/sources")
FOLDERS = {"train": Path("data/prompts"), "dev": Path("data/dev"), "test": Path("data/benchmarks")}


class PromptsParams(Params):
    """Which sources a domain has.

    Args:
        sources: Names of sources; a question in two of them is taken from the first, with its gold. Within a source, a
            question with several golds takes that of most of its rows, of equally many the first by the alphabet.
    """

    sections = ("domains.{domain}.prompts",)

    sources: list[str] = Field(min_length=1)


def split_prompts(domain: str, sources: list[str]) -> dict[str, list[Row]]:
    """Rows of `PROMPT` by split; a question of several sources is taken from the first, and told where golds differ.

    A dev question is one that no source of the build teaches or asks, in whatever domain.
    """
    splits: dict[str, dict[str, Row]] = {split: {} for split in FOLDERS}  # split -> question -> prompt
    disputed: dict[str, tuple[Gold, Gold]] = {}
    for source in sources:
        for row in iterate_rows(SOURCES / f"{source}.parquet", SOURCE):
            prompt = splits[row["split"]].setdefault(row["question"], _prompt(domain, row))
            taken, other = gold_of(prompt), gold_of(row)
            if taken != other and NO_GOLD not in (taken, other) and taken[1] is other[1] is None:
                disputed[row["question"]] = taken, other  # other tests ask for the same
    if disputed:
        question, golds = next(iter(disputed.items()))
        rule = "each takes the one of the source named first"
        tell(f"domains.{domain}.prompts", len(disputed), question, golds, rule)
    if splits["dev"]:
        for question in _used_elsewhere(splits["dev"]):
            del splits["dev"][question]
    return {split: list(prompts.values()) for split, prompts in splits.items()}


def _used_elsewhere(dev: dict[str, Row]) -> set[str]:
    """Dev questions that a source teaches or asks, as one that keeps none apart does; their case does not count."""
    import pyarrow.dataset

    by_text: dict[str, list[str]] = {}
    for question in dev:
        by_text.setdefault(folded(question), []).append(question)
    used: set[str] = set()
    for file in sorted(SOURCES.glob("*.parquet")):
        check_columns(file, SOURCE)
        others = pyarrow.dataset.field("split") != "dev"
        for batch in pyarrow.dataset.dataset(file).to_batches(columns=["question"], filter=others):
            for question in batch["question"].to_pylist():
                used.update(by_text.get(folded(question), ()))
    return used


def _prompt(domain: str, row: Row) -> Row:
    return {
        "prompt_id": content_id(domain, row["question"], row["answer"], row["tests"]),
        "domain": domain,
        **{column: row[column] for column in ("source", "licence", "question", "answer", "tests")},
        "meta": json.dumps(
            {"split": row["split"]} | ({"choices": json.loads(row["choices"])} if row["choices"] else {})
        ),
    }
