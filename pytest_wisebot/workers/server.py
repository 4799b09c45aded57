"""The server for the workers of pytest-xdist: a worker that shows the key is let in. Nothing heavy is loaded.

It listens in each xdist session, whether the tests use Wisebot or not; the RPC behind it is loaded with the first
worker.

Not `multiprocessing.connection`: its accept and its handshake have no deadline, and the handshake of Python 3.11 needs
MD5, which some machines refuse.
"""

from __future__ import annotations

import errno
import hmac
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..files import file_of_socket
from ..originals import json, threading, time
from ..text import json_number, to_json

if TYPE_CHECKING:
    from ..redaction import Secret

HOST: Final = "127.0.0.1"

WELCOME: Final = "pytest-wisebot"
"""The answer to the right key, by which a worker tells this server from another service."""

LONGEST_HELLO: Final = 4096
"""Bytes of a message before the key has been seen."""

HELLO_SECONDS: Final = 10.0
"""Deadline for the first message of a connection."""

FAREWELL_SECONDS: Final = 1.0
"""Deadline for the end of a connection."""


def encoded(message: Mapping[str, Any]) -> bytes:
    """A message as one line of ASCII: inputs and answers may hold lone surrogates."""
    return to_json(message, separators=(",", ":")).encode("ascii") + b"\n"


class Channel:
    """Messages over a socket.

    Safe to use from several threads, of which one reads.
    """

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(timeout)
        self._connection = connection
        self._file = file_of_socket(connection.fileno())
        self._lines = connection.makefile("rb")
        self._lock = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message. Raises `OSError` when the other side has gone."""
        with self._lock:
            if file_of_socket(self._connection.fileno()) != self._file:
                raise OSError(errno.EBADF, "the descriptor was closed, and may be another file's by now")
            self._connection.sendall(encoded(message))

    def receive(self, longest: int) -> dict[str, Any]:
        """The next message. Raises `OSError`, or `ValueError` where it is not JSON or too long."""
        with suppress(RecursionError):
            message = json.loads(self._lines.readline(longest), parse_float=json_number)
            if isinstance(message, dict):
                return message
        raise ValueError("not a message")

    def messages(self) -> Iterator[dict[str, Any]]:
        """All messages from now on, until the other side hangs up."""
        self._connection.settimeout(None)
        with suppress(OSError, ValueError):  # gone, in the middle of a line perhaps
            for line in self._lines:
                yield json.loads(line, parse_float=json_number)

    def hang_up(self) -> None:
        """Ends the connection, and wakes the threads that use it: closing alone does not."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Releases the socket. For the thread that reads."""
        with suppress(OSError):  # closed by a test, with its descriptor
            self._lines.close()  # while it is open the socket is, too
            self._connection.close()


class WorkerServer:
    """Listens on loopback, from its making until `close`.

    Args:
        serve: serves one worker until it leaves, in a thread of its own.
        expect: called for each worker before it is answered, so that what a worker does next finds it known; its
            argument is whether the worker connected while it collected tests, and not in the middle of one.

    Attributes:
        port: the port.
        key: the key that a worker must show.
    """

    def __init__(self, serve: Callable[[Channel], None], expect: Callable[[bool], None] = lambda _: None) -> None:
        self._serve = serve
        self._expect = expect
        self._connected: dict[Channel, threading.Thread] = {}
        self._closed = False
        self.key = secrets.token_urlsafe(32)
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, name="wisebot-server", daemon=True).start()

    def close(self) -> None:
        """Closes all connections, and accepts no more."""
        self._closed = True
        with suppress(OSError):  # wakes the thread that listens
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        connected = dict(self._connected)
        for channel in connected:
            channel.hang_up()
        ends_at = time.monotonic() + FAREWELL_SECONDS
        for thread in connected.values():
            if thread.ident is not None:  # else it has not begun, and its connection is closed already
                thread.join(max(0.0, ends_at - time.monotonic()))

    def _listen(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with suppress(OSError):  # gone already
                self._start(Channel(connection, HELLO_SECONDS))

    def _start(self, channel: Channel) -> None:
        thread = threading.Thread(target=self._welcome, args=[channel], name="wisebot-worker", daemon=True)
        self._connected[channel] = thread
        thread.start()

    def _welcome(self, channel: Channel) -> None:
        try:
            with suppress(OSError, ValueError):
                hello = channel.receive(LONGEST_HELLO)
                key = str(hello.get("key")).encode("utf-8", "replace")
                if hmac.compare_digest(key, self.key.encode()) and not self._closed:
                    self._expect(bool(hello.get("collected")))
                    channel.send({"welcome": WELCOME})
                    self._serve(channel)
        finally:
            del self._connected[channel]
            channel.close()


class SecretBroadcast:
    """Sends each credential of one call to all workers, which must mask it. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[Secret, None] = {}
        self._workers: list[Callable[[Secret], None]] = []

    def add(self, secret: Secret) -> None:
        """Sends a credential to all workers, later ones included."""
        with self._lock:
            if secret not in self._secrets:
                self._secrets[secret] = None
                for send in self._workers:
                    send(secret)

    def join(self, send: Callable[[Secret], None]) -> None:
        """Adds a worker."""
        with self._lock:
            self._workers.append(send)
            for secret in self._secrets:
                send(secret)

    def leave(self, send: Callable[[Secret], None]) -> None:
        """Removes a worker."""
        with self._lock:
            self._workers.remove(send)
