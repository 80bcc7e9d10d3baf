"""What tests share: the project's folder, and copies of it to break."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from branchmerge.bases.params import Architecture
from branchmerge.core.files import folder_hash
from branchmerge.plan.build import Build, read_build
from branchmerge.programs.grader import ProgramGrader
from tests import programs
from tests.nano import build

TINY = Architecture(
    vocab_size=384, hidden_size=64, intermediate_size=64, num_hidden_layers=1, max_position_embeddings=512
)
ROOT = Path(__file__).resolve().parent.parent
# profile -> the machine that its head names
MACHINES = {"tinyr1-32b": "32-gpus", "tinyr1-1.5b": "1-gpu"}
LONGEST = {"test_build", "test_two_machines", "test_two_clones", "test_strategies", "test_engines"}
NANO_HASHES = "hashes.json"
HASHED = ("data", "models/student", "models/branches", "models/merged")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, each in random order: one that starts last would keep one core waiting."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The seed of the order in which tests ran: pytest-randomly prints it at the head, which -q leaves out."""
    seed = config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"in random order; the same again: pytest -p randomly --randomly-seed={seed}")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A row store of the test's own, never the person's."""
    folder = tmp_path / "store"
    monkeypatch.setenv("BRANCHMERGE_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine.yaml but the test's own, never the person's."""
    monkeypatch.delenv("BRANCHMERGE_MACHINE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nano build, built once for all test processes, with its hashes as they were at first, since tests change it.

    Each process changes a copy of its own: two files of tests may run at once.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "nano"
    with FileLock(shared / "nano.lock"):
        if not (folder / NANO_HASHES).exists():
            build.run(build.create(folder), "dvc", "repro")
            hashes = {name: folder_hash(folder / name) for name in HASHED}
            (folder / NANO_HASHES).write_text(json.dumps(hashes))
    own = tmp_path_factory.mktemp("own") / "nano"
    for name in ("nano", "nano-store"):  # cp keeps the hard links into DVC's cache
        subprocess.run(["cp", "-a", shared / name, own.with_name(name)], check=True)
    return own


@pytest.fixture(params=programs.ISOLATIONS, scope="module")
def grader(request: pytest.FixtureRequest) -> Iterator[ProgramGrader]:
    """A grader of programs under each isolation."""
    with ProgramGrader(programs.params(request.param)) as grader:
        yield grader


@pytest.fixture
def project() -> Path:
    """The project's own folder; read only."""
    return ROOT


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """The build without outputs, to be broken."""
    for name in ("branchmerge", "stages", "profiles", "machines", "tasks", ".dvc/plots"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", "constraints.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def use_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Build]:
    """Reads the build of a profile, on its machine, in a folder that has no data."""

    def use(name: str) -> Build:
        (tmp_path / "params.yaml").symlink_to(ROOT / f"profiles/{name}.yaml")
        if name in MACHINES:
            (tmp_path / "machine.yaml").symlink_to(ROOT / f"machines/{MACHINES[name]}.yaml")
        (tmp_path / "profiles").symlink_to(ROOT / "profiles")
        monkeypatch.chdir(tmp_path)
        return read_build()

    return use
