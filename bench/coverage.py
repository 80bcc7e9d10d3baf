"""How often the report's intervals hold the true value, in simulated evaluations: `make bench NAME=coverage`.

Each cell draws questions whose difficulty varies (logit-normal), two models that find the same questions hard, and k
samples of each; true is what all questions of the kind would give. Beside each interval of
branchmerge/evaluation/statistics.py stands the plainer one that was not taken: Wilson's with n questions whatever k,
Student's t of the paired differences alone.
"""

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from branchmerge.evaluation.statistics import Estimate, accuracy, paired_difference

CONFIDENCE = 0.95
QUESTIONS, SAMPLES = (30, 90, 300), (1, 4, 16)


class Scenario(NamedTuple):
    """Questions, and two models that answer them.

    Args:
        mean, spread: Of a question's log-odds for the first model.
        gain, noise: Mean and deviation of what the second one adds to them.
    """

    mean: float
    spread: float
    gain: float
    noise: float


SCENARIOS = {
    "even": Scenario(0, 1.5, 0.3, 0.7),
    "hard": Scenario(-3, 1.5, 0.5, 0.7),
    "easy": Scenario(3.5, 1.5, -0.3, 0.7),
    "either known or not": Scenario(0, 5, 0.4, 1.5),
    "no difference": Scenario(0, 1.5, 0, 0),
    "nearly none right": Scenario(-5, 1.5, 0.5, 0.5),
}
COLUMNS = ("accuracy", "accuracy, Wilson of n", "difference", "difference, t")


def probabilities(scenario: Scenario, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, Any]:
    """Of a correct answer, for each question and either model: both of the shape asked for."""
    first = rng.normal(scenario.mean, scenario.spread, shape)
    second = first + rng.normal(scenario.gain, scenario.noise, shape)
    return 1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second))


def holds(estimate: Estimate, true: float) -> bool:
    return estimate.low <= true <= estimate.high


def student(differences: Any) -> Estimate:
    from scipy.stats import t

    n, mean = len(differences), float(differences.mean())
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * float(differences.std(ddof=1)) / sqrt(n)
    return Estimate(mean, mean - half, mean + half)


def coverage(scenario: Scenario, n: int, k: int, evaluations: int, seed: int) -> list[float]:
    """Share of evaluations in which each interval of COLUMNS holds the true value."""
    rng = np.random.default_rng(seed)
    all_first, all_second = probabilities(scenario, (1_000_000,), rng)
    true, true_gain = float(all_first.mean()), float(all_second.mean() - all_first.mean())
    held = np.zeros(len(COLUMNS))
    for _ in range(evaluations):
        first, second = (rng.binomial(k, one) / k for one in probabilities(scenario, (n,), rng))
        pairs = list(zip(second.tolist(), first.tolist(), strict=True))
        held += (
            holds(accuracy(first.tolist(), CONFIDENCE), true),
            holds(_wilson(first), true),
            holds(paired_difference(pairs, CONFIDENCE, k), true_gain),
            holds(student(second - first), true_gain),
        )
    return [float(share) for share in held / evaluations]


def _wilson(means: Any) -> Estimate:
    """With n questions, of the whole number of correct ones that is nearest: SciPy takes no other."""
    from scipy.stats import binomtest

    n = len(means)
    interval = binomtest(round(float(means.sum())), n).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(float(means.mean()), float(interval.low), float(interval.high))


def main(tiny: bool = False) -> None:
    """Print the table, and the mean and the extremes of each column."""
    evaluations = 20 if tiny else 1000
    cells = []
    print(f"| questions are | n | k | {' | '.join(COLUMNS)} |\n|---|---|---|{'---|' * len(COLUMNS)}")
    for seed, (name, scenario) in enumerate(SCENARIOS.items()):
        for n in QUESTIONS[:1] if tiny else QUESTIONS:
            for k in SAMPLES:
                cells.append(coverage(scenario, n, k, evaluations, seed))
                print(f"| {name} | {n} | {k} | {' | '.join(f'{100 * share:.1f}' for share in cells[-1])} |", flush=True)
    for summary, of in (("mean", np.mean), ("least", np.min), ("most", np.max)):
        print(f"| **{summary}** | | | {' | '.join(f'{100 * share:.1f}' for share in of(cells, axis=0))} |")


if __name__ == "__main__":
    main()
