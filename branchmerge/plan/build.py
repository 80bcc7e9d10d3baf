"""params.yaml as a plan sees it: every section that costs something, read once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchmerge.plan.shapes import Shape, shape_of
from stages.base import BaseParams
from stages.curate import CurateParams
from stages.evaluate import EvaluateParams
from stages.mixture import MixtureParams
from stages.prompts import PromptsParams
from stages.shared.launch import LaunchParams
from stages.shared.params import RunParams, read_params, read_section
from stages.shared.training.hyperparameters import TrainingParams
from stages.source import SourceParams
from stages.traces import TracesParams

STUDENT = "student"


@dataclass(frozen=True)
class Build:
    """The sections of params.yaml.

    Args:
        shapes: Of the base models; None for one that only a server has.
        training: Of each branch and mixture, by the stage that trains it.
        domains: Whose rows each of them learns.
        evaluated: Folder of each evaluated model.
    """

    run: RunParams
    launch: LaunchParams
    bases: dict[str, BaseParams]
    shapes: dict[str, Shape | None]
    sources: dict[str, SourceParams]
    prompts: dict[str, PromptsParams]
    traces: dict[str, TracesParams]
    curate: dict[str, CurateParams]
    training: dict[str, TrainingParams]
    domains: dict[str, tuple[str, ...]]
    evaluate: EvaluateParams
    evaluated: dict[str, Path]
    branches: int

    @property
    def student(self) -> Shape:
        """The shape of every branch and mixture."""
        shape = self.shapes[STUDENT]
        assert shape is not None, "a served model cannot be trained"
        return shape

    def shape_at(self, folder: Path) -> Shape | None:
        """The shape of the model in a folder: a base model's own, else the student's."""
        return self.shapes.get(folder.name, self.student)


def read_build() -> Build:
    """The build of params.yaml."""
    bases = {name: read_params(BaseParams, f"base.{name}") for name in read_section("base")}
    domains = list(read_section("domains"))
    mixtures = {name: read_params(MixtureParams, "sft", f"mixture.{name}") for name in read_section("mixture")}
    branches = {name: read_params(TrainingParams, "sft", f"domains.{name}.sft") for name in domains}
    return Build(
        run=read_params(RunParams, "run"),
        launch=read_params(LaunchParams, "launch"),
        bases=bases,
        shapes={name: shape_of(base, name) for name, base in bases.items()},
        sources={name: read_params(SourceParams, f"source.{name}") for name in read_section("source")},
        prompts={name: read_params(PromptsParams, f"domains.{name}.prompts") for name in domains},
        traces={name: read_params(TracesParams, "traces", f"domains.{name}.traces") for name in domains},
        curate={name: read_params(CurateParams, "curate", f"domains.{name}.curate") for name in domains},
        training=_by_stage("sft", branches) | _by_stage("mixture", mixtures),
        domains=_by_stage("sft", {name: (name,) for name in domains})
        | _by_stage("mixture", {name: mixture.domains for name, mixture in mixtures.items()}),
        evaluate=read_params(EvaluateParams, "evaluate"),
        evaluated={name: Path(folder) for name, folder in read_section("models").items()},
        branches=len(domains),
    )


def _by_stage(stage: str, named: dict[str, Any]) -> dict[str, Any]:
    return {f"{stage}@{name}": value for name, value in named.items()}
