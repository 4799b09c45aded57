"""Runs one workflow over HTTP and says what became of it: a `WorkflowRun`, or the error that names who must act.

One step, one worry: `Client.run` holds the deadline, then the retries, then one attempt, then one exchange of bytes,
and `_verdict` reads the answer. The client never starts a run again that may have happened, unless the settings call
the workflow idempotent.

Of httpx little is used, on purpose. Each attempt has a connection of its own: of a reused one nobody could tell whether
it was stale or the run was lost. Credentials are on the request and never on a client, redirects are not followed (one
would carry ``X-Workflow-Secret`` to another host), answers are asked for unpacked and read in pieces up to a limit, and
the one deadline is ours, since httpx's own limits are per read and a slow drip passes them.
"""

from __future__ import annotations

import asyncio
import email.utils
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol, Self
from urllib.parse import urlsplit

import httpx

from .apis import Outgoing, Prepared, prepare, status_check
from .envelope import Envelope, NoEnvelopeError, parse
from .errors import (
    Answer,
    Attempted,
    AuthenticationFailed,
    BudgetExhausted,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    GatewayFailed,
    InfrastructureError,
    NotRun,
    NotStarted,
    OutcomeUnknown,
    RateLimited,
    Redirected,
    RequestRejected,
    RunTimedOut,
    ServiceUnavailable,
    UnexpectedResponse,
    WorkflowNotFound,
)
from .redaction import Redactor
from .runs import Api, RunRequest, WorkflowRun, brief
from .settings import Settings
from .settings.checks import is_loopback

EXCERPT: Final = 300
"""Characters of an answer's body that an error shows."""

LONGEST_PAUSE: Final = 60.0
"""Seconds that a ``Retry-After`` makes one wait at most."""

LARGE: Final = 256 * 1024
"""Bytes of an answer from which on it is read in a thread of its own."""

STATUS_LIMIT: Final = 10.0
"""Seconds that checking a dashboard token may take; after them the run itself finds out."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a run asks, and as whom.

    Attributes:
        host: the origin.
        workflow: the workflow's id.
        credential: what an error calls the credential; never the credential itself.
    """

    api: Api
    host: str
    workflow: str
    credential: str


class Turns(Protocol):
    """Who says when a run may make its attempts: the engine, for which each is one of many."""

    def begin(self, target: Target) -> None:
        """The first attempt is about to be made. Raises `NotRun` when it must not be."""
        ...

    def sent(self) -> None:
        """The attempt has begun to go out."""
        ...

    def failed(self, error: InfrastructureError) -> None:
        """The attempt ended without a run."""
        ...

    async def again(self, seconds: float) -> None:
        """Returns when the next attempt may be made, after so many seconds at least. Raises `NotRun`."""
        ...


class AtOnce:
    """The turns of a run that is alone: all of them at once."""

    def begin(self, target: Target) -> None:
        """It may."""

    def sent(self) -> None:
        """Nobody counts."""

    def failed(self, error: InfrastructureError) -> None:
        """Nobody minds."""

    async def again(self, seconds: float) -> None:
        """Waits as long as the client asks."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Flight:
    """How far a run has come: what its result says of itself, and whether giving up now leaves the outcome unknown."""

    turns: Turns = field(default_factory=AtOnce)
    attempts: int = 0
    sent_at: float | None = None
    started_at: datetime | None = None
    asked: Attempted | None = None
    failure: InfrastructureError | None = None
    """The last attempt's error, or an earlier one's after which the run may have happened."""

    @property
    def sent(self) -> bool:
        """Whether the attempt that is under way has begun to send."""
        return self.sent_at is not None

    def begin(self) -> None:
        """A new attempt."""
        self.attempts += 1
        self.sent_at = None

    def keep(self, failure: InfrastructureError) -> None:
        """Remembers why an attempt failed; that a run may have happened is not forgotten over a later error."""
        self.sent_at = None
        if not isinstance(self.failure, OutcomeUnknown):
            self.failure = failure

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """What httpcore tells of a connection; a CONNECT is the proxy's business and starts no run."""
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self.sent_at = time.perf_counter()
            self.started_at = datetime.now(UTC)
            self.turns.sent()


@dataclass(frozen=True, slots=True)
class _Received:
    """An answer as it came over the wire; ``flaw`` is why its body cannot be an envelope, if that is known already."""

    status_code: int
    headers: httpx.Headers
    body: bytes
    flaw: str | None = None


class Client:
    """Asks Wisebot. For use within one event loop.

    Args:
        settings: the hosts, credentials and limits.
        redactor: cleans what errors quote of answers.
        jitter: a number from 0 to 1, by which pauses differ; for tests.
    """

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._redactor = redactor
        self._jitter = jitter
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._token_check: asyncio.Task[Answer | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._token_check is not None:
            self._token_check.cancel()
            await asyncio.wait([self._token_check])  # and not its result, whose error each run was told
            if not self._token_check.cancelled():
                self._token_check.exception()  # seen, so that asyncio does not complain

    async def run(self, request: RunRequest, flight: Flight) -> WorkflowRun:
        """Runs a workflow and waits for its end; ``flight`` shows how far it is.

        Raises:
            ConfigurationError: nothing can be sent.
            InfrastructureError: no verdict is possible, and why.
            NotRun: ``flight.turns`` did not let it be sent.
        """
        prepared = prepare(request, self._settings)
        flight.asked = self._attempted(prepared, flight)
        flight.turns.begin(Target(request.api, prepared.outgoing.host, prepared.workflow.id, prepared.credential))
        seconds = request.timeout if request.timeout is not None else self._settings.timeout
        try:
            async with asyncio.timeout(seconds) as deadline:
                await self._check_token(prepared)
                return await self._attempts(prepared, flight, deadline)
        except TimeoutError:
            raise self._overdue(prepared, flight, seconds) from None

    # --- the deadline

    def _overdue(self, prepared: Prepared, flight: Flight, seconds: float) -> InfrastructureError:
        if isinstance(flight.failure, OutcomeUnknown):
            return flight.failure
        asked = self._attempted(prepared, flight)
        if flight.sent:
            return RunTimedOut(f"no whole answer within {seconds:g} s", asked)
        return flight.failure or ConnectionFailed(f"no connection within the run's {seconds:g} s", asked)

    # --- the retries

    async def _attempts(self, prepared: Prepared, flight: Flight, deadline: asyncio.Timeout) -> WorkflowRun:
        while True:
            flight.begin()
            try:
                return await self._attempt(prepared, flight)
            except InfrastructureError as error:
                flight.keep(error)
                flight.turns.failed(error)
                pause = self._pause(error, prepared, flight, deadline)
            assert flight.failure is not None
            if pause is None:
                raise flight.failure
            await self._next_turn(pause, flight, flight.failure)

    async def _next_turn(self, pause: float, flight: Flight, failure: InfrastructureError) -> None:
        try:
            await flight.turns.again(pause)
        except NotRun as stopped:
            # What was tried says more than that it was not tried again; but what provably did not start, and then met
            # the end of the budget, is "not run".
            if isinstance(stopped, BudgetExhausted) and isinstance(failure, NotStarted):
                raise
            raise failure from None

    def _pause(
        self, error: InfrastructureError, prepared: Prepared, flight: Flight, deadline: asyncio.Timeout
    ) -> float | None:
        """Seconds until the next attempt; None when there must not be one."""
        may_repeat = isinstance(error, NotStarted) or (
            isinstance(error, OutcomeUnknown) and prepared.workflow.idempotent
        )
        if not may_repeat or flight.attempts > self._settings.retries:
            return None
        pause = self._back_off(error, flight.attempts)
        ends_at = deadline.when()
        in_time = ends_at is None or asyncio.get_running_loop().time() + pause < ends_at
        return pause if in_time else None

    def _back_off(self, error: InfrastructureError, attempts: int) -> float:
        asked = error.answer.retry_after if error.answer else None
        if asked is not None:
            return min(asked, LONGEST_PAUSE)
        return float(min(0.5 * 2 ** (attempts - 1), 8.0) * (0.5 + self._jitter() / 2))

    # --- one attempt

    async def _attempt(self, prepared: Prepared, flight: Flight) -> WorkflowRun:
        try:
            received = await self._exchange(prepared.outgoing, flight)
        except (httpx.InvalidURL, UnicodeError) as error:  # an id that is too long, a host that no DNS name can be
            raise ConfigurationError(
                f"workflow {brief(prepared.request.workflow)}: no request can be made for {prepared.outgoing.host} "
                f"({type(error).__name__})"
            ) from None
        except Exception as error:
            if not _is_of_the_network(error):
                raise
            raise self._broken(error, prepared, flight) from None
        elapsed = time.perf_counter() - (flight.sent_at or time.perf_counter())
        verdict = self._verdict(await _opened(received), received, prepared, flight)
        if isinstance(verdict, InfrastructureError):
            raise verdict
        return self._run(verdict, received, prepared, flight, elapsed)

    async def _exchange(self, outgoing: Outgoing, flight: Flight) -> _Received:
        async with (
            self._http(outgoing.host) as http,
            http.stream(
                outgoing.method,
                outgoing.url,
                headers=outgoing.open_headers(),
                content=outgoing.body,
                extensions={"trace": flight.trace},
            ) as response,
        ):
            body, flaw = await self._read(response)
            return _Received(response.status_code, response.headers, body, flaw)

    async def _read(self, response: httpx.Response) -> tuple[bytes, str | None]:
        """The body, and why it cannot be an envelope, if it cannot."""
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            return b"", f"is packed ({self._excerpt(encoding)}), though it was asked for unpacked"
        limit = self._settings.max_response_mib * 2**20
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > limit:
                return bytes(body[:limit]), f"is larger than {self._settings.max_response_mib} MiB"
        return bytes(body), None

    def _http(self, host: str) -> httpx.AsyncClient:
        local = is_loopback(host)
        try:
            return httpx.AsyncClient(
                verify=self._context(secure=host.startswith("https:")),
                trust_env=not local,  # loopback never uses a proxy
                timeout=httpx.Timeout(None, connect=self._settings.connect_timeout),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
                follow_redirects=False,
            )
        except (ImportError, ValueError, httpx.InvalidURL):  # not shown: a proxy's URL may hold its password
            raise ConfigurationError(
                "the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names cannot be used: write http://HOST:PORT"
            ) from None

    def _context(self, *, secure: bool) -> ssl.SSLContext:
        """One TLS context for all connections: each that httpx made by itself would cost tens of milliseconds."""
        if secure not in self._contexts:
            try:
                made = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            except OSError as error:
                raise ConfigurationError(
                    f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error.strerror}"
                ) from None
            self._contexts[secure] = made
        return self._contexts[secure]

    def _broken(self, error: Exception, prepared: Prepared, flight: Flight) -> InfrastructureError:
        """What an exchange that did not end means: whether the request had begun to go out decides."""
        asked = self._attempted(prepared, flight)
        if not flight.sent:
            return ConnectionFailed(self._why_no_connection(error), asked)
        return ConnectionLost(f"the connection ended before the answer was whole ({type(error).__name__})", asked)

    def _why_no_connection(self, error: Exception) -> str:
        if type(error).__name__ == "ConnectTimeout":
            return f"no connection within {self._settings.connect_timeout:g} s"
        for cause in _causes(error):
            if isinstance(cause, ConnectionRefusedError):
                return "connection refused"
            if isinstance(cause, socket.gaierror):
                return "host not found"
            if isinstance(cause, ssl.SSLError):
                return f"TLS failed ({cause.reason or type(cause).__name__})"
            if isinstance(cause, OSError) and cause.errno is not None:
                return f"no connection ({cause.strerror})"
        return f"no connection ({type(error).__name__})"

    # --- the answer

    def _verdict(
        self, opened: tuple[Envelope | None, str], received: _Received, prepared: Prepared, flight: Flight
    ) -> Envelope | InfrastructureError:
        status = received.status_code
        envelope, flaw = opened
        if envelope is not None and (200 <= status < 300 or (status >= 400 and envelope.run_id is not None)):
            return envelope
        answer = self._answer(received)
        kind, reason = _refusal(status, answer, prepared.credential)
        if 300 <= status < 400:
            reason = f"redirected to {self._redirect_host(received)}, which is not followed"
        elif 200 <= status < 300:
            reason = f"the answer {flaw}"
        return kind(reason, self._attempted(prepared, flight), answer)

    def _run(
        self, envelope: Envelope, received: _Received, prepared: Prepared, flight: Flight, elapsed: float
    ) -> WorkflowRun:
        settings = self._settings
        return WorkflowRun(
            ok=envelope.ok,
            run_id=envelope.run_id,
            result=envelope.result,
            has_result=envelope.has_result,
            error=envelope.error,
            extra=envelope.extra,
            workflow=prepared.request.workflow,
            workflow_id=prepared.workflow.id,
            api=prepared.request.api,
            inputs=prepared.request.inputs,
            status_code=received.status_code,
            started_at=flight.started_at or datetime.now(UTC),
            elapsed=elapsed,
            attempts=flight.attempts,
            source="emulator" if settings.emulated_fallback is not None else "live",
            environment=settings.environment_of(prepared.request.api),
            commands=prepared.commands,
        )

    def _answer(self, received: _Received) -> Answer:
        content_type = self._excerpt(received.headers.get("content-type", ""))
        # Blanks go first, and far more is cleaned than shown: where the text is cut, half a credential may stand.
        text = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", received.body[:LARGE].decode("utf-8", "replace"))
        text = self._excerpt(text[:65536])
        return Answer(received.status_code, content_type, text, _retry_after(received.headers))

    def _excerpt(self, text: str) -> str:
        cleaned = self._redactor.clean(text)
        readable = "".join(char if char.isprintable() else " " for char in cleaned)
        return re.sub(r" {2,}", " ", readable).strip()[:EXCERPT]

    def _redirect_host(self, received: _Received) -> str:
        try:
            host = urlsplit(received.headers.get("location", "")).hostname
        except ValueError:
            host = None
        return self._excerpt(host) if host else "another place"

    def _attempted(self, prepared: Prepared, flight: Flight) -> Attempted:
        request = prepared.request
        return Attempted(
            workflow=request.workflow,
            api=str(request.api),
            host=prepared.outgoing.host,
            attempts=flight.attempts,
            environment=self._settings.environment_of(request.api),
            commands=prepared.commands,
        )

    # --- the dashboard token, checked once before the first run

    async def _check_token(self, prepared: Prepared) -> None:
        if prepared.request.api is not Api.DASHBOARD:
            return
        if self._token_check is None:
            self._token_check = asyncio.create_task(self._refused_token())
        # Waited for with a limit, and without cancelling it: the check belongs to all runs, and a server that leaves it
        # hanging must not use up the time of a run that it may answer.
        seconds = prepared.request.timeout if prepared.request.timeout is not None else self._settings.timeout
        done, _ = await asyncio.wait([self._token_check], timeout=min(STATUS_LIMIT, seconds / 2))
        answer = self._token_check.result() if done else None
        if answer is not None:
            asked = self._attempted(prepared, Flight())
            reason = f"{prepared.credential} was refused by GET /api/v1/status; no run was started"
            raise AuthenticationFailed(reason, asked, answer)

    async def _refused_token(self) -> Answer | None:
        """The answer that refuses the token; None when it is good, or when nobody can say: then the run finds out."""
        outgoing = status_check(self._settings)
        if outgoing is None:
            return None
        try:
            async with asyncio.timeout(STATUS_LIMIT):
                received = await self._exchange(outgoing, Flight())
        except Exception as error:
            if not _is_of_the_network(error):
                raise
            return None
        return self._answer(received) if received.status_code in (401, 403) else None


async def _opened(received: _Received) -> tuple[Envelope | None, str]:
    """The envelope, or why there is none. A large answer takes seconds, which the other runs' deadlines do not pay."""
    if received.flaw is not None:
        return None, received.flaw
    try:
        if len(received.body) < LARGE:
            return parse(received.body), ""
        return await asyncio.to_thread(parse, received.body), ""
    except NoEnvelopeError as error:
        return None, str(error)


def _refusal(status: int, answer: Answer, credential: str) -> tuple[type[InfrastructureError], str]:
    """The error that a status without a run stands for."""
    if status == 429:
        return RateLimited, "too many requests"
    if status == 503 and answer.retry_after is not None:
        return ServiceUnavailable, "not available for now"
    if status >= 500:
        return GatewayFailed, "a gateway or the server failed"
    named: dict[int, tuple[type[InfrastructureError], str]] = {
        401: (AuthenticationFailed, f"{credential} was refused"),
        403: (AuthenticationFailed, f"{credential} may not start this run"),
        404: (WorkflowNotFound, "no such workflow at this host"),
    }
    if status >= 400:
        return named.get(status, (RequestRejected, "the request was refused"))
    return (Redirected, "redirected") if status >= 300 else (UnexpectedResponse, "the answer is no envelope")


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that ``Retry-After`` asks for, in seconds or as a date; None when it asks nothing that can be read."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # of a year or an offset that no date can hold, the latter
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _is_of_the_network(error: Exception) -> bool:
    """Whether an exchange ended by the network or the other side, and not by a defect here.

    httpx turns httpcore's errors into its own by a table that it fills once. Where httpcore has been loaded anew since
    then, as it is when pytest runs pytest in one process, they come through as they are.
    """
    from_httpcore = type(error).__module__.partition(".")[0] == "httpcore"
    return from_httpcore or isinstance(error, httpx.HTTPError | httpx.InvalidURL | OSError | UnicodeError)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it came from, through groups too: the connection's own reason lies at the bottom."""
    seen: set[int] = set()
    open_errors = [error]
    while open_errors:
        current = open_errors.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        open_errors += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            open_errors += current.exceptions
