"""Where the project is: the folder of dvc.yaml, whichever of its folders a command is given in.

All paths of the build are relative to it. Nothing else may depend on the folder that a person stands in.
"""

import os
from pathlib import Path

_MARK = "dvc.yaml"
_typed_in = Path.cwd()


def enter() -> None:
    """Go to the nearest folder at or above this one that holds a build; stay where there is none."""
    global _typed_in
    _typed_in = Path.cwd()
    root = next((folder for folder in (_typed_in, *_typed_in.parents) if (folder / _MARK).is_file()), None)
    if root is not None:
        os.chdir(root)


def typed(path: Path) -> Path:
    """A path that a person typed, from the folder they stood in."""
    return path if Path.cwd() == _typed_in else _typed_in / path
