"""The branches, merged into one model by mergekit.

The recipe handed to mergekit is generated from params.yaml and kept beside the model. arcee_fusion
takes two models, so more branches are fused one after another, in the order of params.yaml, as the
paper does: the first branch is the base of the second, their fusion the base of the third.

Reads   models/student, models/branches
Writes  models/merged, reports/cost/merge.json
Params  run, merge
Run     python -m stages.merge
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from stages.shared import contract
from stages.shared.command import run
from stages.shared.cost import measured
from stages.shared.errors import InputError
from stages.shared.files import whole_folder
from stages.shared.params import Params, RunParams, read_params

STUDENT = Path("models/student")
BRANCHES = Path("models/branches")
MERGED = Path("models/merged")
RECIPE = "mergekit_config.yml"
_CARRIED_OVER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
    contract.FILE,
)

Method = Literal["linear", "task_arithmetic", "ties", "dare_ties", "arcee_fusion", "sce"]
_UNWEIGHTED: tuple[Method, ...] = ("arcee_fusion", "sce")


class MergeParams(Params):
    """How the branches become one.

    Args:
        order: The branches; only arcee_fusion cares in which order they come.
        weights: Of each branch, for the methods that take weights.
        parameters: mergekit's own parameters for each method, so that a sweep changes one word.
        dtype: Of the arithmetic. out_dtype: of the merged weights.
    """

    method: Method
    order: tuple[str, ...] = Field(min_length=2)
    weights: dict[str, float]
    parameters: dict[Method, dict[str, float | bool]]
    dtype: Literal["float32", "bfloat16"]
    out_dtype: Literal["float32", "bfloat16"]

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if set(self.weights) != set(self.order) or len(set(self.order)) != len(self.order):
            raise ValueError(f"one weight for each branch of order ({', '.join(self.order)})")
        if self.method not in self.parameters:
            raise ValueError(f"parameters of {self.method} ({{}} for mergekit's defaults)")
        return self


def main() -> None:
    """Merge the branches of params.yaml."""
    import logging

    logging.getLogger("mergekit").setLevel(logging.WARNING)
    run_params = read_params(RunParams, "run")
    params = read_params(MergeParams, "merge")
    _check_branches(params)
    _check_contracts(params)
    with measured("merge") as cost, whole_folder(MERGED) as folder:
        merge(params, run_params, folder)
        cost["branches"] = len(params.order)


def merge(params: MergeParams, run_params: RunParams, folder: Path) -> None:
    """Write the merged model, its tokenizer and its recipe into a folder; same inputs, same bytes."""
    from ruamel.yaml import YAML

    steps = recipes(params)
    with tempfile.TemporaryDirectory() as between:
        for index, step in enumerate(steps):
            target = folder if index == len(steps) - 1 else Path(between) / f"fusion{index}"
            _run_mergekit(_located(step, Path(between)), target, run_params)
    for name in _CARRIED_OVER:  # mergekit leaves some of them out, depending on the recipe
        if (STUDENT / name).exists():
            shutil.copyfile(STUDENT / name, folder / name)
    with (folder / RECIPE).open("w") as stream:
        YAML().dump_all(steps, stream)


def recipes(params: MergeParams) -> list[dict[str, Any]]:
    """mergekit's recipes in the order they run; "fusion<i>" stands for the result of the i-th."""
    shared: dict[str, Any] = {"merge_method": params.method, "dtype": params.dtype, "out_dtype": params.out_dtype}
    parameters = params.parameters[params.method]
    if parameters:
        shared["parameters"] = dict(parameters)
    branches = [str(BRANCHES / name) for name in params.order]
    if params.method == "arcee_fusion":
        bases = [branches[0], *(f"fusion{index}" for index in range(len(branches) - 2))]
        return [
            {**shared, "base_model": base, "models": [{"model": base}, {"model": branch}]}
            for base, branch in zip(bases, branches[1:], strict=True)
        ]
    models: list[dict[str, Any]] = [{"model": branch} for branch in branches]
    if params.method not in _UNWEIGHTED:
        for model, name in zip(models, params.order, strict=True):
            model["parameters"] = {"weight": params.weights[name]}
    if params.method == "linear":
        return [{**shared, "models": models}]
    return [{**shared, "base_model": str(STUDENT), "models": models}]


def _located(step: dict[str, Any], between: Path) -> dict[str, Any]:
    """A recipe whose intermediate fusions are paths."""

    def path(model: str) -> str:
        return str(between / model) if model.startswith("fusion") else str(Path(model).resolve())

    located = {**step, "models": [{**model, "model": path(model["model"])} for model in step["models"]]}
    if "base_model" in step:
        located["base_model"] = path(step["base_model"])
    return located


def _run_mergekit(recipe: dict[str, Any], target: Path, run_params: RunParams) -> None:
    import torch
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    torch.set_num_threads(run_params.threads)
    run_merge(
        MergeConfiguration.model_validate(recipe),
        str(target),
        # seeded: dare_ties drops at random, arcee_fusion samples its quantiles
        MergeOptions(random_seed=run_params.seed, lazy_unpickle=True, write_model_card=False, quiet=True),
    )


def _check_branches(params: MergeParams) -> None:
    missing = [name for name in params.order if not (BRANCHES / name / "config.json").is_file()]
    if missing:
        raise InputError(
            where="merge.order",
            expected=f"branches among {', '.join(sorted(path.name for path in BRANCHES.glob('*')))}",
            got=", ".join(missing),
            do="name domains of params.yaml, and run dvc repro for their branches",
        )


def _check_contracts(params: MergeParams) -> None:
    """Refuse branches that render a conversation in another way than the student, whose tokenizer they share."""
    expected = contract.check_contract(STUDENT)
    for name in params.order:
        got = contract.check_contract(BRANCHES / name)
        contract.refuse_other(f"branch {name}", expected, got, "train all branches from the same student")


if __name__ == "__main__":
    run(main)
