"""The process that holds the untrusted program and answers requests about it; it knows no expected value.

A program may patch, read and break everything here: all it can gain is to answer with other values.
Requests: {"choose": names or null}, then {"stdin": text}, or {"names": [..]}, {"call": handle, "args", "kwargs"},
{"get": handle, "name"}.
Stdlib only; started by `sandbox`, never imported by the build.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from types import CodeType, ModuleType

from branchmerge.programs import prelude
from branchmerge.programs.blocks import choose
from branchmerge.programs.serving import Link, NumpyFinder, limit, start
from branchmerge.programs.values import decode, encode

TYPE_CHECKING = False  # that of typing takes 4 ms of every start
if TYPE_CHECKING:
    from typing import Any

_MAX_ERROR_BYTES = 500


class _NoInput(io.RawIOBase):
    """A standard input that is empty, and knows whether the program read it."""

    is_read = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0

    def readinto(self, _: Any) -> int:
        _NoInput.is_read = True
        return 0


class Player:
    """One program: loaded at the first request, its objects kept by their handles."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._objects: list[Any] = []
        self._handles: dict[int, int] = {}
        self._scope: dict[str, Any] | None = None
        self._source = ""
        sys.meta_path.append(NumpyFinder(job["packages"]))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked; raises what the program raises."""
        if "choose" in request:
            self._source = choose(self._job["texts"], request["choose"])
            return {}
        if "stdin" in request:
            return _run(self._code("__main__"), request["stdin"], self._job)
        if self._scope is None:
            limit(self._job["limits"])
            self._scope = _loaded(self._code("program"))
        if "names" in request:
            found = [name for name in request["names"] if name in self._scope]
            return {"names": {name: self._named(self._scope[name]) for name in found}}
        if "get" in request:
            return {"value": self._encoded(getattr(self._objects[request["get"]], request["name"]))}
        return self._call(request)

    def _code(self, name: str) -> CodeType:
        return compile(self._source, name, "exec", dont_inherit=True)

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        args = decode(request["args"], self._resolve)
        kwargs = decode(request["kwargs"], self._resolve)
        value = self._encoded(self._objects[request["call"]](*args, **kwargs))
        after = [
            item if _is_iterator(item) else self._encoded(arg) for item, arg in zip(request["args"], args, strict=True)
        ]
        return {"value": value} if after == request["args"] else {"value": value, "args": after}

    def _named(self, value: Any) -> Any:
        return {"module": value.__name__} if isinstance(value, ModuleType) else self._encoded(value)

    def _encoded(self, value: Any) -> Any:
        return encode(value, self._refer)

    def _refer(self, value: Any) -> list[Any]:
        handle = self._handles.setdefault(id(value), len(self._objects))
        if handle == len(self._objects):
            self._objects.append(value)  # kept, so that its id stays its own
        return [handle, type(value).__name__]

    def _resolve(self, payload: list[Any]) -> Any:
        return self._objects[payload[0]]


def _is_iterator(item: Any) -> bool:
    """Whether an encoded argument is an iterator: it is used up by now and comes back to nobody."""
    return isinstance(item, dict) and "iterator" in item


def _module(code: CodeType, name: str) -> dict[str, Any]:
    """The names of a module for a program, which dataclasses and pickle look up by its name."""
    module = sys.modules[name] = ModuleType(name)
    if prelude.is_for(code):
        module.__dict__["__builtins__"] = prelude.with_names()
    return module.__dict__


def _loaded(code: CodeType) -> dict[str, Any]:
    """What a program defines until it ends, or wants input for an example, which there is none here."""
    scope = _module(code, "program")
    sys.stdin = io.TextIOWrapper(io.BufferedReader(_NoInput()))
    try:
        exec(code, scope)
    except SystemExit:
        pass
    except Exception:
        if not _NoInput.is_read:
            raise
    return scope


def _described(error: BaseException) -> dict[str, Any]:
    """The names of an exception's classes, nearest first, and its text."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    try:
        return {"kinds": kinds, "message": "".join(str(error))[:_MAX_ERROR_BYTES]}
    except BaseException:  # its own __str__ may raise anything
        return {"kinds": kinds, "message": ""}


def _run(code: CodeType, text: str, job: dict[str, Any]) -> dict[str, Any]:
    """One run of a program that reads stdin: in a fork, so that no run sees another's leftovers."""
    source = os.memfd_create("stdin")
    with open(os.dup(source), "wb") as file:
        file.write(text.encode())
    os.lseek(source, 0, os.SEEK_SET)
    out_reader, out_writer = os.pipe()
    error_reader, error_writer = os.pipe()
    child = os.fork()
    if child == 0:
        _run_child(code, source, out_writer, error_writer, job)
    for fd in (source, out_writer, error_writer):
        os.close(fd)
    output = _read(out_reader, job["max_output_bytes"])
    if output is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    complaint = os.read(error_reader, _MAX_ERROR_BYTES).decode(errors="replace")
    os.close(error_reader)
    if output is None:
        return {"ended": "output limit"}
    if complaint or os.WIFSIGNALED(status):
        return {"ended": complaint or f"ended by signal {os.WTERMSIG(status)}"}
    return {"output": output.decode(errors="replace")}


def _read(reader: int, max_bytes: int) -> bytes | None:
    """All that comes, or None where it is too much."""
    with open(reader, "rb") as file:
        read = file.read(max_bytes + 1)
    return read if len(read) <= max_bytes else None


def _run_child(code: CodeType, source: int, out_writer: int, error_writer: int, job: dict[str, Any]) -> None:
    os.dup2(source, 0)
    os.dup2(out_writer, 1)
    try:
        limit(job["limits"])
        with contextlib.suppress(SystemExit):
            exec(code, _module(code, "__main__"))
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()  # it waits for the program's threads
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()
        sys.stdout.flush()
    except BaseException as error:
        described = _described(error)
        os.write(error_writer, f"{described['kinds'][0]}: {described['message']}".encode()[:_MAX_ERROR_BYTES])
    finally:
        os._exit(0)


def play(socket_fd: int) -> None:
    """Answer requests about one program until the other side hangs up."""
    link = Link(socket_fd)
    link.send("ready")
    player = Player(link.receive())
    while True:
        request = link.receive()
        try:
            link.send(player.answer(request))
        except BaseException as error:  # a program may raise anything, and its value may be too large to send
            link.send({"error": _described(error)})


def main() -> None:
    """Play one program, or serve."""
    compile("", "nothing", "exec")  # the first call makes a hundred types, 2 ms that no fork should pay again
    start(play)
