"""What a build is planned for: a GPU of the table, or this machine's CPU."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, NonNegativeFloat, PositiveFloat

from branchmerge.core.errors import InputError
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import Params, read_params

TABLE = Path(__file__).parent / "gpus.yaml"
CPU = "cpu"
DEFAULT_GPU = "H100"
RESERVE = 0.1  # of the memory, for CUDA's context, NCCL's buffers and fragments: an assumption
_MEASURE = """
import time, numpy
a = numpy.ones((1024, 1024), numpy.float32)
def seconds():
    start = time.perf_counter()
    a @ a
    return time.perf_counter() - start
print(2 * 1024**3 / min(seconds() for _ in range(12)) / 1e12)
"""


class DeviceRow(Params):
    """A row of the table, as its head explains it."""

    sections = ("{device}",)

    memory_gib: PositiveFloat | None
    tflops: PositiveFloat | None
    tb_per_s: PositiveFloat
    usd_per_hour: NonNegativeFloat
    training: float = Field(gt=0, lt=1)
    generation: float = Field(gt=0, lt=1)
    start_s: NonNegativeFloat


@dataclass(frozen=True)
class Device:
    """One device, in bytes and floating point operations a second."""

    name: str
    memory_bytes: float
    peak_flops: float
    bytes_per_s: float
    usd_per_hour: float
    training: float
    generation: float
    start_s: float

    @property
    def usable_bytes(self) -> float:
        """Memory that a run may fill."""
        return self.memory_bytes * (1 - RESERVE)


def device(name: str | None, is_float32: bool) -> Device:
    """A device by its name.

    Args:
        name: None for this machine's GPU; without one, the CPU for float32 and an H100 for bfloat16.

    Raises:
        InputError: The table has no such device.
    """
    names = _names()
    chosen = name or _installed(names) or (CPU if is_float32 else DEFAULT_GPU)
    if chosen not in names:
        raise InputError(
            where="--gpu",
            expected=f"one of {', '.join(names)}",
            got=chosen,
            do=f"choose one, or add a row to {TABLE.name}",
        )
    row = read_params(DeviceRow, file=TABLE, device=chosen)
    threads = read_machine(RunMachine).threads
    return Device(
        name=chosen,
        memory_bytes=row.memory_gib * 2**30 if row.memory_gib else _memory_bytes(),
        peak_flops=row.tflops * 1e12 if row.tflops else _measured_flops(threads),
        bytes_per_s=row.tb_per_s * 1e12,
        usd_per_hour=row.usd_per_hour,
        training=row.training,
        generation=row.generation,
        start_s=row.start_s,
    )


def _names() -> list[str]:
    from ruamel.yaml import YAML

    return list(YAML(typ="safe").load(TABLE))


def _installed(names: list[str]) -> str | None:
    """The row of the GPU that nvidia-smi finds here; torch would take seconds to say so."""
    try:
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True, text=True, check=True, timeout=20,
        ).stdout.replace(" ", "")  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return next((name for name in names if all(part in found for part in name.removesuffix("GB").split("-"))), None)


def _memory_bytes() -> float:
    import psutil

    return float(psutil.virtual_memory().total)


def _measured_flops(threads: int) -> float:
    """The best of a dozen products of matrices on one core, times the threads: other work hardly shows in it."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    printed = subprocess.run(
        [sys.executable, "-c", _MEASURE], env=os.environ | limits, capture_output=True, text=True, check=True
    )
    return float(printed.stdout) * 1e12 * min(threads, os.cpu_count() or 1)
