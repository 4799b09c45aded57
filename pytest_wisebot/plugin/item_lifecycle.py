"""From the reports of a test to its outcome, its line in the event log, and its properties in JUnit XML.

`ItemAttempts` counts, in the process that runs a test, how often the test is called: a plugin may repeat a call and
report the last attempt alone. `ItemLedger` takes each report in the process that owns the engine (on the controller
under xdist), after all other plugins have worked on it, and hands the phases to `item_outcome`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from ..event_log import moment
from ..outcomes import ERROR, FAILED, FLAKY, GOOD, PASSED, XPASSED
from . import report_facts
from .item_outcome import ItemOutcome, Phase, Result, Step, item_outcome

if TYPE_CHECKING:
    from .runtime import LocalRuntime

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
"""What JUnit XML has of each run, and what the event log calls it."""

MOST_OPEN = 256
"""Tests whose reports are held for more to come: of each worker the one that runs, and some that it has run."""

_LEDGER = "wisebot-ledger"
_NUMBER = "wisebot_item"
_UNREPORTED = "wisebot_unreported"


class ItemAttempts:
    """Counts the calls of the test that runs.

    Args:
        category_of: the category of a failure that is not a verdict on a workflow; None for one that is.
    """

    def __init__(self, category_of: Callable[[BaseException], str | None]) -> None:
        self._category_of = category_of
        self._number = 0
        self._last = ""
        self._failed: list[str] = []
        """How the attempts before the last one failed."""
        self._around: list[str] = []
        """How setup and teardown of the last attempt failed."""
        self.calls = 0
        """How often the test, or the trial of it that runs, was called."""
        self.error: BaseException | None = None
        """What the last call raised."""

    def begin(self) -> None:
        """A test begins. Its number tells it from a test of the same id, which a session may have twice."""
        self._number += 1
        self.begin_trial()

    def begin_trial(self) -> None:
        """A trial begins: its calls are counted from zero."""
        self.calls = 0
        self.error = None
        self._last = ""
        self._failed = []
        self._around = []

    @contextmanager
    def call(self) -> Generator[None]:
        """Stands around one call of the test."""
        self.calls += 1
        if self._last:
            self._failed.append(self._last)
        self.error, self._last = None, ""
        try:
            yield
        except BaseException as error:
            self.error = error
            if not isinstance(error, pytest.skip.Exception | pytest.xfail.Exception):
                self._last = self._category_of(error) or FAILED
            raise

    def report(self, report: pytest.TestReport) -> None:
        """Says on a report which test it belongs to, and of a call how earlier calls failed."""
        setattr(report, _NUMBER, self._number)
        if report.when == "setup":  # of a further attempt: what failed before may have been told to no plugin
            self._failed += self._around
            self._around = []
        if report.when != "call" and report.failed:
            self._around.append(report_facts.category_of(report) or FAILED)
        if report.when == "call" and self._failed:
            setattr(report, _UNREPORTED, list(self._failed))

    def repeated(self) -> BaseException | None:
        """What the last call raised, where the test was called more than once before its report was made."""
        return self.error if self.calls > 1 else None


def phases_of(report: pytest.TestReport) -> list[Phase]:
    """The phase that a report is about, after those of earlier calls that were not reported."""
    unreported = [Phase(Step.CALL, Result.RERUN, word if word != FAILED else "") for word in _unreported(report)]
    phase = Phase(_step(report), _result(report), report_facts.category_of(report), report_facts.error_of(report) or "")
    return [*unreported, phase]


def _unreported(report: pytest.TestReport) -> list[str]:
    found: list[str] = getattr(report, _UNREPORTED, [])
    return found


def _step(report: pytest.TestReport) -> Step:
    if hasattr(report, "context"):
        return Step.SUBTEST
    return Step(report.when) if report.when in ("setup", "call", "teardown") else Step.PROCESS


def _result(report: pytest.TestReport) -> Result:
    if _step(report) is Step.PROCESS:
        return Result.CRASHED
    expected = hasattr(report, "wasxfail")
    match str(report.outcome):
        case "passed":
            return Result.XPASSED if expected else Result.PASSED
        case "skipped":
            return Result.XFAILED if expected else Result.SKIPPED
        case "failed":
            return Result.STRICT if str(report.longrepr).startswith("[XPASS(strict)]") else Result.FAILED
    return Result.RERUN  # the word of whichever plugin repeats the test


@dataclass
class _Item:
    """What the reports of one test have said so far."""

    number: int
    phases: list[Phase] = field(default_factory=list)
    failures: int = 0
    """Reports that pytest counts as failures of the session."""
    setups: int = 0
    duration: float = 0.0
    runs: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    trials: report_facts.Count | None = None
    unused_mark: bool = False
    started: float = field(default_factory=time.time)

    def add(self, report: pytest.TestReport) -> None:
        """Takes one report, as other plugins have left it."""
        # pytest fails the call of a test for its failed subtests, whose own phases say why.
        self.phases += [
            replace(one, result=Result.PASSED) if self._fails_for_subtests(report) else one for one in phases_of(report)
        ]
        self.runs = list(dict.fromkeys([*self.runs, *report_facts.runs_of(report)]))
        if not hasattr(report, "context"):  # the call's report has the time of its subtests
            self.duration += getattr(report, "duration", 0.0)
        self.setups += report.when == "setup"
        self.trials = report_facts.count_on(report) or self.trials
        self.unused_mark = self.unused_mark or report_facts.has_unused_mark(report)
        if report.outcome != "passed" and report.longrepr is not None:
            self.texts.append(str(report.longreprtext))

    def _fails_for_subtests(self, report: pytest.TestReport) -> bool:
        failed = any(one.step is Step.SUBTEST and one.result is Result.FAILED for one in self.phases)
        return failed and report.when == "call" and str(report.longrepr).startswith("contains ")

    def outcome(self, *more: Phase) -> ItemOutcome:
        """How the test has ended, as far as it is known."""
        flaky_trials = self.trials is not None and self.trials.word == FLAKY
        return item_outcome([*self.phases, *more], flaky_trials=flaky_trials, failures=self.failures)


def ledger_of(config: pytest.Config) -> ItemLedger:
    """The session's ledger, registered on first use."""
    known: ItemLedger | None = config.pluginmanager.get_plugin(_LEDGER)
    if known is None:
        known = ItemLedger(config)
        config.pluginmanager.register(known, _LEDGER)
    return known


class ItemLedger:
    """Follows the reports of all tests. Registered in the process that owns the engine."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._owner: LocalRuntime | None = None
        self._items: dict[tuple[str, str], _Item] = {}
        """By worker and id, what the reports of the last tests have said."""
        self._seen = 0
        self._elsewhere = 0
        self._runs: dict[str, Properties] = {}
        self._known: int | None = None
        """Credentials that were known with the first run: where there are more, some may stand in what was told."""

    def follow(self, owner: LocalRuntime) -> None:
        """From now on the tests' lines go where the owner's runs go."""
        self._owner = owner
        owner.events.on_run = self._notice

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Pytest's own plugins may still change a report while they take it: it is judged when they are done."""
        item = self._item_of(report)
        ends = _step(report) in (Step.TEARDOWN, Step.PROCESS)
        if ends:  # before the plugin is asked that writes JUnit XML, which looks at properties now
            report.user_properties += self._properties(item, report)
        self._elsewhere += self._new_failures()
        try:
            return (yield)
        finally:
            new = self._new_failures()
            item.failures += min(1, new)
            self._elsewhere += max(0, new - 1)
            item.add(report)
            if ends:
                self._write(report.nodeid, _worker(report), item)

    @property
    def failures_elsewhere(self) -> int:
        """Failures that pytest has counted, and that are of no test's report: of collection, or added by a plugin."""
        self._elsewhere += self._new_failures()
        return self._elsewhere

    def _new_failures(self) -> int:
        """How many failures pytest has counted since this was asked last; what a plugin takes back stays counted."""
        now = int(getattr(self._config.pluginmanager.get_plugin("session"), "testsfailed", 0))
        new, self._seen = max(0, now - self._seen), now
        return new

    def _item_of(self, report: pytest.TestReport) -> _Item:
        key = _worker(report), report.nodeid
        item = self._items.get(key)
        number = getattr(report, _NUMBER, None)  # none on a report that was made for a process that has died
        if item is None or number not in (None, item.number):
            item = self._items[key] = _Item(number or 0)
            while len(self._items) > MOST_OPEN:
                del self._items[next(iter(self._items))]
        return item

    def _notice(self, event: Mapping[str, Any]) -> None:
        """A run has ended: of its event the properties are kept, and not its result."""
        assert self._owner is not None
        if self._known is None:
            self._known = self._owner.redactor.count
        said = [(name, event.get(of)) for name, of in PROPERTIES.items()]
        self._runs[event["run"]] = [(name, str(value)) for name, value in said if value is not None]

    def _properties(self, item: _Item, last: pytest.TestReport) -> Properties:
        """The properties in JUnit XML of a test that used runs, or meant to; of its runs one after the other."""
        outcome = item.outcome(*phases_of(last))
        runs = dict.fromkeys([*item.runs, *report_facts.runs_of(last)])
        if self._owner is None or not (runs or outcome.error):
            return []
        told = [one for run in runs for one in self._runs.get(run, ())]
        if self._owner.redactor.count != self._known:
            cleaned = self._owner.redactor.clean_json([value for _, value in told])
            told = list(zip((name for name, _ in told), cleaned, strict=True))
        word = {ERROR: FAILED, XPASSED: PASSED}.get(outcome.word, outcome.word)
        return [("wisebot_outcome", word), *told]

    def _write(self, nodeid: str, worker: str, item: _Item) -> None:
        if self._owner is None:
            return
        outcome = item.outcome()
        if (history := self._owner.begun_history) is not None:
            passed = history.collected.passed
            (passed.add if outcome.word in GOOD else passed.discard)(nodeid)
        self._owner.events.write(_event(nodeid, worker, item, outcome))


def _event(nodeid: str, worker: str, item: _Item, outcome: ItemOutcome) -> dict[str, Any]:
    """The line of a test. A test that a plugin repeats has several; the last has all that the earlier ones have."""
    event: dict[str, Any] = {
        "event": "test",
        "test": nodeid,
        "item": item.number,
        "outcome": outcome.word,
        "runs": item.runs,
        "seconds": round(item.duration, 4),
        "started": moment(item.started),
        "ended": moment(time.time()),
    }
    odd = {
        "worker": worker,
        "class": outcome.error,
        "also": list(outcome.also),
        "failures": item.failures,
        "executions": item.setups if item.setups > 1 else 0,
        "trials": asdict(item.trials) if item.trials is not None else None,
        "unused_mark": item.unused_mark,
        "text": "\n".join(item.texts)[:LONGEST],
    }
    return event | {name: value for name, value in odd.items() if value}


def _worker(report: pytest.TestReport) -> str:
    """The worker of xdist that a test ran in; empty without one."""
    gateway = getattr(getattr(report, "node", None), "gateway", None)
    return str(gateway.id) if gateway is not None else ""
