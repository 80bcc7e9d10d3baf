"""Does this build come to the bytes that git's dvc.lock records?"""

import subprocess
from pathlib import Path
from typing import Any

LOCK = Path("dvc.lock")
# they say how long a stage took, and are other bytes whenever it runs
TELL_TIMES = ("reports/cost/", "reports/training/", "reports/report.md", "reports/metrics.json")


def unlike_git() -> list[str]:
    """Stages that made other data, models or scores here than dvc.lock in git's last commit says, of equal inputs.

    None where there is no such commit, or nothing to compare.
    """
    theirs, ours = _both()
    return [
        name
        for name, stage in ours.items()
        if name in theirs and _inputs(stage) == _inputs(theirs[name]) and _results(stage) != _results(theirs[name])
    ]


def times_unlike_git() -> int:
    """How many outputs differ from dvc.lock in git where all others are equal: those that tell times; 0 where not."""
    theirs, ours = ({name: _outputs(stage) for name, stage in stages.items()} for stages in _both())
    differing = [
        path
        for name in theirs.keys() | ours.keys()
        for path in (theirs.get(name, {}).keys() | ours.get(name, {}).keys())
        if theirs.get(name, {}).get(path) != ours.get(name, {}).get(path)
    ]
    return len(differing) if all(path.startswith(TELL_TIMES) for path in differing) else 0


def _both() -> tuple[dict[str, Any], dict[str, Any]]:
    """The stages of dvc.lock in git's last commit and here; none where one of them is missing."""
    try:
        committed = subprocess.run(["git", "show", f"HEAD:./{LOCK}"], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # git itself
        return {}, {}
    if committed.returncode or not LOCK.is_file():
        return {}, {}
    return _stages(committed.stdout), _stages(LOCK.read_text())


def _stages(text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    return dict((YAML(typ="safe").load(text) or {}).get("stages", {}))


def _inputs(stage: dict[str, Any]) -> tuple[Any, ...]:
    return stage.get("cmd"), stage.get("deps"), stage.get("params")


def _outputs(stage: dict[str, Any]) -> dict[str, str]:
    return {out["path"]: out.get("md5") for out in stage.get("outs", [])}


def _results(stage: dict[str, Any]) -> dict[str, str]:
    return {path: md5 for path, md5 in _outputs(stage).items() if not path.startswith(TELL_TIMES)}
