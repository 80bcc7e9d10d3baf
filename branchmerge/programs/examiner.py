"""The process that holds the tests and runs them against a program that is somewhere else.

The tests see the program's functions as remote calls and its results as plain values, so nothing in
the program can reach them. Stdlib only; started by `sandbox`, never imported by the build.
"""

import ast
import builtins
import contextlib
import importlib
import symtable
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from branchmerge.programs import cases
from branchmerge.programs.blocks import defined_in, names_in, used_in
from branchmerge.programs.remote import Program, ProgramError, TestsError
from branchmerge.programs.serving import Link, NumpyFinder, limit, start

_MAX_REASON = 200
_FAILING = ("assert", "exit", "fail")  # in names of what tests call
_SOLUTION = "solution"  # the module that tests of KodCode import from
_UNUSED = "they use nothing of the program"


def examine(grader_fd: int, player_fd: int) -> None:
    """Run the tests of one program and send the verdict: correct, wrong, or unverifiable with its reason."""
    link = Link(grader_fd)
    job = link.receive()
    limit(job["limits"])
    sys.meta_path.append(NumpyFinder(job["packages"]))
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
    reason = str(error) if isinstance(error, ProgramError | TestsError) else f"{type(error).__name__}: {error}"
    is_remote = getattr(error, "is_remote", False)
    if isinstance(error, SystemExit) and not (is_remote or error.code):
        return "unverifiable", "tests: they end themselves"
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
    tree = ast.parse(tests)
    can_fail, table = _can_fail(tree), symtable.symtable(tests, "tests", "exec")
    program.choose(_asked(table, tree))
    scope: dict[str, Any] = {"__name__": "tests"}
    scope |= _modules_in(tree, used_in(table) - defined_in(table)) | _names_of_the_program(program, set(names_in(code)))
    sys.modules[_SOLUTION] = _Solution(program)
    exec(code, scope)
    for test in list(_tests_in(scope, used_in(table))):
        test()
    if "unittest" in sys.modules:
        _run_unittests(scope)
    if program.is_used and not can_fail:
        raise TestsError("they assert nothing")


def _tests_in(scope: dict[str, Any], used: set[str]) -> Iterator[Callable[[], Any]]:
    """Functions test_*, and those of classes Test*, as pytest finds them.

    Raises:
        TestsError: One wants an argument, and no other test calls it.
    """
    for name, value in scope.items():
        if isinstance(value, FunctionType) and name.startswith("test"):
            if not (wanted := _arguments(value)):
                yield value
            elif name not in used:
                raise TestsError(f"{name} wants {wanted[0]}, which only pytest has")
        elif isinstance(value, type) and name.startswith("Test") and value.__module__ == "tests":
            yield partial(_run_class, value)


def _run_class(kind: type) -> None:
    """Run each test of a class on an object of its own; those of unittest are run by it."""
    if not hasattr(kind, "assertEqual"):
        for name in [name for name in dir(kind) if name.startswith("test")]:
            case = kind()
            for method in filter(None, (getattr(case, "setup_method", None), getattr(case, name))):
                if wanted := _arguments(method)[1:]:
                    raise TestsError(f"{method.__name__} wants {wanted[0]}, which only pytest has")
                method()


def _arguments(function: Any) -> tuple[str, ...]:
    """The arguments that a function must be given, self included."""
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())])


def _run_unittests(scope: dict[str, Any]) -> None:
    unittest = importlib.import_module("unittest")
    for case in [value for value in scope.values() if isinstance(value, type)]:
        if issubclass(case, unittest.TestCase):
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
            for _, trace in [*result.failures, *result.errors]:
                raise AssertionError(trace.strip().splitlines()[-1])


class _Solution(ModuleType):
    """The program as a module: the tests of KodCode import from it."""

    def __init__(self, program: Program) -> None:
        super().__init__(_SOLUTION)
        self.__dict__["_program"] = program

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.__dict__["_program"].names([name])
        if name not in found:
            raise NameError(f"name {name!r} is not defined")
        return found[name]


def _can_fail(tree: ast.Module) -> bool:
    """Whether tests look at any result: they assert, raise, or call what does so by its name.

    Raises:
        TestsError: They do not even call anything: words, or something packed.
    """
    nodes = list(ast.walk(tree))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    names = [str(getattr(function, "attr", getattr(function, "id", ""))) for function in called]
    if any(isinstance(node, ast.Assert | ast.Raise) for node in nodes):
        return True
    if not called:
        raise TestsError("they assert nothing and call nothing")
    return any(word in name.casefold() for name in names for word in _FAILING)


def _asked(table: symtable.SymbolTable, tree: ast.Module) -> list[str]:
    """The names that tests use and do not define, and those that they import from the program; Python's own last."""
    used = used_in(table) - defined_in(table)
    nodes = list(ast.walk(tree))
    imported = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules = {alias.asname or alias.name for alias in imported if alias.name == _SOLUTION}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == _SOLUTION:
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            used.add(node.attr)
    return sorted(used - set(dir(builtins)) or used)


def _modules_in(tree: ast.Module, undefined: set[str]) -> dict[str, Any]:
    """Modules of Python that tests use as such and do not import. What the program calls so goes before."""
    bases = [node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names = {base.id for base in bases if isinstance(base, ast.Name)} & undefined & sys.stdlib_module_names
    modules = {}
    for name in sorted(names):
        with contextlib.suppress(ImportError):  # of another system
            modules[name] = importlib.import_module(name)
    return modules


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
