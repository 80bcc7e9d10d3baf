"""Memory of one device while it trains, in bytes: what the strategy leaves it of the model, and its rows' activations.

Letters: P parameters, T trained ones (P, or LoRA's), N processes; h hidden, i intermediate, kv width of keys.
"""

from dataclasses import asdict, dataclass

from branchmerge.plan.shapes import Shape
from branchmerge.training.batches import split_batch
from branchmerge.training.hyperparameters import TrainingParams
from branchmerge.training.machine import LaunchMachine, Setup, SftMachine

_ADAM = 8  # bytes a parameter: two float32 moments
_FLOAT32 = 4


@dataclass(frozen=True)
class Memory:
    """Bytes on one device.

    Args:
        gathered: Whole modules that a sharded model puts together for the moment, and copies in the arithmetic's type.
        optimiser: Its state, and the float32 copies of weights that it updates.
        activations: Kept for the backward pass, and those of the one layer under way.
        logits: Scores of the vocabulary and their gradients.
    """

    weights: float
    gathered: float
    gradients: float
    optimiser: float
    activations: float
    logits: float

    @property
    def model_states(self) -> float:
        """What DeepSpeed's estimators count: everything that rows have no part in."""
        return self.weights + self.gathered + self.gradients + self.optimiser

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(asdict(self).values()))


def memory(stage: str, shape: Shape, params: TrainingParams, setup: Setup) -> Memory:
    """Memory of a training run on each device."""
    launch = setup.launch
    batches = split_batch(stage, params.batch_size, setup.sft.max_batch_size_per_device, launch.world_size)
    tokens = batches.per_device * params.max_length
    weights, gathered, gradients, optimiser = _states(shape, params, launch)
    return Memory(
        weights=weights,
        gathered=gathered,
        gradients=gradients,
        optimiser=optimiser,
        activations=tokens * _activation_bytes(shape, params, setup),
        logits=tokens * _logit_bytes(shape, setup.sft),
    )


def _states(shape: Shape, params: TrainingParams, launch: LaunchMachine) -> tuple[float, float, float, float]:
    """Weights, gathered, gradients, optimiser.

    bfloat16 under DeepSpeed: 16-bit weights, and float32 ones with the optimiser. Elsewhere: float32 weights, which
    autocast copies to 16 bits. ZeRO as in DeepSpeed 0.19.8's estimate_zero2/3_model_states_mem_needs: ZeRO-2 holds
    2P + 18T/N, ZeRO-3 18T/N and 4 bytes of its largest module.
    """
    n, p = launch.world_size, float(shape.parameters)
    t = float(shape.adapters(params.lora.rank, params.lora.target_modules)) if params.lora else p
    frozen = p + t if params.lora else 0.0  # adapters stand beside frozen weights
    is_half = params.dtype == "bfloat16"
    size = 2 if is_half else _FLOAT32
    if launch.strategy == "zero2":
        return size * (frozen or t), 0.0, (6 if is_half else _FLOAT32) * t / n, (_FLOAT32 + _ADAM) * t / n
    if launch.strategy == "zero3":
        return size * (frozen or t) / n, 2 * size * shape.embedding, _FLOAT32 * t / n, (_FLOAT32 + _ADAM) * t / n
    if launch.strategy == "fsdp":
        ends = shape.embedding * (1 if shape.is_tied else 2)  # the root unit: embedding and output layer
        gathered = 2 * size * max(shape.layer, ends)
        return _FLOAT32 * t / n + size * frozen / n, gathered, _FLOAT32 * t / n, _ADAM * t / n
    buckets = _FLOAT32 * t if launch.strategy == "ddp" else 0.0  # DDP sums gradients in buckets of its own
    weights = size * p + _FLOAT32 * t if params.lora else _FLOAT32 * p
    return weights, 2 * p if is_half else 0.0, _FLOAT32 * t + buckets, _ADAM * t


def _activation_bytes(shape: Shape, params: TrainingParams, setup: Setup) -> float:
    """Bytes a token, of all layers; with checkpointing the layers' inputs, and one whole layer.

    Counted by autograd's saved tensors on a Qwen2 with SDPA (a slow test counts again). float32: 4 (8h + 4i + 2kv);
    16-bit weights: 2 (6h + 4i + 2kv) and two float32 copies of h in the norms; autocast keeps the residuals in float32.
    """
    h, i, kv = shape.hidden, shape.intermediate, shape.key_value
    if params.dtype == "float32":
        layer, kept = 4.0 * (8 * h + 4 * i + 2 * kv), 4 * h
    elif setup.launch.strategy in ("zero2", "zero3"):
        layer, kept = 8.0 * h + 2 * (6 * h + 4 * i + 2 * kv), 2 * h
    else:
        layer, kept = 16.0 * h + 2 * (7 * h + 4 * i + 2 * kv), 4 * h
    return shape.layers * kept + layer if setup.sft.gradient_checkpointing else shape.layers * layer


def _logit_bytes(shape: Shape, machine: SftMachine) -> float:
    """Bytes a token: logits, their float32 copy, and both gradients; liger makes them in small pieces.

    Liger's pieces and its gradient of the last hidden states are about 8 bytes of h.
    """
    return 8.0 * shape.hidden if machine.liger else 12.0 * shape.vocab
