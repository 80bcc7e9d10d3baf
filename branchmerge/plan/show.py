"""A plan as a person reads it."""

from collections.abc import Iterator
from typing import Any

from branchmerge.plan.costs import Cost
from branchmerge.plan.devices import CPU, RESERVE
from branchmerge.plan.disk import Disk
from branchmerge.plan.fits import usable_bytes
from branchmerge.plan.memory import Memory
from branchmerge.plan.plan import Plan


def tables(plan: Plan, has_all: bool) -> Iterator[Any]:
    """Tables and lines for rich.print; with has_all also the costs of stages that would not run."""
    yield _why(plan)
    shown = [cost for cost in plan.costs if has_all or cost.stage in plan.running]
    if shown:
        yield _work(plan, shown)
        yield _memory(plan, shown)
    yield _disk(plan.disk, plan.free_bytes)
    yield from _notes(plan, shown)


def _why(plan: Plan) -> Any:
    from rich.table import Table

    result = Table(
        _first("stage"),
        "why it runs",
        title=f"{len(plan.reruns)} stages would run" if plan.reruns else "nothing would run",
    )
    for rerun in plan.reruns:
        reasons = list(rerun.reasons) + ([f"after {', '.join(rerun.after)}"] if rerun.after else [])
        result.add_row(rerun.stage, "; ".join(reasons).replace("[", r"\["))
    return result


def _work(plan: Plan, shown: list[Cost]) -> Any:
    from rich.table import Table

    unit = "CPU-hours" if plan.device.name == CPU else "GPU-hours"
    result = Table(
        _first("stage"),
        "rows",
        "tokens",
        "steps",
        "FLOPs",
        "devices",
        "hours",
        unit,
        "USD",
        title=f"on {plan.device.name}",
    )
    for cost in shown:
        steps = f"{cost.steps:,}" if cost.steps else ""
        hours = (f"{cost.seconds / 3600:.3g}", f"{cost.device_hours:.3g}", _usd(plan, cost))
        result.add_row(
            cost.stage, f"{cost.rows:,}", _short(cost.tokens), steps, f"{cost.flops:.2e}", str(cost.devices), *hours
        )
    total = sum(cost.device_hours for cost in shown)
    money = f"{total * plan.device.usd_per_hour:,.0f}"
    result.add_row("all", "", "", "", f"{sum(cost.flops for cost in shown):.2e}", "", "", f"{total:,.3g}", money)
    return result


def _usd(plan: Plan, cost: Cost) -> str:
    return f"{cost.device_hours * plan.device.usd_per_hour:,.0f}"


def _memory(plan: Plan, shown: list[Cost]) -> Any:
    from rich.table import Table

    launch, parts = plan.build.setup.launch, list(Memory.__dataclass_fields__)
    result = Table(
        _first("run"),
        *parts,
        "all",
        "usable",
        title=f"GiB on each device: {launch.strategy}, {launch.processes} x {launch.nodes}",
    )
    usable = _gib(usable_bytes(plan.device, launch))
    for stage in (cost.stage for cost in shown if cost.stage in plan.memories):
        needed = plan.memories[stage]
        result.add_row(stage, *(_gib(getattr(needed, part)) for part in parts), _gib(needed.total), usable)
    return result


def _disk(needed: Disk, free_bytes: int) -> Any:
    from rich.table import Table

    parts = list(Disk.__dataclass_fields__)
    result = Table(
        *(name.removesuffix("_bytes") for name in parts), "all", "free here", title="GiB on disk, of the whole build"
    )
    result.add_row(*(_gib(getattr(needed, name)) for name in parts), _gib(needed.total), _gib(free_bytes))
    return result


def _notes(plan: Plan, shown: list[Cost]) -> Iterator[str]:
    """The assumptions, a line each, and what others report."""
    device = plan.device
    learnt = sum(cost.device_hours for cost in shown if cost.stage.startswith("sft@"))
    for row in plan.published:
        yield f"the branches: {learnt:,.0f} GPU-hours; reported: {row['gpu_hours']} for {row['what']} ({row['source']})"
    peak = f"{device.peak_flops / 1e12:.3g} TFLOPS" + (
        " measured in float32" if device.name == CPU else " dense bfloat16"
    )
    yield f"{device.name}: {peak}, ASSUMED reached: {device.training:.0%} training, {device.generation:.0%} generating"
    yield f"{device.name}: {device.start_s:.0f} s a stage ASSUMED to start; {RESERVE:.0%} of memory kept free"
    yield f"{device.name}: ASSUMED {device.usd_per_hour} USD an hour (branchmerge/plan/gpus.yaml)"
    if plan.disk.total > plan.free_bytes:
        yield f"[red]the disk here lacks {_gib(plan.disk.total - plan.free_bytes)} GiB[/] of what the whole build fills"
    by_origin: dict[str, list[str]] = {}
    for cost in shown:
        by_origin.setdefault(cost.assumption, []).append(cost.stage)
    yield from (f"{', '.join(stages)}: {origin}" for origin, stages in by_origin.items())


def _short(count: int) -> str:
    return f"{count / 1e6:,.1f}M" if count >= 1e6 else f"{count:,}"


def _first(name: str) -> Any:
    """A column whose names stay whole on a narrow terminal."""
    from rich.table import Column

    return Column(name, no_wrap=True)


def _gib(size: float) -> str:
    return f"{size / 2**30:,.2f}"
