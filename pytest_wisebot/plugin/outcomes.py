"""What this plugin writes on a test's report, for the process that shows it: under xdist that is not the test's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

NOT_RUN = "not run"
"""The category of tests whose run was stopped before it was sent: failed, and yet no verdict."""

DRIFT = "drift"
"""The category of tests that passed with a run which is not what was recorded: failed, and no fault of the test."""

_CLASS = "wisebot_class"
_RUNS = "wisebot_runs"
_UNLIMITED = "wisebot_unlimited"
_DESELECTED = pytest.StashKey[list[str]]()

_NOTES = "wisebot_notes"
_OUTCOME = "wisebot_outcome"
_REASON = "wisebot_reason"


def deselect(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Remembers which tests an option left out."""
    config.stash.setdefault(_DESELECTED, []).extend(item.nodeid for item in items)


def deselected_in(config: pytest.Config) -> list[str]:
    """The tests that an option left out."""
    return config.stash.get(_DESELECTED, [])


def call_not_run(report: pytest.TestReport, reason: str) -> None:
    """Says of a failed test that its run never was, and why."""
    setattr(report, _OUTCOME, NOT_RUN)
    setattr(report, _REASON, reason)


def call_drift(report: pytest.TestReport) -> None:
    """Says of a failed test that nothing but drift failed it."""
    setattr(report, _OUTCOME, DRIFT)


def name_error(report: pytest.TestReport, name: str) -> None:
    """Says of a failed test with which of our errors it ended."""
    setattr(report, _CLASS, name)


def error_of(report: pytest.TestReport) -> str | None:
    """The class of our error that a test ended with; None where it was another."""
    name: str | None = getattr(report, _CLASS, None)
    return name


def word_of(report: pytest.TestReport) -> str:
    """A failed report's outcome in one word."""
    own: str | None = getattr(report, _OUTCOME, None)
    return own or ("failed" if report.when == "call" else "error")


def name_runs(report: pytest.TestReport, references: list[str]) -> None:
    """Says which runs a test used, by their names in the session's event log."""
    setattr(report, _RUNS, references)


def runs_of(report: pytest.TestReport) -> list[str]:
    """The runs that a test used."""
    references: list[str] = getattr(report, _RUNS, [])
    return references


def leave_unlimited(report: pytest.TestReport) -> None:
    """Says of a test that its ``max_seconds`` was not judged, because its run was made earlier."""
    setattr(report, _UNLIMITED, True)


def unlimited(terminalreporter: Any) -> int:
    """The tests of the session whose ``max_seconds`` was not judged."""
    return sum(hasattr(report, _UNLIMITED) for reports in terminalreporter.stats.values() for report in reports)


def drifted(terminalreporter: Any) -> list[pytest.TestReport]:
    """The reports of the tests that nothing but drift failed."""
    return list(terminalreporter.stats.get(DRIFT, ()))


def not_run_by_reason(terminalreporter: Any) -> dict[str, list[str]]:
    """The tests of the session whose runs never were, by the reason."""
    found: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get(NOT_RUN, ()):
        found.setdefault(getattr(report, _REASON, ""), []).append(report.nodeid)
    return found


def add_note(report: pytest.TestReport, note: str) -> None:
    """Adds a line to the end of the session."""
    setattr(report, _NOTES, [*getattr(report, _NOTES, ()), note])


def notes_of(terminalreporter: Any) -> Iterator[str]:
    """The lines that were added to the session's reports."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            yield from getattr(report, _NOTES, ())


def shown(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Category, letter and word of a report that this plugin has its own for."""
    # Failed still: a plugin that runs the test again makes another outcome of it.
    if report.failed and getattr(report, _OUTCOME, None) == NOT_RUN:
        return NOT_RUN, "n", ("NOT RUN", {"yellow": True})
    if report.failed and getattr(report, _OUTCOME, None) == DRIFT:
        return DRIFT, "d", ("DRIFT", {"red": True})
    return None
