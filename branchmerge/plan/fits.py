"""Does a training run fit its devices, and if not: the nearest setting that does."""

from collections.abc import Callable
from itertools import combinations

from branchmerge.core.errors import InputError
from branchmerge.plan.devices import CPU, Device
from branchmerge.plan.memory import memory
from branchmerge.plan.shapes import Shape
from branchmerge.training.hyperparameters import LoraParams, TrainingParams
from branchmerge.training.machine import LaunchMachine, Setup

Setting = tuple[TrainingParams, Setup]
_LORA = LoraParams(rank=16, alpha=32)
_PER_NODE, _MOST_NODES = 8, 8


def usable_bytes(device: Device, launch: LaunchMachine) -> float:
    """What one process may fill; on a CPU all processes of a node share its memory."""
    return device.usable_bytes / (launch.processes if device.name == CPU else 1)


def check_fits(stage: str, shape: Shape, params: TrainingParams, setup: Setup, device: Device) -> None:
    """Refuse a run that cannot fit.

    Raises:
        InputError: With the nearest setting that fits: the fewest changes, and of those the mildest.
    """
    launch = setup.launch
    needed, usable = memory(stage, shape, params, setup), usable_bytes(device, launch)
    if needed.total <= usable:
        return
    largest = max(
        ("activations", "logits", "weights", "gradients", "optimiser"), key=lambda part: getattr(needed, part)
    )
    nearest = _nearest(stage, shape, (params, setup), device)
    raise InputError(
        where=f"{stage} on {launch.world_size} x {device.name}, {launch.strategy}",
        expected=f"at most {usable / 2**30:.1f} GiB on a device",
        got=f"{needed.total / 2**30:.1f} GiB ({largest}: {getattr(needed, largest) / 2**30:.1f})",
        do=f"set {nearest}" if nearest else "take a smaller model, or a device with more memory (--gpu)",
    )


def _nearest(stage: str, shape: Shape, setting: Setting, device: Device) -> str | None:
    changes = _changes(setting, device)
    for count in range(1, len(changes) + 1):
        for chosen in combinations(changes, count):
            words = [word for word, _ in chosen]
            if len({word.split()[0] for word in words}) < count:
                continue  # two values of one setting
            params, setup = setting
            for _, change in chosen:
                params, setup = change((params, setup))
            launch = setup.launch
            if (launch.strategy == "none" and launch.world_size > 1) or params.batch_size % launch.world_size:
                continue
            if memory(stage, shape, params, setup).total <= usable_bytes(device, launch):
                return f"{', '.join(words)} {_file_of(words)}"
    return None


def _file_of(words: list[str]) -> str:
    """Where a person sets them."""
    asked = [word for word in words if word.startswith("lora")]
    if not asked:
        return "in machine.yaml"
    return "in params.yaml" if asked == words else "(lora in params.yaml, the rest in machine.yaml)"


def _changes(setting: Setting, device: Device) -> list[tuple[str, Callable[[Setting], Setting]]]:
    """Everything that saves memory, mildest first: what leaves the result as it is, then more devices, then LoRA."""
    params, setup = setting
    launch, machine = setup.launch, setup.sft
    found: list[tuple[str, Callable[[Setting], Setting]]] = []
    if machine.max_batch_size_per_device != 1:
        found.append(("sft.max_batch_size_per_device 1", _sft(max_batch_size_per_device=1)))
    if not machine.gradient_checkpointing:
        found.append(("sft.gradient_checkpointing true", _sft(gradient_checkpointing=True)))
    if not machine.liger and device.name != CPU:
        found.append(("sft.liger true", _sft(liger=True)))
    if device.name != CPU:
        order = ("none", "ddp", "zero2", "zero3")
        start = order.index(launch.strategy) + 1 if launch.strategy in order else len(order)
        found += [
            (f"launch.strategy {name}", _launch(strategy=name)) for name in order[start:] if name not in ("none", "ddp")
        ]
        larger = [(count, 1) for count in range(launch.processes + 1, _PER_NODE + 1) if launch.nodes == 1]
        larger += [(_PER_NODE, count) for count in range(launch.nodes + 1, _MOST_NODES + 1)]
        found += [
            (f"launch.processes {processes} and launch.nodes {nodes}", _launch(processes=processes, nodes=nodes))
            for processes, nodes in larger
            if processes * nodes > launch.world_size and params.batch_size % (processes * nodes) == 0
        ]
    if params.lora is None:
        found.append((f"lora (rank {_LORA.rank})", _params(lora=_LORA)))
    return found


def _params(**values: object) -> Callable[[Setting], Setting]:
    return lambda setting: (setting[0].model_copy(update=values), setting[1])


def _launch(**values: object) -> Callable[[Setting], Setting]:
    return lambda setting: (setting[0], _with(setting[1], "launch", values))


def _sft(**values: object) -> Callable[[Setting], Setting]:
    return lambda setting: (setting[0], _with(setting[1], "sft", values))


def _with(setup: Setup, section: str, values: dict[str, object]) -> Setup:
    return setup.model_copy(update={section: getattr(setup, section).model_copy(update=values)})
