"""How much each changed weight matters: its change times how far its row's softmax moved.

For a row of a student's tensor b and of a branch's r, with d = r - b, q = softmax(b), p = softmax(r):

    importance_i = |d_i| * KL(p || q)

Fine-tuning moves weights by 1e-5 to 1e-2, so KL is 1e-12 to 1e-5, and log(p / q) in float32 is rounding
noise. Here nothing cancels: KL does not change when a constant is added to d, so c = d - sum(q d), and with

    w = sum(q (exp(c) - 1 - c))     a = sum(q c (exp(c) - 1))     KL = a / (1 + w) - log1p(w)

every term of both sums is positive. Rows run along a tensor's last axis, as in mergekit's arcee_fusion.

Source: Arcee Fusion (mergekit 0.1.5, merge_methods/arcee_fusion.py) for the measure, and TinyR1 (arXiv 2503.04872).
"""

import math
from typing import Any

import numba
import numpy as np

_compiled = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})

_INFINITY_BITS = np.float32(np.inf).view(np.int32)
_SMALL = np.float32(0.25)  # |c| up to which seven terms of the series are exact to float32
_SMALL_DELTA_BITS = np.float32(0.125).view(np.int32)  # |c| <= |d| + |mean of d|


@_compiled
def divergences(q: Any, delta: Any, out: Any) -> bool:
    """KL(softmax(b + delta) || softmax(b)) of each row, q = softmax(b).

    Args:
        q: (rows, n) float32.
        delta: (rows, n) float32.
        out: (rows,) float32; receives the divergences, each at least 0.

    Returns:
        Whether all of delta is finite; if not, out is not to be used.
    """
    bits = delta.view(np.int32)
    for row in range(len(out)):
        largest = np.int32(0)
        mean = np.float32(0)
        for i in range(delta.shape[1]):
            largest = max(largest, bits[row, i] & np.int32(0x7FFFFFFF))
            mean += q[row, i] * delta[row, i]
        if largest >= _INFINITY_BITS:
            return False
        if largest <= _SMALL_DELTA_BITS:
            out[row] = _small_divergence(q[row], delta[row], mean)
        else:
            out[row] = _divergence(q[row], delta[row], mean)
    return True


@_compiled
def _small_divergence(q: Any, delta: Any, mean: Any) -> Any:
    """Divergence of one row whose c are small: (exp(c) - 1 - c) / c^2 by its Taylor series, which vectorises."""
    a = w = np.float32(0)
    for i in range(len(q)):
        c = delta[i] - mean
        series = np.float32(1 / 5040) * c + np.float32(1 / 720)
        series = series * c + np.float32(1 / 120)
        series = series * c + np.float32(1 / 24)
        series = series * c + np.float32(1 / 6)
        series = series * c + np.float32(1 / 2)
        square = q[i] * c * c
        w += square * series
        a += square * (c * series + np.float32(1))
    return np.float64(a) / (1 + np.float64(w)) - math.log1p(np.float64(w))


@_compiled
def _divergence(q: Any, delta: Any, mean: Any) -> Any:
    """Divergence of one row whatever its c."""
    a = w = 0.0
    for i in range(len(q)):
        c = np.float64(delta[i]) - mean
        growth = math.expm1(c)
        a += q[i] * c * growth
        w += q[i] * (growth - c)
    return a / (1 + w) - math.log1p(w)


@_compiled
def importances(student: Any, branch: Any, divergence: Any) -> Any:
    """|branch - student| times its row's divergence: (rows, n), (rows, n), (rows,) -> (rows, n), float32."""
    out = np.empty_like(student)
    for row in range(student.shape[0]):
        for i in range(student.shape[1]):
            out[row, i] = abs(branch[row, i] - student[row, i]) * divergence[row]
    return out
