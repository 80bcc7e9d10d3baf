"""Successive halving: all candidates on few questions, the best of them on more.

Source: Jamieson and Talwalkar 2016. The merge of params.yaml stays in to the end, so that the last rung compares
it with the best on the same questions.
"""

from collections.abc import Callable
from dataclasses import dataclass

from branchmerge.evaluation.statistics import Estimate, paired_difference
from branchmerge.search.space import SearchParams
from branchmerge.search.trial import Trial

Examine = Callable[[Trial, int], None]


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Args:
        trials: All of them, the best of the last rung first.
        best: The first of them.
        standing: The merge of params.yaml.
        gain: Of the best over the merge of params.yaml, on the same questions.
    """

    trials: list[Trial]
    best: Trial
    standing: Trial
    gain: Estimate

    @property
    def is_better(self) -> bool:
        """Whether the best is above params.yaml by more than chance."""
        return self.gain.low > 0

    @property
    def naive_tokens(self) -> float:
        """What asking every candidate every question would take, from the tokens of the answers it gave."""
        n_all = max(trial.n_questions for trial in self.trials)
        return sum(trial.completion_tokens / trial.n_questions * n_all for trial in self.trials)


def halve(trials: list[Trial], search: SearchParams, examine: Examine) -> Outcome:
    """Examine trials rung by rung; the first is the merge of params.yaml."""
    standing, *others = trials
    for rung, n_questions in enumerate(search.questions):
        if rung:
            others = ranked(others)[: max(1, round(search.keep_ratio * len(others)))]
        for trial in (standing, *others):
            examine(trial, n_questions)
    best, *_ = finalists = ranked([standing, *others])
    dropped = ranked([trial for trial in trials if trial not in finalists])
    return Outcome([*finalists, *dropped], best, standing, gain_over(best, standing, search.confidence))


def ranked(trials: list[Trial]) -> list[Trial]:
    """Those of more questions first, then by accuracy; of equals, the one that was there first."""
    return sorted(trials, key=lambda trial: (-trial.n_questions, -trial.mean_accuracy))


def gain_over(trial: Trial, standing: Trial, confidence: float) -> Estimate:
    """Mean difference in accuracy on the questions that both answered; each domain has as many."""
    pairs = [
        (float(is_correct), float(standing.is_correct[domain][question]))
        for domain, seen in trial.is_correct.items()
        for question, is_correct in seen.items()
    ]
    return paired_difference(pairs, confidence)
