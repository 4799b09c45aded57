"""What an answer says: a run that ended, or the error that names who must act."""

from __future__ import annotations

import asyncio
import email.utils
import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from ..envelope import Envelope, NoEnvelopeError, parse
from ..errors import (
    Answer,
    Attempted,
    AuthenticationFailed,
    GatewayFailed,
    InfrastructureError,
    RateLimited,
    Redirected,
    RequestRejected,
    ServiceUnavailable,
    UnexpectedResponse,
    WorkflowNotFound,
)
from ..redaction import Redactor
from .exchange import Received, excerpt

_A_YEAR: Final = 365 * 86_400.0
"""Seconds. A server that says more says "never", and what says so must stay a finite number."""

LARGE: Final = 256 * 1024
"""Bytes of an answer from which on it is read in a thread of its own."""


class AnswerReader:
    """Reads answers.

    Args:
        redactor: cleans what a run holds of an answer, and what an error quotes of it.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    async def read(self, received: Received, credential: str, asked: Attempted) -> Envelope | InfrastructureError:
        """The run that an answer tells of, or why it tells of none.

        Args:
            received: the answer.
            credential: what an error calls the credential.
            asked: what was asked of whom, for an error's words.
        """
        envelope, flaw = await self._opened(received)
        status = received.status_code
        if envelope is not None and (200 <= status < 300 or (status >= 400 and envelope.run_id is not None)):
            return envelope
        answer = self.answer(received)
        kind, reason = _refusal(status, answer, credential)
        if 300 <= status < 400:
            reason = f"redirected to {self._redirect_host(received)}, which is not followed"
        elif 200 <= status < 300:
            reason = f"the answer {flaw}"
        return kind(reason, asked, answer)

    async def _opened(self, received: Received) -> tuple[Envelope | None, str]:
        """The envelope, or why there is none. A large answer takes seconds, which other runs' deadlines do not pay."""
        if received.flaw is not None:
            return None, received.flaw
        try:
            if len(received.body) < LARGE:
                return self._parsed(received.body), ""
            return await asyncio.to_thread(self._parsed, received.body), ""
        except NoEnvelopeError as error:
            return None, str(error)

    def _parsed(self, body: bytes) -> Envelope:
        """The envelope, clean: here, once, so that every test sees the same, from whatever source its run comes."""
        envelope = parse(body)
        if self._redactor.is_clean_json(body):
            return envelope
        answer = dict(envelope.extra)
        if envelope.has_result:
            answer["result"] = envelope.result
        if envelope.error is not None:
            answer["error"] = envelope.error
        clean = self._redactor.clean_answer(answer)
        changed: dict[str, Any] = {name: clean.pop(name) for name in ("result", "error") if name in clean}
        run_id = self._redactor.clean(envelope.run_id) if envelope.run_id is not None else None
        return envelope.model_copy(update=changed | {"extra": clean, "run_id": run_id})

    def answer(self, received: Received) -> Answer:
        """As much of an answer as an error shows."""
        content_type = excerpt(received.headers.get("content-type", ""), self._redactor)
        # Blanks go first, and far more is cleaned than shown: where the text is cut, half a credential may stand.
        text = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", received.body[:LARGE].decode("utf-8", "replace"))
        text = excerpt(text[:65536], self._redactor)
        return Answer(received.status_code, content_type, text, retry_after(received.headers))

    def _redirect_host(self, received: Received) -> str:
        try:
            host = urlsplit(received.headers.get("location", "")).hostname
        except ValueError:
            host = None
        return excerpt(host, self._redactor) if host else "another place"


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


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that ``Retry-After`` asks for, in seconds or as a date; None when it asks nothing that can be read."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return min(float(text), _A_YEAR)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # of a year or an offset that no date can hold, the latter
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
