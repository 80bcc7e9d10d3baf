"""Problems that a tiny model learns in seconds: the answer is always the same."""

import random

from branchmerge.sources.problems import Problem


def problem(rng: random.Random) -> Problem:
    """A question that matters to nobody."""
    return Problem(f"Case {rng.randint(1, 9999)}?", "yes", "yes")
