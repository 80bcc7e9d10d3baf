"""A hostile program never passes, and breaks and leaves nothing."""

import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from branchmerge.core.errors import StageError
from branchmerge.programs import sandbox
from branchmerge.programs.grader import Outcome, ProgramGrader
from tests.programs import EXAM, RIGHT, needs_bubblewrap, params

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow  # a hundred programs, each in processes of its own
HOSTILE = sorted((ROOT / "tests/hostile").glob("*.py"))
SECRET = "correct-horse-battery-staple"

# what limits of a process cannot hold, and so is tried in bubblewrap only
BEYOND_A_PROCESS = {
    "fork_bomb": "root's processes are not counted",
    "thread_bomb": "root's threads are not counted",
    "many_files": "only the size of one file is limited",
    "read_files": "it is the same user",
    "read_environment": "it is the same user, in the same /proc",
    "delete_files": "it is the same user",
    "overwrite_files": "it is the same user",
    "open_sockets": "it has the machine's network",
    "kill_everything": "it is the same user, among the same processes",
    "raise_limits": "root may lift its limits",
    "become_root": "it may be root already",
}


@needs_bubblewrap
def test_graders_side_by_side_do_not_share_a_limit_on_processes():
    """Each leaves threads of one program running while the other starts as many."""
    threads = "import threading, time\nfor _ in range(6): threading.Thread(target=time.sleep, args=(0.5,)).start()\n"
    with (
        ProgramGrader(params("bubblewrap")) as one,
        ProgramGrader(params("bubblewrap")) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        outcomes = list(pool.map(lambda grader: grader.grade(threads + RIGHT, EXAM), (one, other)))

    assert outcomes == [Outcome("correct", "")] * 2


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def left_over(mark: str) -> list[str]:
    """Processes of hostile programs that still run: by their folder of work or by a mark in their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, folder = (process / "cmdline").read_bytes().decode(errors="replace"), os.readlink(process / "cwd")
        except OSError:
            continue
        if mark in words or (
            folder.startswith("/tmp/branchmerge-") and folder.removesuffix(" (deleted)").endswith("/work")
        ):
            found.append(f"{process.name}: {words} in {folder}")
    return found


def test_there_are_all_the_hostile_programs_each_with_its_intent():
    assert len(HOSTILE) == 54
    assert [path.name for path in HOSTILE if not path.read_text().startswith("# Tries to ")] == []
    assert BEYOND_A_PROCESS.keys() <= {path.stem for path in HOSTILE}


@pytest.mark.parametrize("path", HOSTILE, ids=[path.stem for path in HOSTILE])
def test_a_hostile_program_never_passes_and_harms_nothing(
    grader: ProgramGrader,
    path: Path,
    tmp_path: Path,
    listening: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
):
    isolation = grader._params.isolation
    if isolation == "process" and path.stem in BEYOND_A_PROCESS:
        pytest.skip(f"process isolation cannot hold it: {BEYOND_A_PROCESS[path.stem]}")
    monkeypatch.setenv("BRANCHMERGE_SECRET", SECRET)
    canary = tmp_path / "canary/file"
    canary.parent.mkdir()
    canary.write_text(SECRET)
    mark = str(10**6 + os.getpid())
    program = path.read_text()
    for name, value in {
        "CANARY": canary,
        "REPOSITORY": ROOT,
        "SECRET": SECRET,
        "PORT": listening,
        "MARK": mark,
    }.items():
        program = program.replace(f"@{name}@", str(value))
    exam = EXAM + ("assert (g(xs := [1]), xs) == ([1], [2])" if path.stem == "change_arguments" else "")

    outcome = grader.grade(program, exam)

    assert outcome.verdict != "correct", outcome
    assert "leaked" not in outcome.reason
    assert SECRET not in outcome.reason
    assert canary.read_text() == SECRET
    assert path.read_text().startswith("# Tries to ")
    assert grader.grade(RIGHT, EXAM) == Outcome("correct", "")
    assert _soon_nothing(lambda: left_over(mark)) == []


def _soon_nothing(find: Any) -> Any:
    """What is found, once nothing is or after some seconds: the kernel ends a sandbox in its own time."""
    for _ in range(50):
        if not (found := find()):
            return found
        time.sleep(0.1)
    return found


def test_hostile_output_of_a_case_is_only_output(grader: ProgramGrader):
    cases = json.dumps({"inputs": ["", ""], "outputs": ["1", "1"]})
    for name in ("write_protocol", "print_passed", "exit_zero", "swap_files", "close_files", "leave_daemon"):
        program = (ROOT / f"tests/hostile/{name}.py").read_text()
        assert grader.grade(program, cases).verdict == "wrong", name


def test_a_closed_grader_leaves_no_process_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = _children()  # such as the server of the workers that compare answers
    with ProgramGrader(params("process")) as grader:
        assert grader.grade(RIGHT, EXAM).verdict == "correct"
        assert len(_children()) > len(before)
        assert len(list(tmp_path.glob("branchmerge-*"))) == 2

    assert list(tmp_path.iterdir()) == []
    assert _children() == before


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_a_missing_bubblewrap_is_one_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with ProgramGrader(params("bubblewrap")) as grader, pytest.raises(StageError) as raised:
        grader.grade(RIGHT, EXAM)
    assert "apt-get install bubblewrap" in str(raised.value)
    assert "verify.isolation to process" in str(raised.value)


def test_a_bubblewrap_that_may_not_make_namespaces_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(StageError, match="No permissions to create a new namespace"):
        sandbox.check("bubblewrap")
