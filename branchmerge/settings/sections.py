"""Every section of params.yaml and machine.yaml and its class: the one list for checks, schema and reference."""

from branchmerge.bases.params import BaseParams
from branchmerge.core.machine import Machine, RunMachine
from branchmerge.core.params import Params, RunParams
from branchmerge.curation.lengths import CountParams
from branchmerge.curation.params import CurateParams
from branchmerge.engines.choice import TracesMachine
from branchmerge.evaluation.params import EvaluateMachine, EvaluateParams
from branchmerge.grading.judge import VerifyMachine, VerifyParams
from branchmerge.merging.params import MergeParams
from branchmerge.reporting.params import ReportParams
from branchmerge.rowstore.params import TracesParams
from branchmerge.sources.params import SourceParams
from branchmerge.sources.prompts import PromptsParams
from branchmerge.training.hyperparameters import MixtureParams, SftParams
from branchmerge.training.machine import LaunchMachine, SftMachine

# in the order of params.yaml; where each stands in the file, it says itself
SECTIONS: tuple[type[Params], ...] = (
    RunParams,
    BaseParams,
    SourceParams,
    PromptsParams,
    TracesParams,
    VerifyParams,
    CountParams,
    CurateParams,
    SftParams,
    MixtureParams,
    MergeParams,
    EvaluateParams,
    ReportParams,
)
MACHINE_SECTIONS: tuple[type[Machine], ...] = (
    RunMachine,
    LaunchMachine,
    SftMachine,
    TracesMachine,
    VerifyMachine,
    EvaluateMachine,
)
MODELS = "models"  # names of models and their folders; it has no class


def top_level() -> list[str]:
    """The sections at the top of params.yaml."""
    return list(dict.fromkeys([path.split(".")[0] for section in SECTIONS for path in section.sections] + [MODELS]))


def below(parent: str) -> list[str]:
    """The sections that each entry of another may have: below("domains") are prompts, traces, curate and sft."""
    paths = [path.split(".") for section in SECTIONS for path in section.sections]
    return [path[2] for path in paths if len(path) == 3 and path[0] == parent]
