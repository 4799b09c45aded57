"""The meaning of an answer: a run that ended, or an error whose class names who must act.

Answers that come packed although they were requested unpacked (gzip, deflate) are unpacked up to a limit. A server or
proxy in between may set a wrong ``Content-Encoding`` ("UTF-8"), or leave it in place although it has unpacked the body.
A body that reads as text is therefore taken as it is.
"""

from __future__ import annotations

import email.utils
import re
import zlib
from asyncio import to_thread
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from ..envelope import Envelope, NoEnvelopeError, parse
from ..errors import (
    Answer,
    Attempted,
    AuthenticationFailed,
    ConnectionFailed,
    GatewayFailed,
    InfrastructureError,
    RateLimited,
    Redirected,
    Rejected,
    RequestRejected,
    RunNotFinished,
    ServiceUnavailable,
    UnexpectedResponse,
    WorkflowNotFound,
)
from ..originals import dates, threading
from ..redaction import Redactor
from ..redaction.linear import Stop, never
from ..runs import is_no_error, says_unfinished
from ..text import brief, printable
from .exchange import Received, excerpt

T = TypeVar("T")

_A_YEAR: Final = 365 * 86_400.0
"""Seconds. A server that says more says "never", and what says so must stay a finite number."""

LARGE: Final = 256 * 1024
"""Bytes of an answer from which on it is read in a thread of its own."""

LARGE_FOR_PATTERNS: Final = 8 * 1024
"""The same where the project has patterns. One search is linear, but some patterns search the rest of the text again
after each match, such as ``x(.*y)?``."""

MOST_OF_A_HEADER: Final = 4096
"""Characters of a header that are cleaned, of which far fewer are shown: more would hold up the other runs."""

AGREEMENT: Final = 2.0
"""Seconds that two clocks which agree may seem to differ by."""

PARTS: Final = (206, 226)
"""Statuses of answers that hold a part, or a difference, and not the whole."""

STOPPED_WAITING: Final = (408, 460, 499)
"""Statuses below 500 by which gateways say that one side was too slow: Envoy's, Amazon's and nginx's."""


class AnswerReader:
    """Reads answers.

    Args:
        redactor: cleans what a run holds of an answer, and what an error quotes of it.
        limit: bytes that a packed answer may unpack to.
        certificate_help: what to do about a server that wants a client certificate.
    """

    def __init__(self, redactor: Redactor, limit: int = 16 * 2**20, certificate_help: str = "set client-cert") -> None:
        self._redactor = redactor
        self._certificate_help = certificate_help
        self._limit = limit

    async def read(self, received: Received, credential: str, attempted: Attempted) -> Envelope | InfrastructureError:
        """The run that an answer holds, or the error that explains why it holds none.

        Args:
            received: the answer.
            credential: what an error calls the credential.
            attempted: the request, for the message of an error.
        """
        received = await self._unpacked(received)
        envelope, flaw = await self._opened(received)
        status = received.status_code
        if envelope is not None and (_is_of_a_run(status, envelope) or status == 429):
            if unfinished := _unfinished(status, envelope):
                return self._not_finished(unfinished, envelope.run_id, attempted, await self.answer(received))
            if _is_of_a_run(status, envelope):
                return envelope
        answer = await self.answer(received)
        if status == 400 and (page := _certificate_page(received)):
            reason = f"the server wants a client certificate ({page}); {self._certificate_help}"
            return ConnectionFailed(reason, attempted, answer)
        if status == 202:
            return self._not_finished(f"status 202, and the answer {flaw}", None, attempted, answer)
        kind, reason = _refusal(received, answer, credential)
        if 300 <= status < 400:
            reason = self._redirected(received)
        elif 200 <= status < 300:
            reason = f"the answer {flaw or f'is a part of one alone (status {status})'}"
        return kind(reason, attempted, answer)

    async def refused_token(self, received: Received, credential: str, attempted: Attempted) -> InfrastructureError:
        """What an answer with 401 or 403 to ``GET /api/v1/status`` means, before which no run is started."""
        received = await self._unpacked(received)
        answer = await self.answer(received)
        if before := _before_wisebot(received, answer):
            return Rejected(f"GET /api/v1/status was {before}; no run was started", attempted, answer)
        reason = f"{credential} was refused by GET /api/v1/status; no run was started"
        return AuthenticationFailed(reason, attempted, answer)

    def _not_finished(self, how: str, run_id: str | None, attempted: Attempted, answer: Answer) -> RunNotFinished:
        run_id = printable(run_id) if run_id else None
        known = f"runId {run_id}" if run_id else "no runId"
        return RunNotFinished(
            f"accepted, and its end is unknown: {how}; {known}", attempted, replace(answer, run_id=run_id)
        )

    async def _unpacked(self, received: Received) -> Received:
        """The answer with its body unpacked, as far as that goes."""
        encodings = encodings_of(received.headers.get("content-encoding", ""))
        if not encodings or not received.body:
            return received
        found = await to_thread(unpacked, received.body, encodings, self._limit)
        names = excerpt(", ".join(found.ignored)[:MOST_OF_A_HEADER], self._redactor)
        flaw, body = found.flaw, found.body
        if not flaw and names and not is_text(body):
            flaw, body = f"is packed ({names}), which cannot be unpacked", b""
        whole = received.flaw or flaw or None
        return replace(received, body=body, flaw=whole, unread=(whole or "") if flaw else "", encodings=names)

    async def _opened(self, received: Received) -> tuple[Envelope | None, str]:
        """The envelope, or why there is none. A large answer takes seconds, which other runs' deadlines do not pay."""
        if received.flaw is not None:
            return None, received.flaw
        try:
            return await self._done(self._parsed, received.body), ""
        except NoEnvelopeError as error:
            named = f" (Content-Encoding: {received.encodings})" if received.encodings else ""
            return None, f"{error}{named}"

    async def _done(self, work: Callable[[bytes, Stop], T], body: bytes) -> T:
        """Does what takes the longer, the larger the body is: in a thread, unless it is small."""
        if len(body) < (LARGE_FOR_PATTERNS if self._redactor.has_patterns else LARGE):
            return work(body, never)
        stopped = threading.Event()
        try:
            return await to_thread(work, body, stopped.is_set)
        finally:
            stopped.set()  # after the run's deadline the thread gives up, too

    def _parsed(self, body: bytes, stop: Stop) -> Envelope:
        """The envelope, clean: here, once, so that every test sees the same, from whatever source its run comes."""
        envelope = parse(body)
        if self._redactor.is_clean_json(body):
            return envelope
        answer = dict(envelope.extra)
        if envelope.has_result:
            answer["result"] = envelope.result
        if envelope.error is not None:
            answer["error"] = envelope.error
        clean = self._redactor.clean_answer(answer, stop)
        changed: dict[str, Any] = {name: clean.pop(name) for name in ("result", "error") if name in clean}
        run_id = self._redactor.clean(envelope.run_id, stop) if envelope.run_id is not None else None
        return replace(envelope, **changed, extra=clean, run_id=run_id)

    async def answer(self, received: Received) -> Answer:
        """As much of an answer as an error shows."""
        content_type = excerpt(received.headers.get("content-type", "")[:MOST_OF_A_HEADER], self._redactor)
        text = await self._done(self._excerpt, received.body[: LARGE - 1])
        unread = received.unread or ("has no text" if received.body.strip() and not text else "")
        return Answer(received.status_code, content_type, text, retry_after(received.headers), unread)

    def _excerpt(self, body: bytes, stop: Stop) -> str:
        # Blanks go first, and far more is cleaned than shown: where the text is cut, half a credential may stand.
        text = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", body.decode("utf-8", "replace"))
        return excerpt(text[:65536], self._redactor, stop)

    def _redirected(self, received: Received) -> str:
        """From where to where, each without its query, which may hold a credential; and what to set."""
        location = received.headers.get("location", "")[:MOST_OF_A_HEADER]
        try:
            target = urlsplit(urljoin(received.url, location))
            host = f"{target.scheme}://{target.netloc.rpartition('@')[2]}" if target.hostname else ""
        except ValueError:
            host = ""
        if not host or host + target.path == received.url:
            return f"redirected from {received.url} to another place, which is not followed"
        to, asked = excerpt(host + target.path, self._redactor), urlsplit(received.url)
        moved = target.path == asked.path and host != f"{asked.scheme}://{asked.netloc}"
        advice = f"; if that is Wisebot, set the host to {excerpt(host, self._redactor)}" if moved else ""
        return f"redirected from {received.url} to {to}, which is not followed{advice}"


def _is_of_a_run(status: int, envelope: Envelope) -> bool:
    """Whether an envelope tells of a run: by the contract each run has a ``runId``, and a refusal has none."""
    if status >= 400:
        return bool(envelope.run_id)
    return 200 <= status < 300 and status not in PARTS


def _unfinished(status: int, envelope: Envelope) -> str:
    """What says that a run was accepted and has not ended; empty where its envelope says how it ended."""
    if envelope.result is not None or not is_no_error(envelope.error):
        return ""
    value = envelope.extra.get("status")
    if says_unfinished(value):
        return f"its status is {brief(value)}"
    return "status 202, without result or error" if status == 202 else ""


def _refusal(received: Received, answer: Answer, credential: str) -> tuple[type[InfrastructureError], str]:
    """The error that a status without a run stands for."""
    status = received.status_code
    before = _before_wisebot(received, answer)
    if status in (401, 403) and before:
        return Rejected, before
    named: dict[int, tuple[type[InfrastructureError], str]] = {
        401: (AuthenticationFailed, f"{credential} was refused"),
        403: (AuthenticationFailed, f"{credential} may not start this run"),
        404: (WorkflowNotFound, f"{before}: is it Wisebot's host?" if before else "no such workflow at this host"),
        407: (RequestRejected, received.of_proxy or "a proxy on the way asks for a credential of its own"),
        429: (RateLimited, "too many requests"),
        503: (ServiceUnavailable, "not available for now"),
        511: (GatewayFailed, "the network asks for a log-in"),
        **dict.fromkeys(STOPPED_WAITING, (GatewayFailed, "a gateway stopped waiting for the answer")),
    }
    if status in named:
        return named[status]
    if status >= 500:
        return GatewayFailed, "a gateway or the server failed"
    if status >= 400:
        return RequestRejected, "the request was refused"
    return (Redirected, "redirected") if status >= 300 else (UnexpectedResponse, f"no final answer (status {status})")


def _certificate_page(received: Received) -> str:
    """The words of nginx, if its page refuses the client's certificate or the want of one; no run was passed on."""
    found = re.search(rb"No required SSL certificate was sent|The SSL certificate error", received.body[:LARGE])
    return found[0].decode() if found and received.body.lstrip().startswith(b"<") else ""


def _before_wisebot(received: Received, answer: Answer) -> str:
    """How an answer shows that what stands before Wisebot has given it: a page, or a time to come back at.

    Wisebot's own answers are JSON, plain text or empty. A firewall's page says nothing of the credential.
    """
    media = answer.content_type.partition(";")[0].strip().lower()
    body = received.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    is_page = re.match(rb"<[!?a-z]", body, re.IGNORECASE) is not None
    if not body.startswith((b"{", b"[")) and (is_page or "html" in media or "xml" in media):
        return f"refused before Wisebot answered ({media if 'ml' in media else 'a page'})"
    return "refused before Wisebot answered (with Retry-After)" if "retry-after" in received.headers else ""


def clock_ahead(received: Received) -> float:
    """Seconds that the server's clock is ahead of this machine's, by ``Date``; 0 where they agree, or it has none.

    ``Date`` has whole seconds, and an answer takes a moment: a difference below two seconds is ignored.
    """
    moment = _date(received.headers.get("date", ""))
    if moment is None:
        return 0.0
    ahead = moment.timestamp() - received.at
    return float(round(ahead)) if abs(ahead) > AGREEMENT else 0.0


def _date(text: str) -> datetime | None:
    """The moment of a header; None where it cannot be read. Of one without a zone, that of UTC is meant."""
    try:
        moment = email.utils.parsedate_to_datetime(text.strip())
    except (ValueError, OverflowError):  # of a year or an offset that no date can hold, the latter
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that ``Retry-After`` asks for, in seconds or as a date; None when it asks nothing that can be read."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return min(float(text), _A_YEAR)
    moment = _date(text)
    return max(0.0, (moment - dates.now()).total_seconds()) if moment is not None else None


_PIECE: Final = 4096
"""Bytes that are unpacked in one step. A damaged body loses the step that is damaged, and keeps those before it."""

MOST: Final = 4
"""Encodings, one within the other, that are undone."""

MOST_MEMBERS: Final = 1000
"""Members of one gzip file that are read."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A body, as far as it could be unpacked.

    Attributes:
        body: its beginning, where the rest cannot be read.
        flaw: why it cannot be read whole, in words that go on after "the answer …"; empty where it can.
        ignored: encodings that were not undone.
    """

    body: bytes
    flaw: str = ""
    ignored: tuple[str, ...] = ()


class BrokenError(Exception):
    """A packed body does not match its encoding; holds the part that was unpacked before."""

    def __init__(self, body: bytes, flaw: str) -> None:
        super().__init__(flaw)
        self.body = body
        self.flaw = flaw


def encodings_of(header: str) -> list[str]:
    """The encodings that ``Content-Encoding`` names, in the order in which they were applied, identity left out."""
    names = [name.strip().lower() for name in header.split(",")]
    return [name for name in names if name not in ("", "identity")]


def unpacked(body: bytes, encodings: list[str], limit: int) -> Unpacked:
    """A body without these encodings.

    Args:
        body: the bytes as they came.
        encodings: in the order in which they were applied.
        limit: bytes that any of them may unpack to.
    """
    ignored: list[str] = encodings[:-MOST]
    for name in reversed(encodings[-MOST:]):
        unpack = _UNPACK.get(name)
        if unpack is None or not body:
            ignored += [name] if body else []
            continue
        try:
            body = unpack(body, name, limit)
        except BrokenError as error:
            if not is_text(body):
                return Unpacked(error.body, error.flaw, tuple(ignored))
            ignored.append(name)
    return Unpacked(body, ignored=tuple(ignored))


def _gunzip(body: bytes, name: str, limit: int) -> bytes:
    """All members of a gzip file, one after the other; zeros at its end are padding."""
    found = bytearray()
    at = 0
    for _ in range(MOST_MEMBERS):
        at = _inflate_stream(body, at, 16 + zlib.MAX_WBITS, found, name, limit)
        if not body[at:].strip(b"\0"):
            return bytes(found)
    raise BrokenError(bytes(found), f"is packed ({name}) in more than {MOST_MEMBERS} parts")


def _inflate(body: bytes, name: str, limit: int) -> bytes:
    """``deflate``: within zlib's frame by the standard, without it by some servers."""
    framed = len(body) >= 2 and body[0] & 0x0F == zlib.DEFLATED and (body[0] << 8 | body[1]) % 31 == 0
    found = bytearray()
    _inflate_stream(body, 0, zlib.MAX_WBITS if framed else -zlib.MAX_WBITS, found, name, limit)
    return bytes(found)


def _inflate_stream(body: bytes, at: int, bits: int, found: bytearray, name: str, limit: int) -> int:
    """Unpacks the one stream that begins at an offset, and returns the offset of its end.

    Raises:
        BrokenError: it is cut, damaged, or holds more than the limit.
    """
    stream = zlib.decompressobj(bits)
    while not stream.eof:
        packed = body[at : at + _PIECE]
        if not packed:
            raise BrokenError(bytes(found), f"is packed ({name}), and cut short")
        at += len(packed)
        try:
            found += stream.decompress(packed, limit + 1 - len(found))
        except zlib.error:
            raise BrokenError(bytes(found), f"is packed ({name}), and damaged") from None
        if len(found) > limit:
            raise BrokenError(bytes(found[:limit]), f"is larger than {limit // 2**20} MiB ({name}, unpacked)")
    return at - len(stream.unused_data)


_UNPACK: Final[dict[str, Callable[[bytes, str, int], bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
}


def is_text(body: bytes) -> bool:
    """Whether a body reads as text, which packed bytes do not: UTF-8 without control characters."""
    beginning = body[:4096]
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or len(body) <= len(beginning):
            return False
    return not beginning.translate(None, _NO_CONTROL)


_NO_CONTROL: Final = bytes(code for code in range(256) if code >= 0x20 or code in b"\t\r\n")
