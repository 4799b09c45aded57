"""Shows what ended in an outcome of this plugin's own as pytest shows its failures, which it does for its own alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from ..outcomes import DRIFT, FLAKY, INFRASTRUCTURE, NOT_RUN
from . import report_facts

MOST_NAMED = 10
"""Tests that are named beside the one that is shown; ``-v`` names all."""

LISTED_BY = {INFRASTRUCTURE: "f", NOT_RUN: "f", DRIFT: "f", FLAKY: "X"}
"""The letter of ``-r`` that lists an outcome: those that failed with the failed, and flaky ones with the odd passes."""

_PYTEST_S = {"x": "xfailed", "X": "xpassed", "f": "failed", "s": "skipped", "p": "passed", "E": "error"}
"""The letters of ``-r`` by which pytest lists, and what."""


class FailureSections:
    """Shows the failures in full. Registered in every session; it does nothing where there are none."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """After pytest's own failures."""
        details(terminalreporter)


def details(reporter: Any) -> None:
    """The failures in full, in a section for each outcome, and one of those that have one reason."""
    if reporter.config.option.tbstyle == "no":
        return
    for outcome in report_facts.OWN:
        groups = list(_by_reason(reporter.stats.get(outcome, ())))
        if not groups:
            continue
        reporter.write_sep("=", outcome.upper())
        for first, *others in groups:
            _one(reporter, first)
            _others(reporter, others)


def _by_reason(reports: Iterable[pytest.TestReport]) -> Iterator[list[pytest.TestReport]]:
    """Those of one reason together; each alone that has none. What was stopped for all is told once, at the end."""
    groups: dict[str, list[pytest.TestReport]] = {}
    for report in reports:
        if not report_facts.is_told_at_end(report):
            groups.setdefault(report_facts.reason_of(report) or f"{len(groups)}", []).append(report)
    yield from groups.values()


def _one(reporter: Any, report: pytest.TestReport) -> None:
    in_lines = reporter.config.option.tbstyle == "line" and report.when == "call"  # as pytest does with its failures
    if not in_lines:
        headline = reporter._getfailureheadline(report)  # noqa: SLF001 - as pytest shows a failure, sections included
        when = "" if report.when == "call" else f" at {report.when}"
        reporter.write_sep("_", f"{headline}{when}", yellow=True, bold=True)
    reporter._outrep_summary(report)  # noqa: SLF001
    if in_lines:
        reporter.write_line(reporter._getcrashline(report))  # noqa: SLF001
    elif report.when == "call":
        for end in reporter.getreports(""):
            if end.when == "teardown" and end.nodeid == report.nodeid:
                reporter.print_teardown_sections(end)


def _others(reporter: Any, others: list[pytest.TestReport]) -> None:
    if not others:
        return
    shown = others if reporter.verbosity > 0 else others[:MOST_NAMED]
    reporter.write_line(f"and for the same reason {len(others)} more:")
    for report in shown:
        reporter.write_line(f"  {report.nodeid}")
    if len(shown) < len(others):
        reporter.write_line(f"  and {len(others) - len(shown)} more, shown by -v")


def unused_marks(reporter: Any) -> Iterator[str]:
    """The tests that passed under a wisebot mark and used no run, in lines for the block "wisebot"."""
    tests = report_facts.unused_marks(reporter)
    if not tests:
        return
    yield f"{len(tests)} {'test' if len(tests) == 1 else 'tests'} under a wisebot mark used no run:"
    shown = tests if reporter.verbosity > 0 else tests[:MOST_NAMED]
    yield from (f"  {nodeid}" for nodeid in shown)
    if len(shown) < len(tests):
        yield f"  and {len(tests) - len(shown)} more, shown by -v"


def unused_marks_alone(reporter: Any) -> None:
    """The block "wisebot" of a session without runs, which has no other lines."""
    closing = reporter.config.pluginmanager.get_plugin("wisebot-closing")
    lines = [] if closing is not None and closing.has_runs else list(unused_marks(reporter))
    quiet = reporter.verbosity < 0
    if lines and not quiet:
        reporter.write_sep("=", "wisebot")
    for line in lines:
        reporter.write_line(f"wisebot: {line}" if quiet else line)


def short_summary(reporter: Any) -> None:
    """A line for each test, under pytest's own ones, as ``-r`` asks for them."""
    chars = reporter.reportchars
    lines = [
        line
        for outcome, char in LISTED_BY.items()
        if char in chars
        for line in _lines(reporter.stats.get(outcome, ()), outcome)
    ]
    if not lines:
        return
    if not any(reporter.stats.get(_PYTEST_S[char]) for char in chars if char in _PYTEST_S):
        reporter.write_sep("=", "short test summary info", cyan=True, bold=True)
    for word, line in lines:
        reporter.write(word, yellow=True)
        reporter.write_line(_fitting(reporter, word, line))


def _fitting(reporter: Any, word: str, line: str) -> str:
    """As much of a line as the terminal shows; all of it where pytest does not cut its own either."""
    width = reporter._tw.fullwidth - len(word)  # noqa: SLF001 - nothing public has the width
    if reporter.verbosity >= 2 or any(os.environ.get(name) for name in ("CI", "BUILD_NUMBER")) or len(line) <= width:
        return line
    return f"{line[: max(0, width - 3)]}..."


def _lines(reports: Iterable[pytest.TestReport], outcome: str) -> Iterator[tuple[str, str]]:
    for report in reports:
        why = _why(report)
        yield outcome.upper(), f" {report.nodeid}{f' - {why}' if why else ''}"


def _why(report: pytest.TestReport) -> str:
    count = report_facts.count_on(report)
    if report.passed:
        return str(count) if count is not None else ""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first.removeprefix("pytest_wisebot.errors.")
