"""Faults: what goes wrong between a client and Wisebot, made on purpose.

Wisebot documents neither the status codes of its refusals nor what stands in front of its hosts, so a client must
live through all of these.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self

from . import arguments
from .http import JSON, Manner, Reply, json_bytes

NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses whose answers have no body."""

KINDS = frozenset(
    (
        *("status", "rate_limited", "html", "redirect", "delay", "reset_before"),
        *("reset_after", "cut_short", "invalid_utf8", "endless", "drip", "raw"),
    )
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Made by the class methods below only, which say what it does.

    Attributes:
        kind: the name of the class method that made it.
        params: what that method was given, as plain JSON values.
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
            envelope: sent as JSON; true sends a refusal's, with ``ok`` false and an error, and no ``runId``.
            retry_after: seconds, or an HTTP date as a text, for the header ``Retry-After``.
            body: sent as it is, in UTF-8. Without it and without an envelope: the status in words.
            content_type: in place of ``application/json`` for an envelope and ``text/plain`` for a body.
        """
        code = arguments.whole_number("Fault.status: code", code, 200, 599)
        if isinstance(envelope, bool):
            envelope = {"ok": False, "error": f"{_in_words(code)}."} if envelope else None
        if envelope is not None and body is not None:
            raise arguments.wrong("Fault.status", "an envelope or a body", "both")
        text, usual_type = _status_body(code, envelope, body)
        return cls._answer("status", code, text, content_type or usual_type, _retry_after("Fault.status", retry_after))

    @classmethod
    def rate_limited(cls, retry_after: float | str | None = None) -> Self:
        """429, with ``Retry-After`` in seconds or as an HTTP date when it is given; the workflow does not run."""
        headers = _retry_after("Fault.rate_limited", retry_after)
        return cls._answer("rate_limited", 429, "429 Too Many Requests", "text/plain; charset=utf-8", headers)

    @classmethod
    def html(cls, code: int = 502) -> Self:
        """An error page in HTML, as a gateway gives it; the workflow does not run."""
        words = _in_words(arguments.whole_number("Fault.html: code", code, 200, 599))
        page = f"<!doctype html>\n<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>\n"
        return cls._answer("html", code, page, "text/html; charset=utf-8", {})

    @classmethod
    def redirect(cls, to: str = "https://login.example.com/", code: int = 307) -> Self:
        """A redirect, as to a log-in page; the workflow does not run."""
        code = arguments.whole_number("Fault.redirect: code", code, 300, 399)
        headers = {"Location": arguments.header("Fault.redirect: to", to)}
        return cls._answer("redirect", code, _in_words(code), "text/plain; charset=utf-8", headers)

    @classmethod
    def delay(cls, seconds: float) -> Self:
        """The workflow runs as usual, but only after so many seconds."""
        return cls("delay", {"seconds": arguments.seconds("Fault.delay: seconds", seconds)})

    @classmethod
    def reset_before(cls) -> Self:
        """The connection is reset when the request has been read; the workflow does not run."""
        return cls("reset_before")

    @classmethod
    def reset_after(cls) -> Self:
        """The workflow runs, then the connection is reset without an answer."""
        return cls("reset_after")

    @classmethod
    def cut_short(cls) -> Self:
        """The workflow runs, then the answer's body ends in the middle of its ``Content-Length``."""
        return cls("cut_short")

    @classmethod
    def invalid_utf8(cls) -> Self:
        """The workflow runs, then comes a body that is not UTF-8."""
        return cls("invalid_utf8")

    @classmethod
    def endless(cls) -> Self:
        """The workflow runs, then comes a body that never ends (256 MiB, unless the client goes before)."""
        return cls("endless")

    @classmethod
    def drip(cls, interval: float = 0.1) -> Self:
        """The workflow runs, then comes its answer, one byte of the body every ``interval`` seconds."""
        return cls("drip", {"interval": arguments.seconds("Fault.drip: interval", interval)})

    @classmethod
    def raw(cls, body: str, status: int = 200, content_type: str = JSON) -> Self:
        """The workflow runs, then comes exactly this body: NaN, deep nesting, what is no envelope."""
        text = arguments.text("Fault.raw: body", body)
        return cls._answer("raw", arguments.whole_number("Fault.raw: status", status, 200, 599), text, content_type, {})

    @classmethod
    def _answer(cls, kind: str, code: int, body: str, content_type: str, headers: Mapping[str, str]) -> Self:
        kept = {"Content-Type": arguments.header(f"Fault.{kind}: content_type", content_type), **headers}
        return cls(kind, {"status": code, "headers": kept, "body": body})

    def to_dict(self) -> dict[str, Any]:
        """This fault as plain JSON values, of which `from_dict` makes an equal one."""
        return {"kind": self.kind, "params": dict(self.params)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The fault that `to_dict` wrote down."""
        if data["kind"] not in KINDS:
            raise arguments.wrong("Fault", f"one of {', '.join(sorted(KINDS))}", data["kind"])
        return cls(data["kind"], dict(data["params"]))

    def reply(self, ordinary: Callable[[], Reply]) -> Reply:
        """What is answered under this fault; ``ordinary`` gives, and so runs, what would be answered without it."""
        match self.kind:
            case "reset_before":
                return Reply(0, manner=Manner.RESET)
            case "delay":
                time.sleep(self.params["seconds"])
                return ordinary()
            case "reset_after":
                return replace(ordinary(), manner=Manner.RESET)
            case "cut_short":
                return replace(ordinary(), manner=Manner.CUT_SHORT)
            case "drip":
                return replace(ordinary(), manner=Manner.DRIP, interval=self.params["interval"])
            case "endless":
                return replace(ordinary(), manner=Manner.ENDLESS, body=b'{"ok": true, "result": "')
            case "invalid_utf8":
                return replace(ordinary(), body=b'{"ok": true, "result": "\xff\xfe"}')
            case "raw":
                ordinary()
        return Reply(self.params["status"], self.params["body"].encode(), self.params["headers"])


@dataclass(slots=True)
class _Armed:
    fault: Fault
    left: int
    workflow: str | None
    test: str | None

    def concerns(self, workflow: str, test: str) -> bool:
        return self.workflow in (None, workflow) and self.test in (None, test)


class FaultQueue:
    """The faults that wait for a request, in the order in which they were asked for. Thread-safe."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault, times: int, workflow: str | None, test: str | None) -> None:
        """Lets the next ``times`` requests of this workflow and test have the fault; None means any."""
        with self._lock:
            self._armed.append(_Armed(fault, times, workflow, test))

    def take(self, workflow: str, test: str) -> Fault | None:
        """The first fault that concerns this request, used up by one."""
        with self._lock:
            armed = next((armed for armed in self._armed if armed.concerns(workflow, test)), None)
            if armed is None:
                return None
            armed.left -= 1
            if not armed.left:
                self._armed.remove(armed)
            return armed.fault

    def forget(self, test: str | None) -> None:
        """Drops the faults that were asked for this test alone; None drops all."""
        with self._lock:
            self._armed = [armed for armed in self._armed if test is not None and armed.test != test]


def _status_body(code: int, envelope: Mapping[str, Any] | None, body: str | None) -> tuple[str, str]:
    if code in NO_BODY and (envelope is not None or body is not None):
        raise arguments.wrong("Fault.status", f"neither envelope nor body, since an answer of {code} has none", "one")
    if envelope is not None:
        return _envelope_text(envelope), JSON
    text = _in_words(code) if body is None else arguments.text("Fault.status: body", body)
    return text, "text/plain; charset=utf-8"


def _envelope_text(envelope: object) -> str:
    if not isinstance(envelope, Mapping):
        raise arguments.wrong("Fault.status: envelope", "a dict", envelope)
    try:
        return json_bytes(dict(envelope)).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise arguments.wrong("Fault.status: envelope", f"JSON values ({error})", envelope) from None


def _retry_after(name: str, value: float | str | None) -> dict[str, str]:
    if value is None:
        return {}
    text = arguments.header(f"{name}: retry_after", value) if isinstance(value, str) else None
    return {"Retry-After": text or f"{arguments.seconds(f'{name}: retry_after', value):g}"}


def _in_words(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:  # 520 to 524, which some gateways use, have no registered phrase
        return f"{code} Error"
