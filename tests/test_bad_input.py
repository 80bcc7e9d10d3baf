"""Bad input ends a stage with one line that says where and what to do, exit code 2, and nothing half-written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_build_graph import replace


def run_stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert [part for part in ("error: ", *parts) if part not in line] == [], line


# what is planted in params.yaml; the stage that meets it; what the error names
PLANTED = [
    (
        "max_train_rows: 1300",
        "max_train_row: 1300",
        "source",
        ["source.arithmetic.max_train_row", "perhaps max_train_rows"],
    ),
    (
        "max_train_rows: 1300",
        "max_train_rows: many",
        "source",
        ["params.yaml:", "source.arithmetic.max_train_rows", "'many'"],
    ),
    ("max_train_rows: 1300", "max_train_rows: -1", "source", ["greater than or equal to 0", "-1"]),
    (
        "generators/arithmetic.py\n    licence",
        "generators/gone.py\n    licence",
        "source",
        ["gone.py", "no such file"],
    ),
    ("relative_tolerance: 0.001", "relative_tolerance: 2", "verify", ["verify.relative_tolerance", "less than 1"]),
]


@pytest.mark.parametrize(("old", "new", "stage", "parts"), PLANTED, ids=[new.split("\n")[0] for _, new, *_ in PLANTED])
def test_a_planted_mistake_in_params_is_one_line(project_copy: Path, old: str, new: str, stage: str, parts: list[str]):
    replace(project_copy, "params.yaml", old, new)

    name = ("--name", "arithmetic") if stage == "source" else ("--domain", "math")
    assert_refused(run_stage(project_copy, f"stages.{stage}", *name), *parts, "params.yaml")
    assert not (project_copy / "data").exists()


@pytest.mark.parametrize("stage", ["prompts", "traces", "curate", "sft"])
def test_an_unknown_domain_is_one_line(project_copy: Path, stage: str):
    assert_refused(run_stage(project_copy, f"stages.{stage}", "--domain", "geo"), "domains.geo", "math, code, science")


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("prompts", "data/sources/arithmetic.parquet"),
        ("traces", "data/prompts/math.parquet"),
        ("verify", "data/prompts/math.parquet"),
        ("curate", "data/prompts/math.parquet"),
    ],
)
def test_a_missing_input_is_one_line(project_copy: Path, stage: str, file: str):
    assert_refused(run_stage(project_copy, f"stages.{stage}", "--domain", "math"), file, "no such file", "dvc repro")


def test_a_corrupt_parquet_is_one_line_and_nothing_is_written(project_copy: Path):
    file = project_copy / "data/prompts/math.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PAR1 damaged")

    assert_refused(
        run_stage(project_copy, "stages.verify", "--domain", "math"), "data/prompts/math.parquet", "a Parquet file"
    )
    assert not (project_copy / "data/verdicts").exists()


def test_a_missing_model_is_one_line(project_copy: Path):
    assert_refused(
        run_stage(project_copy, "stages.evaluate", "--model", "merged", "--path", "models/no"),
        "models/no",
        "models.merged",
    )


def test_a_missing_branch_is_one_line(project_copy: Path):
    assert_refused(run_stage(project_copy, "stages.merge"), "merge.order", "math, science, code")


def test_missing_scores_are_one_line(project_copy: Path):
    assert_refused(run_stage(project_copy, "stages.report"), "reports/eval/teacher.parquet")


@pytest.mark.parametrize(
    "stage",
    ["base", "source", "prompts", "traces", "verify", "curate", "sft", "mixture", "merge", "evaluate", "report"],
)
def test_every_stage_has_help(project: Path, stage: str):
    done = run_stage(project, f"stages.{stage}", "--help")

    assert done.returncode == 0
    assert "Usage:" in done.stdout
