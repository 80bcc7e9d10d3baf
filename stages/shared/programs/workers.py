"""Where one program, or its tests, gets a process: a fork of a server, or a sandbox of its own."""

import contextlib
import socket
from collections.abc import Iterator

from stages.shared.programs import sandbox
from stages.shared.programs.channel import Channel

_READY_S = 60  # a process that is not there by then never comes: this is no limit on programs


class ForkServer:
    """A confined process that forks for each program, and ends what the fork started."""

    def __init__(self, role: sandbox.Role, isolation: sandbox.Isolation, max_tmp_bytes: int) -> None:
        self._settings = (role, "serve", isolation, max_tmp_bytes)
        self._confined: sandbox.Confined | None = None

    @contextlib.contextmanager
    def session(self, max_bytes: int, warm_up: str = "nothing") -> Iterator[Channel]:
        """A channel to a fork of its own.

        Args:
            max_bytes: What may be read from it.
            warm_up: A package to import once, before the fork.
        """
        if self._confined is None or self._confined.process.poll() is not None:
            self.close()
            self._confined = sandbox.start(*self._settings)
        server = self._confined.end
        server.settimeout(_READY_S)
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(server, [warm_up.encode()], [theirs.fileno()])
        channel = Channel(ours, max_bytes)
        try:
            channel.receive(_READY_S)
            yield channel
        finally:
            channel.close()
            self._end()

    def _end(self) -> None:
        """Have the fork and its children killed; a server that cannot is replaced."""
        assert self._confined is not None
        try:
            self._confined.end.send(b"x")
            is_done = self._confined.end.recv(1) == b"."
        except OSError:
            is_done = False
        if not is_done:
            self.close()

    def close(self) -> None:
        """End the server."""
        if self._confined is not None:
            self._confined.kill()
            self._confined = None


class Sandboxes:
    """A fresh sandbox for each program; the next one starts while this one works."""

    def __init__(self, role: sandbox.Role, max_tmp_bytes: int) -> None:
        self._settings = (role, "once", "bubblewrap", max_tmp_bytes)
        self._spare: sandbox.Confined | None = None

    @contextlib.contextmanager
    def session(self, max_bytes: int) -> Iterator[Channel]:
        """A channel to a sandbox of its own."""
        confined = self._spare or sandbox.start(*self._settings)
        self._spare = None
        try:
            self._spare = sandbox.start(*self._settings)
            channel = Channel(confined.end, max_bytes)
            channel.receive(_READY_S)
            yield channel
        finally:
            confined.kill()

    def close(self) -> None:
        """End the sandbox that waits."""
        if self._spare is not None:
            self._spare.kill()
            self._spare = None
