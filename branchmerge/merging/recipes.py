"""The merge of params.yaml as mergekit's recipes.

Methods that take two models take more branches one after another, in the order of params.yaml: the first branch is
the base of the second, their merge the base of the third.
"""

from pathlib import Path
from typing import Any

from branchmerge.merging.methods import METHODS, is_by_branch
from branchmerge.merging.params import MergeParams

STUDENT = Path("models/student")
BRANCHES = Path("models/branches")
_BETWEEN = "merge"  # and a number: the result of that recipe


def recipes(params: MergeParams) -> list[dict[str, Any]]:
    """mergekit's recipes in the order they run; "merge<i>" stands for the result of the i-th."""
    method = METHODS[params.method]
    own = params.own_parameters
    shared: dict[str, Any] = {"merge_method": params.method, "dtype": params.dtype, "out_dtype": params.out_dtype}
    common = {name: value for name, value in own.items() if not is_by_branch(value)}
    if common:
        shared["parameters"] = common
    branches = [str(BRANCHES / name) for name in params.order]
    if method.inputs == "chain":
        bases = [branches[0], *(f"{_BETWEEN}{index}" for index in range(len(branches) - 2))]
        return [
            {**shared, "base_model": base, "models": [{"model": base}, {"model": branch}]}
            for base, branch in zip(bases, branches[1:], strict=True)
        ]
    models: list[dict[str, Any]] = [{"model": branch} for branch in branches]
    for model, name in zip(models, params.order, strict=True):
        mine = {key: value[name] for key, value in own.items() if is_by_branch(value)}
        if method.takes_weights:
            mine["weight"] = params.weights[name]
        if mine:
            model["parameters"] = mine
    base = {"base_model": str(STUDENT)} if method.inputs == "student" else {}
    return [{**shared, **base, "models": models}]


def located(step: dict[str, Any], made: list[Path]) -> dict[str, Any]:
    """A recipe whose models are paths; those made by the recipes before it are given in their order."""

    def path(model: str) -> str:
        if model.startswith(_BETWEEN):
            return str(made[int(model.removeprefix(_BETWEEN))])
        return str(Path(model).resolve())

    found = {**step, "models": [{**model, "model": path(model["model"])} for model in step["models"]]}
    if "base_model" in step:
        found["base_model"] = path(step["base_model"])
    return found
