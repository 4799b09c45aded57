"""The session's event log as a format: one line of JSON as each thing ends, from which reports and verdicts are made.

============  ==================================================================================================
``session``   the first line: format, session, mode, environment and hosts, what was collected and selected
``run``       a run has ended, in whatever way: who asked, what came, when, where from
``test``      a test has ended: its outcome, the runs that it used, why it failed
``end``       the last line, unless the session was killed: exit code and counts, and how it compares with a baseline
``merge``     in a joined log: what holds for the union
============  ==================================================================================================

A log that was joined of several sessions has the lines of each, one session after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from .errors import ConfigurationError

FORMAT: Final = 1

_SHORT: Final = 4096
"""Bytes that the last line of a session has at most."""


def event_line(event: Mapping[str, Any]) -> bytes:
    """An event as a line of ASCII: what a workflow answers may hold line separators and lone surrogates."""
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a log, one by one, without a last line that a killed session has left half.

    Raises:
        ConfigurationError: it cannot be read, is of a later format, or torn elsewhere than at its end; the message
            names the file.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                event = _event(path, number, line)
                if event is not None:
                    yield event
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None


def _event(path: Path, number: int, line: bytes) -> dict[str, Any] | None:
    """The event of a line; None for one that says nothing, such as a last one that was left half."""
    if not line.strip():
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        if not line.endswith(b"\n"):
            return None
        raise ConfigurationError(f"{path}: line {number} is no JSON") from None
    if not isinstance(event, dict):
        return None
    if number == 1 or event.get("event") == "session":
        check_format(path, event)
    return event


def first_event(path: Path) -> dict[str, Any]:
    """The first event of a log; an empty one where there is none that can be read."""
    try:
        with path.open("rb") as file:
            event = json.loads(file.readline())
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def last_event(path: Path) -> dict[str, Any]:
    """The last event of a log, if it is a short one; an empty one where it is long, torn, or cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _SHORT))
            lines = file.read().splitlines()
        event = json.loads(lines[-1]) if lines else None
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


def moment(seconds: float | None) -> str | None:
    """A time of day, of seconds since the epoch."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
