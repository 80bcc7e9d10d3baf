"""Profiles: whole params.yaml files, and the one that is in use."""

import filecmp
import shutil
import subprocess
from pathlib import Path

from branchmerge.core.errors import InputError
from branchmerge.core.files import whole_file
from branchmerge.core.params import PARAMS
from branchmerge.settings.check import check
from branchmerge.settings.outputs import remove_stale

PROFILES = Path("profiles")


def names() -> list[str]:
    """All profiles, by name."""
    return sorted(file.stem for file in PROFILES.glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of a profile.

    Raises:
        InputError: There is none of this name.
    """
    if name not in names():
        raise InputError(
            where="profile",
            expected=f"one of {', '.join(names())}",
            got=name,
            do="choose one, or add profiles/<name>.yaml",
        )
    return PROFILES / f"{name}.yaml"


def in_use() -> str | None:
    """The profile that params.yaml equals, byte by byte; None where it was edited."""
    return next(
        (name for name in names() if PARAMS.is_file() and filecmp.cmp(path_of(name), PARAMS, shallow=False)), None
    )


def use(name: str, force: bool) -> list[Path]:
    """Copy a checked profile over params.yaml; the stale outputs that were removed from the workspace.

    Raises:
        InputError: Unknown or invalid profile, or params.yaml has changes that would be lost.
    """
    profile = path_of(name)
    check(profile)
    if in_use() is None and PARAMS.is_file() and not force and not _is_committed(PARAMS):
        raise InputError(
            where=str(PARAMS),
            expected="a profile, or a committed file",
            got="changes that stand nowhere else",
            do="copy it to profiles/<name>.yaml or commit it, or add --force to lose them",
        )
    with whole_file(PARAMS) as partial:
        shutil.copyfile(profile, partial)
    return remove_stale()


def _is_committed(file: Path) -> bool:
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", str(file)], capture_output=True, text=True, check=False
    )
    return changed.returncode == 0 and not changed.stdout
