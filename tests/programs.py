"""What the tests of programs share: the isolations, short limits, and a first program with its tests."""

from typing import Any

import pytest

from branchmerge.grading.judge import VerifyParams
from branchmerge.programs import sandbox
from branchmerge.programs.grader import ProgramParams

NO_BUBBLEWRAP = sandbox.bubblewrap_problem()
needs_bubblewrap = pytest.mark.skipif(bool(NO_BUBBLEWRAP), reason=f"no bubblewrap: {NO_BUBBLEWRAP}")
ISOLATIONS = ["process", pytest.param("bubblewrap", marks=needs_bubblewrap)]
EXAM = """
assert all(f(x) == x * x for x in range(5))
assert abs(f(3) - 9) < 1e-6
assert isinstance(f(4), int)
assert sorted([f(2), f(1)]) == [1, 4]
"""
RIGHT = "def f(x): return x * x"


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


def verify_params(**changed: Any) -> VerifyParams:
    """The params of a judge, in processes."""
    settings: dict[str, Any] = {
        "grader": "auto",
        "relative_tolerance": 1e-3,
        "unit_may_be_missing": False,
        "wall_s": 10,
        "memory_mib": 1024,
    }
    return VerifyParams(**params("process").model_dump() | settings | changed)
