"""run.arithmetic chooses the kernels before torch looks, and a build that came to other bytes is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from branchmerge.cli.lock import times_unlike_git, unlike_git
from branchmerge.core.arithmetic import SHARED, read_run
from tests.conftest import ROOT

SAYS = """
from branchmerge.core.arithmetic import read_run
from branchmerge.core.cpu import cpu_of
read_run()
print(cpu_of(1))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SHARED:
        monkeypatch.delenv(name, raising=False)


def write_params(**run: object) -> None:
    Path("params.yaml").write_text(json.dumps({"run": {"seed": 0} | run}))


def test_the_shared_arithmetic_has_the_kernels_of_avx2():
    write_params(arithmetic="shared")
    said = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True, check=True).stdout

    assert said in {f"cpu ({kernels}, MKL AVX2), 1 threads\n" for kernels in ("AVX2", "DEFAULT")}  # without AVX2


def test_a_processors_own_arithmetic_is_left_alone():
    write_params()
    read_run()

    assert not os.environ.keys() & SHARED.keys()


def test_params_that_are_no_text_are_an_error_in_a_line():
    Path("params.yaml").write_bytes(b"run: {seed: \xff}")
    command = [sys.executable, "-c", "from branchmerge.cli.main import main; main()", "profile", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "error: params.yaml: expected YAML in UTF-8" in done.stderr


def test_every_stage_that_runs_torch_reads_its_arithmetic():
    stages = {file.stem: file.read_text() for file in (ROOT / "code").glob("*.json")}
    runs_torch = {name for name, text in stages.items() if '"torch"' in text}
    reads = {name for name, text in stages.items() if "branchmerge/core/arithmetic.py" in text}

    assert runs_torch == reads == {"base", "evaluate", "merge", "mixture", "sft", "traces"}


def lock(**outs: str) -> str:
    """A dvc.lock of stages with equal inputs, each with one output: its path and hash."""
    stages = {
        name: {
            "cmd": "make",
            "deps": [{"path": "in", "md5": "1"}],
            "outs": [{"path": path, "md5": md5} for path, md5 in [of.split("=")]],
        }
        for name, of in outs.items()
    }
    return json.dumps({"schema": "2.0", "stages": stages})


class TestUnlikeGit:
    @pytest.fixture(autouse=True)
    def committed(self) -> None:
        Path("dvc.lock").write_text(lock(base="models/teacher=a", cost="reports/cost/base.json=a"))
        for command in (["init", "-q"], ["add", "dvc.lock"], ["commit", "-qm", "lock"]):
            subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], check=True)

    def test_the_same_bytes_are_alike(self):
        assert unlike_git() == []

    def test_another_model_of_the_same_inputs_is_named(self):
        Path("dvc.lock").write_text(lock(base="models/teacher=b", cost="reports/cost/base.json=a"))

        assert unlike_git() == ["base"]

    def test_times_of_reports_are_not_compared(self):
        Path("dvc.lock").write_text(lock(base="models/teacher=a", cost="reports/cost/base.json=b"))

        assert unlike_git() == []
        assert times_unlike_git() == 1

    def test_other_scores_are_named(self):
        Path("dvc.lock").write_text(lock(base="models/teacher=a", cost="reports/eval/student.json=b"))

        assert times_unlike_git() == 0

    def test_a_model_of_other_inputs_may_differ(self):
        changed = json.loads(lock(base="models/teacher=b"))
        changed["stages"]["base"]["deps"][0]["md5"] = "2"
        Path("dvc.lock").write_text(json.dumps(changed))

        assert unlike_git() == []


def test_a_folder_outside_git_is_compared_with_nothing():
    assert unlike_git() == []
