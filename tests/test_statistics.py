"""Estimates agree with SciPy's and the published ones, and equal rows never pass for certainty."""

from itertools import combinations

import pytest
from scipy import stats

from branchmerge.evaluation.statistics import (
    Spread,
    accuracy,
    accuracy_of_new_samples,
    holm,
    majority_at_k,
    p_value,
    paired_difference,
    pass_at_k,
    resampled,
    spread,
)


@pytest.mark.parametrize(("correct", "n"), [(0, 20), (7, 20), (20, 20), (150, 300)])
def test_the_interval_of_an_accuracy_is_wilsons(correct: int, n: int):
    estimate = accuracy([1.0] * correct + [0.0] * (n - correct), 0.95)
    interval = stats.binomtest(correct, n).proportion_ci(method="wilson")

    assert estimate.mean == pytest.approx(correct / n)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


@pytest.mark.parametrize(("correct", "n"), [(1, 30), (2, 30), (3, 30), (3, 300), (1, 10)])
def test_one_to_three_answers_from_an_end_begin_at_poissons_bound(correct: int, n: int):
    estimate = accuracy([1.0] * correct + [0.0] * (n - correct), 0.95)
    mirrored = accuracy([0.0] * correct + [1.0] * (n - correct), 0.95)

    # so many or fewer are seen with a probability of 95 % where so few are expected (Brown, Cai and DasGupta 2001)
    assert stats.poisson.cdf(correct - 1, estimate.low * n) == pytest.approx(0.95)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((estimate.low, estimate.high))
    assert estimate.low < stats.binomtest(correct, n).proportion_ci(method="wilson").low


def test_questions_that_hardly_differ_are_worth_more_than_single_answers():
    alike, single = accuracy([0.5, 0.25, 0.75] * 10, 0.95), accuracy([1.0, 0.0] * 15, 0.95)

    assert alike.high - alike.low < 0.5 * (single.high - single.low)


def test_an_interval_for_new_samples_is_narrower_than_for_new_questions_and_takes_two_samples():
    counts = [(0, 4), (4, 4), (2, 4)] * 10
    same, other = accuracy_of_new_samples(counts, 0.95), accuracy([correct / of for correct, of in counts], 0.95)

    assert same is not None
    assert other.low < same.low < same.mean < same.high < other.high
    assert accuracy_of_new_samples([(1, 1)] * 30, 0.95) is None


@pytest.mark.parametrize("k", [1, 2, 5])
def test_pass_at_k_is_the_share_of_draws_that_hold_a_correct_answer(k: int):
    answers = [True] * 2 + [False] * 4
    drawn = list(combinations(answers, k))

    assert pass_at_k(2, 6, k) == pytest.approx(sum(map(any, drawn)) / len(drawn))


@pytest.mark.parametrize(
    ("verdicts", "share"),
    [
        ([("7", True), ("7.0", True), ("8", False)], 1),
        ([("7", True), ("8", False), ("8", False)], 0),
        ([("7", True), ("8", False)], 0.5),
        ([("8", False), ("9", False)], 0),
    ],
)
def test_the_majority_is_the_most_frequent_answer_and_ties_are_drawn(verdicts: list, share: float):
    assert majority_at_k(verdicts) == share


def test_a_resampled_interval_is_scipys_and_has_a_width_where_all_are_equal():
    values = [0.0, 0.5, 1.0, 1.0, 0.25, 0.75] * 5
    estimate = resampled(values, 0.95)

    assert estimate.mean == pytest.approx(sum(values) / 30)
    assert estimate.low < estimate.mean < estimate.high
    assert resampled([1.0] * 30, 0.95) == accuracy([1.0] * 30, 0.95)
    assert resampled(values, 0.95) == estimate


def test_with_several_samples_a_difference_has_the_interval_and_p_of_a_t_test_with_two_questions_more():
    first, second = [1, 1, 0, 1, 0.5, 1], [0, 1, 0, 0, 0.5, 0.75]
    pairs = list(zip(first, second, strict=True))
    estimate = paired_difference(pairs, 0.95, n_samples=4)
    test = stats.ttest_1samp([*(one - other for one, other in pairs), 0.25, -0.25], 0)
    interval = test.confidence_interval(0.95)

    assert estimate.mean == pytest.approx(sum(first) / 6 - sum(second) / 6)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert p_value(pairs, n_samples=4) == pytest.approx(test.pvalue)


def pairs_of(both: int, only_first: int, only_second: int, neither: int) -> list[tuple[float, float]]:
    return [(1, 1)] * both + [(1, 0)] * only_first + [(0, 1)] * only_second + [(0, 0)] * neither


@pytest.mark.parametrize(
    ("table", "interval"),
    [((43, 8, 3, 29), (-0.0209, 0.1496)), ((0, 1, 0, 43), (-0.0594, 0.1181)), ((24, 14, 0, 6), (0.2000, 0.4656))],
)
def test_with_one_sample_the_interval_is_tangos(table: tuple, interval: tuple):
    """Expected ones were computed by a scan over all differences in steps of 1e-5, from the score test's definition."""
    estimate = paired_difference(pairs_of(*table), 0.95)

    assert (estimate.low, estimate.high) == pytest.approx(interval, abs=1e-4)


@pytest.mark.parametrize(("ahead", "behind"), [(9, 2), (3, 3), (0, 6), (0, 0)])
def test_with_one_sample_p_is_exact_mcnemars(ahead: int, behind: int):
    expected = stats.binomtest(ahead, ahead + behind).pvalue if ahead + behind else 1

    assert p_value(pairs_of(5, ahead, behind, 5)) == pytest.approx(expected)


@pytest.mark.parametrize("n_samples", [1, 16])
@pytest.mark.parametrize("pair", [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0)])
def test_equal_differences_are_no_certainty_and_stay_within_minus_one_and_one(pair: tuple, n_samples: int):
    estimate = paired_difference([pair] * 30, 0.95, n_samples)

    assert estimate.low < estimate.high
    assert -1 <= estimate.low <= estimate.mean <= estimate.high + 1 / 32  # of all equal, two more pull to the middle
    assert estimate.high <= 1


def test_one_question_says_nothing():
    estimate = paired_difference([(1.0, 0.0)], 0.95)

    assert estimate.low < -0.5


def test_holm_steps_down_from_the_smallest():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1, "b": 1}


def test_more_questions_help_where_more_samples_do_not():
    """A difference that varies between questions as much as between samples: only questions average the first out."""
    between = Spread(questions=0.02, samples=0.32)
    now = between.detectable(30, 16, 0.95)

    assert now == pytest.approx((1.959964 + 0.841621) * (0.04 / 30) ** 0.5, rel=1e-5)
    assert between.detectable(30, 64, 0.95) > between.detectable(90, 16, 0.95)
    assert between.detectable(30, 10**9, 0.95) == pytest.approx(now / 2**0.5, rel=1e-4)


def test_the_spread_takes_apart_what_questions_and_samples_add():
    """Equal shares of every question: all that varies between questions are the samples."""
    even = spread([((2, 4), (2, 4))] * 20)
    uneven = spread([((4, 4), (0, 4)), ((0, 4), (4, 4))] * 10)

    assert (even.questions, even.samples) == (0, pytest.approx(2 * 4 / 12))
    assert (uneven.samples, uneven.questions) == (1 / 20, pytest.approx(20 / 19))


def test_models_that_agree_on_every_question_asked_once_may_still_differ():
    assert spread([((1, 1), (1, 1))] * 20).detectable(20, 1, 0.95) > 0.1
