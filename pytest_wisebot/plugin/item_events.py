"""From the reports of a test to its outcome, its event in the log, and its properties in JUnit XML.

`ItemAttempts` counts, in the process that runs a test, how often the test is called: a plugin may repeat a call and
report the last attempt alone. `ItemLedger` takes each report in the process that owns the engine (the controller under
xdist), after all other plugins have worked on it, and hands the phases to `item_outcome`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from ..event_log import moment
from ..originals import time
from ..outcomes import ERROR, FAILED, FLAKY, GOOD, PASSED, XPASSED
from ..quarantine import from_dict
from ..text import printable, without_colours
from .failure_category import category_of
from .item_outcome import ItemOutcome, Phase, Result, Step, item_outcome
from .report_facts import TrialCount, add_facts, facts_of

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
"""The properties of each run in JUnit XML, and the fields of the event log that they come from."""

_STEPS = {step.value: step for step in (Step.SETUP, Step.CALL, Step.TEARDOWN)}

MOST_OPEN = 256
"""Tests whose reports are held for more to come: of each worker the one that runs, and some that it has run."""


class ItemAttempts:
    """Counts the calls of the test that runs."""

    def __init__(self) -> None:
        self._number = 0
        self.begin_trial()

    def begin(self) -> None:
        """A test begins. Its number tells it from a test of the same id, which a session may have twice."""
        self._number += 1
        self.begin_trial()

    def begin_trial(self) -> None:
        """A trial begins: its calls are counted from zero."""
        self.calls = 0
        self._error: BaseException | None = None
        self._last = ""
        self._failed: list[str] = []  # the outcomes of the attempts before the last one
        self._around: list[str] = []  # the outcomes of failed setups and teardowns of the last attempt

    @contextmanager
    def call(self) -> Iterator[None]:
        """Stands around one call of the test."""
        self.calls += 1
        if self._last:
            self._failed.append(self._last)
        self._error, self._last = None, ""
        try:
            yield
        except BaseException as error:
            self._error = error
            if not isinstance(error, pytest.skip.Exception | pytest.xfail.Exception):
                self._last = category_of(error) or FAILED
            raise

    def add_to(self, report: pytest.TestReport) -> None:
        """Adds the number of the test to a report, and to that of a call how earlier calls failed."""
        add_facts(report, item=self._number)
        if report.when == "setup":  # of a further attempt: another plugin may have reported no earlier one
            self._failed += self._around
            self._around = []
        if report.when != "call" and report.failed:
            self._around.append(facts_of(report).category or FAILED)
        if report.when == "call" and self._failed:
            add_facts(report, unreported=list(self._failed))

    @property
    def repeated_error(self) -> BaseException | None:
        """The error of the last call, where the test was called more than once before its report was made."""
        return self._error if self.calls > 1 else None


def phases_of(report: pytest.TestReport) -> list[Phase]:
    """The phase that a report is about, after those of earlier calls that were not reported."""
    facts = facts_of(report)
    unreported = [Phase(Step.CALL, Result.RERUN, word if word != FAILED else "") for word in facts.unreported]
    step = _step(report)
    return [*unreported, Phase(step, _result(report, step), facts.category, facts.error)]


def _step(report: pytest.TestReport) -> Step:
    return Step.SUBTEST if hasattr(report, "context") else _STEPS.get(str(report.when), Step.PROCESS)


def _result(report: pytest.TestReport, step: Step) -> Result:
    if step is Step.PROCESS:
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
    """The reports of one test so far.

    Attributes:
        failures: reports that pytest counts as failures of the session.
    """

    number: int
    phases: list[Phase] = field(default_factory=list)
    failures: int = 0
    setups: int = 0
    duration: float = 0.0
    runs: list[str] = field(default_factory=list)
    compared: dict[str, dict[str, Any]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    trials: TrialCount | None = None
    unused_mark: bool = False
    broke: bool = False
    quarantine: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    def add(self, report: pytest.TestReport) -> None:
        """Adds one report, as other plugins have left it."""
        facts, phases = facts_of(report), phases_of(report)
        # pytest fails the call of a test for its failed subtests, whose own phases have the reason.
        for_subtests = self._fails_for_subtests(report)
        self.phases += [replace(one, result=Result.PASSED) for one in phases] if for_subtests else phases
        self.runs = list(dict.fromkeys([*self.runs, *facts.runs]))
        self.compared |= {one["run"]: one for one in facts.compared}
        if not hasattr(report, "context"):  # the call's report has the time of its subtests
            self.duration += getattr(report, "duration", 0.0)
        self.setups += report.when == "setup"
        self.trials = facts.trials or self.trials
        self.unused_mark = self.unused_mark or facts.unused_mark
        self.broke = self.broke or facts.broke
        self.quarantine = facts.quarantine or self.quarantine
        if report.outcome != "passed" and report.longrepr is not None:
            self.texts.append(without_colours(str(report.longreprtext)))

    def _fails_for_subtests(self, report: pytest.TestReport) -> bool:
        if report.when != "call":
            return False
        failed = any(one.step is Step.SUBTEST and one.result is Result.FAILED for one in self.phases)
        return failed and str(report.longrepr).startswith("contains ")

    def outcome(self, *more: Phase) -> ItemOutcome:
        """The outcome of the test, as far as it is known."""
        flaky_trials = self.trials is not None and self.trials.word == FLAKY
        return item_outcome([*self.phases, *more], flaky_trials=flaky_trials, failures=self.failures)


class ItemLedger:
    """The reports of all tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._runtime: LocalRuntime | None = None
        self._items: dict[tuple[str, str], _Item] = {}  # the last tests, by worker and id
        self._seen = 0
        self._elsewhere = 0
        self._runs: dict[str, Properties] = {}
        self._credentials: int | None = None
        """How many were known with the first run: where there are more, the properties may hold one."""

    def follow(self, runtime: LocalRuntime) -> None:
        """Writes the events of tests where the runtime writes those of runs."""
        self._runtime = runtime
        runtime.events.on_run = self._keep_properties

    @contextmanager
    def take(self, report: pytest.TestReport) -> Iterator[None]:
        """Stands around all other plugins that take a report: the test is judged by what they leave of it."""
        nodeid = facts_of(report).nodeid or report.nodeid
        item = self._item_of(report, nodeid)
        ends = _step(report) in (Step.TEARDOWN, Step.PROCESS)
        if ends:  # before the plugin that writes JUnit XML, which reads properties now
            report.user_properties += self._properties(item, report)
        self._elsewhere += self._new_failures()
        try:
            yield
        finally:
            new = self._new_failures()
            item.failures += min(1, new)
            self._elsewhere += max(0, new - 1)
            item.add(report)
            if ends:
                self._write(nodeid, _worker(report), item)

    @property
    def failures_elsewhere(self) -> int:
        """Failures that pytest has counted, and that are of no test's report: of collection, or added by a plugin."""
        self._elsewhere += self._new_failures()
        return self._elsewhere

    def _new_failures(self) -> int:
        """How many failures pytest has counted since the last call; a failure that a plugin takes back stays."""
        now = int(getattr(self._config.pluginmanager.get_plugin("session"), "testsfailed", 0))
        new, self._seen = max(0, now - self._seen), now
        return new

    def _item_of(self, report: pytest.TestReport, nodeid: str) -> _Item:
        key, number = (_worker(report), nodeid), facts_of(report).item
        item = self._items.get(key)
        if item is None or number not in (None, item.number):
            item = self._items[key] = _Item(number or 0)
            while len(self._items) > MOST_OPEN:
                del self._items[next(iter(self._items))]
        return item

    def _keep_properties(self, event: Mapping[str, Any]) -> None:
        """Keeps the properties of a run that has ended, and not its result."""
        assert self._runtime is not None
        if self._credentials is None:
            self._credentials = self._runtime.redactor.count
        found = ((name, event.get(key)) for name, key in PROPERTIES.items())
        self._runs[event["run"]] = [(name, str(value)) for name, value in found if value is not None]

    def _properties(self, item: _Item, last: pytest.TestReport) -> Properties:
        """The properties in JUnit XML of a test that used runs, or was to; those of its runs follow each other."""
        facts = facts_of(last)
        runs = dict.fromkeys([*item.runs, *facts.runs])
        if self._runtime is None or not (runs or facts.error or any(phase.error for phase in item.phases)):
            return []  # as for most tests, whose outcome is not computed for this
        outcome = item.outcome(*phases_of(last))
        if not (runs or outcome.error):
            return []
        properties = [one for run in runs for one in self._runs.get(run, ())]
        if self._runtime.redactor.count != self._credentials:
            cleaned = self._runtime.redactor.clean_json([value for _, value in properties])
            properties = list(zip((name for name, _ in properties), cleaned, strict=True))
        word = {ERROR: FAILED, XPASSED: PASSED}.get(outcome.word, outcome.word)
        return [
            ("wisebot_outcome", word),
            *self._quarantine(item),
            *((name, printable(str(value))) for name, value in properties),
        ]

    def _quarantine(self, item: _Item) -> Properties:
        """The property of a test in quarantine, which its setup has named."""
        if not item.quarantine or self._runtime is None:
            return []
        text = self._runtime.redactor.clean(str(from_dict(item.quarantine)))
        return [("wisebot_quarantine", printable(text, 500))]

    def _write(self, nodeid: str, worker: str, item: _Item) -> None:
        storage = self._runtime.begun_storage if self._runtime is not None else None
        if self._runtime is None or not (storage or self._runtime.events.has_sinks):
            return
        outcome = item.outcome()
        if storage is not None:
            passed = storage.collected.passed
            (passed.add if outcome.word in GOOD else passed.discard)(nodeid)
        self._runtime.events.write(_event(nodeid, worker, item, outcome))


def _event(nodeid: str, worker: str, item: _Item, outcome: ItemOutcome) -> dict[str, Any]:
    """The event of a test. A test that a plugin repeats has several; the last has all that the earlier ones have."""
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
    optional = {
        "worker": worker,
        "class": outcome.error,
        "also": list(outcome.also),
        "failures": item.failures,
        "executions": item.setups if item.setups > 1 else 0,
        "trials": asdict(item.trials) if item.trials is not None else None,
        "unused_mark": item.unused_mark,
        "broke": item.broke,
        "quarantine": {name: text for name, text in item.quarantine.items() if name != "until"},
        "quarantined_until": item.quarantine.get("until"),
        "compared": list(item.compared.values()),
        "text": "\n".join(item.texts)[:LONGEST],
    }
    return event | {name: value for name, value in optional.items() if value}


def _worker(report: pytest.TestReport) -> str:
    """The worker of xdist that a test ran in; empty without one."""
    gateway = getattr(getattr(report, "node", None), "gateway", None)
    return str(gateway.id) if gateway is not None else ""
