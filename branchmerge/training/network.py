"""The model that learns: its weights' type, its attention, its adapters."""

from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.training.batches import is_first
from branchmerge.training.hyperparameters import LoraParams, TrainingParams
from branchmerge.training.machine import SftMachine


def load_student(folder: Path, params: TrainingParams, strategy: str = "none") -> Any:
    """A model to train.

    Its weights are float32, see TrainingParams.dtype, but where adapters stand in for them, and under ZeRO, which
    keeps a float32 copy of its own.
    """
    import torch
    from transformers import AutoModelForCausalLM

    has_copy = bool(params.lora) or strategy.startswith("zero")
    dtype = torch.bfloat16 if has_copy and params.dtype == "bfloat16" else torch.float32
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def set_attention(model: Any, params: TrainingParams, machine: SftMachine) -> None:
    """Give a model the attention of the machine; `auto` is FlashAttention where it can run.

    Raises:
        InputError: It is not installed, has no GPU, or the architecture does not know it.
    """
    import torch
    from transformers.utils import is_flash_attn_2_available

    can_flash = is_flash_attn_2_available() and torch.cuda.is_available()
    wanted: str = machine.attention
    if wanted == "auto":
        if not (can_flash and params.dtype == "bfloat16" and model._supports_flash_attn):
            return
        wanted = "flash_attention_2"
    if wanted == "flash_attention_2" and params.dtype == "float32":
        raise InputError(
            where="machine.yaml: sft.attention",
            expected="auto, sdpa or eager for dtype float32, which flash_attention_2 does not know",
            got=wanted,
            do="set attention: auto",
        )
    if wanted == "flash_attention_2" and not can_flash:
        raise InputError(
            where="machine.yaml: sft.attention",
            expected="flash_attention_2 where the package flash-attn and a GPU are",
            got="none here",
            do="set attention: auto, or install flash-attn on the GPU machine",
        )
    try:
        model.set_attn_implementation(wanted)
    except (ImportError, ValueError) as error:
        raise InputError(
            where="machine.yaml: sft.attention",
            expected=f"one that {model.config.model_type} has",
            got=str(error),
            do="set attention: auto",
        ) from None


def uses_liger(machine: SftMachine) -> bool:
    """Whether Liger's kernels are used: as the machine says, else where they can run."""
    return not _lacking_liger() if machine.liger is None else machine.liger


def check_liger(machine: SftMachine) -> None:
    """Refuse Liger's kernels where they cannot run.

    Raises:
        InputError: No GPU, or no package.
    """
    missing = _lacking_liger()
    if machine.liger and missing:
        raise InputError(
            where="machine.yaml: sft.liger",
            expected="the package liger-kernel and a GPU",
            got=" and ".join(missing),
            do="set liger: false, or pip install liger-kernel on the GPU machine",
        )


def _lacking_liger() -> list[str]:
    import importlib.util

    import torch

    missing = [] if importlib.util.find_spec("liger_kernel") else ["no package liger-kernel"]
    return missing + ([] if torch.cuda.is_available() else ["no GPU"])


def adapters(model: Any, lora: LoraParams | None) -> Any:
    """peft's configuration of the adapters; None without.

    Raises:
        InputError: A target that names no linear layer of the model.
    """
    if lora is None:
        return None
    import torch
    from peft import LoraConfig

    linear = {
        name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)
    } - {"lm_head"}
    unknown = [name for name in lora.target_modules or () if name not in linear]
    if unknown:
        raise InputError(
            where="lora.target_modules",
            expected=f"linear layers of {model.config.model_type}: {', '.join(sorted(linear))}",
            got=", ".join(unknown),
            do="correct the names, or set target_modules: null for all of them",
        )
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules) if lora.target_modules else "all-linear",
        task_type="CAUSAL_LM",
    )


def whole_model(trainer: Any, folder: Path, strategy: str) -> Any:
    """The trained model with all its weights; None in processes that do not write.

    Args:
        folder: Of the student, whose shape it has.
        strategy: Of the launch; under zero3 and fsdp no process holds all weights, and each has a part in this.
    """
    if strategy not in ("zero3", "fsdp"):
        return trainer.accelerator.unwrap_model(trainer.model) if is_first() else None
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not is_first():
        return None
    unset_hf_deepspeed_config()  # else ZeRO-3 shares out this model too, and waits for the other processes
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    model.load_state_dict(weights)
    model.tie_weights()
    return model


def finish(model: Any, params: TrainingParams) -> Any:
    """Merge adapters into the weights they stand beside, and take the type that is saved."""
    import torch
    from peft import PeftModel

    if isinstance(model, PeftModel):
        model = model.merge_and_unload(safe_merge=True)
    return model.to(device="cpu", dtype=getattr(torch, params.dtype))
