"""How this machine trains: threads, processes and what they share out, batches on the device, kernels, checkpoints."""

from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from branchmerge.core.machine import Machine, RunMachine, read_machine
from branchmerge.core.params import Params


class LaunchMachine(Machine):
    """Processes of a training run of `sft` and `mixture`.

    Args:
        processes: On each node, one a GPU.
        nodes: Machines that train together.
        strategy: none for one process; ddp has a whole model in each; zero2 shares out gradients and the optimiser's
            state, zero3 and fsdp the weights too.
    """

    sections = ("launch",)

    processes: PositiveInt = 1
    nodes: PositiveInt = 1
    strategy: Literal["none", "ddp", "zero2", "zero3", "fsdp"] = "none"

    @property
    def world_size(self) -> int:
        """All processes."""
        return self.processes * self.nodes

    @model_validator(mode="after")
    def _one_process_shares_nothing(self) -> Self:
        if self.strategy == "none" and self.world_size > 1:
            raise ValueError(f"a strategy for {self.world_size} processes (ddp, zero2, zero3 or fsdp)")
        return self


class SftMachine(Machine):
    """How a training run uses its devices.

    Args:
        max_batch_size_per_device: Most rows that a device holds at once, accumulation follows; null for all of its
            share of batch_size.
        gradient_checkpointing: Compute activations again in the backward pass, which saves their memory.
        liger: Liger's fused kernels; null for where the package and a GPU are.
        attention: auto takes flash_attention_2 where it can run, else what transformers takes for the model.
        checkpoint_steps: Optimiser steps between checkpoints, from which a killed stage goes on; null for none.
    """

    sections = ("sft",)

    max_batch_size_per_device: PositiveInt | None = None
    gradient_checkpointing: bool = False
    liger: bool | None = None
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    checkpoint_steps: PositiveInt | None = 50


class Setup(Params):
    """All of machine.yaml that training needs."""

    threads: PositiveInt
    launch: LaunchMachine = LaunchMachine()
    sft: SftMachine = SftMachine()


def read_setup() -> Setup:
    """How this machine trains."""
    return Setup(
        threads=read_machine(RunMachine).threads, launch=read_machine(LaunchMachine), sft=read_machine(SftMachine)
    )
