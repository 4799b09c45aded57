"""The gate and the reports of a session. Registered where an option asks for one, in the process that owns the engine.

Both are made of the session's event log alone, so that what is told at the end is what can be told later: the log goes
into the folder of ``--wisebot-report`` as things end, and into a temporary one where only a verdict is asked for.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ..engine.events import EventLog, cleaned_line
from ..errors import ConfigurationError
from ..journal import FORMAT, event_line, moment, read_events
from ..report.conclusion import Baseline, Conclusion, concluded
from ..report.folder import LOG, SUMMARY, clear, read_baseline, write_reports, write_summary
from ..report.terminal import COLOURS, beside, block
from . import facts, outcomes
from .lastlook import last_look_of
from .outlets import redactor_of

if TYPE_CHECKING:
    from .owner import Owner

_KEY = pytest.StashKey["Reporting"]()
_LAST = "wisebot-reporting-last"


def report_session(config: pytest.Config) -> None:
    """Sees to the gate and the reports.

    Raises:
        pytest.UsageError: the folder of reports cannot be written, or the baseline cannot be read.
    """
    reporting = config.stash[_KEY] = Reporting(config)
    config.pluginmanager.register(reporting, "wisebot-reporting")


def reporting_of(config: pytest.Config) -> Reporting | None:
    """Who sees to the gate and the reports, if anybody does."""
    return config.stash.get(_KEY, None)


class Reporting:
    """Keeps the log, judges the session at its end, and writes the reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began_at = time.time()
        self._baseline = _baseline(config)
        self.folder = _folder(config)
        self._log = EventLog(self.folder / LOG, 0o666)
        self._lock = threading.Lock()
        self._began = False
        self._owner: Owner | None = None
        self._credentials = 0
        self._failures = Failures()
        self._known: tuple[Mapping[str, Any], Conclusion] | None = None
        self._told = ""

    # --- the log

    def follow(self, owner: Owner) -> None:
        """Writes down what this owner's runs and tests end as."""
        self._owner = owner
        owner.tell(self.take, self.begin)

    def begin(self, known: Mapping[str, Any]) -> None:
        """Writes the first line, once it is known which tests there are."""
        with self._lock:
            if not self._began:
                self._began = True
                self._credentials = redactor_of(self._config).count
                event = {"event": "session", "format": FORMAT, "session": "", **known}
                self._log.write(cleaned_line(event, redactor_of(self._config)))

    def take(self, line: bytes) -> None:
        """Adds a line, which is clean."""
        self.begin(facts.beginning(self._config, self._began_at))
        with self._lock:
            self._log.write(line)

    # --- the loop

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self) -> None:
        """By now the plugins of all folders are there. On xdist's controller, which collects nothing, they always are.

        The exit code is to be set after every other plugin has set its own: whoever is registered last is asked last.
        """
        if not self._config.pluginmanager.has_plugin(_LAST):
            self._config.pluginmanager.register(_Last(self), _LAST)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """In a gated session the failures of tests that used runs are the gate's to judge, and no exit code as yet."""
        self.pytest_collection_finish()
        try:
            return (yield)
        except session.Failed:
            self._failures.stopped_the_session = True
            raise
        finally:
            if self._config.option.wisebot_gate:
                session.testsfailed = max(0, session.testsfailed - self._failures.of_runs)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts what fails, as pytest does."""
        self._failures.take(report)

    # --- the end

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """By now other plugins have written what they write; who looks for credentials comes after this."""
        last_look_of(self._config).wrote(self.folder)
        self.conclude(session)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None, object, object]:
        """The verdict comes last of all that is told."""
        result = yield
        self._tell(terminalreporter, self.conclude(terminalreporter._session))  # noqa: SLF001 - nothing public has it
        return result

    def pytest_unconfigure(self) -> None:
        """Where pytest gives no summary, as after an internal error, it is told here."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self._known is not None and not self._told:
            self._tell(reporter, self._known[1])
        self._log.close()
        if self._config.option.wisebot_report is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def conclude(self, session: pytest.Session) -> Conclusion:
        """The verdict on what is known by now, and the reports of it; anew only where something has changed."""
        end = self._end(session)
        if self._known is None or self._known[0] != end:
            self.begin(facts.beginning(self._config, self._began_at))
            self._settle()
            event = {"event": "end", "ended": moment(time.time()), **end}
            self._known = end, concluded([*read_events(self._log.path), event], self._baseline)
            self._write(self._known[1])
        return self._known[1]

    def _settle(self) -> None:
        """What has ended is in the log, and what is known by now to be a credential is not."""
        if self._owner is not None and (history := self._owner.begun_history) is not None:
            history.settle()
        redactor = redactor_of(self._config)
        if redactor.count != self._credentials:
            self._credentials = redactor.count
            with self._lock:
                self._log.clean_again(redactor)

    def finish(self, session: pytest.Session) -> None:
        """Nobody comes after this: the last line of the log, and the exit code of a gated session."""
        last, end = self.conclude(session), self._end(session)
        code = last.verdict.code if self._config.option.wisebot_gate else int(session.exitstatus)
        said = {"exitstatus": code, "verdict": str(last.verdict.word), "baseline": last.compared}
        self._log.write(event_line({"event": "end", "ended": moment(time.time()), **end, **said}))
        self._append_summary()
        if self._config.option.wisebot_gate:
            session.exitstatus = code
            if self._told not in ("", last.headline):
                self._say(last.headline)

    def _end(self, session: pytest.Session) -> Mapping[str, Any]:
        code = int(session.exitstatus)
        if self._config.option.wisebot_gate:  # what tests with runs failed by is taken out: the rest is others'
            other = code == 1 and not (self._failures.stopped_the_session and not session.testsfailed)
        else:
            other = code == 1 and (self._failures.of_others > 0 or not self._failures.of_runs)
        return facts.finished(code, other_failures=other, config=self._config)

    # --- what is told and written

    def _tell(self, reporter: Any, last: Conclusion) -> None:
        self._told = last.headline
        if self._config.option.wisebot_gate:
            word = last.verdict.word
            reporter.write_sep("=", str(word), bold=True, **{COLOURS[word]: True})
            for line in block(last):
                reporter.write_line(line)
        elif last.comparison is not None:
            for line in beside(last.comparison):
                reporter.write_line(f"wisebot: {line}")
        if self._config.option.wisebot_report is not None and (
            self._config.option.wisebot_gate or reporter.verbosity >= 0
        ):
            reporter.write_line(f"wisebot: reports in {self._config.option.wisebot_report}")

    def _write(self, last: Conclusion) -> None:
        try:
            if self._config.option.wisebot_report is not None:
                write_reports(self.folder, last)
            elif self._config.option.wisebot_summary is not None:
                write_summary(self.folder, last)
        except OSError as error:
            self._say(f"wisebot: {error.filename or self.folder} cannot be written: {error.strerror}")

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

    def _say(self, line: str) -> None:
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(line, red=True)


class _Last:
    """Registered when all others are: the outermost of all wrappers."""

    def __init__(self, reporting: Reporting) -> None:
        self._reporting = reporting

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """After every other plugin: syrupy's code, for one, is or-ed to pytest's."""
        result = yield
        self._reporting.finish(session)
        return result


class Failures:
    """Counts failed reports as pytest itself does, those of tests that used runs apart.

    Attributes:
        stopped_the_session: they were so many that ``-x`` or ``--maxfail`` ended it.
    """

    def __init__(self) -> None:
        self.stopped_the_session = False
        self._failed: Counter[str] = Counter()
        self._using: set[str] = set()

    def take(self, report: pytest.TestReport) -> None:
        """Counts a report."""
        if outcomes.runs_of(report) or outcomes.error_of(report):
            self._using.add(report.nodeid)
        if report.failed and not hasattr(report, "wasxfail"):
            self._failed[report.nodeid] += 1

    @property
    def of_runs(self) -> int:
        """Those of tests that used runs."""
        return sum(many for nodeid, many in self._failed.items() if nodeid in self._using)

    @property
    def of_others(self) -> int:
        """All others."""
        return self._failed.total() - self.of_runs


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
