"""How the branches become one model, as params.yaml says it."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from branchmerge.core.params import Params
from branchmerge.merging.methods import METHODS, MethodParameters, Weight, is_by_branch
from branchmerge.merging.smoke import SmokeParams

OURS = "branch_fusion"


class MergeParams(Params):
    """How the branches become one.

    Args:
        method: branch_fusion, or any of mergekit's; branchmerge/merging/methods.py lists them.
        order: The branches; their order matters to the methods that take two models, and to branch_fusion with
            order sequential.
        weights: Of each branch, for the methods that take weights.
        parameters: Those of each method, so that a sweep changes one word. Numbers may vary over layers and tensors
            in mergekit's forms: [0.2, 0.8], or [{filter: mlp, value: 0.8}, {value: 0.5}].
        dtype: Of the arithmetic.
        out_dtype: Of the merged weights.
        smoke: What the merged model must do before it counts as one; null for no gate.
    """

    sections = ("merge",)

    method: str
    order: tuple[str, ...] = Field(min_length=1)
    weights: dict[str, Weight]
    parameters: MethodParameters  # type: ignore[valid-type]  # made from the table of methods
    dtype: Literal["float32", "bfloat16"]
    out_dtype: Literal["float32", "bfloat16"]
    smoke: SmokeParams | None

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if self.method not in METHODS:
            raise ValueError(f"a method among {', '.join(METHODS)}; not {self.method}")
        method, n = METHODS[self.method], len(self.order)
        if n < method.min_branches:
            raise ValueError(f"at least {method.min_branches} branches in order, for {self.method}")
        if method.max_branches and n > method.max_branches:
            raise ValueError(f"at most {method.max_branches} branches in order, for {self.method}")
        if set(self.weights) != set(self.order) or len(set(self.order)) != len(self.order):
            raise ValueError(f"one weight for each branch of order ({', '.join(self.order)})")
        if getattr(self.parameters, self.method) is None:
            raise ValueError(f"parameters of {self.method} ({{}} for its defaults)")
        return self

    @model_validator(mode="after")
    def _parameters_agree(self) -> Self:
        for name, value in self.own_parameters.items():
            if is_by_branch(value) and set(value) != set(self.order):
                raise ValueError(f"parameters.{self.method}.{name} for each branch of order, or one for all")
        if self.is_parity and (len(self.order) > 2 or len(self.own_parameters) > 1):
            raise ValueError("two branches and no other parameter with parity, as in mergekit's arcee_fusion")
        return self

    @property
    def own_parameters(self) -> dict[str, Any]:
        """What params.yaml says of the chosen method."""
        section: Params = getattr(self.parameters, self.method)
        return section.model_dump(exclude_unset=True)

    @property
    def is_parity(self) -> bool:
        """Whether branch_fusion is to compute mergekit's arcee_fusion instead."""
        return self.method == OURS and self.own_parameters.get("parity", False) is True
