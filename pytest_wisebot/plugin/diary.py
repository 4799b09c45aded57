"""Writes down how the session's tests ended: in its event log, and as properties in JUnit XML.

On xdist's controller, where all their reports arrive.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from ..journal import moment
from . import outcomes

if TYPE_CHECKING:
    from .owner import Owner

LONGEST = 100_000
"""Characters of a failure's text that the log keeps."""


Properties = list[tuple[str, object]]
"""As pytest keeps them on a report."""

PROPERTIES = {
    "wisebot_workflow": "workflow",
    "wisebot_api": "api",
    "wisebot_runId": "runId",
    "wisebot_attempts": "attempts",
    "wisebot_seconds": "seconds",
    "wisebot_source": "source",
}
"""What JUnit XML is told of each run, and what the event log calls it."""


@dataclass
class _Test:
    """What the reports of one test have said so far."""

    outcome: str = "passed"
    duration: float = 0.0
    runs: list[str] = field(default_factory=list)
    error: str | None = None
    texts: list[str] = field(default_factory=list)
    trials: outcomes.Count | None = None
    started: float = field(default_factory=time.time)


class Diary:
    """Follows the reports of all tests. Registered in the process that owns the engine."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._tests: dict[tuple[str, str], _Test] = {}
        self._runs: dict[str, Properties] = {}
        self._known: int | None = None
        """Credentials that were known with the first run: where there are more, some may stand in what was told."""
        owner.events.on_run = self._notice

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is over with its teardown, or with the process that it ran in. Before who writes JUnit XML is told."""
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
            report.user_properties += self._properties(test)
            self._write(report.nodeid, worker, test)

    def _notice(self, event: Mapping[str, Any]) -> None:
        """A run has ended: what is told of it is little, and its result is not kept."""
        if self._known is None:
            self._known = self._owner.redactor.count
        said = [(name, event.get(of)) for name, of in PROPERTIES.items()]
        self._runs[event["run"]] = [(name, str(value)) for name, value in said if value is not None]

    def _properties(self, test: _Test) -> Properties:
        """What JUnit XML is told of a test that used runs, or meant to; of its runs one after the other."""
        if not test.runs and test.error is None:
            return []
        outcome = {"error": "failed", "xpassed": "passed"}.get(test.outcome, test.outcome)
        told = [one for run in test.runs for one in self._runs.get(run, ())]
        if self._owner.redactor.count != self._known:
            cleaned = self._owner.redactor.clean_json([value for _, value in told])
            told = list(zip((name for name, _ in told), cleaned, strict=True))
        return [("wisebot_outcome", outcome), *told]

    def _write(self, nodeid: str, worker: str, test: _Test) -> None:
        history = self._owner.begun_history
        if history is not None and test.outcome in ("passed", outcomes.FLAKY):
            history.collected.passed.add(nodeid)
        elif history is not None:
            history.collected.passed.discard(nodeid)
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
        event |= {"trials": asdict(test.trials)} if test.trials is not None else {}
        event |= {"text": "\n".join(test.texts)[:LONGEST]} if test.texts else {}
        self._owner.events.write(event)


_WORST_FIRST = ("failed", "error", outcomes.INFRASTRUCTURE, outcomes.NOT_RUN, outcomes.DRIFT)
"""What a test is that failed in more than one of its phases."""


def _add(test: _Test, report: pytest.TestReport) -> None:
    test.duration += getattr(report, "duration", 0.0)
    # A wider fixture may be over by the end.
    test.runs = list(dict.fromkeys([*test.runs, *outcomes.runs_of(report)]))
    test.trials = outcomes.count_on(report) or test.trials
    if report.failed:
        _add_failure(test, report)
    elif str(report.outcome) == "rerun":  # of pytest-rerunfailures
        test.outcome = "rerun"
    elif report.skipped:
        test.outcome = "xfailed" if hasattr(report, "wasxfail") else "skipped"
    elif report.when == "call" and test.outcome == "passed":
        flaky = test.trials is not None and test.trials.word == outcomes.FLAKY
        test.outcome = "xpassed" if hasattr(report, "wasxfail") else outcomes.FLAKY if flaky else "passed"
    if report.outcome != "passed" and report.longrepr is not None:
        test.texts.append(str(report.longreprtext))


def _add_failure(test: _Test, report: pytest.TestReport) -> None:
    word = outcomes.word_of(report)
    if test.outcome not in _WORST_FIRST or _WORST_FIRST.index(word) < _WORST_FIRST.index(test.outcome):
        test.outcome = word
        test.error = outcomes.error_of(report)


def _worker(report: pytest.TestReport) -> str:
    """The worker of xdist that a test ran in; empty without one."""
    gateway = getattr(getattr(report, "node", None), "gateway", None)
    return str(gateway.id) if gateway is not None else ""
