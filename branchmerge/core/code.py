"""code/<stage>.json: what the build holds of a stage's code. The stage `code` writes it, every other checks it."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

from branchmerge.core import meaning
from branchmerge.core.errors import InputError
from branchmerge.core.files import write_json
from branchmerge.core.params import read_section

CODE = Path("code")
_STAGES = Path("stages")


def stages() -> list[str]:
    """Every stage that stands on code: each file in stages/ but `code`."""
    return sorted(file.stem for file in _STAGES.glob("*.py") if file.stem != CODE.name)


def write_code(stage: str) -> None:
    """Write what a stage's code means now."""
    write_json(CODE / f"{stage}.json", _described(stage))


def check_code(stage: str) -> None:
    """Refuse to run a stage with other code or libraries than the build holds of it.

    Raises:
        InputError: Code that changed since the stage `code` ran, or an installed library of another version.
    """
    file = CODE / f"{stage}.json"
    if not file.is_file():  # DVC refuses a missing dependency; by hand, a stage may run outside a build
        return
    held, now = json.loads(file.read_text()), _described(stage)
    changed = sorted(name for name in held["files"] | now["files"] if held["files"].get(name) != now["files"].get(name))
    if changed or held["libraries"] != now["libraries"]:
        raise InputError(
            where=str(file),
            expected="the code of this stage as it is now",
            got=f"other code in {', '.join(changed)}" if changed else "other versions of libraries",
            do="run dvc repro, which brings it up to date before the stage",
        )
    _check_installed(held["libraries"])


def _check_installed(pinned: dict[str, str]) -> None:
    """Engines that are not installed are passed over: who chooses one is told then."""
    other = []
    for package, version in pinned.items():
        try:
            installed = importlib.metadata.version(package).split("+")[0]  # +cpu is the same code for another device
        except importlib.metadata.PackageNotFoundError:
            continue
        if installed != version:
            other.append((package, version, installed))
    if other:
        raise InputError(
            where=str(meaning.CONSTRAINTS),
            expected=", ".join(f"{package} {version}" for package, version, _ in other),
            got=", ".join(f"{package} {installed}" for package, _, installed in other),
            do="install the pinned versions (make setup), or pin yours and see branchmerge accept --help",
        )


def _described(stage: str) -> dict[str, Any]:
    return meaning.describe(_STAGES / f"{stage}.py", _generators(stage))


def _generators(stage: str) -> list[Path]:
    """The generators of questions that params.yaml names for a stage, which are code too."""
    if stage == "base":
        models = read_section("base").values()
        named = [path for model in models for path in (model.get("scratch") or {}).get("problems", ())]
    elif stage == "source":
        named = [source["path"] for source in read_section("source").values() if source["path"].endswith(".py")]
    else:
        named = []
    return [file for file in map(Path, named) if file.is_file()]  # the stage itself tells a missing one
