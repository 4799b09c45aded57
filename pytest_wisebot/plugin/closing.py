"""What the process that owns the engine does around the tests: the line while they wait, the end, and the numbers."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import nullcontext
from typing import Any

import pytest

from . import durations
from .item_lifecycle import ledger_of
from .leak_scan import last_look_of
from .run_tracker import tag_in
from .runtime import LocalRuntime
from .session_end import fail_session
from .status_line import StatusLine
from .summary import Summary, drifted_alone


class Closing:
    """Stands around the loop over the tests. Registered once there is an owner."""

    def __init__(self, config: pytest.Config, owner: LocalRuntime) -> None:
        self._config = config
        self._owner = owner
        self.live = StatusLine(config, owner.status, owner.redactor)
        self._told = False
        owner.on_wait = self.live.waits
        ledger_of(config).follow(owner)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """However the loop ends, what nobody can wait for any more is given up at once."""
        self.live.start()
        try:
            return (yield)
        finally:
            self._end_loop()

    @property
    def has_runs(self) -> bool:
        """Whether any run was asked for: then the end of the session has the block "wisebot"."""
        return self._owner.begun is not None

    def begin_late(self) -> None:
        """The loop is under way, and its wrapper too late: a test has asked that did not say so before."""
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            self.live.start()

    def _end_loop(self) -> None:
        self.live.stop()
        if (engine := self._owner.begun) is not None:
            engine.cancel_all()  # and not closed yet: a fixture's end may run a workflow that cleans up

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self) -> Generator[None, Any, Any]:
        """Pytest writes to the terminal: the line gives way."""
        with self.live.hidden():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Keeps for the next session how long the runs took, and writes the last line of this one's event log.

        After every other plugin: they may change the exit code, and a fixture's end may run a workflow that cleans up.
        """
        self._end_loop()  # once more: who began late has not seen it end
        history = self._owner.begun_history
        if history is not None:
            history.finish()  # what other plugins do with the files, they find them whole
            last_look_of(self._config).before(history.finish)
            for path in history.written:
                last_look_of(self._config).wrote(path)
        result = yield
        self._fail_by_drift(session)
        self._keep_durations()
        if history is not None and history.session is not None:
            history.session.end(time.time(), exitstatus=int(session.exitstatus))
        return result

    def _fail_by_drift(self, session: pytest.Session) -> None:
        """Drift fails a session, also where no test could fail by it."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        engine = self._owner.begun
        if engine is None or reporter is None or session.exitstatus != pytest.ExitCode.OK:
            return
        if drifted_alone(engine.numbers(), reporter):
            fail_session(session, "")  # the gate has a row about drift that failed no test

    def _keep_durations(self) -> None:
        if (engine := self._owner.begun) is not None:
            clean = self._owner.redactor.clean
            took = engine.numbers().durations
            durations.write(
                self._config, {tag_in(key): (clean(name), seconds) for key, (name, seconds) in took.items()}
            )

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Says what the runs took, and what became of those that nobody waited for."""
        self._tell(terminalreporter, int(exitstatus))

    def pytest_unconfigure(self) -> None:
        """Where pytest gives no summary, as after an internal error or an exit code of one's own, it is told here."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if not self._told and reporter is not None:
            self._tell(reporter, pytest.ExitCode.INTERNAL_ERROR)

    def _tell(self, reporter: Any, exitstatus: int) -> None:
        self._told = True
        if self._owner.begun is None:  # `shown.unused_marks_alone` has what is left
            return
        history = self._owner.begun_history
        kept = list(history.closing(exitstatus)) if history is not None else []
        lines = [*Summary(self._owner.begun.numbers(), reporter).lines(), *kept]
        quiet = reporter.verbosity < 0
        if lines and not quiet:
            reporter.write_sep("=", "wisebot")
        for line in lines:
            reporter.write_line(self._owner.redactor.clean(f"wisebot: {line}" if quiet else line))
