"""The whole of params.yaml, checked at once: every section by its own class, and the names that must agree."""

import re
from collections.abc import Iterator
from pathlib import Path

from branchmerge.core.errors import InputError
from branchmerge.core.machine import machine_file, read_machine
from branchmerge.core.params import Params, read_params, read_section, read_sections
from branchmerge.settings.names import check_given_names, check_names, known_names
from branchmerge.settings.sections import MACHINE_SECTIONS, SECTIONS, below, top_level

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
    check_given_names(file)
    for domain in read_section("domains", file):
        _refuse_unknown(file, f"domains.{domain}", below("domains"))
    for section in SECTIONS:
        for names in _entries(section, file):
            read_params(section, file=file, **names)
    check_names(file)


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


def _refuse_unknown(file: Path, path: str, known: list[str]) -> None:
    from ruamel.yaml import YAML

    keys = read_section(path, file) if path else YAML().load(file)
    known_names(file, path or "the top level", keys, known)
