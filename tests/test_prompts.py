"""Which questions are learnt, which a search chooses on, and which are held out."""

import json
from pathlib import Path

import pytest

from branchmerge.core.errors import StageError
from branchmerge.core.files import Row, read_rows
from branchmerge.core.records import PROMPT, SOURCE
from branchmerge.sources.problems import split_of
from branchmerge.sources.prompts import FOLDERS
from stages import prompts, source
from tests.conftest import ROOT

QUESTIONS = [f"What is {n}+1?" for n in range(200)]
FILE = {"path": "sums.jsonl", "columns": {"question": "q", "answer": "a"}}
GENERATOR = {"path": "stages/generators/arithmetic.py"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    (tmp_path / "sums.jsonl").write_text("\n".join(json.dumps({"q": question, "a": "1"}) for question in QUESTIONS))
    return tmp_path


def split_questions(path: dict, **counts: int) -> dict[str, set[str]]:
    """Questions of a source by split, of as many as asked for each."""
    wanted = {f"max_{split}_rows": count for split, count in counts.items()}
    params = {
        "run": {"seed": 0},
        "source": {"sums": path | wanted | {"licence": "MIT"}},
        "domains": {"math": {"prompts": {"sources": ["sums"]}}},
    }
    Path("params.yaml").write_text(json.dumps(params))
    source.main("sums")
    rows = read_rows(Path("data/sources/sums.parquet"), SOURCE)
    return {split: {row["question"] for row in rows if row["split"] == split} for split in ("train", "dev", "test")}


@pytest.mark.parametrize("path", [FILE, GENERATOR])
def test_dev_questions_are_neither_learnt_nor_held_out(path: dict):
    splits = split_questions(path, train=30, dev=5, test=10)

    assert [len(questions) for questions in splits.values()] == [30, 5, 10]
    assert len(set.union(*splits.values())) == 45


def test_asking_for_dev_questions_changes_no_other_split():
    without = split_questions(FILE, train=999, test=999)
    with_dev = split_questions(FILE, train=999, dev=999, test=999)

    assert without["dev"] == set()
    assert with_dev | {"dev": set()} == without


@pytest.mark.parametrize(("wanted", "other"), [("train", "test"), ("test", "train")])
def test_dev_questions_are_kept_out_of_a_source_that_is_all_for_one_split(wanted: str, other: str):
    dev = {question for question in QUESTIONS if split_of(question) == "dev"}
    whole = split_questions(FILE, **{wanted: 999, other: 0})
    parted = split_questions(FILE, **{wanted: 999, other: 0}, dev=999)

    assert whole[wanted] == set(QUESTIONS)
    assert parted == {wanted: set(QUESTIONS) - dev, "dev": dev, other: set()}


def test_a_source_without_the_dev_questions_asked_for_is_an_error():
    only = next(question for question in QUESTIONS if split_of(question) == "train")
    Path("sums.jsonl").write_text(json.dumps({"q": only, "a": "1"}))

    with pytest.raises(StageError, match="questions in train and dev, got 1 train, 0 dev, 0 test questions"):
        split_questions(FILE, train=9, dev=9, test=0)


def test_a_domain_has_a_file_of_each_split():
    splits = split_questions(FILE, train=30, dev=5, test=10)
    prompts.main("math")

    for split, target in FOLDERS.items():
        assert {row["question"] for row in read_rows(target / "math.parquet", PROMPT)} == splits[split]


def test_a_dev_question_that_another_source_of_the_domain_teaches_or_asks_is_not_chosen_on():
    splits = split_questions(FILE, train=30, dev=999, test=10)
    learnt, asked, *others = sorted(splits["dev"])
    add_source("taught", learnt, train=9, test=0)
    add_source("asked", asked, train=0, test=9)
    prompts.main("math")

    assert {row["question"] for row in read_rows(Path("data/dev/math.parquet"), PROMPT)} == set(others)


def add_source(name: str, question: str, train: int, test: int) -> None:
    """A source of one question, after those that the domain has."""
    Path(f"{name}.jsonl").write_text(json.dumps({"q": question, "a": "1"}))
    params = json.loads(Path("params.yaml").read_text())
    counts = {"max_train_rows": train, "max_test_rows": test}
    params["source"][name] = FILE | counts | {"path": f"{name}.jsonl", "licence": "MIT"}
    params["domains"]["math"]["prompts"]["sources"].append(name)
    Path("params.yaml").write_text(json.dumps(params))
    source.main(name)


@pytest.mark.parametrize("disguised", [False, True])
def test_a_dev_question_that_a_source_of_another_domain_teaches_is_not_chosen_on(disguised: bool):
    splits = split_questions(FILE, train=30, dev=999, test=10)
    learnt, *others = sorted(splits["dev"])
    add_source("taught", learnt.replace("W", "\u200bw") if disguised else learnt, train=9, test=0)
    params = json.loads(Path("params.yaml").read_text())
    params["domains"] = {
        name: {"prompts": {"sources": [source]}} for name, source in (("math", "sums"), ("b", "taught"))
    }
    Path("params.yaml").write_text(json.dumps(params))
    prompts.main("math")

    assert {row["question"] for row in read_rows(Path("data/dev/math.parquet"), PROMPT)} == set(others)


def told(*golds: tuple[str, str | None], **columns: str) -> list[Row]:
    """Rows of a source of questions and golds; a ready-made answer is numbered by the row."""
    rows = [{"q": question, "a": gold, "r": f"{n}"} for n, (question, gold) in enumerate(golds)]
    Path("sums.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = FILE | {"columns": FILE["columns"] | columns}
    split_questions(path, train=99, test=0)
    return read_rows(Path("data/sources/sums.parquet"), SOURCE)


@pytest.mark.parametrize(
    ("golds", "taken"),
    [
        (["7", "5", "5"], "5"),
        (["7", "5"], "5"),
        (["7", None], "7"),
        ([None, None], None),
        (["10", "9"], "10"),
    ],
    ids=["that of most rows", "of equally many the first", "none is no gold", "none at all", "by the alphabet"],
)
@pytest.mark.parametrize("columns", [{}, {"response": "r", "teacher": "'t'"}], ids=["questions", "answers"])
def test_a_question_has_one_gold(golds: list[str | None], taken: str | None, columns: dict[str, str]):
    rows = told(*(("How many?", gold) for gold in golds), ("How few?", "1"), **columns)

    assert [row["answer"] for row in rows] == ["1", *[taken] * (len(golds) if columns else 1)]


def test_questions_with_two_golds_are_told_in_a_line(capsys: pytest.CaptureFixture[str]):
    told(("How many?", "7"), ("How many?", "5"), ("How few?", "1"), ("How few?", "2"), ("Why?", "x"), ("Why?", None))

    (line,) = capsys.readouterr().err.splitlines()
    assert "sums.jsonl: 2 questions have several golds, such as 'How few?' (1; 2): each takes the one" in line


def test_two_sources_that_disagree_are_told(capsys: pytest.CaptureFixture[str]):
    told(("How many?", "7"), ("How few?", "1"))
    add_source("more", "How many?", train=9, test=0)
    prompts.main("math")

    (line,) = capsys.readouterr().err.splitlines()
    assert "domains.math.prompts: 1 question has several golds, such as 'How many?' (7; 1)" in line
    rows = {row["question"]: row["answer"] for row in read_rows(Path("data/prompts/math.parquet"), PROMPT)}
    assert rows == {"How many?": "7", "How few?": "1"}
