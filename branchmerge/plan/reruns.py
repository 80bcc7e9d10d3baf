"""Which stages DVC would run, and why: the dependency or param that changed, old and new."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.params import PARAMS

_SHOWN = 8  # digits of a hash


@dataclass(frozen=True)
class Rerun:
    """A stage that would run, unless what it reads comes out as before.

    Args:
        reasons: What changed; empty where only a stage before it runs.
        after: Stages that run before it and whose outputs it reads.
    """

    stage: str
    reasons: tuple[str, ...]
    after: tuple[str, ...]


def reruns() -> list[Rerun]:
    """The stages that would run, in the order of the build.

    Raises:
        InputError: No build here, or another DVC command is at work.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            return _reruns(repo)
    except LockError as error:
        raise InputError(
            where="dvc",
            expected="no other DVC command at work",
            got=str(error).splitlines()[0],
            do="wait for it to end",
        ) from None
    except DvcException as error:
        raise InputError(
            where="dvc.yaml",
            expected="a build that DVC can read",
            got=" ".join(str(error).split()),
            do="run in the project's folder, and branchmerge profile check",
        ) from None


def _reruns(repo: Any) -> list[Rerun]:
    import networkx

    changed = repo.status()
    graph = repo.index.graph  # an edge from each stage to those it reads
    stages = {stage.addressing: stage for stage in graph}
    lock = _locked(Path(repo.root_dir) / "dvc.lock")
    found: dict[str, Rerun] = {}
    for stage in networkx.lexicographical_topological_sort(graph.reverse(), key=lambda stage: stage.addressing):
        name = stage.addressing
        after = tuple(sorted(read.addressing for read in graph.successors(stage) if read.addressing in found))
        if name in changed or after:
            reasons = tuple(_reasons(changed.get(name, []), stages[name], lock.get(name)))
            found[name] = Rerun(name, reasons, after)
    return list(found.values())


def _locked(file: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML

    return dict(YAML(typ="safe").load(file)["stages"]) if file.is_file() else {}


def _reasons(changes: list[Any], stage: Any, locked: dict[str, Any] | None) -> Iterator[str]:
    """What DVC says changed, in words; the lock says what was before."""
    if locked is None:
        yield "never ran"
        return
    for change in changes:
        if not isinstance(change, dict):
            yield f"command was {locked['cmd']}" if change == "changed command" else str(change)
            continue
        for path, state in change.get("changed deps", {}).items():
            yield from _params(state, locked) if isinstance(state, dict) else [_dependency(path, state, stage, locked)]
        yield from (f"{path} is {state}" for path, state in change.get("changed outs", {}).items())


def _dependency(path: str, state: str, stage: Any, locked: dict[str, Any]) -> str:
    before = {dep["path"]: dep.get("md5", "") for dep in locked.get("deps", [])}.get(path)
    if before is None:
        return f"{path} is a new dependency"
    now = next((dep for dep in stage.deps if dep.def_path == path), None)
    if state != "modified" or now is None or not now.exists:
        return f"{path} is {state}"
    return f"{path} {before[:_SHOWN]} -> {now.get_hash().value[:_SHOWN]}"


def _params(states: dict[str, str], locked: dict[str, Any]) -> Iterator[str]:
    from ruamel.yaml import YAML

    tree = YAML(typ="safe").load(PARAMS)
    before = locked.get("params", {}).get(str(PARAMS), {})
    for path in states:
        old, new = dict(_leaves(path, before.get(path))), dict(_leaves(path, _below(tree, path)))
        for leaf in {**old, **new}:
            if old.get(leaf) != new.get(leaf) or (leaf in old) != (leaf in new):
                yield f"{leaf} {old.get(leaf, 'none')} -> {new.get(leaf, 'none')}"


def _below(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _leaves(path: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Every value below a path, with its own; nothing where there is none."""
    if isinstance(node, dict) and node:
        for key, child in node.items():
            yield from _leaves(f"{path}.{key}", child)
    elif node is not None:
        yield path, node
