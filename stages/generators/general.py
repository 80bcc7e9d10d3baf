"""Of each domain a little, which branches learn beside their own domain, so that they forget less of the others."""

import random

from branchmerge.sources.problems import Problem
from stages.generators import arithmetic, formulas, functions


def problem(rng: random.Random) -> Problem:
    """One random problem of one of the three generators."""
    draw = rng.choice((arithmetic.problem, functions.problem, formulas.problem))
    return draw(rng)
