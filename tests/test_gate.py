"""Models that do not fit together are refused before a merge, by what differs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from branchmerge.core.errors import InputError

pytestmark = pytest.mark.slow  # transformers reads the configs


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from branchmerge.bases.scratch import make_network, make_tokenizer
    from branchmerge.sources.problems import Problem
    from tests.conftest import TINY

    folder = tmp_path_factory.mktemp("gate") / "student"
    tokenizer = make_tokenizer([Problem("1+1?", "1+1=2", "2")], vocab_size=384)
    make_network(TINY, tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def branch(student: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(student, tmp_path / "branch"))


def check(student: Path, **branches: Path) -> None:
    from branchmerge.merging.compatibility import check_compatible

    check_compatible(student, branches)


def change_json(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def plant(branch: Path) -> None:
        content = json.loads((branch / name).read_text())
        change(content)
        (branch / name).write_text(json.dumps(content))

    return plant


def change_weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def plant(branch: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(branch / "model.safetensors")
        change(weights)
        save_file(weights, branch / "model.safetensors", metadata={"format": "pt"})

    return plant


EMBEDDINGS, GATE = "model.embed_tokens.weight", "model.layers.0.mlp.gate_proj.weight"


def pad_embeddings(branch: Path) -> None:
    import torch

    change_weights(lambda weights: weights.update({EMBEDDINGS: torch.zeros(512, 64)}))(branch)
    change_json("config.json", lambda config: config.update(vocab_size=512))(branch)


def shorten_embeddings(branch: Path) -> None:
    change_weights(lambda weights: weights.update({EMBEDDINGS: weights[EMBEDDINGS][:3].clone()}))(branch)


def untie(branch: Path) -> None:
    change_json("config.json", lambda config: config.update(tie_word_embeddings=False))(branch)
    change_weights(lambda weights: weights.update({"lm_head.weight": weights[EMBEDDINGS].clone()}))(branch)


PLANTED = {
    "architecture": (
        change_json(
            "config.json", lambda config: config.update(model_type="llama", architectures=["LlamaForCausalLM"])
        ),
        "config's model_type is llama, not qwen2",
    ),
    "layers": (
        change_json("config.json", lambda config: config.update(num_hidden_layers=2, layer_types=None)),
        "config's num_hidden_layers is 2, not 1",
    ),
    "rope": (
        change_json("config.json", lambda config: config["rope_parameters"].update(rope_theta=5e5)),
        "config's rope_parameters is .*500000",
    ),
    "tied embeddings": (untie, "config's tie_word_embeddings is False, not True"),
    "a tensor more": (
        change_weights(lambda weights: weights.update({"model.extra": weights[GATE].clone()})),
        "it alone has model.extra",
    ),
    "a tensor less": (change_weights(lambda weights: weights.pop(GATE)), f"it lacks {GATE}"),
    "shape": (
        change_weights(lambda weights: weights.update({GATE: weights[GATE][:, :32].clone()})),
        rf"shape of {GATE} is \(64, 32\), not \(64, 64\)",
    ),
    "whole numbers": (
        change_weights(lambda weights: weights.update({GATE: weights[GATE].char()})),
        "dtype of its weights is I8",
    ),
    "padded vocabulary": (pad_embeddings, rf"shape of {EMBEDDINGS} is \(512, 64\), not \(384, 64\)"),
    "embeddings too short": (shorten_embeddings, "has 3 rows, and its tokenizer has the id"),
    "special token": (
        change_json("tokenizer_config.json", lambda config: config.update(eos_token="<think>")),
        "tokenizer's eos_token is <think>",
    ),
    "vocabulary": (
        change_json("tokenizer.json", lambda content: content["added_tokens"].pop()),
        "tokenizer's added_tokens is",
    ),
    "chat template": (
        lambda branch: (branch / "chat_template.jinja").write_text("{{ messages }}"),
        "tokenizer's chat template is",
    ),
    "cut off": (
        lambda branch: (branch / "model.safetensors").write_bytes((branch / "model.safetensors").read_bytes()[:-1]),
        "expected a whole safetensors file",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_incompatibility_is_refused(student: Path, branch: Path, name: str):
    plant, message = PLANTED[name]
    plant(branch)

    with pytest.raises(InputError, match=message):
        check(student, branch=branch)


def test_all_differences_are_told_at_once(student: Path, branch: Path):
    PLANTED["rope"][0](branch)
    PLANTED["chat template"][0](branch)

    with pytest.raises(InputError, match=r"rope_parameters.*chat template"):
        check(student, branch=branch)


def test_branches_of_different_dtypes_are_refused(student: Path, branch: Path, tmp_path: Path):
    half = Path(shutil.copytree(branch, tmp_path / "half"))
    change_weights(lambda weights: weights.update({name: each.bfloat16() for name, each in weights.items()}))(half)

    with pytest.raises(InputError, match="the dtype is BF16, not F32"):
        check(student, branch=branch, half=half)
    check(half, branch=branch)  # a student stored in half, its branches trained in full


def test_what_says_nothing_of_the_weights_may_differ(student: Path, branch: Path):
    change_json(
        "config.json", lambda config: config.update(transformers_version="4.0", use_cache=False, pad_token_id=1)
    )(branch)

    check(student, branch=branch)
