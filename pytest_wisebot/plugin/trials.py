"""Trials: one test, judged once for each of many runs, with one verdict and one set of reports.

A trial is the test's whole protocol: its function's fixtures are made anew, and those of its class, module and session
stay. Which trial is the last is only known when its own fixtures have been torn down. So each is torn down as if the
test's own parent came next, and once there is a verdict, what pytest would have torn down after a single test follows,
still inside the teardown phase.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import Any

import pytest

from ..errors import ConfigurationError
from ..originals import json
from ..outcomes import DRIFT, NOT_RUN
from ..runs import WorkflowRun
from .failure_category import is_without_verdict
from .item_events import ItemAttempts
from .item_session import WisebotSession
from .report_facts import TrialCount, add_facts, facts_of, has_drifted
from .run_tracker import RequestedRun, references
from .trial_policy import REPEATED, TrialPolicy, TrialRow, add_to, doubt_about, first_line, table

ENDS_PYTEST = (KeyboardInterrupt, pytest.exit.Exception)


class Kind(IntEnum):
    """How a phase of a trial ended. The trial ends as the last of these that any of its phases has.

    SKIPPED: the test skipped itself, or named itself an expected failure.
    ERROR: its setup failed, as it would in each further trial.
    NO_VERDICT: the trial does not show whether the workflow is right.
    """

    PASSED = auto()
    SKIPPED = auto()
    FAILED = auto()
    ERROR = auto()
    NO_VERDICT = auto()

    @property
    def word(self) -> str:
        """As a table shows it."""
        return self.name.lower().replace("_", " ")


@dataclass
class Trial:
    """One trial: its reports, and how it ended.

    Attributes:
        kinds: how its phases ended.
        judged: how it ended when it was judged.
        drifted: a run of it differs from its recording, which does not make the workflow wrong.
        calls: reports of its call, of which there must be one.
    """

    number: int
    reports: list[pytest.TestReport] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    judged: Kind | None = None
    requested: list[RequestedRun] = field(default_factory=list)
    drifted: bool = False
    calls: int = 0

    @property
    def kind(self) -> Kind:
        """How it ended."""
        return max(self.kinds.values(), default=Kind.PASSED)

    @property
    def word(self) -> str:
        """How it ended, as a table shows it."""
        return DRIFT if self.drifted and self.kind is Kind.PASSED else self.kind.word

    @property
    def ends_all(self) -> bool:
        """Whether no other trial follows it, whatever the count."""
        return self.kind not in (Kind.PASSED, Kind.FAILED)

    @property
    def failing(self) -> pytest.TestReport | None:
        """The report with the reason why it did not pass: a failure rather than an expected one, and the worst."""
        wrong = [one for one in self.reports if has_drifted(one) or self._kind_of(one) is not Kind.PASSED]
        return max(wrong, key=lambda report: (report.failed, self._kind_of(report)), default=None)

    def add(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Adds the report of a phase; none follows that of the teardown."""
        self.calls += report.when == "call"
        if not any(one.when == "teardown" for one in self.reports):
            phase = report.when or ""
            self.reports.append(report)
            self.drifted = self.drifted or has_drifted(report)
            self.kinds[phase] = max(_kind(report, call), self.kinds.get(phase, Kind.PASSED))

    def _kind_of(self, report: pytest.TestReport) -> Kind:
        return self.kinds[report.when or ""]


class TrialLoop:
    """The trials of one test.

    Args:
        item: the test.
        nextitem: the test after it, which determines what of its fixtures stays.
        policy: how many of how many trials must pass.
        session: starts runs.
        attempts: counts the calls of the test.
    """

    def __init__(
        self,
        item: pytest.Item,
        nextitem: pytest.Item | None,
        policy: TrialPolicy,
        session: WisebotSession,
        attempts: ItemAttempts,
    ) -> None:
        self._item = item
        self._nextitem = nextitem
        self._policy = policy
        self._session = session
        self._attempts = attempts
        self._fresh = _FreshItem(item)
        self._trial = Trial(0)
        self._first_failed: Trial | None = None
        self._first_drifted: Trial | None = None
        self._drifted = self._passes = self._failures = 0
        self._over = False
        self._later: BaseException | None = None
        """The error with which the higher-scoped fixtures were torn down."""
        self._rows: list[TrialRow] = []
        self._notes: list[str] = []
        self._references: list[str] = []
        self._compared: list[dict[str, Any]] = []
        self._unlimited = self._broke = False
        self._durations: dict[str, float] = {}

    def reports(self) -> list[pytest.TestReport]:
        """Runs the trials, as many as it takes, and returns the reports of the one test that they are."""
        self._session.begin_trials(self._item)
        while not self._over:
            self._session.start_trials(self._policy, self._passes, self._passes + self._failures)
            self._trial = Trial(self._trial.number + 1)
            self._session.tracker.trial = self._trial.number
            self._attempts.begin_trial()
            self._fresh.begin()
            run_protocol(self._item, self._item.parent)
            self._settle(self._trial)
            self._write_down(self._trial)
        return self._reports_of_the_test()

    # --- during a trial

    def reported(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """A phase has its report."""
        self._trial.add(report, call)

    def torn_down(self, error: BaseException | None) -> None:
        """The trial's own fixtures are torn down: it can be judged, and if it was the last, the rest follows."""
        __tracebackhide__ = True
        trial = self._trial
        if self._calls and "call" not in trial.kinds:  # between two calls: the plugin that repeats them comes back
            return
        trial.kinds["teardown"] = _kind_of_error(error) if error is not None else Kind.PASSED
        trial.requested = self._session.tracker.requested
        self._refuse_repeated(trial)
        trial.judged = trial.kind
        passes, failures = self._with(trial.kind)
        if trial.ends_all or self._policy.verdict(passes, failures) is not None:
            self._end()

    @property
    def _calls(self) -> int:
        """How often the trial has called the test."""
        return max(self._trial.calls, self._attempts.calls)

    def _refuse_repeated(self, trial: Trial) -> None:
        """A trial is one call: a call that a plugin repeats until it passes does not measure a pass rate."""
        report = next((one for one in trial.reports if one.when == "call"), None)
        if self._calls <= 1 or report is None:
            return
        error = ConfigurationError(
            f"{self._item.nodeid}: trials={self._policy.trials}: trial {trial.number} was called {self._calls} times: "
            f"{REPEATED}"
        )
        report.outcome, report.longrepr = "failed", f"{type(error).__name__}: {error}"
        vars(report).pop("wasxfail", None)
        add_facts(report, category=NOT_RUN, reason=str(error), error=type(error).__name__)
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
        if not self._over and (trial.ends_all or self._policy.verdict(self._passes, self._failures) is not None):
            self._end()

    def _end(self) -> None:
        """There is a verdict, or there will be none: no further trial starts, and higher-scoped fixtures end."""
        __tracebackhide__ = True
        self._over = True
        self._session.forget_test(self._item)
        try:
            self._item.session._setupstate.teardown_exact(self._nextitem)  # noqa: SLF001 - as pytest itself does
        except ENDS_PYTEST:
            raise
        except BaseException as later:  # noqa: BLE001 - of any fixture: it is reported, and does not fail a trial
            self._later = later

    def _write_down(self, trial: Trial) -> None:
        """Keeps of a trial what the test's reports need."""
        for report in trial.reports:
            phase, facts = report.when or "", facts_of(report)
            self._durations[phase] = self._durations.get(phase, 0.0) + report.duration
            self._notes += facts.notes
            self._unlimited = self._unlimited or facts.unlimited
            self._broke = self._broke or facts.broke
        runs = [run for one in trial.requested if isinstance(run := one.pending.outcome, WorkflowRun)]
        self._references += references(trial.requested)
        self._compared += facts_of(trial.reports[-1]).compared if trial.reports else []
        why = self._session.redactor.clean(first_line(trial.failing)) if trial.failing is not None else ""
        self._rows.append(TrialRow.of(trial.number, trial.word, why, runs))
        trial.requested = []
        self._broke = self._broke or trial.kinds.get("teardown") in (Kind.FAILED, Kind.ERROR)
        if trial.drifted:
            self._drifted += 1
            self._first_drifted = self._first_drifted or trial
        if trial.judged is Kind.FAILED and _is_worse(trial, self._first_failed):
            self._first_failed = trial

    # --- the one test

    def _reports_of_the_test(self) -> list[pytest.TestReport]:
        """The reports of the trial that stands for all."""
        count = self._count()
        shown = {True: self._first_drifted, False: self._first_failed, None: None}[count.met] or self._trial
        reports = _as_one(shown)
        self._add_table(shown, count, reports)
        if self._later is not None:
            reports = [*(report for report in reports if report.when != "teardown"), self._report_of_later()]
        main = next((report for report in reports if report.when == "call"), reports[0])
        for report in reports:
            add_facts(
                report, runs=self._references, compared=self._compared, notes=self._notes if report is main else []
            )
            report.duration = self._durations.get(report.when or "", 0.0)
            report.user_properties.append(("wisebot_trials", str(count)))
        add_facts(main, trials=count, unlimited=self._unlimited, broke=self._broke)
        return reports

    def _count(self) -> TrialCount:
        policy = self._policy
        met = policy.verdict(self._passes, self._failures)
        if met is None and self._failures and self._trial.kind is Kind.SKIPPED:
            met = False  # a trial was a verdict against the workflow, and no later one takes it back
        return TrialCount(
            policy.trials,
            policy.min_passes,
            self._passes,
            self._failures,
            met,
            ended=self._trial.kind.word if met is None else "",
            why=next((f"trial {row.number}: {row.why}" for row in self._rows if row.word == Kind.FAILED.word), ""),
            doubt=doubt_about(policy),
            drifted=self._drifted,
            each=[{"outcome": row.word, **({"why": row.why} if row.why else {})} for row in self._rows],
        )

    def _add_table(self, trial: Trial, count: TrialCount, reports: list[pytest.TestReport]) -> None:
        wrong = next((report for report in reports if report.failed), None)
        shown = trial.number if count.word in ("failed", DRIFT) else None
        text = "\n".join(table(count, self._rows, shown, whole=self._item.config.get_verbosity() >= 2))
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


class _FreshItem:
    """What pytest keeps on a test, and each trial is to find as the first one did."""

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
            # pytest finds a higher-scoped parameter's fixture by the very object
            if name == "inputs" or (getattr(scopes.get(name), "value", "") == "function" and _is_json(value))
        }

    def begin(self) -> None:
        item = self._item
        for name, value in self._bags.items():
            if isinstance(value, dict | list):
                with suppress(Exception):  # what cannot be copied is not an input bag either: the trial reports it
                    self._parameters[name] = copy.deepcopy(value)
        item.own_markers[:] = self._marks
        item.user_properties[:] = self._properties
        item._report_sections[:] = []  # noqa: SLF001 - what earlier trials printed is theirs
        if getattr(item, "_instance", None) is not None:
            with suppress(AttributeError):
                del item._instance  # noqa: SLF001 - each trial has an object of its class of its own
            item._obj = None  # noqa: SLF001 - the method that is bound to it


def _is_json(value: object) -> bool:
    """Whether a value may be copied: of another object the test may need that very one."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def run_protocol(item: pytest.Item, nextitem: Any) -> list[pytest.TestReport]:
    """Setup, call and teardown of a test; their reports go to no other plugin yet."""
    from _pytest.runner import runtestprotocol

    return runtestprotocol(item, log=False, nextitem=nextitem)


def _kind(report: pytest.TestReport, call: pytest.CallInfo[None]) -> Kind:
    error = call.excinfo.value if call.excinfo is not None else None
    if report.skipped:
        expected = hasattr(report, "wasxfail") and not isinstance(error, pytest.xfail.Exception)
        return Kind.FAILED if expected else Kind.SKIPPED
    # A pass that xfail(strict=True) fails is for the whole test to answer for.
    strict = error is None and str(report.longrepr).startswith("[XPASS(strict)]")
    if not report.failed or has_drifted(report) or strict:
        return Kind.PASSED
    if error is not None and is_without_verdict(error):
        return Kind.NO_VERDICT
    return Kind.ERROR if report.when == "setup" else Kind.FAILED


def _kind_of_error(error: BaseException) -> Kind:
    """Of a teardown, whose report has not been made yet."""
    if isinstance(error, pytest.skip.Exception):
        return Kind.SKIPPED
    return Kind.NO_VERDICT if is_without_verdict(error) else Kind.FAILED


def _is_worse(trial: Trial, than: Trial | None) -> bool:
    """Whether a trial is the one to show: the first that failed, and rather one that was not expected to."""
    if than is None:
        return True
    shown, other = trial.failing, than.failing
    return bool(shown and shown.failed and other and not other.failed)


def _as_one(trial: Trial) -> list[pytest.TestReport]:
    """The reports of a trial, of which one alone, in the place of its call, has the result: it is judged as a whole.

    pytest would count "1 passed, 1 error", or "1 failed, 1 error", of which the one is not part of the verdict.
    """
    main, other = trial.reports[-2:]
    if trial.failing is other:
        phase = main.when
        main, other = other, main
        main.when, other.when = other.when, main.when
    else:
        phase = other.when
    if other.failed:
        main.sections.append((f"its {phase} failed, too", other.longreprtext))
    if not other.passed:
        other.outcome, other.longrepr = "passed", None
        vars(other).pop("wasxfail", None)
    return [*trial.reports[:-2], main, other]
