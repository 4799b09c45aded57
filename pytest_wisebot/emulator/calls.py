"""Calls: what arrived at the emulator, recorded as it arrived and completed as it was answered."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from ..runs import Api
from .http import Request

if TYPE_CHECKING:
    from ..redaction import Redactor

KEPT_BODY = 64 * 1024
"""Bytes of a request's body that its record keeps."""

KEPT_INPUTS = 1024 * 1024
"""Bytes of a request's body up to which its record keeps the input bag that was in it."""

CREDENTIAL_HEADERS = frozenset({"authorization", "x-workflow-secret", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Call:
    """A request that arrived, and what became of it. As `cleaned` gives it, it holds no credential.

    Attributes:
        workflow: the id that its address named; empty when the address starts no run.
        api: the API whose origin it came to.
        method: the HTTP method.
        path: the raw path with its query.
        headers: by lower-case name, with credentials masked.
        body: the raw text, cut after 64 KiB; bytes that are not UTF-8 are replaced.
        inputs: the input bag; None when the request was refused before it was read, its body was over 1 MiB, or too
            deep to be cleaned.
        received_at: when the request had been read, as an ISO text in UTC.
        status: the status that was answered; None while there is no answer, and when none was sent.
        ran: whether the workflow function ran (or is running).
        run_id: the run's ``runId``; None without a run.
        fault: the kind of the fault that it was given; None without one.
        test: the tag of the test that sent it; empty without one.
    """

    workflow: str
    api: Api
    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    received_at: str
    inputs: Mapping[str, Any] | None = None
    status: int | None = None
    ran: bool = False
    run_id: str | None = None
    fault: str | None = None
    test: str = ""

    @classmethod
    def arrived(cls, workflow: str, api: Api, request: Request, test: str) -> Self:
        """The record of a request that nothing has been done about."""
        return cls(
            workflow=workflow,
            api=api,
            method=request.method,
            path=request.target,
            headers={name: _masked(name, value) for name, value in request.headers.items()},
            body=request.body[:KEPT_BODY].decode(errors="replace"),
            received_at=datetime.now(UTC).isoformat(),
            test=test,
        )

    def to_dict(self) -> dict[str, Any]:
        """This call as plain JSON values, of which `from_dict` makes an equal one."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        return data | {"api": str(self.api), "headers": dict(self.headers)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The call that `to_dict` wrote down."""
        return cls(**{**data, "api": Api(data["api"])})


def cleaned(calls: Iterable[Call], redactor: Redactor) -> list[Call]:
    """These calls, without the credentials that were in addresses, headers, bodies and inputs."""
    found = [call.to_dict() for call in calls]
    try:
        found = redactor.clean_json(found)
    except RecursionError:
        found = [_cleaned_alone(call, redactor) for call in found]
    return [Call.from_dict(call) for call in found]


def _cleaned_alone(call: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    try:
        clean: dict[str, Any] = redactor.clean_json(call)
    except RecursionError:
        clean = redactor.clean_json({**call, "inputs": None})
    return clean


class CallBook:
    """All calls, in the order of their arrival. Thread-safe."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def open(self, call: Call) -> int:
        """Records a call and gives the number under which `note` completes it."""
        with self._lock:
            number = next(self._numbers)
            self._calls[number] = call
            return number

    def note(self, number: int, **changes: Any) -> None:
        """Completes a record. One that was forgotten meanwhile stays forgotten."""
        with self._lock:
            if number in self._calls:
                self._calls[number] = replace(self._calls[number], **changes)

    def calls(self, workflow: str | None, test: str | None) -> list[Call]:
        """The calls of this workflow and test; None means any."""
        with self._lock:
            calls = list(self._calls.values())
        return [call for call in calls if workflow in (None, call.workflow) and test in (None, call.test)]

    def forget(self, test: str | None) -> None:
        """Drops the calls of this test; None drops all."""
        with self._lock:
            self._calls = {n: call for n, call in self._calls.items() if test is not None and call.test != test}


class Gauge:
    """How many threads are inside at once, and the most that ever were. Enter it by ``with``."""

    def __init__(self) -> None:
        self._inside = 0
        self._peak = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self._peak = max(self._peak, self._inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1

    @property
    def peak(self) -> int:
        """The most at once."""
        with self._lock:
            return self._peak

    def restart(self) -> None:
        """Forgets the peak; those inside still count."""
        with self._lock:
            self._peak = self._inside


def _masked(name: str, value: str) -> str:
    if name not in CREDENTIAL_HEADERS:
        return value
    scheme, _, rest = value.partition(" ")
    return f"{scheme} [masked]" if rest and name.endswith("authorization") else "[masked]"
