"""Two processes learn what one does, whatever they share out among them."""

import importlib.util
from pathlib import Path

import pytest

from stages.shared.launch import LaunchParams
from tests.conftest import ROOT
from tests.learner import ALONE, UNEVEN, learn_branch, make_student, other, sft_set

PARAMS = other(max_steps=8, batch_size=4, logging_steps=1)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "zero2", "zero3"])
def test_two_processes_learn_what_one_does(strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same rows a step in both, so weights and curve agree but for the order of sums."""
    from safetensors.torch import load_file

    if strategy.startswith("zero") and not importlib.util.find_spec("deepspeed"):
        pytest.skip("NO deepspeed: ZeRO is not run")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    make_student(tmp_path)
    sft_set(tmp_path, UNEVEN)
    learnt, curves = [], []
    for launch in (ALONE, LaunchParams(processes=2, nodes=1, strategy=strategy)):
        learnt.append(load_file(learn_branch(tmp_path, PARAMS, launch) / "model.safetensors"))
        lines = Path("reports/training/math/plots/metrics/loss.tsv").read_text().splitlines()[1:]
        curves.append([float(line.split("\t")[1]) for line in lines])

    assert len(curves[0]) == len(curves[1]) == PARAMS.max_steps
    assert curves[0] == pytest.approx(curves[1], abs=2e-3)
    assert learnt[0].keys() == learnt[1].keys()
    assert max(float((learnt[0][name] - weight).abs().max()) for name, weight in learnt[1].items()) < 2e-3
