"""The emulator on real sockets: one server for each API, as Wisebot has two hosts, and one for the control address.

It is the standard library's threaded server with other settings than its own: with those (HTTP/1.0, a backlog of 5) a
thousand concurrent runs take a minute and half of them time out; with these they take little more than one run.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import socketserver
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from ..errors import ConfigurationError
from ..exhaustion import NO_DESCRIPTOR, shortage
from ..runs import Api
from .control import Control
from .faults import NO_BODY
from .http import Manner, Refused, Reply, Request, unavailable
from .workflows import Emulator

HOST = "127.0.0.1"
"""Loopback only: an emulator answers with the secrets that it prints, and is nobody else's business."""

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a request's body that are read; a larger one is answered with 413."""

ENDLESS_BODY = 256 * 1024 * 1024
"""Bytes after which a body that never ends does end, in case its reader has no bound of its own."""

DRAIN_SECONDS = 5.0
"""How long what a refused client still sends is read, so that it gets to see its answer."""

REFUSE_SECONDS = 0.25
"""How long a client that is refused for want of a descriptor or thread may hold up the next one."""

BACK_OFF_SECONDS = 0.05
"""How long a listener rests when it cannot even refuse: its connections wait for as long."""

QUIET_SECONDS = 10.0
"""How long a listener that has reported a shortage reports no other."""

_BLOCK = 64 * 1024

_LINGER_NOT = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""SO_LINGER with no time at all: closing the socket then sends RST in place of FIN."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the two origins; 0 takes a free one."""

    webhook: int = 0
    dashboard: int = 0


class EmulatorServer:
    """An emulator that listens. It listens from its making on, until `stop` or the end of a ``with`` block.

    Attributes:
        origin: the webhook API's origin.
        base_url: the dashboard API's base URL.
        control: the control address; None when no key was given.

    Raises:
        ConfigurationError: a port is taken or not allowed. The message says which.
    """

    def __init__(self, emulator: Emulator, ports: Ports = Ports(), key: str | None = None) -> None:
        with ExitStack() as opened:

            def listen(
                name: str, port: int, answer: Callable[[Request], Reply], kind: type[_Listener] = _Listener
            ) -> str:
                return opened.enter_context(_listening(name, port, partial(kind, port, answer, emulator.log.write)))

            self.origin = listen("webhook", ports.webhook, partial(emulator.answer, Api.WEBHOOK))
            self.base_url = listen("dashboard", ports.dashboard, partial(emulator.answer, Api.DASHBOARD))
            self.control = listen("control", 0, Control(emulator, key).answer, _ControlListener) if key else None
            self._open = opened.pop_all()

    def stop(self) -> None:
        """Stops listening. Runs that are in progress are left to themselves."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def _listening(name: str, port: int, make: Callable[[], _Listener]) -> Iterator[str]:
    listener = _bound(name, port, make)
    # Polls often, because a stop waits for the poll to end.
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, name=name, daemon=True).start()
    try:
        yield f"http://{HOST}:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        listener.server_close()


def _bound(name: str, port: int, make: Callable[[], _Listener]) -> _Listener:
    try:
        return make()
    except (OSError, OverflowError) as error:
        reason = shortage(error) or getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{name} port: cannot listen on {HOST}:{port}: {reason}") from None


class _Spare:
    """A file descriptor kept for the time when there is no other: given up, it makes room for one connection."""

    def __init__(self) -> None:
        self._descriptor: int | None = os.open(os.devnull, os.O_RDONLY)

    def give_up(self) -> None:
        """Makes room, if there is any to make."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def restore(self) -> None:
        """Keeps a descriptor again, as soon as there is one."""
        if self._descriptor is None:
            with suppress(OSError):
                self._descriptor = os.open(os.devnull, os.O_RDONLY)


class _Listener(ThreadingHTTPServer):
    """Accepts connections, each of which a thread serves. One that lacks descriptor or thread is refused in words."""

    request_queue_size = 1024  # 5 by default, and every client beyond waits 1, 3, 7 s for its repeated SYN
    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # on Windows it would share a port that is in use

    def __init__(self, port: int, answer: Callable[[Request], Reply], log: Callable[[str], None]) -> None:
        self.answer = answer
        self._log = log
        self._quiet_until = 0.0
        self.spare = _Spare()
        try:
            super().__init__((HOST, port), _Handler)
        except BaseException:
            self.spare.give_up()
            raise

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for this machine's name as well

    def server_close(self) -> None:
        super().server_close()
        self.spare.give_up()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        try:
            return self.socket.accept()
        except OSError as error:
            if error.errno not in NO_DESCRIPTOR:
                raise
            return self.accept_without_descriptor(error)
        except MemoryError as error:
            time.sleep(BACK_OFF_SECONDS)
            raise OSError(errno.ENOMEM, "out of memory") from error  # of the two, the library lives through this one

    def accept_without_descriptor(self, error: OSError) -> tuple[socket.socket, tuple[str, int]]:
        """Refuses the next connection in words, and raises ``error`` again, at which the library passes on."""
        with suppress(OSError):
            request, _ = self.accept_in_place_of_the_spare()
            self.refuse(request, error)
        self.spare.restore()
        raise error

    def accept_in_place_of_the_spare(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection, with the descriptor that was spared. If there is none, the listener rests."""
        self.spare.give_up()
        try:
            return self.socket.accept()
        except OSError:
            time.sleep(BACK_OFF_SECONDS)
            raise

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        try:
            super().process_request(request, client_address)
        except (RuntimeError, MemoryError) as error:
            if shortage(error) is None:
                raise
            self.serve_without_thread(request, client_address, error)

    def serve_without_thread(self, request: socket.socket, client_address: object, error: BaseException) -> None:  # noqa: ARG002
        """Answers a connection for which no thread could be started."""
        self.refuse(request, error)

    def refuse(self, request: socket.socket, error: BaseException) -> None:
        """Answers 503 and why, without a thread, and closes the connection."""
        reply = unavailable(shortage(error) or "unavailable")
        self._report(f"the emulator refused a request: {reply.body.decode()}")
        head = f"HTTP/1.1 {reply.status} Service Unavailable\r\nServer: WisebotEmulator\r\nConnection: close\r\n"
        fields = {**reply.headers, "Content-Length": str(len(reply.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with suppress(OSError), request:
            request.settimeout(REFUSE_SECONDS)
            request.sendall(f"{head}{lines}\r\n".encode() + reply.body)
            request.shutdown(socket.SHUT_WR)
            _drain(request.recv, REFUSE_SECONDS)

    def _report(self, text: str) -> None:
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            self._log(text)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 (the library's signature)
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):  # a client that went away is no error
            self._log(f"the emulator itself failed:\n{traceback.format_exc()}")


class _ControlListener(_Listener):
    """The control address, which answers at any time: with the spare descriptor, or in the listener's own thread."""

    def accept_without_descriptor(self, error: OSError) -> tuple[socket.socket, tuple[str, int]]:  # noqa: ARG002
        self.spare.restore()
        return self.accept_in_place_of_the_spare()

    def serve_without_thread(self, request: socket.socket, client_address: object, error: BaseException) -> None:  # noqa: ARG002
        self.process_request_thread(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        super().shutdown_request(request)
        self.spare.restore()


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests whole, has them answered, and sends each reply in its manner."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; Nagle would hold the second for 40 ms

    def serve(self) -> None:
        try:
            body = self._body()
        except Refused as refused:
            self._refuse(refused.reply)
        else:
            self._send(self._answer(body))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = serve  # noqa: N815 (the library's)

    def version_string(self) -> str:
        """The header ``Server``, which tells an emulator from the real thing."""
        return "WisebotEmulator"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's signature)
        """Says nothing: a line on stderr for each request would hide the tracebacks."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """The library's own refusals (a malformed request line and the like), in the emulator's words."""
        self.close_connection = True
        self._send(Refused(code, message or HTTPStatus(code).phrase, {"Connection": "close"}).reply)

    def _answer(self, body: bytes) -> Reply:
        try:
            return self.server.answer(self._request(body))
        except Exception as error:
            if (lacking := shortage(error)) is None:
                raise
            return unavailable(lacking)

    def _request(self, body: bytes) -> Request:
        names = {name.lower() for name in self.headers}
        headers = {name: ", ".join(map(_text, self.headers.get_all(name, []))) for name in names}
        return Request(self.command, _text(self.path), headers, body, self.client_address[0])

    def _body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            return b"".join(self._chunks())
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]+", length):
            raise Refused(400, "Content-Length is not a number.")
        return self._read(_bounded(int(length[:20])))

    def _chunks(self) -> Iterator[bytes]:
        if self.headers["Transfer-Encoding"].lower() != "chunked":
            raise Refused(501, "The emulator knows no Transfer-Encoding but chunked.")
        total = 0
        while size := _chunk_size(self.rfile.readline(_BLOCK)):
            total = _bounded(total + size)
            yield self._read(size)
            self.rfile.readline(_BLOCK)
        while self.rfile.readline(_BLOCK).strip():  # trailers, which say nothing here
            pass

    def _read(self, size: int) -> bytes:
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionResetError("the client went away in the middle of its body")
        return body

    def _refuse(self, reply: Reply) -> None:
        """Answers a request whose body was not read: afterwards nobody knows where the next request would begin."""
        self.close_connection = True
        self._send(reply)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(DRAIN_SECONDS)
        with suppress(OSError):
            _drain(self.rfile.read1, DRAIN_SECONDS)

    def _send(self, reply: Reply) -> None:
        match reply.manner:
            case Manner.RESET:
                self.close_connection = True
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
                self.connection.close()
            case Manner.ENDLESS:
                self.close_connection = True
                self._send_head(reply, None)
                self._send_endlessly(reply.body)
            case Manner.CUT_SHORT:
                self.close_connection = True
                self._send_head(reply, len(reply.body))
                self.wfile.write(reply.body[: len(reply.body) // 2])
            case Manner.DRIP:
                self._send_head(reply, len(reply.body))
                self._send_slowly(reply.body, reply.interval)
            case Manner.WHOLE:
                self._send_whole(reply)

    def _send_whole(self, reply: Reply) -> None:
        if reply.status in NO_BODY:
            self._send_head(reply, None)
            return
        self._send_head(reply, len(reply.body))
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _send_head(self, reply: Reply, length: int | None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_slowly(self, body: bytes, interval: float) -> None:
        for index in range(len(body)):
            self.wfile.write(body[index : index + 1])
            time.sleep(interval)

    def _send_endlessly(self, start: bytes) -> None:
        self.wfile.write(start)
        block = b"x" * _BLOCK
        for _ in range(ENDLESS_BODY // _BLOCK):
            self.wfile.write(block)


def _drain(read: Callable[[int], bytes], seconds: float) -> None:
    """Reads what a refused client still sends, so that it gets to see its answer."""
    enough = time.monotonic() + seconds
    while read(_BLOCK) and time.monotonic() < enough:
        pass


def _bounded(size: int) -> int:
    if size > LARGEST_BODY:
        raise Refused(413, f"The body has more than {LARGEST_BODY} bytes.")
    return size


def _chunk_size(line: bytes) -> int:
    size = line.partition(b";")[0].strip()
    if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", size):
        raise Refused(400, "The chunked body is malformed.")
    return int(size, 16)


def _text(value: str) -> str:
    """What the library read as Latin-1, in UTF-8 where it is UTF-8, as clients send it."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
