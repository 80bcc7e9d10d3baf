"""Arcee Fusion as mergekit 0.1.5 computes it, to compare with: our fusion's parity mode.

At the size of fine-tuning its float32 divergence is mostly rounding noise, and its quartiles come from a random
sample of large tensors; see DECISIONS. Equal seeds, inputs and dtype give mergekit's bits.

Source: mergekit 0.1.5, merge_methods/arcee_fusion.py.
"""

from typing import Any

_EPSILON = 1e-8
_SAMPLE_SIZE = 1_000_000


def arcee_fusion(base: Any, other: Any) -> Any:
    """The base with the other's entries where they matter: two torch tensors of one shape and dtype -> one."""
    p, q = other.softmax(-1) + _EPSILON, base.softmax(-1) + _EPSILON
    divergence = (p * (p / q).log()).sum(-1, keepdim=True)
    importance = (other - base).abs() * divergence
    is_taken = importance >= _threshold(importance)
    return base + (other - base) * is_taken.float()


def _threshold(importance: Any) -> Any:
    import torch

    entries = importance.reshape(-1)
    if len(entries) > _SAMPLE_SIZE:  # from torch's global generator, which mergekit seeds
        entries = entries[torch.randint(len(entries), (_SAMPLE_SIZE,))]
    ranks = (torch.tensor([0.25, 0.5, 0.75]) * (len(entries) - 1)).long()
    q1, median, q3 = entries.sort().values[ranks]
    return median + 1.5 * (q3 - q1)
