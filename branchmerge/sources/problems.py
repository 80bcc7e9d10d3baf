"""Procedural problems: a question, its worked solution and its answer, in disjoint splits.

A generator is a Python file with one function, `problem(rng)`. It may be called for ever; the split
of a problem follows from a hash of its question, so train, dev and test can never share one,
whatever the seeds and however many are drawn.
"""

import hashlib
import importlib.util
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from branchmerge.core.errors import InputError
from branchmerge.core.text import clean

Split = Literal["train", "dev", "test"]

# Of 100 hash values: 70 train, 10 dev, 20 test.
_FIRST_DEV, _FIRST_TEST = 70, 80


@dataclass(frozen=True)
class Problem:
    """One question with everything needed to teach and to grade it.

    Args:
        reasoning: The worked steps a good answer shows before it answers.
        answer: The gold answer; for a program, one that passes `tests`.
        tests: Python asserts that a correct program passes; None where the answer is compared.
    """

    question: str
    reasoning: str
    answer: str
    tests: str | None = None


def split_of(question: str) -> Split:
    """The split a question belongs to, for ever."""
    slot = int.from_bytes(hashlib.sha256(question.encode()).digest()[:8]) % 100
    return "train" if slot < _FIRST_DEV else "dev" if slot < _FIRST_TEST else "test"


def problems(source: Path, split: Split, seed: int, count: int) -> list[Problem]:
    """The first `count` distinct problems of one split that a generator draws from a seed."""
    drawn = list(islice(_distinct(_generator(source), split, seed), count))
    if len(drawn) < count:
        raise InputError(
            expected=f"at least {count} distinct {split} problems",
            got=f"{len(drawn)} after 1000 repeats in a row",
            where=str(source),
            do="ask for fewer problems, or widen the ranges of the generator",
        )
    return drawn


def _distinct(draw: Callable[[random.Random], Problem], split: Split, seed: int) -> Iterator[Problem]:
    rng = random.Random(f"{seed}-{split}")
    seen: set[str] = set()
    repeats = 0
    while repeats < 1000:
        problem = _cleaned(draw(rng))
        if problem.question in seen:
            repeats += 1
        elif split_of(problem.question) == split:
            repeats = 0
            seen.add(problem.question)
            yield problem


def _cleaned(problem: Problem) -> Problem:
    tests = None if problem.tests is None else clean(problem.tests)
    return Problem(clean(problem.question), clean(problem.reasoning), clean(problem.answer), tests)


def _generator(source: Path) -> Callable[[random.Random], Problem]:
    if not source.is_file():
        raise InputError(
            expected="a Python file with a function problem(rng)",
            got="no such file",
            where=str(source),
            do="correct the path of the generator in params.yaml",
        )
    spec = importlib.util.spec_from_file_location(f"generator_{source.stem}", source)
    assert spec, source
    assert spec.loader, source
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    draw: Callable[[random.Random], Problem] = module.problem
    return draw
