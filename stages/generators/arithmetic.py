"""Arithmetic with worked steps: expressions, linear equations, remainders and short stories."""

import random

from stages.shared.problems import Problem

_STORIES = (
    "Mia has {a} pens. She buys {b} boxes of {c} and loses {d}. How many has she?",
    "A bus carries {a}. At {b} stops {c} get on; {d} leave. How many are left?",
    "A shelf holds {a} books. Tom adds {b} rows of {c} and takes {d}. How many?",
    "A farm has {a} hens. It buys {b} crates of {c} and sells {d}. How many?",
)


def problem(rng: random.Random) -> Problem:
    """One random problem of one of five families."""
    return rng.choice((_chain, _brackets, _linear, _remainder, _story))(rng)


def _chain(rng: random.Random) -> Problem:
    b, c = rng.randint(2, 9), rng.randint(2, 9)
    a, product = rng.randint(2, 39), b * c
    d = rng.randint(2, a + product - 1)
    total = a + product
    return Problem(
        f"Compute {a}+{b}*{c}-{d}.",
        f"{b}*{c}={product}; {a}+{product}={total}; {total}-{d}={total - d}",
        str(total - d),
    )


def _brackets(rng: random.Random) -> Problem:
    total, c = rng.randint(4, 12), rng.randint(2, 9)
    a = rng.randint(1, total - 1)
    product = total * c
    d = rng.randint(2, product - 1)
    return Problem(
        f"Compute ({a}+{total - a})*{c}-{d}.",
        f"{a}+{total - a}={total}; {total}*{c}={product}; {product}-{d}={product - d}",
        str(product - d),
    )


def _linear(rng: random.Random) -> Problem:
    a, x, b = rng.randint(2, 9), rng.randint(2, 12), rng.randint(2, 39)
    return Problem(
        f"Solve {a}x+{b}={a * x + b}.",
        f"{a * x + b}-{b}={a * x}; {a * x}/{a}={x}",
        str(x),
    )


def _remainder(rng: random.Random) -> Problem:
    divisor, quotient = rng.randint(3, 9), rng.randint(2, 12)
    rest = rng.randrange(divisor)
    number = divisor * quotient + rest
    return Problem(
        f"Remainder of {number} by {divisor}?",
        f"{divisor}*{quotient}={number - rest}; {number}-{number - rest}={rest}",
        str(rest),
    )


def _story(rng: random.Random) -> Problem:
    a, b, c = rng.randint(2, 39), rng.randint(2, 9), rng.randint(2, 9)
    product, total = b * c, a + b * c
    d = rng.randint(2, total - 1)
    return Problem(
        rng.choice(_STORIES).format(a=a, b=b, c=c, d=d),
        f"{b}*{c}={product}; {a}+{product}={total}; {total}-{d}={total - d}",
        str(total - d),
    )
