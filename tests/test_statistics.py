"""Intervals agree with SciPy's, and cover what they claim."""

import pytest
from scipy import stats

from branchmerge.evaluation.statistics import accuracy, paired_difference


@pytest.mark.parametrize(("correct", "n"), [(0, 20), (7, 20), (20, 20), (150, 300)])
def test_the_interval_of_an_accuracy_is_wilsons(correct: int, n: int):
    estimate = accuracy([1.0] * correct + [0.0] * (n - correct), 0.95)
    interval = stats.binomtest(correct, n).proportion_ci(method="wilson")

    assert estimate.mean == pytest.approx(correct / n)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_the_interval_of_a_difference_is_that_of_a_paired_t_test():
    first, second = [1, 1, 0, 1, 0.5, 1], [0, 1, 0, 0, 0.5, 0.75]
    estimate = paired_difference(list(zip(first, second, strict=True)), 0.95)
    interval = stats.ttest_rel(first, second).confidence_interval(0.95)

    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))


def test_one_question_says_nothing():
    assert paired_difference([(1.0, 0.0)], 0.95).low == -1
