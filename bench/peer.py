"""A peer that our environment does not bring, in an environment of its own: made once, kept for the next run.

`bench/peers/<name>.txt` pins every package it needs; `bench/peers/<name>.py` runs on these, without any of ours, and
prints its result as JSON in its last line. The environments lie in BENCH_ENVS, or in the user's cache folder.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError

PEERS = Path(__file__).parent / "peers"
_DONE = "installed"  # written last: without it an environment is half made


def environment(name: str) -> Path:
    """The Python of a peer's environment, which is made where it is missing.

    Raises:
        InputError: Its packages cannot be installed here.
    """
    file = PEERS / f"{name}.txt"
    wanted = hashlib.sha256(file.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    folder = _place() / f"{name}-{wanted}"
    python = folder / "bin/python"
    if not (folder / _DONE).is_file():
        print(f"{name}: installing {file} into {folder}", file=sys.stderr, flush=True)
        venv.create(folder, clear=True)
        # by our pip and not uv, which does not read pip's configuration; the file lists what packages depend on, too
        options = ["--quiet", "--no-deps", "--requirement", str(file)]
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise InputError(
                where=str(file),
                expected="packages that pip can install here",
                got=next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "no reason"),
                do="run it where their index is reached, or point PIP_INDEX_URL to a mirror",
            )
        (folder / _DONE).touch()
    return python


def run_peer(name: str, *arguments: Any) -> Any:
    """What a peer's script prints for these arguments."""
    # -P: a script may have its package's name, and its folder is not where that is sought
    command = [str(environment(name)), "-P", str(PEERS / f"{name}.py"), *map(str, arguments)]
    # without PYTHONPATH, which would put packages of ours before its own
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def _place() -> Path:
    import platformdirs

    return Path(os.environ.get("BENCH_ENVS") or platformdirs.user_cache_path("branchmerge") / "bench")
