"""Programs that a tiny model learns in seconds: the answer is always the same."""

import random

from branchmerge.sources.problems import Problem


def problem(rng: random.Random) -> Problem:
    """A question that matters to nobody, and a test that the one program passes."""
    return Problem(f"Task {rng.randint(1, 9999)}?", "f", "def f(x): return x", "assert f(3) == 3")
