"""dvc.yaml says what the code does: no dependency missing, none too many."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build_graph import violations


def test_the_build_graph_is_what_the_code_says(project: Path):
    assert violations(project) == []


def replace(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))


# what is planted: file, text, its replacement; and the violation it is
PLANTED = [
    (
        "dvc.yaml",
        "      - stages/shared/training/trainer.py\n",
        "",
        "base does not depend on stages/shared/training/trainer.py",
    ),
    ("dvc.yaml", "      - stages/templates/chat.jinja\n", "", "base does not depend on stages/templates/chat.jinja"),
    ("dvc.yaml", "      - stages/generators\n", "", "base does not depend on stages/generators/arithmetic.py"),
    (
        "dvc.yaml",
        "- stages/sql/rules\n",
        "- stages/sql/rules\n        - stages/tasks\n",
        "curate depends on stages/tasks for nothing",
    ),
    ("dvc.yaml", "      - merge\n", "", "merge reads params merge and does not declare it"),
    (
        "dvc.yaml",
        "      - merge\n",
        "      - merge\n      - verify\n",
        "merge declares params verify and does not read it",
    ),
    ("dvc.yaml", "  merge:\n", "  fuse:\n", "stage fuse has no file in stages/"),
    ("params.yaml", "report:\n", "notes: {}\nreport:\n", "params section notes belongs to no stage"),
    (
        "stages/merge.py",
        "import shutil\n",
        "import shutil\nfrom stages.sft import main\n",
        "stages/merge.py imports stages/sft.py",
    ),
    (
        "stages/shared/records.py",
        "import pyarrow as pa\n",
        "import pyarrow as pa\nfrom stages.shared.chat import response\n",
        "stages/shared/records.py imports stages/shared/chat.py",
    ),
    (
        "stages/report.py",
        '"merge.order"',
        '"merge.weights"',
        "report reads params merge.weights and does not declare it",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "violation"), PLANTED, ids=[violation for *_, violation in PLANTED])
def test_a_planted_violation_is_found(project_copy: Path, file: str, old: str, new: str, violation: str):
    replace(project_copy, file, old, new)

    assert violation in violations(project_copy)


def test_a_file_in_stages_that_is_no_stage_is_found(project_copy: Path):
    (project_copy / "stages/extra.py").write_text("")

    assert "stages/extra.py is no stage in dvc.yaml" in violations(project_copy)


HEAVY = ("torch", "transformers", "trl", "datasets", "mergekit", "lm_eval", "vllm", "dvc")
IMPORT_ALL = (
    "import importlib, pathlib, sys\n"
    "stages = sorted(path.stem for path in pathlib.Path('stages').glob('*.py'))\n"
    "assert len(stages) >= 10, stages\n"
    "for stage in stages: importlib.import_module(f'stages.{stage}')\n"
    "import branchmerge.cli, branchmerge.sections\n"
    f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
)


def test_importing_the_stages_and_the_cli_loads_nothing_heavy(project: Path):
    loaded = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=project, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_a_stage_that_imports_torch_at_its_top_is_found(project_copy: Path):
    replace(project_copy, "stages/merge.py", "import shutil\n", "import shutil\nimport torch\n")
    script = IMPORT_ALL.replace("import branchmerge.cli, branchmerge.sections\n", "")
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=project_copy, capture_output=True, text=True, check=True
    )

    assert "torch" in loaded.stdout


@pytest.mark.parametrize("file", ["stages/generators/__pycache__/formulas.cpython-311.pyc", "data/sft/.math.parquet-x"])
def test_what_each_clone_has_for_itself_is_no_dependency(project: Path, file: str):
    """Bytecode holds the time of a checkout: with it, a fresh clone would run everything again."""
    ignored = subprocess.run([sys.executable, "-m", "dvc", "check-ignore", file], cwd=project, capture_output=True)

    assert ignored.returncode == 0, ignored.stderr


def test_the_lock_is_of_the_code_beside_it(project: Path):
    """Else what a consumer pulls was made by other code, and a repro would make all of it again."""
    said = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"], cwd=project, capture_output=True, check=True
    )
    stale = {
        path
        for changes in json.loads(said.stdout).values()
        for change in changes
        if isinstance(change, dict)
        for path in change.get("changed deps", {})
        if path.startswith("stages/")
    }

    assert not stale, "run make repro, and commit dvc.lock"
