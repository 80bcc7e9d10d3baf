"""The whole of params.yaml, checked at once: every section by its own class, and the names that must agree."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.machine import machine_file, read_machine
from branchmerge.core.params import Params, read_params, read_section, read_sections, read_value
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.grading.judge import VerifyParams
from branchmerge.merging.params import MergeParams
from branchmerge.settings.sections import MACHINE_SECTIONS, MODELS, SECTIONS, below, top_level
from branchmerge.sources.params import SourceParams
from branchmerge.sources.pins import described
from branchmerge.training.hyperparameters import MixtureParams

_NAME = re.compile(r"^(\w+)\.\{(\w+)\}")


def check(file: Path) -> None:
    """Check a params file from top to bottom.

    Raises:
        InputError: The first section that is wrong, with all its problems.
    """
    for name in top_level():
        read_section(name, file)
    if "launch" in read_sections(file):
        raise InputError(
            where=f"{file}: launch",
            expected="what is made; how, stands in machine.yaml",
            got="the section launch",
            do="move it to machine.yaml (machines/ has examples)",
        )
    _refuse_unknown(file, "", top_level())
    for domain in read_section("domains", file):
        _refuse_unknown(file, f"domains.{domain}", below("domains"))
    for section in SECTIONS:
        for names in _entries(section, file):
            read_params(section, file=file, **names)
    _check_names(file)


def check_machine() -> Path | None:
    """Check machine.yaml from top to bottom, wherever it is found; returns where.

    Raises:
        InputError: The first section that is wrong.
    """
    for section in MACHINE_SECTIONS:
        read_machine(section)
    return machine_file()


def _entries(section: type[Params], file: Path) -> Iterator[dict[str, str]]:
    """What fills the braces of a section's paths: once for each entry, as each domain; once where it has none."""
    named = [found for path in section.sections if (found := _NAME.match(path))]
    if not named:
        yield {}
    for found in named:
        yield from ({found[2]: entry} for entry in read_section(found[1], file))


def _check_names(file: Path) -> None:
    """Names that sections give each other."""
    sources, domains, mixtures = (list(read_section(name, file)) for name in ("source", "domains", "mixture"))
    for source in sources:
        described(read_params(SourceParams, file=file, name=source), source)
    for domain in domains:
        where = f"domains.{domain}.prompts.sources"
        _known(file, where, read_value(where, file), sources)
    for mixture in mixtures:
        params = read_params(MixtureParams, file=file, name=mixture)
        _known(file, f"mixture.{mixture}.domains", params.domains, domains)
    _known(file, "merge.order", read_params(MergeParams, file=file).order, domains)
    _known(file, "evaluate.benchmarks", read_params(EvaluateParams, file=file).benchmarks, domains)
    _known(file, "verify.graders", read_params(VerifyParams, file=file).graders, domains)
    made = [
        "models/merged",
        *(f"models/{model}" for model in read_section("base", file)),
        *(f"models/branches/{domain}" for domain in domains),
        *(f"models/mixtures/{mixture}" for mixture in mixtures),
    ]
    _known(file, MODELS, read_section(MODELS, file).values(), made)
    _check_generators(file)


def _check_generators(file: Path) -> None:
    """A base model's generators are code, whose changes the stage `code` must see."""
    for model, params in read_section("base", file).items():
        outside = [path for path in (params.get("scratch") or {}).get("problems", ()) if not path.startswith("stages/")]
        if outside:
            raise InputError(
                where=f"{file}: base.{model}.scratch.problems",
                expected="generators below stages/, where a change of them reruns the model",
                got=", ".join(outside),
                do="move them to stages/generators",
            )


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
