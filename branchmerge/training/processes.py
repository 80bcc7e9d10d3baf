"""Processes that train together, started by torchrun."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from branchmerge.core.errors import InputError, StageError
from branchmerge.training.job import Job
from branchmerge.training.machine import LaunchMachine


def launch(job: Job) -> None:
    """Run a job in the processes of its launch, and wait for them.

    On more than one node, each runs the stage's command on a file system that all share, with MASTER_ADDR, MASTER_PORT
    and NODE_RANK set as torchrun wants them.

    Raises:
        InputError: Several nodes, and no word where the first is.
        StageError: A process failed.
    """
    command = [sys.executable, "-m", *_torchrun(job.setup.launch), "-m", "branchmerge.training.run", str(job.folder)]
    done = subprocess.run(command, env=_environment(job), check=False)
    if done.returncode:
        raise StageError(
            where=f"training of {job.name}",
            expected=f"{job.setup.launch.world_size} processes that end well",
            got=f"exit code {done.returncode}",
            do="see the first error above; dvc repro goes on from the last checkpoint",
        )


def _torchrun(launch: LaunchMachine) -> list[str]:
    address, port, rank = _rendezvous(launch.nodes)
    shape = ["--nproc_per_node", str(launch.processes), "--nnodes", str(launch.nodes), "--node_rank", rank]
    return ["torch.distributed.run", *shape, "--master_addr", address, "--master_port", port]


def _rendezvous(nodes: int) -> tuple[str, str, str]:
    """Address, port and rank of this node."""
    if nodes == 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return "127.0.0.1", str(free.getsockname()[1]), "0"
    names = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise InputError(
            where="machine.yaml: launch.nodes",
            expected=f"{', '.join(names)} in the environment of {nodes} nodes",
            got=f"no {', '.join(missing)}",
            do="set them on every node, or set launch.nodes: 1",
        )
    address, port, rank = (os.environ[name] for name in names)
    return address, port, rank


def _environment(job: Job) -> dict[str, str]:
    """Each process gets its share of the threads, and imports what this one imports."""
    threads = str(max(1, job.setup.threads // job.setup.launch.processes))
    path = os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"OMP_NUM_THREADS": threads, "PYTHONPATH": path}
