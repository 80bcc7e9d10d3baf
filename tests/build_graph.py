"""What the code really reads, by the closure that the build itself trusts: the other side of dvc.yaml."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from branchmerge.core import meaning

PARTS_OF_THE_BUILD = {"domains", "models"}  # sections of names, which belong to no one stage
MADE_FOR_ALL = {"run", "launch"}


def violations(root: Path) -> list[str]:
    """Everything in which dvc.yaml and params.yaml differ from the code, a sentence each.

    Args:
        root: The project, which is the current folder and holds the library.
    """
    from ruamel.yaml import YAML

    stages = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    params = YAML(typ="safe").load(root / "params.yaml")
    files = {file.stem: file for file in sorted((root / "stages").glob("*.py"))}
    wrong = [f"stage {name} has no file in stages/" for name in stages if name not in files]
    wrong += [f"stages/{name}.py is no stage in dvc.yaml" for name in files if name not in stages]
    for name in sorted(files.keys() & stages.keys()):
        stage = stages[name].get("do", stages[name])
        wrong += [*_wrong_code(name, stage, stages["code"]), *_wrong_params(name, files[name], stage)]
        wrong += [f"stages/{name}.py imports {other}" for other in _other_stages(files[name], root)]
    known = {*files, *PARTS_OF_THE_BUILD, *MADE_FOR_ALL}
    return wrong + [f"params section {name} belongs to no stage" for name in params if name not in known]


def _wrong_code(name: str, stage: dict[str, Any], code: dict[str, Any]) -> Iterator[str]:
    """A stage's own code is its one dependency on code, and the stage `code` writes it."""
    file = f"code/{name}.json"
    found = [dep for dep in stage.get("deps", []) if dep.startswith(("code/", "stages", "branchmerge"))]
    if name != "code" and found != [file]:
        yield f"{name} depends on {', '.join(found) or 'no code'}, not on {file}"
    if name != "code" and {file: {"cache": False}} not in code["outs"]:
        yield f"the stage code does not write {file}"


def _other_stages(file: Path, root: Path) -> list[str]:
    names = [meaning.name_of(found) for found in meaning.closure(file)]
    return [name for name in names if re.fullmatch(r"stages/\w+\.py", name) and root / name != file]


def _wrong_params(name: str, file: Path, stage: dict[str, Any]) -> list[str]:
    declared = {re.sub(r"\$\{[^}]*\}", "*", path) for path in stage.get("params", [])}
    read = params_read(file)
    wrong = [f"{name} reads params {path} and does not declare it" for path in sorted(read - declared)]
    wrong += [f"{name} declares params {path} and does not read it" for path in sorted(declared - read)]
    if name != "code" and not any(name in path.split(".") for path in read):
        wrong.append(f"{name} reads no params section {name}")
    return wrong


def params_read(file: Path) -> set[str]:
    """Dotted paths of params.yaml that a stage and what it stands on read; `*` where a name is filled in."""
    # what writes code/ is kept out of closures: it decides whether a stage runs, not what it makes
    starts = [file, meaning._LIBRARY / "core/code.py"] if file.stem == "code" else [file]
    trees = [_tree(found) for found in meaning.closure(starts) if found.suffix == ".py"]
    sections = {name: paths for tree in trees for name, paths in _sections(tree).items()}
    return {path for tree in trees for path in _reads(tree, sections)}


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _sections(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """Class of a section -> its paths."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "sections":
                    found[node.name] = tuple(re.sub(r"\{\w+\}", "*", path) for path in ast.literal_eval(line.value))
    return found


def _reads(tree: ast.Module, sections: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args):
            continue
        if any(keyword.arg == "file" for keyword in call.keywords):  # of another file than params.yaml
            continue
        argument = call.args[0]
        if call.func.id == "read_params" and isinstance(argument, ast.Name) and argument.id in sections:
            yield from sections[argument.id]
        elif call.func.id in ("read_value", "read_section") and not isinstance(argument, ast.Name):
            yield _pattern(argument)


def _pattern(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
    assert isinstance(node, ast.Constant), ast.dump(node)
    return str(node.value)
