"""Questions come from generators, files, folders and hub data sets; what cannot be read is named."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from branchmerge.core.errors import InputError, StageError
from branchmerge.core.files import read_rows
from branchmerge.core.records import PROMPT, SOURCE
from stages import prompts
from stages.source import main

ROWS = [{"problem": f"What is {n}+1?", "solution": n + 1, "level": n % 2} for n in range(200)]
PARAMS = """
run: {{seed: 0}}
source:
  sums:
    path: {source}
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
    main("sums")
    rows = read_rows(Path("data/sources/sums.parquet"), SOURCE)
    return [row for row in rows if row["split"] == "train"], [row for row in rows if row["split"] == "test"]


@pytest.mark.parametrize("name", ["source.jsonl", "source.jsonl.gz", "source.parquet", "source.csv"])
def test_a_file_gives_train_and_held_out_rows(workspace: Path, name: str):
    write_source(workspace, name)
    train, test = drawn(workspace, name)

    assert (len(train), len(test)) == (50, 10)
    assert not {row["question"] for row in train} & {row["question"] for row in test}
    assert {row["answer"] for row in train} <= {str(n + 1) for n in range(200)}
    assert {(row["licence"], row["source"], row["response"]) for row in train + test} == {("MIT", "sums", None)}


def test_where_selects_rows(workspace: Path):
    write_source(workspace, "source.jsonl")
    train, test = drawn(workspace, "source.jsonl", where="level = 1")

    assert all(int(row["answer"]) % 2 == 0 for row in train + test)


def test_the_same_input_gives_the_same_bytes(workspace: Path):
    write_source(workspace, "source.jsonl")
    drawn(workspace, "source.jsonl")
    first = Path("data/sources/sums.parquet").read_bytes()
    drawn(workspace, "source.jsonl")

    assert Path("data/sources/sums.parquet").read_bytes() == first


def test_a_missing_file_is_named(workspace: Path):
    with pytest.raises(InputError, match=r"nowhere\.jsonl: expected files .* got no such file"):
        drawn(workspace, "nowhere.jsonl")


def test_an_unknown_format_is_named(workspace: Path):
    (workspace / "rows.xls").write_text("x")
    with pytest.raises(InputError, match=r"rows\.xls: expected files that all end in one of \.parquet, \.jsonl"):
        drawn(workspace, "rows.xls")


def test_a_corrupt_parquet_is_named_and_nothing_is_written(workspace: Path):
    (workspace / "rows.parquet").write_bytes(b"PAR1 this is no Parquet")
    with pytest.raises(InputError, match=r"rows\.parquet: expected a Parquet file"):
        drawn(workspace, "rows.parquet")

    assert not Path("data").exists()


def test_a_column_that_is_not_there_is_named(workspace: Path):
    write_source(workspace, "source.jsonl")
    with pytest.raises(InputError, match="nothere"):
        drawn(workspace, "source.jsonl", where="nothere = 1")


def test_a_selection_of_nothing_is_an_error(workspace: Path):
    write_source(workspace, "source.jsonl")
    with pytest.raises(StageError, match="0 train, 0 dev, 0 test questions"):
        drawn(workspace, "source.jsonl", where="level = 7")


ANSWERS = ["3.10", "1e5", "0x1F", "True", "1:05:00", "05-01-2023", "2023-01-05T00:00:00Z", "007", "NULL", "AB-cd"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_gold_answer_stays_as_it_stands(workspace: Path, suffix: str):
    rows = [{"problem": f"What is {n}+1?", "solution": ANSWERS[n % len(ANSWERS)]} for n in range(200)]
    lines = [json.dumps(row) for row in rows]
    if suffix == "csv":
        lines = ["problem,solution", *(f"{row['problem']},{row['solution']}" for row in rows)]
    (workspace / f"texts.{suffix}").write_text("\n".join(lines) + "\n")
    train, test = drawn(workspace, f"texts.{suffix}")

    assert {row["answer"] for row in train + test} == set(ANSWERS)


def test_an_answer_without_a_teacher_is_refused_by_its_question(workspace: Path):
    rows = [{"q": f"What is {n}?", "r": "x", "t": "r1" if n else None} for n in range(60)]
    (workspace / "set.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    columns = {"question": "q", "response": "r", "teacher": "t"}
    source = {"path": "set.jsonl", "licence": "MIT", "columns": columns, "max_train_rows": 99, "max_test_rows": 99}
    params = {"run": {"seed": 0}, "source": {"set": source}}
    (workspace / "params.yaml").write_text(json.dumps(params))

    with pytest.raises(InputError, match=r"What is 0\?.*a teacher for each answer"):
        main("set")


def test_all_files_of_a_folder_are_one_source(workspace: Path):
    (workspace / "shards").mkdir()
    for shard in range(4):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS[shard::4])
        (workspace / f"shards/{shard}.jsonl").write_text(lines)
    train, test = drawn(workspace, "shards")
    write_source(workspace, "source.jsonl")

    assert (train, test) == drawn(workspace, "source.jsonl")


def test_files_of_two_kinds_in_a_folder_are_refused(workspace: Path):
    (workspace / "mixed").mkdir()
    write_source(workspace, "mixed/a.jsonl")
    write_source(workspace, "mixed/b.jsonl.gz")
    (workspace / "mixed/c.csv").write_text("problem,solution\n")

    with pytest.raises(InputError, match="files that all end in one of"):
        drawn(workspace, "mixed")


REVISION = "0123456789abcdef0123456789abcdef01234567"


class TestHub:
    """The hub's own client on its own cache, as a machine has it that downloaded the data set before."""

    @pytest.fixture(autouse=True)
    def _cache(self, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workspace / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        snapshot = workspace / f"hub/datasets--open--sums/snapshots/{REVISION}/data"
        snapshot.mkdir(parents=True)
        write_source(snapshot, "train-0.parquet")
        (snapshot / "rows.jsonl").unlink()

    def pinned(self, folder: Path, **pin: str) -> tuple[list[dict], list[dict]]:
        given = {"dataset": "open/sums", "revision": REVISION, "files": "data/train-*.parquet"} | pin
        (folder / "sums.yaml").write_text("".join(f"{key}: {value}\n" for key, value in given.items()))
        return drawn(folder, "sums.yaml")

    def test_a_pinned_data_set_gives_rows(self, workspace: Path):
        train, test = self.pinned(workspace)

        assert (len(train), len(test)) == (50, 10)

    @pytest.mark.parametrize(
        ("pin", "said"),
        [
            ({"revision": "main"}, "40 hexadecimal digits"),
            ({"revision": REVISION[::-1]}, "data set open/sums at"),
            ({"dataset": "open/other"}, "data set open/other at"),
            ({"files": "nothing-*.parquet"}, "files that all end in"),
        ],
        ids=["a branch", "another commit", "another data set", "no files"],
    )
    def test_what_cannot_be_had_is_named(self, workspace: Path, pin: dict, said: str):
        with pytest.raises(InputError, match=said):
            self.pinned(workspace, **pin)


def test_a_question_in_two_sources_is_taken_from_the_first(workspace: Path):
    write_source(workspace, "source.jsonl")
    drawn(workspace, "source.jsonl")
    text = PARAMS.format(source="source.jsonl", where="null").replace("sums", "more").replace("MIT", "Apache-2.0")
    text = text.replace("max_train_rows: 50", "max_train_rows: 80")
    (workspace / "params.yaml").write_text(text + "domains: {add: {prompts: {sources: [sums, more]}}}")
    main("more")
    prompts.main("add")
    rows = read_rows(Path("data/prompts/add.parquet"), PROMPT)

    assert len({row["question"] for row in rows}) == len(rows) == 80
    licences = [row["licence"] for row in rows if row["source"] == "sums"]
    assert (len(licences), set(licences)) == (50, {"MIT"})
    held_out = {row["question"] for row in read_rows(Path("data/benchmarks/add.parquet"), PROMPT)}
    assert held_out
    assert not held_out & {row["question"] for row in rows}
