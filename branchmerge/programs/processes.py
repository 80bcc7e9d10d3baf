"""Where one program, or its tests, gets a process: a fork of a server, or a sandbox of its own."""

import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Protocol

from branchmerge.programs import sandbox

_ANSWER_S = 60  # a server that takes longer is lost: this is no limit on programs


class Processes(Protocol):
    """Gives each program a process that nothing of another program can speak for."""

    def program(self) -> contextlib.AbstractContextManager[socket.socket]:
        """A socket to a process of its own, which ends with the block and takes all that it started along."""

    def close(self) -> None:
        """End what still waits."""


class ForkServer:
    """A confined process that forks for each program, and ends what the fork started."""

    def __init__(self, role: sandbox.Role, isolation: sandbox.Isolation, max_tmp_bytes: int) -> None:
        self._start = partial(sandbox.start, role, "serve", isolation, max_tmp_bytes, sandbox.new_user())
        self._confined: sandbox.Confined | None = None
        self._is_ending = False

    @contextlib.contextmanager
    def program(self, *passed: socket.socket, warm_up: str = "nothing") -> Iterator[socket.socket]:
        """A socket to a fork of its own.

        Args:
            passed: More sockets for the fork.
            warm_up: A package to import once, before the fork.
        """
        server = self._server()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(server, [warm_up.encode()], [end.fileno() for end in (theirs, *passed)])
            try:
                yield ours
            finally:
                self._is_ending = True
                with contextlib.suppress(OSError):  # the next program finds out, and starts another server
                    server.send(b"x")

    def _server(self) -> socket.socket:
        """The server, which has ended what it forked before; a new one where it could not."""
        if self._confined is not None and self._is_ending:
            try:
                is_lost = self._confined.end.recv(1) != b"."
            except OSError:
                is_lost = True
            if is_lost:
                self.close()
        if self._confined is None:
            self._confined = self._start()
            self._confined.end.settimeout(_ANSWER_S)
        self._is_ending = False
        return self._confined.end

    def close(self) -> None:
        """End the server and what it forked."""
        if self._confined is not None:
            with contextlib.suppress(OSError):
                self._confined.end.shutdown(socket.SHUT_WR)  # it ends its forks, which a kill would not
                self._confined.process.wait(_ANSWER_S)
            self._confined.kill()
            self._confined = None


class Sandboxes:
    """A fresh sandbox for each program; the next one starts while this one works."""

    def __init__(self, role: sandbox.Role, max_tmp_bytes: int) -> None:
        self._start = partial(sandbox.start, role, "once", "bubblewrap", max_tmp_bytes, sandbox.new_user())
        self._spare: sandbox.Confined | None = None

    @contextlib.contextmanager
    def program(self) -> Iterator[socket.socket]:
        """A socket to a sandbox of its own."""
        confined = self._spare or self._start()
        self._spare = None
        try:
            self._spare = self._start()
            yield confined.end
        finally:
            confined.kill()

    def close(self) -> None:
        """End the sandbox that waits."""
        if self._spare is not None:
            self._spare.kill()
            self._spare = None
