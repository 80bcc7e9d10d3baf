"""How a training run is started: its processes, one a device, and what they share out among them."""

from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from branchmerge.core.params import Params


class LaunchParams(Params):
    """Processes of a training run.

    Args:
        processes: On each node, one a GPU.
        strategy: none for one process; ddp has a whole model in each; zero2 shares out gradients and the optimiser's
            state, zero3 and fsdp the weights too.
    """

    sections = ("launch",)

    processes: PositiveInt
    nodes: PositiveInt
    strategy: Literal["none", "ddp", "zero2", "zero3", "fsdp"]

    @property
    def world_size(self) -> int:
        """All processes."""
        return self.processes * self.nodes

    @model_validator(mode="after")
    def _one_process_shares_nothing(self) -> Self:
        if self.strategy == "none" and self.world_size > 1:
            raise ValueError(f"a strategy for {self.world_size} processes (ddp, zero2, zero3 or fsdp)")
        return self
