"""Small Python functions over a list of integers, specified in words and graded by running them."""

import random
from collections.abc import Callable

from branchmerge.sources.problems import Problem

# words, kind of step, next line of the program; {k} is a small number
_STEPS = (
    ("add {k} to each", "map", "xs = [x + {k} for x in xs]"),
    ("raise each by {k}", "map", "xs = [x + {k} for x in xs]"),
    ("subtract {k} from each", "map", "xs = [x - {k} for x in xs]"),
    ("take each from {k}", "map", "xs = [{k} - x for x in xs]"),
    ("multiply each by {k}", "map", "xs = [x * {k} for x in xs]"),
    ("square each", "map", "xs = [x * x for x in xs]"),
    ("negate each", "map", "xs = [-x for x in xs]"),
    ("take each absolute value", "map", "xs = [abs(x) for x in xs]"),
    ("take each modulo {k}", "map", "xs = [x % {k} for x in xs]"),
    ("divide each by {k} rounding down", "map", "xs = [x // {k} for x in xs]"),
    ("cap each at {k}", "map", "xs = [min(x, {k}) for x in xs]"),
    ("raise each to at least {k}", "map", "xs = [max(x, {k}) for x in xs]"),
    ("add to each its index", "map", "xs = [x + i for i, x in enumerate(xs)]"),
    ("multiply each by its index", "map", "xs = [x * i for i, x in enumerate(xs)]"),
    ("keep the even ones", "filter", "xs = [x for x in xs if x % 2 == 0]"),
    ("drop the even ones", "filter", "xs = [x for x in xs if x % 2]"),
    ("keep the odd ones", "filter", "xs = [x for x in xs if x % 2]"),
    ("drop the odd ones", "filter", "xs = [x for x in xs if x % 2 == 0]"),
    ("keep those above {k}", "filter", "xs = [x for x in xs if x > {k}]"),
    ("drop those above {k}", "filter", "xs = [x for x in xs if x <= {k}]"),
    ("keep those below {k}", "filter", "xs = [x for x in xs if x < {k}]"),
    ("drop those below {k}", "filter", "xs = [x for x in xs if x >= {k}]"),
    ("keep multiples of {k}", "filter", "xs = [x for x in xs if x % {k} == 0]"),
    ("drop multiples of {k}", "filter", "xs = [x for x in xs if x % {k}]"),
    ("remove every {k}", "filter", "xs = [x for x in xs if x != {k}]"),
    ("remove duplicates", "filter", "xs = list(dict.fromkeys(xs))"),
    ("sort ascending", "order", "xs = sorted(xs)"),
    ("sort descending", "order", "xs = sorted(xs)[::-1]"),
    ("reverse the list", "order", "xs = xs[::-1]"),
    ("keep the first {k}", "cut", "xs = xs[:{k}]"),
    ("drop the first {k}", "cut", "xs = xs[{k}:]"),
    ("keep the last {k}", "cut", "xs = xs[-{k}:]"),
    ("drop the last {k}", "cut", "xs = xs[:-{k}]"),
    ("keep every second one", "cut", "xs = xs[::2]"),
    ("append {k}", "grow", "xs = xs + [{k}]"),
    ("put {k} in front", "grow", "xs = [{k}] + xs"),
    ("repeat the list twice", "grow", "xs = xs * 2"),
)
_ENDS = (
    ("return the list", "list", "return xs"),
    ("return the sum", "sum", "return sum(xs)"),
    ("return the largest or 0", "max", "return max(xs, default=0)"),
    ("return the smallest or 0", "min", "return min(xs, default=0)"),
    ("return how many", "count", "return len(xs)"),
    ("return whether any is left", "any", "return bool(xs)"),
)
_HIDDEN_CASES = 12


def problem(rng: random.Random) -> Problem:
    """One random chain of two steps and an end, with hidden tests that tell it from its neighbours."""
    while True:
        chain = [*rng.sample(_STEPS, 2), rng.choice(_ENDS)]
        bound = [
            tuple(text.format(k=k) for text in step)
            for step, k in zip(chain, rng.choices(range(2, 10), k=3), strict=True)
        ]
        program = "def f(xs):\n" + "\n".join(f" {line}" for _, _, line in bound)
        if tests := _tests(program, rng):
            return Problem(
                f"Write f(xs): {', '.join(words for words, _, _ in bound)}.",
                ", ".join(kind for _, kind, _ in bound),
                program,
                tests,
            )


def _tests(program: str, rng: random.Random) -> str:
    """Asserts over hidden lists; empty where the program says nearly the same to all of them."""
    scope: dict[str, Callable[[list[int]], object]] = {}
    exec(program, scope)  # our own text, made three lines above
    inputs = [[rng.randint(-12, 20) for _ in range(rng.randint(4, 9))] for _ in range(_HIDDEN_CASES)]
    cases = [(xs, scope["f"](list(xs))) for xs in inputs]
    if len({repr(output) for _, output in cases}) < 2:
        return ""
    return "\n".join(f"assert f({xs}) == {output!r}" for xs, output in cases)
