"""Writes into the session's event log how its tests ended. On xdist's controller, where all their reports arrive."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from ..journal import moment
from . import outcomes

if TYPE_CHECKING:
    from .owner import Owner

LONGEST = 100_000
"""Characters of a failure's text that the log keeps."""


@dataclass
class _Test:
    """What the reports of one test have said so far."""

    outcome: str = "passed"
    duration: float = 0.0
    runs: list[str] = field(default_factory=list)
    error: str | None = None
    texts: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.time)


class Diary:
    """Follows the reports of all tests. Registered in the process that owns the engine."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._tests: dict[tuple[str, str], _Test] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is over with its teardown, or with the process that it ran in."""
        if hasattr(report, "context"):  # a subtest's: its test has a report of its own
            return
        worker = _worker(report)
        key = (worker, report.nodeid)
        if report.when == "setup":
            self._tests[key] = _Test()
        test = self._tests.setdefault(key, _Test())
        _add(test, report)
        if report.when not in ("setup", "call"):
            del self._tests[key]
            self._write(report.nodeid, worker, test)

    def _write(self, nodeid: str, worker: str, test: _Test) -> None:
        history = self._owner.begun_history
        if history is None:
            return
        if test.outcome == "passed":
            history.collected.passed.add(nodeid)
        else:
            history.collected.passed.discard(nodeid)
        if history.session is None:
            return
        event: dict[str, Any] = {
            "event": "test",
            "test": nodeid,
            "outcome": test.outcome,
            "runs": test.runs,
            "seconds": round(test.duration, 4),
            "started": moment(test.started),
            "ended": moment(time.time()),
        }
        event |= {"worker": worker} if worker else {}
        event |= {"class": test.error} if test.error else {}
        event |= {"text": "\n".join(test.texts)[:LONGEST]} if test.texts else {}
        history.session.write(event)


def _add(test: _Test, report: pytest.TestReport) -> None:
    test.duration += getattr(report, "duration", 0.0)
    test.runs = list(dict.fromkeys([*test.runs, *outcomes.runs_of(report)]))  # a wider fixture may be over by the end
    if report.failed and test.outcome != "failed":
        test.outcome = outcomes.word_of(report)
        test.error = outcomes.error_of(report)
    elif report.skipped:
        test.outcome = "xfailed" if hasattr(report, "wasxfail") else "skipped"
    elif report.when == "call" and hasattr(report, "wasxfail") and report.passed:
        test.outcome = "xpassed"
    if report.outcome != "passed" and report.longrepr is not None:
        test.texts.append(str(report.longreprtext))


def _worker(report: pytest.TestReport) -> str:
    """The worker of xdist that a test ran in; empty without one."""
    gateway = getattr(getattr(report, "node", None), "gateway", None)
    return str(gateway.id) if gateway is not None else ""
