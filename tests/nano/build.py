"""The toy's build in a folder of its own, so small that all its stages run in minutes.

Everything is real but the size: generators whose answer never changes, models of one layer.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent.parent
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
MACHINE = "run:\n  threads: 1\n"
GENERATORS = {"arithmetic": "agree", "functions": "identity", "formulas": "agree"}


def create(folder: Path) -> Path:
    """A git and DVC repository with the project's build and the nano params."""
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__", "generators"))
    shutil.copytree(
        ROOT / "tests/nano",
        folder / "stages/generators",
        ignore=shutil.ignore_patterns("__pycache__", "__init__.py", "build.py"),
    )
    for name in ("branchmerge", "profiles", "tasks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", "constraints.txt"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copyfile(ROOT / "profiles/toy.yaml", folder / "params.yaml")
    change(folder, _shrink)
    shutil.copyfile(folder / "params.yaml", folder / "profiles/nano.yaml")
    (folder / "machine.yaml").write_text(MACHINE)
    for command in ("git init -q", "git add .", "git -c user.name=t -c user.email=t@t commit -qm build"):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


def change(folder: Path, edit: Any) -> None:
    """Edit params.yaml as a person would: by its keys."""
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    edit(params)
    yaml.dump(params, folder / "params.yaml")


def _shrink(params: Any) -> None:
    for model in params["base"].values():
        model["scratch"]["problems"] = {f"stages/generators/{name}.py": 100 for name in ("agree", "identity")}
        model["scratch"]["architecture"] |= {
            "vocab_size": 384,
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
        }
        model["scratch"]["training"] |= {"max_steps": 60, "learning_rate": 1e-2, "logging_steps": 10}
    del params["source"]["general"]
    for domain in params["domains"].values():
        domain["prompts"]["sources"].remove("general")
    for name, source in params["source"].items():
        source |= {"path": f"stages/generators/{GENERATORS[name]}.py"}
        source |= {"max_train_rows": 12, "max_test_rows": 4, "max_dev_rows": 4}
    params["traces"]["max_tokens"] = 32
    params["sft"] |= {"max_steps": 4, "batch_size": 4, "logging_steps": 1}
    for mixture in params["mixture"].values():
        mixture["max_steps"] = 4
    params["merge"]["smoke"] |= {"min_closed_ratio": None, "min_stopped_ratio": None, "max_tokens": 32}
    params["merge"]["smoke"] |= {"max_loop_ratio": None, "max_loss_ratio": 2.0, "rows_per_domain": 4}
    for benchmark in params["evaluate"]["benchmarks"].values():
        benchmark["max_tokens"] = 32


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A command in the folder, as a person with the environment activated runs it."""
    store = {"BRANCHMERGE_CACHE": str(folder.with_name(f"{folder.name}-store"))}
    store["BRANCHMERGE_MACHINE"] = str(folder / "machine.yaml")
    environment = (
        os.environ | OFFLINE | store | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    )
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done
