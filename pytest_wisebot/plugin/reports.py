"""Works on the reports of tests: adds what is known of their runs, and takes out what nobody may see."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Failed

from ..errors import ConfigurationError, InfrastructureError, NotRun, RecordingNotFound, WisebotError
from ..outcomes import DRIFT, INFRASTRUCTURE, NOT_RUN
from ..runs import WorkflowRun
from ..text import brief
from . import report_facts
from .item_lifecycle import ItemAttempts
from .redact_reports import clean_report, clean_text, clean_value
from .runs_section import SECTION, TracebackOf, described

if TYPE_CHECKING:
    from ..redaction import Redactor
    from .run_tracker import RequestedRun, RunTracker


class Drifted(Failed):
    """A test passed with a run that is not what was recorded."""

    __module__ = "builtins"  # as pytest's own: so it is told without the path to this file

    def __init__(self, text: str) -> None:
        super().__init__(text, pytrace=False)


class Reports:
    """Works on the reports of tests. Registered once a test uses the plugin."""

    def __init__(self, asking: RunTracker, redactor: Redactor, traceback_of: TracebackOf) -> None:
        self._asking = asking
        self._redactor = redactor
        self._traceback_of = traceback_of
        self._failed = False
        """A phase of the test has failed: what drifted then is no news."""
        self.attempts = ItemAttempts(_own_outcome)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, Any]:
        """A plugin may run the test several times within its protocol."""
        self.attempts.begin()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """A test whose run took longer than ``max_seconds`` fails, if nothing else failed it."""
        __tracebackhide__ = True
        with self.attempts.call():
            return (yield from self._held_to_limits())

    def _held_to_limits(self) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        result = yield
        slow = [asked for asked in self._asking.asked if _too_slow(asked)]
        if failed := [_in_words(asked) for asked in slow if not _within_lag(asked)]:
            pytest.fail("\n".join(failed), pytrace=False)
        self._look_for_drift()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, Any, Any]:
        """What no call has answered for: runs of a teardown, and of a test that was skipped or failed as expected."""
        result = yield
        if not self._failed:
            self._look_for_drift()
        return result

    def _look_for_drift(self) -> None:
        if drift := [lines for asked in self._asking.asked if (lines := _drift_in_words(asked))]:
            raise Drifted("\n\n".join(drift))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The outermost wrapper, so that it sees what every other plugin made of the report."""
        self._name_failed_run(item, call)
        report = yield
        _keep_from_xfail(item, call, report)
        asked = self._asking.asked
        _keep_from_expected_failure(call, report, asked)
        self._failed = report.failed or (self._failed and call.when != "setup")
        error = (self.attempts.repeated() if call.when == "call" else None) or _raised(call)
        if report.failed and error is not None:
            self._classify(report, error)
        self.attempts.report(report)
        report_facts.name_runs(report, report_facts.references(self._asking.used))
        if report.when == "call" or (report.when == "setup" and report.failed):
            _say_what_is_odd(report, asked)
        if report.when == "call" and report.passed:
            for one in filter(_too_slow, asked):
                report_facts.add_note(
                    report,
                    f"not judged: {item.nodeid}: {_in_words(one)}; the engine itself was up to "
                    f"{one.pending.lag:.2f} s late",
                )
        if report.failed and (text := described(asked, self._traceback_of, whole=item.config.get_verbosity() >= 2)):
            report.sections.append((SECTION, text))
        _say_no_more_than_the_error(report, call)
        clean_report(report, self._redactor)
        return report

    def _classify(self, report: pytest.TestReport, error: BaseException) -> None:
        """Says of a failed report what kind of failure it is."""
        if own := _own_outcome(error):
            reason = _reason(error) if own == NOT_RUN else ""
            report_facts.call(report, own, clean_text(reason, self._redactor))
        if named := [one for one in _members(error) if isinstance(one, WisebotError)]:
            report_facts.name_error(report, type(min(named, key=_rank)).__name__)

    def _name_failed_run(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Adds to an error that a failed run may have caused, such as a result of None, that a run had failed."""
        ended = [call.excinfo, *(getattr(item, "_excinfo", None) or ())]  # unittest keeps its own until the report
        errors = [error for info in ended if info is not None for error in _members(info.value)]
        wrong = [error for error in errors if isinstance(error, TypeError | AttributeError | KeyError)]
        if wrong and (note := clean_text(_failed_run(self._asking.used), self._redactor)):
            for error in wrong:
                if note not in getattr(error, "__notes__", ()):
                    error.add_note(note)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A subtest's report gets its description, and what was printed in it, only after it was made."""
        context: Any = getattr(report, "context", None)
        if context is None:
            return
        for name in ("msg", "kwargs"):
            if hasattr(context, name):
                object.__setattr__(context, name, clean_value(getattr(context, name), self._redactor))
        clean_report(report, self._redactor)

    @pytest.hookimpl(tryfirst=True)
    def pytest_assertrepr_compare(
        self, config: pytest.Config, op: str, left: object, right: object
    ) -> list[str] | None:
        """Of two long texts pytest shows where they differ, and leaves out the rest, by which a credential is known."""
        if not isinstance(left, str) or not isinstance(right, str):
            return None
        cleaned = [self._redactor.clean(left), self._redactor.clean(right)]
        if cleaned == [left, right]:
            return None
        said = config.hook.pytest_assertrepr_compare(config=config, op=op, left=cleaned[0], right=cleaned[1])
        return next(filter(None, said), None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Warnings are listed in the summary, and travel from workers."""
        text = str(warning_message.message)
        if (cleaned := clean_text(text, self._redactor)) != text:
            warning_message.message = cleaned


def _say_what_is_odd(report: pytest.TestReport, asked: list[RequestedRun]) -> None:
    """Runs that were made earlier: whose they were, and that nothing can be said of how long they take now."""
    if any(one.max_seconds is not None and _is_kept(one) for one in asked):
        report_facts.leave_unlimited(report)
    for one in asked:
        if (ended := one.pending.ended) and ended.note:
            report_facts.add_note(report, ended.note)


def _too_slow(asked: RequestedRun) -> bool:
    run = asked.pending.outcome
    if asked.max_seconds is None or not isinstance(run, WorkflowRun) or run.is_kept:
        return False
    return run.elapsed > asked.max_seconds


def _is_kept(asked: RequestedRun) -> bool:
    run = asked.pending.outcome
    return isinstance(run, WorkflowRun) and run.is_kept


def _drift_in_words(asked: RequestedRun) -> str:
    """In what a run differs from its recording; empty where it does not."""
    run, ended = asked.pending.outcome, asked.pending.ended
    if not isinstance(run, WorkflowRun) or ended is None or not ended.drift:
        return ""
    about = f"{run.workflow} ({run.api}) drifted from its recording, runId {run.run_id or 'none'}"
    return "\n  ".join([about, *ended.drift])


def _within_lag(asked: RequestedRun) -> bool:
    """Whether a limit was missed by less than the engine itself was late: then nobody can say who was too slow."""
    run = asked.pending.outcome
    assert isinstance(run, WorkflowRun)
    assert asked.max_seconds is not None
    return run.elapsed - asked.max_seconds < asked.pending.lag


def _in_words(asked: RequestedRun) -> str:
    run = asked.pending.outcome
    assert isinstance(run, WorkflowRun)
    took = f"took {run.elapsed:.2f} s, more than max_seconds={asked.max_seconds:g}"
    return f"{run.workflow} ({run.api}) {took}, runId {run.run_id or 'none'}"


def _keep_from_xfail(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """That there is no verdict is no expected failure, unless the mark names the error by ``raises``."""
    error = _raised(call)
    if not (hasattr(report, "wasxfail") and report.skipped) or error is None:
        return
    if _own_outcome(error) and not any("raises" in mark.kwargs for mark in item.iter_markers("xfail")):
        report.outcome = "failed"
        del report.wasxfail


def _keep_from_expected_failure(
    call: pytest.CallInfo[None], report: pytest.TestReport, asked: list[RequestedRun]
) -> None:
    """The same for ``unittest.expectedFailure``, where pytest has an error of its own in the place of the test's."""
    if not isinstance(_raised(call), pytest.xfail.Exception) or not hasattr(report, "wasxfail"):
        return
    errors = [one.pending.outcome for one in asked if isinstance(one.pending.outcome, InfrastructureError | NotRun)]
    if errors:
        report.outcome, report.longrepr = "failed", f"{type(errors[0]).__name__}: {errors[0]}"
        del report.wasxfail
        report_facts.call(report, _own_outcome(errors[0]) or INFRASTRUCTURE)
        report_facts.name_error(report, type(errors[0]).__name__)


def _say_no_more_than_the_error(report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    """Takes pytest's note about hidden entries from an error of ours, none of whose entries is worth showing."""
    if call.excinfo is None or not isinstance(call.excinfo.value, WisebotError):
        return
    for traceback, *_ in getattr(report.longrepr, "chain", ()):
        if not traceback.reprentries[1:] and str(traceback.extraline or "").startswith("All traceback entries are"):
            traceback.extraline = None


_UNSENT = (NotRun, ConfigurationError, RecordingNotFound)
"""What says that a test lacks something, and that nothing was sent for want of it."""


def _own_outcome(error: BaseException) -> str | None:
    """The category of a failure that is no verdict on a workflow; None for one that is.

    One error among several for which nobody can judge is enough, also where a test has caught it and failed by another.
    """
    behind = list(_behind(error))
    if any(isinstance(one, Drifted) for one in behind):
        return DRIFT
    if any(isinstance(one, WisebotError) and not isinstance(one, _UNSENT) for one in behind):
        return INFRASTRUCTURE
    return NOT_RUN if _is_unsent(error) else None


def is_no_verdict(error: BaseException) -> bool:
    """Whether nobody can judge a workflow by a test that ended so."""
    return _own_outcome(error) in (INFRASTRUCTURE, NOT_RUN)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An error, those in whose handling it was raised, and each one of a group."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        for one in _chain(todo.pop(0)):
            if any(one is other for other in seen):
                break
            seen.append(one)
            yield one
            todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


def _is_unsent(error: BaseException, above: tuple[BaseException, ...] = ()) -> bool:
    """Whether an error, or one in whose handling it was raised, says that nothing was sent; each one of a group."""
    for one in _chain(error):
        if any(one is other for other in above):
            return False
        if isinstance(one, _UNSENT):
            return True
        if isinstance(one, BaseExceptionGroup) and all(_is_unsent(each, (*above, one)) for each in one.exceptions):
            return True
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those in whose handling it was raised."""
    seen: list[BaseException] = []
    while error is not None and not any(error is one for one in seen):
        seen.append(error)
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _rank(error: BaseException) -> int:
    """Of several errors the first is named that is shown: what stopped many runs at once is told at the end."""
    if isinstance(error, InfrastructureError):
        return 0
    return 1 if isinstance(error, ConfigurationError | RecordingNotFound) else 2


def _reason(error: BaseException) -> str:
    """Why nothing was sent, in words that tests have in common."""
    first = min((one for one in _behind(error) if isinstance(one, _UNSENT)), key=_rank)
    return first.reason if isinstance(first, NotRun) else str(first)


def _failed_run(asked: list[RequestedRun]) -> str:
    """The first run of a test whose workflow failed, on one line; empty where none did."""
    outcomes_of = (one.pending.outcome for one in asked)
    failed = [run for run in outcomes_of if isinstance(run, WorkflowRun) and not run.ok]
    if not failed:
        return ""
    more = f" (and {len(failed) - 1} more had failed)" if failed[1:] else ""
    return f"workflow {brief(failed[0].workflow)} had failed: {brief(failed[0].error)}{more}"


def _errors(call: pytest.CallInfo[None]) -> list[BaseException]:
    """What a phase ended with; each one of a group, as tests get it that wait for several runs at once."""
    error = _raised(call)
    return _members(error) if error is not None else []


def _raised(call: pytest.CallInfo[None]) -> BaseException | None:
    return call.excinfo.value if call.excinfo is not None else None


def _members(error: BaseException) -> list[BaseException]:
    """An error, or each one of a group."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        error = todo.pop()
        if isinstance(error, BaseExceptionGroup):
            todo += error.exceptions
        else:
            found.append(error)
    return found
