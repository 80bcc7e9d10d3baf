"""dvc.yaml says what the code does: no dependency missing, none too many, folders that import one way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from branchmerge.core import meaning
from tests.build_graph import violations


def replace(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))


@pytest.fixture
def broken(project_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project that the closure is read from."""
    monkeypatch.chdir(project_copy)
    monkeypatch.setattr(meaning, "_LIBRARY", project_copy / "branchmerge")
    return project_copy


def test_the_build_graph_is_what_the_code_says(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)

    assert violations(project) == []


# what is planted: file, text, its replacement; and the violation it is
PLANTED = [
    ("dvc.yaml", "    deps:\n      - code/base.json\n", "", "base depends on no code, not on code/base.json"),
    (
        "dvc.yaml",
        "        - code/curate.json\n",
        "        - code/curate.json\n        - stages/rules\n",
        "curate depends on code/curate.json, stages/rules, not on code/curate.json",
    ),
    ("dvc.yaml", "      - code/merge.json: {cache: false}\n", "", "the stage code does not write code/merge.json"),
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
        "import logging\n",
        "import logging\nfrom stages.sft import main\n",
        "stages/merge.py imports stages/sft.py",
    ),
    (
        "stages/report.py",
        '"merge.order"',
        '"merge.weights"',
        "report reads params merge.weights and does not declare it",
    ),
    (
        "branchmerge/training/hyperparameters.py",
        'sections = ("sft", "domains.{domain}.sft")',
        'sections = ("sft", "domains.{domain}.more")',
        "sft reads params domains.*.more and does not declare it",
    ),
    (
        "branchmerge/merging/report.py",
        "_OUTSIDE = ",
        'read_value("report.title")\n_OUTSIDE = ',
        "merge reads params report.title and does not declare it",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "violation"), PLANTED, ids=[violation for *_, violation in PLANTED])
def test_a_planted_violation_is_found(broken: Path, file: str, old: str, new: str, violation: str):
    replace(broken, file, old, new)

    assert violation in violations(broken)


def test_every_stage_has_its_tests(project: Path):
    stages = sorted(file.stem for file in (project / "stages").glob("*.py"))

    assert len(stages) == 14
    assert [name for name in stages if not (project / f"tests/test_{name}.py").is_file()] == []


def test_a_file_in_stages_that_is_no_stage_is_found(broken: Path):
    (broken / "stages/extra.py").write_text("")

    assert "stages/extra.py is no stage in dvc.yaml" in violations(broken)


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's word on the order of folders that pyproject.toml declares."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_folders_of_the_library_import_one_way(project: Path):
    done = linted(project)

    assert "1 kept, 0 broken" in done.stdout, done.stdout + done.stderr


def test_an_import_against_the_order_of_folders_is_found(broken: Path, project: Path):
    (broken / "pyproject.toml").write_text((project / "pyproject.toml").read_text())
    replace(
        broken, "branchmerge/core/records.py", "import pyarrow", "import branchmerge.chat.conversation\nimport pyarrow"
    )
    done = linted(broken)

    assert done.returncode == 1
    assert "branchmerge.core.records -> branchmerge.chat.conversation" in done.stdout


def test_a_folder_that_the_order_does_not_name_is_found(broken: Path, project: Path):
    (broken / "pyproject.toml").write_text((project / "pyproject.toml").read_text())
    (broken / "branchmerge/utils").mkdir()
    (broken / "branchmerge/utils/__init__.py").write_text("")

    assert "branchmerge.utils" in linted(broken).stdout


def test_every_file_of_the_library_stands_in_a_closure_or_is_for_people(project: Path, monkeypatch: pytest.MonkeyPatch):
    """A data file that no code names would change a result unseen."""
    monkeypatch.chdir(project)
    held = {name for file in project.glob("code/*.json") for name in json.loads(file.read_text())["files"]}
    data = [
        file.relative_to(project).as_posix()
        for folder in ("branchmerge", "stages")
        for file in (project / folder).rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    ]

    assert len(data) > 30
    assert [name for name in data if name not in held] == [
        "branchmerge/plan/gpus.yaml",
        "branchmerge/plan/published.yaml",
    ]


HEAVY = ("torch", "transformers", "trl", "datasets", "mergekit", "lm_eval", "vllm", "dvc")
IMPORT_ALL = (
    "import importlib, pathlib, sys\n"
    "stages = sorted(path.stem for path in pathlib.Path('stages').glob('*.py'))\n"
    "assert len(stages) >= 10, stages\n"
    "for stage in stages: importlib.import_module(f'stages.{stage}')\n"
    "import branchmerge.cli.main, branchmerge.settings.check\n"
    f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
)


def test_importing_the_stages_and_the_cli_loads_nothing_heavy(project: Path):
    loaded = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=project, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_a_stage_that_imports_torch_at_its_top_is_found(project_copy: Path):
    replace(project_copy, "stages/merge.py", "import logging\n", "import logging\nimport torch\n")
    loaded = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=project_copy, capture_output=True, text=True, check=True
    )

    assert "torch" in loaded.stdout


@pytest.mark.parametrize("file", ["branchmerge/core/__pycache__/sql.cpython-311.pyc", "data/sft/.math.parquet-x"])
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
        if path.startswith("code/")
    }

    assert not stale, "run make repro, and commit dvc.lock"
