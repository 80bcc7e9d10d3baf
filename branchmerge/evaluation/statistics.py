"""Estimates with intervals, over questions: the unit that was drawn at random.

Which interval was taken where, and how often each holds the true value: `make bench NAME=coverage`, DECISIONS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb, sqrt

_RARE = 3  # events up to which Wilson's interval begins too late

Pair = tuple[float, float]  # two models' means of one question


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval, as fractions."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def accuracy(question_means: Sequence[float], confidence: float) -> Estimate:
    """Mean accuracy with a Wilson interval: how it would fall out on other questions of the same kind.

    With several samples a question the means vary less than single answers do; then n is the number of single
    answers that would vary as much, as for clustered surveys.

    Args:
        question_means: Share of correct answers of each question, n of them.

    Sources: Wilson 1927, which keeps its coverage near 0 and 1 where mean +- 2 s.e. does not; Brown, Cai and DasGupta
    2001 for one to three answers from the end, where it does not either; Korn and Graubard 1998 for the number and its
    degrees of freedom.
    """
    n = len(question_means)
    mean = sum(question_means) / n
    return _wilson(mean, max(n, _effective(question_means, mean, confidence)), confidence)


def _effective(question_means: Sequence[float], mean: float, confidence: float) -> float:
    from scipy.stats import norm, t

    n = len(question_means)
    varied = sum((one - mean) ** 2 for one in question_means) / (n - 1) if n > 1 else 0.0
    if varied == 0 or all(one in (0, 1) for one in question_means):
        return n
    level = (1 + confidence) / 2
    return float(mean * (1 - mean) / varied * (norm.ppf(level) / t.ppf(level, n - 1)) ** 2 * (n - 1))


def _wilson(mean: float, n: float, confidence: float) -> Estimate:
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(max(mean * (1 - mean), 0) / n + z * z / (4 * n * n))
    low = min(centre - half, _rare(mean * n, confidence) / n)
    high = max(centre + half, 1 - _rare((1 - mean) * n, confidence) / n)
    return Estimate(mean, max(low, 0.0), min(high, 1.0))


def _rare(count: float, confidence: float) -> float:
    """The fewest events to be expected of which so few were seen: Poisson's bound for up to three of them."""
    from scipy.stats import gamma

    count = round(count, 9)  # (1 - 7/10) * 10 is more than 3
    if count <= 0 or count > _RARE:
        return count
    return float(gamma.ppf(1 - confidence, count))


def accuracy_of_new_samples(counts: Sequence[tuple[int, int]], confidence: float) -> Estimate | None:
    """Mean accuracy with the interval for new samples of these very questions; None where one was sampled once.

    Args:
        counts: Of each question: correct answers, answers.
    """
    from scipy.stats import norm

    if not counts or any(answers < 2 for _, answers in counts):
        return None
    shares = [(correct / answers, answers) for correct, answers in counts]
    mean = sum(share for share, _ in shares) / len(shares)
    variance = sum(share * (1 - share) / (answers - 1) for share, answers in shares) / len(shares) ** 2
    half = float(norm.ppf((1 + confidence) / 2)) * sqrt(variance)
    return Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def mean_of_domains(accuracy_of: Mapping[str, float]) -> float:
    """One figure for a model: the mean over the domains, each of the same weight, whatever its number of questions."""
    return sum(accuracy_of.values()) / len(accuracy_of)


def pass_at_k(correct: int, answers: int, k: int) -> float:
    """Probability that one of k answers, drawn from all of a question, is correct.

    Source: Chen et al. 2021 (arXiv 2107.03374), the unbiased estimator.
    """
    return 1 - comb(answers - correct, k) / comb(answers, k)


def majority_at_k(verdicts: Sequence[tuple[str, bool]]) -> float:
    """Probability that the most frequent answer to a question is correct; several most frequent ones are drawn from.

    Args:
        verdicts: Of each answer: what it says, and whether it is correct. Correct ones count as one answer however
            they are written.
    """
    votes: dict[str | None, int] = {}
    for answer, is_correct in verdicts:
        said = None if is_correct else answer
        votes[said] = votes.get(said, 0) + 1
    winners = [said for said, count in votes.items() if count == max(votes.values())]
    return (None in winners) / len(winners)


def resampled(question_values: Sequence[float], confidence: float) -> Estimate:
    """The mean of a figure over questions, with an interval by resampling them (BCa, Efron 1987).

    Where all values are equal, resampling knows no width: then Wilson's, as if each were one answer.
    """
    import numpy as np
    from scipy.stats import bootstrap

    values = np.asarray(question_values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return _wilson(mean, len(values), confidence)
    found = bootstrap((values,), np.mean, confidence_level=confidence, n_resamples=2000, rng=np.random.default_rng(0))
    return Estimate(mean, float(found.confidence_interval.low), float(found.confidence_interval.high))


def paired_difference(pairs: Sequence[Pair], confidence: float, n_samples: int = 1) -> Estimate:
    """Mean of first minus second over the same questions, with its interval; never wider than from -1 to 1.

    For one answer a question Tango's score interval (1998). For more, Student's t over the questions and two more
    besides, whose differences are plus and minus the smallest that there can be (as Bonett and Price 2012 add them to
    counts): so equal differences do not pass for certainty.

    Args:
        pairs: Of each question, each model's share of correct answers.
        n_samples: Answers to each question.
    """
    mean = sum(first - second for first, second in pairs) / len(pairs)
    if n_samples == 1:
        low, high = _tango(*_ahead_behind(pairs), len(pairs), confidence)
    else:
        from scipy.stats import t

        added, error = _augmented(pairs, n_samples)
        half = float(t.ppf((1 + confidence) / 2, len(pairs) + 1)) * error
        low, high = added - half, added + half
    return Estimate(mean, max(low, -1.0), min(high, 1.0))


def p_value(pairs: Sequence[Pair], n_samples: int = 1) -> float:
    """Probability of a difference at least this large between two models that are alike.

    Exact McNemar for one answer a question, else the t test that belongs to the interval of `paired_difference`.
    """
    from scipy.stats import binomtest, t

    if n_samples == 1:
        ahead, behind = _ahead_behind(pairs)
        return float(binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0
    mean, error = _augmented(pairs, n_samples)
    return float(2 * t.sf(abs(mean) / error, len(pairs) + 1))


def _ahead_behind(pairs: Sequence[Pair]) -> tuple[int, int]:
    """Questions that only the first model, only the second has right."""
    return sum(first > second for first, second in pairs), sum(first < second for first, second in pairs)


def _augmented(pairs: Sequence[Pair], n_samples: int) -> tuple[float, float]:
    """Mean and standard error of the differences, of which two more are plus and minus the smallest there can be."""
    differences = [*(first - second for first, second in pairs), 1 / n_samples, -1 / n_samples]
    n = len(differences)
    mean = sum(differences) / n
    return mean, sqrt(sum((one - mean) ** 2 for one in differences) / (n - 1) / n)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p values of a family of comparisons, such that one below a level is false with that probability at most.

    Source: Holm 1979.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


@dataclass(frozen=True)
class Spread:
    """Where the variance of a paired difference comes from, for planning a comparison.

    Args:
        questions: Variance between questions of the true difference.
        samples: Variance of one answer of each model to a question, both added.
    """

    questions: float
    samples: float

    def detectable(self, n_questions: int, n_samples: int, confidence: float, power: float = 0.8) -> float:
        """The difference (fraction) that so many questions and samples would call one, with that probability."""
        from scipy.stats import norm

        z = float(norm.ppf((1 + confidence) / 2) + norm.ppf(power))
        return min(1.0, z * sqrt((self.questions + self.samples / n_samples) / n_questions))


def spread(counts: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> Spread:
    """The spread of a paired difference.

    Where a model has one answer a question, all variance is taken for the samples'. It is never below that of a single
    question that differs, so that models which happen to agree do not pass for ones that cannot differ.

    Args:
        counts: Of each question: correct answers and answers of the first model, the same of the second.
    """
    n = len(counts)
    differences = [first / of_first - second / of_second for (first, of_first), (second, of_second) in counts]
    mean = sum(differences) / n
    total = sum((one - mean) ** 2 for one in differences) / (n - 1) if n > 1 else 1.0
    least = 1 / n  # of one question of n
    if any(of < 2 for pair in counts for _, of in pair):
        return Spread(0.0, max(total, least))
    within = [[_sample_variance(correct, of) for correct, of in pair] for pair in counts]
    samples = sum(map(sum, within)) / n
    drawn = (
        sum(
            one / of
            for variances, pair in zip(within, counts, strict=True)
            for one, (_, of) in zip(variances, pair, strict=True)
        )
        / n
    )
    return Spread(max(total - drawn, 0.0), max(samples, least))


def _sample_variance(correct: int, answers: int) -> float:
    """Unbiased variance of one answer."""
    return correct * (answers - correct) / (answers * (answers - 1))


def _tango(ahead: int, behind: int, n: int, confidence: float) -> tuple[float, float]:
    """Where a score test of the paired difference rejects no more: its interval.

    Args:
        ahead, behind: Questions that only the first model, only the second has right.
        n: All questions.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))

    def score(difference: float) -> float:
        b = (2 * n - ahead + behind) * difference - ahead - behind
        root = sqrt(max(b * b + 8 * n * behind * difference * (1 - difference), 0.0))
        share = (root - b) / (4 * n)  # likeliest share of questions that only the second has right
        variance = n * (2 * share + difference * (1 - difference))
        return (ahead - behind - n * difference) / sqrt(max(variance, 1e-300))

    def bound(wanted: float) -> float:
        edge = 1 - 1e-12
        if score(-edge) <= wanted:
            return -1.0
        if score(edge) >= wanted:
            return 1.0
        return float(brentq(lambda difference: score(difference) - wanted, -edge, edge))

    return bound(z), bound(-z)
