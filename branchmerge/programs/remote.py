"""A program in another process, as the tests see it: its names, its calls, its exceptions; stdlib only."""

import builtins
import importlib
import json
import socket
import sys
import time
from collections import deque
from typing import Any

from branchmerge.programs.channel import Channel, TooMuchError
from branchmerge.programs.values import decode, encode

# inside a generator or an iteration of the tests these would end it as if all were well
_ENDS_AN_ITERATION = {"StopIteration", "StopAsyncIteration", "GeneratorExit"}
_EXCEPTIONS: dict[str, type[BaseException]] = {
    name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}
_READY_S = 60  # a sandbox is up in 0.05 s; a busy machine may take its time
_MUTABLE = (list, dict, set, deque, bytearray)


class TestsError(BaseException):
    """The tests themselves cannot be run; a BaseException, so that no test swallows it."""


class ProgramError(Exception):
    """The program failed in a way that no builtin exception names."""


class EndedError(BaseException):
    """The program's process is of no more use; a BaseException, so that no test swallows it."""


class Program:
    """The program in its player, which gets a limited time to answer and a limited length to answer with.

    `ended` says why it can answer no more, `unfit` why the tests cannot ask it; both empty as long as all is
    well. `is_used` is whether any of it was.
    """

    def __init__(self, player_fd: int, wall_s: float, max_bytes: int) -> None:
        self._channel = Channel(socket.socket(fileno=player_fd), max_bytes)
        self._wall_s = self._left_s = wall_s
        self._asked: set[str] = set()
        self.is_used = False
        self.ended = ""
        self.unfit = ""

    def wait_until_ready(self) -> None:
        """Let the player start, which the program's time does not include.

        Raises:
            TestsError: It did not.
        """
        try:
            self._channel.receive(_READY_S)
        except (OSError, TooMuchError) as error:
            raise TestsError(f"no player: {type(error).__name__}") from None

    def restart_clock(self) -> None:
        """Give the program its whole time again."""
        self._left_s = self._wall_s

    def ask(self, **request: Any) -> dict[str, Any]:
        """What the program answers; raises what it raised."""
        reply = json.loads(self._exchange(json.dumps(request).encode() + b"\n"))
        if not isinstance(reply, dict):
            raise ProgramError("the program answered something that is no answer")
        if "error" in reply:
            raise _raised(reply["error"])
        return reply

    def _exchange(self, request: bytes) -> bytes:
        if not self.ended:
            start = time.monotonic()
            try:
                self._channel.send(request, self._left_s)
                reply = self._channel.receive(self._left_s)
                self._left_s -= time.monotonic() - start
                return reply
            except TimeoutError:
                self.ended = f"time-out after {self._wall_s:g} s"
            except TooMuchError:
                self.ended = "output limit"
            except OSError:
                self.ended = "ended before its tests"
        raise EndedError(self.ended)

    def choose(self, asked: list[str] | None) -> None:
        """Say what the tests ask for, before anything of the program runs: names, or None for stdin and stdout."""
        self._asked = set(asked or ())
        self.ask(choose=asked)

    def names(self, names: list[str]) -> dict[str, Any]:
        """The values of those names that the program defines; modules of the standard library are our own."""
        found = self.ask(names=names)["names"]
        values = {}
        for name in names:
            if name not in found:
                continue
            if isinstance(found[name], dict) and "module" in found[name]:
                if found[name]["module"] == name and name in sys.stdlib_module_names:
                    values[name] = importlib.import_module(name)
                continue
            values[name] = self.decoded(found[name])
            self.is_used |= name in self._asked and not isinstance(values[name], Remote)
        return values

    def call(self, handle: int, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call an object of the program; what it changed in place is changed here too."""
        self.is_used = True
        reply = self.ask(call=handle, args=encode(args, self._handle), kwargs=encode(kwargs, self._handle))
        value = self.decoded(reply["value"])
        for old, new in zip(args, self.decoded(reply.get("args", [])), strict=False):
            _write_back(old, new)
        return value

    def decoded(self, value: Any) -> Any:
        """A value of the program as our own."""
        return decode(value, lambda payload: Remote(self, payload))

    def _handle(self, value: Any) -> Any:
        if isinstance(value, Remote):
            return list(value.__dict__["_remote"][1:])
        self.unfit = f"a {type(value).__name__} cannot be handed to the program"
        raise TestsError(self.unfit)


class Remote:
    """An object of the program: it can be called and its attributes can be read, and it equals nothing."""

    def __init__(self, program: Program, payload: list[Any]) -> None:
        self.__dict__["_remote"] = (program, int(payload[0]), str(payload[1]))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        program, handle, _ = self.__dict__["_remote"]
        return program.call(handle, list(args), kwargs)

    def __getattr__(self, name: str) -> Any:
        program, handle, _ = self.__dict__["_remote"]
        if name.startswith("__"):
            raise AttributeError(name)
        return program.decoded(program.ask(get=handle, name=name)["value"])

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{self.__dict__['_remote'][2]} of the program>"


def _raised(error: dict[str, Any]) -> BaseException:
    """The program's exception as the nearest builtin one, marked as the program's."""
    own, *_ = names = [str(name) for name in error["kinds"]]
    # a program may send names that no exception has; without a default, next would end the tests' iteration
    nearest = next((kind for kind in map(_EXCEPTIONS.get, names) if kind is not None), ProgramError)
    message = str(error["message"])
    if nearest.__name__ in _ENDS_AN_ITERATION:
        nearest = RuntimeError
    if nearest.__name__ != own:
        message = f"{own}: {message}"
    try:
        raised: BaseException = nearest(message)
    except TypeError:  # UnicodeDecodeError and exception groups want more than a text
        raised = ProgramError(f"{own}: {message}")
    raised.is_remote = True  # type: ignore[attr-defined]  # any exception takes attributes
    return raised


def _write_back(old: Any, new: Any) -> Any:
    """Give an object the content it has after the call, keeping the objects in it where they can be told."""
    if type(old) is not type(new) or not isinstance(old, _MUTABLE):
        return new
    if isinstance(old, list):
        old[:] = [_kept(old, index, item) for index, item in enumerate(new)]
    elif isinstance(old, dict):
        values = {key: _write_back(old.get(key), value) for key, value in new.items()}
        old.clear()
        old.update(values)
    elif isinstance(old, bytearray):
        old[:] = new
    else:
        old.clear()
        old.extend(new) if isinstance(old, deque) else old.update(new)
    return old


def _kept(old: list[Any], index: int, item: Any) -> Any:
    """The object of the old list that an item of the new one is: an equal one, else the one in its place."""
    if not isinstance(item, _MUTABLE):
        return item
    for candidate in old[index : index + 1] + old:
        if type(candidate) is type(item) and candidate == item:
            return candidate
    return _write_back(old[index], item) if index < len(old) else item
