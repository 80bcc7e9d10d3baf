"""A program passes by its values alone; a hostile one gains, breaks and leaves nothing."""

import gzip
import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stages.shared.errors import StageError
from stages.shared.programs import sandbox
from stages.shared.programs.cases import same, same_lines
from stages.shared.programs.grader import Outcome, ProgramGrader, ProgramParams
from stages.shared.programs.values import MAX_ITEMS, decode, encode

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared/data"
pytestmark = pytest.mark.slow  # hundreds of programs, each in processes of its own
HOSTILE = sorted((ROOT / "tests/hostile").glob("*.py"))
SECRET = "correct-horse-battery-staple"
NO_BUBBLEWRAP = sandbox.bubblewrap_problem()
ISOLATIONS = [
    "process",
    pytest.param("bubblewrap", marks=pytest.mark.skipif(bool(NO_BUBBLEWRAP), reason=f"no bubblewrap: {NO_BUBBLEWRAP}")),
]

# what limits of a process cannot hold, and so is tried in bubblewrap only
BEYOND_A_PROCESS = {
    "fork_bomb": "root's processes are not counted",
    "thread_bomb": "root's threads are not counted",
    "many_files": "only the size of one file is limited",
    "read_files": "it is the same user",
    "read_environment": "it is the same user, in the same /proc",
    "delete_files": "it is the same user",
    "overwrite_files": "it is the same user",
    "open_sockets": "it has the machine's network",
    "kill_everything": "it is the same user, among the same processes",
    "raise_limits": "root may lift its limits",
    "become_root": "it may be root already",
}


def params(isolation: Any, **changed: Any) -> ProgramParams:
    settings: dict[str, Any] = {
        "isolation": isolation,
        "program_wall_s": 1,
        "program_memory_mib": 256,
        "program_max_processes": 8,
        "program_file_mib": 1,
        "program_output_mib": 16,
    }
    return ProgramParams(**settings | changed)


@pytest.fixture(params=ISOLATIONS, scope="module")
def grader(request: pytest.FixtureRequest) -> Iterator[ProgramGrader]:
    with ProgramGrader(params(request.param)) as grader:
        yield grader


EXAM = """
assert all(f(x) == x * x for x in range(5))
assert abs(f(3) - 9) < 1e-6
assert isinstance(f(4), int)
assert sorted([f(2), f(1)]) == [1, 4]
"""
RIGHT = "def f(x): return x * x"


def test_a_right_program_is_correct_and_a_wrong_one_is_wrong(grader: ProgramGrader):
    assert grader.grade(RIGHT, EXAM) == Outcome("correct", "")
    assert grader.grade("def f(x): return x + x", EXAM) == Outcome("wrong", "AssertionError: ")


# --- the tests see what they would see in one process

UNITTEST = "import unittest\nclass T(unittest.TestCase):\n def test(self): self.assertEqual(f(1), 1)"
SEEN = [
    # program, tests
    ("def f(xs): xs.sort(); xs.append(1)", "xs = [3, 2]; f(xs); assert xs == [2, 3, 1]"),
    ("def f(d): d['a'] = 1; del d['b']", "d = {'b': 2}; f(d); assert d == {'a': 1}"),
    ("def f(m): m[0][0] = 5", "row = [1]; f([row]); assert row == [5]"),
    ("def f(m): m.reverse()", "a, b = [1], [2]; m = [a, b]; f(m); assert m == [[2], [1]] and (a, b) == ([1], [2])"),
    ("def f(s): s.add(1)", "s = {2}; f(s); assert s == {1, 2}"),
    ("def f(x): return {1: (2, {3}), None: [b'4', 5j]}", "assert f(0) == {1: (2, {3}), None: [b'4', 5j]}"),
    ("def f(x): return (1, 2)", "assert f(0) != [1, 2] and f(0) == (1, 2)"),
    ("def f(x): return (i for i in x)", "assert f([1, 2]) != [1, 2] and list(f([1, 2])) == [1, 2]"),
    ("def f(x): return float('nan')", "import math; assert math.isnan(f(0)) and f(0) != f(0)"),
    ("def f(x): return float('-inf')", "assert f(0) == -float('inf')"),
    ("def f(x): return 7**9999", "assert f(0) == 7**9999"),
    ("def f(n): return -n", "assert f(7**9999) == -7**9999"),
    ("def f(x): return True", "assert f(0) is True"),
    ("def f(s): return s + '\\ud800\\n'", "assert f('é') == 'é\\ud800\\n'"),
    ("from collections import *\ndef f(x): return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
    ("from collections import *\nP = namedtuple('P', 'x y')\ndef f(x): return P(1, 2)", "assert f(0) == (1, 2)"),
    (
        "from decimal import Decimal\ndef f(x): return Decimal('0.1')",
        "from decimal import *; assert f(0) == Decimal('.1')",
    ),
    (
        "from fractions import *\ndef f(x): return Fraction(x, 3)",
        "from fractions import *; assert f(2) == Fraction(2, 3)",
    ),
    ("def f(a, *, b=1): return a - b", "assert f(1, b=3) == -2 and f(a=1) == 0"),
    ("import math\ndef sum(a, b): return a + b", "import math; assert sum(1, 2) == 3"),
    ("LIMIT = 3\ndef f(x): return x", "assert LIMIT == 3"),
    ("import math\ndef f(x): return x", "assert f(2) == math.sqrt(4)"),
    ("def f(x): return int(x)", "try:\n f('x')\n assert False\nexcept ValueError as e:\n assert 'literal' in str(e)"),
    ("class E(KeyError): pass\ndef f(x): raise E(1)", "try:\n f(0)\n assert False\nexcept KeyError: pass"),
    ("def f(x): return lambda y: x + y", "assert f(1)(2) == 3"),
    (
        "class Stack:\n def __init__(self): self.items = []\n def push(self, x): self.items.append(x)",
        "s = Stack(); s.push(4); assert s.items == [4]",
    ),
    ("def f(x): return x", "def check(candidate):\n    assert candidate(1) == 1\ncheck(f)"),
    ("def f(x): return x", "def test_f():\n    assert f(1) == 1"),
    ("def f(x): return x", UNITTEST),
    ("from dataclasses import dataclass\n@dataclass\nclass P:\n x: 'int'\ndef f(x): return P(x).x", "assert f(1) == 1"),
    ("if __name__ == '__main__':\n input()\ndef f(x): return x", "assert f(1) == 1"),
    ("def f(x): print('noise'); return x", "assert f(1) == 1"),
]


@pytest.mark.parametrize(("program", "tests"), SEEN, ids=[program[:40] for program, _ in SEEN])
def test_tests_see_a_program_as_in_one_process(grader: ProgramGrader, program: str, tests: str):
    assert grader.grade(program, tests) == Outcome("correct", "")


FAILING = [
    # program, tests, verdict, what the reason names
    ("def f(x): return x", "def test_f():\n    assert f(1) == 2", "wrong", "AssertionError"),
    ("def f(x): return 2", UNITTEST, "wrong", "2 != 1"),
    ("def f(x): raise StopIteration", "assert all(map(f, [1]))", "wrong", "RuntimeError: StopIteration"),
    ("class E(Exception): pass\ndef f(x): raise E('so')", "f(1)", "wrong", "Exception: E: so"),
    ("def f(x) return x", "f(1)", "wrong", "SyntaxError"),
    ("import no_such_module", "f(1)", "wrong", "ModuleNotFoundError"),
    ("def g(x): return x", "f(1)", "wrong", "NameError: name 'f'"),
    ("def f(x): return bytearray(2**30)", "f(1)", "wrong", "memory limit of 256 MiB"),
    ("def f(x): return 'x' * 2**25", "f(1)", "wrong", "output limit"),
    ("import os\ndef f(x): os._exit(0)", "f(1)", "wrong", "ended before its tests"),
    ("def f(x):\n while True: pass", "f(1)", "wrong", "time-out after 1 s"),
    ("def all(xs): return True", "assert all(f(x) for x in [1])", "wrong", "NameError: name 'f'"),
    ("def f(x): return x", "import no_such_module\nf(1)", "unverifiable", "ModuleNotFoundError"),
    ("def f(x): return x", "assert f(1 == 1", "unverifiable", "SyntaxError"),
    ("def f(x): return x", "f(lambda: 1)", "unverifiable", "a function cannot be handed to the program"),
    ("def f(x): return x", "assert 1 == 1", "unverifiable", "nothing of the program"),
    ("def f(x): return x", "try: f(lambda: 1)\nexcept: pass", "unverifiable", "a function cannot be handed"),
    ("def f(x):\n while True: pass", "try: f(1)\nexcept: pass", "wrong", "time-out"),
    ("def f(x): return x", "def check(): f(1)", "unverifiable", "nothing of the program"),
    ("def sum(x): return 3\ndef abs(x): return 0", "assert abs(sum([1])) == 0", "unverifiable", "nothing of the"),
    ("def f(x): return x", "f(1); import os; os._exit(0)", "unverifiable", "lost its own processes"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "tests", "verdict", "reason"), FAILING, ids=[reason for *_, reason in FAILING])
def test_a_reason_tells_the_programs_fault_from_the_graders(
    grader: ProgramGrader, program: str, tests: str, verdict: str, reason: str
):
    outcome = grader.grade(program, tests)

    assert outcome.verdict == verdict, outcome
    assert reason in outcome.reason
    assert grader.grade(RIGHT, EXAM).verdict == "correct"


# --- cases of inputs and outputs

SUM = "print(sum(map(int, input().split())))"
CASES = [
    # program, cases, verdict, what the reason names
    (SUM, {"inputs": ["1 2\n", "3 4"], "outputs": ["3\n", "7"]}, "correct", ""),
    (SUM, {"inputs": [["1 2"], ["3 4"]], "outputs": [["3"], ["7"]]}, "correct", ""),
    (SUM, {"inputs": ["1 2", "3 4"], "outputs": ["3", "8"]}, "wrong", "case 2 of 2"),
    (SUM, {"inputs": ["x"], "outputs": ["0"]}, "wrong", "ValueError: invalid literal"),
    (SUM, {"inputs": ["1"], "outputs": []}, "unverifiable", "1 inputs and 0 outputs"),
    ("import os\nos.abort()", {"inputs": [""], "outputs": [""]}, "wrong", "ended by signal 6"),
    ("while True: print('x' * 1000)", {"inputs": [""], "outputs": [""]}, "wrong", "output limit"),
    ("while True: pass", {"inputs": [""], "outputs": [""]}, "wrong", "time-out"),
    ("import time; time.sleep(0.6); print()", {"inputs": ["", ""], "outputs": ["", ""]}, "correct", ""),
    ("import sys\nprint(1)\nsys.exit(0)", {"inputs": [""], "outputs": ["1"]}, "correct", ""),
    (
        "import threading\nthreading.Thread(target=lambda: print(input())).start()",
        {"inputs": ["7"], "outputs": ["7"]},
        "correct",
        "",
    ),
    (
        "import os\nprint(os.path.exists('x'), file=open('/dev/null', 'w'))\nn = globals().get('n', 0) + 1\nprint(n)",
        {"inputs": ["", ""], "outputs": ["1", "1"]},
        "correct",
        "",
    ),
    (
        "class Solution:\n def add(self, a, b): return a + b",
        {"fn_name": "add", "inputs": ["1\n2", "[1]\n[2]"], "outputs": ["3", "[1, 2]"]},
        "correct",
        "",
    ),
    ("def add(a, b): return (a, b)", {"fn_name": "add", "inputs": [[1, 2]], "outputs": [[1, 2]]}, "correct", ""),
    ("def add(a, b): return a + b", {"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}, "correct", ""),
    ("def add(a, b): return a", {"fn_name": "add", "inputs": ["1\n2"], "outputs": ["3"]}, "wrong", "case 1"),
    ("def other(a): return a", {"fn_name": "add", "inputs": ["1"], "outputs": ["1"]}, "wrong", "NameError"),
    ("def add(a): return a", {"fn_name": "add", "inputs": ["1,"], "outputs": ["1"]}, "unverifiable", "no JSON"),
]


@pytest.mark.parametrize(("program", "cases", "verdict", "reason"), CASES)
def test_a_program_is_run_on_cases(grader: ProgramGrader, program: str, cases: Any, verdict: str, reason: str):
    outcome = grader.grade(program, json.dumps(cases))

    assert outcome.verdict == verdict, outcome
    assert reason in outcome.reason


LINES = [
    # printed, wanted, is it the same
    ("1 2\n3\n", "1 2 \n3", True),
    ("1  2", "1 2", True),
    ("1\n2", "1 2", False),
    ("1\n\n2", "1\n2", False),
    ("0.333333349", "0.33333333", True),
    ("0.3334", "0.33333333", False),
    ("5.0", "5", True),
    ("5.0000001", "5", False),
    ("10000000000000001", "10000000000000000", False),
    ("nan", "1", False),
    ("yes", "YES", False),
    ("", "1", False),
]


@pytest.mark.parametrize(("printed", "wanted", "is_same"), LINES)
def test_lines_are_compared_as_text_or_as_numbers(printed: str, wanted: str, is_same: bool):
    assert same_lines(printed, wanted) == is_same


def test_results_are_compared_as_json_says():
    assert same({1: (2, 0.1 + 0.2)}, {"1": [2, 0.3]})
    assert not same({1: 2}, {"1": 3})
    assert not same([1, 2], [1])
    assert not same(None, [])
    assert not same(0.1, "0.1")


# --- values


def test_the_order_of_a_set_is_the_same_in_every_process():
    reasons = set()
    for _ in range(3):
        with ProgramGrader(params("process")) as grader:
            reasons.add(grader.grade("def f(): raise ValueError(str({'a', 'b', 'c', 'd', 'e', 'g'}))", "f()").reason)

    assert len(reasons) == 1


def test_an_endless_iterator_is_cut_and_says_so():
    import itertools

    found = decode(json.loads(json.dumps(encode(itertools.count(), lambda value: value))), lambda payload: payload)

    assert [next(found) for _ in range(MAX_ITEMS)] == list(range(MAX_ITEMS))
    with pytest.raises(ValueError, match="only the first"):
        next(found)


# --- hostile programs


@pytest.mark.skipif(bool(NO_BUBBLEWRAP), reason=f"no bubblewrap: {NO_BUBBLEWRAP}")
def test_graders_side_by_side_do_not_share_a_limit_on_processes():
    """Each leaves threads of one program running while the other starts as many."""
    threads = "import threading, time\nfor _ in range(6): threading.Thread(target=time.sleep, args=(0.5,)).start()\n"
    with (
        ProgramGrader(params("bubblewrap")) as one,
        ProgramGrader(params("bubblewrap")) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        outcomes = list(pool.map(lambda grader: grader.grade(threads + RIGHT, EXAM), (one, other)))

    assert outcomes == [Outcome("correct", "")] * 2


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def left_over(mark: str) -> list[str]:
    """Processes of hostile programs that still run: by their folder of work or by a mark in their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, folder = (process / "cmdline").read_bytes().decode(errors="replace"), os.readlink(process / "cwd")
        except OSError:
            continue
        if mark in words or (
            folder.startswith("/tmp/branchmerge-") and folder.removesuffix(" (deleted)").endswith("/work")
        ):
            found.append(f"{process.name}: {words} in {folder}")
    return found


def test_there_are_all_the_hostile_programs_each_with_its_intent():
    assert len(HOSTILE) == 54
    assert [path.name for path in HOSTILE if not path.read_text().startswith("# Tries to ")] == []
    assert BEYOND_A_PROCESS.keys() <= {path.stem for path in HOSTILE}


@pytest.mark.parametrize("path", HOSTILE, ids=[path.stem for path in HOSTILE])
def test_a_hostile_program_never_passes_and_harms_nothing(
    grader: ProgramGrader,
    path: Path,
    tmp_path: Path,
    listening: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
):
    isolation = grader._params.isolation
    if isolation == "process" and path.stem in BEYOND_A_PROCESS:
        pytest.skip(f"process isolation cannot hold it: {BEYOND_A_PROCESS[path.stem]}")
    monkeypatch.setenv("BRANCHMERGE_SECRET", SECRET)
    canary = tmp_path / "canary/file"
    canary.parent.mkdir()
    canary.write_text(SECRET)
    mark = str(10**6 + os.getpid())
    program = path.read_text()
    for name, value in {
        "CANARY": canary,
        "REPOSITORY": ROOT,
        "SECRET": SECRET,
        "PORT": listening,
        "MARK": mark,
    }.items():
        program = program.replace(f"@{name}@", str(value))
    exam = EXAM + ("assert (g(xs := [1]), xs) == ([1], [2])" if path.stem == "change_arguments" else "")

    outcome = grader.grade(program, exam)

    assert outcome.verdict != "correct", outcome
    assert "leaked" not in outcome.reason
    assert SECRET not in outcome.reason
    assert canary.read_text() == SECRET
    assert path.read_text().startswith("# Tries to ")
    assert grader.grade(RIGHT, EXAM) == Outcome("correct", "")
    assert _soon_nothing(lambda: left_over(mark)) == []


def _soon_nothing(find: Any) -> Any:
    """What is found, once nothing is or after some seconds: the kernel ends a sandbox in its own time."""
    for _ in range(50):
        if not (found := find()):
            return found
        time.sleep(0.1)
    return found


def test_hostile_output_of_a_case_is_only_output(grader: ProgramGrader):
    cases = json.dumps({"inputs": ["", ""], "outputs": ["1", "1"]})
    for name in ("write_protocol", "print_passed", "exit_zero", "swap_files", "close_files", "leave_daemon"):
        program = (ROOT / f"tests/hostile/{name}.py").read_text()
        assert grader.grade(program, cases).verdict == "wrong", name


def test_a_closed_grader_leaves_no_process_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = _children()  # such as the server of the workers that compare answers
    with ProgramGrader(params("process")) as grader:
        assert grader.grade(RIGHT, EXAM).verdict == "correct"
        assert len(_children()) > len(before)
        assert len(list(tmp_path.glob("branchmerge-*"))) == 2

    assert list(tmp_path.iterdir()) == []
    assert _children() == before


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_a_missing_bubblewrap_is_one_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with ProgramGrader(params("bubblewrap")) as grader, pytest.raises(StageError) as raised:
        grader.grade(RIGHT, EXAM)
    assert "apt-get install bubblewrap" in str(raised.value)
    assert "verify.isolation to process" in str(raised.value)


def test_a_bubblewrap_that_may_not_make_namespaces_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(StageError, match="No permissions to create a new namespace"):
        sandbox.check("bubblewrap")


# --- real data sets

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}: real programs are not graded")

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


@needs_data
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


PLUS = """
import numpy as np
def assertion(out, exp, atol):
    if atol:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert out == exp
inputs, results = [[[1.0, 2.0]], [[3.0]]], [1.5, 3.0]
for inp, out in zip(inputs, results):
    assertion(mean(*inp), out, 1e-6)
"""


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        ("def mean(xs): return sum(xs) / len(xs) + 1e-9", "correct"),
        ("def mean(xs): return 0", "wrong"),
        ("import numpy\ndef mean(xs): return 0", "wrong"),
    ],
)
def test_tests_may_use_numpy_and_programs_may_not(grader: ProgramGrader, program: str, verdict: str):
    assert grader.grade(program, PLUS).verdict == verdict
