"""The session's event log as a file, and what it says of a run (see `journal` for the format)."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError, InfrastructureError, NotRun, RecordingNotFound
from ..journal import moment
from ..runs import WorkflowRun
from .files import hold, write_all
from .jobs import Job
from .values import Ended, Outcome

FILE_NAME: Final = "events.jsonl"


class EventLog:
    """A file to which each event is added as one line, by one write: a session that is killed leaves whole lines.

    Safe to use from several threads. While it is open it is held: a session that runs is not cleared away.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)
        hold(self._descriptor)

    def write(self, line: bytes) -> None:
        """Adds a line (see `journal.event_line`)."""
        write_all(self._descriptor, line)

    def close(self) -> None:
        """Nothing is added any more."""
        os.close(self._descriptor)


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
