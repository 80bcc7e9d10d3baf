"""The branches, merged into one model: by mergekit, or by our stable branch fusion.

The recipe is generated from params.yaml in mergekit's own form and kept beside the model. Methods that take two
models take more branches one after another, in the order of params.yaml: the first branch is the base of the second,
their merge the base of the third. Models that do not fit together are refused before anything is written; a merged
model that does not pass the smoke gate fails the stage, and stays with its report to be looked at.

Reads   models/student, models/branches, data/sft
Writes  models/merged, reports/merge, reports/cost/merge.json
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
from stages.shared.files import content_id, whole_folder
from stages.shared.merging.gate import check_compatible
from stages.shared.merging.methods import METHODS, MethodParameters, Weight, is_by_branch
from stages.shared.merging.smoke import SmokeParams, check_smoke
from stages.shared.params import Params, RunParams, read_params

STUDENT = Path("models/student")
BRANCHES = Path("models/branches")
MERGED = Path("models/merged")
REPORT = Path("reports/merge")
DATASETS = Path("data/sft")
RECIPE = "mergekit_config.yml"
OURS = "branch_fusion"
_BETWEEN = "merge"  # and a number: the result of that recipe
_CARRIED_OVER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
    contract.FILE,
)


class MergeParams(Params):
    """How the branches become one.

    Args:
        method: branch_fusion, or any of mergekit's; stages/shared/merging/methods.py lists them.
        order: The branches; their order matters to the methods that take two models, and to branch_fusion with
            order sequential.
        weights: Of each branch, for the methods that take weights.
        parameters: Those of each method, so that a sweep changes one word. Numbers may vary over layers and tensors
            in mergekit's forms: [0.2, 0.8], or [{filter: mlp, value: 0.8}, {value: 0.5}].
        dtype: Of the arithmetic. out_dtype: of the merged weights.
        smoke: What the merged model must do before it counts as one; null for no gate.
    """

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


def main() -> None:
    """Merge the branches of params.yaml."""
    import logging

    logging.getLogger("mergekit").setLevel(logging.WARNING)
    run_params = read_params(RunParams, "run")
    params = read_params(MergeParams, "merge")
    _check_branches(params)
    _check_contracts(params)
    check_compatible(STUDENT, {name: BRANCHES / name for name in params.order})
    with measured("merge") as cost:
        cost["branches"] = len(params.order)
        with whole_folder(MERGED) as folder:
            merge(params, run_params, folder)
        _write_report(params, run_params)
        if params.smoke:
            parents = {"student": STUDENT, **{name: BRANCHES / name for name in params.order}}
            datasets = {name: DATASETS / f"{name}.parquet" for name in params.order}
            check_smoke(MERGED, parents, datasets, params.smoke, run_params, REPORT / "smoke.json")


def _write_report(params: MergeParams, run_params: RunParams) -> None:
    from stages.shared.merging.merge_report import write_merge_report

    with whole_folder(REPORT) as folder:
        write_merge_report(
            folder,
            method=params.method,
            student=STUDENT,
            branches={name: BRANCHES / name for name in params.order},
            merged=MERGED,
            threads=run_params.threads,
        )


def merge(params: MergeParams, run_params: RunParams, folder: Path, known: Path | None = None) -> None:
    """Write the merged model, its tokenizer and its recipe into a folder; same inputs, same bytes.

    Args:
        known: Folder that keeps what is merged on the way, for merges that begin alike; None to keep nothing.
    """
    from ruamel.yaml import YAML

    steps = recipes(params)
    with tempfile.TemporaryDirectory() as scratch:
        between = known or Path(scratch)
        made: list[Path] = []
        for step in steps[:-1]:
            located = _located(step, made)
            made.append(between / content_id(located, run_params.seed))
            if not made[-1].exists():
                with whole_folder(made[-1]) as partial:
                    _run(located, partial, params, run_params)
        _run(_located(steps[-1], made), folder, params, run_params)
    for name in _CARRIED_OVER:  # mergekit leaves some of them out, depending on the recipe
        if (STUDENT / name).exists():
            shutil.copyfile(STUDENT / name, folder / name)
    with (folder / RECIPE).open("w") as stream:
        YAML().dump_all(steps, stream)


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


def _run(recipe: dict[str, Any], target: Path, params: MergeParams, run_params: RunParams) -> None:
    if params.method != OURS or params.is_parity or not _streamed(recipe, target, run_params):
        _run_mergekit(recipe, target, run_params)


def _located(step: dict[str, Any], made: list[Path]) -> dict[str, Any]:
    """A recipe whose models are paths; those made by the recipes before it are given in their order."""

    def path(model: str) -> str:
        if model.startswith(_BETWEEN):
            return str(made[int(model.removeprefix(_BETWEEN))])
        return str(Path(model).resolve())

    located = {**step, "models": [{**model, "model": path(model["model"])} for model in step["models"]]}
    if "base_model" in step:
        located["base_model"] = path(step["base_model"])
    return located


def _streamed(recipe: dict[str, Any], target: Path, run_params: RunParams) -> bool:
    from stages.shared.merging.method import register
    from stages.shared.merging.streaming import stream_merge

    register()
    return stream_merge(recipe, target, run_params.threads)


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
