"""What goes into the emulator and what comes out, without sockets: a request as read, a reply and how to send it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ..exhaustion import OUT_OF

JSON = "application/json"


class Manner(StrEnum):
    """How a reply goes out."""

    WHOLE = "whole"
    RESET = "reset"
    """Nothing is sent; the connection is reset (RST)."""
    CUT_SHORT = "cut short"
    """The body ends in the middle of its Content-Length."""
    DRIP = "drip"
    """One byte of the body every `Reply.interval` seconds."""
    ENDLESS = "endless"
    """After the body comes more and more of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was read from its connection.

    Attributes:
        target: the raw path with its query, nothing decoded.
        headers: by lower-case name; what came more than once is joined by ``", "``.
        client: the address it came from.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # no repr: it holds credentials
    body: bytes = field(default=b"", repr=False)
    client: str = "127.0.0.1"

    @property
    def path(self) -> str:
        """The raw path without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query, empty when there is none."""
        return self.target.partition("?")[2]

    @property
    def bearer(self) -> str:
        """The token of ``Authorization: Bearer TOKEN``, empty when there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the manner of sending it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.WHOLE
    interval: float = 0.0


class Refused(Exception):
    """A request that is answered without a run."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, reason)
        plain = json_reply({"ok": False, "error": reason}, status)
        self.reply = replace(plain, headers={**plain.headers, **(headers or {})})


def json_bytes(value: Any) -> bytes:
    """A value as strict JSON in UTF-8.

    Raises:
        TypeError, ValueError, RecursionError: the value is not JSON. NaN and infinities are not.
    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can carry only as an escape
        return json.dumps(value, allow_nan=False).encode()


ADVICE = "Raise the limit in the shell that starts pytest or the emulator, or run fewer at once (--wisebot-concurrency)"
"""What to do about an emulator that has run out of something."""


def unavailable(reason: str) -> Reply:
    """503 without an envelope, for a client an answer without a verdict: why the emulator cannot run a workflow."""
    advice = f" {ADVICE}." if reason.startswith(OUT_OF) else ""
    return Reply(503, f"The emulator is {reason}.{advice}".encode(), {"Content-Type": "text/plain; charset=utf-8"})


def json_reply(value: Any, status: int = 200) -> Reply:
    """A reply whose body is ``value`` as JSON."""
    return Reply(status, json_bytes(value), {"Content-Type": JSON})


def same(given: str, right: str) -> bool:
    """Whether two credentials are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), right.encode())
