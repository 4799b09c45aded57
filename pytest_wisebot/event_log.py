"""The session's event log: one line of JSON as each thing ends, from which reports and verdicts are made.

============  ==================================================================================================
``session``   the first line: format, session, mode, environment and hosts, the tests collected and selected
``run``       a run has ended, in whatever way: the asking test, the outcome, the times, the source
``beside``    likewise a run that no test judges: over the second environment, or a repetition over the first
``carried``   in a session's own log: a run of the earlier session that this one resumes
``test``      a test has ended: its outcome, the runs that it used, the failure
``end``       the last line, unless the session was killed: exit code and counts, and a comparison with a baseline
``merge``     in a joined log: the facts of the union
============  ==================================================================================================

A log that was joined of several sessions has the lines of each, one session after the other.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .errors import ConfigurationError, InfrastructureError, NotRun, RecordingNotFound
from .files import NOT_FOLLOWED, WINDOWS, file_of, lock, open_to_read, read_bytes, write_all, write_whole
from .originals import dates, json, os
from .runs import Ended, Outcome, RunRequest, WorkflowRun
from .text import json_number, to_json

if TYPE_CHECKING:
    from .redaction import Redactor

FORMAT: Final = 1

MOST_DEEP: Final = 250
"""Levels of a line: those of an answer (`runs.MAX_DEPTH`), and those of the event around it."""

# --- format


def event_line(event: Mapping[str, Any]) -> bytes:
    """An event as a line of ASCII: what a workflow answers may hold line separators and lone surrogates."""
    return to_json(event, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def run_event(request: RunRequest, ended: Ended) -> dict[str, Any]:
    """The event of a run that has ended, in whatever way."""
    outcome = ended.outcome
    event = {
        "event": "beside" if request.side else "run",
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
    return None if seconds is None else dates.at(seconds).isoformat(timespec="milliseconds")


# --- writing


class EventLog:
    """A file to which each event is added as one line, by one write: a killed session leaves whole lines.

    Safe to use from several threads. The file is locked while it is open, by which a running session is known.

    Args:
        path: the file, which is added to.
        mode: the permissions of a new file.
        new: the file must not exist.

    Raises:
        OSError: it cannot be opened, or is a link.
    """

    def __init__(self, path: Path, mode: int = 0o600, *, new: bool = False) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | NOT_FOLLOWED | (os.O_EXCL if new else 0)
        self._descriptor = os.open(path, flags, mode)
        self._file = file_of(self._descriptor)
        lock(self._descriptor)

    def write(self, line: bytes) -> None:
        """Adds a line (see `event_line`), or nothing of it.

        Raises:
            OSError: it cannot be written.
        """
        self._ensure_open()
        end = os.fstat(self._descriptor).st_size
        try:
            write_all(self._descriptor, line)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, end)
            raise

    def _ensure_open(self) -> None:
        """Opens the file anew where a test has closed its descriptor, which may be another file's by now."""
        if file_of(self._descriptor) == self._file:
            return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | NOT_FOLLOWED)
        if file_of(descriptor) != self._file:  # the file has been replaced, too
            os.close(descriptor)
            raise OSError(errno.EBADF, "a test has closed it, and another file stands in its place")
        self._descriptor = descriptor
        lock(descriptor)

    def replace_first(self, line: bytes) -> None:
        """Replaces the first line; the others stay.

        Raises:
            OSError, ConfigurationError: it cannot be written, or was removed. It is left as it was.
        """
        _, _, others = read_bytes(self.path).partition(b"\n")
        self._replace(line + others)

    def clean_again(self, redactor: Redactor) -> None:
        """Masks credentials that became known after they had been written. Raises what `replace_first` does."""
        written = read_bytes(self.path)
        cleaned = b"".join(_line_cleaned_again(line, redactor) for line in written.splitlines(keepends=True))
        if cleaned != written:
            self._replace(cleaned)

    def _replace(self, data: bytes) -> None:
        """Writes a new file before the old one goes: a full disk, or a kill, takes no line with it."""
        self.check()
        self._ensure_open()
        mode = os.fstat(self._descriptor).st_mode & 0o777
        if WINDOWS:  # which replaces no file that is open
            os.close(self._descriptor)
        try:
            write_whole(str(self.path), data, mode)
        finally:
            old, self._descriptor = self._descriptor, os.open(self.path, os.O_WRONLY | os.O_APPEND | NOT_FOLLOWED)
            self._file = file_of(self._descriptor)
            lock(self._descriptor)
            if not WINDOWS:
                os.close(old)

    def check(self) -> None:
        """Checks that the file that is written is the one that others find.

        Raises:
            ConfigurationError: it was removed, or replaced, as by a test.
        """
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._file:
            raise ConfigurationError(f"{self.path}: was removed or replaced during the session")

    def close(self) -> None:
        """Ends the log."""
        if file_of(self._descriptor) == self._file:
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
    if isinstance(inputs := event.get("inputs"), Mapping):
        clean["inputs"] = redactor.clean_inputs(inputs)
    return clean, event_line(clean)


_OWN_FACTS: Final = frozenset(
    {
        *(
            "event",
            "format",
            "storage",
            "session",
            "number",
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
        *("clock_ahead", "quarantined_until", "side"),
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


class LogLine(NamedTuple):
    """A line of a log that is not blank.

    Attributes:
        number: from 1.
        offset: where it begins.
        event: its event; None if it has none.
        problem: why it has none, in words that go on after "line 3 "; empty for one that has.
        is_torn: whether it is a last line without its end, as a killed process leaves one.
    """

    number: int
    offset: int
    event: dict[str, Any] | None
    problem: str = ""
    is_torn: bool = False


def log_lines(path: Path) -> Iterator[LogLine]:
    """The lines of a log, those without an event included.

    Raises:
        ConfigurationError: the log cannot be read, or has a later format; the message names the file.
    """
    try:
        with open_to_read(path) as file:
            offset = 0
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _log_line(path, number, offset, line)
                offset += len(line)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None


def _log_line(path: Path, number: int, offset: int, line: bytes) -> LogLine:
    event = _parsed(line)
    if isinstance(event, str):
        return LogLine(number, offset, None, event, not line.endswith(b"\n"))
    if number == 1 or event["event"] == "session":
        check_format(path, event)
    return LogLine(number, offset, event)


def _parsed(line: bytes) -> dict[str, Any] | str:
    """The event of a line, or why it has none."""
    try:
        event = json.loads(line, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return "is not valid JSON"
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return 'is not an event: expected an object with "event"'
    if line.count(b"[") + line.count(b"{") > MOST_DEEP and _depth(event) > MOST_DEEP:
        return f"is nested more than {MOST_DEEP} levels deep"
    return event


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    return number if math.isfinite(number := json_number(text)) else _refuse(text)


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level:
        nested = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level, depth = [item for items in nested for item in items], depth + 1
    return depth - 1


def read_events(path: Path, mistake: Callable[[Mapping[str, Any]], str] = lambda _: "") -> Iterator[dict[str, Any]]:
    """The events of a log, one by one; a torn last line of a killed session is left out.

    Args:
        path: the log.
        mistake: finds what is wrong with an event, in words that go on after "line 3 has "; empty if nothing is.

    Raises:
        ConfigurationError: the log cannot be read, has a later format, or a line of it is wrong; the message names the
            file and the line.
    """
    for line in log_lines(path):
        if line.event is not None and (wrong := mistake(line.event)):
            raise ConfigurationError(f"{path}: line {line.number} has {wrong}")
        if line.event is not None:
            yield line.event
        elif not line.is_torn:
            raise ConfigurationError(f"{path}: line {line.number} {line.problem}")


def event_at(path: Path, offset: int) -> dict[str, Any]:
    """The event whose line begins at this offset; an empty one where there is none any more."""
    try:
        with open_to_read(path) as file:
            file.seek(offset)
            event = _parsed(file.readline())
    except OSError:
        return {}
    return event if isinstance(event, dict) else {}


def first_event(path: Path) -> dict[str, Any]:
    """The first event of a log; an empty one where it cannot be read."""
    return event_at(path, 0)


def check_format(path: Path, session: Mapping[str, Any]) -> None:
    """Refuses the log of a later version.

    Raises:
        ConfigurationError: this version cannot read it.
    """
    found = session.get("format", FORMAT)
    if type(found) is not int or found > FORMAT:
        raise ConfigurationError(
            f"{path}: has format {found}, and this version of pytest-wisebot reads {FORMAT}: install a newer one"
        )
