"""One params.yaml, two machines: both build it from scratch, and going from one to the other reruns nothing."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from branchmerge.core.files import read_rows
from branchmerge.core.records import TRACE
from tests.engines import ON_CPU
from tests.nano.build import MACHINE, create, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="VLLM IS NOT INSTALLED: the other machine has no engine"
    ),
]
OTHER = {
    "run": {"threads": 2},
    "launch": {"processes": 2, "strategy": "ddp"},
    "sft": {"checkpoint_steps": None},
    "traces": {"engine": "vllm", "vllm": {"enforce_eager": True, "max_model_len": 512, "max_num_seqs": 8}},
}


def test_another_machine_builds_it_too_and_going_back_reruns_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in ON_CPU.items():
        monkeypatch.setenv(name, value)
    folder = create(tmp_path / "nano")
    (folder / "machine.yaml").write_text(json.dumps(OTHER))
    run(folder, "dvc", "repro", "sft@math")  # with all that it is made from; other branches take no other way
    made_with = {row["made_with"] for row in read_rows(folder / "data/traces/math.parquet", TRACE)}
    trained = json.loads((folder / "reports/cost/sft-math.json").read_text())["made_with"]
    (folder / "machine.yaml").write_text(MACHINE)

    assert "Running stage" not in run(folder, "dvc", "repro", "sft@math").stdout
    assert [text.split(",")[:2] for text in made_with] == [["vllm", " float32"]]
    assert re.fullmatch(r"2 processes \(ddp\), sdpa, cpu \([\w, ]+\), 2 threads", trained)
