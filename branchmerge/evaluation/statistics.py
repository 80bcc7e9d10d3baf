"""Estimates with intervals, over questions: the unit that was drawn at random."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval, as fractions."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def accuracy(question_means: list[float], confidence: float) -> Estimate:
    """Mean accuracy with a Wilson interval; with several samples a question it is on the wide side.

    Source: Wilson 1927; it keeps its coverage near 0 and 1, where mean +- 2 s.e. does not.
    """
    from scipy.stats import norm

    n = len(question_means)
    mean = sum(question_means) / n
    z = float(norm.ppf((1 + confidence) / 2))
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (mean * (1 - mean) / n + z * z / (4 * n * n)) ** 0.5
    return Estimate(mean, centre - half, centre + half)


def mean_of_domains(accuracy_of: Mapping[str, float]) -> float:
    """One figure for a model: the mean over the domains, each of the same weight, whatever its number of questions."""
    return sum(accuracy_of.values()) / len(accuracy_of)


def paired_difference(pairs: list[tuple[float, float]], confidence: float) -> Estimate:
    """Mean of first minus second over the same questions, with Student's t interval."""
    from scipy.stats import t

    differences = [first - second for first, second in pairs]
    n = len(differences)
    mean = sum(differences) / n
    if n < 2:
        return Estimate(mean, -1.0, 1.0)
    variance = sum((difference - mean) ** 2 for difference in differences) / (n - 1)
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * (variance / n) ** 0.5
    return Estimate(mean, mean - half, mean + half)
