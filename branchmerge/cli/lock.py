"""Does this build come to the bytes that git's dvc.lock records?"""

import subprocess
from pathlib import Path
from typing import Any

LOCK = Path("dvc.lock")
_COMPARED = ("data/", "models/")  # reports tell times, too


def unlike_git() -> list[str]:
    """Stages that made other data or models here than dvc.lock in git's last commit says, of equal inputs.

    None where there is no such commit, or nothing to compare.
    """
    try:
        committed = subprocess.run(["git", "show", f"HEAD:./{LOCK}"], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # git itself
        return []
    if committed.returncode or not LOCK.is_file():
        return []
    theirs, ours = _stages(committed.stdout), _stages(LOCK.read_text())
    return [
        name
        for name, stage in ours.items()
        if name in theirs and _inputs(stage) == _inputs(theirs[name]) and _outputs(stage) != _outputs(theirs[name])
    ]


def _stages(text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    return dict((YAML(typ="safe").load(text) or {}).get("stages", {}))


def _inputs(stage: dict[str, Any]) -> tuple[Any, ...]:
    return stage.get("cmd"), stage.get("deps"), stage.get("params")


def _outputs(stage: dict[str, Any]) -> dict[str, str]:
    return {out["path"]: out.get("md5") for out in stage.get("outs", []) if out["path"].startswith(_COMPARED)}
