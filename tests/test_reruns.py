"""The plan names every stage that DVC would run, and what changed: old and new."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError
from branchmerge.plan import devices
from branchmerge.plan.plan import make_plan
from branchmerge.plan.reruns import Rerun, reruns
from branchmerge.plan.show import tables
from tests.conftest import MACHINES
from tests.test_build_graph import replace
from tests.test_cli import branchmerge, repository  # noqa: F401  (a fixture)

DVC_YAML = """
stages:
  first:
    cmd: cp words.txt first.txt
    deps: [words.txt]
    params: [run, first.rate]
    outs: [first.txt]
  second:
    cmd: cp first.txt second.txt
    deps: [first.txt]
    outs: [second.txt]
  third:
    cmd: cp words.txt third.txt
    deps: [words.txt]
    outs: [third.txt]
"""
PARAMS = "run:\n  seed: 0\n  threads: 1\nfirst:\n  rate: 1e-4\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stages, built once."""
    folder = tmp_path_factory.mktemp("built")
    for name, text in (("dvc.yaml", DVC_YAML), ("params.yaml", PARAMS), ("words.txt", "one\n")):
        (folder / name).write_text(text)
    for command in (["git", "init", "-q"], *([sys.executable, "-m", "dvc", verb, "-q"] for verb in ("init", "repro"))):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def build(built: Path, monkeypatch: pytest.MonkeyPatch):
    """The built stages, as they were, to be changed."""
    monkeypatch.chdir(built)
    yield built
    (built / "params.yaml").write_text(PARAMS)
    (built / "words.txt").write_text("one\n")
    (built / "dvc.yaml").write_text(DVC_YAML)
    subprocess.run([sys.executable, "-m", "dvc", "checkout", "-q"], cwd=built, check=True, capture_output=True)


pytestmark = pytest.mark.slow


def test_of_a_finished_build_nothing_runs(build: Path):
    assert reruns() == []


def test_a_changed_param_is_told_with_its_old_and_new_value(build: Path):
    replace(build, "params.yaml", "rate: 1e-4", "rate: 2e-4")

    assert reruns() == [
        Rerun("first", ("first.rate 0.0001 -> 0.0002",), ()),
        Rerun("second", (), ("first",)),
    ]


def test_of_a_section_only_the_values_that_changed_are_told(build: Path):
    replace(build, "params.yaml", "seed: 0\n", "seed: 1\n  speed: 3\n")

    assert reruns()[0].reasons == ("run.seed 0 -> 1", "run.speed none -> 3")


def test_a_changed_file_is_told_with_its_old_and_new_hash(build: Path):
    (build / "words.txt").write_text("two\n")
    changed = {rerun.stage: rerun.reasons for rerun in reruns()}

    assert list(changed) == ["first", "second", "third"]  # none before what it reads
    assert changed["third"] == ("words.txt 5bbf5a52 -> c193497a",)


def test_a_missing_output_a_command_and_a_new_stage_are_told(build: Path):
    (build / "third.txt").unlink()
    replace(build, "dvc.yaml", "cmd: cp first.txt second.txt", "cmd: cp -f first.txt second.txt")
    replace(
        build, "dvc.yaml", "  third:", "  fourth:\n    cmd: cp words.txt fourth.txt\n    outs: [fourth.txt]\n  third:"
    )
    changed = {rerun.stage: rerun.reasons for rerun in reruns()}

    assert changed["third"] == ("third.txt is deleted",)
    assert changed["second"] == ("command was cp first.txt second.txt",)
    assert changed["fourth"] == ("never ran",)


def test_a_dvc_command_at_work_is_named(build: Path):
    from dvc.repo import Repo

    with Repo() as repo, repo.lock, pytest.raises(InputError, match="no other DVC command at work"):
        reruns()


@pytest.fixture
def planned(repository: Path) -> Path:  # noqa: F811
    """The project without data, as a clone has it."""
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "-f"], cwd=repository, check=True, capture_output=True)
    return repository


# profile, device asked for, device planned for
PLANNED = [
    ("toy", None, "cpu"),
    ("smol", None, "cpu"),
    ("tinyr1-1.5b", None, "H100"),
    ("tinyr1-32b", "H800", "H800"),
]


@pytest.mark.parametrize(("profile", "gpu", "found"), PLANNED, ids=[profile for profile, *_ in PLANNED])
def test_every_profile_is_planned_on_a_machine_without_a_gpu(
    planned: Path, monkeypatch: pytest.MonkeyPatch, profile: str, gpu: str | None, found: str
):
    shutil.copyfile(planned / f"profiles/{profile}.yaml", planned / "params.yaml")
    if profile in MACHINES:
        shutil.copyfile(planned / f"machines/{MACHINES[profile]}.yaml", planned / "machine.yaml")
    monkeypatch.chdir(planned)
    monkeypatch.setattr(devices, "_installed", lambda names: None)
    made = make_plan(gpu)
    plan = made.as_json()
    printed = "".join(part for part in tables(made, has_all=False) if isinstance(part, str))

    assert plan["device"]["name"] == found
    assert all(stage["reasons"] == ("never ran",) for stage in plan["stages"])
    assert all(cost["runs"] and cost["seconds"] > 0 for cost in plan["costs"])
    assert all(needed["total"] <= needed["usable"] for needed in plan["memory"].values())
    assert "ASSUMED reached" in printed
    assert ("GPU-hours; reported: 740 for the paper's data mixture" in printed) == (profile == "tinyr1-32b")


def test_a_build_that_cannot_fit_is_one_line_and_exit_code_2(planned: Path):
    (planned / "params.yaml").write_text((planned / "profiles/tinyr1-32b.yaml").read_text())
    refused = branchmerge(planned, "plan", "--gpu", "RTX4090", "--machine", "machines/32-gpus.yaml")

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "sft@math on 32 x RTX4090, zero3: expected at most 21.6 GiB on a device" in refused.stderr
    assert refused.stderr.endswith("Set lora (rank 16) in params.yaml.\n")
