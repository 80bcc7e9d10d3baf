"""The usual merge methods on the same branches, on the test questions of builds that differ in their seed alone.

Beside them stand the student and both mixtures, and of each build the candidate of search.yaml that was best on its dev
questions. Builds of a commit stay where they are made, so that a second run goes on; FOLDERS names others that are
built already, and QUESTIONS=0 tells what the merges do to the weights and asks nothing.

Run   make bench NAME=methods            (SEEDS="0 1 2 3 4": twelve minutes a seed, and four for its merges)
"""

import json
import os
import sys
import tempfile
from contextlib import chdir
from itertools import permutations
from pathlib import Path
from typing import Any

from bench.builds import build, meaning_of
from bench.methods_tables import STANDING, Answers, Figures, print_accuracy, print_weights
from bench.result import TINY
from branchmerge.core.files import content_id, read_rows, write_json
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import PARAMS, RunParams, read_params, read_section
from branchmerge.core.records import PROMPT
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.grading.judge import VerifyParams
from branchmerge.merging.composition import accounts, total
from branchmerge.merging.merge import merge
from branchmerge.merging.recipes import BRANCHES, STUDENT
from branchmerge.search.run import search
from branchmerge.search.space import Changes, candidate
from branchmerge.search.trial import Evaluator, Score

SEEDS = os.environ.get("SEEDS", "0 1 2 3 4").split()
PLACE = Path(tempfile.gettempdir()) / "branchmerge-methods"
FOLDERS = [Path(folder).absolute() for folder in os.environ.get("FOLDERS", "").split()]
QUESTIONS = int(os.environ["QUESTIONS"]) if "QUESTIONS" in os.environ else None
SEARCH, RESULT = Path("search.yaml"), Path("reports/methods")
TINY_METHODS = (STANDING, "average")
MIXTURES = ("mixture", "mixture_small")


def main(tiny: bool = TINY) -> None:
    """Build what is missing, examine each build, print the tables.

    Where it is tiny, the build in this folder: few merges, one question of each benchmark.
    """
    n_questions = 1 if tiny else QUESTIONS
    folders = [Path.cwd()] if tiny else FOLDERS or [_build(Path.cwd(), seed) for seed in SEEDS]
    results = []
    for folder in folders:
        with chdir(folder):
            state = content_id(tiny, n_questions, SEARCH.read_text(), PARAMS.read_text(), Path("dvc.lock").read_text())
            result = RESULT / f"{state}.json"
            if not result.is_file():
                write_json(result, _examine(n_questions, TINY_METHODS if tiny else None))
            results.append(json.loads(result.read_text()))
    print_weights([result["figures"] for result in results])
    if n_questions != 0:
        print_accuracy([result["answers"] for result in results])


def _build(project: Path, seed: str) -> Path:
    """A clone with this seed, whose outputs are up to date."""
    folder = PLACE / meaning_of(project) / f"seed-{seed}"
    build(project, folder, {"seed": int(seed)}, {}, f"seed {seed}")
    return folder


def _methods(domains: list[str]) -> dict[str, Changes]:
    """Names of merges, and how each differs from the one of params.yaml; where weights count, all are 1."""
    equal = {f"weights.{domain}": 1 for domain in domains}
    orders = list(permutations(domains))
    return {
        STANDING: {},
        "average": {"method": "linear", **equal},
        "TIES": {"method": "ties", **equal},
        "DARE-TIES": {"method": "dare_ties", **equal},
        "SCE": {"method": "sce"},
        **{f"arcee_fusion {' > '.join(order)}": {"method": "arcee_fusion", "order": list(order)} for order in orders},
        "branch_fusion": {"method": "branch_fusion"},
        "branch_fusion in order": {"method": "branch_fusion", "parameters.branch_fusion.order": "sequential"},
    }


def _examine(n_questions: int | None, names: tuple[str, ...] | None) -> dict[str, Any]:
    """What the models of the build in this folder answer, and what merges do to its weights.

    Args:
        n_questions: Of each benchmark; None for all.
        names: Of the merges; None for all.
    """
    standing = read_section("merge", PARAMS)
    order = list(standing["order"])
    seed, threads, evaluate = read_params(RunParams).seed, read_machine(RunMachine).threads, read_params(EvaluateParams)
    methods = _methods(order)
    found = {name: candidate(standing, methods[name], name) for name in names or methods}
    if n_questions != 0:
        found["best on dev questions"] = search(SEARCH).outcome.best.candidate
    rows = {
        name: read_rows(Path(f"data/benchmarks/{name}.parquet"), PROMPT)[:n_questions] for name in evaluate.benchmarks
    }
    scores: dict[str, Score] = {}
    figures: dict[str, Figures] = {}
    with Evaluator(seed, evaluate, read_params(VerifyParams), rows) as evaluator:
        asked = max(map(len, rows.values()))
        for name, chosen in found.items():
            scores[name] = Score()
            print(f"{Path.cwd().name}: {name}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as scratch:
                merged = Path(scratch)
                merge(chosen.params, seed, threads, merged)
                figures[name] = _figures(merged, order, threads)
                if asked:
                    evaluator.ask(merged, scores[name], asked)
        for name, path in read_section("models").items() if asked else ():
            if name in ("student", *MIXTURES):
                scores[name] = Score()
                evaluator.ask(Path(path), scores[name], asked)
    answers: dict[str, Answers] = {name: score.is_correct for name, score in scores.items()}
    return {"answers": answers, "figures": figures}


def _figures(merged: Path, order: list[str], threads: int) -> Figures:
    found = accounts(STUDENT, [BRANCHES / name for name in order], merged, threads)
    return total(found.values()).figures(order)


if __name__ == "__main__":
    main()
