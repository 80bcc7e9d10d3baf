"""Does the toy show its effect on any machine? Builds with other seeds and arithmetics, one after the other.

A processor's arithmetic is emulated by the settings of torch and MKL that choose their kernels. Each build is a clone
in a folder of its own with a row store of its own, without the mixtures; a second run goes on where the first was
stopped, and builds nothing again whose result is kept. Two runs side by side, with other seeds, share what is kept.

Run   SEEDS="0 1 2" ARITHMETICS="own avx2 default" make bench NAME=toy          (THREADS=2 for two threads)
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.builds import build, meaning_of
from bench.result import TINY
from branchmerge.core.files import Row, read_rows, write_json
from branchmerge.core.params import PARAMS, read_value
from branchmerge.core.records import SCORE
from branchmerge.evaluation.statistics import Estimate
from branchmerge.evaluation.tally import compared, tallies

SEEDS = os.environ.get("SEEDS", "0 1 2").split()
# name -> run.arithmetic, and what chooses the kernels beside it
ARITHMETICS: dict[str, tuple[str, dict[str, str]]] = {
    "shared": ("shared", {}),
    "own": ("own", {}),
    "default": ("own", {"ATEN_CPU_CAPABILITY": "default"}),
    "avx2": ("own", {"ATEN_CPU_CAPABILITY": "avx2"}),
    "compatible": ("own", {"MKL_CBWR": "COMPATIBLE"}),
}
CHOSEN = os.environ.get("ARITHMETICS", "own avx2 default").split()
THREADS = os.environ.get("THREADS", "1")
PLACE = Path(tempfile.gettempdir()) / "branchmerge-toy"
CONFIDENCE = 0.95
TEACHER, BASELINE, MERGED = "teacher", "student", "merged"


def main(tiny: bool = TINY) -> None:
    """Build what is missing, and print what every build shows.

    Where it is tiny, the build in this folder alone.
    """
    if tiny:
        print_table([("here", scores_of(Path.cwd(), models_of(Path.cwd())))], domains_of(Path.cwd()))
        return
    results = []
    for arithmetic in CHOSEN:
        for seed in SEEDS:
            name = f"seed {seed}, {arithmetic}, {THREADS} threads"
            results.append((name, _result(Path.cwd(), seed, arithmetic, name)))
            print_table(results, domains_of(Path.cwd()))


def _result(project: Path, seed: str, arithmetic: str, name: str) -> dict[str, list[Row]]:
    """The scores of a build, kept beside it."""
    place = PLACE / meaning_of(project)
    kept, folder = place / f"{seed}-{arithmetic}-{THREADS}.json", place / f"{seed}-{arithmetic}-{THREADS}"
    if not kept.is_file():
        run, kernels = ARITHMETICS[arithmetic]
        place.mkdir(parents=True, exist_ok=True)
        machine = place / f"{THREADS}.yaml"
        machine.write_text(f"run: {{threads: {THREADS}}}\n")
        own = {"BRANCHMERGE_MACHINE": str(machine), "BRANCHMERGE_CACHE": str(folder / "store")}
        start = time.monotonic()
        models = models_of(project)
        stages = [f"evaluate@{model}" for model in models]
        build(project, folder, {"seed": int(seed), "arithmetic": run}, kernels | own, name, stages)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        write_json(kept, scores_of(folder, models))
    found: dict[str, list[Row]] = json.loads(kept.read_text())
    return found


def models_of(project: Path) -> list[str]:
    """What the effect is seen in: the mixtures take a third of a build and are no part of it."""
    return [TEACHER, BASELINE, *domains_of(project), MERGED]


def domains_of(project: Path) -> list[str]:
    """In the order of params.yaml."""
    return list(read_value("domains", project / PARAMS))


def scores_of(folder: Path, models: list[str]) -> dict[str, list[Row]]:
    """By model, of each answer what the table needs."""
    columns = ("benchmark", "question_id", "sample_index", "is_correct", "answer", "finish_reason")
    return {
        model: [
            {column: row[column] for column in columns}
            for row in read_rows(folder / f"reports/eval/{model}.parquet", SCORE)
        ]
        for model in models
    }


def print_table(results: list[tuple[str, dict[str, list[Row]]]], domains: list[str]) -> None:
    """Each build's accuracies and gains over the student, then their medians and ranges over all builds."""
    rows = [(name, *figures(scores, domains)) for name, scores in results]
    columns = [f"{of} in {domain}" for of in (TEACHER, BASELINE, "branch", MERGED) for domain in domains]
    print(f"\n| build | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, accuracies, gains in rows:
        cells = [f"{accuracy:.1f}" for accuracy in accuracies]
        cells += [f"{100 * gain.mean:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]" for gain in gains]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n| median and range of {len(rows)} | {' | '.join(domains)} |\n|---|{'---|' * len(domains)}")
    of_models = zip(*(accuracies for _, accuracies, _ in rows), strict=True)
    over_student = list(zip(*(gains for _, _, gains in rows), strict=True))
    _print_rows((TEACHER, BASELINE), [_range(values, "") for values in of_models])
    _print_rows(
        (f"branch over {BASELINE}", f"{MERGED} over {BASELINE}"),
        [_range([100 * gain.mean for gain in gains], "+") + _above(gains) for gains in over_student],
    )
    sys.stdout.flush()


def figures(scores: dict[str, list[Row]], domains: list[str]) -> tuple[list[float], list[Estimate]]:
    """Accuracies of teacher and student in %, then gains over the student of the branches and of the merged model."""
    of = {model: tallies(rows) for model, rows in scores.items()}
    accuracies = [
        100 * statistics.mean(of[model][domain].means.values()) for model in (TEACHER, BASELINE) for domain in domains
    ]
    pairs = [(domain, domain) for domain in domains] + [(MERGED, domain) for domain in domains]
    gains = [compared(of[model][domain], of[BASELINE][domain], CONFIDENCE).difference for model, domain in pairs]
    return accuracies, gains


def _print_rows(names: Sequence[str], cells: list[str]) -> None:
    width = len(cells) // len(names)
    for i, name in enumerate(names):
        print(f"| {name} | {' | '.join(cells[i * width : (i + 1) * width])} |")


def _range(values: Sequence[float], sign: str) -> str:
    return f"{statistics.median(values):{sign}.1f} ({min(values):{sign}.1f} to {max(values):{sign}.1f})"


def _above(gains: Sequence[Estimate]) -> str:
    return f", interval above zero in {sum(gain.low > 0 for gain in gains)}"


if __name__ == "__main__":
    main()
