"""A program is run on inputs, and what it prints or returns is compared with outputs."""

import json
from typing import Any

import pytest

from branchmerge.programs.cases import same, same_lines
from branchmerge.programs.grader import Outcome, ProgramGrader

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
    ("print(1)\nexit()", {"inputs": [""], "outputs": ["1"]}, "correct", ""),
    ("print(1)\nquit(0)\nprint(2)", {"inputs": [""], "outputs": ["1"]}, "correct", ""),
    ("import atexit\natexit.register(print, 2)\nprint(1)", {"inputs": [""], "outputs": ["1\n2"]}, "correct", ""),
    ("@__import__('atexit').register\ndef end(): print(1)\nexit()", {"inputs": [""], "outputs": ["1"]}, "correct", ""),
    ("import atexit\natexit.register(print, 2)", {"inputs": [""], "outputs": ["1"]}, "wrong", "case 1"),
    ("\ufeffprint(1)", {"inputs": [""], "outputs": ["1"]}, "correct", ""),
    ("print('010')", {"inputs": [""], "outputs": ["10"]}, "wrong", "case 1"),
    ("import numpy as np\nprint(np.arange(3).sum())", {"inputs": [""], "outputs": ["3"]}, "correct", ""),
    (
        "import numpy as np\ndef add(a): return np.array(a).sum()",
        {"fn_name": "add", "inputs": [[[1, 2]]], "outputs": [3]},
        "correct",
        "",
    ),
    (
        "import numpy as np\ndef add(a): return [np.int8(a), np.float32(a), np.bool_(a)]",
        {"fn_name": "add", "inputs": [[1]], "outputs": [[1, 1.0, True]]},
        "correct",
        "",
    ),
    (
        "import numpy as np\ndef add(a): return np.longdouble(a)",
        {"fn_name": "add", "inputs": [[1]], "outputs": [1]},
        "wrong",
        "case 1",
    ),
    ("import branchmerge", {"inputs": [""], "outputs": [""]}, "wrong", "No module named 'branchmerge'"),
    ("import pydantic", {"inputs": [""], "outputs": [""]}, "wrong", "No module named 'pydantic'"),
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


@pytest.mark.slow
@pytest.mark.parametrize(("program", "cases", "verdict", "reason"), CASES)
def test_a_program_is_run_on_cases(grader: ProgramGrader, program: str, cases: Any, verdict: str, reason: str):
    outcome = grader.grade(program, json.dumps(cases))

    assert outcome.verdict == verdict, outcome
    assert reason in outcome.reason


LEETCODE = {
    "List": "def total(self, nums: List[int]) -> int: return sum(nums)",
    "Optional": "def total(self, nums: Optional[List[int]], node: Optional[TreeNode] = None): return sum(nums)",
    "Counter": "def total(self, nums): return sum(k * v for k, v in Counter(nums).items())",
    "collections": "def total(self, nums): return sum(collections.deque(nums))",
    "inf": "def total(self, nums): return sum(nums) if -inf < inf else 0",
    "math": "def total(self, nums): return int(math.fsum(nums))",
    "heappop": "def total(self, nums):\n  heapify(nums)\n  return heappop(nums) + sum(nums)",
    "cache": "@cache\n def one(self, x): return x\n def total(self, nums): return sum(map(self.one, nums))",
    "accumulate": "def total(self, nums): return [*accumulate(nums)][bisect_left(nums, nums[-1])]",
    "reduce": "def total(self, nums): return reduce(lambda a, b: a + b, nums)",
    "pow": "def total(self, nums): return pow(sum(nums), 1, 1000)",
    "ListNode": "def total(self, nums):\n  node = ListNode(sum(nums), ListNode())\n  return node.val",
    "a deep recursion": "def total(self, nums, n=9000): return self.total(nums, n - 1) if n else sum(nums)",
}


@pytest.mark.slow
@pytest.mark.parametrize("method", LEETCODE.values(), ids=LEETCODE)
def test_a_class_solution_has_leetcodes_names(grader: ProgramGrader, method: str):
    cases = json.dumps({"fn_name": "total", "inputs": ["[1,2,3]"], "outputs": ["6"]})

    assert grader.grade(f"class Solution:\n {method}", cases) == Outcome("correct", "")


@pytest.mark.slow
def test_leetcodes_names_are_neither_the_tests_nor_another_programs(grader: ProgramGrader):
    solution = "class Solution:\n def f(self, x): return x"

    assert grader.grade(solution, "assert Solution().f(2) < inf").reason == "NameError: name 'inf' is not defined"
    assert grader.grade("def f(x: List[int]): return x", "f(1)").reason == "NameError: name 'List' is not defined"
    assert grader.grade(f"Counter = 3\n{solution}", "assert Solution().f(3) == Counter").verdict == "correct"


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
    ("010", "10", False),
    ("10", "010", False),
    ("1_0", "10", False),
    ("10", "1_0", False),
    ("00", "0", False),
    ("-07", "-7", False),
    ("01.5", "1.5", False),
    ("1_0.5", "10.5", False),
    ("\u0661\u0660", "10", False),
    ("inf", "infinity", False),
    ("1e1", "10", True),
    ("10000000000000001.0", "10000000000000000", False),
    ("1e99999999999999999999", "1", False),
    ("1e400", "1e401", False),
    ("1" * 5000 + ".0", "1" * 5000, True),
    (".5", "0.5", True),
    ("1 010", "1 10", False),
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
