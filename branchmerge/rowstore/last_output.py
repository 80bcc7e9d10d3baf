"""Outputs as the last run left them: DVC removes a stage's outputs before it runs the stage again."""

from pathlib import Path

LOCK = Path("dvc.lock")


def last_output(output: Path) -> Path | None:
    """An output file as dvc.lock records it, in place or in DVC's cache; None where it is in neither."""
    if output.is_file():
        return output
    if not LOCK.is_file():
        return None
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from ruamel.yaml import YAML

    recorded = [
        out["md5"]
        for stage in YAML(typ="safe").load(LOCK)["stages"].values()
        for out in stage.get("outs", [])
        if out["path"] == output.as_posix()
    ]
    if not recorded:
        return None
    try:
        with Repo() as repo:
            cached = Path(repo.cache.local.oid_to_path(recorded[0]))
    except NotDvcRepoError:
        return None
    return cached if cached.is_file() else None
