"""One attempt of a run: its target, its state, the gate that admits it, and its exchange of bytes with a host.

Only the transport of httpx is used. Each attempt has a connection of its own: with a reused connection, a stale one and
a lost run look the same. Redirects are not followed (one would carry ``X-Workflow-Secret`` to another host), ``.netrc``
is not read, cookies are not kept. Answers are requested unpacked, and read in pieces up to a limit; `response` unpacks
those that come packed, within the same limit.
"""

from __future__ import annotations

import asyncio
import re
import socket
from asyncio import sleep, timeout
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from secrets import token_hex  # and not random, whose numbers a test may count on
from typing import Any, Final, Protocol

import httpx

from ..apis import Outgoing
from ..errors import Attempted, InfrastructureError, OutcomeUnknown
from ..originals import dates, time
from ..redaction import Redactor, Secret
from ..redaction.linear import Stop, never
from ..runs import Api
from ..settings import Settings
from .connections import Handshakes, Proxies, Proxy
from .reasons import Reached, Reasons, password_wanted


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a run: API, host, workflow and credential.

    Attributes:
        host: the origin.
        workflow: the workflow's id.
        credential: what an error calls the credential.
        secret: the credential itself, hidden; it distinguishes two credentials of the same name.
    """

    api: Api
    host: str
    workflow: str
    credential: str
    secret: Secret | None = None


class AttemptGate(Protocol):
    """Decides when a run may make its attempts. The engine has one, since each run is one of many."""

    def begin(self, target: Target) -> None:
        """The first attempt is about to be made. Raises `NotRun` or `RateLimited` when it must not be."""
        ...

    def sent(self) -> None:
        """The attempt has begun to go out."""
        ...

    def failed(self, error: InfrastructureError) -> None:
        """The attempt ended without a run."""
        ...

    async def again(self, seconds: float) -> None:
        """Returns when the next attempt may be made, after that many seconds at least.

        Raises:
            NotRun: it must not be made.
            RateLimited: the pause that another run's answer imposes is longer than this run has time.
        """
        ...


class NoGate:
    """The gate of a run that is alone: always open."""

    def begin(self, target: Target) -> None:
        """Always allowed."""

    def sent(self) -> None:
        """Not counted."""

    def failed(self, error: InfrastructureError) -> None:
        """Not recorded."""

    async def again(self, seconds: float) -> None:
        """Waits for that many seconds."""
        await sleep(seconds)


@dataclass(slots=True)
class AttemptState:
    """The progress of a run: attempts, times, and whether to give up now leaves the outcome unknown."""

    gate: AttemptGate = field(default_factory=NoGate)
    attempts: int = 0
    held: float = 0.0
    """Seconds of the run's timeout that a pause for other runs has used up before it began."""
    ends_at: float | None = None
    """When the run's time is over, on the loop's clock; None before it has begun."""
    sent_at: float | None = None
    started_at: datetime | None = None
    received: int = 0
    """Bytes of the answer."""
    reached: Reached = Reached.NOTHING
    """How far the connection of the attempt came, where there is a proxy."""
    status: int | None = None
    """The status of the answer to the attempt; None before it has come."""
    answered: int | None = None
    """Status of the attempt's answer once it is whole; None before."""
    trace: str = ""
    """The header ``traceparent`` of the attempt that is under way, or that was the last; empty without one."""
    attempted: Attempted | None = None
    failure: InfrastructureError | None = None
    """The last attempt's error, or that of the last one after which the run may have happened."""

    @property
    def sent(self) -> bool:
        """Whether the attempt that is under way has begun to send."""
        return self.sent_at is not None

    def begin(self) -> None:
        """A new attempt."""
        self.attempts += 1
        self.sent_at = None
        self.reached = Reached.NOTHING
        self.status = None
        self.answered = None
        self.trace = ""

    def keep(self, failure: InfrastructureError) -> None:
        """Keeps the error of an attempt. A later error does not replace one after which the run may have happened."""
        self.sent_at = self.answered = None
        if isinstance(failure, OutcomeUnknown) or not isinstance(self.failure, OutcomeUnknown):
            self.failure = failure

    def begin_to_send(self) -> None:
        """The first byte of the attempt is about to go out: from now on it may have happened."""
        self.sent_at = time.perf_counter()
        self.started_at = dates.now()
        self.gate.sent()


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came over the wire.

    Attributes:
        flaw: why the body cannot be an envelope, if that is known already.
        unread: why the body, or the rest of it, could not be unpacked; empty where it could.
        encodings: those that the answer names and that were not undone.
        at: when its head came, in seconds since the epoch.
        url: what was asked, without its query.
        of_proxy: what a proxy that forwards the request itself says in it; empty where none does.
    """

    status_code: int
    headers: httpx.Headers
    body: bytes
    flaw: str | None = None
    unread: str = ""
    encodings: str = ""
    at: float = 0.0
    url: str = ""
    of_proxy: str = ""


class MockedError(Exception):
    """An answer came although nothing was sent: something in this process answers in the network's place."""


TRACE_HEADER: Final = "traceparent"
"""The header of the W3C's trace context, version 00, by which gateways and servers name a request in their logs."""

_VERSION: Final = import_module(__name__.partition(".")[0]).__version__
_AGENT: Final = f"pytest-wisebot/{_VERSION} httpx/{httpx.__version__}"
_OF_EVERY_REQUEST: Final = {"User-Agent": _AGENT, "Connection": "close"}

EXCERPT: Final = 300
"""Characters of an answer that an error shows."""

MOST_OF_A_REASON: Final = 1000
"""Characters of a reason, which may quote an answer and name paths."""

KEEPALIVE: Final = 60
"""Seconds of silence after which, and in which distance, the system probes a connection."""


def excerpt(text: str, redactor: Redactor, stop: Stop = never, most: int = EXCERPT) -> str:
    """The text of an answer as an error shows it: without credentials, printable, and cut."""
    cleaned = redactor.clean(text, stop)
    readable = "".join(char if char.isprintable() else " " for char in cleaned)
    return re.sub(r" {2,}", " ", readable).strip()[:most]


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
        variables: the environment variables of the session's beginning.
        redactor: cleans what a reason quotes of an answer.
    """

    def __init__(self, settings: Settings, variables: Mapping[str, str], redactor: Redactor) -> None:
        self._settings = settings
        self._proxies = Proxies(settings, variables)
        self._handshakes = Handshakes()
        self._reasons = Reasons(settings, variables)
        self._redactor = redactor

    async def exchange(self, outgoing: Outgoing, state: AttemptState) -> Received:
        """Sends a request, on a connection of its own, and reads the answer up to the limit.

        Raises:
            ConfigurationError: a proxy or certificates that the environment names cannot be used.
            MockedError: nothing went over the network.
            Exception: what the network did; see `is_of_the_network`.
        """
        connection = _Connection(outgoing.host, state, self._handshakes, self._proxies.proxy(outgoing.host))
        async with self._proxies.transport(outgoing.host) as transport:
            request = self._request(outgoing, connection, state.trace)
            try:
                async with timeout(self._settings.connect_timeout) as connection.opening:
                    response = await transport.handle_async_request(request)
            except BaseException as error:
                await connection.close()
                if isinstance(error, TimeoutError) and not state.sent:
                    raise httpx.ConnectTimeout("", request=request) from None
                raise
            if not state.sent:
                raise MockedError
            at = dates.now().timestamp()
            # Only the stream of httpx's response is needed.
            state.status = response.status_code
            stream = response.stream
            assert isinstance(stream, httpx.AsyncByteStream)
            try:
                body, flaw = await self._read(stream)
            finally:
                await stream.aclose()
            state.received = len(body)
            state.answered = response.status_code
            url = outgoing.host + outgoing.path.partition("?")[0]
            proxy = self._proxies.proxy(outgoing.host) if url.startswith("http:") else None
            asked = password_wanted(proxy) if proxy and response.status_code == 407 else ""
            return Received(response.status_code, response.headers, body, flaw, url=url, of_proxy=asked, at=at)

    def _request(self, outgoing: Outgoing, connection: _Connection, trace: str) -> httpx.Request:
        return httpx.Request(
            outgoing.method,
            _parsed(outgoing.url),
            headers=outgoing.open_headers() | _OF_EVERY_REQUEST | ({TRACE_HEADER: trace} if trace else {}),
            content=outgoing.body,
            extensions={"trace": connection.trace},
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

    def why_unanswered(self, error: Exception, host: str, state: AttemptState) -> str:
        """The reason why the answer is missing or incomplete; with advice if the run cannot have started."""
        return self.why_not_run(error, host, state) or self.why_lost(error, state)

    def why_not_run(self, error: Exception, host: str, state: AttemptState) -> str:
        """Why nothing can have been run, and what to do; empty where it may have been.

        A server that refuses the client's certificate may do so after the request went out, and has read none of it.
        """
        if not state.sent:
            reason = self._reasons.no_connection(error, host, self._proxies.proxy(host), state.reached)
        else:
            reason = (self._reasons.refused_certificate(error, host) if state.status is None else None) or ""
        return excerpt(reason, self._redactor, most=MOST_OF_A_REASON)

    def no_connection_within(self, limit: str, host: str, state: AttemptState) -> str:
        """That a time was over before the run could be sent."""
        return self._reasons.no_connection_within(limit, host, self._proxies.proxy(host), state.reached)

    def why_lost(self, error: Exception, state: AttemptState) -> str:
        """How an answer broke off."""
        return excerpt(self._reasons.lost(error, state.status), self._redactor, most=MOST_OF_A_REASON)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """A workflow's URL, parsed once for all of its runs."""
    return httpx.URL(url)


_MATTERS: Final = (
    ".connect_tcp.complete",
    ".start_tls.started",
    ".start_tls.complete",
    ".send_request_headers.started",
)
_SOCKS: Final = {
    "socks.setup_socks5_connection.started": Reached.PROXY,
    "socks.setup_socks5_connection.complete": Reached.HOST,
}


class _Connection:
    """One connection, as the events of httpcore show it.

    Args:
        host: the origin that it leads to.
        state: of the attempt.
        handshakes: the servers that have accepted one.
        proxy: the proxy that it goes through, if any.

    Attributes:
        opening: the deadline for everything before the request begins to go out.
    """

    def __init__(self, host: str, state: AttemptState, handshakes: Handshakes, proxy: Proxy | None) -> None:
        self.opening: asyncio.Timeout | None = None
        self._host = host
        self._state = state
        self._handshakes = handshakes
        self._proxy = proxy
        self._stream: Any = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Handles the events of httpcore: a dozen for each connection, of which a few matter."""
        if event in _SOCKS:
            self._state.reached = _SOCKS[event]
        elif event.endswith(_MATTERS):
            if event.endswith(".connect_tcp.complete"):
                self._stream = info["return_value"]
                keep_alive(self._stream.get_extra_info("socket"))
            elif event.endswith(".start_tls.started"):
                if self._state.reached is Reached.PROXY:
                    self._state.reached = Reached.HOST
            elif event.endswith(".start_tls.complete"):
                if self._proxy is None or self._state.reached is Reached.HOST:
                    await self._handshakes.confirm(self._host, info["return_value"])
            elif info["request"].method == b"CONNECT":  # the request to a proxy starts no run
                self._state.reached = Reached.PROXY
            else:
                self._begin_to_send()

    def _begin_to_send(self) -> None:
        if self.opening is not None:
            self.opening.reschedule(None)
        self._state.begin_to_send()

    async def close(self) -> None:
        """Closes what httpcore leaves open when a TLS handshake is given up."""
        if self._stream is not None:
            await self._stream.aclose()


def keep_alive(connection: Any) -> None:
    """Makes the system probe a connection that is silent for a minute: gateways drop those that are silent for four.

    Args:
        connection: the socket; None where another transport than TCP stands in its place.
    """
    if connection is None:
        return
    options = [(socket.SOL_SOCKET, "SO_KEEPALIVE", 1), (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE)]
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"  # the latter on macOS
    for level, name, value in (*options, (socket.IPPROTO_TCP, idle, KEEPALIVE)):
        if hasattr(socket, name):
            with suppress(OSError):  # a system that refuses it sends less, and no more than that
                connection.setsockopt(level, getattr(socket, name), value)


def is_of_the_network(error: Exception) -> bool:
    """Whether an exchange ended by the network or the other side, and not by a defect here.

    httpx turns httpcore's errors into its own by a table that it fills once. Where httpcore has been loaded anew since
    then, as it is when pytest runs pytest in one process, they come through as they are.
    """
    of_transport = type(error).__module__.partition(".")[0] in ("httpcore", "socksio")
    return of_transport or isinstance(error, httpx.HTTPError | httpx.InvalidURL | OSError | UnicodeError)
