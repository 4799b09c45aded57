"""What this plugin writes on a test's report, for the process that shows it: under xdist that is not the test's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

NOT_RUN = "not run"
"""The category of tests whose run was stopped before it was sent: failed, and yet no verdict."""

_NOTES = "wisebot_notes"
_OUTCOME = "wisebot_outcome"
_REASON = "wisebot_reason"


def call_not_run(report: pytest.TestReport, reason: str) -> None:
    """Says of a failed test that its run never was, and why."""
    setattr(report, _OUTCOME, NOT_RUN)
    setattr(report, _REASON, reason)


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
    return None
