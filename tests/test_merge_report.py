"""The merge report says what of each branch is in the merged model."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # torch and numba
NAMES = ("model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight")


def weights(**moves: Any) -> dict[str, Any]:
    """A model of three matrices (90, 40): one noise, moved as told by name."""
    import torch

    noise = torch.Generator().manual_seed(0)
    return {name: 0.02 * torch.randn(90, 40, generator=noise) + moves.get(name, 0.0) for name in NAMES}


def task_vector(seed: int) -> Any:
    import torch

    return 1e-3 * torch.randn(90, 40, generator=torch.Generator().manual_seed(seed))


def report(folder: Path, **models: dict[str, Any]) -> dict[str, Any]:
    from safetensors.torch import save_file

    from branchmerge.merging.report import write_merge_report

    for name, model in models.items():
        (folder / name).mkdir()
        save_file(model, folder / name / "model.safetensors")
    branches = {name: folder / name for name in models if name not in ("student", "merged")}
    write_merge_report(
        folder, method="test", student=folder / "student", branches=branches, merged=folder / "merged", threads=2
    )
    content: dict[str, Any] = json.loads((folder / "merge.json").read_text())
    return content


def test_the_parts_of_a_weighted_sum_are_its_weights(tmp_path: Path):
    a, b = task_vector(1), task_vector(2)
    merged = weights(**{NAMES[0]: 0.7 * a, NAMES[1]: 0.4 * b})
    found = report(tmp_path, student=weights(), a=weights(**{NAMES[0]: a}), b=weights(**{NAMES[1]: b}), merged=merged)

    assert found["model"]["branches"]["a"]["part"] == pytest.approx(0.7, abs=1e-3)
    assert found["model"]["branches"]["b"]["part"] == pytest.approx(0.4, abs=1e-3)
    assert found["layers"]["0"]["branches"]["b"]["part"] is None
    assert found["layers"]["outside the layers"]["change_norm_ratio"] == 0


def test_what_is_taken_in_conflict_and_alike_is_counted(tmp_path: Path):
    import torch

    vector = task_vector(1)
    half = torch.arange(90).reshape(-1, 1) < 45
    a, b = weights(**{NAMES[0]: vector}), weights(**{NAMES[0]: torch.where(half, vector, -vector)})
    merged = {**weights(), NAMES[0]: torch.where(half[:, :1], a[NAMES[0]], weights()[NAMES[0]])}
    found = report(tmp_path, student=weights(), a=a, b=b, merged=merged)["tensors"][NAMES[0]]

    assert found["sign_conflict_ratio"] == pytest.approx(0.5, abs=0.01)
    assert found["branches"]["a"]["taken_ratio"] == pytest.approx(0.5, abs=0.01)
    assert found["branches"]["a"]["changed_ratio"] == pytest.approx(1.0, abs=0.01)
    assert found["cosines"]["a b"] == pytest.approx(0.0, abs=0.1)
    assert found["change_norm_ratio"] == pytest.approx(1e-3 / 0.02 / 2**0.5, rel=0.1)


@pytest.mark.parametrize(("scale", "low", "high"), [(1e-5, 0.9, 1.0), (1e-1, 0.0, 0.1)])
def test_the_noise_of_the_naive_divergence_is_told(tmp_path: Path, scale: float, low: float, high: float):
    moved = weights(**{NAMES[0]: scale * 1e3 * task_vector(1)})
    found = report(tmp_path, student=weights(), a=moved, b=weights(), merged=moved)

    assert low <= found["tensors"][NAMES[0]]["branches"]["a"]["naive_divergence_wrong_ratio"] <= high


def test_two_reports_are_equal_and_a_person_can_read_one(tmp_path: Path):
    a, b = weights(**{NAMES[0]: task_vector(1)}), weights(**{NAMES[1]: task_vector(2)})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        report(tmp_path / name, student=weights(), a=a, b=b, merged=a)

    for name in ("merge.json", "merge.md", "parts.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    text = (tmp_path / "one/merge.md").read_text()
    assert "| a | 1.00 |" in text
    assert "| mlp.up_proj |" in text
