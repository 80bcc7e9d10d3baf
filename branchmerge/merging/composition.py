"""What a merge did with its branches: counted tensor by tensor from the files, whatever the method.

Counts and inner products add up, so a layer's, a module's and the model's figures come from their sums.
B branches; a task vector is a branch minus the student.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from branchmerge.merging.importance import divergences
from branchmerge.merging.matrix import Rows
from branchmerge.merging.spans import Span, in_threads, spans
from branchmerge.merging.tensors import TORCH_NAMES, OpenFiles, RowsInFile, stored_tensors

_EPSILON = 1e-8  # mergekit's, in its divergence
_WRONG_RATIO = 0.1  # a divergence further off than this counts as wrong
_LAYER = re.compile(r"(?:.*\.)?(\d+)\.(.+)")


@dataclass(frozen=True)
class Account:
    """Sums over the weights of one tensor, or of several.

    Args:
        n: Weights.
        changed: (B,) weights that a branch changed.
        taken: (B,) of these, those whose merged value is the branch's.
        shared: Weights that two branches or more changed.
        conflicts: Of these, those that two changed in opposite directions.
        gram: (B + 1, B + 1) inner products of the task vectors and of the merged model's.
        student_square: The student's own.
        n_rows: Rows, of which the softmax is taken.
        divergence: (B,) sum of the rows' divergences.
        naive_wrong: (B,) rows in which mergekit's float32 formula is off by more than a tenth.
    """

    n: int
    changed: Any
    taken: Any
    shared: int
    conflicts: int
    gram: Any
    student_square: float
    n_rows: int
    divergence: Any
    naive_wrong: Any

    def __add__(self, other: "Account") -> "Account":
        return Account(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def figures(self, branches: Sequence[str]) -> dict[str, Any]:
        """What a person asks: shares, cosines, norms; null where there is nothing to divide by."""
        norms = np.sqrt(np.diag(self.gram))
        pairs = [(i, j) for i in range(len(branches)) for j in range(i)]
        parts = np.linalg.lstsq(self.gram[:-1, :-1], self.gram[:-1, -1], rcond=1e-9)[0]
        return {
            "weights": self.n,
            "change_norm_ratio": _ratio(norms[-1], self.student_square**0.5),
            "sign_conflict_ratio": _ratio(self.conflicts, self.shared),
            "cosines": {f"{branches[j]} {branches[i]}": _ratio(self.gram[i, j], norms[i] * norms[j]) for i, j in pairs},
            "branches": {
                name: {
                    "part": float(parts[i]) if norms[i] else None,
                    "taken_ratio": _ratio(self.taken[i], self.n),
                    "changed_ratio": _ratio(self.changed[i], self.n),
                    "change_norm_ratio": _ratio(norms[i], self.student_square**0.5),
                    "mean_divergence": _ratio(self.divergence[i], self.n_rows),
                    "naive_divergence_wrong_ratio": _ratio(self.naive_wrong[i], self.n_rows),
                }
                for i, name in enumerate(branches)
            },
        }


def _ratio(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None


def accounts(student: Path, branches: Sequence[Path], merged: Path, threads: int) -> dict[str, Account]:
    """An account of every floating-point tensor that is stored in all models, by name."""
    stored = [stored_tensors(folder) for folder in (student, *branches, merged)]
    names = [
        name
        for name in sorted(stored[-1])
        if all(name in tensors and tensors[name].dtype in TORCH_NAMES for tensors in stored)
    ]
    with OpenFiles() as files:
        return {
            name: _account([_rows(name, tensors, files) for tensors in stored], threads)
            for name in names
            if 0 not in stored[-1][name].shape
        }


def _rows(name: str, tensors: Any, files: OpenFiles) -> RowsInFile:
    return RowsInFile(name, tensors[name], files.stream(tensors[name].file), None)


def _account(models: Sequence[Rows], threads: int) -> Account:
    """The account of one tensor, of the student, the branches and the merged model."""

    def work(span: Span, found: list[tuple[int, Account]]) -> None:
        found.append((span.start, _of_span([rows.read(span.start, span.stop) for rows in models])))

    found = in_threads(threads, spans(models[0].shape), work, lambda: list[tuple[int, Account]]())
    return total(
        account for _, account in sorted((each for state in found for each in state), key=lambda each: each[0])
    )


def total(parts: Iterable[Account]) -> Account:
    """The sum of some accounts, in their order: sums of floats depend on it."""
    first, *others = parts
    for other in others:
        first = first + other
    return first


def _of_span(tensors: Sequence[Any]) -> Account:
    student, *branches, merged = tensors
    base = student.float()
    changes = np.stack([(each.float() - base).double().numpy().ravel() for each in (*branches, merged)])
    is_changed = changes[:-1] != 0
    is_shared = is_changed.sum(axis=0) >= 2
    is_conflict = (changes[:-1] > 0).any(axis=0) & (changes[:-1] < 0).any(axis=0)
    rounded = student.to(merged.dtype)
    is_taken = [(each.to(merged.dtype) == merged) & (merged != rounded) for each in branches]
    exact = np.stack([_divergences(base, each.float()) for each in branches])
    naive = np.stack([_naive_divergences(base, each.float()) for each in branches])
    return Account(
        n=base.numel(),
        changed=is_changed.sum(axis=1),
        taken=np.array([int(each.sum()) for each in is_taken]),
        shared=int(is_shared.sum()),
        conflicts=int(is_conflict.sum()),
        gram=changes @ changes.T,
        student_square=float(base.double().square().sum()),
        n_rows=len(base),
        divergence=exact.sum(axis=1, dtype=np.float64),
        naive_wrong=(np.abs(naive - exact) > _WRONG_RATIO * exact).sum(axis=1),
    )


def _divergences(base: Any, branch: Any) -> Any:
    """(r, N), (r, N) -> (r,)."""
    out = np.empty(len(base), np.float32)
    divergences(base.softmax(-1).numpy(), (branch - base).numpy(), out)
    return out


def _naive_divergences(base: Any, branch: Any) -> Any:
    """Importance as mergekit's arcee_fusion computes it, in float32."""
    p, q = branch.softmax(-1) + _EPSILON, base.softmax(-1) + _EPSILON
    return (p * (p / q).log()).sum(-1).numpy()


def place(name: str) -> tuple[int | None, str]:
    """Layer and module of a tensor's name: model.layers.3.mlp.up_proj.weight -> 3, mlp.up_proj."""
    short = name.removesuffix(".weight")
    found = _LAYER.fullmatch(short)
    return (int(found[1]), found[2]) if found else (None, short.removeprefix("model."))
