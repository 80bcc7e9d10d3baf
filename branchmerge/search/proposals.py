"""Candidates that Optuna proposes: the first ten at random, each later one from how the proposals before it did."""

from collections.abc import Callable, Iterator
from typing import Any

from branchmerge.core.params import PARAMS, read_section
from branchmerge.search.space import Candidate, ProposalParams, candidate
from branchmerge.search.trial import Trial

_DIGITS = 3  # significant ones of a proposed number, which a person will read in params.yaml


class Proposals:
    """Candidates whose numbers Optuna's TPE chooses.

    Args:
        seed: The same seed and answers give the same proposals.
        where: Place of the params, for errors.

    Raises:
        InputError: A range lies in no path of the section merge, or leads to a merge that cannot be.
    """

    def __init__(self, params: ProposalParams, seed: int, where: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._params, self._where = params, where
        self._standing = read_section("merge", PARAMS)
        for end in (0, 1):
            self._candidate({path: bounds[end] for path, bounds in params.ranges.items()})
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._ranges: dict[str, optuna.distributions.BaseDistribution] = {
            path: optuna.distributions.FloatDistribution(*ends) for path, ends in params.ranges.items()
        }

    def trials(self, examine: Callable[[Trial], None]) -> Iterator[Trial]:
        """One after another, each proposed, examined, and told to Optuna by its mean accuracy; repeats are left out."""
        known: list[Trial] = []
        for _ in range(self._params.count):
            asked = self._study.ask(self._ranges)
            trial = Trial(self._candidate({path: self._legible(path, asked.params[path]) for path in self._ranges}))
            same = [other for other in known if other.candidate.params == trial.candidate.params]
            if not same:
                examine(trial)
                known.append(trial)
                yield trial
            self._study.tell(asked, (same or [trial])[0].mean_accuracy)

    def _legible(self, path: str, number: float) -> float:
        """Rounded, but not out of its range."""
        low, high = self._params.ranges[path]
        return min(max(float(f"{number:.{_DIGITS}g}"), low), high)

    def _candidate(self, numbers: dict[str, Any]) -> Candidate:
        return candidate(self._standing, {**self._params.changes, **numbers}, self._where)
