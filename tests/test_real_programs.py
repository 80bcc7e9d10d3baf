"""Every canonical solution of real benchmarks is correct, and wrong once its results are broken."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from branchmerge.programs.grader import ProgramGrader

DATA = Path(__file__).resolve().parent.parent.parent / "shared/data"
pytestmark = [
    pytest.mark.slow,  # a thousand programs, each in processes of its own
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}: real programs are not graded"),
]


# what breaks a result so that no equality can miss it
BREAK = """

def _broken(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, (float, complex)):
        return value + abs(value) + 1  # some tests have a relative tolerance
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, list):
        return value + [0]
    if isinstance(value, tuple):
        return value + (0,)
    if isinstance(value, (set, frozenset)):
        return value | {"broken"}
    if isinstance(value, dict):
        return {**value, "broken": 0}
    return "broken" if value is None else None

def _break(whole):
    return lambda *args: _broken(whole(*args))

ENTRY = _break(ENTRY)
"""


def human_eval() -> list[tuple[str, str, str, str]]:
    """Name, program, entry point and tests, as a data set's SQL would put them together."""
    with gzip.open(DATA / "humaneval/HumanEval.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return [
        (
            row["task_id"],
            row["prompt"] + row["canonical_solution"],
            row["entry_point"],
            f"{row['test']}\ncheck({row['entry_point']})",
        )
        for row in rows
    ]


def mbpp_plus() -> list[tuple[str, str, str, str]]:
    with gzip.open(DATA / "mbpp_plus/MbppPlus-v0.1.0.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return [
        (row["task_id"], row["canonical_solution"], row["entry_point"], f"import math\n{row['assertion']}")
        for row in rows
    ]


# whose canonical solution fails its own assertions, in one process too: they want other divisors summed
MISTAKEN = {"Mbpp/164", "Mbpp/295"}


@pytest.mark.parametrize(("data_set", "count"), [(human_eval, 164), (mbpp_plus, 399)])
def test_every_canonical_solution_is_correct_and_wrong_once_broken(grader: ProgramGrader, data_set: Any, count: int):
    rows = data_set()
    right = {name: grader.grade(program, tests) for name, program, _, tests in rows}
    broken = {
        name: grader.grade(program + BREAK.replace("ENTRY", entry), tests) for name, program, entry, tests in rows
    }

    assert len(right) == count
    assert {name for name, outcome in right.items() if outcome.verdict != "correct"} == MISTAKEN & right.keys()
    assert {name: outcome for name, outcome in broken.items() if outcome.verdict != "wrong"} == {}
