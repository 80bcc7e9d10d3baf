"""The whole plan: what runs and why, what it computes and costs, and whether it fits."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from branchmerge.plan.build import STUDENT, Build, read_build
from branchmerge.plan.costs import Cost, costs
from branchmerge.plan.devices import Device, device
from branchmerge.plan.disk import Disk, disk, free_bytes
from branchmerge.plan.fits import check_fits, usable_bytes
from branchmerge.plan.memory import Memory, memory
from branchmerge.plan.reruns import Rerun, reruns

PUBLISHED = Path(__file__).parent / "published.yaml"


@dataclass(frozen=True)
class Plan:
    """A plan.

    Args:
        reruns: Stages that would run.
        costs: Of all stages that use a model, whether they would run or not.
        memories: Of each training run, on one device.
        published: What others report for the same student, a line each.
    """

    build: Build
    device: Device
    reruns: list[Rerun]
    costs: list[Cost]
    memories: dict[str, Memory]
    disk: Disk
    free_bytes: int
    published: list[dict[str, Any]]

    @property
    def running(self) -> set[str]:
        """Names of the stages that would run."""
        return {rerun.stage for rerun in self.reruns}

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values; bytes, seconds and operations."""
        return {
            "device": asdict(self.device),
            "setup": self.build.setup.model_dump(),
            "parameters": {name: shape.parameters for name, shape in self.build.shapes.items() if shape},
            "stages": [asdict(rerun) for rerun in self.reruns],
            "costs": [
                asdict(cost) | {"device_hours": cost.device_hours, "runs": cost.stage in self.running}
                for cost in self.costs
            ],
            "memory": {
                stage: asdict(needed)
                | {"model_states": needed.model_states, "total": needed.total}
                | {"usable": usable_bytes(self.device, self.build.setup.launch)}
                for stage, needed in self.memories.items()
            },
            "disk": asdict(self.disk) | {"total": self.disk.total, "free": self.free_bytes},
            "published": self.published,
        }


def make_plan(gpu: str | None) -> Plan:
    """Plan the build of params.yaml.

    Raises:
        InputError: params.yaml is wrong, or a training run that would run cannot fit.
    """
    build = read_build()
    changed = reruns()
    running = {rerun.stage for rerun in changed}
    chosen = device(gpu, all(params.dtype == "float32" for params in build.training.values()))
    for stage, params in build.training.items():
        if stage in running:
            check_fits(stage, build.student, params, build.setup, chosen)
    return Plan(
        build=build,
        device=chosen,
        reruns=changed,
        costs=costs(build, chosen, running),
        memories={stage: memory(stage, build.student, params, build.setup) for stage, params in build.training.items()},
        disk=disk(build, running, _has_links()),
        free_bytes=free_bytes(),
        published=_published(build),
    )


def _has_links() -> bool:
    """Whether DVC can link outputs into its cache, so that each is stored once: both lie on one file system."""
    from dvc.repo import Repo

    with Repo() as repo:
        cache = Path(repo.cache.local.path)
        there = next(folder for folder in (cache, *cache.parents) if folder.exists())
        return there.stat().st_dev == Path(repo.root_dir).stat().st_dev


def _published(build: Build) -> list[dict[str, Any]]:
    from ruamel.yaml import YAML

    hub = build.bases[STUDENT].hub
    rows: list[dict[str, Any]] = YAML(typ="safe").load(PUBLISHED)
    return [row for row in rows if hub is not None and row["student"] == hub.source]
