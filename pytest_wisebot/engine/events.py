"""The session's event log: one line as each thing ends, from which reports and verdicts are made.

============  ==================================================================================================
``session``   the first line: format, session, mode, environment and hosts, what was collected and selected
``run``       a run has ended, in whatever way: who asked, what came, when, where from
``test``      a test has ended: its outcome, the runs that it used, why it failed
``end``       the last line, unless the session was killed: exit code and counts
============  ==================================================================================================
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError, InfrastructureError, NotRun, RecordingNotFound
from ..runs import WorkflowRun
from .files import write_all
from .jobs import Job
from .values import Ended, Outcome

FORMAT: Final = 1

FILE_NAME: Final = "events.jsonl"


class EventLog:
    """A file to which each event is added as one line, by one write: a session that is killed leaves whole lines.

    Safe to use from several threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)

    def write(self, line: bytes) -> None:
        """Adds a line (see `event_line`)."""
        write_all(self._descriptor, line)

    def close(self) -> None:
        """Nothing is added any more."""
        os.close(self._descriptor)


def event_line(event: Mapping[str, Any]) -> bytes:
    """An event as a line of ASCII: what a workflow answers may hold line separators and lone surrogates."""
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a log, without a last line that a killed session has left half.

    Raises:
        ConfigurationError: it cannot be read, is of a later format, or torn elsewhere than at its end; the message
            names the file.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    events = []
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line) if line else None
        except ValueError:
            if number == len(lines):
                break
            raise ConfigurationError(f"{path}: line {number} is no JSON") from None
        if isinstance(event, dict):
            events.append(event)
    check_format(path, events[0] if events else {})
    return events


def first_event(path: Path) -> dict[str, Any]:
    """The first event of a log; an empty one where there is none that can be read."""
    try:
        with path.open("rb") as file:
            event = json.loads(file.readline())
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def check_format(path: Path, session: Mapping[str, Any]) -> None:
    """Refuses what a later version has written.

    Raises:
        ConfigurationError: this version does not read it.
    """
    found = session.get("format", FORMAT)
    if not isinstance(found, int) or found > FORMAT:
        raise ConfigurationError(
            f"{path}: has format {found}, and this version of pytest-wisebot reads {FORMAT}: install a newer one"
        )


def run_event(job: Job, ended: Ended) -> dict[str, Any]:
    """A run that has ended, in whatever way."""
    request, occurrence, outcome = job.request, job.request.occurrence, ended.outcome
    event: dict[str, Any] = {
        "event": "run",
        "run": ended.reference,
        "test": occurrence.test,
        "fixture": occurrence.fixture,
        "call": occurrence.call,
        "trial": occurrence.trial,
        "shared": request.share,
        "workflow": request.workflow,
        "api": str(request.api),
        "outcome": outcome_word(outcome),
        "queued": moment(job.queued),
        "started": moment(job.started),
        "ended": moment(job.ended),
        "inputs": dict(request.inputs),
    }
    known = _said_by_run(outcome) if isinstance(outcome, WorkflowRun) else _said_by_error(outcome, job)
    odd = {"kept_in": ended.kept_in, "note": ended.note, "diff": list(ended.drift), "lag": round(ended.lag, 3)}
    return event | known | {name: value for name, value in odd.items() if value}


def _said_by_run(run: WorkflowRun) -> dict[str, Any]:
    said: dict[str, Any] = {
        "ok": run.ok,
        "workflow_id": run.workflow_id,
        "runId": run.run_id,
        "attempts": run.attempts,
        "seconds": round(run.elapsed, 6),
        "status": run.status_code,
        "source": run.source,
        "environment": run.environment,
        "made": run.started_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "commands": list(run.commands),
        "error": run.error,
    }
    said |= {"first_source": run.first_source} if run.first_source else {}
    said |= {"result": run.result} if run.has_result else {}
    return said | ({"extra": dict(run.extra)} if run.extra else {})


def _said_by_error(error: Any, job: Job) -> dict[str, Any]:
    said: dict[str, Any] = {"class": type(error).__name__, "message": str(error), "attempts": job.flight.attempts}
    if isinstance(error, InfrastructureError):
        asked = error.attempted
        said |= {"host": asked.host, "environment": asked.environment, "commands": list(asked.commands)}
        said |= {"status": error.status_code} if error.status_code is not None else {}
    return said


def outcome_word(outcome: Outcome) -> str:
    """How a run ended, in the words of reports."""
    if isinstance(outcome, WorkflowRun):
        return "ok" if outcome.ok else "failed"
    words: list[tuple[type[Exception], str]] = [
        (InfrastructureError, "infrastructure"),
        (NotRun, "not run"),
        (RecordingNotFound, "not recorded"),
        (ConfigurationError, "configuration"),
    ]
    return next((word for kind, word in words if isinstance(outcome, kind)), "error")


def moment(seconds: float | None) -> str | None:
    """A time of day, of seconds since the epoch."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
