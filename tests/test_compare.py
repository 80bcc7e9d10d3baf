"""Two models held against each other by the command, of this workspace and of other revisions."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from branchmerge.cli.main import app
from branchmerge.core.errors import InputError
from branchmerge.core.files import read_rows, write_rows
from branchmerge.core.records import SCORE

EVAL = Path("reports/eval")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("student", "0" * 10 + "1" * 10)
    write("merged", "1" * 19 + "0")
    return tmp_path


def write(model: str, marks: str, benchmark: str = "math", made_with: str = "here") -> None:
    """Scores of a model; a mark is an answer to a question."""
    rows = [
        dict.fromkeys(SCORE.schema.names)
        | {
            "model": model,
            "benchmark": benchmark,
            "question_id": f"q{number:02}",
            "sample_index": 0,
            "is_correct": mark == "1",
            "finish_reason": "stop",
            "faults": [],
            "made_with": made_with,
        }
        for number, mark in enumerate(marks)
    ]
    write_rows(EVAL / f"{model}.parquet", SCORE, rows)


def compare(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["compare", *arguments], env={"COLUMNS": "200"})


def test_the_difference_its_interval_and_the_questions_that_flipped_are_told():
    done = compare("merged", "student", "--flips", "2")

    assert done.exit_code == 0
    assert "95.0 │ 50.0 │ +45.0 [+" in done.output
    assert "20 x 1" in done.output
    assert "math: 10 questions gained, such as q00, q01\n" in done.output
    assert "math: 1 questions lost, such as q19\n" in done.output


@pytest.mark.parametrize(("points", "code"), [("40", 0), ("46", 1)])
def test_the_exit_code_says_whether_the_lead_is_as_large_as_asked(points: str, code: int):
    assert compare("merged", "student", "--fail-below", points).exit_code == code


def test_answers_made_differently_are_told():
    write("merged", "1" * 20, made_with="vllm")

    assert "made differently, which may show: vllm; here" in compare("merged", "student").output


def test_a_model_without_scores_is_named():
    with pytest.raises(InputError, match=r"reports/eval/lost.parquet: expected score rows, got no such file"):
        raise compare("merged", "lost").exception or AssertionError


def test_models_without_a_common_question_are_refused():
    write("student", "11", benchmark="code")

    with pytest.raises(InputError, match="a benchmark with questions that both were asked, got math and code"):
        raise compare("merged", "student").exception or AssertionError


def test_a_benchmark_that_only_one_model_has_is_told_and_passes_no_gate():
    rows = read_rows(EVAL / "merged.parquet", SCORE)
    write_rows(EVAL / "merged.parquet", SCORE, rows + [row | {"benchmark": "code"} for row in rows])

    assert "not compared, for want of a question that both were asked: code" in compare("merged", "student").output
    with pytest.raises(InputError, match="expected every benchmark compared, got none of code"):
        raise compare("merged", "student", "--fail-below", "0").exception or AssertionError


def test_accuracies_are_of_the_questions_that_both_were_judged_on():
    write("merged", "1" * 19 + "0" + "0" * 20)

    assert "95.0 │ 50.0 │ +45.0" in compare("merged", "student").output


def test_one_model_alone_is_refused():
    with pytest.raises(InputError, match="expected a second model, or --rev"):
        raise compare("merged").exception or AssertionError


@pytest.mark.slow
def test_a_model_is_compared_with_itself_at_another_revision(folder: Path):
    def run(*command: str) -> Any:
        return subprocess.run(command, check=True, capture_output=True, cwd=folder)

    run("git", "init", "-q")
    run("git", "config", "user.email", "a@b")
    run("git", "config", "user.name", "a")
    run("dvc", "init", "-q")
    run("dvc", "add", "-q", "reports/eval/merged.parquet")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "first")
    write("merged", "1" * 10 + "0" * 10)

    assert "50.0 │ 95.0 │ -45.0" in compare("merged", "--rev", "HEAD").output
    with pytest.raises(InputError, match=r"reports/eval/merged.parquet at no-such: expected the scores"):
        raise compare("merged", "--rev", "no-such").exception or AssertionError
