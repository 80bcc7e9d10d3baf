"""Stable branch fusion is exact, whatever the order, the threads and the size of the change."""

from itertools import permutations
from typing import Any

import pytest

from branchmerge.core.errors import StageError
from tests.reference import divergence_mpmath, fused_float64, importance_float64, mask_float64

pytestmark = pytest.mark.slow  # torch and numba
DELTAS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
DTYPES = ("float32", "bfloat16")


def models(dtype: str, delta: float, shape: tuple[int, ...] = (300, 700), n: int = 3) -> tuple[Any, list[Any]]:
    """A student of the spread of real weights, and branches at a distance."""
    import torch

    noise = torch.Generator().manual_seed(0)
    student = (0.02 * torch.randn(shape, generator=noise)).to(getattr(torch, dtype))
    branches = [student.float() + delta * torch.randn(shape, generator=noise) for _ in range(n)]
    return student, [branch.to(student.dtype) for branch in branches]


def fused(student: Any, branches: list[Any], threads: int = 2, **fusion: Any) -> Any:
    import torch

    from branchmerge.merging.fusion import Fusion, fuse
    from branchmerge.merging.matrix import RowsInMemory

    result = torch.empty_like(student)
    rows = RowsInMemory("result", result)
    fuse(
        RowsInMemory("w of the student", student),
        [RowsInMemory(f"w of branch {index}", branch) for index, branch in enumerate(branches)],
        Fusion(**fusion),
        threads,
        lambda start, values: rows.read(start, start + len(values)).copy_(values),
    )
    return result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("delta", DELTAS)
def test_the_entries_taken_are_those_of_exact_arithmetic(dtype: str, delta: float):
    student, (branch, *_) = models(dtype, delta)
    expected = mask_float64(importance_float64(student, branch)) & (branch != student)
    taken = (fused(student, [branch]) == branch) & (branch != student)

    assert (taken & expected).sum() / (taken | expected).sum() >= 0.999


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("delta", DELTAS)
def test_three_branches_give_the_model_of_exact_arithmetic(dtype: str, delta: float):
    student, branches = models(dtype, delta)
    result, expected = fused(student, branches), fused_float64(student, branches)

    assert (result != expected).float().mean() <= 0.001 * (expected != student).float().mean()


@pytest.mark.parametrize("delta", [*DELTAS, 1.0, 5.0])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_divergence_of_a_row_is_right_to_four_digits(delta: float, shift: float):
    import numpy as np

    from branchmerge.merging.importance import divergences

    student, (branch,) = models("float32", delta, shape=(3, 50), n=1)
    branch = branch + shift
    out = np.empty(3, np.float32)
    assert divergences(student.softmax(-1).numpy(), (branch - student).numpy(), out)

    for row in range(3):
        exact = float(divergence_mpmath(student[row].tolist(), branch[row].tolist()))
        assert out[row] == pytest.approx(exact, rel=1e-4)


def test_two_runs_and_any_number_of_threads_give_the_same_bits():
    import torch

    student, branches = models("bfloat16", 1e-3)
    results = [fused(student, branches, threads) for threads in (1, 1, 2, 5)]

    assert all(torch.equal(results[0], result) for result in results[1:])


@pytest.mark.parametrize("granularity", ["tensor", "row"])
def test_the_order_of_the_branches_changes_nothing(granularity: str):
    import torch

    student, branches = models("bfloat16", 1e-3)
    first, *others = (fused(student, list(order), granularity=granularity) for order in permutations(branches))

    assert all(torch.equal(first, other) for other in others)


def test_of_equal_importances_the_larger_value_is_taken_in_any_order():
    import torch

    student = torch.zeros(50, 2)
    up = torch.linspace(0.01, 0.02, 50)
    branches = [torch.stack([up, -up], dim=1), torch.stack([-up, up], dim=1)]  # mirrored
    results = [fused(student, list(order), threshold_multiplier=0.0) for order in permutations(branches)]

    assert torch.equal(results[0], results[1])
    assert (results[0] == torch.stack([up, up], dim=1)).all(dim=1).any()  # else no tie was among them


def test_the_papers_order_takes_the_first_branch_as_the_second_ones_base():
    import torch

    student, (a, b, c) = models("float32", 1e-3)
    result = fused(student, [a, b, c], order="sequential")

    assert torch.equal(result, fused(fused(a, [b]), [c]))
    assert not torch.equal(result, fused(student, [c, b, a], order="sequential"))


@pytest.mark.parametrize("order", ["free", "sequential"])
@pytest.mark.parametrize("granularity", ["tensor", "row"])
def test_identical_models_give_the_model_itself(order: str, granularity: str):
    import torch

    student, _ = models("bfloat16", 0.0)

    assert torch.equal(fused(student, [student.clone()] * 3, order=order, granularity=granularity), student)


def test_where_most_weights_are_unchanged_the_branch_is_not_copied_whole():
    import torch

    student, (branch,) = models("float32", 1e-3, n=1)
    few = torch.arange(student.numel()).reshape(student.shape) % 5 == 0
    branch = torch.where(few, branch, student)
    result = fused(student, [branch])
    taken = (result == branch)[few].float().mean()

    assert torch.equal(result[~few], student[~few])
    assert 0.05 < taken < 0.35


@pytest.mark.parametrize("shape", [(), (1,), (7,), (0, 4), (4, 3, 2), (5, 1)], ids=str)
def test_tensors_of_any_shape_are_fused(shape: tuple[int, ...]):
    student, branches = models("float32", 1e-3, shape)
    result = fused(student, branches)

    assert result.shape == student.shape
    assert all(each in (student.ravel()[i], *(b.ravel()[i] for b in branches)) for i, each in enumerate(result.ravel()))


def test_a_row_of_its_own_quartiles_is_that_row_alone():
    import torch

    student, branches = models("float32", 1e-3, (6, 400))
    whole = fused(student, branches, granularity="row")
    alone = [fused(student[row], [branch[row] for branch in branches]) for row in range(len(student))]

    assert torch.equal(whole, torch.stack(alone))


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
def test_a_weight_that_is_no_number_is_refused(value: float):
    student, branches = models("float32", 1e-3)
    branches[1][3, 4] = value

    with pytest.raises(StageError, match="w of branch 1"):
        fused(student, branches)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 1000])
def test_quartiles_are_those_of_the_sorted_numbers(n: int):
    import numpy as np

    from branchmerge.merging import selection

    values = np.random.default_rng(n).lognormal(-20, 5, n).astype(np.float32)
    values[: n // 2] = values[0]  # ties
    ranks = selection.quartile_ranks(n)
    upper = np.zeros(selection.N_UPPER, np.int64)
    lower = np.zeros((3, selection.N_LOWER), np.int64)
    selection.count_upper(values, upper)
    selection.count_lower(values, selection.slots(selection.bins_of_ranks(upper, ranks)), lower)

    assert selection.values_of_ranks(upper, lower, ranks) == np.sort(values)[ranks].tolist()
