"""Two processes learn what one does, whatever they share out among them, and go on after a kill."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from branchmerge.core.errors import InputError, StageError
from branchmerge.training import checkpoints, run
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.job import describe
from branchmerge.training.machine import Setup
from tests.conftest import ROOT
from tests.learner import ALONE, SEED, UNEVEN, learn_branch, make_student, other, setup, sft_set

PARAMS = other(max_steps=8, batch_size=4, logging_steps=1)
LONGER = other(max_steps=24, batch_size=4, logging_steps=1)
NO_DEEPSPEED = pytest.mark.skipif(not importlib.util.find_spec("deepspeed"), reason="NO deepspeed: ZeRO is not run")
SHARING = ["fsdp", pytest.param("zero2", marks=NO_DEEPSPEED), pytest.param("zero3", marks=NO_DEEPSPEED)]
JOB = Path("checkpoints/sft-math")
CURVE = Path("reports/training/math/plots/metrics/loss.tsv")

Learnt = tuple[dict, list[float]]  # weights by name, loss by step


@pytest.fixture(autouse=True)
def project_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    make_student(tmp_path)
    sft_set(tmp_path, UNEVEN)


def two(strategy: str, **sft: int) -> Setup:
    return setup(strategy, processes=2, **sft)


def learn(params: TrainingParams, machine: Setup) -> Learnt:
    from safetensors.torch import load_file

    weights = load_file(learn_branch(Path.cwd(), params, machine) / "model.safetensors")
    return weights, [float(line.split("\t")[1]) for line in CURVE.read_text().splitlines()[1:]]


def assert_same(first: Learnt, second: Learnt, n_steps: int) -> None:
    """Equal but for the order of sums."""
    assert len(first[1]) == len(second[1]) == n_steps
    assert first[1] == pytest.approx(second[1], abs=2e-3)
    assert first[0].keys() == second[0].keys()
    assert max(float((first[0][name] - weight).abs().max()) for name, weight in second[0].items()) < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", *SHARING])
def test_two_processes_learn_what_one_does(strategy: str):
    """Both read equal rows at each step."""
    assert_same(learn(PARAMS, ALONE), learn(PARAMS, two(strategy)), n_steps=8)


@pytest.mark.slow
def test_two_nodes_learn_what_one_process_does(monkeypatch: pytest.MonkeyPatch):
    """Both on this machine, each started by its own stage, as on two."""
    nodes = setup("ddp", nodes=2)
    alone = learn(PARAMS, ALONE)
    for name, value in (("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", free_port())):
        monkeypatch.setenv(name, value)
    code = "from tests.test_strategies import *; learn_branch(Path.cwd(), PARAMS, setup('ddp', nodes=2))"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NODE_RANK": "1"}
    second = subprocess.Popen([sys.executable, "-c", code], env=environment)
    monkeypatch.setenv("NODE_RANK", "0")

    try:
        assert_same(alone, learn(PARAMS, nodes), n_steps=8)
        assert second.wait(60) == 0
    finally:
        kill(second)


def test_several_nodes_without_word_of_the_first_are_refused(monkeypatch: pytest.MonkeyPatch):
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(InputError, match="MASTER_ADDR, MASTER_PORT, NODE_RANK in the environment of 2 nodes, got no"):
        learn(PARAMS, setup("ddp", nodes=2))


@pytest.mark.slow
def test_a_process_that_finds_no_others_is_refused():
    """As when a launch of two is run by hand in one."""
    job = describe("alone", [Path("arithmetic.parquet")], Path("models/student"), PARAMS, SEED, two("ddp"))

    with pytest.raises(StageError, match="training of alone: expected 2 processes, got 1"):
        run.learn(job)


@pytest.mark.parametrize("strategy", ["zero2", "zero3"])
def test_zero_without_deepspeed_is_one_line_with_the_remedy(strategy: str, monkeypatch: pytest.MonkeyPatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "deepspeed" else find(name))

    with pytest.raises(InputError, match=rf"the package deepspeed.*got {strategy}, and no such package.*\[deepspeed\]"):
        learn(PARAMS, two(strategy))


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["fsdp", pytest.param("zero3", marks=NO_DEEPSPEED)])  # zero2 saves as zero3 does
def test_processes_that_share_the_weights_go_on_after_a_kill(strategy: str):
    whole = learn(LONGER, two(strategy, checkpoint_steps=4))
    kill_after_a_checkpoint(strategy)
    step = checkpoints.step_of(checkpoints.newest(JOB))

    assert 0 < step < 24
    assert_same(whole, learn(LONGER, two(strategy, checkpoint_steps=4)), n_steps=24)


def kill_after_a_checkpoint(strategy: str) -> None:
    """Start the branch as a stage would, and kill it and all its processes once it has a checkpoint."""
    code = f"from tests.test_strategies import LONGER, learn, two; learn(LONGER, two({strategy!r}, checkpoint_steps=4))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    while not checkpoints.newest(JOB):
        assert process.poll() is None
        time.sleep(0.005)
    kill(process)


def kill(process: subprocess.Popen) -> None:
    """With all that it started; nothing where it has ended."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()
