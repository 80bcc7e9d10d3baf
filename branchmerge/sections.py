"""The whole of params.yaml, checked at once: every section by its own class, and the names that must agree."""

from pathlib import Path
from typing import Any

from stages.base import BaseParams
from stages.count import CountParams
from stages.curate import CurateParams
from stages.evaluate import EvaluateParams
from stages.merge import MergeParams
from stages.mixture import MixtureParams
from stages.prompts import PromptsParams
from stages.report import ReportParams
from stages.shared.errors import InputError
from stages.shared.grading import VerifyParams
from stages.shared.launch import LaunchParams
from stages.shared.params import Params, RunParams, read_params, read_section, read_value
from stages.shared.training.hyperparameters import TrainingParams
from stages.source import SourceParams
from stages.traces import TracesParams

# top-level section -> its class; None where it only holds defaults or names
SECTIONS: dict[str, type[Params] | None] = {
    "run": RunParams,
    "launch": LaunchParams,
    "base": None,
    "source": None,
    "domains": None,
    "traces": None,
    "verify": VerifyParams,
    "count": CountParams,
    "curate": None,
    "sft": None,
    "mixture": None,
    "merge": MergeParams,
    "models": None,
    "evaluate": EvaluateParams,
    "report": ReportParams,
}
# section of a domain -> its class and the section whose keys it overrides
DOMAIN_SECTIONS: dict[str, tuple[type[Params], str | None]] = {
    "prompts": (PromptsParams, None),
    "traces": (TracesParams, "traces"),
    "curate": (CurateParams, "curate"),
    "sft": (TrainingParams, "sft"),
}


def check(file: Path) -> None:
    """Check a params file from top to bottom.

    Raises:
        InputError: The first section that is wrong, with all its problems.
    """
    for name in SECTIONS:
        read_section(name, file)
    _refuse_unknown(file, "", list(SECTIONS))
    for name, section in SECTIONS.items():
        if section is not None:
            read_params(section, name, file=file)
    for model in read_section("base", file):
        read_params(BaseParams, f"base.{model}", file=file)
    sources = list(read_section("source", file))
    for source in sources:
        read_params(SourceParams, f"source.{source}", file=file)
    domains = list(read_section("domains", file))
    for domain in domains:
        _refuse_unknown(file, f"domains.{domain}", list(DOMAIN_SECTIONS))
        for name, (section, defaults) in DOMAIN_SECTIONS.items():
            paths = [*([defaults] if defaults else []), f"domains.{domain}.{name}"]
            read_params(section, *paths, file=file)
        _known(
            file, f"domains.{domain}.prompts.sources", read_value(f"domains.{domain}.prompts.sources", file), sources
        )
    mixtures = list(read_section("mixture", file))
    for mixture in mixtures:
        params = read_params(MixtureParams, "sft", f"mixture.{mixture}", file=file)
        _known(file, f"mixture.{mixture}.domains", params.domains, domains)
    _known(file, "merge.order", read_params(MergeParams, "merge", file=file).order, domains)
    _known(file, "evaluate.benchmarks", read_value("evaluate.benchmarks", file), domains)
    _known(file, "verify.graders", read_params(VerifyParams, "verify", file=file).graders, domains)
    made = [
        "models/merged",
        *(f"models/{model}" for model in read_section("base", file)),
        *(f"models/branches/{domain}" for domain in domains),
        *(f"models/mixtures/{mixture}" for mixture in mixtures),
    ]
    _known(file, "models", read_section("models", file).values(), made)


def _refuse_unknown(file: Path, path: str, known: list[str]) -> None:
    from ruamel.yaml import YAML

    keys = read_section(path, file) if path else YAML().load(file)
    _known(file, path or "the top level", keys, known)


def _known(file: Path, where: str, given: Any, known: list[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InputError(
            where=f"{file}: {where}",
            expected=f"names among {', '.join(known)}",
            got=", ".join(unknown),
            do=f"correct {', '.join(unknown)} in {file}",
        )
