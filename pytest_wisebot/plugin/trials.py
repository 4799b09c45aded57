"""Trials: one test, judged once for each of many runs, with one verdict and one set of reports.

A trial is the test's whole protocol: its function's fixtures are made anew, and those of its class, module and session
stay. Which trial is the last is only known when its own fixtures have been torn down. So each is torn down as if the
test's own parent came next, and once there is a verdict, what pytest would have torn down after a single test follows,
still inside the teardown phase.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Any

import pytest

from ..engine.values import Ahead
from ..errors import ConfigurationError
from ..outcomes import DRIFT, NOT_RUN
from ..runs import RunRequest, WorkflowRun
from . import report_facts
from .markers import says_trials
from .passrate import TrialPolicy
from .reports import is_no_verdict
from .run_tracker import RequestedRun, key_of, of_trial
from .trial_policy import NO_SUBTESTS, REPEATED, demanded
from .trials_report import Row, add_to, doubt_about, table

if TYPE_CHECKING:
    from .item_session import WisebotSession

_ENDS_PYTEST = (KeyboardInterrupt, pytest.exit.Exception)


class Kind(IntEnum):
    """How a phase of a trial ended, and with it the trial: the last of these that any of its phases is."""

    PASSED = auto()
    SKIPPED = auto()
    """The test skipped itself, or said that it is expected to fail."""
    FAILED = auto()
    ERROR = auto()
    """Its setup failed: the test is in error, and would be in each further trial."""
    NO_VERDICT = auto()
    """Nobody can say whether the workflow is right."""

    @property
    def word(self) -> str:
        """As a table says it."""
        return self.name.lower().replace("_", " ")


class TrialsAhead:
    """The trials of one test that start before their turn.

    Args:
        request: what each of them runs.
        cap: how many runs may be under way at once.
        start: starts these.
    """

    def __init__(self, request: RunRequest, cap: int, start: Callable[[list[Ahead]], None]) -> None:
        self.request = request
        self._cap = cap
        self._start = start
        self._started = 0

    def go_on(self, demand: TrialPolicy, passes: int, judged: int) -> None:
        """Starts as many as may be sent and not judged yet, by what is known so far."""
        last = min(demand.trials, judged + demand.may_be_open(passes, self._cap))
        fresh = range(self._started + 1, last + 1)
        if fresh:
            test = self.request.test
            self._start([Ahead(key_of(test, trial), of_trial(self.request, trial)) for trial in fresh])
            self._started = last


@dataclass
class Trial:
    """One trial: its reports, and how it ended."""

    number: int
    reports: list[pytest.TestReport] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    """By phase."""
    judged: Kind | None = None
    """How it ended when it was judged."""
    asked: list[RequestedRun] = field(default_factory=list)
    drifted: bool = False
    """A run of it is not what was recorded: that says nothing of whether the workflow is right."""
    calls: int = 0
    """Reports of its call, of which there must be one."""

    @property
    def kind(self) -> Kind:
        """How it ended."""
        return max(self.kinds.values(), default=Kind.PASSED)

    @property
    def word(self) -> str:
        """How it ended, as a table says it."""
        return DRIFT if self.drifted and self.kind is Kind.PASSED else self.kind.word

    @property
    def ends_all(self) -> bool:
        """Whether no other trial follows it, whatever the count."""
        return self.kind not in (Kind.PASSED, Kind.FAILED)

    @property
    def is_whole(self) -> bool:
        """Whether all of its phases have been reported."""
        return any(report.when == "teardown" for report in self.reports)

    @property
    def failing(self) -> pytest.TestReport | None:
        """The report that says why it did not pass: a failure rather than one that was expected, and the worst."""
        wrong = [
            report
            for report in self.reports
            if report_facts.has_drifted(report) or self._kind_of(report) is not Kind.PASSED
        ]
        return max(wrong, key=lambda report: (report.failed, self._kind_of(report)), default=None)

    def _kind_of(self, report: pytest.TestReport) -> Kind:
        return self.kinds[report.when or ""]


class Trials:
    """Runs the tests that have trials. Registered once a test uses the plugin."""

    def __init__(self, session: WisebotSession) -> None:
        self._session = session
        self._series: TrialLoop | None = None
        self._refused: ConfigurationError | None = None
        self._calling = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """A test with trials has a protocol of its own."""
        if not says_trials(item) or item.config.getoption("setuponly", False):
            return None
        demand: TrialPolicy | None = None
        try:
            demand = demanded(item)
            self._refused = None
        except ConfigurationError as error:
            self._refused = error
        if demand is None and self._refused is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        try:
            for report in self._reports_of(item, nextitem, demand):
                item.ihook.pytest_runtest_logreport(report=report)
        finally:
            self._series = self._refused = None
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _reports_of(
        self, item: pytest.Item, nextitem: pytest.Item | None, demand: TrialPolicy | None
    ) -> list[pytest.TestReport]:
        if demand is None:  # refused: its setup will say why
            return _protocol(item, nextitem)
        self._series = TrialLoop(item, nextitem, demand, self._session)
        return self._series.reports()

    @property
    def execution(self) -> object | None:
        """What all trials of the test that runs have in common; None for a test without trials."""
        return self._series.execution if self._series is not None else None

    def asks(self, request: RunRequest) -> None:
        """A trial asks for its declared run."""
        if self._series is not None:
            self._series.asks(request)

    # --- hooks that watch the protocol of each trial

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """A test that cannot have trials is told why, and not run once in silence."""
        __tracebackhide__ = True
        if self._refused is not None:
            raise self._refused.with_traceback(None) from None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Whoever makes a report before this phase has ended makes that of a subtest."""
        __tracebackhide__ = True
        self._calling = self._series is not None
        try:
            return (yield)
        finally:
            self._calling = False

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """The innermost of all wrappers: what a trial's teardown prints and logs is kept as that of any test."""
        __tracebackhide__ = True
        failed: BaseException | None = None
        result: object = None
        try:
            result = yield
        except _ENDS_PYTEST:
            raise
        except BaseException as error:
            if self._series is None:
                raise
            failed = error
        if self._series is not None:
            self._series.torn_down(failed)
        try:
            if failed is not None:
                raise failed
        finally:
            del failed
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The outermost wrapper, so that it sees what every other plugin made of the report."""
        __tracebackhide__ = True
        if self._calling:
            raise ConfigurationError(f"{item.nodeid}: a test with trials cannot have subtests: {NO_SUBTESTS}")
        report = yield
        if self._series is not None:
            self._series.reported(report, call)
        return report


class TrialLoop:
    """The trials of one test.

    Args:
        item: the test.
        nextitem: the test after it, which says what of its fixtures stays.
        demand: how many of how many trials must pass.
        session: who starts runs.
    """

    def __init__(
        self, item: pytest.Item, nextitem: pytest.Item | None, demand: TrialPolicy, session: WisebotSession
    ) -> None:
        self.execution = object()
        self._item = item
        self._nextitem = nextitem
        self._demand = demand
        self._session = session
        self._ahead = session.trials_ahead(item)
        self._anew = _Anew(item)
        self._trial = Trial(0)
        self._first_failed: Trial | None = None
        self._first_drifted: Trial | None = None
        self._drifted = 0
        self._passes = self._failures = 0
        self._over = False
        self._later: BaseException | None = None
        """What the fixtures that are wider than a trial were torn down with."""
        self._rows: list[Row] = []
        self._notes: list[str] = []
        self._references: list[str] = []
        self._unlimited = False
        self._durations: dict[str, float] = {}

    def reports(self) -> list[pytest.TestReport]:
        """Runs the trials, as many as it takes, and gives the reports of the one test that they are."""
        while not self._over:
            if self._ahead is not None:
                self._ahead.go_on(self._demand, self._passes, self._passes + self._failures)
            self._trial = Trial(self._trial.number + 1)
            self._session.asking.trial = self._trial.number
            self._session.reports.attempts.begin_trial()
            self._anew.begin()
            _protocol(self._item, self._item.parent)
            self._settle(self._trial)
            self._write_down(self._trial)
        return self._told()

    # --- what the hooks tell

    def asks(self, request: RunRequest) -> None:
        """Where a trial asks for something else than was started for it, the others would, too."""
        if self._ahead is not None and not self._ahead.request.equals(request):
            self._ahead = None
            self._session.forget(self._item)

    def reported(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """A phase has its report."""
        trial = self._trial
        trial.calls += report.when == "call"
        if not trial.is_whole:
            trial.reports.append(report)
            trial.drifted = trial.drifted or report_facts.has_drifted(report)
            trial.kinds[report.when or ""] = max(_kind(report, call), trial.kinds.get(report.when or "", Kind.PASSED))

    def torn_down(self, error: BaseException | None) -> None:
        """The trial's own fixtures are torn down: it can be judged, and if it was the last, the rest follows."""
        __tracebackhide__ = True
        trial = self._trial
        if self._calls and "call" not in trial.kinds:  # between two calls: whatever repeats them comes back
            return
        trial.kinds["teardown"] = _kind_of_error(error) if error is not None else Kind.PASSED
        trial.asked = self._session.asking.asked
        self._refuse_repeated(trial)
        trial.judged = trial.kind
        passes, failures = self._with(trial.kind)
        if trial.ends_all or self._demand.verdict(passes, failures) is not None:
            self._end()

    @property
    def _calls(self) -> int:
        """How often the trial has called the test."""
        return max(self._trial.calls, self._session.reports.attempts.calls)

    def _refuse_repeated(self, trial: Trial) -> None:
        """A trial is one call. What a plugin repeats until it passes says nothing of a pass rate."""
        report = next((one for one in trial.reports if one.when == "call"), None)
        if self._calls <= 1 or report is None:
            return
        error = ConfigurationError(
            f"{self._item.nodeid}: trials={self._demand.trials}: trial {trial.number} was called {self._calls} times: "
            f"{REPEATED}"
        )
        report.outcome, report.longrepr = "failed", f"{type(error).__name__}: {error}"
        vars(report).pop("wasxfail", None)
        report_facts.call(report, NOT_RUN, str(error))
        report_facts.name_error(report, type(error).__name__)
        trial.kinds["call"] = Kind.NO_VERDICT
        trial.judged = None if trial.judged is None else Kind.NO_VERDICT

    def _with(self, kind: Kind) -> tuple[int, int]:
        """Passes and failures with one more trial."""
        return self._passes + (kind is Kind.PASSED), self._failures + (kind is Kind.FAILED)

    def _settle(self, trial: Trial) -> None:
        """Counts a trial, with what other plugins' wrappers made of its teardown before it began or after it ended."""
        self._refuse_repeated(trial)
        if trial.judged is None:
            trial.kinds["teardown"] = trial.judged = Kind.ERROR
        if not self._over:
            trial.judged = trial.kind
        self._passes, self._failures = self._with(trial.judged)
        if not self._over and (trial.ends_all or self._demand.verdict(self._passes, self._failures) is not None):
            self._end()

    def _end(self) -> None:
        """There is a verdict, or there will be none: nothing more is started, and what is wider than a trial ends."""
        __tracebackhide__ = True
        self._over = True
        self._session.forget(self._item)
        try:
            self._item.session._setupstate.teardown_exact(self._nextitem)  # noqa: SLF001 - what pytest itself does
        except _ENDS_PYTEST:
            raise
        except BaseException as later:  # noqa: BLE001 - of whatever fixture: it is reported, and is no trial's failure
            self._later = later

    # --- what is left of a trial

    def _write_down(self, trial: Trial) -> None:
        for report in trial.reports:
            phase = report.when or ""
            self._durations[phase] = self._durations.get(phase, 0.0) + report.duration
            self._notes += report_facts.notes_on(report)
            self._unlimited = self._unlimited or report_facts.is_unlimited(report)
        runs = [run for one in trial.asked if isinstance(run := one.pending.outcome, WorkflowRun)]
        self._references += report_facts.references(trial.asked)
        wrong = trial.failing
        self._rows.append(Row.of(trial.number, trial.word, wrong, runs, self._session.redactor.clean))
        trial.asked = []
        if trial.drifted:
            self._drifted += 1
            self._first_drifted = self._first_drifted or trial
        if trial.judged is Kind.FAILED and _is_worse(trial, self._first_failed):
            self._first_failed = trial

    # --- the one test

    def _told(self) -> list[pytest.TestReport]:
        """The reports of the trial that stands for all."""
        count = self._count()
        telling = {True: self._first_drifted, False: self._first_failed, None: None}[count.met]
        trial = telling or self._trial
        reports = _as_one(trial)
        self._add_table(trial, count, reports)
        if self._later is not None:
            reports = [*(report for report in reports if report.when != "teardown"), self._report_of_later()]
        speaks = next((report for report in reports if report.when == "call"), reports[0])
        for report in reports:
            report_facts.name_runs(report, self._references)
            report.duration = self._durations.get(report.when or "", 0.0)
            report.user_properties.append(("wisebot_trials", str(count)))
            report_facts.set_notes(report, self._notes if report is speaks else [])
        report_facts.count_trials(speaks, count)
        if self._unlimited:
            report_facts.leave_unlimited(speaks)
        return reports

    def _count(self) -> report_facts.Count:
        demand = self._demand
        met = demand.verdict(self._passes, self._failures)
        if met is None and self._failures and self._trial.kind is Kind.SKIPPED:
            met = False  # a trial was a verdict against the workflow, and no later one takes it back
        return report_facts.Count(
            demand.trials,
            demand.min_passes,
            self._passes,
            self._failures,
            met,
            ended=self._trial.kind.word if met is None else "",
            why=next((f"trial {row.number}: {row.why}" for row in self._rows if row.word == Kind.FAILED.word), ""),
            doubt=doubt_about(demand),
            drifted=self._drifted,
        )

    def _add_table(self, trial: Trial, count: report_facts.Count, reports: list[pytest.TestReport]) -> None:
        whole = self._item.config.get_verbosity() >= 2
        wrong = next((report for report in reports if report.failed), None)
        shown = trial.number if count.word in ("failed", DRIFT) else None
        text = table(count, self._rows, shown, whole=whole)
        if wrong is not None:
            add_to(wrong, text, count, trial.number)
        elif count.failures:
            reports[-1].sections.append(("wisebot trials", text))

    def _report_of_later(self) -> pytest.TestReport:
        later = self._later
        self._later = None

        def torn_down() -> None:
            __tracebackhide__ = True
            assert later is not None
            raise later

        call = pytest.CallInfo.from_call(torn_down, when="teardown")
        report: pytest.TestReport = self._item.ihook.pytest_runtest_makereport(item=self._item, call=call)
        return report


class _Anew:
    """What pytest keeps on a test, and a trial shall find as the first one did."""

    def __init__(self, item: pytest.Item) -> None:
        self._item: Any = item
        self._marks = list(item.own_markers)
        self._properties = list(item.user_properties)
        callspec: Any = getattr(item, "callspec", None)
        self._parameters: dict[str, Any] = getattr(callspec, "params", {})
        scopes = getattr(callspec, "_arg2scope", {})
        self._bags = {
            name: value
            for name, value in self._parameters.items()
            if name == "inputs" or (_is_of_the_function(scopes.get(name)) and _is_plain(value))
        }

    def begin(self) -> None:
        item = self._item
        for name, value in self._bags.items():
            if isinstance(value, dict | list):
                with suppress(Exception):  # what cannot be copied is no input bag either: the trial itself will say so
                    self._parameters[name] = copy.deepcopy(value)
        item.own_markers[:] = self._marks
        item.user_properties[:] = self._properties
        item._report_sections[:] = []  # noqa: SLF001 - what earlier trials printed is theirs
        if getattr(item, "_instance", None) is not None:
            with suppress(AttributeError):
                del item._instance  # noqa: SLF001 - each trial has an object of its class of its own
            item._obj = None  # noqa: SLF001 - the method that is bound to it


def _is_of_the_function(scope: object) -> bool:
    """Whether a parameter is of the test's own scope: pytest knows a wider one's fixture by the very object."""
    return getattr(scope, "value", "") == "function"


def _is_plain(value: object) -> bool:
    """Whether a value may be copied: another object may be meant to be that very one."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _protocol(item: pytest.Item, nextitem: Any) -> list[pytest.TestReport]:
    """Setup, call and teardown of a test; their reports are not told to anybody yet."""
    from _pytest.runner import runtestprotocol

    return runtestprotocol(item, log=False, nextitem=nextitem)


def _kind(report: pytest.TestReport, call: pytest.CallInfo[None]) -> Kind:
    expected = hasattr(report, "wasxfail")
    if report.skipped:
        said_so = call.excinfo is not None and isinstance(call.excinfo.value, pytest.xfail.Exception)
        return Kind.FAILED if expected and not said_so else Kind.SKIPPED
    if not report.failed or report_facts.has_drifted(report) or _passed_strictly(report, call):
        return Kind.PASSED
    if call.excinfo is not None and is_no_verdict(call.excinfo.value):
        return Kind.NO_VERDICT
    return Kind.ERROR if report.when == "setup" else Kind.FAILED


def _kind_of_error(error: BaseException) -> Kind:
    """Of a teardown, whose report has not been made yet."""
    if isinstance(error, pytest.skip.Exception):
        return Kind.SKIPPED
    return Kind.NO_VERDICT if is_no_verdict(error) else Kind.FAILED


def _passed_strictly(report: pytest.TestReport, call: pytest.CallInfo[None]) -> bool:
    """Whether a trial passed that ``xfail(strict=True)`` expected to fail: that is for the whole test to answer for."""
    return call.excinfo is None and str(report.longrepr).startswith("[XPASS(strict)]")


def _is_worse(trial: Trial, than: Trial | None) -> bool:
    """Whether it is the one to show: the first that failed, and rather one that was not expected to."""
    if than is None:
        return True
    shown, other = trial.failing, than.failing
    return bool(shown and shown.failed and other and not other.failed)


def _as_one(trial: Trial) -> list[pytest.TestReport]:
    """The reports of a trial, of which one alone, in the place of its call, says how it ended: it is judged as a whole.

    pytest would say "1 passed, 1 error", or "1 failed, 1 error", of which the one is no part of the verdict.
    """
    speaks, silent = trial.reports[-2:]
    if trial.failing is silent:
        phase = speaks.when
        speaks, silent = silent, speaks
        speaks.when, silent.when = silent.when, speaks.when
    else:
        phase = silent.when
    if silent.failed:
        speaks.sections.append((f"its {phase} failed, too", silent.longreprtext))
    if not silent.passed:
        silent.outcome, silent.longrepr = "passed", None
        vars(silent).pop("wasxfail", None)
    return [*trial.reports[:-2], speaks, silent]
