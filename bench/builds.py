"""Builds of this commit beside each other, each a clone with other params; one that was cut off goes on."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from branchmerge.core.params import PARAMS

MEANING = ("code", "dvc.yaml", PARAMS)


def meaning_of(project: Path) -> str:
    """What a build of this commit comes from: a name that words in docs, tests and comments do not change."""
    trees = _git(project, "rev-parse", *(f"HEAD:{path}" for path in MEANING))
    return hashlib.sha256(trees.encode()).hexdigest()[:8]


def build(
    project: Path,
    folder: Path,
    run: dict[str, Any],
    environment: dict[str, str],
    label: str,
    targets: Sequence[str] = (),
) -> None:
    """Bring a clone's outputs up to date.

    Args:
        run: Over the section run of params.yaml.
        environment: Over this process's own.
        targets: Stages to build, with all that they need; every stage where there are none.
    """
    if not folder.exists():
        subprocess.run(["git", "clone", "-q", str(project), str(folder)], check=True)
    params = folder / PARAMS
    sections = YAML(typ="safe").load(params)
    sections["run"] |= run
    params.write_text(json.dumps(sections))  # YAML, too
    print(f"{label}: dvc repro", file=sys.stderr, flush=True)
    with (folder / "repro.log").open("w") as log:
        command = [sys.executable, "-m", "dvc", "repro", *targets]
        subprocess.run(command, cwd=folder, stdout=log, check=True, env=os.environ | environment)


def _git(project: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=project, check=True, capture_output=True, text=True).stdout.strip()
