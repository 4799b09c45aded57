"""The session's event log: one line of JSON as each thing ends, from which reports and verdicts are made.

============  ==================================================================================================
``session``   the first line: format, session, mode, environment and hosts, the tests collected and selected
``run``       a run has ended, in whatever way: the asking test, the outcome, the times, the source
``carried``   in a session's own log: a run of the earlier session that this one resumes
``test``      a test has ended: its outcome, the runs that it used, the failure
``end``       the last line, unless the session was killed: exit code and counts, and a comparison with a baseline
``merge``     in a joined log: the facts of the union
============  ==================================================================================================

A log that was joined of several sessions has the lines of each, one session after the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import ConfigurationError, InfrastructureError, NotRun, RecordingNotFound
from .files import lock, write_all
from .runs import Ended, Outcome, RunRequest, WorkflowRun
from .text import json_number, to_json

if TYPE_CHECKING:
    from .redaction import Redactor

FORMAT: Final = 1

# --- format


def event_line(event: Mapping[str, Any]) -> bytes:
    """An event as a line of ASCII: what a workflow answers may hold line separators and lone surrogates."""
    return to_json(event, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def run_event(request: RunRequest, ended: Ended) -> dict[str, Any]:
    """The event of a run that has ended, in whatever way."""
    outcome = ended.outcome
    event = {
        "event": "run",
        "run": ended.reference,
        **request.to_event(),
        "outcome": outcome_word(outcome),
        "queued": moment(ended.queued),
        "started": moment(ended.started),
        "ended": moment(ended.ended),
    }
    known = outcome.to_event() if isinstance(outcome, WorkflowRun) else _error_event(outcome, ended.attempts)
    odd = {
        "kept_in": ended.kept_in,
        "note": ended.note,
        "diff": list(ended.drift),
        "lag": round(ended.lag, 3),
        "trace": ended.trace,
    }
    return event | known | {name: value for name, value in odd.items() if value}


def _error_event(error: Exception, attempts: int) -> dict[str, Any]:
    event: dict[str, Any] = {"class": type(error).__name__, "message": str(error), "attempts": attempts}
    if isinstance(error, InfrastructureError):
        asked = error.attempted
        event |= {"host": asked.host, "environment": asked.environment, "commands": list(asked.commands)}
        event |= {"status": error.status_code} if error.status_code is not None else {}
        event |= {"runId": error.answer.run_id} if error.answer and error.answer.run_id else {}
    return event


def outcome_word(outcome: Outcome) -> str:
    """The outcome of a run, in the words of reports."""
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


# --- writing


class EventLog:
    """A file to which each event is added as one line, by one write: a killed session leaves whole lines.

    Safe to use from several threads. The file is locked while it is open, by which a running session is known.

    Args:
        path: the file, which is added to.
        mode: the permissions of a new file.
    """

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, mode)
        lock(self._descriptor)

    def write(self, line: bytes) -> None:
        """Adds a line (see `event_line`)."""
        write_all(self._descriptor, line)

    def replace_first(self, line: bytes) -> None:
        """Replaces the first line; the others stay."""
        _, _, others = self.path.read_bytes().partition(b"\n")
        self._replace(line + others)

    def clean_again(self, redactor: Redactor) -> None:
        """Masks credentials that became known after they had been written."""
        written = self.path.read_bytes()
        cleaned = b"".join(_line_cleaned_again(line, redactor) for line in written.splitlines(keepends=True))
        if cleaned != written:
            self._replace(cleaned)

    def _replace(self, data: bytes) -> None:
        os.ftruncate(self._descriptor, 0)
        write_all(self._descriptor, data)

    def close(self) -> None:
        """Ends the log."""
        os.close(self._descriptor)


def _line_cleaned_again(line: bytes, redactor: Redactor) -> bytes:
    try:
        event = json.loads(line, parse_float=json_number)
    except ValueError:  # written by another program
        return redactor.clean(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return cleaned_line(event, redactor)


def cleaned_line(event: Mapping[str, Any], redactor: Redactor) -> bytes:
    """An event as a line, cleaned."""
    return _cleaned(event, redactor)[1]


def _cleaned(event: Mapping[str, Any], redactor: Redactor) -> tuple[Mapping[str, Any], bytes]:
    """An event and its line, cleaned. Its own names and facts stay, whatever keys and patterns a project redacts."""
    line = event_line(event)
    if redactor.is_clean_json(line):
        return event, line
    from_outside = {name: value for name, value in event.items() if name not in _OWN_FACTS}
    values = redactor.clean_json(list(from_outside.values()))
    clean = {**event, **dict(zip(from_outside, values, strict=True))}
    return clean, event_line(clean)


_OWN_FACTS: Final = frozenset(
    {
        *(
            "event",
            "format",
            "storage",
            "session",
            "run",
            "key",
            "api",
            "outcome",
            "queued",
            "started",
            "ended",
            "made",
        ),
        *("seconds", "attempts", "status", "source", "first_source", "lag", "call", "trial", "timeout", "shared"),
        "clock_ahead",
    }
)
"""Values that this package makes: no part of them comes from outside."""


class Events:
    """Sends each event of a session to every log of it; the event is cleaned once for all."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._sinks: list[Callable[[bytes], None]] = []
        self.on_run: Callable[[Mapping[str, Any]], None] | None = None
        """Called with each run that has ended, cleaned."""

    def add_sink(self, sink: Callable[[bytes], None]) -> None:
        """Sends each line from now on to this sink, too."""
        self._sinks.append(sink)

    @property
    def has_sinks(self) -> bool:
        """Whether an event is written anywhere."""
        return bool(self._sinks)

    def write(self, event: Mapping[str, Any]) -> None:
        """Sends an event."""
        on_run = self.on_run if event["event"] == "run" else None
        if not self._sinks and on_run is None:
            return
        clean, line = _cleaned(event, self._redactor)
        if on_run is not None:
            on_run(clean)
        for sink in self._sinks:
            sink(line)


# --- reading


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a log, one by one; see `indexed_events`."""
    for _, event in indexed_events(path):
        yield event


def indexed_events(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of a log, each with the offset of its line; a torn last line of a killed session is left out.

    Raises:
        ConfigurationError: the log cannot be read, has a later format, or is torn elsewhere than at its end; the
            message names the file.
    """
    try:
        with path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, 1):
                event = _event(path, number, line)
                if event is not None:
                    yield offset, event
                offset += len(line)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None


def event_at(path: Path, offset: int) -> dict[str, Any]:
    """The event whose line begins at this offset."""
    with path.open("rb") as file:
        file.seek(offset)
        event: dict[str, Any] = json.loads(file.readline(), parse_float=json_number)
    return event


def _event(path: Path, number: int, line: bytes) -> dict[str, Any] | None:
    """The event of a line; None for a blank line, a torn last one, and JSON of another shape."""
    if not line.strip():
        return None
    try:
        event = json.loads(line, parse_float=json_number)
    except (ValueError, RecursionError):
        if not line.endswith(b"\n"):
            return None
        raise ConfigurationError(f"{path}: line {number} is not valid JSON") from None
    if not isinstance(event, dict):
        return None
    if number == 1 or event.get("event") == "session":
        check_format(path, event)
    return event


def first_event(path: Path) -> dict[str, Any]:
    """The first event of a log; an empty one where it cannot be read."""
    try:
        with path.open("rb") as file:
            event = json.loads(file.readline())
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def check_format(path: Path, session: Mapping[str, Any]) -> None:
    """Refuses the log of a later version.

    Raises:
        ConfigurationError: this version cannot read it.
    """
    found = session.get("format", FORMAT)
    if not isinstance(found, int) or found > FORMAT:
        raise ConfigurationError(
            f"{path}: has format {found}, and this version of pytest-wisebot reads {FORMAT}: install a newer one"
        )
