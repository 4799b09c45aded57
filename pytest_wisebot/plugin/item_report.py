"""What the runs of a test add to its reports: missed limits, drift, categories of failures, and the section of runs."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ..errors import InfrastructureError, NotRun, WisebotError
from ..outcomes import INFRASTRUCTURE, NOT_RUN
from ..redaction import Redactor
from ..runs import WorkflowRun
from ..text import brief, run_id_text
from .failure_category import Drifted, category_of, error_class_of, members, reason_of
from .redact_pytest import clean_text
from .report_facts import add_facts, add_note
from .run_tracker import RequestedRun


def check_limits(requested: Iterable[RequestedRun]) -> None:
    """Fails a test whose run took longer than ``max_seconds``."""
    __tracebackhide__ = True
    slow = [one for one in requested if is_too_slow(one)]
    if failed := [_limit_in_words(one) for one in slow if not is_within_lag(one)]:
        pytest.fail("\n".join(failed), pytrace=False)


def check_drift(requested: Iterable[RequestedRun]) -> None:
    """Fails a test with a run that differs from its recording."""
    __tracebackhide__ = True
    if drift := [lines for one in requested if (lines := _drift_in_words(one))]:
        raise Drifted("\n\n".join(drift))


def is_too_slow(requested: RequestedRun) -> bool:
    """Whether a run took longer than its limit; one that was made earlier has none."""
    run = requested.pending.outcome
    if requested.max_seconds is None or not isinstance(run, WorkflowRun) or run.is_kept:
        return False
    return run.elapsed > requested.max_seconds


def is_within_lag(requested: RequestedRun) -> bool:
    """Whether a limit was missed by less than the engine itself was late: the run may not be the cause."""
    run = requested.pending.outcome
    assert isinstance(run, WorkflowRun)
    assert requested.max_seconds is not None
    return run.elapsed - requested.max_seconds < requested.pending.lag


def _limit_in_words(requested: RequestedRun) -> str:
    run = requested.pending.outcome
    assert isinstance(run, WorkflowRun)
    took = f"took {run.elapsed:.2f} s, more than max_seconds={requested.max_seconds:g}"
    return f"{run.workflow} ({run.api}) {took}, runId {run_id_text(run.run_id)}"


def _drift_in_words(requested: RequestedRun) -> str:
    """The difference from the recording; empty if equal."""
    run, ended = requested.pending.outcome, requested.pending.ended
    if not isinstance(run, WorkflowRun) or ended is None or not ended.drift:
        return ""
    about = f"{run.workflow} ({run.api}) drifted from its recording, runId {run_id_text(run.run_id)}"
    return "\n  ".join([about, *ended.drift])


def add_notes(item: pytest.Item, report: pytest.TestReport, requested: list[RequestedRun]) -> None:
    """Adds to the end of the session what is odd about the runs: made earlier, or late with the engine."""
    if report.when == "call" or (report.when == "setup" and report.failed):
        outcomes = [one.pending.outcome for one in requested if one.max_seconds is not None]
        if any(isinstance(run, WorkflowRun) and run.is_kept for run in outcomes):
            add_facts(report, unlimited=True)
        for one in requested:
            if (ended := one.pending.ended) and ended.note:
                add_note(report, ended.note)
    for one in filter(is_too_slow, requested) if report.when == "call" and report.passed else ():
        late = f"the engine itself was up to {one.pending.lag:.2f} s late"
        add_note(report, f"not judged: {item.nodeid}: {_limit_in_words(one)}; {late}")


def classify(report: pytest.TestReport, error: BaseException, redactor: Redactor) -> None:
    """Adds the kind of failure to a failed report."""
    if category := category_of(error):
        reason = clean_text(reason_of(error), redactor) if category == NOT_RUN else ""
        add_facts(report, category=category, reason=reason)
    if name := error_class_of(error):
        add_facts(report, error=name)


def name_failed_run(
    item: pytest.Item, call: pytest.CallInfo[None], used: list[RequestedRun], redactor: Redactor
) -> None:
    """Names a failed run in an error that it may have caused, such as one about a result of None."""
    ended = [call.excinfo, *(getattr(item, "_excinfo", None) or ())]  # unittest keeps its own until the report
    errors = [error for info in ended if info is not None for error in members(info.value)]
    wrong = [error for error in errors if isinstance(error, TypeError | AttributeError | KeyError)]
    if wrong and (note := clean_text(_failed_run(used), redactor)):
        for error in wrong:
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)


def _failed_run(used: list[RequestedRun]) -> str:
    """The first run of a test whose workflow failed, on one line; empty where none did."""
    outcomes = (one.pending.outcome for one in used)
    failed = [run for run in outcomes if isinstance(run, WorkflowRun) and not run.ok]
    if not failed:
        return ""
    more = f" (and {len(failed) - 1} more had failed)" if failed[1:] else ""
    return f"workflow {brief(failed[0].workflow)} had failed: {brief(failed[0].error)}{more}"


def keep_from_xfail(item: pytest.Item, report: pytest.TestReport, error: BaseException | None) -> None:
    """A missing verdict is not an expected failure, unless the mark names the error by ``raises``."""
    if not (hasattr(report, "wasxfail") and report.skipped) or error is None:
        return
    if category_of(error) and not any("raises" in mark.kwargs for mark in item.iter_markers("xfail")):
        report.outcome = "failed"
        del report.wasxfail


def keep_from_expected_failure(
    report: pytest.TestReport, error: BaseException | None, requested: list[RequestedRun]
) -> None:
    """The same for ``unittest.expectedFailure``, where pytest has an error of its own in the place of the test's."""
    if not isinstance(error, pytest.xfail.Exception) or not hasattr(report, "wasxfail"):
        return
    outcomes = (one.pending.outcome for one in requested)
    if first := next((one for one in outcomes if isinstance(one, InfrastructureError | NotRun)), None):
        name = type(first).__name__
        report.outcome, report.longrepr = "failed", f"{name}: {first}"
        del report.wasxfail
        add_facts(report, category=category_of(first) or INFRASTRUCTURE, reason="", error=name)


def hide_entries_note(report: pytest.TestReport, error: BaseException | None) -> None:
    """Removes pytest's note about hidden entries from an error of ours, none of whose entries is worth showing."""
    if not isinstance(error, WisebotError | Drifted):
        return
    for traceback, *_ in getattr(report.longrepr, "chain", ()):
        if not traceback.reprentries[1:] and str(traceback.extraline or "").startswith("All traceback entries are"):
            traceback.extraline = None
