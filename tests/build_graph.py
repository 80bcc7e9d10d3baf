"""What the code really depends on, read from its syntax: the other side of dvc.yaml's deps and params."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# lower floors first; a module imports its own floor and those below it
FLOORS = (
    {"errors"},
    {"params", "records", "files"},
    {"command", "problems", "sql", "chat", "cost", "grading", "training", "statistics", "program_server"},
)


def stage_files(root: Path) -> list[Path]:
    """Every stage: each .py directly in stages/."""
    return sorted((root / "stages").glob("*.py"))


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
            tree = ast.parse(python.read_text())
            queue += [module for module in imports(tree) if (root / module).is_file()]
            queue += [named for named in _named_files(tree) if (root / named).exists()]
    return {name for name in found if not any(parent.as_posix() in found for parent in Path(name).parents)}


def imports(tree: ast.AST) -> Iterator[str]:
    """Files of the first-party modules that a module imports, at its top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stages":
            base = node.module.replace(".", "/")
            yield f"{base}.py"
            yield from (f"{base}/{alias.name}.py" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (f"{alias.name.replace('.', '/')}.py" for alias in node.names if alias.name.startswith("stages."))


def _named_files(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("stages/"):
            yield node.value


def params_read(file: Path, root: Path) -> set[str]:
    """Dotted paths of params.yaml that a stage and what it depends on read; `*` where a name is filled in."""
    paths: set[str] = set()
    for name in closure(file, root):
        path = root / name
        for python in sorted(path.rglob("*.py")) if path.is_dir() else [path] * (path.suffix == ".py"):
            for call in ast.walk(ast.parse(python.read_text())):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                    arguments = {"read_params": call.args[1:], "read_value": call.args}.get(call.func.id, [])
                    paths |= {_pattern(argument) for argument in arguments if not isinstance(argument, ast.Starred)}
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
        for imported in imports(ast.parse(file.read_text())):
            if not (root / imported).is_file():
                continue
            is_shared = imported.startswith("stages/shared/")
            level = floor.get(file.stem, len(FLOORS)) if "/shared/" in name else len(FLOORS)
            if not is_shared or floor[Path(imported).stem] > level:
                wrong.append(f"{name} imports {imported}")
    return wrong
