"""A server of raw bytes, for answers that no HTTP library would send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

MOST_CONNECTIONS = 20_000
"""More than any test opens: a bound for a loop that would otherwise have none."""


class RawServer:
    """Gives each request the answer that is set, counts those that start a run, and closes the connection.

    Attributes:
        answer: makes the answer's bytes from the bytes of the request's head.
        runs: POST requests so far.
        origin: scheme, host and port.
    """

    def __init__(self) -> None:
        self.answer: Callable[[bytes], bytes] = lambda _: b""
        self.runs = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for _ in range(MOST_CONNECTIONS):
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._reply, args=(connection,), daemon=True).start()

    def _reply(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            self.runs += request.startswith(b"POST")
            try:
                connection.sendall(self.answer(request))
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)  # else what was not read of the request resets the connection
            except OSError:
                return

    def close(self) -> None:
        """Accepts no further connection."""
        self._socket.close()
