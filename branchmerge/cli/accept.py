"""Outputs kept although the code below them changed, since a person knows that they would come out the same."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from branchmerge.core.code import CODE
from branchmerge.core.errors import InputError
from branchmerge.core.files import whole_file

RECORD = CODE / "accepted.jsonl"


def accept(targets: list[str], why: str) -> list[str]:
    """Have dvc.lock say that the outputs of stages are of today's code, and keep a record of it; the stages' names.

    Args:
        targets: Stages, as sft@math, or sft for all of its kind.

    Raises:
        InputError: A stage that is unknown or up to date, or of which more than code or versions changed.
    """
    from dvc.repo import Repo

    if not why.strip():
        raise InputError(where="--why", expected="the reason, for whoever reads the record", got="none", do="say it")
    with Repo() as repo:
        repo.reproduce(CODE.name)
        changed = repo.status()
        names = [name for target in targets for name in _named(target, changed, repo)]
        wrong = [problem for name in names if (problem := _other_change(name, changed[name]))]
        if wrong:
            raise InputError(
                where="branchmerge accept",
                expected="stages of which only code or versions of libraries changed",
                got="; ".join(wrong),
                do="run dvc repro for them (or dvc checkout, where outputs are missing)",
            )
        rows = [_row(name, why) for name in names]
        for name in names:
            repo.commit(name, force=True)
    before = RECORD.read_text() if RECORD.is_file() else ""
    with whole_file(RECORD) as partial:
        partial.write_text(before + "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return names


def _named(target: str, changed: dict[str, Any], repo: Any) -> list[str]:
    known = sorted(stage.addressing for stage in repo.index.stages)
    meant = [name for name in known if target in (name, name.split("@")[0])]
    stale = [name for name in meant if name in changed]
    if not stale:
        raise InputError(
            where="branchmerge accept",
            expected=f"a stage that would run: {', '.join(sorted(changed.keys() & set(known))) or 'none would'}",
            got=f"{target}, which is {'up to date' if meant else 'no stage'}",
            do="name one of these",
        )
    return stale


def _other_change(name: str, changes: list[Any]) -> str:
    """What changed besides the stage's code; empty where nothing did."""
    code = f"{CODE}/{name.split('@')[0]}.json"
    for change in changes:
        if not isinstance(change, dict):
            return f"{name}: {change}"
        for kind, paths in change.items():
            others = [path for path in paths if kind != "changed deps" or path != code]
            if others:
                return f"{name}: {kind} {', '.join(others)}"
    return ""


def _row(name: str, why: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    stage = name.split("@")[0]
    locked = YAML(typ="safe").load(Path("dvc.lock"))["stages"][name]
    was = next((dep["md5"] for dep in locked["deps"] if dep["path"] == f"{CODE}/{stage}.json"), None)
    return {
        "stage": name,
        "why": why,
        "accepted_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "code_was": was,
        "code_is": hashlib.md5((CODE / f"{stage}.json").read_bytes()).hexdigest(),
    }
