"""One exchange of bytes with a host, and what it means when it breaks.

Of httpx little is used, on purpose. Each attempt has a connection of its own: of a reused one nobody could tell whether
it was stale or the run was lost. Credentials are on the request and never on a client, redirects are not followed (one
would carry ``X-Workflow-Secret`` to another host), answers are asked for unpacked and read in pieces up to a limit.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from ..apis import Outgoing
from ..errors import ConfigurationError
from ..redaction import Redactor
from ..settings import Settings
from ..settings.checks import is_loopback
from .flight import Flight


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came over the wire; ``flaw`` is why its body cannot be an envelope, if that is known already."""

    status_code: int
    headers: httpx.Headers
    body: bytes
    flaw: str | None = None


EXCERPT: Final = 300
"""Characters of an answer that an error shows."""


def excerpt(text: str, redactor: Redactor) -> str:
    """What an error shows of an answer's text: no credential, nothing that does not print, and not much."""
    cleaned = redactor.clean(text)
    readable = "".join(char if char.isprintable() else " " for char in cleaned)
    return re.sub(r" {2,}", " ", readable).strip()[:EXCERPT]


class Exchanger:
    """Sends requests, within one event loop.

    Args:
        settings: the limits.
        redactor: cleans what a flaw quotes of an answer.
    """

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        self._settings = settings
        self._redactor = redactor
        self._contexts: dict[bool, ssl.SSLContext] = {}

    async def exchange(self, outgoing: Outgoing, flight: Flight) -> Received:
        """Sends a request, on a connection of its own, and reads the answer up to the limit.

        Raises:
            ConfigurationError: a proxy or certificates that the environment names cannot be used.
            Exception: what the network did; see `is_of_the_network`.
        """
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
            return Received(response.status_code, response.headers, body, flaw)

    async def _read(self, response: httpx.Response) -> tuple[bytes, str | None]:
        """The body, and why it cannot be an envelope, if it cannot."""
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            return b"", f"is packed ({excerpt(encoding, self._redactor)}), though it was asked for unpacked"
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

    def why_no_connection(self, error: Exception) -> str:
        """Why nothing could be sent, in a few words."""
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


def is_of_the_network(error: Exception) -> bool:
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
