"""Tasks that misbehave in a worker, in a module that loads nothing."""

import os
import signal
import time
from dataclasses import dataclass

from branchmerge.grading.grade import Grade


@dataclass(frozen=True)
class Nap:
    """How long a task sleeps (s); a negative one misbehaves."""

    wall_s: float


def sleep(nap: Nap) -> Grade:
    time.sleep(nap.wall_s)
    return Grade("correct", "", "nap")


def die_or_sleep(nap: Nap) -> Grade:
    if nap.wall_s < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return sleep(nap)


def burn_or_sleep(nap: Nap) -> Grade:
    while nap.wall_s < 0:
        pass
    return sleep(nap)


def fill_memory(size_bytes: int) -> Grade:
    return Grade("correct", str(len(bytearray(size_bytes))), "nap")
