"""Every merge method by name: how its inputs are laid out, and which parameters it takes, in which range.

mergekit checks types only when it runs, and ranges not at all. A test holds this table to mergekit's registry, which
takes seconds to import.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, create_model

from branchmerge.core.params import Params

Inputs = Literal["student", "branches", "chain"]


@dataclass(frozen=True)
class Number:
    """A number from minimum to maximum; the minimum itself only if it may be reached."""

    minimum: float = -math.inf
    maximum: float = math.inf
    is_minimum_allowed: bool = True
    is_whole: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.is_whole else "a number"
        low = f" {'from' if self.is_minimum_allowed else 'above'} {self.minimum:g}" if self.minimum > -math.inf else ""
        return kind + low + (f" up to {self.maximum:g}" if self.maximum < math.inf else "")

    def allows(self, value: Any) -> bool:
        """Whether a scalar is one of these."""
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else int | float):
            return False
        above = value >= self.minimum if self.is_minimum_allowed else value > self.minimum
        return math.isfinite(value) and above and value <= self.maximum


@dataclass(frozen=True)
class Words:
    """One of some words, or of true and false."""

    words: tuple[str | bool, ...]

    def __str__(self) -> str:
        return " or ".join(str(word).lower() if isinstance(word, bool) else str(word) for word in self.words)

    def allows(self, value: Any) -> bool:
        """Whether a scalar is one of these."""
        return any(value is word or (isinstance(value, str) and value == word) for word in self.words)


Range = Number | Words
FLAG = Words((True, False))
SHARE = Number(0, 1, is_minimum_allowed=False)
WEIGHT = Number()


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method. is_per_branch: each branch may have its own, by name."""

    range: Range
    is_required: bool = False
    is_per_branch: bool = False


@dataclass(frozen=True)
class MergeMethod:
    """A method's inputs and parameters.

    Args:
        inputs: student: it is the base of all branches. branches: no base. chain: takes two models; the first branch
            is the base of the second, their merge the base of the third.
        takes_weights: Each branch's `merge.weights` are given to it.
        max_branches: None for no limit.
    """

    inputs: Inputs
    parameters: dict[str, Parameter]
    takes_weights: bool = False
    min_branches: int = 2
    max_branches: int | None = None


def _of_task_vectors(**own: Parameter) -> MergeMethod:
    common = {
        "int8_mask": Parameter(FLAG),
        "normalize": Parameter(FLAG),
        "rescale": Parameter(FLAG),
        "lambda": Parameter(Number(0)),
        "density": Parameter(SHARE, is_per_branch=True),
    }
    return MergeMethod("student", {**common, **own}, takes_weights=True)


_GAMMA = Parameter(Number(0, 1), is_per_branch=True)
_DELLA_EPSILON = Parameter(Number(0, 1), is_per_branch=True)
_RAM_EPSILON = Parameter(Number(0))

METHODS: dict[str, MergeMethod] = {
    "arcee_fusion": MergeMethod("chain", {}),
    "branch_fusion": MergeMethod(
        "student",
        {
            "threshold_multiplier": Parameter(Number(0)),
            "granularity": Parameter(Words(("tensor", "row"))),
            "order": Parameter(Words(("free", "sequential"))),
            "parity": Parameter(FLAG),
        },
    ),
    "breadcrumbs": _of_task_vectors(gamma=_GAMMA),
    "breadcrumbs_ties": _of_task_vectors(gamma=_GAMMA),
    "dare_linear": _of_task_vectors(),
    "dare_ties": _of_task_vectors(),
    "della": _of_task_vectors(epsilon=_DELLA_EPSILON),
    "della_linear": _of_task_vectors(epsilon=_DELLA_EPSILON),
    "karcher": MergeMethod(
        "branches",
        {"max_iter": Parameter(Number(1, is_whole=True)), "tol": Parameter(Number(0, is_minimum_allowed=False))},
    ),
    "linear": MergeMethod("branches", {"normalize": Parameter(FLAG)}, takes_weights=True),
    "model_stock": MergeMethod("student", {"filter_wise": Parameter(FLAG)}),
    "multislerp": MergeMethod(
        "student",
        {"normalize_weights": Parameter(FLAG), "eps": Parameter(Number(0, is_minimum_allowed=False))},
        takes_weights=True,
    ),
    "nearswap": MergeMethod("chain", {"t": Parameter(Number(0), is_required=True)}),
    "nuslerp": MergeMethod(
        "student",
        {"nuslerp_row_wise": Parameter(FLAG), "nuslerp_flatten": Parameter(FLAG)},
        takes_weights=True,
        max_branches=2,
    ),
    "passthrough": MergeMethod(
        "branches", {"scale": Parameter(Number(), is_per_branch=True)}, min_branches=1, max_branches=1
    ),
    "ram": MergeMethod("student", {"epsilon": _RAM_EPSILON}),
    "ramplus_tl": MergeMethod(
        "student", {"r": Parameter(Number(0)), "alpha": Parameter(Number(0)), "epsilon": _RAM_EPSILON}
    ),
    "sce": MergeMethod("student", {"int8_mask": Parameter(FLAG), "select_topk": Parameter(SHARE)}),
    "slerp": MergeMethod("chain", {"t": Parameter(Number(0, 1), is_required=True)}),
    "task_arithmetic": _of_task_vectors(),
    "ties": _of_task_vectors(),
}


def is_by_branch(value: Any) -> bool:
    """Whether a setting is a mapping of branches to settings; one with a value is mergekit's filter."""
    return isinstance(value, dict) and "value" not in value


def _checked(allowed: Range, is_per_branch: bool = False) -> Callable[[Any], Any]:
    """A check of a setting in all forms that mergekit knows.

    A scalar; a list of scalars, spread over the layers; {filter, value}, for the tensors whose name holds the filter;
    a list of those, of which the first that fits counts.
    """

    def is_gradient(value: Any) -> bool:
        return allowed.allows(value) or (
            isinstance(value, list) and bool(value) and all(allowed.allows(each) for each in value)
        )

    def is_conditional(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and {"value"} <= set(value) <= {"filter", "value"}
            and isinstance(value.get("filter", ""), str)
            and is_gradient(value["value"])
        )

    def is_setting(value: Any) -> bool:
        conditions = value if isinstance(value, list) and value else [value]
        return is_gradient(value) or all(is_conditional(each) for each in conditions)

    def check(value: Any) -> Any:
        settings = list(value.values()) if is_per_branch and is_by_branch(value) else [value]
        if not settings or not all(is_setting(setting) for setting in settings):
            raise ValueError(f"{allowed}; a list of such over the layers, or a list of filter and value")
        return _plain(value, allowed)

    return check


def _plain(value: Any, allowed: Range) -> Any:
    """A checked setting of Python's own types; a YAML reader has its own."""
    if isinstance(value, dict):
        return {str(key): str(each) if key == "filter" else _plain(each, allowed) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, allowed) for each in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    return int(value) if isinstance(allowed, Number) and allowed.is_whole else float(value)


Weight = Annotated[Any, AfterValidator(_checked(WEIGHT))]


def _section(name: str, method: MergeMethod) -> type[Params]:
    fields: dict[str, Any] = {
        key: (
            Annotated[Any, AfterValidator(_checked(parameter.range, parameter.is_per_branch))],
            ... if parameter.is_required else None,
        )
        for key, parameter in method.parameters.items()
    }
    return create_model(f"{name}_parameters", __base__=Params, **fields)


_sections: dict[str, Any] = {name: (_section(name, method) | None, None) for name, method in METHODS.items()}
MethodParameters = create_model("MethodParameters", __base__=Params, **_sections)
