"""What this package adds to a test's report, and what it takes out of it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import InfrastructureError, NotRun, WisebotError
from ..runs import RunRequest, WorkflowRun, brief, readable_json

if TYPE_CHECKING:
    from ..redaction import Redactor
    from .asking import Asked, Asking

SECTION = "wisebot runs"

LONGEST = 3000
"""Characters of an input bag or a response that the section shows; ``-vv`` shows them whole."""


class Reports:
    """Works on the reports of tests. Registered once a test uses the plugin."""

    def __init__(self, asking: Asking, redactor: Redactor) -> None:
        self._asking = asking
        self._redactor = redactor

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """A test whose run took longer than ``max_seconds`` fails, if nothing else failed it."""
        result = yield
        slow = [line for asked in self._asking.asked if (line := _too_slow(asked)) is not None]
        if slow:
            pytest.fail("\n".join(slow), pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The outermost wrapper, so that it sees what every other plugin made of the report."""
        report = yield
        _keep_from_xfail(item, call, report)
        asked = self._asking.asked
        if report.failed and asked:
            whole = item.config.get_verbosity() >= 2
            report.sections.append((SECTION, "\n\n".join(_described(one, whole) for one in asked)))
        clean_report(report, self._redactor)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A subtest's report gets its description only after it was made."""
        context: Any = getattr(report, "context", None)
        for name in ("msg", "kwargs"):
            if hasattr(context, name):
                cleaned = _cleaned(getattr(context, name), self._redactor, set())
                object.__setattr__(context, name, cleaned)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Warnings are listed in the summary, and travel from workers."""
        text = str(warning_message.message)
        if (cleaned := _text(text, self._redactor)) != text:
            warning_message.message = cleaned


def _too_slow(asked: Asked) -> str | None:
    run = asked.pending.outcome
    if asked.max_seconds is None or not isinstance(run, WorkflowRun) or run.elapsed <= asked.max_seconds:
        return None
    return f"{run!r} took {run.elapsed:.2f} s, more than max_seconds={asked.max_seconds:g}"


def _keep_from_xfail(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """That Wisebot was not reachable is no expected failure, unless the mark names the error by ``raises``."""
    expected = hasattr(report, "wasxfail") and report.skipped
    if not expected or call.excinfo is None or not isinstance(call.excinfo.value, InfrastructureError | NotRun):
        return
    if not any("raises" in mark.kwargs for mark in item.iter_markers("xfail")):
        report.outcome = "failed"
        del report.wasxfail


# --- the section of a failing test


def _described(asked: Asked, whole: bool) -> str:
    limit = None if whole else LONGEST
    outcome = asked.pending.outcome
    if isinstance(outcome, WorkflowRun):
        return "\n".join(_run_lines(outcome, limit))
    return "\n".join(_no_run_lines(asked.pending.request, outcome, limit))


def _no_run_lines(request: RunRequest, error: WisebotError | None, limit: int | None) -> Iterator[str]:
    """A run that has not ended, or that ended without a verdict; what the error itself says stands above."""
    attempted = error.attempted if isinstance(error, InfrastructureError) else None
    where = f", environment {attempted.environment}" if attempted and attempted.environment else ""
    what = f"no verdict, {type(error).__name__}" if error is not None else "not ended yet"
    yield f"{request.workflow} over the {request.api} API{where}: {what}"
    if attempted is not None:
        yield f"  host:     {attempted.host} (attempts: {attempted.attempts})"
    if isinstance(error, InfrastructureError) and error.answer is not None:
        yield f"  response: {error.answer}"
    yield f"  inputs:   {_json(request.inputs, limit)}"
    yield from (f"  repeat:   {_shown(command, limit)}" for command in (attempted.commands if attempted else ()))


def _run_lines(run: WorkflowRun, limit: int | None) -> Iterator[str]:
    where = f", environment {run.environment}" if run.environment else ""
    attempts = f", {run.attempts} attempts" if run.attempts > 1 else ""
    yield f"{run.workflow} over the {run.api} API{where}: {'ok' if run.ok else 'failed'} ({run.source})"
    yield f"  runId:    {run.run_id or 'none'} ({run.elapsed:.2f} s{attempts}, status {run.status_code})"
    yield f"  inputs:   {_json(run.inputs, limit)}"
    if run.has_result and (run.ok or run.result is not None):
        yield f"  result:   {_json(run.result, limit)}"
    if run.error is not None:
        yield f"  error:    {_json(run.error, limit)}"
    if run.extra:
        yield f"  extra:    {_json(run.extra, limit)}"
    yield from (f"  repeat:   {_shown(command, limit)}" for command in run.commands)


def _shown(command: str, limit: int | None) -> str:
    """A command is whole or not there: one that was cut would do something else."""
    if limit is None or len(command) <= 10_000:
        return command
    return f"{len(command)} characters, shown by -vv (and in run.commands)"


def _json(value: Any, limit: int | None) -> str:
    if limit is None:
        return readable_json(value, indent=2).replace("\n", "\n            ")
    return brief(value, limit)


# --- credentials


def clean_report(report: pytest.TestReport, redactor: Redactor) -> None:
    """Takes every known credential out of a report, before it is printed, written or sent to another process."""
    seen: set[int] = set()
    report.longrepr = _cleaned(report.longrepr, redactor, seen)
    report.sections = [(_text(title, redactor), _text(text, redactor)) for title, text in report.sections]
    if hasattr(report, "wasxfail"):
        report.wasxfail = _cleaned(report.wasxfail, redactor, seen)
    report.user_properties = [(name, _cleaned(value, redactor, seen)) for name, value in report.user_properties]


def _cleaned(value: Any, redactor: Redactor, seen: set[int]) -> Any:
    """A report's part without credentials: pytest's own objects are changed in place, plain values are copied."""
    if isinstance(value, str):
        return _text(value, redactor)
    if isinstance(value, tuple):
        return tuple(_cleaned(item, redactor, seen) for item in value)
    if isinstance(value, list):
        return [_cleaned(item, redactor, seen) for item in value]
    if isinstance(value, dict):
        return {key: _cleaned(item, redactor, seen) for key, item in value.items()}
    if id(value) not in seen and type(value).__module__.startswith("_pytest."):
        seen.add(id(value))
        for name, item in list(getattr(value, "__dict__", {}).items()):
            object.__setattr__(value, name, _cleaned(item, redactor, seen))
    return value


def _text(text: str, redactor: Redactor) -> str:
    """Clean, and without lone surrogates: xdist's channel cannot carry one, and a worker that sends one is lost."""
    cleaned = redactor.clean_cut(text)
    return cleaned if cleaned.isascii() else cleaned.encode("utf-8", "backslashreplace").decode()


def clean_logs(config: pytest.Config, redactor: Redactor) -> None:
    """Live logs and log files are no part of a report: what they write is cleaned as it is written."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    for name in ("log_cli_handler", "log_file_handler"):
        handler = getattr(plugin, name, None)
        if isinstance(handler, logging.Handler):
            handler.setFormatter(_CleanFormatter(handler.formatter, redactor))


class _CleanFormatter(logging.Formatter):
    def __init__(self, wrapped: logging.Formatter | None, redactor: Redactor) -> None:
        super().__init__()
        self._wrapped = wrapped or logging.Formatter()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.clean(self._wrapped.format(record))
