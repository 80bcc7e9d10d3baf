"""Prompts come from generators and from files; their splits never meet."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from stages import prompts
from stages.shared.errors import InputError, StageError
from stages.shared.files import read_rows
from stages.shared.records import PROMPT

ROWS = [{"problem": f"What is {n}+1?", "solution": n + 1, "level": n % 2} for n in range(200)]
PARAMS = """
run: {{seed: 0, threads: 1}}
domains:
  sums:
    prompts:
      source: {source}
      licence: MIT
      columns: {{question: problem, answer: solution}}
      where: {where}
      max_train_rows: 50
      max_test_rows: 10
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_source(folder: Path, name: str) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    if name.endswith(".jsonl"):
        (folder / name).write_text(lines)
    elif name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(lines.encode()))
    else:
        (folder / "rows.jsonl").write_text(lines)
        duckdb.connect().execute(f"copy (from read_json_auto('{folder}/rows.jsonl')) to '{folder / name}'")


def drawn(folder: Path, source: str, where: str = "null") -> tuple[list[dict], list[dict]]:
    (folder / "params.yaml").write_text(PARAMS.format(source=source, where=where))
    prompts.main("sums")
    return read_rows(Path("data/prompts/sums.parquet"), PROMPT), read_rows(Path("data/benchmarks/sums.parquet"), PROMPT)


@pytest.mark.parametrize("name", ["source.jsonl", "source.jsonl.gz", "source.parquet", "source.csv"])
def test_a_file_gives_train_and_held_out_rows(workspace: Path, name: str):
    write_source(workspace, name)
    train, test = drawn(workspace, name)

    assert (len(train), len(test)) == (50, 10)
    assert not {row["question"] for row in train} & {row["question"] for row in test}
    assert {row["answer"] for row in train} <= {str(n + 1) for n in range(200)}
    assert {(row["domain"], row["licence"], row["source"]) for row in train + test} == {("sums", "MIT", name)}


def test_where_selects_rows(workspace: Path):
    write_source(workspace, "source.jsonl")
    train, test = drawn(workspace, "source.jsonl", where="level = 1")

    assert all(int(row["answer"]) % 2 == 0 for row in train + test)


def test_the_same_input_gives_the_same_bytes(workspace: Path):
    write_source(workspace, "source.jsonl")
    drawn(workspace, "source.jsonl")
    first = Path("data/prompts/sums.parquet").read_bytes()
    drawn(workspace, "source.jsonl")

    assert Path("data/prompts/sums.parquet").read_bytes() == first


def test_a_missing_file_is_named(workspace: Path):
    with pytest.raises(InputError, match=r"nowhere\.jsonl: expected a file .* got no such file"):
        drawn(workspace, "nowhere.jsonl")


def test_an_unknown_format_is_named(workspace: Path):
    (workspace / "rows.xls").write_text("x")
    with pytest.raises(InputError, match=r"rows\.xls: expected a file that ends in \.parquet, \.jsonl"):
        drawn(workspace, "rows.xls")


def test_a_corrupt_parquet_is_named_and_nothing_is_written(workspace: Path):
    (workspace / "rows.parquet").write_bytes(b"PAR1 this is no Parquet")
    with pytest.raises(InputError, match=r"rows\.parquet: expected columns for question, answer"):
        drawn(workspace, "rows.parquet")

    assert not Path("data").exists()


def test_a_column_that_is_not_there_is_named(workspace: Path):
    write_source(workspace, "source.jsonl")
    with pytest.raises(InputError, match="nothere"):
        drawn(workspace, "source.jsonl", where="nothere = 1")


def test_a_selection_of_nothing_is_an_error(workspace: Path):
    write_source(workspace, "source.jsonl")
    with pytest.raises(StageError, match="0 train and 0 test rows"):
        drawn(workspace, "source.jsonl", where="level = 7")
