"""Outputs of stages that the build no longer has.

Some stages depend on a folder that holds one output of each branch. What an earlier build left
there would change the folder's hash, and so rerun stages for nothing.
"""

import shutil
from pathlib import Path


def remove_stale() -> list[Path]:
    """Remove from the workspace what dvc.lock records of stages that dvc.yaml no longer has.

    Only what DVC's cache holds is removed, so going back is a checkout and nothing is lost.
    """
    from dvc.repo import Repo

    removed = []
    with Repo() as repo:
        wanted = {Path(out.fs_path) for out in repo.index.outs}
        for path, digest in _recorded(Path(repo.root_dir)):
            if path.exists() and path not in wanted and repo.cache.local.exists(digest):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed.append(path.relative_to(repo.root_dir))
    return removed


def _recorded(root: Path) -> list[tuple[Path, str]]:
    from ruamel.yaml import YAML

    lock = root / "dvc.lock"
    stages = YAML(typ="safe").load(lock)["stages"] if lock.is_file() else {}
    return [
        (root / out["path"], out["md5"]) for stage in stages.values() for out in stage.get("outs", []) if "md5" in out
    ]
