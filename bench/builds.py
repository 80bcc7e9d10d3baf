"""Whole builds of this commit beside each other, each a clone with other params; one that was cut off goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from branchmerge.core.params import PARAMS


def commit_of(project: Path) -> str:
    """The commit that is built, short."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout.strip()


def build(project: Path, folder: Path, run: dict[str, Any], environment: dict[str, str], label: str) -> None:
    """Bring a clone's outputs up to date.

    Args:
        run: Over the section run of params.yaml.
        environment: Over this process's own.
    """
    if not folder.exists():
        subprocess.run(["git", "clone", "-q", str(project), str(folder)], check=True)
    params = folder / PARAMS
    sections = YAML(typ="safe").load(params)
    sections["run"] |= run
    params.write_text(json.dumps(sections))  # YAML, too
    print(f"{label}: dvc repro", file=sys.stderr, flush=True)
    with (folder / "repro.log").open("w") as log:
        command = [sys.executable, "-m", "dvc", "repro"]
        subprocess.run(command, cwd=folder, stdout=log, check=True, env=os.environ | environment)
