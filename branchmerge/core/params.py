"""params.yaml, read one typed section at a time.

A section is a frozen pydantic model that says where it stands in the file. Unknown keys, wrong types
and numbers out of range are refused with their path, their line and what to do.
"""

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from branchmerge.core.errors import InputError

PARAMS = Path("params.yaml")


class Params(BaseModel):
    """A section of params.yaml: immutable, and nothing in it is ignored.

    `sections` are its dotted paths, as in dvc.yaml: "sft", then "domains.{domain}.sft", which overrides it key by key.
    It is empty for a part of another section.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    sections: ClassVar[tuple[str, ...]] = ()
    of_the_machine: ClassVar[frozenset[str]] = frozenset()  # keys that once stood here, and now in machine.yaml


Section = TypeVar("Section", bound=Params)


class RunParams(Params):
    """What all stages share.

    Args:
        seed: Every random choice of the build follows from it.
        arithmetic: On a CPU: own for this processor's fastest kernels, shared for those that Intel's processors since
            Haswell have, with the same run.threads of machine.yaml. Answers that the row store knows stay.
    """

    sections = ("run",)
    of_the_machine = frozenset({"threads"})

    seed: int
    arithmetic: Literal["own", "shared"] = "own"


def read_params(section: type[Section], *, file: Path = PARAMS, **names: str) -> Section:
    """One section of params.yaml.

    Args:
        names: What stands in braces in the section's paths: domain="math" for "domains.{domain}.sft".

    Raises:
        InputError: All problems of the section at once.
    """
    tree, paths = _tree(file), [path.format(**names) for path in section.sections]
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for path in paths:
        for key, value in _mapping(tree, path, file).items():
            merged[key] = value
            origin[key] = f"{path}.{key}"
    try:
        return section.model_validate(merged)
    except ValidationError as error:
        problems = [_problem(problem, section, paths[-1], origin) for problem in _by_cause(error.errors(), section)]
        first = problems[0][0]
        raise InputError(
            where=f"{file}:{_line(tree, first)}: " + "; ".join(path for path, *_ in problems),
            expected="; ".join(expected for _, expected, _ in problems),
            got="; ".join(got for *_, got in problems),
            do=f"correct {first} in {file}",
        ) from None


def _tree(file: Path) -> Any:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if not file.is_file():
        raise InputError(
            where=str(file),
            expected="the build's parameters",
            got="no such file",
            do="run in the project's folder, or copy a profile: branchmerge profile use toy",
        )
    try:
        return _parsed(file.read_text())
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(
            where=f"{file}:{line}", expected="YAML", got=str(error.problem), do="correct this line"
        ) from None
    except (YAMLError, UnicodeDecodeError) as error:
        got = str(error).splitlines()[0]
        raise InputError(where=str(file), expected="YAML in UTF-8", got=got, do="correct the file") from None


@lru_cache(maxsize=2)
def _parsed(text: str) -> Any:
    """A YAML text with its lines; kept, since a check reads the same file once a section. Not to be changed."""
    from ruamel.yaml import YAML

    return YAML().load(text)  # YAML 1.2: 1e-5 is a number, which PyYAML reads as text


def _mapping(tree: Any, path: str, file: Path) -> Any:
    node = tree
    for depth, key in enumerate(keys := path.split(".")):
        if not isinstance(node, dict) or key not in node:
            known = ", ".join(map(_shown, node)) if isinstance(node, dict) else "nothing below it"
            parent = ".".join(keys[:depth]) or "the top level"
            raise InputError(
                where=f"{file}: {path}",
                expected=f"a section {key} in {parent}",
                got=known,
                do=f"add {path} to {file}, or correct the name",
            )
        node = node[key]
    if not isinstance(node, dict):
        raise InputError(
            where=f"{file}:{_line(tree, path)}: {path}",
            expected="a section",
            got=repr(node),
            do=f"give {path} keys and values",
        )
    return node


def _shown(key: Any) -> str:
    return key if isinstance(key, str) else f"{key} (not in quotes, so no text)"


def _by_cause(errors: Any, section: type[Params]) -> list[Any]:
    """Unknown keys first; a key that is missing only because it is misspelt is not told twice."""
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    misspelt = {name for error in unknown for name in _close(error, section)}
    others = [error for error in errors if error["type"] != "extra_forbidden"]
    return unknown + [error for error in others if not (error["type"] == "missing" and error["loc"][-1] in misspelt)]


def _close(error: Any, section: type[Params]) -> list[str]:
    return difflib.get_close_matches(str(error["loc"][-1]), _siblings(error, section), n=1)


def _siblings(error: Any, section: type[Params]) -> list[str]:
    """The keys known where an unknown one was found; empty deeper down, where its class is not at hand."""
    return list(section.model_fields) if len(error["loc"]) == 1 else []


def _problem(problem: Any, section: type[Params], path: str, origin: dict[str, str]) -> tuple[str, str, str]:
    """Path, what was expected, what came; for one pydantic error."""
    head, *rest = (str(part) for part in problem["loc"]) if problem["loc"] else ("",)
    where = ".".join([origin.get(head, f"{path}.{head}".rstrip(".")), *rest])
    if problem["type"] == "extra_forbidden":
        if problem["loc"][-1] in section.of_the_machine and len(problem["loc"]) == 1:
            return where, "what is made; how, stands in machine.yaml", f"the key {problem['loc'][-1]}"
        close = _close(problem, section)
        known = f"perhaps {close[0]}" if close else ", ".join(_siblings(problem, section))
        return where, "a known key" + (f" ({known})" if known else ""), f"the unknown key {problem['loc'][-1]}"
    if problem["type"] == "missing":
        return where, "a value", "none"
    return where, problem["msg"].removeprefix("Input should be ").removeprefix("Value error, "), repr(problem["input"])


def _line(tree: Any, path: str) -> int:
    """Line of a dotted path in its file; that of the nearest parent where it has none."""
    line: int = 1
    node: Any = tree
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            break
        positions: Any = node.lc  # type: ignore[attr-defined]  # ruamel's, on its own mappings
        line, node = positions.key(key)[0] + 1, node[key]
    return line


def read_section(path: str, file: Path = PARAMS) -> dict[str, Any]:
    """A section of params.yaml as it stands there, for its keys."""
    section: dict[str, Any] = _mapping(_tree(file), path, file)
    return section


def read_sections(file: Path) -> list[str]:
    """The names at the top of a file; none of an empty one."""
    tree = _tree(file)
    if tree is not None and not isinstance(tree, dict):
        raise InputError(where=str(file), expected="sections", got=repr(tree)[:80], do="give it keys and values")
    return list(tree or [])


def read_value(path: str, file: Path = PARAMS) -> Any:
    """One value of params.yaml by its dotted path, as it stands there."""
    parent, _, key = path.rpartition(".")
    tree = _tree(file)
    node = _mapping(tree, parent, file) if parent else tree
    if key not in node:
        raise InputError(where=f"{file}: {path}", expected="a value", got="none", do=f"add {path} to {file}")
    return node[key]
