"""machine.yaml: how this machine makes the build: threads, processes, engines, batches on the device, kernels.

Nothing in it is part of the build: DVC does not hash it, and another machine.yaml reruns nothing. It may change
rounding and, where answers are sampled, the draw; never what is asked for. What may show is recorded with what was
made.

The file is sought in BRANCHMERGE_MACHINE, then in the project and the folders above it (DVC's temporary workspaces lie
inside the project), then in the user's configuration. Without one, or without a key, the machine is looked at.
"""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import Field, PositiveInt

from branchmerge.core.errors import InputError
from branchmerge.core.params import Params, read_params, read_sections

NAME = "machine.yaml"
VARIABLE = "BRANCHMERGE_MACHINE"
TOP_LEVEL = ("run", "launch", "sft", "traces", "verify", "evaluate")


class Machine(Params):
    """A section of machine.yaml; every key has a default."""


Section = TypeVar("Section", bound=Machine)


@cache
def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


@cache
def gpus() -> int:
    """GPUs that this process may use; nvidia-smi says it at once, torch would take seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return listed.count("GPU ")


class RunMachine(Machine):
    """What all stages share on this machine.

    Args:
        threads: CPU threads of a stage; the cores at hand where nothing is said. Sums in another order end in other
            bits, so it is recorded with what was made.
    """

    sections = ("run",)

    threads: PositiveInt = Field(default_factory=cores)


def machine_file() -> Path | None:
    """The machine.yaml that counts here; None where there is none.

    Raises:
        InputError: BRANCHMERGE_MACHINE names no file.
    """
    import platformdirs

    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise InputError(
                where=VARIABLE, expected="a machine.yaml", got=f"no file {named}", do="correct or unset the variable"
            )
        return Path(named)
    here = Path.cwd()
    places = [*(folder / NAME for folder in (here, *here.parents)), platformdirs.user_config_path("branchmerge") / NAME]
    return next((file for file in places if file.is_file()), None)


def read_machine(section: type[Section]) -> Section:
    """One section of machine.yaml; what it does not say has its default.

    Raises:
        InputError: All problems of the section at once, or an unknown section anywhere in the file.
    """
    file = machine_file()
    given = read_sections(file) if file else []
    unknown = [name for name in given if name not in TOP_LEVEL]
    if unknown:
        raise InputError(
            where=str(file),
            expected=f"sections among {', '.join(TOP_LEVEL)}",
            got=", ".join(unknown),
            do=f"correct {', '.join(unknown)}; branchmerge doctor shows the machine as it is understood",
        )
    (path,) = section.sections
    return read_params(section, file=file) if file and path in given else section()
