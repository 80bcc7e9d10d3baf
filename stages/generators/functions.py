"""Small Python functions: the words give the shape, one example gives the hidden constant.

The solution reads the constant off the example with worked steps, then writes the function. It is
graded by running it on lists and numbers that the question does not show.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from stages.shared.problems import Problem

# words, condition on x; {k} is a threshold
_FILTERS = (
    ("the even ones", "x%2==0"),
    ("the odd ones", "x%2==1"),
    ("those above {k}", "x>{k}"),
    ("those below {k}", "x<{k}"),
    ("multiples of 3", "x%3==0"),
    ("all but {k}", "x!={k}"),
)
# words, expression around the list {xs}
_ORDERS = (
    ("sorted", "sorted({xs})"),
    ("largest first", "sorted({xs})[::-1]"),
    ("reversed", "{xs}[::-1]"),
    ("without repeats", "list(dict.fromkeys({xs}))"),
)
_HIDDEN_CASES = 8


def problem(rng: random.Random) -> Problem:
    """One random problem of one of five families, with its hidden tests."""
    drawn, arguments = rng.choice((_line, _scaled, _shifted_list, _multiplied_list, _total))(rng)
    return replace(drawn, tests=_tests(drawn.answer, arguments))


def _line(rng: random.Random) -> tuple[Problem, list[object]]:
    a, b = rng.randint(2, 29), rng.randint(2, 49)
    return Problem(
        f"Write f(x): multiply x by a, add b. f(0)={b}, f(1)={a + b}.",
        f"b={b}; a={a + b}-{b}={a}",
        f"def f(x): return {a}*x+{b}",
    ), _numbers(rng)


def _scaled(rng: random.Random) -> tuple[Problem, list[object]]:
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    return Problem(
        f"Write f(x): add a to x, multiply by b. f(0)={a * b}, f(1)={a * b + b}.",
        f"b={a * b + b}-{a * b}={b}; a={a * b}/{b}={a}",
        f"def f(x): return (x+{a})*{b}",
    ), _numbers(rng)


def _shifted_list(rng: random.Random) -> tuple[Problem, list[object]]:
    words, condition = _filter(rng)
    a, sample = rng.randint(2, 49), _sample(rng, condition)
    return Problem(
        f"Write f(xs): keep {words}, add a to each. f([{sample}])=[{sample + a}].",
        f"a={sample + a}-{sample}={a}",
        f"def f(xs): return [x+{a} for x in xs if {condition}]",
    ), _lists(rng)


def _multiplied_list(rng: random.Random) -> tuple[Problem, list[object]]:
    words, order = rng.choice(_ORDERS)
    a, sample = rng.randint(2, 9), rng.randint(2, 9)
    return Problem(
        f"Write f(xs): each times a, {words}. f([{sample}])=[{sample * a}].",
        f"a={sample * a}/{sample}={a}",
        f"def f(xs): return {order.format(xs=f'[x*{a} for x in xs]')}",
    ), _lists(rng)


def _total(rng: random.Random) -> tuple[Problem, list[object]]:
    words, condition = _filter(rng)
    a, first, second = rng.randint(2, 29), _sample(rng, condition), _sample(rng, condition)
    total = first + second
    return Problem(
        f"Write f(xs): the sum of {words}, plus a. f([{first},{second}])={total + a}.",
        f"{first}+{second}={total}; a={total + a}-{total}={a}",
        f"def f(xs): return sum(x for x in xs if {condition})+{a}",
    ), _lists(rng)


def _filter(rng: random.Random) -> tuple[str, str]:
    words, condition = rng.choice(_FILTERS)
    k = rng.randint(2, 15)
    return words.format(k=k), condition.format(k=k)


def _sample(rng: random.Random, condition: str) -> int:
    return rng.choice([x for x in range(1, 25) if eval(condition, {"x": x})])


def _numbers(rng: random.Random) -> list[object]:
    return [rng.randint(-20, 60) for _ in range(_HIDDEN_CASES)]


def _lists(rng: random.Random) -> list[object]:
    return [[rng.randint(-9, 30) for _ in range(rng.randint(3, 8))] for _ in range(_HIDDEN_CASES)]


def _tests(program: str, arguments: list[object]) -> str:
    scope: dict[str, Callable[[object], object]] = {}
    exec(program, scope)  # our own text, built above
    return "\n".join(f"assert f({argument!r}) == {scope['f'](argument)!r}" for argument in arguments)
