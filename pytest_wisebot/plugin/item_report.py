"""What the runs of a test add to its reports: missed limits, drift, categories of failures, and the section of runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from ..errors import DIFFERENCE, InfrastructureError, NotRun, WisebotError
from ..outcomes import INFRASTRUCTURE
from ..redaction import Redactor
from ..runs import WorkflowRun
from ..text import brief, run_id_text, without_colours
from .failure_category import Drifted, category_of, error_class_of, is_error_of_test, members, reason_of
from .redact_pytest import clean_text
from .report_facts import add_facts, add_note
from .run_tracker import RequestedRun

_SNAPSHOT = re.compile(r"assert \[[+-] .*\] == \[[+-] ")
"""How syrupy words a comparison that has failed."""


_LOOPS = frozenset({"anyio", "asyncio", "pytest_asyncio", "pytest_trio", "trio"})
"""The packages that run tests and fixtures that are coroutines."""


def check_limits(requested: Iterable[RequestedRun]) -> None:
    """Fails a test whose run took longer than ``max_seconds``."""
    __tracebackhide__ = True
    slow = [one for one in requested if is_too_slow(one)]
    if failed := [_limit_in_words(one) for one in slow if not is_within_lag(one)]:
        pytest.fail("\n".join(failed), pytrace=False)


def check_drift(requested: Iterable[RequestedRun]) -> None:
    """Fails a test with a run that differs from its recording."""
    __tracebackhide__ = True
    if drift := [found for one in requested if (found := _drift_in_words(one))]:
        raise Drifted(*("\n\n".join(texts) for texts in zip(*drift, strict=True)))


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


def _drift_in_words(requested: RequestedRun) -> tuple[str, str] | None:
    """The difference from the recording, and what of it other runs may have in common; None if equal."""
    run, ended = requested.pending.outcome, requested.pending.ended
    if not isinstance(run, WorkflowRun) or ended is None or not ended.drift:
        return None
    workflow = f"{run.workflow} ({run.api})"
    about = f"{workflow} drifted from its recording, runId {run_id_text(run.run_id)}"
    return "\n  ".join([about, *ended.drift]), "\n  ".join([workflow, *ended.drift[1:]])


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


def classify(report: pytest.TestReport, error: BaseException, redactor: Redactor, used: list[RequestedRun]) -> None:
    """Adds the kind of failure to a failed report.

    Beside a failed run any exception may come of it, such as a `TypeError` about a result of None.
    """
    if is_error_of_test(error) and not _failed_run(used):
        add_facts(report, broke=True)
    if category := category_of(error):
        add_facts(report, category=category, reason=clean_text(reason_of(error), redactor))
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


def hide_frames_between(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Takes out of the traceback of an error of ours what stands between the user's lines: wrappers, and event loops.

    pytest leaves out its own frames, and not those of plugins that wrap its hooks. ``--full-trace`` has all of them.
    """
    info = call.excinfo
    if info is None or item.config.getoption("fulltrace", False):
        return
    if isinstance(info.value, WisebotError) or hasattr(info.value, DIFFERENCE):
        before = {id(entry): following for entry, following in pairwise(info.traceback)}
        info.traceback = info.traceback.filter(lambda entry: not _is_between(entry, before.get(id(entry))))


def _is_between(entry: Any, following: Any) -> bool:
    """Whether a frame runs coroutines, or is that of a hook's wrapper, which hands on what has failed within it."""
    if _package(entry) in _LOOPS:
        return True
    is_wrapper = entry.name.startswith("pytest_") and entry.frame.code.raw.co_flags & inspect.CO_GENERATOR
    return bool(is_wrapper) and following is not None and _package(following) == "pluggy"


def _package(entry: Any) -> str:
    return str(entry.frame.f_globals.get("__name__", "")).partition(".")[0]


def hide_entries_note(report: pytest.TestReport, error: BaseException | None) -> None:
    """Removes pytest's note about hidden entries from an error of ours, none of whose entries is worth showing."""
    if not isinstance(error, WisebotError | Drifted):
        return
    for traceback, *_ in getattr(report.longrepr, "chain", ()):
        if not traceback.reprentries[1:] and str(traceback.extraline or "").startswith("All traceback entries are"):
            traceback.extraline = None


def put_difference_first(report: pytest.TestReport, error: BaseException | None) -> None:
    """Begins the message of a failure with what differs: the short summary, and other tools, show its first line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if not report.failed or crash is None:
        return
    lines = without_colours(crash.message).splitlines()
    if any(map(_SNAPSHOT.match, lines)):
        add_facts(report, snapshot=True)
    if first := getattr(error, DIFFERENCE, "") or _first_difference(lines, error):
        crash.message = "\n".join([first, *(line for line in lines if line.strip() != first)])


def _first_difference(lines: list[str], error: BaseException | None) -> str:
    """The first difference of a snapshot, or of a run from its recording, on one line; empty for another message."""
    if not isinstance(error, Drifted) and not _SNAPSHOT.match("".join(lines[:1])):
        return ""
    path, *values = [*(line.strip() for line in lines[1:5] if not line.startswith("  recording: ")), ""][:3]
    if len(values) == 2 and values[0].startswith("- ") and values[1].startswith("+ "):
        return f"{path}: expected {values[0][2:]}, got {values[1][2:]}"
    return path
