"""What the code really depends on, read from its syntax: the other side of dvc.yaml's deps and params."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

# lower floors first; a module imports its own floor and those below it
FLOORS = (
    {"errors"},
    {"params", "records", "files", "values", "channel", "grade", "notation", "units"}
    | {"matrix", "importance", "selection", "spans", "arcee"},
    {"serving", "sandbox", "text", "answers", "choice", "collection", "mathematics", "quantity"}
    | {"tensors", "methods", "fusion"},
    {"remote", "workers", "equality", "majority"} | {"method", "streaming", "gate", "account", "merge_report"},
    {"cases", "player", "grader", "task"},
    {"examiner"},
    {"command", "problems", "sql", "chat", "cost", "grading", "statistics"}
    | {"engine", "previous", "served", "owner", "hyperparameters", "batches", "packing", "launch"},
    {"contract", "rows", "network"},
    {"trainer", "checkpoints", "job"},
    {"launcher"},
    {"run"},
    {"near_duplicates", "replies", "source_files", "store", "store_file", "openai", "ray", "transformers", "vllm"},
    {"asking", "smoke"},
)


def stage_files(root: Path) -> list[Path]:
    """Every stage: each .py directly in stages/."""
    return sorted((root / "stages").glob("*.py"))


@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def closure(file: Path, root: Path) -> set[str]:
    """A stage's file, the first-party modules it imports, and the files of stages/ that they name."""
    found: set[str] = set()
    queue = [file.relative_to(root).as_posix()]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found.add(name)
        path = root / name
        for python in sorted(path.rglob("*.py")) if path.is_dir() else [path] * (path.suffix == ".py"):
            text = python.read_text()
            queue += [module for module in _imports(text) if (root / module).is_file()]
            queue += [named for named in _named_files(text) if (root / named).exists()]
    return {name for name in found if not any(parent.as_posix() in found for parent in Path(name).parents)}


@cache
def _imports(text: str) -> list[str]:
    return list(imports(_tree(text)))


@cache
def _named_files(text: str) -> list[str]:
    """Texts that begin as a path in stages/ does."""
    return [
        node.value
        for node in ast.walk(_tree(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("stages/")
    ]


@cache
def _params_read(text: str) -> set[str]:
    paths: set[str] = set()
    for call in ast.walk(_tree(text)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            arguments = {"read_params": call.args[1:], "read_value": call.args}.get(call.func.id, [])
            paths |= {_pattern(argument) for argument in arguments if not isinstance(argument, ast.Starred)}
    return paths


def imports(tree: ast.AST) -> Iterator[str]:
    """Files of the first-party modules that a module imports, at its top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stages":
            base = node.module.replace(".", "/")
            yield f"{base}.py"
            yield from (f"{base}/{alias.name}.py" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (
                f"{alias.name.replace('.', '/')}.py" for alias in node.names if alias.name.startswith("stages.")
            )


def params_read(file: Path, root: Path) -> set[str]:
    """Dotted paths of params.yaml that a stage and what it depends on read; `*` where a name is filled in."""
    paths: set[str] = set()
    for name in closure(file, root):
        path = root / name
        for python in sorted(path.rglob("*.py")) if path.is_dir() else [path] * (path.suffix == ".py"):
            paths |= _params_read(python.read_text())
    return paths


def _pattern(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
    assert isinstance(node, ast.Constant), ast.dump(node)
    return str(node.value)


def as_pattern(interpolated: str) -> str:
    """dvc.yaml's `${key}` and `${item.domain}` as `*`."""
    return re.sub(r"\$\{[^}]*\}", "*", interpolated)


def upward_imports(root: Path) -> list[str]:
    """Imports against the floors: shared modules of a stage or a higher floor, stages of each other or of the CLI."""
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    wrong = []
    for file in sorted((root / "stages").rglob("*.py")):
        name = file.relative_to(root).as_posix()
        for imported in _imports(file.read_text()):
            if not (root / imported).is_file():
                continue
            is_shared = imported.startswith("stages/shared/")
            level = floor.get(file.stem, len(FLOORS)) if "/shared/" in name else len(FLOORS)
            if not is_shared or floor[Path(imported).stem] > level:
                wrong.append(f"{name} imports {imported}")
    return wrong


def violations(root: Path) -> list[str]:
    """Everything in which dvc.yaml and params.yaml differ from the code, a sentence each."""
    from ruamel.yaml import YAML

    stages = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    params = YAML(typ="safe").load(root / "params.yaml")
    files = {file.stem: file for file in stage_files(root)}
    wrong = [f"stage {name} has no file in stages/" for name in stages if name not in files]
    wrong += [f"stages/{name}.py is no stage in dvc.yaml" for name in files if name not in stages]
    for name in sorted(files.keys() & stages.keys()):
        stage = stages[name].get("do", stages[name])
        wrong += _wrong_deps(name, files[name], stage, params, root) + _wrong_params(name, files[name], stage, root)
    wrong += [
        f"params section {name} belongs to no stage"
        for name in params
        if name not in {*files, "run", "launch", "domains", "models"}
    ]
    return wrong + upward_imports(root)


def _wrong_deps(name: str, file: Path, stage: dict, params: dict, root: Path) -> list[str]:
    declared = {dep for dep in stage["deps"] if dep.startswith("stages/")}
    needed = closure(file, root)
    chosen = {path for section in params_read(file, root) for path in _paths_in(_below(params, section.split(".")))}
    covered = {path: {dep for dep in declared if path == dep or path.startswith(f"{dep}/")} for path in chosen}
    if not any(dep.startswith("${item.path") for dep in stage["deps"]):
        needed |= {path for path in chosen if not covered[path]} | set().union(*covered.values())
    return [f"{name} does not depend on {path}" for path in sorted(needed - declared)] + [
        f"{name} depends on {path} for nothing" for path in sorted(declared - needed)
    ]


def _below(node: Any, keys: list[str]) -> list[Any]:
    """The values at a dotted pattern in which `*` stands for any key."""
    if not keys:
        return [node]
    if not isinstance(node, dict):
        return []
    names = list(node) if keys[0] == "*" else [keys[0]] if keys[0] in node else []
    return [value for name in names for value in _below(node[name], keys[1:])]


def _paths_in(node: Any) -> Iterator[str]:
    """Texts under stages/, among keys and values."""
    if isinstance(node, dict):
        yield from _paths_in([*node, *node.values()])
    elif isinstance(node, list):
        for child in node:
            yield from _paths_in(child)
    elif isinstance(node, str) and node.startswith("stages/"):
        yield node


def _wrong_params(name: str, file: Path, stage: dict, root: Path) -> list[str]:
    declared = {as_pattern(path) for path in stage["params"]}
    read = params_read(file, root)
    wrong = [f"{name} reads params {path} and does not declare it" for path in sorted(read - declared)]
    wrong += [f"{name} declares params {path} and does not read it" for path in sorted(declared - read)]
    if not any(name in path.split(".") for path in read):
        wrong.append(f"{name} reads no params section {name}")
    return wrong
