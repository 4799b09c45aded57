"""The session's event log as a file, and what it says of a run (see `journal` for the format)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..engine.values import Ended, Outcome
from ..errors import ConfigurationError, InfrastructureError, NotRun, RecordingNotFound
from ..event_log import event_line, moment
from ..files import lock, write_all
from ..redaction import Redactor
from ..runs import WorkflowRun

if TYPE_CHECKING:
    from ..engine.jobs import Job

FILE_NAME: Final = "events.jsonl"


class EventLog:
    """A file to which each event is added as one line, by one write: a session that is killed leaves whole lines.

    Safe to use from several threads. While it is open it is held: a session that runs is not cleared away.

    Args:
        path: the file, to which is added what comes.
        mode: who may read it, if it is made.
    """

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, mode)
        lock(self._descriptor)

    def write(self, line: bytes) -> None:
        """Adds a line (see `journal.event_line`)."""
        write_all(self._descriptor, line)

    def replace_first(self, line: bytes) -> None:
        """Puts a line in the place of the first one; the others stay."""
        _, _, others = self.path.read_bytes().partition(b"\n")
        os.ftruncate(self._descriptor, 0)
        write_all(self._descriptor, line + others)

    def clean_again(self, redactor: Redactor) -> None:
        """Takes out of what was written what was no credential then, as far as anybody knew."""
        written = self.path.read_bytes()
        cleaned = redactor.clean(written.decode("utf-8")).encode("utf-8")
        if cleaned != written:
            os.ftruncate(self._descriptor, 0)
            write_all(self._descriptor, cleaned)

    def close(self) -> None:
        """Nothing is added any more."""
        os.close(self._descriptor)


def cleaned_line(event: Mapping[str, Any], redactor: Redactor) -> bytes:
    """An event as a line without what nobody may see."""
    return _cleaned(event, redactor)[1]


def _cleaned(event: Mapping[str, Any], redactor: Redactor) -> tuple[Mapping[str, Any], bytes]:
    """An event and its line, clean. Values alone: what a project redacts by key is none of ours."""
    line = event_line(event)
    if redactor.is_clean_json(line):
        return event, line
    values = redactor.clean_json(list(event.values()))
    clean = dict(zip(event, values, strict=True))
    return clean, event_line(clean)


class Events:
    """The events of a session, on their way to every log that is kept of it; cleaned once for all."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._logs: list[Callable[[bytes], None]] = []
        self.on_run: Callable[[Mapping[str, Any]], None] | None = None
        """Told of each run that has ended, cleaned."""

    def tell(self, log: Callable[[bytes], None]) -> None:
        """From now on this log gets each line, too."""
        self._logs.append(log)

    def write(self, event: Mapping[str, Any]) -> None:
        """Something has ended."""
        on_run = self.on_run if event["event"] == "run" else None
        if not self._logs and on_run is None:
            return
        clean, line = _cleaned(event, self._redactor)
        if on_run is not None:
            on_run(clean)
        for log in self._logs:
            log(line)


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
    odd = {
        "timeout": occurrence.timeout,
        "kept_in": ended.kept_in,
        "note": ended.note,
        "diff": list(ended.drift),
        "lag": round(ended.lag, 3),
        "trace": ended.trace,
    }
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
    said |= {"contradiction": run.contradiction} if run.contradiction else {}
    said |= {"result": run.result} if run.has_result else {}
    return said | ({"extra": dict(run.extra)} if run.extra else {})


def _said_by_error(error: Any, job: Job) -> dict[str, Any]:
    said: dict[str, Any] = {"class": type(error).__name__, "message": str(error), "attempts": job.flight.attempts}
    if isinstance(error, InfrastructureError):
        asked = error.attempted
        said |= {"host": asked.host, "environment": asked.environment, "commands": list(asked.commands)}
        said |= {"status": error.status_code} if error.status_code is not None else {}
        said |= {"runId": error.answer.run_id} if error.answer and error.answer.run_id else {}
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
