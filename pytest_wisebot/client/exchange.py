"""One exchange of bytes with a host, and what it means when it breaks.

Only the transport of httpx is used. Each attempt has a connection of its own: with a reused connection, a stale one and
a lost run look the same. Redirects are not followed (one would carry ``X-Workflow-Secret`` to another host), ``.netrc``
is not read, cookies are not kept. Answers are requested unpacked, and read in pieces up to a limit; `unpacking` unpacks
those that come packed, within the same limit.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex  # and not random, whose numbers a test may count on
from typing import Any, Final

import httpx

from ..apis import Outgoing
from ..exhaustion import causes, shortage
from ..redaction import Redactor
from ..settings import Settings
from .attempt import AttemptState
from .proxies import Proxies


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came over the wire.

    Attributes:
        flaw: why the body cannot be an envelope, if that is known already.
        unread: why the body, or the rest of it, could not be unpacked; empty where it could.
        encodings: those that the answer names and that were not undone.
        at: when its head came, in seconds since the epoch.
    """

    status_code: int
    headers: httpx.Headers
    body: bytes
    flaw: str | None = None
    unread: str = ""
    encodings: str = ""
    at: float = 0.0


class MockedError(Exception):
    """An answer came although nothing was sent: something in this process answers in the network's place."""


TRACE_HEADER: Final = "traceparent"
"""The header of the W3C's trace context, version 00, by which gateways and servers name a request in their logs."""

_OF_EVERY_REQUEST: Final = {"User-Agent": f"pytest-wisebot httpx/{httpx.__version__}", "Connection": "close"}

EXCERPT: Final = 300
"""Characters of an answer that an error shows."""


def excerpt(text: str, redactor: Redactor) -> str:
    """The text of an answer as an error shows it: without credentials, printable, at most `EXCERPT` characters."""
    cleaned = redactor.clean(text)
    readable = "".join(char if char.isprintable() else " " for char in cleaned)
    return re.sub(r" {2,}", " ", readable).strip()[:EXCERPT]


class Trace:
    """One trace, with a span for each request. After an unknown outcome there is no ``runId`` to look for in logs.

    Args:
        sends: whether requests carry an id at all.
    """

    def __init__(self, *, sends: bool = True) -> None:
        self._trace_id = token_hex(16) if sends else ""

    def span(self) -> str:
        """The header ``traceparent`` of a new request; empty where none is sent. Flags: sampled."""
        return f"00-{self._trace_id}-{token_hex(8)}-01" if self._trace_id else ""


class Exchanger:
    """Sends requests, within one event loop.

    Args:
        settings: the limits.
        proxies: opens the connections.
    """

    def __init__(self, settings: Settings, proxies: Proxies) -> None:
        self._settings = settings
        self._proxies = proxies
        self._timeout = httpx.Timeout(None, connect=settings.connect_timeout).as_dict()

    async def exchange(self, outgoing: Outgoing, state: AttemptState) -> Received:
        """Sends a request, on a connection of its own, and reads the answer up to the limit.

        Raises:
            ConfigurationError: a proxy or certificates that the environment names cannot be used.
            MockedError: nothing went over the network.
            Exception: what the network did; see `is_of_the_network`.
        """
        connection = _Connection(state)
        async with self._proxies.transport(outgoing.host) as transport:
            try:
                response = await transport.handle_async_request(self._request(outgoing, connection, state.trace))
            except asyncio.CancelledError:
                await connection.close()
                raise
            if not state.sent:
                raise MockedError
            at = time.time()
            # Only the stream of httpx's response is needed.
            stream = response.stream
            assert isinstance(stream, httpx.AsyncByteStream)
            try:
                body, flaw = await self._read(stream)
            finally:
                await stream.aclose()
            state.received = len(body)
            return Received(response.status_code, response.headers, body, flaw, at=at)

    def _request(self, outgoing: Outgoing, connection: _Connection, trace: str) -> httpx.Request:
        return httpx.Request(
            outgoing.method,
            _parsed(outgoing.url),
            headers=outgoing.open_headers() | _OF_EVERY_REQUEST | ({TRACE_HEADER: trace} if trace else {}),
            content=outgoing.body,
            extensions={"trace": connection.trace, "timeout": self._timeout},
        )

    async def _read(self, stream: httpx.AsyncByteStream) -> tuple[bytes, str | None]:
        """The body as it came, and why it cannot be an envelope, if it cannot."""
        limit = self._settings.max_response_mib * 2**20
        body = bytearray()
        async for piece in stream:
            body += piece
            if len(body) > limit:
                return bytes(body[:limit]), f"is larger than {self._settings.max_response_mib} MiB"
        return bytes(body), None

    def why_no_connection(self, error: Exception) -> str:
        """Why nothing could be sent, in a few words."""
        if (lacking := shortage(error)) is not None:
            return f"{lacking}; raise the limit for pytest, or run fewer at once (--wisebot-concurrency)"
        if type(error).__name__ == "ConnectTimeout":
            return f"no connection within {self._settings.connect_timeout:g} s"
        for cause in causes(error):
            if isinstance(cause, ConnectionRefusedError):
                return "connection refused"
            if isinstance(cause, socket.gaierror):
                return "host not found"
            if isinstance(cause, ssl.SSLError):
                return f"TLS failed ({cause.reason or type(cause).__name__})"
            if isinstance(cause, OSError) and cause.errno is not None:
                return f"no connection ({cause.strerror})"
        return f"no connection ({type(error).__name__})"


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """A workflow's URL, parsed once for all of its runs."""
    return httpx.URL(url)


_MATTERS: Final = (".connect_tcp.complete", ".send_request_headers.started")


class _Connection:
    """Closes what httpcore leaves open when a TLS handshake is given up."""

    def __init__(self, state: AttemptState) -> None:
        self._state = state
        self._stream: Any = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Handles the events of httpcore: a dozen for each connection, of which two matter."""
        if event.endswith(_MATTERS):
            if event.endswith(".connect_tcp.complete"):
                self._stream = info["return_value"]
            elif info["request"].method != b"CONNECT":  # the request to a proxy starts no run
                self._state.begin_to_send()

    async def close(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()


def is_of_the_network(error: Exception) -> bool:
    """Whether an exchange ended by the network or the other side, and not by a defect here.

    httpx turns httpcore's errors into its own by a table that it fills once. Where httpcore has been loaded anew since
    then, as it is when pytest runs pytest in one process, they come through as they are.
    """
    from_httpcore = type(error).__module__.partition(".")[0] == "httpcore"
    return from_httpcore or isinstance(error, httpx.HTTPError | httpx.InvalidURL | OSError | UnicodeError)
