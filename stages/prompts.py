"""Prompts of one domain: rows to learn from, and held-out rows as its benchmark.

A question's split follows from a hash of its text, so no question can be in both.

Reads   domains.<domain>.prompts.source: a generator (.py) or a file of rows
Writes  data/prompts/<domain>.parquet, data/benchmarks/<domain>.parquet
Params  run, domains.<domain>.prompts
Run     python -m stages.prompts --domain math
"""

import json
from pathlib import Path
from typing import Self

from pydantic import PositiveInt, model_validator

from stages.shared.command import Domain, run
from stages.shared.errors import StageError
from stages.shared.files import Row, content_id, write_rows
from stages.shared.params import Params, RunParams, read_params
from stages.shared.problems import Split, problems, split_of
from stages.shared.records import PROMPT
from stages.shared.sql import source_rows


class Columns(Params):
    """SQL expressions over the source's columns; null where it has no such thing."""

    question: str
    answer: str
    tests: str | None = None


class PromptsParams(Params):
    """Where a domain's prompts come from, and how many are taken.

    Args:
        columns: For a file of rows only.
        where: An SQL condition over the file's columns; null for all rows.
        max_train_rows: Prompts for the teacher; a file may have fewer.
        max_test_rows: Held-out questions of the benchmark; a file may have fewer.
    """

    source: Path
    licence: str
    columns: Columns | None = None
    where: str | None = None
    max_train_rows: PositiveInt
    max_test_rows: PositiveInt

    @model_validator(mode="after")
    def _columns_fit_source(self) -> Self:
        if (self.source.suffix == ".py") == (self.columns is not None):
            raise ValueError("columns for a file of rows, and none for a generator")
        return self


def main(domain: Domain) -> None:
    """Write the prompts and the benchmark of one domain."""
    run_params = read_params(RunParams, "run")
    params = read_params(PromptsParams, f"domains.{domain}.prompts")
    train = _prompts(domain, params, "train", run_params.seed, params.max_train_rows)
    test = _prompts(domain, params, "test", run_params.seed, params.max_test_rows)
    if not train or not test:
        raise StageError(
            where=f"domains.{domain}.prompts",
            expected="prompts in both splits",
            got=f"{len(train)} train and {len(test)} test rows from {params.source}",
            do="widen where, or name a larger source",
        )
    write_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT, train)
    write_rows(Path(f"data/benchmarks/{domain}.parquet"), PROMPT, test)


def _prompts(domain: str, params: PromptsParams, split: Split, seed: int, count: int) -> list[Row]:
    if params.columns is None:
        drawn = [
            {"question": problem.question, "answer": problem.answer, "tests": problem.tests}
            for problem in problems(params.source, split, seed, count)
        ]
    else:
        drawn = _from_file(params, split, count)
    return [
        {
            "prompt_id": content_id(domain, row["question"], row["answer"], row["tests"]),
            "domain": domain,
            "source": params.source.name,
            "licence": params.licence,
            **row,
            "meta": json.dumps({"split": split}),
        }
        for row in drawn
    ]


def _from_file(params: PromptsParams, split: Split, count: int) -> list[Row]:
    """Distinct questions of a file in one split, in the order of a hash of their text."""
    assert params.columns is not None
    columns = {name: expression or "null" for name, expression in params.columns.model_dump().items()}
    distinct: dict[str, Row] = {}
    for row in source_rows(params.source, columns, params.where):
        text = {name: None if value is None else str(value) for name, value in row.items()}
        if text["question"] and split_of(text["question"]) == split:
            distinct.setdefault(text["question"], text)
    return [distinct[question] for question in sorted(distinct, key=content_id)][:count]


if __name__ == "__main__":
    run(main)
