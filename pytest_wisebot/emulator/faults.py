"""Faults: failures between a client and Wisebot, made on purpose.

Wisebot documents neither the status codes of its refusals nor the proxies in front of its hosts. A client must handle
all of these faults.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self

from ..errors import ConfigurationError
from . import arguments
from .http import JSON, PLAIN_TEXT, Manner, Reply, json_bytes

NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses whose answers have no body."""

WITHOUT_RUN = frozenset({"status", "rate_limited", "html", "redirect", "reset_before"})
"""Kinds that answer in place of the workflow."""

_ENVELOPE_START = '{"ok": true, "result": "'


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Use the class methods below to make one.

    Attributes:
        kind: the name of the class method that made it.
        params: how it changes the ordinary reply, as plain JSON values.
    """

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Short enough for a test's id."""
        status = self.params.get("status", "")
        return f"{self.kind}-{status}" if status else self.kind

    @classmethod
    def status(
        cls,
        code: int,
        envelope: Mapping[str, Any] | bool | None = None,
        retry_after: float | str | None = None,
        body: str | None = None,
        content_type: str | None = None,
    ) -> Self:
        """An answer with this status; the workflow does not run.

        Args:
            code: from 200 to 599.
            envelope: sent as JSON; True sends a refusal's, with ``ok`` false and an error, and no ``runId``.
            retry_after: seconds, or an HTTP date as a string, for the header ``Retry-After``.
            body: sent unchanged, in UTF-8. Default without an envelope: the status in words.
            content_type: replaces ``application/json`` of an envelope and ``text/plain`` of a body.
        """
        code = arguments.whole_number("Fault.status: code", code, 200, 599)
        if isinstance(envelope, bool):
            envelope = {"ok": False, "error": f"{_in_words(code)}."} if envelope else None
        given = [value for value in (envelope, body) if value is not None]
        arguments.check("Fault.status", "both", "an envelope or a body", is_right=len(given) < 2)
        nothing = f"neither envelope nor body, since an answer of {code} has none"
        arguments.check("Fault.status", "one", nothing, is_right=not (given and code in NO_BODY))
        usual = PLAIN_TEXT if envelope is None else JSON
        text = _in_words(code) if not given else _envelope_text(envelope) if body is None else body
        return cls._answer("status", code, text, content_type or usual, _retry_after("Fault.status", retry_after))

    @classmethod
    def rate_limited(cls, retry_after: float | str | None = None) -> Self:
        """429, with ``Retry-After`` in seconds or as an HTTP date when it is given; the workflow does not run."""
        headers = _retry_after("Fault.rate_limited", retry_after)
        return cls._answer("rate_limited", 429, "429 Too Many Requests", PLAIN_TEXT, headers)

    @classmethod
    def html(cls, code: int = 502) -> Self:
        """An HTML error page of a gateway; the workflow does not run."""
        words = _in_words(arguments.whole_number("Fault.html: code", code, 200, 599))
        page = f"<!doctype html>\n<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>\n"
        return cls._answer("html", code, page, "text/html; charset=utf-8")

    @classmethod
    def redirect(cls, to: str = "https://login.example.com/", code: int = 307) -> Self:
        """A redirect, as to a log-in page; the workflow does not run."""
        code = arguments.whole_number("Fault.redirect: code", code, 300, 399)
        headers = {"Location": arguments.header("Fault.redirect: to", to)}
        return cls._answer("redirect", code, _in_words(code), PLAIN_TEXT, headers)

    @classmethod
    def delay(cls, seconds: float) -> Self:
        """The workflow runs as usual after a delay in seconds."""
        return cls("delay", {"seconds": arguments.seconds("Fault.delay: seconds", seconds)})

    @classmethod
    def reset_before(cls) -> Self:
        """The connection is reset after the request has been read; the workflow does not run."""
        return cls("reset_before", {"manner": Manner.RESET.value})

    @classmethod
    def reset_after(cls) -> Self:
        """The workflow runs, then the connection is reset without an answer."""
        return cls("reset_after", {"manner": Manner.RESET.value})

    @classmethod
    def cut_short(cls) -> Self:
        """The workflow runs, then the answer's body ends in the middle of its ``Content-Length``."""
        return cls("cut_short", {"manner": Manner.CUT_SHORT.value})

    @classmethod
    def invalid_utf8(cls) -> Self:
        """The workflow runs, then a body is sent that is not UTF-8."""
        return cls("invalid_utf8", {"body": _ENVELOPE_START + '\udcff\udcfe"}'})

    @classmethod
    def endless(cls) -> Self:
        """The workflow runs, then a body is sent that does not end (256 MiB, unless the client disconnects earlier)."""
        return cls("endless", {"manner": Manner.ENDLESS.value, "body": _ENVELOPE_START})

    @classmethod
    def drip(cls, interval: float = 0.1) -> Self:
        """The workflow runs, then its answer is sent, one byte of the body every ``interval`` seconds."""
        interval = arguments.seconds("Fault.drip: interval", interval)
        return cls("drip", {"manner": Manner.DRIP.value, "interval": interval})

    @classmethod
    def raw(cls, body: str, status: int = 200, content_type: str = JSON) -> Self:
        """The workflow runs, then exactly this body is sent: NaN, deep nesting, or anything but an envelope."""
        return cls._answer("raw", arguments.whole_number("Fault.raw: status", status, 200, 599), body, content_type)

    @classmethod
    def _answer(
        cls, kind: str, code: int, body: str, content_type: str, headers: Mapping[str, str] | None = None
    ) -> Self:
        content_type = arguments.header(f"Fault.{kind}: content_type", content_type)
        sent = {"Content-Type": content_type, **(headers or {})}
        return cls(kind, {"status": code, "headers": sent, "body": arguments.string(f"Fault.{kind}: body", body)})

    def to_dict(self) -> dict[str, Any]:
        """This fault as plain JSON values, from which `from_dict` makes an equal one."""
        return {"kind": self.kind, "params": dict(self.params)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The fault that `to_dict` serialised."""
        return cls(data["kind"], dict(data["params"]))

    def reply(self, ordinary: Callable[[], Reply]) -> Reply:
        """The reply under this fault; ``ordinary`` runs the workflow and returns the reply without the fault."""
        changes = dict(self.params)
        time.sleep(changes.pop("seconds", 0.0))
        if "body" in changes:
            changes["body"] = changes["body"].encode(errors="surrogateescape")
        if "manner" in changes:
            changes["manner"] = Manner(changes["manner"])
        return replace(Reply(0) if self.kind in WITHOUT_RUN else ordinary(), **changes)


@dataclass(slots=True)
class ArmedFault:
    """A fault that waits for requests of a workflow and a test; None stands for any.

    Attributes:
        left: the number of requests that still receive it.
    """

    fault: Fault
    left: int
    workflow: str | None
    test: str | None

    def matches(self, workflow: str, test: str) -> bool:
        """Whether a request receives this fault."""
        return self.left > 0 and self.workflow in (None, workflow) and self.test in (None, test)


def check_fault(fault: object) -> None:
    """Raises an error for an argument that is not a fault."""
    arguments.check("fail_next: fault", fault, "a Fault, such as Fault.html()", is_right=isinstance(fault, Fault))


def _envelope_text(envelope: Any) -> str:
    arguments.check("Fault.status: envelope", envelope, "a dict", is_right=isinstance(envelope, Mapping))
    try:
        return json_bytes(dict(envelope)).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"Fault.status: envelope: expected JSON values ({error}), got {envelope!r}") from None


def _retry_after(name: str, value: float | str | None) -> dict[str, str]:
    if value is None:
        return {}
    name = f"{name}: retry_after"
    text = arguments.header(name, value) if isinstance(value, str) else f"{arguments.seconds(name, value):g}"
    return {"Retry-After": text}


def _in_words(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:  # 520 to 524, which some gateways use, have no registered phrase
        return f"{code} Error"
