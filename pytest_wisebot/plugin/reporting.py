"""The gate and the reports of a session. Made where an option names one, in the process that owns the engine.

Both are made of the session's event log alone, so that the end of a session and a later command give the same: the log
goes into the folder of ``--wisebot-report`` as things end, and into a temporary one where only a verdict is wanted.

The verdict is given once, when every other plugin has done its work (see `session_end`).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from ..errors import ConfigurationError
from ..event_log import FORMAT, EventLog, cleaned_line, event_line, moment
from ..files import check_writable
from ..originals import os, threading, time
from ..report.baseline import NONE_YET
from ..report.gate import Baseline, Conclusion, build
from ..report.history import History, check_history, entry_of, read_history, write_entry
from ..report.log_reader import read_log
from ..report.output import (
    COLOURS,
    JSON,
    LOG,
    SUMMARY,
    append_summary,
    beside,
    block,
    clear,
    read_baseline,
    write_reports,
)
from ..report.verdict import NOT_RUN_CODE
from ..text import count
from . import session_metadata
from .collection import Collection
from .item_events import ItemLedger
from .leak_scan import LeakScan
from .redact_pytest import clean_text
from .session_state import state_of

LONGEST_REASON = 400
"""Characters of the message of what ended a session."""


class Reporting:
    """Keeps the log, judges the session at its end, and writes the reports.

    Raises:
        pytest.UsageError: the folder of reports, or the history, cannot be written, or the baseline cannot be read.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._state = state_of(config)
        self._redactor = self._state.redactor
        self._gated = bool(config.option.wisebot_gate)
        self._began_at = self._state.began
        self._baseline = _baseline(config)
        self._history = _checked_history(config)
        self.folder, self._log = _begun(config)
        self._lock = threading.Lock()
        self._lost_events = 0
        """How many changes of the log failed. One that is not whole gives no verdict."""
        self._problem = ""
        self._told: set[str] = set()
        self._has_tests = self._has_history = False
        self._credentials = 0
        self._session: pytest.Session | None = None
        self._state.on_event, self._state.on_collected = self._take, self._complete

    # --- the log

    def begin(self, session: pytest.Session) -> None:
        """Begins the log: that of a process which ends without more, by ``os._exit(0)`` say, has no verdict."""
        self._session = session
        line = self._first_line(session_metadata.beginning(self._config, self._began_at))
        self._change_log(lambda: self._log.write(line))
        if self._gated and self._config.option.wisebot_report is not None:
            self._try(lambda: write_reports(self.folder, build(read_log(self._log.path)), JSON))

    def _complete(self, metadata: Mapping[str, Any]) -> None:
        """Completes the first line, once the tests are known."""
        if not self._has_tests:
            self._has_tests = True
            self._credentials = self._redactor.count
            self._change_log(lambda: self._log.replace_first(self._first_line(metadata)))

    def _first_line(self, metadata: Mapping[str, Any]) -> bytes:
        return cleaned_line({"event": "session", "format": FORMAT, "session": "", **metadata}, self._redactor)

    def _take(self, line: bytes) -> None:
        """Adds a line, which is clean."""
        self._change_log(lambda: self._log.write(line))

    def _change_log(self, change: Callable[[], None]) -> None:
        """A full disk, or a folder that a test removed, ends no session: the end tells of it."""
        with self._lock:
            try:
                change()
            except (ConfigurationError, OSError) as error:
                self._lost_events += 1
                self._problem = self._problem or _in_words(error, self._log.path)

    def clean_again(self) -> None:
        """Removes from the log the credentials that were named after a line was written."""
        if self._redactor.count != self._credentials:
            self._credentials = self._redactor.count
            self._change_log(lambda: self._log.clean_again(self._redactor))

    # --- the end

    def finish(self, code: int) -> int:
        """Gives the verdict, writes every report of it, and returns the exit code of the process.

        Args:
            code: the exit code without a gate.
        """
        if self._session is None:
            return self._never_began(code)
        try:
            return self._finish(self._session, code)
        except (ConfigurationError, OSError) as error:  # a test has removed the folder, or written into the log
            self._say(f"wisebot: {_in_words(error, self.folder)}")
        finally:
            self._close()
        return NOT_RUN_CODE if self._gated and code % 256 in (0, 1) else code

    def _never_began(self, code: int) -> int:
        """The exit code where a plugin has ended pytest before the session began, with whatever exit code."""
        if self._gated and code % 256 == 0:
            line = self._first_line(session_metadata.beginning(self._config, self._began_at))
            self._change_log(lambda: self._log.write(line))
            self._try(lambda: self._write(build(read_log(self._log.path))))
            self._say("wisebot: NO VERDICT: pytest was ended before its session began")
            code = NOT_RUN_CODE
        self._close()
        return code

    def _finish(self, session: pytest.Session, code: int) -> int:
        self.clean_again()
        self._log.check()
        self._read_history()
        last, end = self._written(session, code)
        if self._state.one(LeakScan).look_again(self._published()):
            self._state.exit_status.failed_by("a credential in a report")
            code = code or pytest.ExitCode.TESTS_FAILED
            last, end = self._written(session, code)
        self._change_log(lambda: self._log.write(event_line(self._last_event(end, last))))
        if self._lost_events > end["lost_events"]:
            last, end = self._written(session, code)
        if self._problem:
            lines = count(self._lost_events, "change")
            self._say(f"wisebot: the event log is not whole, {lines} of it failed: {self._problem}")
        self._append_summary(last)
        self._add_to_history(last, code)
        self._tell(last)
        return last.verdict.code if self._gated else code

    def _last_event(self, end: Mapping[str, Any], last: Conclusion) -> Mapping[str, Any]:
        code = last.verdict.code if self._gated else end["without_gate"]
        word = str(last.verdict.word)
        said = {"exitstatus": code, "verdict": word, "baseline": last.compared, "history": last.history}
        return {"event": "end", "ended": moment(time.time()), **end, **said}

    def _published(self) -> Iterator[Path]:
        """All that leaves with the reports: of the summary's file GitHub also shows what others wrote there."""
        yield self.folder
        named = (self._config.option.wisebot_summary, self._config.option.wisebot_baseline)
        paths = (self._config.invocation_params.dir / name for name in named if name is not None)
        yield from (path for path in paths if path.exists())

    def _end(self, session: pytest.Session, code: int) -> dict[str, Any]:
        """How the session ended, clean: the message of what ended it may hold a credential."""
        end = {
            **self._state.exit_status.ended_as(session, code),
            "failures_elsewhere": self._state.one(ItemLedger).failures_elsewhere,
            "not_collected": [*self._state.one(Collection).failed.values()],
            "snapshots_written": session_metadata.snapshots_written(self._config),
            "lost_events": self._lost_events,
        }
        return {name: self._clean(value) for name, value in end.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._clean(one) for one in value]
        if not isinstance(value, str):
            return value
        line = " ".join(clean_text(value, self._redactor).split())
        return clean_text(line, self._redactor)[:LONGEST_REASON]  # twice: one with blanks may be whole again

    def _written(self, session: pytest.Session, code: int) -> tuple[Conclusion, dict[str, Any]]:
        """The conclusion of the log, with the end that it has now, and the reports of it."""
        end = self._end(session, code)
        event = {"event": "end", "ended": moment(time.time()), **end}
        last = build([*read_log(self._log.path), event], self._baseline, self._history)
        self._try(lambda: self._write(last))
        return last, end

    def _close(self) -> None:
        self._log.close()
        if self._config.option.wisebot_report is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- what is shown and written

    def _tell(self, last: Conclusion) -> None:
        reporter = self._reporter
        if reporter is None:
            return
        if self._gated:
            word = last.verdict.word
            reporter.write_sep("=", str(word), bold=True, **{COLOURS[word]: True})
            for line in block(last, reporter.config.get_terminal_writer().fullwidth):
                if line.word:
                    reporter.write(f"  {line.word}", **({line.colour: True} if line.colour else {}))
                reporter.write_line(line.rest)
        elif last.comparison is not None:
            for change in beside(last.comparison):
                reporter.write_line(f"wisebot: {change}")
        if self._gated or reporter.verbosity >= 0:
            option = self._config.option
            places = {
                "reports": option.wisebot_report,
                "history": option.wisebot_history if self._has_history else None,
            }
            for what, place in places.items():
                if place is not None:
                    reporter.write_line(f"wisebot: {what} in {place}")

    def _write(self, last: Conclusion) -> None:
        if self._config.option.wisebot_report is not None:
            write_reports(self.folder, last, clean=self._redactor.clean_credentials)
        elif self._config.option.wisebot_summary is not None:
            write_reports(self.folder, last, SUMMARY, clean=self._redactor.clean_credentials)

    def _append_summary(self, last: Conclusion) -> None:
        given = self._config.option.wisebot_summary
        if given is None:
            return
        try:
            path = self._config.invocation_params.dir / given
            if not append_summary(path, last, self._redactor.clean_credentials):
                self._say(f"wisebot: --wisebot-summary={given}: has no room for more: GitHub shows at most 1 MiB")
        except OSError as error:
            self._say(f"wisebot: --wisebot-summary={given}: cannot be written: {error.strerror}")

    def _read_history(self) -> None:
        """Reads the history anew: other sessions may have ended meanwhile."""
        given = self._config.option.wisebot_history
        if given is None:
            return
        try:
            self._history = read_history(self._config.invocation_params.dir / given, given)
        except ConfigurationError as error:  # what was read when the session began still holds
            self._say_history_stays(error)
        if self._history is not None:
            self._history = replace(self._history, clean=self._redactor.clean)
            if self._history.warning:
                self._say(f"wisebot: --wisebot-history: {self._redactor.clean(self._history.warning)}")

    def _add_to_history(self, last: Conclusion, code: int) -> None:
        """Adds the line of the session; of a shard, ``merge`` adds one for all shards."""
        given, model = self._config.option.wisebot_history, last.model
        if given is None:
            return
        if (split := model.sessions[0].split) is not None and split[1] > 1:
            self._say(
                f"wisebot: shard {split[0]} of {split[1]} adds nothing to {given}: pytest-wisebot merge --history does"
            )
            return
        entry = entry_of(model, str(last.verdict.word), last.verdict.code if self._gated else code)
        try:
            write_entry(self._config.invocation_params.dir / given, entry, model.report.history_sessions, given)
            self._has_history = True
        except ConfigurationError as error:
            self._say_history_stays(error)
        except OSError as error:
            self._say(f"wisebot: --wisebot-history={given}: cannot be written: {error.strerror}")

    def _say_history_stays(self, error: ConfigurationError) -> None:
        self._say(self._redactor.clean(f"wisebot: --wisebot-history: {error}. It stays as it is: nothing was added"))

    def _try(self, write: Callable[[], None]) -> None:
        """A report that cannot be written changes no verdict: the log is what counts."""
        try:
            write()
        except (ConfigurationError, OSError) as error:
            self._say(f"wisebot: {_in_words(error, self.folder)}")

    @property
    def _reporter(self) -> Any:
        return self._config.pluginmanager.get_plugin("terminalreporter")

    def _say(self, line: str) -> None:
        """Shows a line, once."""
        if line in self._told:
            return
        self._told.add(line)
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


def _checked_history(config: pytest.Config) -> History | None:
    option, folder = config.option, config.invocation_params.dir
    given = option.wisebot_history
    if given is None:
        return None
    named = {
        "the file of --wisebot-summary": option.wisebot_summary,
        "the --wisebot-baseline": option.wisebot_baseline if option.wisebot_baseline != NONE_YET else None,
        "the folder of --wisebot-report": option.wisebot_report,
        "the settings file": config.rootpath / "wisebot.toml",
    }
    others = {what: folder / one if one is not None else None for what, one in named.items()}
    try:
        return check_history(folder / given, given, others)
    except ConfigurationError as error:
        raise pytest.UsageError(f"--wisebot-history: {error}") from None


def _begun(config: pytest.Config) -> tuple[Path, EventLog]:
    """The folder of reports, and the log in it. A folder that cannot be written is an error before any run."""
    given = config.option.wisebot_report
    try:
        folder = Path(tempfile.mkdtemp(prefix="pytest-wisebot-")) if given is None else clear_folder(config, given)
        check_writable(folder)
        return folder, EventLog(folder / LOG, 0o666, new=True)
    except OSError as error:
        what = f"--wisebot-report={given}: " if given is not None else "the folder of temporary files "
        raise pytest.UsageError(f"{what}cannot be written: {error.strerror}") from None


def clear_early(config: pytest.Config, given: str, baseline: str | None) -> None:
    """Clears the folder of reports before any ``conftest.py`` is loaded, unless it is the session's baseline as well.

    Raises:
        pytest.UsageError: it cannot be written, or another session writes there.
    """
    folder = Path(os.path.abspath(config.invocation_params.dir / given))
    path = Path(os.path.abspath(config.invocation_params.dir / (baseline or NONE_YET)))
    if baseline in (None, NONE_YET) or folder not in (path, *path.parents):
        clear_folder(config, given)


def clear_folder(config: pytest.Config, given: str) -> Path:
    """The folder of ``--wisebot-report``, without the reports of an earlier session.

    Raises:
        pytest.UsageError: it cannot be written, or another session writes there.
    """
    folder: Path = config.invocation_params.dir / given
    try:
        clear(folder)
    except ConfigurationError as error:
        raise pytest.UsageError(f"--wisebot-report={given}: {error}") from None
    except OSError as error:
        raise pytest.UsageError(f"--wisebot-report={given}: cannot be written: {error.strerror}") from None
    return folder


def _in_words(error: ConfigurationError | OSError, path: Path) -> str:
    if isinstance(error, ConfigurationError):
        return str(error)
    return f"{error.filename or path} cannot be written: {error.strerror}"
