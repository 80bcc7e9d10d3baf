"""What the scores of a model say, question by question: the rows that statistics are made from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from branchmerge.core.files import Row
from branchmerge.evaluation.statistics import Estimate, Pair, Spread, accuracy, p_value, paired_difference, spread


@dataclass(frozen=True)
class Tally:
    """One model on one benchmark.

    Args:
        verdicts: By question: what each answer says, and whether it is correct. Answers that no grader could judge
            are left out, and questions of which none was judged.
        samples: Answers asked for, to each question.
        skipped: Questions that did not fit the model.
        unverifiable: Answers that no grader could judge.
    """

    verdicts: dict[str, list[tuple[str, bool]]]
    samples: int
    skipped: int
    unverifiable: int

    @property
    def means(self) -> dict[str, float]:
        """Share of correct answers, by question."""
        return {question: correct / of for question, (correct, of) in self.counts.items()}

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Correct answers and judged ones, by question."""
        return {question: (sum(ok for _, ok in of), len(of)) for question, of in self.verdicts.items()}

    def among(self, questions: Collection[str]) -> "Tally":
        """The verdicts on some of the questions; what was skipped or not judged is of all of them."""
        return replace(self, verdicts={name: of for name, of in self.verdicts.items() if name in questions})

    def accuracy(self, confidence: float) -> Estimate | None:
        """Mean over the questions; None where none was judged."""
        means = list(self.means.values())
        return accuracy(means, confidence) if means else None


def tallies(rows: Sequence[Row]) -> dict[str, Tally]:
    """A model's scores by benchmark."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["benchmark"], []).append(row)
    return {benchmark: _tally(of) for benchmark, of in grouped.items()}


def _tally(rows: Sequence[Row]) -> Tally:
    verdicts: dict[str, list[tuple[str, bool]]] = {}
    asked = [row for row in rows if row["finish_reason"] != "skipped"]
    for row in asked:
        if row["is_correct"] is not None:
            said = " ".join((row["answer"] or "").split())
            verdicts.setdefault(row["question_id"], []).append((said, row["is_correct"]))
    return Tally(
        verdicts=verdicts,
        samples=1 + max((row["sample_index"] for row in asked), default=0),
        skipped=len(rows) - len(asked),
        unverifiable=sum(row["is_correct"] is None for row in asked),
    )


@dataclass(frozen=True)
class Comparison:
    """Two models on the questions of a benchmark of which both have a judged answer.

    Args:
        difference: Of the first over the second.
        p: Of a difference at least this large between models that are alike; of this comparison alone.
        gained, lost: Questions of which the first has more, has fewer answers right than the second.
        spread: Of the difference, for planning.
    """

    difference: Estimate
    p: float
    questions: int
    samples: int
    gained: list[str]
    lost: list[str]
    spread: Spread


def compared(first: Tally, second: Tally, confidence: float) -> Comparison:
    """Two models held against each other, question by question."""
    common = sorted(first.means.keys() & second.means.keys())
    pairs: list[Pair] = [(first.means[question], second.means[question]) for question in common]
    samples = min(first.samples, second.samples)
    if not pairs:
        return Comparison(Estimate(0.0, -1.0, 1.0), 1.0, 0, samples, [], [], Spread(0.0, 2.0))
    finest = max(first.samples, second.samples)  # in whose steps a difference may fall
    return Comparison(
        difference=paired_difference(pairs, confidence, finest),
        p=p_value(pairs, finest),
        questions=len(common),
        samples=samples,
        gained=[question for question, (one, other) in zip(common, pairs, strict=True) if one > other],
        lost=[question for question, (one, other) in zip(common, pairs, strict=True) if one < other],
        spread=spread([(first.counts[question], second.counts[question]) for question in common]),
    )
