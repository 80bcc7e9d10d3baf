"""mergekit merges as params.yaml says, the same bytes every time."""

from pathlib import Path

import pytest

from stages.merge import MergeParams, merge, recipes
from stages.shared.errors import InputError
from stages.shared.files import folder_hash
from stages.shared.params import RunParams, read_params
from tests.conftest import TINY

RUN = RunParams(seed=0, threads=1)
ORDER = ("a", "b", "c")
PARAMETERS = {
    "linear": {"normalize": False},
    "task_arithmetic": {"normalize": False},
    "ties": {"density": 0.5, "normalize": True},
    "dare_ties": {"density": 0.5, "normalize": True},
    "arcee_fusion": {},
    "sce": {"select_topk": 0.5},
}


def merge_params(method: str, order: tuple[str, ...] = ORDER, weight: float = 0.5) -> MergeParams:
    return MergeParams(
        method=method,
        order=order,
        weights=dict.fromkeys(order, weight),
        parameters=PARAMETERS,
        dtype="float32",
        out_dtype="float32",
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


WRONG = [
    ("weights: {a: 1.0}", "one weight for each branch of order"),
    ("method: sliced", "sliced"),
    ("order: [a]", "at least 2"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_recipe_is_refused(tmp_path: Path, line: str, message: str):
    keys = {
        "method": "ties",
        "order": "[a, b]",
        "weights": "{a: 0.5, b: 0.5}",
        "parameters": "{ties: {density: 0.5}}",
        "dtype": "float32",
        "out_dtype": "float32",
    }
    key, _, value = line.partition(": ")
    text = "merge:\n" + "".join(f"  {name}: {given}\n" for name, given in {**keys, key: value}.items())
    (tmp_path / "params.yaml").write_text(text)

    with pytest.raises(InputError, match=message):
        read_params(MergeParams, "merge", file=tmp_path / "params.yaml")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory):
    """A student and three branches: random, of one layer, at distances as of fine-tuning."""
    import torch

    from stages.base import make_network, make_tokenizer
    from stages.shared.problems import Problem

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
    merge(params, RUN, target)
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
