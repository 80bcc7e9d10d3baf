"""`branch_fusion`, a merge method of mergekit's: for its recipes, its API and its command line.

Run     python -m branchmerge.merging.mergekit_plugin RECIPE.yml OUT    # mergekit-yaml that knows branch_fusion
"""

from typing import Annotated, Any, Literal

import torch
from mergekit.merge_methods import registry
from mergekit.merge_methods.base import BasePolicy, InputContract, TensorGroup
from mergekit.merge_methods.easy_define import merge_method
from pydantic import Field

from branchmerge.merging.arcee import arcee_fusion
from branchmerge.merging.fusion import Fusion, fuse
from branchmerge.merging.matrix import RowsInMemory

NAME = "branch_fusion"


def register() -> None:
    """Make branch_fusion known to mergekit; again is no error."""
    if NAME not in {method.spec.name for method in registry.registered_methods()}:
        registry.register(branch_fusion)


@merge_method(
    name=NAME,
    pretty_name="Stable Branch Fusion",
    contract=InputContract(base=BasePolicy.REQUIRED, min_non_base=1),
)
def branch_fusion(
    group: TensorGroup,
    threshold_multiplier: Annotated[float, Field(ge=0)] = 1.5,
    granularity: Literal["tensor", "row"] = "tensor",
    order: Literal["free", "sequential"] = "free",
    parity: bool = False,
) -> torch.Tensor:
    """Fuse one tensor of the base model (the student) and the branches."""
    branches = [entry.tensor for entry in group.non_base]
    if parity:
        base, other = branches
        return arcee_fusion(base, other)
    student = group.base.tensor
    result = torch.empty_like(student, memory_format=torch.contiguous_format)
    rows = RowsInMemory("the result", result)

    def write(start: int, fused: Any) -> None:
        rows.read(start, start + len(fused)).copy_(fused)

    fuse(
        RowsInMemory(f"{group.metadata.name} of the student", student),
        [RowsInMemory(f"{group.metadata.name} of {entry.id}", entry.tensor) for entry in group.non_base],
        Fusion(threshold_multiplier, granularity, order),
        torch.get_num_threads(),
        write,
    )
    return result


if __name__ == "__main__":
    from mergekit.scripts.run_yaml import main

    register()
    main()
