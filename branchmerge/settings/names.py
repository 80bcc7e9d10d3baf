"""The names in params.yaml: those that a person gives, and those that sections give each other."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.params import read_params, read_section, read_value
from branchmerge.curation.lengths import CountParams
from branchmerge.curation.params import CurateParams
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.grading.judge import VerifyParams
from branchmerge.merging.params import MergeParams
from branchmerge.reporting.params import ReportParams
from branchmerge.rowstore.params import TracesParams
from branchmerge.rowstore.ready_made import SOURCES
from branchmerge.settings.sections import MODELS
from branchmerge.sources.params import SourceParams
from branchmerge.sources.pins import described
from branchmerge.training.hyperparameters import MixtureParams

# sections whose keys are a person's names: parts of stages' names, of commands, of paths, and of dotted paths of DVC
_NAMED = ("base", "source", "domains", "mixture", MODELS)
_NAME = re.compile(r"\w[\w-]{0,99}")
_FOLDERS = ("merged", "branches", "mixtures")  # of models/, beside the base models


def check_given_names(file: Path) -> None:
    """Refuse names that DVC, a shell or a path cannot carry, and those of two things that share a folder.

    Raises:
        InputError: With all such names of a section.
    """
    for section in _NAMED:
        if wrong := [name for name in read_section(section, file) if not _is_name(name)]:
            raise InputError(
                where=f"{file}: {section}",
                expected="names of at most 100 letters, digits, _ and -, of which the first is no -",
                got=", ".join(f"{name!r}" for name in wrong),
                do="give them other names; a number needs quotes to be one",
            )
    if taken := [name for name in read_section("base", file) if name in _FOLDERS]:
        raise InputError(
            where=f"{file}: base",
            expected=f"names other than {', '.join(_FOLDERS)}, which are folders of models/",
            got=", ".join(taken),
            do="give them other names",
        )
    if both := sorted(read_section("domains", file).keys() & read_section("mixture", file).keys()):
        raise InputError(
            where=f"{file}: mixture",
            expected="names that no domain has, since both write reports/training/<name>",
            got=", ".join(both),
            do="give them other names",
        )


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def check_names(file: Path) -> None:
    """Refuse names that point nowhere.

    Raises:
        InputError: With the names that would do.
    """
    sources, domains, mixtures = (list(read_section(name, file)) for name in ("source", "domains", "mixture"))
    for source in sources:
        described(read_params(SourceParams, file=file, name=source), source)
    for domain in domains:
        _check_sources(file, domain, sources)
    for mixture in mixtures:
        named = read_params(MixtureParams, file=file, name=mixture).domains
        known_names(file, f"mixture.{mixture}.domains", named, domains)
    known_names(file, "merge.order", read_params(MergeParams, file=file).order, domains)
    evaluate = read_params(EvaluateParams, file=file)
    known_names(file, "evaluate.benchmarks", evaluate.benchmarks, domains)
    known_names(file, "verify.graders", read_params(VerifyParams, file=file).graders, domains)
    known_names(file, "report.baseline", [read_params(ReportParams, file=file).baseline], read_section(MODELS, file))
    _check_models(file, domains, mixtures)
    if Path("dvc.yaml").is_file():  # a profile may be checked outside of the project, too, where its files are not
        _check_files(file, sources)
        _check_tasks(file, list(evaluate.tasks))


def known_names(file: Path, where: str, given: Iterable[Any], known: Iterable[Any]) -> None:
    """Refuse names that are none of the known ones."""
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        raise InputError(
            where=f"{file}: {where}",
            expected=f"names among {', '.join(known)}",
            got=", ".join(unknown),
            do=f"correct {', '.join(unknown)} in {file}",
        )


def _check_sources(file: Path, domain: str, sources: list[str]) -> None:
    where = f"domains.{domain}.prompts.sources"
    known_names(file, where, own := read_value(where, file), sources)
    quotas = read_params(CurateParams, file=file, domain=domain).max_traces_by_source
    known_names(file, "curate.max_traces_by_source", quotas, sources)
    section = read_section(f"domains.{domain}", file).get("curate") or {}
    quotas = section.get("max_traces_by_source") or {}
    known_names(file, f"domains.{domain}.curate.max_traces_by_source", quotas, own)


def _check_models(file: Path, domains: list[str], mixtures: list[str]) -> None:
    """Models that the build makes; a teacher and a tokenizer may lie elsewhere, too."""
    made = [
        "models/merged",
        *(f"models/{model}" for model in read_section("base", file)),
        *(f"models/branches/{domain}" for domain in domains),
        *(f"models/mixtures/{mixture}" for mixture in mixtures),
    ]
    known_names(file, MODELS, read_section(MODELS, file).values(), made)
    teachers = {
        f"domains.{domain}.traces.teacher": read_params(TracesParams, file=file, domain=domain).teacher
        for domain in domains
    }
    for where, path in {**teachers, "count.tokenizer": read_params(CountParams, file=file).tokenizer}.items():
        is_elsewhere = path.is_dir() and path.parts[0] not in ("models", "data")
        may_be = [*made, str(SOURCES)] if where in teachers else made
        known_names(file, where, [] if is_elsewhere else [str(path)], may_be)
    for model, params in read_section("base", file).items():
        outside = [path for path in _problems(params) if not path.startswith("stages/")]
        if outside:  # a base model's generators are code, whose changes the stage `code` must see
            raise InputError(
                where=f"{file}: base.{model}.scratch.problems",
                expected="generators below stages/, where a change of them reruns the model",
                got=", ".join(outside),
                do="move them to stages/generators",
            )


def _problems(base: Any) -> list[str]:
    return [str(path) for path in (base.get("scratch") or {}).get("problems", ())]


def _check_files(file: Path, sources: list[str]) -> None:
    """Generators; data may be elsewhere until the build."""
    for source in sources:
        path = read_params(SourceParams, file=file, name=source).path
        _check_generators(file, f"source.{source}.path", [path] if path.endswith(".py") else [])
    for model, params in read_section("base", file).items():
        _check_generators(file, f"base.{model}.scratch.problems", _problems(params))


def _check_generators(file: Path, where: str, paths: list[str]) -> None:
    gone = [path for path in paths if not Path(path).is_file()]
    if gone:
        raise InputError(
            where=f"{file}: {where}",
            expected="a Python file with a function problem(rng)",
            got=f"no such file: {', '.join(gone)}",
            do=f"correct the path in {file}",
        )


def _check_tasks(file: Path, tasks: list[str]) -> None:
    if tasks:
        from branchmerge.evaluation.tasks import known_tasks

        unknown = [task for task in tasks if task not in known_tasks().all_tasks]
        if unknown:
            raise InputError(
                where=f"{file}: evaluate.tasks",
                expected="tasks of lm-eval, or of the folder tasks/",
                got=", ".join(unknown),
                do="see lm-eval ls tasks, or put its YAML into tasks/",
            )
