"""The branches, merged into one model: by mergekit, or by our stable branch fusion.

The recipe is generated from params.yaml in mergekit's own form and kept beside the model. Models that do not fit
together are refused before anything is written; a merged model that does not pass the smoke gate fails the stage, and
stays with its report to be looked at.

Reads   models/student, models/branches, data/sft
Writes  models/merged, reports/merge, reports/cost/merge.json
Params  run, merge
Run     python -m stages.merge
"""

import logging
from pathlib import Path

from branchmerge.chat import contract
from branchmerge.core.arithmetic import read_run
from branchmerge.core.command import run
from branchmerge.core.cost import measured
from branchmerge.core.errors import InputError
from branchmerge.core.files import whole_folder
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import read_params
from branchmerge.merging.compatibility import check_compatible
from branchmerge.merging.merge import merge
from branchmerge.merging.params import MergeParams
from branchmerge.merging.recipes import BRANCHES, STUDENT
from branchmerge.merging.report import write_merge_report
from branchmerge.merging.smoke import check_smoke

MERGED = Path("models/merged")
REPORT = Path("reports/merge")
DATASETS = Path("data/sft")


def main() -> None:
    """Merge the branches of params.yaml."""
    logging.getLogger("mergekit").setLevel(logging.WARNING)
    seed, threads = read_run().seed, read_machine(RunMachine).threads
    params = read_params(MergeParams)
    branches = {name: BRANCHES / name for name in params.order}
    _check_branches(branches)
    _check_contracts(branches)
    check_compatible(STUDENT, branches)
    with measured("merge") as cost:
        cost["branches"] = len(branches)
        with whole_folder(MERGED) as folder:
            merge(params, seed, threads, folder)
        with whole_folder(REPORT) as folder:
            write_merge_report(
                folder,
                method=params.method,
                student=STUDENT,
                branches=branches,
                merged=MERGED,
                threads=threads,
            )
        if params.smoke:
            datasets = {name: DATASETS / f"{name}.parquet" for name in branches}
            parents = {"student": STUDENT, **branches}
            check_smoke(MERGED, parents, datasets, params.smoke, threads, REPORT / "smoke.json")


def _check_branches(branches: dict[str, Path]) -> None:
    missing = [name for name, folder in branches.items() if not (folder / "config.json").is_file()]
    if missing:
        raise InputError(
            where="merge.order",
            expected=f"branches among {', '.join(sorted(path.name for path in BRANCHES.glob('*')))}",
            got=", ".join(missing),
            do="name domains of params.yaml, and run dvc repro for their branches",
        )


def _check_contracts(branches: dict[str, Path]) -> None:
    """Refuse branches that render a conversation in another way than the student, whose tokenizer they share."""
    expected = contract.check_contract(STUDENT)
    for name, folder in branches.items():
        got = contract.check_contract(folder)
        contract.refuse_other(f"branch {name}", expected, got, "train all branches from the same student")


if __name__ == "__main__":
    run(main)
