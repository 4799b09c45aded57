"""The gate and the reports of a session. Registered where an option asks for one, in the process that owns the engine.

Both are made of the session's event log alone, so that what is told at the end is what can be told later: the log goes
into the folder of ``--wisebot-report`` as things end, and into a temporary one where only a verdict is asked for.

The verdict is given once, when every other plugin has done its work (see `session_end`).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ..errors import ConfigurationError
from ..event_log import FORMAT, EventLog, cleaned_line, event_line, moment, read_events
from ..report.gate import Baseline, Conclusion, build
from ..report.output import JSON, LOG, SUMMARY, clear, read_baseline, write_reports
from ..report.terminal import COLOURS, beside, block
from ..report.verdict import NOT_RUN_CODE
from . import session_metadata
from .item_lifecycle import ledger_of
from .leak_scan import last_look_of
from .redact_pytest import redactor_of
from .redact_reports import clean_text
from .session_end import ExitStatus, watch_exit_status

if TYPE_CHECKING:
    from .runtime import LocalRuntime

_NAME = "wisebot-reporting"

LONGEST_REASON = 200
"""Characters of the message of what ended a session."""


def report_session(config: pytest.Config) -> None:
    """Sees to the gate and the reports.

    Raises:
        pytest.UsageError: the folder of reports cannot be written, or the baseline cannot be read.
    """
    config.pluginmanager.register(Reporting(config), _NAME)
    ledger_of(config)


def reporting_of(config: pytest.Config) -> Reporting | None:
    """The gate and the reports of this session, where an option asks for them."""
    reporting: Reporting | None = config.pluginmanager.get_plugin(_NAME)
    return reporting


class Reporting:
    """Keeps the log, judges the session at its end, and writes the reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._gated = bool(config.option.wisebot_gate)
        self._began_at = time.time()
        self._baseline = _baseline(config)
        self.folder = _folder(config)
        self._log = EventLog(self.folder / LOG, 0o666)
        self._lock = threading.Lock()
        self._knows_tests = False
        self._owner: LocalRuntime | None = None
        self._credentials = 0
        self._session: pytest.Session | None = None
        self.exit_status = ExitStatus()

    # --- the log

    def follow(self, owner: LocalRuntime) -> None:
        """Writes down what this owner's runs and tests end as."""
        self._owner = owner
        owner.tell(self.take, self.begin)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """A process that ends without a word, by ``os._exit(0)`` say, leaves a log that has begun, and no verdict."""
        self._session = session
        self._log.write(self._first_line(session_metadata.beginning(self._config, self._began_at)))
        if self._gated and self._config.option.wisebot_report is not None:
            self._try(lambda: write_reports(self.folder, build(read_events(self._log.path)), JSON))

    def begin(self, known: Mapping[str, Any]) -> None:
        """Completes the first line, once it is known which tests there are."""
        with self._lock:
            if not self._knows_tests:
                self._knows_tests = True
                self._credentials = redactor_of(self._config).count
                self._log.replace_first(self._first_line(known))

    def _first_line(self, known: Mapping[str, Any]) -> bytes:
        event = {"event": "session", "format": FORMAT, "session": "", **known}
        return cleaned_line(event, redactor_of(self._config))

    def take(self, line: bytes) -> None:
        """Adds a line, which is clean."""
        with self._lock:
            self._log.write(line)

    # --- the end

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self) -> None:
        """By now the plugins of all folders are there."""
        watch_exit_status(self._config, self.exit_status)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """On xdist's controller, which collects nothing, the plugins of all folders always are."""
        watch_exit_status(self._config, self.exit_status)
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """By now other plugins have written what they write; the scan for credentials comes after this."""
        last_look_of(self._config).wrote(self.folder)
        if self._owner is not None and (history := self._owner.begun_history) is not None:
            history.settle()
        self._clean_again()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Ctrl-C, or ``pytest.exit()`` with an exit code that may be 0."""
        self.exit_status.interrupted_by(excinfo.value)

    def finish(self, code: int) -> int:
        """The verdict, every report of it, and the exit code of the process.

        Args:
            code: the exit code without a gate.
        """
        if self._session is None:
            return self._never_began(code)
        try:
            return self._finish(self._session, code)
        except OSError as error:
            self._say(f"wisebot: {error.filename or self.folder} cannot be written: {error.strerror}")
        except ConfigurationError as error:  # a test has removed the folder, or written into the log
            self._say(f"wisebot: {error}")
        finally:
            self._close()
        return NOT_RUN_CODE if self._gated and code % 256 in (0, 1) else code

    def _never_began(self, code: int) -> int:
        """The exit code where there was no session: a plugin has ended pytest before it, and may have said 0."""
        if self._gated and code % 256 == 0:
            self._log.write(self._first_line(session_metadata.beginning(self._config, self._began_at)))
            self._try(lambda: self._write(build(read_events(self._log.path))))
            self._say("wisebot: NO VERDICT: pytest was ended before its session began")
            code = NOT_RUN_CODE
        self._close()
        return code

    def _finish(self, session: pytest.Session, code: int) -> int:
        self._clean_again()
        end = self._end(session, code)
        last = self._written(end)
        if last_look_of(self._config).look_again(self.folder):
            self.exit_status.failed_by("a credential in a report")
            end = self._end(session, code)
            last = self._written(end)
        if self._gated:
            code = last.verdict.code
        said = {"exitstatus": code, "verdict": str(last.verdict.word), "baseline": last.compared}
        self._log.write(event_line({"event": "end", "ended": moment(time.time()), **end, **said}))
        self._append_summary()
        self._tell(last)
        return code

    def _end(self, session: pytest.Session, code: int) -> dict[str, Any]:
        """How the session ended, clean: the message of what ended it may hold a credential."""
        elsewhere = ledger_of(self._config).failures_elsewhere
        end = session_metadata.finished(session, self.exit_status.ended_as(session, code), elsewhere)
        return {name: self._clean(value) for name, value in end.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._clean(one) for one in value]
        if not isinstance(value, str):
            return value
        redactor = redactor_of(self._config)
        line = " ".join(clean_text(value, redactor).split())
        return clean_text(line, redactor)[:LONGEST_REASON]  # once more: a credential with blanks may be whole again

    def _written(self, end: Mapping[str, Any]) -> Conclusion:
        """What the log comes to with this end, and the reports of it."""
        event = {"event": "end", "ended": moment(time.time()), **end}
        last = build([*read_events(self._log.path), event], self._baseline)
        self._try(lambda: self._write(last))
        return last

    def _clean_again(self) -> None:
        """Takes out of the log what is known only by now to be a credential."""
        redactor = redactor_of(self._config)
        if redactor.count != self._credentials:
            self._credentials = redactor.count
            with self._lock:
                self._log.clean_again(redactor)

    def _close(self) -> None:
        self._log.close()
        if self._config.option.wisebot_report is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- what is told and written

    def _tell(self, last: Conclusion) -> None:
        reporter = self._reporter
        if reporter is None:
            return
        if self._gated:
            word = last.verdict.word
            reporter.write_sep("=", str(word), bold=True, **{COLOURS[word]: True})
            for line in block(last):
                reporter.write_line(line)
        elif last.comparison is not None:
            for line in beside(last.comparison):
                reporter.write_line(f"wisebot: {line}")
        if self._config.option.wisebot_report is not None and (self._gated or reporter.verbosity >= 0):
            reporter.write_line(f"wisebot: reports in {self._config.option.wisebot_report}")

    def _write(self, last: Conclusion) -> None:
        if self._config.option.wisebot_report is not None:
            write_reports(self.folder, last)
        elif self._config.option.wisebot_summary is not None:
            write_reports(self.folder, last, SUMMARY)

    def _append_summary(self) -> None:
        given = self._config.option.wisebot_summary
        if given is None:
            return
        try:
            text = (self.folder / SUMMARY).read_text("utf-8")
            with (self._config.invocation_params.dir / given).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self._say(f"wisebot: --wisebot-summary {given}: cannot be written: {error.strerror}")

    def _try(self, write: Callable[[], None]) -> None:
        """A report that cannot be written is told of, and changes no verdict: the log is what counts."""
        try:
            write()
        except OSError as error:
            self._say(f"wisebot: {error.filename or self.folder} cannot be written: {error.strerror}")

    @property
    def _reporter(self) -> Any:
        return self._config.pluginmanager.get_plugin("terminalreporter")

    def _say(self, line: str) -> None:
        if (reporter := self._reporter) is not None:
            reporter.write_line(line, red=True)
        else:  # switched off, or not there yet
            print(line, file=sys.stderr)


def _baseline(config: pytest.Config) -> Baseline | Literal["none"] | None:
    given = config.option.wisebot_baseline
    if given is None:
        return None
    try:
        return read_baseline(config.invocation_params.dir / given, given)
    except ConfigurationError as error:
        raise pytest.UsageError(f"--wisebot-baseline: {error}") from None


def _folder(config: pytest.Config) -> Path:
    given = config.option.wisebot_report
    if given is None:
        return Path(tempfile.mkdtemp(prefix="pytest-wisebot-"))
    folder: Path = config.invocation_params.dir / given
    try:
        clear(folder)
    except OSError as error:
        raise pytest.UsageError(f"--wisebot-report {given}: cannot be written: {error.strerror}") from None
    return folder
