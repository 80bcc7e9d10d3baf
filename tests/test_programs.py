"""A program passes by its values alone, and its tests see it as they would in one process."""

import itertools
import json

import pytest

from branchmerge.programs.blocks import block
from branchmerge.programs.grader import Outcome, ProgramGrader
from branchmerge.programs.values import MAX_ITEMS, decode, encode
from tests.programs import EXAM, RIGHT, params

pytestmark = pytest.mark.slow  # a hundred programs, each in processes of its own


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
    ("def f(x): return x", "class TestF:\n    def test_f(self, x=1):\n        assert f(1) == x"),
    ("def f(x): return x", "def test_f(x=1):\n    assert f(1) == x"),
    ("def f(x): return x", "def test_of(x):\n    assert f(x) == x\ntest_of(1)"),
    ("def f(x): return x", "import numpy as np\nnp.testing.assert_allclose(f(1), 1)"),
    ("from dataclasses import dataclass\n@dataclass\nclass P:\n x: 'int'\ndef f(x): return P(x).x", "assert f(1) == 1"),
    ("if __name__ == '__main__':\n input()\ndef f(x): return x", "assert f(1) == 1"),
    ("def f(x): print('noise'); return x", "assert f(1) == 1"),
]


@pytest.mark.parametrize(("program", "tests"), SEEN, ids=[program[:40] for program, _ in SEEN])
def test_tests_see_a_program_as_in_one_process(grader: ProgramGrader, program: str, tests: str):
    assert grader.grade(program, tests) == Outcome("correct", "")


SETUP = "class TestF:\n def setup_method(self): self.x = f(1)\n def test_f(self): assert self.x == 1"
FAILING = [
    # program, tests, verdict, what the reason names
    ("def f(x): return x", "def test_f():\n    assert f(1) == 2", "wrong", "AssertionError"),
    ("def f(x): return 2", UNITTEST, "wrong", "2 != 1"),
    ("def f(x): return 2", "class TestF:\n def test_f(self): assert f(1) == 1", "wrong", "AssertionError"),
    ("def f(x): return 2", SETUP, "wrong", "AssertionError"),
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


def test_tests_may_forget_to_import_a_module_of_python(grader: ProgramGrader):
    tests = "assert math.isclose(f(2), 4)"

    assert grader.grade(RIGHT, tests) == Outcome("correct", "")
    assert grader.grade(f"import math\n{RIGHT}", tests) == Outcome("correct", "")
    assert grader.grade("def f(x): return x", tests).verdict == "wrong"
    assert grader.grade("def f(x): return x", "assert queue.f(1)").verdict == "unverifiable"
    assert grader.grade("nt = lambda: 0\nnt.f = lambda: 1", "assert nt.f() == 1").verdict == "correct"
    assert grader.grade("class queue:\n def f(x): return x", "assert queue.f(1) == 1").verdict == "correct"


@pytest.mark.parametrize("end", ["exit", "quit", "__import__('sys').exit"])
def test_tests_that_exit_fail_by_a_code_only(grader: ProgramGrader, end: str):
    tests = f"assert f(2) < 5\n{end}(f(2) != 4)\nassert f(0)"

    assert grader.grade(RIGHT, tests) == Outcome("unverifiable", "tests: they end themselves")
    assert grader.grade("def f(x): return x", tests) == Outcome("wrong", "SystemExit: True")
    assert grader.grade(f"def f(x): {end}(0)", tests).verdict == "wrong"


UNASSERTED = {
    "words": "see the problem",
    "a word": "eJxrYJmay",
    "a list": "['1', '2']",
    "nothing": "",
    "a comparison": "f(1) == 2",
    "a comparison in a test": "def test_f():\n    f(1) == 2",
    "what is printed": "print(f(1))",
    "pytest's fixture": "def test_f(capsys):\n    assert f(1) == 2\nassert f(1) == 1",
    "pytest's fixture in a class": "class TestF:\n    def test_f(self, capsys):\n        assert f(1) == 2",
    "pytest's setup": "class TestF:\n    def setup_method(self, method): ...\n    def test_f(self): assert f(1) == 1",
    "pytest": "import pytest\ndef test_f():\n    with pytest.raises(ValueError):\n        f('')",
}


@pytest.mark.parametrize("tests", UNASSERTED.values(), ids=UNASSERTED)
def test_tests_that_nothing_can_fail_are_unverifiable(grader: ProgramGrader, tests: str):
    assert grader.grade("def f(x): return x", tests).verdict == "unverifiable"


KODCODE = {
    "a function": "from solution import f\ndef test_f():\n    assert f(1) == 2",
    "another name": "from solution import f as g\ndef test_f():\n    assert g(1) == 2",
    "all": "from solution import *\ndef test_f():\n    assert f(1) == 2",
    "the module": "import solution\ndef test_f():\n    assert solution.f(1) == 2",
    "the module by another name": "import solution as s\ndef test_f():\n    assert s.f(1) == 2",
    "within a test": "def test_f():\n    from solution import f\n    assert f(1) == 2",
    "python's name": "from solution import sum\ndef test_f():\n    assert sum(1) == 3",
}


@pytest.mark.parametrize("tests", KODCODE.values(), ids=KODCODE)
def test_tests_import_the_program_as_kodcode_does(grader: ProgramGrader, tests: str):
    program = "def f(x): return x + 1\ndef sum(x): return x + 2"

    assert grader.grade(program, tests) == Outcome("correct", "")
    assert grader.grade("def f(x): return x\ndef sum(x): return x", tests).verdict == "wrong"
    assert grader.grade("def g(x): return x", tests).reason.startswith("NameError: name '")


EXAMPLES = {
    "input": "x = int(input())\nprint(f(x))",
    "stdin": "import sys\nn = int(sys.stdin.readline())",
    "bytes": "import sys\ndata = sys.stdin.buffer.read().split()\nn = int(data[0])",
    "lines": "import sys\nn, = [int(line) for line in sys.stdin]",
    "an end": "print(f(1))\nexit()",
    "an end with a code": "import sys\nsys.exit(1)",
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_that_wants_input_or_ends_the_program_leaves_what_it_defined(grader: ProgramGrader, example: str):
    assert grader.grade(f"{RIGHT}\n{example}", EXAM) == Outcome("correct", "")
    assert grader.grade(f"def f(x): return 1\n{example}", EXAM).verdict == "wrong"
    assert grader.grade(f"{example}\n{RIGHT}".replace("print(f(1))", ""), EXAM).verdict == "wrong"


def test_a_program_that_fails_by_itself_is_wrong(grader: ProgramGrader):
    assert grader.grade(f"{RIGHT}\nassert f(2) == 5", EXAM) == Outcome("wrong", "AssertionError: ")
    assert grader.grade(f"import sys\nread = sys.stdin.readline\n{RIGHT}\n1 / 0", EXAM).verdict == "wrong"


PATCHED = """
import sys
frame = sys._getframe()
while frame:
    if "_described" in frame.f_globals:
        frame.f_globals["_described"] = lambda error: {"kinds": ["X"], "message": ""}
    frame = frame.f_back
def f(x): raise ValueError
"""


@pytest.mark.parametrize("tests", ["assert all(map(f, [1]))", "for got in map(f, [1]):\n    assert got == 1"])
def test_an_exception_that_no_name_fits_ends_no_iteration(grader: ProgramGrader, tests: str):
    assert grader.grade(PATCHED, tests).verdict == "wrong"


def test_a_value_that_the_tests_define_themselves_is_no_use_of_the_program(grader: ProgramGrader):
    tests = "def check(candidate):\n    assert candidate(1) == 2"

    assert grader.grade("check = 0", tests).verdict == "unverifiable"


BLOCKS = [block(RIGHT, rank=2), block("print(f(2))", rank=2) | {"start": 5}, block("4") | {"start": 9}]


def test_the_block_that_the_tests_ask_for_is_run(grader: ProgramGrader):
    assert grader.grade([BLOCKS], EXAM) == Outcome("correct", "")
    assert grader.grade([BLOCKS], "import math\ndef check(g):\n    assert g(3) == 9\ncheck(f)").verdict == "correct"
    assert grader.grade([BLOCKS], "from solution import f\nf = f\nassert f(3) == 9").verdict == "correct"
    assert grader.grade([BLOCKS], "import solution as s\nassert s.f(3) == 9").verdict == "correct"


# --- values


def test_the_order_of_a_set_is_the_same_in_every_process():
    reasons = set()
    for _ in range(3):
        with ProgramGrader(params("process")) as grader:
            reasons.add(grader.grade("def f(): raise ValueError(str({'a', 'b', 'c', 'd', 'e', 'g'}))", "f()").reason)

    assert len(reasons) == 1


def test_an_endless_iterator_is_cut_and_says_so():
    found = decode(json.loads(json.dumps(encode(itertools.count(), lambda value: value))), lambda payload: payload)

    assert [next(found) for _ in range(MAX_ITEMS)] == list(range(MAX_ITEMS))
    with pytest.raises(ValueError, match="only the first"):
        next(found)


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
        ("import numpy as np\ndef mean(xs): return np.mean(xs)", "correct"),
    ],
)
def test_tests_may_use_numpy(grader: ProgramGrader, program: str, verdict: str):
    assert grader.grade(program, PLUS).verdict == verdict
