"""Every benchmark's own side runs, at a size that says nothing about speed, so that none breaks unseen."""

import importlib
import os
import shutil
from pathlib import Path
from unittest import mock

import pytest

from bench import peer
from branchmerge.core.errors import InputError
from tests.conftest import ROOT

SMALL = ["coverage", "curate", "grading", "long_question", "near_duplicates"]
TRAINS_OR_MERGES = ["merge", "sft", "traces", "traces_server"]
OF_A_BUILD = ["evaluate", "methods", "plan", "strategies", "toy"]
PARTS = {
    "answer_sets",
    "builds",
    "curate_as_open_r1",
    "methods_tables",
    "mutants",
    "peer",
    "result",
    "traces_like_openr1",
}  # of the benchmarks


def run(bench: str, **arguments: bool) -> None:
    module = importlib.import_module(f"bench.{bench}")
    with mock.patch.dict(os.environ):  # some set what their engines read
        module.main(**arguments)


def test_every_benchmark_is_run_here():
    found = {file.stem for file in (ROOT / "bench").glob("*.py")} - {"__init__"} - PARTS

    assert len(found) == 14
    assert found == {*SMALL, *TRAINS_OR_MERGES, *OF_A_BUILD}


@pytest.mark.parametrize("bench", SMALL)
def test_a_benchmark_of_rows_runs(bench: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)

    run(bench, tiny=True)


@pytest.mark.slow
@pytest.mark.parametrize("bench", TRAINS_OR_MERGES)
def test_a_benchmark_that_trains_merges_or_asks_runs(bench: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)

    run(bench, tiny=True)


@pytest.fixture
def built(nano: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished build, in which a benchmark may leave what it likes."""
    folder = tmp_path / "build"
    shutil.copytree(nano, folder, ignore=shutil.ignore_patterns("cache"))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_the_plan_is_held_against_a_build(built: Path, capsys: pytest.CaptureFixture[str]):
    run("plan")

    assert "stages within a factor 1.5" in capsys.readouterr().out


@pytest.mark.slow
def test_merges_of_a_build_are_compared(built: Path, capsys: pytest.CaptureFixture[str]):
    (built / "search.yaml").write_text(
        "search: {questions: [1], keep_ratio: 0.5, confidence: 0.95, grids: [{method: [linear]}]}"
    )
    run("methods", tiny=True)
    printed = capsys.readouterr().out

    for model in ("merge of params.yaml", "average", "best on dev questions", "student", "mixture"):
        assert f"\n| {model} |" in printed


@pytest.mark.slow
def test_a_branch_of_a_build_is_trained_and_asked(built: Path, capsys: pytest.CaptureFixture[str]):
    run("strategies", tiny=True)

    assert "| one process | 4 |" in capsys.readouterr().out


@pytest.mark.slow
def test_the_effect_of_builds_is_shown_with_its_range(built: Path, capsys: pytest.CaptureFixture[str]):
    run("toy", tiny=True)
    printed = capsys.readouterr().out

    assert "\n| here |" in printed
    assert "\n| merged over student | " in printed


@pytest.mark.slow
def test_a_model_of_a_build_is_asked_its_benchmarks(built: Path, capsys: pytest.CaptureFixture[str]):
    run("evaluate", tiny=True)

    assert "questions, start-up" in capsys.readouterr().out


class TestPeers:
    """What bench/peer.py does with an environment."""

    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(peer, "PEERS", tmp_path)
        monkeypatch.setenv("BENCH_ENVS", str(tmp_path / "environments"))
        monkeypatch.setenv("PIP_NO_INDEX", "1")

    def test_a_peer_prints_its_result_and_its_environment_is_kept(self, tmp_path: Path):
        (tmp_path / "echo.txt").write_text("# nothing")
        (tmp_path / "echo.py").write_text(
            "import importlib.util, json, sys\n"
            "print('talk')\n"
            "print(json.dumps({'said': sys.argv[1], 'has_ours': bool(importlib.util.find_spec('branchmerge'))}))"
        )

        assert peer.run_peer("echo", 7) == {"said": "7", "has_ours": False}
        first = peer.environment("echo").stat().st_ctime_ns
        peer.run_peer("echo", 8)
        assert peer.environment("echo").stat().st_ctime_ns == first

    def test_packages_that_cannot_be_installed_are_one_line(self, tmp_path: Path):
        (tmp_path / "lost.txt").write_text("no-such-package-anywhere==1.0")

        for _ in range(2):  # what is half made is not taken for made
            with pytest.raises(InputError, match=r"lost\.txt: expected packages that pip can install here, got ERROR"):
                peer.environment("lost")

    def test_every_package_of_a_peer_is_pinned(self):
        files = sorted((ROOT / "bench/peers").glob("*.txt"))
        lines = [line for file in files for line in file.read_text().splitlines() if not line.startswith("#")]

        assert len(files) == 2
        assert [line for line in lines if "==" not in line] == []
