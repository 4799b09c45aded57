"""The requests for runs that arrived at the emulator: their calls, their faults, and how many are in progress."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from ..runs import Api
from .faults import ArmedFault, Fault
from .http import Request

if TYPE_CHECKING:
    from ..redaction import Redactor

KEPT_BODY = 64 * 1024
"""Maximum bytes of a request's body in its record."""

KEPT_INPUTS = 1024 * 1024
"""Maximum size in bytes of a body whose input bag is kept in the record."""

CREDENTIAL_HEADERS = frozenset({"authorization", "x-workflow-secret", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Call:
    """A request that arrived, and its outcome. `redacted` removes all credentials from it.

    Attributes:
        workflow: the workflow id in its address; empty if the address starts no run.
        api: the API whose origin it was sent to.
        method: the HTTP method.
        path: the raw path with its query.
        headers: by lower-case name, with credentials masked.
        body: the raw body, cut after 64 KiB; bytes that are not UTF-8 are replaced.
        inputs: the input bag; None if the request was refused before it was read, its body was over 1 MiB, or it is
            too deep to be redacted.
        received_at: when the request had been read, in ISO format and UTC.
        status: the HTTP status of the answer; None before the answer, and if none was sent.
        ran: whether the workflow function ran (or is running).
        run_id: the run's ``runId``; None without a run.
        fault: the kind of its fault; None without one.
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
        """The call of a request that has not been answered yet."""
        headers = {name: _masked(name, value) for name, value in request.headers.items()}
        body = request.body[:KEPT_BODY].decode(errors="replace")
        now = datetime.now(UTC).isoformat()
        return cls(workflow, api, request.method, request.target, headers, body, now, test=test)

    def to_dict(self) -> dict[str, Any]:
        """This call as plain JSON values, from which `from_dict` makes an equal one."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        return data | {"api": str(self.api), "headers": dict(self.headers)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The call that `to_dict` serialised."""
        return cls(**{**data, "api": Api(data["api"])})


def redacted(calls: Iterable[Call], redactor: Redactor) -> list[Call]:
    """These calls without the credentials in their addresses, headers, bodies and inputs."""
    return [Call.from_dict(_redacted(call.to_dict(), redactor)) for call in calls]


def _redacted(call: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    try:
        clean: dict[str, Any] = redactor.clean_json(call)
    except RecursionError:
        clean = redactor.clean_json({**call, "inputs": None})
    return clean


@dataclass(slots=True, eq=False)
class Record:
    """A call that the thread of its request completes."""

    call: Call

    def note(self, **changes: Any) -> None:
        """Changes attributes of the call."""
        self.call = replace(self.call, **changes)


class Traffic:
    """The state of an emulator that requests change. Thread-safe.

    Attributes:
        peak: the maximum of requests for runs in progress at once.
        status_checks: the number of requests for ``GET /api/v1/status``.
    """

    def __init__(self) -> None:
        self.peak = 0
        self.status_checks = 0
        self._in_progress = 0
        self._records: list[Record] = []
        self._faults: list[ArmedFault] = []
        self._lock = threading.Lock()

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Counts a request for a run as long as it is in progress."""
        with self._lock:
            self._in_progress += 1
            self.peak = max(self.peak, self._in_progress)
        try:
            yield
        finally:
            with self._lock:
                self._in_progress -= 1

    def count_status_check(self) -> None:
        """Counts a request for the status."""
        with self._lock:
            self.status_checks += 1

    def open(self, call: Call) -> Record:
        """Records a call at its arrival."""
        record = Record(call)
        with self._lock:
            self._records.append(record)
        return record

    def calls(self, workflow: str | None, test: str | None) -> list[Call]:
        """The calls of this workflow and test, in order of arrival; None stands for any."""
        with self._lock:
            calls = [record.call for record in self._records]
        return [call for call in calls if workflow in (None, call.workflow) and test in (None, call.test)]

    def arm(self, fault: ArmedFault) -> None:
        """Appends a fault to those that wait for requests."""
        with self._lock:
            self._faults.append(fault)

    def take_fault(self, workflow: str, test: str) -> Fault | None:
        """The first fault that waits for this request."""
        with self._lock:
            armed = next((armed for armed in self._faults if armed.matches(workflow, test)), None)
            if armed is None:
                return None
            armed.left -= 1
            return armed.fault

    def reset(self, test: str | None) -> None:
        """Forgets the calls and faults of this test; None forgets all, the peak and the status checks too."""
        with self._lock:
            self._records = [record for record in self._records if test not in (None, record.call.test)]
            self._faults = [armed for armed in self._faults if armed.left and test not in (None, armed.test)]
            if test is None:
                self.peak, self.status_checks = self._in_progress, 0


def _masked(name: str, value: str) -> str:
    if name not in CREDENTIAL_HEADERS:
        return value
    scheme, _, rest = value.partition(" ")
    return f"{scheme} [masked]" if rest and name.endswith("authorization") else "[masked]"
