"""mergekit merges as params.yaml says, the same bytes every time."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from branchmerge.core.files import folder_hash
from branchmerge.merging.merge import merge
from branchmerge.merging.methods import MethodParameters
from branchmerge.merging.params import MergeParams
from branchmerge.merging.recipes import recipes
from tests.conftest import TINY

SEED, THREADS = 0, 1
ORDER = ("a", "b", "c")
PARAMETERS = {
    "linear": {"normalize": False},
    "task_arithmetic": {"normalize": False},
    "ties": {"density": 0.5, "normalize": True},
    "dare_ties": {"density": 0.5, "normalize": True},
    "arcee_fusion": {},
    "sce": {"select_topk": 0.5},
    "slerp": {"t": 0.5},
    "branch_fusion": {"threshold_multiplier": 1.0},
}


def merge_params(
    method: str, order: tuple[str, ...] = ORDER, weight: float = 0.5, parameters: dict[str, Any] | None = None
) -> MergeParams:
    return MergeParams(
        method=method,
        order=order,
        weights=dict.fromkeys(order, weight),
        parameters={**PARAMETERS, method: PARAMETERS[method] if parameters is None else parameters},
        dtype="float32",
        out_dtype="float32",
        smoke=None,
    )


def test_arcee_fusion_fuses_one_branch_after_another_in_order():
    steps = recipes(merge_params("arcee_fusion"))

    assert [(step["base_model"], [model["model"] for model in step["models"]]) for step in steps] == [
        ("models/branches/a", ["models/branches/a", "models/branches/b"]),
        ("merge0", ["merge0", "models/branches/c"]),
    ]


def test_the_weights_of_params_reach_the_recipe():
    (step,) = recipes(merge_params("ties", weight=0.7))

    assert [model["parameters"] for model in step["models"]] == [{"weight": 0.7}] * 3
    assert step["parameters"] == PARAMETERS["ties"]
    assert step["base_model"] == "models/student"


def test_a_branch_may_have_its_own_parameter():
    density = {"a": 0.2, "b": 0.5, "c": [0.1, 0.9]}
    params = merge_params("ties").model_copy(update={"parameters": MethodParameters(ties={"density": density})})
    (step,) = recipes(params)

    assert [model["parameters"]["density"] for model in step["models"]] == list(density.values())
    assert "parameters" not in step


@pytest.mark.parametrize(
    "parameters", [{"parity": True}, {"parity": True, "granularity": "row"}], ids=["three branches", "granularity"]
)
def test_parity_takes_two_branches_and_nothing_else(parameters: dict):
    order = ORDER if len(parameters) == 1 else ORDER[:2]
    with pytest.raises(ValueError, match="two branches and no other parameter"):
        merge_params("branch_fusion", order, parameters=parameters)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory):
    """A student and three branches: random, of one layer, at distances as of fine-tuning."""
    import torch

    from branchmerge.bases.scratch import make_network, make_tokenizer
    from branchmerge.sources.problems import Problem

    folder = tmp_path_factory.mktemp("merge")
    tokenizer = make_tokenizer([Problem("1+1?", "1+1=2", "2")], vocab_size=384)
    student = make_network(TINY, tokenizer, seed=0)
    noise = torch.Generator().manual_seed(1)
    for name, scale in {"student": 0.0, "branches/a": 1e-2, "branches/b": 1e-2, "branches/c": 1e-2}.items():
        model = make_network(TINY, tokenizer, seed=0)
        with torch.no_grad():
            for mine, base in zip(model.parameters(), student.parameters(), strict=True):
                mine.copy_(base + scale * torch.randn(base.shape, generator=noise))
        model.save_pretrained(folder / "models" / name)
        tokenizer.save_pretrained(folder / "models" / name)
    return folder


def merged(workspace: Path, params: MergeParams, name: str) -> Path:
    target = workspace / name
    target.mkdir()
    merge(params, SEED, THREADS, target)
    return target


@pytest.mark.slow
@pytest.mark.parametrize("method", PARAMETERS)
def test_each_method_gives_a_whole_model_and_the_same_bytes_twice(workspace: Path, monkeypatch, method: str):
    import transformers

    monkeypatch.chdir(workspace)
    first = merged(workspace, merge_params(method), f"{method}1")
    second = merged(workspace, merge_params(method), f"{method}2")

    assert folder_hash(first) == folder_hash(second)
    model, loading = transformers.AutoModelForCausalLM.from_pretrained(first, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    assert model.config.eos_token_id == transformers.AutoTokenizer.from_pretrained(first).eos_token_id
    for name in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (first / name).read_bytes() == (workspace / "models/student" / name).read_bytes()
    assert (first / "mergekit_config.yml").is_file()


@pytest.mark.slow
def test_task_arithmetic_adds_weighted_differences(workspace: Path, monkeypatch):
    from safetensors.torch import load_file

    monkeypatch.chdir(workspace)
    result = load_file(merged(workspace, merge_params("task_arithmetic"), "sum") / "model.safetensors")
    student = load_file("models/student/model.safetensors")
    branches = [load_file(f"models/branches/{name}/model.safetensors") for name in ORDER]

    for name, base in student.items():
        expected = base + sum(0.5 * (branch[name] - base) for branch in branches)
        assert (result[name] - expected).abs().max() < 1e-5, name


@pytest.mark.slow
def test_the_order_decides_what_arcee_fusion_keeps(workspace: Path, monkeypatch):
    monkeypatch.chdir(workspace)
    one = merged(workspace, merge_params("arcee_fusion", ("a", "b", "c")), "abc")
    other = merged(workspace, merge_params("arcee_fusion", ("c", "b", "a")), "cba")

    assert (one / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_weights_that_are_no_safetensors_are_merged_by_mergekit_to_the_same_model(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Streaming reads safetensors; a branch in PyTorch's own format takes the other way."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(workspace / "models", tmp_path / "models")
    branch = tmp_path / "models/branches/b"
    torch.save(load_file(branch / "model.safetensors"), branch / "pytorch_model.bin")
    (branch / "model.safetensors").unlink()
    monkeypatch.chdir(workspace)
    streamed = load_file(merged(workspace, merge_params("branch_fusion"), "streamed") / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    whole = load_file(merged(tmp_path, merge_params("branch_fusion"), "whole") / "model.safetensors")

    assert streamed.keys() == whole.keys()
    assert all(torch.allclose(streamed[name], whole[name], atol=1e-6) for name in streamed)


def run_mergekit(recipe: dict[str, Any], target: Path) -> Path:
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    from branchmerge.merging.mergekit_plugin import register

    register()
    config = MergeConfiguration.model_validate(recipe)
    run_merge(config, str(target), MergeOptions(random_seed=SEED, write_model_card=False, quiet=True))
    return target


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("order", ["free", "sequential"])
def test_mergekit_itself_fuses_to_the_same_files_as_our_stream(
    workspace: Path, monkeypatch, tmp_path: Path, dtype: str, order: str
):
    from branchmerge.merging.streaming import stream_merge

    monkeypatch.chdir(workspace)
    multiplier = [{"filter": "mlp", "value": 0.5}, {"value": [1.0, 2.0]}]
    params = merge_params("branch_fusion", parameters={"threshold_multiplier": multiplier, "order": order})
    (recipe,) = recipes(params.model_copy(update={"dtype": dtype, "out_dtype": "bfloat16"}))
    theirs = run_mergekit(recipe, tmp_path / "theirs")

    assert stream_merge(recipe, tmp_path / "ours", threads=2)
    assert folder_hash(tmp_path / "ours") == folder_hash(theirs)


@pytest.mark.slow
def test_models_in_several_files_are_fused_to_the_same_weights(workspace: Path, monkeypatch, tmp_path: Path):
    import transformers
    from safetensors.torch import load_file

    from branchmerge.merging import streaming

    monkeypatch.chdir(workspace)
    (recipe,) = recipes(merge_params("branch_fusion"))
    assert streaming.stream_merge(recipe, tmp_path / "one", threads=1)
    sharded = tmp_path / "student"
    transformers.AutoModelForCausalLM.from_pretrained("models/student").save_pretrained(sharded, max_shard_size="50KB")
    monkeypatch.setattr(streaming, "_MAX_SHARD_BYTES", 60_000)
    assert streaming.stream_merge({**recipe, "base_model": str(sharded)}, tmp_path / "several", threads=1)

    files = sorted((tmp_path / "several").glob("*.safetensors"))
    assert len(files) > 2
    several = {name: tensor for file in files for name, tensor in load_file(file).items()}
    one = load_file(tmp_path / "one/model.safetensors")
    assert several.keys() == one.keys()
    assert all(several[name].equal(one[name]) for name in one)
    transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "several")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_parity_is_mergekits_arcee_fusion_to_the_bit(workspace: Path, monkeypatch, tmp_path: Path, dtype: str):
    monkeypatch.chdir(workspace)
    update = {"dtype": dtype, "out_dtype": dtype}
    ours = merge_params("branch_fusion", ("a", "b"), parameters={"parity": True}).model_copy(update=update)
    (arcee,) = recipes(merge_params("arcee_fusion", ("a", "b")).model_copy(update=update))
    merge(ours, SEED, THREADS, tmp_path)

    theirs = run_mergekit(arcee, tmp_path / "theirs") / "model.safetensors"
    assert (tmp_path / "model.safetensors").read_bytes() == theirs.read_bytes()


@pytest.mark.slow
def test_parity_draws_mergekits_sample_of_a_large_tensor():
    import torch
    from mergekit.merge_methods.arcee_fusion import arcee_fusion_merge_method
    from mergekit.merge_methods.base import TensorGroup

    from branchmerge.merging.arcee import arcee_fusion

    torch.manual_seed(0)
    base = 0.02 * torch.randn(1100, 1000)
    other = base + 1e-3 * torch.randn(1100, 1000)
    torch.manual_seed(7)
    (theirs,) = arcee_fusion_merge_method([TensorGroup.from_tensors([base, other], base_index=0)])
    torch.manual_seed(7)
    assert torch.equal(arcee_fusion(base, other), theirs)
    torch.manual_seed(8)
    assert not torch.equal(arcee_fusion(base, other), theirs)
