"""HTTP without sockets: a request as read, and a reply with the manner of sending it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..exhaustion import OUT_OF

JSON = "application/json"
PLAIN_TEXT = "text/plain; charset=utf-8"


class Manner(StrEnum):
    """How a reply is sent."""

    WHOLE = "whole"
    RESET = "reset"
    """Nothing is sent; the connection is reset (RST)."""
    CUT_SHORT = "cut short"
    """The body ends in the middle of its Content-Length."""
    DRIP = "drip"
    """One byte of the body every `Reply.interval` seconds."""
    ENDLESS = "endless"
    """The body is followed by ever more data."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was read from its connection.

    Attributes:
        target: the raw path with its query, nothing decoded.
        headers: by lower-case name; repeated headers are joined by ``", "``.
        client: the IP address of the client.
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
        """The raw query; empty without one."""
        return self.target.partition("?")[2]

    @property
    def bearer(self) -> str:
        """The token of ``Authorization: Bearer TOKEN``; empty without one."""
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
        self.reply = json_reply({"ok": False, "error": reason}, status, headers or {})


def json_bytes(value: Any) -> bytes:
    """A value as strict JSON in UTF-8.

    Raises:
        TypeError, ValueError, RecursionError: the value is not JSON. NaN and infinities are not.
    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can carry only as an escape
        return json.dumps(value, allow_nan=False).encode()


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply with ``value`` as its JSON body."""
    return Reply(status, json_bytes(value), {"Content-Type": JSON, **(headers or {})})


ADVICE = "Raise the limit in the shell that starts pytest or the emulator, or run fewer at once (--wisebot-concurrency)"
"""How to fix an emulator that ran out of a resource."""


def unavailable(reason: str) -> Reply:
    """503 without an envelope, which a client takes for an answer without a verdict: why no workflow can run."""
    advice = f" {ADVICE}." if reason.startswith(OUT_OF) else ""
    return Reply(503, f"The emulator is {reason}.{advice}".encode(), {"Content-Type": PLAIN_TEXT})


def is_same(given: str, right: str) -> bool:
    """Whether two credentials are equal, compared in constant time."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), right.encode())
