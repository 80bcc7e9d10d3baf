"""Lines over a socket to a process that may be hostile: every wait has an end, and so has what is read; stdlib only."""

import socket
import time

_CHUNK_BYTES = 2**16


class TooMuchError(Exception):
    """The other side sent more than it may."""


class Channel:
    """One end of a socket pair; the other belongs to a confined process."""

    def __init__(self, end: socket.socket, max_bytes: int) -> None:
        self._socket = end
        self._left_bytes = max_bytes
        self._buffer = bytearray()

    def send(self, line: bytes, wall_s: float) -> None:
        """Send a line.

        Raises:
            TimeoutError: It was not taken in time.
            ConnectionError: Nobody is there.
        """
        self._socket.settimeout(max(wall_s, 1e-3))
        self._socket.sendall(line)

    def receive(self, wall_s: float) -> bytes:
        """The next line, its end included.

        Raises:
            TimeoutError: None came in time.
            ConnectionError: Nobody is there.
            TooMuchError: All lines together are too long.
        """
        deadline = time.monotonic() + wall_s
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            self._socket.settimeout(max(deadline - time.monotonic(), 1e-3))
            if not (chunk := self._socket.recv(_CHUNK_BYTES)):
                raise ConnectionResetError
            self._left_bytes -= len(chunk)
            if self._left_bytes < 0:
                raise TooMuchError
            if time.monotonic() > deadline:
                raise TimeoutError  # drop by drop is no way around the limit
            self._buffer += chunk
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line
