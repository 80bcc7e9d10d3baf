"""Two models on the same questions: how far apart they are, whether that is chance, and which answers flipped."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows
from branchmerge.core.records import SCORE
from branchmerge.evaluation.statistics import holm
from branchmerge.evaluation.tally import Comparison, Tally, compared, tallies

EVAL = Path("reports/eval")


@dataclass(frozen=True)
class Compared:
    """One benchmark.

    Args:
        p: Of this comparison, those of all benchmarks taken together (Holm).
    """

    benchmark: str
    first: Tally
    second: Tally
    comparison: Comparison
    p: float


@dataclass(frozen=True)
class Outcome:
    """All benchmarks that both models have.

    Args:
        left_out: Benchmarks without a question of which both have a judged answer.
        unlike: What the answers of either were made with, where that differs; empty where it does not.
    """

    benchmarks: list[Compared]
    left_out: list[str]
    unlike: str

    def is_below(self, points: float) -> bool:
        """Whether the first model's lead is smaller than so many points in a benchmark."""
        return any(100 * of.comparison.difference.mean < points for of in self.benchmarks)


def compare(first: str, second: str, revision: str | None, confidence: float) -> Outcome:
    """Hold a model of this workspace against another, or against one of another git revision or experiment.

    Raises:
        InputError: No scores of a model, there or here; or no question that both were asked.
    """
    one, other = scores_of(first, None), scores_of(second, revision)
    of_first, of_second = tallies(one), tallies(other)
    found = {name: compared(of_first[name], of_second[name], confidence) for name in of_first if name in of_second}
    found = {name: comparison for name, comparison in found.items() if comparison.questions}
    if not found:
        raise InputError(
            where=f"{first} and {second}",
            expected="a benchmark with questions that both were asked",
            got=f"{', '.join(of_first) or 'none'} and {', '.join(of_second) or 'none'}",
            do="evaluate both on the same benchmarks: dvc repro",
        )
    p_values = holm({name: comparison.p for name, comparison in found.items()})
    makers = [" and ".join(sorted({row["made_with"] for row in rows if row["made_with"]})) for rows in (one, other)]
    return Outcome(
        [Compared(name, of_first[name], of_second[name], of, p_values[name]) for name, of in found.items()],
        [name for name in dict.fromkeys((*of_first, *of_second)) if name not in found],
        f"{makers[0]}; {makers[1]}" if makers[0] != makers[1] else "",
    )


def shown(outcome: Outcome, first: str, second: str, confidence: float) -> Any:
    """The outcome as rich's table."""
    from rich.table import Table

    title = f"{first} against {second}, {confidence:.3g} intervals"
    result = Table("benchmark", "A %", "B %", "A - B", "p (Holm)", "questions x samples", title=title)
    for of in outcome.benchmarks:
        difference = of.comparison.difference
        points = f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
        common = of.first.means.keys() & of.second.means.keys()
        means = (sum(tally.means[question] for question in common) / len(common) for tally in (of.first, of.second))
        accuracies = (f"{100 * mean:.1f}" for mean in means)
        asked = f"{of.comparison.questions} x {of.comparison.samples}"
        result.add_row(of.benchmark, *accuracies, points.replace("[", r"\["), f"{of.p:.3g}", asked)
    return result


def scores_of(model: str, revision: str | None) -> list[Row]:
    """A model's scores, of the workspace or of a git revision or experiment, from DVC's cache or remote.

    Raises:
        InputError: There are none.
    """
    file = EVAL / f"{model}.parquet"
    if revision is None:
        return read_rows(file, SCORE)
    import dvc.api
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    try:
        content = dvc.api.read(str(file), rev=revision, mode="rb")
    except (FileNotFoundError, DvcException, SCMError) as error:
        raise InputError(
            where=f"{file} at {revision}",
            expected="the scores of an evaluated model",
            got=f"{type(error).__name__}: {error}",
            do="name a commit, branch or experiment that evaluated it; dvc pull --rev gets what only the remote has",
        ) from None
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / f"{model}.parquet"
        copy.write_bytes(content)
        return read_rows(copy, SCORE)
