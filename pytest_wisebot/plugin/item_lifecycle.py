"""The hooks around one test: setup, call, teardown, the making of its reports, and the taking of them.

Each hook does its steps in the order in which they are written here. Most are the outermost wrappers: they begin before
every other plugin, and see what every other plugin has done.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import Any

import pytest

from ..errors import ConfigurationError
from . import item_report, xdist
from .item_events import ItemAttempts, ItemLedger
from .item_session import WisebotSession
from .mark_use import has_unused_mark, unused_declaration
from .markers import case_of, says_trials
from .redact_pytest import WithoutInputs, clean_report, clean_text, clean_value
from .report_facts import add_facts, add_note, facts_of
from .run_tracker import RequestedRun, RunTracker, references, with_second
from .runs_section import SECTION, render
from .runtime import LocalRuntime, Runtime, clean_output, local_runtime
from .session_end import session_end_of
from .session_state import register_last, state_of
from .snapshot_retention import retention_of
from .trial_policy import NO_SUBTESTS, TrialPolicy, policy_of
from .trials import ENDS_PYTEST, TrialLoop, run_protocol

NAME = "wisebot-item-lifecycle"


class ItemLifecycle:
    """Follows the tests. Registered where a test uses the plugin, has a mark or a snapshot, or a report is written.

    Attributes:
        session: the runs that tests request; None before a test does.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._state = state_of(config)
        self._is_worker, self._is_controller = xdist.is_worker(config), xdist.is_controller(config)
        self._redactor = self._state.redactor
        self._ledger = self._state.one(ItemLedger)
        self._attempts = ItemAttempts()
        self._trials: TrialLoop | None = None
        self._refused: ConfigurationError | None = None
        self._in_call_of_trial = False
        self._has_failed = False
        """Whether a phase of the test has failed: drift is then no news."""
        self.tracker = RunTracker()
        self.session: WisebotSession | None = None

    # --- around the tests

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """By now the selected tests and their order are final."""
        try:
            if self.session is not None and not session.config.option.wisebot_plan:
                if not self._is_worker:
                    self.session.check_runs(session)
                for problem in self._state.collection_problems:  # another worker's answer has let the session go on
                    session.ihook.pytest_collectreport(report=pytest.CollectReport("", "failed", problem, []))
                self.session.start_ahead(session)
            return (yield)
        finally:
            self.tracker.end()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """A test begins; one with trials has a protocol of its own."""
        self._end_item()
        self.tracker.begin(item)
        self._attempts.begin()
        if not says_trials(item) or item.config.getoption("setuponly", False):
            return None
        policy: TrialPolicy | None = None
        try:
            policy = policy_of(item)
        except ConfigurationError as error:
            self._refused = error
        if policy is None and self._refused is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        try:
            for report in self._reports_of_trials(item, nextitem, policy):
                item.ihook.pytest_runtest_logreport(report=report)
        finally:
            self._trials = self._refused = None
            if self.session is not None:
                self.session.end_trials()
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _reports_of_trials(
        self, item: pytest.Item, nextitem: pytest.Item | None, policy: TrialPolicy | None
    ) -> list[pytest.TestReport]:
        if policy is None or self.session is None:  # refused: its setup fails with the reason
            return run_protocol(item, nextitem)
        self._trials = TrialLoop(item, nextitem, policy, self.session, self._attempts)
        return self._trials.reports()

    def _end_item(self) -> None:
        """Ends the test before. What was started ahead for it, and is still waiting, is not begun any more.

        Not in ``pytest_runtest_logfinish``, which a plugin that repeats a test calls after each execution.
        """
        item = self.tracker.end()
        if item is not None and self.session is not None:
            self.session.forget_test(item)

    # --- the phases of a test

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """A test that cannot have trials fails with the reason, and is not run once in silence."""
        __tracebackhide__ = True
        self.tracker.begin_execution()
        if self._refused is not None:
            raise self._refused.with_traceback(None) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """A fixture of a higher scope requests its runs itself."""
        __tracebackhide__ = True
        with self.tracker.fixture(fixturedef, request):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """A test that passed fails by a mark that it did not use, by a missed limit, or by drift."""
        __tracebackhide__ = True
        self._in_call_of_trial = self._trials is not None
        try:
            with self._attempts.call():
                result = yield
                failed = getattr(item, "_excinfo", None)  # where unittest keeps the error of a test
                if not failed and (problem := unused_declaration(item)) is not None:
                    raise ConfigurationError(f"{item.nodeid}: {problem}")
                item_report.check_limits(self.tracker.requested)
                item_report.check_drift(self.tracker.requested)
                if not failed:
                    self._compare(self.tracker.used)
                return result
        finally:
            self._in_call_of_trial = False

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """The innermost of all wrappers: what a trial's teardown prints and logs is kept as that of any test.

        Drift fails here where no call could fail by it: a run of a teardown, or of a test that was skipped.
        """
        __tracebackhide__ = True
        failed: BaseException | None = None
        result: object = None
        try:
            result = yield
        except ENDS_PYTEST:
            raise
        except BaseException as error:
            if self._trials is None:
                raise
            failed = error
        if self._trials is not None:
            self._trials.torn_down(failed)
        try:
            if failed is not None:
                raise failed
        finally:
            del failed
        if not self._has_failed:
            item_report.check_drift(self.tracker.requested)
            self._compare(self.tracker.requested)
        return result

    def _compare(self, used: list[RequestedRun]) -> None:
        """Fails a test by what differs in a second environment, or by a run that was not possible there."""
        __tracebackhide__ = True
        if self.session is not None and (beside := self.session.beside) is not None:
            beside.compare(used)

    # --- the reports of a test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The outermost wrapper, so that it sees what every other plugin made of the report."""
        __tracebackhide__ = True
        if self._in_call_of_trial:  # a report that is made before the call has ended is that of a subtest
            raise ConfigurationError(f"{item.nodeid}: a test with trials cannot have subtests: {NO_SUBTESTS}")
        used, requested = self.tracker.used, self.tracker.requested
        item_report.name_failed_run(item, call, used, self._redactor)
        item_report.hide_frames_between(item, call)
        report = yield
        self._add_sections_of_snapshots(report)
        error = call.excinfo.value if call.excinfo is not None else None
        item_report.keep_from_xfail(item, report, error)
        item_report.keep_from_expected_failure(report, error, requested)
        self._has_failed = report.failed or (self._has_failed and call.when != "setup")
        cause = (self._attempts.repeated_error if call.when == "call" else None) or error
        if report.failed and cause is not None:
            item_report.classify(report, cause, self._redactor, used)
        self._add_facts(item, report, used)
        if call.when == "call" and report.passed and self.session is not None:
            self.session.take_back_refusals(requested)
        item_report.add_notes(item, report, requested)
        self._add_section_of_runs(item, report)
        item_report.hide_entries_note(report, error)
        item_report.put_difference_first(report, error)
        clean_report(report, WithoutInputs(self._redactor, [one.pending.request.inputs for one in used]))
        if self._is_worker and (written := self._state.written.unsent()):
            add_facts(report, written=written)  # with each report: a worker may be killed before its end
        if self._trials is not None:
            self._trials.reported(report, call)
        return report

    def _add_facts(self, item: pytest.Item, report: pytest.TestReport, used: list[RequestedRun]) -> None:
        """Adds what the event log tells of the test's phase."""
        self._attempts.add_to(report)
        if report.nodeid != item.nodeid:  # for reports that show docstrings, say
            add_facts(report, nodeid=item.nodeid)
        if used:
            add_facts(report, runs=references(used))
        if quarantine := self._state.quarantines.get(item.nodeid):
            add_facts(report, quarantine=quarantine.to_dict())
        if compared := [done for one in used if one.beside is not None and (done := one.beside.compared) is not None]:
            add_facts(report, compared=[one.to_dict() for one in compared])
        if report.when == "call" and report.passed and not used and has_unused_mark(item):
            add_facts(report, unused_mark=True)

    def _add_sections_of_snapshots(self, report: pytest.TestReport) -> None:
        """A part of the failure itself, and not captured output: JUnit XML has it, too."""
        sections, self._state.snapshot_sections[:] = self._state.snapshot_sections[:], []
        notes, self._state.snapshot_notes[:] = self._state.snapshot_notes[:], []
        for note in notes:
            add_note(report, note)
        longrepr: Any = report.longrepr
        for title, lines in sections if report.failed and hasattr(longrepr, "addsection") else ():
            longrepr.addsection(title, "\n".join(lines))

    def _add_section_of_runs(self, item: pytest.Item, report: pytest.TestReport) -> None:
        if report.failed and (case := case_of(item)) is not None:
            report.sections.append(("wisebot case", str(case)))
        if report.failed and self.session is not None:
            whole = item.config.get_verbosity() >= 2
            if text := render(
                with_second(self.tracker.requested),
                self.session.traceback_of,
                self._redactor.clean_inputs,
                str(report.longreprtext),
                whole=whole,
            ):
                report.sections.append((SECTION, text))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Under xdist the controller takes the reports of all workers."""
        with self._ledger.take(report):
            self._clean(report)
            self._receive_written(report)
            with self._state.hide_status_line():
                result = yield
            if (retention := retention_of(self._config)) is not None:
                retention.follow(report)
            return result

    def _clean(self, report: pytest.TestReport) -> None:
        """Before any other plugin: a worker may have made the report before a credential was named.

        A subtest's report gets its description, and what was printed in it, only after it was made.
        """
        context: Any = getattr(report, "context", None)
        for name in ("msg", "kwargs"):
            if hasattr(context, name):
                object.__setattr__(context, name, clean_value(getattr(context, name), self._redactor))
        if context is not None or self._is_controller:
            clean_report(report, self._redactor)

    def _receive_written(self, report: pytest.TestReport) -> None:
        """On the controller. Of a test that took its worker with it, only the module is known."""
        if self._is_controller:
            self._state.written.receive(facts_of(report).written)
            retention = retention_of(self._config)
            if retention is not None and report.when not in ("setup", "call", "teardown"):
                module = self._config.rootpath / report.nodeid.partition("::")[0]
                self._state.written.add(retention.folder_of(module))

    # --- what else pytest shows of a test

    @pytest.hookimpl(tryfirst=True)
    def pytest_assertrepr_compare(
        self, config: pytest.Config, op: str, left: object, right: object
    ) -> list[str] | None:
        """Of two long strings pytest shows where they differ, and omits the rest, by which a credential is found."""
        if not isinstance(left, str) or not isinstance(right, str):
            return None
        cleaned = [self._redactor.clean(left), self._redactor.clean(right)]
        if cleaned == [left, right]:
            return None
        shown = config.hook.pytest_assertrepr_compare(config=config, op=op, left=cleaned[0], right=cleaned[1])
        return next(filter(None, shown), None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Warnings are listed in the summary, and travel from workers."""
        text = str(warning_message.message)
        if (cleaned := clean_text(text, self._redactor)) != text:
            warning_message.message = cleaned


def follow_items(config: pytest.Config) -> ItemLifecycle:
    """The session's one object, registered on first use."""
    lifecycle = state_of(config).one(ItemLifecycle)
    if not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(lifecycle, NAME)
    return lifecycle


def wake(config: pytest.Config, *, collected: bool = False) -> WisebotSession:
    """The runs of the session, which a test is about to request.

    Args:
        config: the session's.
        collected: tests are being collected, and none runs yet.
    """
    lifecycle = follow_items(config)
    if lifecycle.session is None:
        register_last(config, lifecycle, NAME)
        lifecycle.session = WisebotSession(config, _runtime(config, collected=collected), lifecycle.tracker)
    return lifecycle.session


def _runtime(config: pytest.Config, *, collected: bool) -> Runtime:
    if xdist.is_worker(config):
        from .worker_runtime import WorkerRuntime

        runtime = WorkerRuntime(config, collected=collected)
        clean_output(config, runtime)
        return runtime
    local = follow_engine(config)
    if not collected:  # the loop over the tests has begun
        session_end_of(config).show_status_line()
    return local


def follow_engine(config: pytest.Config) -> LocalRuntime:
    """The runtime of the process that owns the engine, whose runs the log and the terminal show from now on."""
    runtime = local_runtime(config)
    follow_items(config)
    state_of(config).one(ItemLedger).follow(runtime)
    session_end_of(config).follow(runtime)
    return runtime


def session_for(request: pytest.FixtureRequest) -> WisebotSession:
    """The runs of the session, for the test that requests a fixture of this plugin.

    A test that uses ``request.getfixturevalue`` alone wakes the plugin up in the middle of its own protocol.
    """
    lifecycle = state_of(request.config).find(ItemLifecycle)
    was_awake = lifecycle is not None and lifecycle.session is not None
    session = wake(request.config)
    if not was_awake:  # the loop over the tests has begun without it
        session.collect(request.session)
    session.tracker.notice(getattr(request, "_pyfuncitem", None))
    return session
