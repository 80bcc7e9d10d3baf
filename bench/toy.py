"""Does the toy show its effect on any machine? Whole builds with other seeds and arithmetics, one after the other.

A processor's arithmetic is emulated by the settings of torch and MKL that choose their kernels. Each build is a clone
in a folder of its own with a row store of its own; a second run goes on where the first was stopped, and builds
nothing again whose result is kept.

Run   SEEDS="0 1 2" ARITHMETICS="shared own default" make bench NAME=toy          (THREADS=1 for another number)
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.builds import build, commit_of
from bench.result import TINY
from branchmerge.core.files import Row, read_rows, write_json
from branchmerge.core.params import read_value
from branchmerge.core.records import SCORE
from branchmerge.evaluation.tally import Comparison, Tally, compared, tallies

SEEDS = os.environ.get("SEEDS", "0 1 2").split()
# name -> run.arithmetic, and what chooses the kernels beside it
ARITHMETICS: dict[str, tuple[str, dict[str, str]]] = {
    "shared": ("shared", {}),
    "own": ("own", {}),
    "default": ("own", {"ATEN_CPU_CAPABILITY": "default"}),
    "avx2": ("own", {"ATEN_CPU_CAPABILITY": "avx2"}),
    "compatible": ("own", {"MKL_CBWR": "COMPATIBLE"}),
}
CHOSEN = os.environ.get("ARITHMETICS", "shared own default").split()
THREADS = os.environ.get("THREADS", "2")
PLACE = Path(tempfile.gettempdir()) / "branchmerge-toy"
CONFIDENCE = 0.95
BASELINE, MERGED = "student", "merged"


def main(tiny: bool = TINY) -> None:
    """Build what is missing, and print what every build shows.

    Where it is tiny, the build in this folder alone.
    """
    if tiny:
        print_table([("here", _scores(Path.cwd()))])
        return
    results = []
    for arithmetic in CHOSEN:
        for seed in SEEDS:
            name = f"seed {seed}, {arithmetic}, {THREADS} threads"
            results.append((name, _result(Path.cwd(), seed, arithmetic, name)))
            print_table(results)


def _result(project: Path, seed: str, arithmetic: str, name: str) -> dict[str, list[Row]]:
    """The scores of a build, kept beside it."""
    place = PLACE / commit_of(project)
    kept, folder = place / f"{seed}-{arithmetic}-{THREADS}.json", place / f"{seed}-{arithmetic}-{THREADS}"
    if not kept.is_file():
        run, kernels = ARITHMETICS[arithmetic]
        place.mkdir(parents=True, exist_ok=True)
        machine = place / f"{THREADS}.yaml"
        machine.write_text(f"run: {{threads: {THREADS}}}\n")
        own = {"BRANCHMERGE_MACHINE": str(machine), "BRANCHMERGE_CACHE": str(folder / "store")}
        start = time.monotonic()
        build(project, folder, {"seed": int(seed), "arithmetic": run}, kernels | own, name)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        write_json(kept, _scores(folder))
    found: dict[str, list[Row]] = json.loads(kept.read_text())
    return found


def _scores(folder: Path) -> dict[str, list[Row]]:
    """By model, of each answer what the table needs."""
    columns = ("benchmark", "question_id", "sample_index", "is_correct", "answer", "finish_reason")
    models = read_value("models", folder / "params.yaml")
    return {
        model: [
            {column: row[column] for column in columns}
            for row in read_rows(folder / f"reports/eval/{model}.parquet", SCORE)
        ]
        for model in models
    }


def print_table(results: list[tuple[str, dict[str, list[Row]]]]) -> None:
    """Each build's student and gains in points, and over all builds the median and the range of each gain."""
    gains: dict[tuple[str, str], list[Comparison]] = {}
    domains = list(tallies(results[0][1][BASELINE]))
    print(
        f"\n| build | {' | '.join(f'{of} of {name}' for of in ('student', 'branch', 'merged') for name in domains)} |"
    )
    print(f"|---|{'---|' * 3 * len(domains)}")
    for name, scores in results:
        of_models = {model: tallies(rows) for model, rows in scores.items()}
        cells = [f"{100 * _accuracy(of_models[BASELINE][domain]):.1f}" for domain in domains]
        for kind in ("branch", MERGED):
            for domain in domains:
                model = domain if kind == "branch" else MERGED
                gain = compared(of_models[model][domain], of_models[BASELINE][domain], CONFIDENCE)
                gains.setdefault((kind, domain), []).append(gain)
                cells.append(_shown(gain))
        print(f"| {name} | {' | '.join(cells)} |")
    for (kind, domain), of in gains.items():
        means = [100 * one.difference.mean for one in of]
        above = sum(one.difference.low > 0 for one in of)
        print(
            f"{kind} in {domain}: median {statistics.median(means):+.1f}, {min(means):+.1f} to {max(means):+.1f};"
            f" interval above zero in {above} of {len(of)}"
        )
    sys.stdout.flush()


def _accuracy(tally: Tally) -> float:
    means = list(tally.means.values())
    return sum(means) / len(means)


def _shown(gain: Comparison) -> str:
    difference: Any = gain.difference
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


if __name__ == "__main__":
    main()
