"""A model that only a server has: a folder with its name and revision in place of weights."""

import json
from pathlib import Path

from branchmerge.core.files import write_json

FILE = "served.json"


def write_served(folder: Path, model: str, revision: str) -> None:
    """Describe a served model; the folder's hash changes with the revision, and so do the names of its answers."""
    write_json(folder / FILE, {"model": model, "revision": revision})


def served_model(folder: Path) -> str | None:
    """The name a server knows the model by; None for a folder with weights."""
    file = folder / FILE
    return str(json.loads(file.read_text())["model"]) if file.is_file() else None
