"""The process that holds the tests and runs them against a program that is somewhere else.

The tests see the program's functions as remote calls and its results as plain values, so nothing in
the program can reach them. Stdlib only; started by `sandbox`, never imported by the build.
"""

import builtins
import importlib
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from branchmerge.programs import cases
from branchmerge.programs.remote import Program, ProgramError, TestsError
from branchmerge.programs.serving import Link, limit, start

_MAX_REASON = 200
_UNUSED = "they use nothing of the program"


def examine(grader_fd: int, player_fd: int) -> None:
    """Run the tests of one program and send the verdict: correct, wrong, or unverifiable with its reason."""
    link = Link(grader_fd)
    job = link.receive()
    limit(job["limits"])
    sys.path += job["packages"]
    program = Program(player_fd, job["wall_s"], job["max_bytes"])
    try:
        program.wait_until_ready()
        if isinstance(job["tests"], str):
            _run_tests(program, job["tests"])
        else:
            cases.run(program, job["tests"])
        verdict, reason = _passed(program)
    except BaseException as error:  # tests may raise anything, and so may the program through them
        verdict, reason = _judged(program, error)
    link.send({"verdict": verdict, "reason": reason[:_MAX_REASON]})


def _passed(program: Program) -> tuple[str, str]:
    """The verdict where the tests came to their end, perhaps past an exception that they caught."""
    if program.unfit:
        return "unverifiable", f"tests: {program.unfit}"
    if program.ended:
        return "wrong", program.ended
    if not program.is_used:
        return "unverifiable", f"tests: {_UNUSED}"
    return "correct", ""


def _judged(program: Program, error: BaseException) -> tuple[str, str]:
    """Whose fault an exception is: the program's, unless it can only be that of the tests or of this process."""
    if program.ended or program.unfit:
        return _passed(program)
    reason = str(error) if isinstance(error, ProgramError) else f"{type(error).__name__}: {error}"
    is_remote = getattr(error, "is_remote", False)
    if isinstance(error, TestsError | ImportError | MemoryError) and not is_remote:
        return "unverifiable", f"tests: {reason}"
    if isinstance(error, SyntaxError) and error.filename == "tests" and not is_remote:
        return "unverifiable", f"tests: {reason}"
    if not (program.is_used or is_remote or isinstance(error, NameError)):
        return "unverifiable", f"tests: {_UNUSED}: {reason}"
    return "wrong", reason


def _run_tests(program: Program, tests: str) -> None:
    """Run Python tests: the text itself, then its functions test_* and its unittest classes."""
    code = compile(tests, "tests", "exec", dont_inherit=True)
    scope: dict[str, Any] = {"__name__": "tests"}
    scope |= _names_of_the_program(program, set(_names(code)))
    exec(code, scope)
    for name, value in list(scope.items()):
        if name.startswith("test") and isinstance(value, FunctionType) and not value.__code__.co_argcount:
            value()
    if "unittest" in sys.modules:
        _run_unittests(scope)


def _run_unittests(scope: dict[str, Any]) -> None:
    unittest = importlib.import_module("unittest")
    for case in [value for value in scope.values() if isinstance(value, type)]:
        if issubclass(case, unittest.TestCase):
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
            for _, trace in [*result.failures, *result.errors]:
                raise AssertionError(trace.strip().splitlines()[-1])


def _names(code: CodeType) -> Iterator[str]:
    """Every name that a piece of code or a function in it looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _names_of_the_program(program: Program, names: set[str]) -> dict[str, Any]:
    """What the program gives to the tests: none of Python's own names, or it could bring its own `all`.

    If that is nothing but modules and the tests use one builtin, the program is called so (Mbpp/126 defines sum).
    """
    pythons = names & set(dir(builtins))
    found = program.names(sorted(name for name in names - pythons if not name.startswith("__")))
    if len(pythons) != 1 or any(not isinstance(value, ModuleType) for value in found.values()):
        return found
    return found | program.names([*pythons])


def main() -> None:
    """Examine one program after the other."""
    compile("", "nothing", "exec")  # see player.py
    start(examine)
