"""The door for processes that have no engine of their own: who shows the key is let in, and nothing heavy is loaded.

It stands open in each xdist session, whether its tests use Wisebot or not; what lies behind it is loaded when the first
worker comes in.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

HOST: Final = "127.0.0.1"

WELCOME: Final = "pytest-wisebot"
"""What the door answers to the right key, so that nobody takes another service for it."""

LONGEST_HELLO: Final = 4096
"""Bytes that a stranger may say before the key has been seen."""

HELLO_SECONDS: Final = 10.0
"""How long a stranger may take to show the key."""

FAREWELL_SECONDS: Final = 1.0
"""How long whoever is sent away may take to go."""


@dataclass(frozen=True, slots=True)
class WorkerConnection:
    """Who was let in.

    Attributes:
        connection: for what it is told.
        lines: what it says, a JSON object in each line.
        collected: it came while it collected tests, and not in the middle of one.
    """

    connection: socket.socket
    lines: IO[bytes]
    collected: bool


class WorkerServer:
    """Listens on loopback, from its making until `close`.

    Args:
        enter: serves a visitor until it leaves, in a thread of its own.

    Attributes:
        port: where it listens.
        key: what a visitor must show.
    """

    def __init__(self, enter: Callable[[WorkerConnection], None]) -> None:
        self._enter = enter
        self._inside: dict[socket.socket, threading.Thread] = {}
        self._closed = False
        self.key = secrets.token_urlsafe(32)
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, name="wisebot-door", daemon=True).start()

    def close(self) -> None:
        """Lets nobody in any more, and sends away who is inside."""
        self._closed = True
        inside = dict(self._inside)
        for one in (self._listener, *inside):
            with suppress(OSError):  # wakes the thread that waits for it: closing alone does not
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        ends_at = time.monotonic() + FAREWELL_SECONDS
        for thread in inside.values():
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _listen(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=[connection], name="wisebot-worker", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._inside[connection] = threading.current_thread()
        try:
            # While its lines are open the connection is, too, closed or not.
            with connection, suppress(OSError), connection.makefile("rb") as lines:
                visitor = self._let_in(connection, lines)
                if visitor is not None and not self._closed:
                    self._enter(visitor)
        finally:
            del self._inside[connection]

    def _let_in(self, connection: socket.socket, lines: IO[bytes]) -> WorkerConnection | None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(HELLO_SECONDS)
        try:
            hello = json.loads(lines.readline(LONGEST_HELLO))
            key, collected = str(hello["key"]), bool(hello["collected"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        if not hmac.compare_digest(key.encode("utf-8", "replace"), self.key.encode()):
            return None
        connection.settimeout(None)
        return WorkerConnection(connection, lines, collected)
