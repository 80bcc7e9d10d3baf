"""Arithmetic with worked steps: expressions, linear equations, short stories and repeated addition.

Repeated addition gives the lengths their long tail: up to six times the median, as in the answers of reasoning models.
"""

import random

from branchmerge.sources.problems import Problem

_STORIES = (
    "Mia has {a} pens. She buys {b} boxes of {c} and finds {d}. How many has she?",
    "A bus carries {a}. At {b} stops {c} get on, at the last {d}. How many are in it?",
    "A shelf holds {a} books. Tom adds {b} rows of {c}, then {d} more. How many?",
    "A farm has {a} hens. It buys {b} crates of {c}; {d} hatch. How many?",
)


def problem(rng: random.Random) -> Problem:
    """One random problem of one of five families."""
    return rng.choice((_chain, _brackets, _linear, _story, _repeated))(rng)


def _chain(rng: random.Random) -> Problem:
    a, b, c, d = _digits(rng)
    product = a * b
    total = product + c
    return Problem(
        f"Compute {a}*{b}+{c}+{d}.",
        f"{a}*{b}={product}; {product}+{c}={total}; {total}+{d}={total + d}",
        str(total + d),
    )


def _brackets(rng: random.Random) -> Problem:
    a, b, c, d = rng.randint(1, 4), rng.randint(1, 5), rng.randint(2, 6), rng.randint(1, 6)
    product = (a + b) * c
    return Problem(
        f"Compute ({a}+{b})*{c}+{d}.",
        f"{a}+{b}={a + b}; {a + b}*{c}={product}; {product}+{d}={product + d}",
        str(product + d),
    )


def _linear(rng: random.Random) -> Problem:
    x, a, b = rng.randint(2, 9), rng.randint(2, 6), rng.randint(1, 4)
    name = rng.choice("xyznkt")
    return Problem(
        f"Solve {a}{name}-{b}={a * x - b}.",
        f"{a * x - b}+{b}={a * x}; {a * x}/{a}={x}",
        str(x),
    )


def _story(rng: random.Random) -> Problem:
    b, c, a, d = _digits(rng)
    product, total = b * c, a + b * c
    return Problem(
        rng.choice(_STORIES).format(a=a, b=b, c=c, d=d),
        f"{b}*{c}={product}; {product}+{a}={total}; {total}+{d}={total + d}",
        str(total + d),
    )


def _repeated(rng: random.Random) -> Problem:
    """One number added 1 to 22 times. The steps are counted down, so that the last is known by its 1."""
    times = rng.randint(1, 22)
    k = rng.randint(2, min(9, 90 // times))
    start = rng.randint(1, 99 - times * k)
    end = start + times * k
    return Problem(
        f"Start at {start} and add {k}, {times} times. Where do you end?",
        "; ".join(f"{left}: {end - left * k}+{k}={end - (left - 1) * k}" for left in range(times, 0, -1)),
        str(end),
    )


def _digits(rng: random.Random) -> tuple[int, int, int, int]:
    return rng.randint(2, 9), rng.randint(2, 6), rng.randint(1, 6), rng.randint(1, 6)
