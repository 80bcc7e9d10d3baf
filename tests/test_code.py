"""A stage depends on what its code means: a comment reruns nothing, a change what can see it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from branchmerge.core import code, meaning
from branchmerge.core.errors import InputError
from tests.conftest import ROOT

CODE = '''"""What it is."""

import os


def greet(name: str, *, times: int = 2) -> str:
    """Say hello."""
    parts = [f"hello {name!r:>{times}}" for _ in range(times)]
    return ", ".join(parts)
'''
# the same, in other clothes
ALIKE = {
    "a comment": CODE.replace("import os", "import os  # for nothing\n# more"),
    "another docstring": CODE.replace("Say hello.", "Greet a person, politely."),
    "no docstring": CODE.replace('    """Say hello."""\n', ""),
    "other formatting": CODE.replace('"hello', "'hello").replace('}}" for', "}}' for").replace(" = 2", "=2"),
    "other line breaks": CODE.replace(
        "name: str, *, times: int = 2", "\n    name: str,\n    *,\n    times: int = 2,\n"
    ),
    "parentheses": CODE.replace('return ", ".join(parts)', 'return (\n        ", "\n    ).join(parts)'),
    "an f-string in two pieces": CODE.replace('f"hello {name!r:>{times}}"', '"hel" f"lo {name!r:>{times}}"'),
}
OTHER = {
    "a message": CODE.replace("hello {", "bye {"),
    "a number": CODE.replace("int = 2", "int = 3"),
    "a conversion": CODE.replace("!r:", "!s:"),
    "a name": CODE.replace("greet", "meet"),
    "an import": CODE.replace("import os", "import sys"),
    "a kind of number": CODE.replace("int = 2", "int = 2.0"),
    "None for an empty text": CODE.replace('", ".join(parts)', "None"),
    "an annotation": CODE.replace("times: int", "times: float"),
    "a keyword-only argument": CODE.replace("*, ", ""),
}


def hash_of(folder: Path, text: str, suffix: str = ".py") -> str:
    file = folder / f"{abs(hash(text))}{suffix}"
    file.write_text(text)
    return meaning.hash_of(file)


@pytest.mark.parametrize("text", ALIKE.values(), ids=ALIKE)
def test_clothes_are_no_meaning(tmp_path: Path, text: str):
    assert text != CODE
    assert hash_of(tmp_path, text) == hash_of(tmp_path, CODE)


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER)
def test_a_change_is_another_meaning(tmp_path: Path, text: str):
    assert text != CODE
    assert hash_of(tmp_path, text) != hash_of(tmp_path, CODE)


def test_a_meaning_is_the_same_for_ever(tmp_path: Path):
    """Else an upgrade of branchmerge, or of Python, would rerun everything."""
    assert hash_of(tmp_path, CODE) == "29ba59e5e3b708ef2136"


def test_sql_means_the_same_without_comments_and_line_breaks(tmp_path: Path):
    plain = hash_of(tmp_path, "select 'a -- b' as x from t", ".sql")

    assert hash_of(tmp_path, "-- What: x.\nselect 'a -- b' as x\n  /* all */\nfrom t\n", ".sql") == plain
    assert hash_of(tmp_path, "select 'a --  b' as x from t", ".sql") != plain
    assert hash_of(tmp_path, "select 'a -- b' as y from t", ".sql") != plain


def test_other_files_mean_their_bytes(tmp_path: Path):
    assert hash_of(tmp_path, "{}", ".json") != hash_of(tmp_path, "{ }", ".json")


HASH_ALL = (
    "import json, pathlib, sys\n"
    "from branchmerge.core import meaning\n"
    "files = sorted(pathlib.Path('.').glob('*/**/*.py'))\n"
    "print(json.dumps({str(f): meaning.hash_of(f.resolve()) for f in files if f.parts[0] in sys.argv[1:]}))\n"
)


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_every_supported_python_finds_the_same_meaning(version: str):
    """Their syntax trees differ; meaning.py itself needs nothing but the standard library."""

    def hashes(python: str) -> dict[str, str] | None:
        command = [python, "-c", HASH_ALL, "branchmerge", "stages", "tests", "bench"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        found: dict[str, str] | None = json.loads(done.stdout) if done.returncode == 0 else None
        return found

    pythons = [f"python{version}", *map(str, Path.home().glob(f".pyenv/versions/{version}*/bin/python"))]
    theirs = next((found for python in pythons if shutil.which(python) and (found := hashes(python))), None)
    if theirs is None:
        pytest.skip(f"NO PYTHON {version} HERE: its syntax trees are not compared")
    ours = hashes(sys.executable)
    assert ours
    assert len(ours) > 150
    assert theirs == ours


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a library of its own: a stage, what it imports and names, and what it does not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(meaning, "_LIBRARY", tmp_path / "branchmerge")
    meaning._pinned.cache_clear()
    files = {
        "stages/one.py": "from branchmerge.parts import first\nRULES = 'stages/rules'\n",
        "stages/two.py": "import json\n",
        "stages/rules/short.sql": "select 1",
        "branchmerge/__init__.py": '"""All."""\n',
        "branchmerge/parts/__init__.py": "KEPT = 1\n",
        "branchmerge/parts/first.py": "def f():\n    import numpy\n    from branchmerge.parts.second import g\n",
        "branchmerge/parts/second.py": "MODULE, NAMED = 'branchmerge.parts.third', 'settings.json'\n",
        "branchmerge/parts/third.py": "import torch.nn\nimport typer\n",
        "branchmerge/parts/settings.json": "{}",
        "branchmerge/parts/fourth.py": "import unknown\n",
        "constraints.txt": "# pins\nnumpy==2.3.5\ntorch==2.13.0\ntyper==1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    yield tmp_path
    meaning._pinned.cache_clear()


def test_the_closure_holds_what_a_stage_imports_and_names(small: Path):
    described = meaning.describe(small / "stages/one.py")

    assert list(described["files"]) == [
        "branchmerge/parts/__init__.py",  # a package that says nothing, as the one above it, is left out
        "branchmerge/parts/first.py",
        "branchmerge/parts/second.py",
        "branchmerge/parts/settings.json",
        "branchmerge/parts/third.py",
        "stages/one.py",
        "stages/rules/short.sql",
    ]
    assert described["libraries"] == {"numpy": "2.3.5", "torch": "2.13.0"}  # typer only talks


def test_a_library_that_is_not_pinned_is_refused_by_name(small: Path):
    (small / "stages/two.py").write_text("import branchmerge.parts.fourth\n")

    with pytest.raises(InputError, match=r"fourth\.py: expected packages that constraints\.txt pins, got import unkno"):
        meaning.describe(small / "stages/two.py")


def test_a_stage_whose_code_changed_since_is_refused(small: Path):
    (small / "params.yaml").write_text("base: {}\nsource: {}\n")
    code.write_code("one")
    code.check_code("one")
    (small / "branchmerge/parts/settings.json").write_text('{"more": 1}')
    meaning.hash_of.cache_clear()

    with pytest.raises(InputError, match=r"code/one\.json.*got other code in branchmerge/parts/settings\.json"):
        code.check_code("one")


@pytest.mark.parametrize(("installed", "is_fine"), [("2.3.5", True), ("2.3.5+cpu", True), ("2.3.6", False)])
def test_an_installed_library_of_another_version_is_refused(
    small: Path, monkeypatch: pytest.MonkeyPatch, installed: str, is_fine: bool
):
    (small / "stages/two.py").write_text("import numpy\n")
    code.write_code("two")
    monkeypatch.setattr(code.importlib.metadata, "version", lambda package: installed)
    if is_fine:
        code.check_code("two")
        return
    with pytest.raises(InputError, match=r"constraints\.txt: expected numpy 2\.3\.5, got numpy 2\.3\.6"):
        code.check_code("two")


def test_a_comment_in_a_generator_that_makes_a_model_changes_nothing_and_a_number_does(project_copy: Path, monkeypatch):
    monkeypatch.chdir(project_copy)
    file = project_copy / "stages/generators/functions.py"
    before = code._described("base")["files"]
    file.write_text(file.read_text() + "# a comment\n")
    meaning.hash_of.cache_clear()
    meaning._parsed.cache_clear()
    commented = code._described("base")["files"]
    file.write_text(file.read_text() + "MORE = 1\n")
    meaning.hash_of.cache_clear()
    meaning._parsed.cache_clear()

    assert commented == before
    assert code._described("base")["files"] != before


def test_a_generator_that_draws_from_others_changes_with_them(project_copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project_copy)
    section = {"path": "stages/generators/general.py", "max_train_rows": 1, "max_test_rows": 0}
    Path("params.yaml").write_text(json.dumps({"source": {"general": section}}))

    assert "stages/generators/functions.py" in code._described("source")["files"]


def test_the_code_that_is_kept_in_git_is_the_code_beside_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    stale = [
        name for name in code.stages() if json.loads((ROOT / f"code/{name}.json").read_text()) != code._described(name)
    ]

    assert not stale, "run dvc repro code, and commit code/"
