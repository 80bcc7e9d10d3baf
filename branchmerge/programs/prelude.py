"""The names that LeetCode gives a `class Solution`, whose starter code annotates with List and imports nothing.

They are those of LiveCodeBench's runner, with LeetCode's two nodes. They stand behind the program's own
names and Python's, as more builtins: tests never see them. Stdlib only.
"""

from __future__ import annotations

import builtins
import sys
from types import CodeType

TYPE_CHECKING = False  # that of typing takes 4 ms of every start
if TYPE_CHECKING:
    from typing import Any

_MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "typing"),
)
_NODES = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next

class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right
"""
_RECURSION_LIMIT = 50_000  # of LiveCodeBench's runner; LeetCode's is higher still


def is_for(code: CodeType) -> bool:
    """Whether a program has a class Solution."""
    return any(isinstance(part, CodeType) and part.co_name == "Solution" for part in code.co_consts)


def with_names() -> dict[str, Any]:
    """Python's builtins and, behind them, what LeetCode imports; recursion goes as deep as there."""
    names: dict[str, Any] = {"__name__": "leetcode"}
    lines = [f"from {module} import *" for module in _MODULES]
    lines += [f"import {module}" for module in _MODULES]  # after, or copy would be the function
    exec("\n".join(lines) + _NODES, names)
    sys.setrecursionlimit(_RECURSION_LIMIT)
    return names | vars(builtins)
