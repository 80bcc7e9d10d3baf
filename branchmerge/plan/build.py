"""params.yaml and machine.yaml as a plan sees them: every section that costs something, read once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchmerge.bases.params import BaseParams
from branchmerge.core.machine import read_machine
from branchmerge.core.params import RunParams, read_params, read_section
from branchmerge.curation.params import CurateParams
from branchmerge.engines.choice import TracesMachine
from branchmerge.evaluation.params import EvaluateMachine, EvaluateParams
from branchmerge.plan.shapes import Shape, shape_of
from branchmerge.rowstore.params import TracesParams
from branchmerge.sources.params import SourceParams
from branchmerge.sources.prompts import PromptsParams
from branchmerge.training.hyperparameters import MixtureParams, SftParams, TrainingParams
from branchmerge.training.machine import Setup, read_setup

STUDENT = "student"


@dataclass(frozen=True)
class Build:
    """The sections of params.yaml.

    Args:
        setup: How this machine trains.
        answering, evaluation: What runs the models that answer.
        shapes: Of the base models; None for one that only a server has.
        training: Of each branch and mixture, by the stage that trains it.
        domains: Whose rows each of them learns.
        evaluated: Folder of each evaluated model.
    """

    run: RunParams
    setup: Setup
    answering: TracesMachine
    bases: dict[str, BaseParams]
    shapes: dict[str, Shape | None]
    sources: dict[str, SourceParams]
    prompts: dict[str, PromptsParams]
    traces: dict[str, TracesParams]
    curate: dict[str, CurateParams]
    training: dict[str, TrainingParams]
    domains: dict[str, tuple[str, ...]]
    evaluate: EvaluateParams
    evaluation: EvaluateMachine
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
    """The build of params.yaml on this machine."""
    bases = {name: read_params(BaseParams, model=name) for name in read_section("base")}
    domains = list(read_section("domains"))
    mixtures = {name: read_params(MixtureParams, name=name) for name in read_section("mixture")}
    branches = {name: read_params(SftParams, domain=name) for name in domains}
    return Build(
        run=read_params(RunParams),
        setup=read_setup(),
        answering=read_machine(TracesMachine),
        bases=bases,
        shapes={name: shape_of(base, name) for name, base in bases.items()},
        sources={name: read_params(SourceParams, name=name) for name in read_section("source")},
        prompts={name: read_params(PromptsParams, domain=name) for name in domains},
        traces={name: read_params(TracesParams, domain=name) for name in domains},
        curate={name: read_params(CurateParams, domain=name) for name in domains},
        training=_by_stage("sft", branches) | _by_stage("mixture", mixtures),
        domains=_by_stage("sft", {name: (name,) for name in domains})
        | _by_stage("mixture", {name: mixture.domains for name, mixture in mixtures.items()}),
        evaluate=read_params(EvaluateParams),
        evaluation=read_machine(EvaluateMachine),
        evaluated={name: Path(folder) for name, folder in read_section("models").items()},
        branches=len(domains),
    )


def _by_stage(stage: str, named: dict[str, Any]) -> dict[str, Any]:
    return {f"{stage}@{name}": value for name, value in named.items()}
