"""What may show of a CPU in what torch makes on it."""

import os


def cpu_of(threads: int) -> str:
    """The kernels of torch, those of MKL where they are chosen, and the threads."""
    import torch

    chosen = f", MKL {os.environ['MKL_CBWR']}" if "MKL_CBWR" in os.environ else ""
    return f"cpu ({torch.backends.cpu.get_cpu_capability()}{chosen}), {threads} threads"
