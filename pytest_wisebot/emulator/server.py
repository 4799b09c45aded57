"""The emulator on real sockets: a listener for each API, as Wisebot has two hosts, and one for the control address.

Each connection has a thread. The backlog is long, and connections are kept alive: with the defaults of the standard
library's server (HTTP/1.0, a backlog of 5) a thousand concurrent runs take a minute and half of them time out.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import threading
import time
import traceback
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import IO, Any

from ..errors import ConfigurationError
from ..exhaustion import NO_DESCRIPTOR, shortage
from ..runs import Api
from .faults import NO_BODY, Fault
from .http import Manner, Refused, Reply, Request, is_same, json_reply, unavailable
from .workflows import Emulator

HOST = "127.0.0.1"
"""Loopback only: an emulator prints its secrets, and must not be reached from another machine."""

BACKLOG = socket.SOMAXCONN if sys.platform == "win32" else 1024
"""Connections that may wait to be accepted. A client beyond repeats its SYN only after 1, 3 and 7 s.

macOS lets 128 wait at most (``kern.ipc.somaxconn``), Windows 200 unless asked by its own constant."""

LARGEST_BODY = 64 * 1024 * 1024
"""Maximum bytes of a request's body; a larger one is answered with 413."""

ENDLESS_BODY = 256 * 1024 * 1024
"""Bytes after which an endless body does end, for readers without a limit of their own."""

DRAIN_SECONDS = 5.0
"""How long the rest of a refused request is read, so that its client receives the answer."""

REFUSE_SECONDS = 0.25
"""How long a client that is refused for want of a descriptor or thread may delay the next one."""

BACK_OFF_SECONDS = 0.05
"""Pause of a listener that cannot even refuse: its connections wait meanwhile."""

POLL_SECONDS = 0.05
"""How often a listener checks whether it has been stopped."""

QUIET_SECONDS = 10.0
"""Minimum time between two reports of a shortage by one listener."""

_BLOCK = 64 * 1024

_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""SO_LINGER without any time: closing the socket then sends RST in place of FIN."""

Address = tuple[str, int]
Answer = Callable[[Request], Reply]


class EmulatorServer(ExitStack):
    """An emulator that listens, from its creation until `close` or the end of a ``with`` block.

    Runs in progress at the end are not waited for.

    Attributes:
        origin: the webhook API's origin.
        base_url: the dashboard API's base URL.
        control: the control address; None if no key was given.

    Args:
        emulator: answers the requests.
        webhook: the port of the webhook API; 0 takes a free one.
        dashboard: the port of the dashboard API; 0 takes a free one.
        key: the key of the control address.

    Raises:
        ConfigurationError: a port is taken or not allowed. The message names it.
    """

    def __init__(self, emulator: Emulator, webhook: int = 0, dashboard: int = 0, key: str | None = None) -> None:
        super().__init__()
        with ExitStack() as unless_open:
            unless_open.callback(self.close)
            log = emulator.log.write
            self.origin = self._listen(_Listener("webhook", webhook, partial(emulator.answer, Api.WEBHOOK), log))
            self.base_url = self._listen(
                _Listener("dashboard", dashboard, partial(emulator.answer, Api.DASHBOARD), log)
            )
            answer = partial(_answer_command, emulator, key or "")
            self.control = self._listen(_Listener("control", 0, answer, log, is_control=True)) if key else None
            unless_open.pop_all()

    def _listen(self, listener: _Listener) -> str:
        self.callback(listener.stop)
        return listener.url


COMMANDS: dict[str, Callable[..., Any]] = {
    "calls": lambda emulator, **which: [call.to_dict() for call in emulator.calls(**which)],
    "fail_next": lambda emulator, fault, **which: emulator.fail_next(Fault.from_dict(fault), **which),
    "reset": Emulator.reset,
    "log": Emulator.log_text,
    "new_jwt": Emulator.new_jwt,
    "peak": lambda emulator: emulator.peak,
    "status_checks": lambda emulator: emulator.status_checks,
}
"""The commands of the control address, by which the session gets calls and the log, and sets faults.

Each is a JSON POST to a path of its name with its arguments, answered by ``{"ok": true, "value": …}`` or the usual
refusal. It needs the key, so that another program on the machine, or a page in a browser, cannot control a test.
"""


def _answer_command(emulator: Emulator, key: str, request: Request) -> Reply:
    try:
        if not is_same(request.bearer, key):
            raise Refused(401, "The key is wrong or missing.")
        if request.method != "POST":
            raise Refused(405, "Commands are sent by POST.", {"Allow": "POST"})
        name = request.path.removeprefix("/")
        if name not in COMMANDS:
            raise Refused(404, f"There is no command {name!r}.")
        return json_reply({"ok": True, "value": COMMANDS[name](emulator, **json.loads(request.body or b"{}"))})
    except ConfigurationError as error:
        return Refused(400, str(error)).reply
    except Refused as refused:
        return refused.reply


class _Listener:
    """Accepts connections, each of which a thread serves, until it is stopped.

    A connection without a descriptor or a thread is refused in words, for which a spare descriptor is kept. The control
    address answers all the same: with this descriptor, or in the listener's own thread.
    """

    def __init__(
        self, name: str, port: int, answer: Answer, log: Callable[[str], None], *, is_control: bool = False
    ) -> None:
        self._answer = answer
        self._log = log
        self._is_control = is_control
        self._is_stopped = False
        self._quiet_until = 0.0
        self._socket, self._spare = _opened(name, port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops listening. Connections that were accepted go on."""
        self._is_stopped = True
        self._thread.join()
        self._socket.close()
        self._spare.close()

    def _listen(self) -> None:
        while not self._is_stopped:
            try:
                self._accept()
            except TimeoutError:  # no connection arrived
                pass
            except (OSError, MemoryError):
                time.sleep(BACK_OFF_SECONDS)
            self._restore_spare()

    def _accept(self) -> None:
        lacking: BaseException | None = None
        try:
            connection, client = self._socket.accept()
        except OSError as error:
            if error.errno not in NO_DESCRIPTOR:
                raise
            lacking = error
            self._spare.close()
            connection, client = self._socket.accept()
        if lacking is not None and not self._is_control:
            self._refuse(connection, lacking)
        else:
            self._start(connection, client)

    def _start(self, connection: socket.socket, client: Address) -> None:
        try:
            start_new_thread(self._serve, (connection, client))  # and no `Thread`: its start waits, as does the queue
        except (RuntimeError, MemoryError) as error:
            if self._is_control:
                self._serve(connection, client)
            else:
                self._refuse(connection, error)

    def _serve(self, connection: socket.socket, client: Address) -> None:
        try:
            _Handler(connection, client, self._answer)
        except (ConnectionError, TimeoutError):
            pass  # the client has disconnected
        except Exception:  # noqa: BLE001 (of one connection; it is logged)
            self._log(f"the emulator itself failed:\n{traceback.format_exc()}")
        finally:
            with suppress(OSError), connection:
                connection.shutdown(socket.SHUT_WR)
            self._restore_spare()

    def _restore_spare(self) -> None:
        if self._spare.closed and not self._is_stopped:
            with suppress(OSError):
                self._spare = _null_device()

    def _refuse(self, connection: socket.socket, error: BaseException) -> None:
        """Answers 503 and the reason, without a thread, and closes the connection."""
        reply = unavailable(shortage(error) or "unavailable")
        self._report(f"the emulator refused a request: {reply.body.decode()}")
        head = (
            f"HTTP/1.1 {reply.status} Service Unavailable\r\nServer: {_Handler.server_version}\r\nConnection: close\r\n"
        )
        fields = {**reply.headers, "Content-Length": str(len(reply.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with suppress(OSError), connection:
            connection.settimeout(REFUSE_SECONDS)
            connection.sendall(f"{head}{lines}\r\n".encode() + reply.body)
            connection.shutdown(socket.SHUT_WR)
            _drain(connection.recv, REFUSE_SECONDS)

    def _report(self, entry: str) -> None:
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            self._log(entry)


def _opened(name: str, port: int) -> tuple[socket.socket, IO[bytes]]:
    """A socket that listens on this port, and a spare descriptor."""
    with ExitStack() as opened:
        try:
            listening = opened.enter_context(socket.socket())
            if sys.platform != "win32":  # there it would share a port that is in use
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((HOST, port))
            listening.listen(BACKLOG)
            listening.settimeout(POLL_SECONDS)
            spare = opened.enter_context(_null_device())
        except (OSError, OverflowError) as error:
            reason = shortage(error) or getattr(error, "strerror", None) or error
            raise ConfigurationError(f"{name} port: cannot listen on {HOST}:{port}: {reason}") from None
        opened.pop_all()
    return listening, spare


def _null_device() -> IO[bytes]:
    return Path(os.devnull).open("rb", buffering=0)


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests whole, and sends each reply in its manner."""

    protocol_version = "HTTP/1.1"
    server_version = "WisebotEmulator"
    disable_nagle_algorithm = True  # head and body are two writes; Nagle would delay the second by 40 ms

    def __init__(self, connection: socket.socket, client: Address, answer: Answer) -> None:
        self._answer_to = answer
        super().__init__(connection, client, None)  # type: ignore[arg-type]  # the server, which it does not use

    def serve(self) -> None:
        try:
            body = self._body()
        except Refused as refused:
            self._refuse(refused.reply)
        else:
            self._send(self._answer(body))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = serve  # noqa: N815 (the library's)

    def version_string(self) -> str:
        """The header ``Server``, by which clients distinguish an emulator from Wisebot."""
        return self.server_version

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's signature)
        """Does nothing: a line on stderr for each request would hide the tracebacks."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """The library's own refusals (a malformed request line and the like), as JSON."""
        self.close_connection = True
        self._send(Refused(code, message or HTTPStatus(code).phrase).reply)

    def _answer(self, body: bytes) -> Reply:
        try:
            return self._answer_to(self._request(body))
        except Exception as error:
            if (lacking := shortage(error)) is None:
                raise
            return unavailable(lacking)

    def _request(self, body: bytes) -> Request:
        names = {name.lower() for name in self.headers}
        headers = {name: ", ".join(map(_decoded, self.headers.get_all(name, []))) for name in names}
        return Request(self.command, _decoded(self.path), headers, body, self.client_address[0])

    def _body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            return b"".join(self._chunks())
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]+", length):
            raise Refused(400, "Content-Length is not a number.")
        return self._read(_bounded(int(length[:20])))

    def _chunks(self) -> Iterator[bytes]:
        if self.headers["Transfer-Encoding"].lower() != "chunked":
            raise Refused(501, "The emulator supports only chunked as Transfer-Encoding.")
        total = 0
        while size := _chunk_size(self.rfile.readline(_BLOCK)):
            total = _bounded(total + size)
            yield self._read(size)
            self.rfile.readline(_BLOCK)
        while self.rfile.readline(_BLOCK).strip():  # trailers, which are ignored
            pass

    def _read(self, size: int) -> bytes:
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionResetError("the client disconnected in the middle of its body")
        return body

    def _refuse(self, reply: Reply) -> None:
        """Answers a request whose body was not read, and closes: where the next request begins is unknown."""
        self.close_connection = True
        self._send(reply)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(DRAIN_SECONDS)
        with suppress(OSError):
            _drain(self.rfile.read1, DRAIN_SECONDS)

    def _send(self, reply: Reply) -> None:
        if reply.manner in (Manner.RESET, Manner.CUT_SHORT, Manner.ENDLESS):
            self.close_connection = True
        if reply.manner is Manner.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.connection.close()
            return
        self._send_head(reply)
        if self.command != "HEAD" and reply.status not in NO_BODY:
            self._send_body(reply)

    def _send_head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.manner is not Manner.ENDLESS and reply.status not in NO_BODY:
            self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_body(self, reply: Reply) -> None:
        if reply.manner is Manner.CUT_SHORT:
            self.wfile.write(reply.body[: len(reply.body) // 2])
        elif reply.manner is Manner.DRIP:
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                time.sleep(reply.interval)
        else:
            self.wfile.write(reply.body)
            for _ in range(ENDLESS_BODY // _BLOCK if reply.manner is Manner.ENDLESS else 0):
                self.wfile.write(b"x" * _BLOCK)


def _drain(read: Callable[[int], bytes], seconds: float) -> None:
    """Reads the rest of a refused request, so that its client receives the answer."""
    ends_at = time.monotonic() + seconds
    while read(_BLOCK) and time.monotonic() < ends_at:
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


def _decoded(value: str) -> str:
    """A value that the library read as Latin-1, as UTF-8 if it is UTF-8: clients send it so."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
