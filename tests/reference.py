"""Branch fusion written again, plainly: in float64 with torch, and in 50 digits with mpmath."""

from typing import Any


def importance_float64(student: Any, branch: Any) -> Any:
    """|d| * KL(softmax(branch) || softmax(student)) of matrices (R, N), by rows.

    The KL is the Bregman divergence of log-sum-exp along d: the integral over s from 0 to 1 of s Var(d) under
    softmax(student + s d), here by Gauss-Legendre. Nothing in it cancels.
    """
    import numpy as np
    import torch

    base = student.double()
    delta = branch.double() - base
    nodes, weights = np.polynomial.legendre.leggauss(12)
    divergence = torch.zeros(len(base), 1, dtype=torch.float64)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        p = (base + node * delta).softmax(-1)
        centred = delta - (p * delta).sum(-1, keepdim=True)
        divergence += weight * node * (p * centred**2).sum(-1, keepdim=True)
    return delta.abs() * divergence


def mask_float64(importance: Any, multiplier: float = 1.5) -> Any:
    """Where an importance reaches median + multiplier * IQR of those above 0."""
    import torch

    positive = importance[importance > 0].sort().values
    if not len(positive):
        return torch.zeros_like(importance, dtype=torch.bool)
    q1, median, q3 = (positive[quarter * (len(positive) - 1) // 4] for quarter in (1, 2, 3))
    return importance >= median + multiplier * (q3 - q1)


def fused_float64(student: Any, branches: list[Any], multiplier: float = 1.5) -> Any:
    """The student with each entry of the branch whose change matters most, of those that may."""
    import torch

    importances = [importance_float64(student, branch) for branch in branches]
    allowed = torch.stack([torch.where(mask_float64(each, multiplier), each, -1.0) for each in importances])
    best, index = allowed.max(0)
    return torch.where(best > 0, torch.stack(branches).gather(0, index[None])[0], student)


def divergence_mpmath(student: list[float], branch: list[float]) -> Any:
    """KL(softmax(branch) || softmax(student)) of one row, by its definition."""
    import mpmath

    with mpmath.workdps(50):
        p, q = ([mpmath.exp(value) for value in row] for row in (branch, student))
        total_p, total_q = mpmath.fsum(p), mpmath.fsum(q)
        return mpmath.fsum(a / total_p * mpmath.log((a / total_p) / (b / total_q)) for a, b in zip(p, q, strict=True))
