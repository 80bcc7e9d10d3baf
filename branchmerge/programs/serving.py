"""What the player and the examiner share: lines, limits, and a server that forks for each program; stdlib only."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import resource
import signal
import sys
from _sitebuiltins import Quitter

TYPE_CHECKING = False  # that of typing takes 4 ms of every start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class NumpyFinder:
    """Finds numpy, and nothing else, in the folders of packages: also where these hold a whole environment."""

    def __init__(self, packages: list[str]) -> None:
        self._packages = packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As importlib wants it."""
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, self._packages) if name == "numpy" else None


class Link:
    """JSON lines over one socket, both ways."""

    def __init__(self, socket_fd: int) -> None:
        self._reader = open(socket_fd, "rb")  # noqa: SIM115  # it lives as long as the process
        self._writer = open(os.dup(socket_fd), "wb")  # noqa: SIM115

    def receive(self) -> Any:
        """The next message; the process ends where there is none."""
        if not (line := self._reader.readline()):
            os._exit(0)
        return json.loads(line)

    def send(self, message: Any) -> None:
        """Send a message."""
        self._writer.write(json.dumps(message).encode() + b"\n")
        self._writer.flush()


def start(work: Callable[..., None]) -> None:
    """Become the process that argv describes: [root, "once" or "serve", user id or ""].

    Args:
        work: What to do for one program, given its sockets.
    """
    root, mode, user = sys.argv[1:]
    sys.argv[1:] = []
    sys.path.remove(root)
    for name in [name for name in sys.modules if name.split(".")[0] == "branchmerge"]:
        del sys.modules[name]
    for name in ("exit", "quit"):  # site's, which is not loaded
        setattr(builtins, name, Quitter(name, ""))
    if user:
        _become(int(user))
    connection = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    if mode == "once":
        _work(work, [connection])
    _serve(work, connection)


def limit(limits: dict[str, int]) -> None:
    """Set resource limits, by the names of setrlimit(2) without RLIMIT_; never above what they are."""
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))


def _become(user: int) -> None:
    """Leave root: its processes are not counted by RLIMIT_NPROC, and it may do too much."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def _work(work: Callable[..., None], sockets: list[int]) -> None:
    try:
        work(*sockets)
    finally:
        os._exit(0)


def _serve(work: Callable[..., None], connection: int) -> None:
    """Fork for the sockets that arrive together; end the child and whatever it started when told to."""
    import ctypes
    import gc
    import socket

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)  # daemons of a program become our children
    control = socket.socket(fileno=connection)
    gc.freeze()  # or every fork would copy what a collection touches
    while True:
        wanted, sockets, *_ = socket.recv_fds(control, 16, 2)
        if not sockets:
            return
        if wanted == b"numpy":
            with contextlib.suppress(ImportError):
                __import__("numpy")  # once, here: 0.1 s for every program otherwise
        os.makedirs("work", exist_ok=True)
        if os.fork() == 0:
            control.close()
            os.setsid()
            os.chdir("work")
            _work(work, sockets)
        for end in sockets:
            os.close(end)
        is_over = not control.recv(1)
        _end_children()
        _remove("work")
        if is_over:
            return
        control.send(b".")


def _remove(folder: str) -> None:
    """Remove a folder, empty as most are."""
    try:
        os.rmdir(folder)
    except OSError:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def _end_children() -> None:
    """Kill children until none is left; those of a killed child become ours."""
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            for pid in children.read().split():
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
