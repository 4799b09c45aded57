"""The end of a session: its steps in the order in which they are done, and the verdict after every other plugin.

Other plugins see pytest's own exit status for as long as the session runs. The gate's exit code is set once, when
``pytest_cmdline_main`` has ended: by then every ``pytest_sessionfinish`` and ``pytest_unconfigure`` has run.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest

from ..originals import time
from . import xdist
from .options import asks_for_report, only_lists
from .session_state import register_last, state_of
from .snapshot_retention import retention_of

if TYPE_CHECKING:
    from .leak_scan import LeakScan
    from .reporting import Reporting
    from .runtime import LocalRuntime
    from .terminal import StatusLine

_WRITTEN = "wisebot_written"
_EARLIER = "wisebot_earlier_snapshots"
"""Where in ``workeroutput`` a worker names what was written."""


class SessionEnd:
    """Stands around a whole session. Registered in every one; it does nothing where nothing of this plugin is used."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._state = state_of(config)
        self._runtime: LocalRuntime | None = None
        self._reporting: Reporting | None = None
        self._leaks: LeakScan | None = None
        self._status_line: StatusLine | None = None
        self._session: pytest.Session | None = None
        self._is_told = False
        self.is_worth_a_scan = False
        """Whether the session has used a runtime, or writes a report."""

    # --- the beginning

    def report(self) -> None:
        """Sees to the gate and the reports.

        Raises:
            pytest.UsageError: the folder of reports cannot be written, or the baseline cannot be read.
        """
        from .reporting import Reporting

        self._reporting = Reporting(self._config)
        self.is_worth_a_scan = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """By now terminal and logs are set up."""
        if self._state.hides_values:
            from .redact_pytest import clean_logs, clean_terminal

            clean_terminal(self._config, self._state.redactor)
            clean_logs(self._config, self._state.redactor)
        if self._reporting is not None:
            self._reporting.begin(session)

    def follow(self, runtime: LocalRuntime) -> None:
        """Shows the progress of this runtime's runs, and their numbers at the end."""
        from .terminal import StatusLine

        self._runtime, self.is_worth_a_scan = runtime, True
        self._status_line = StatusLine(self._config, runtime.status, runtime.redactor)
        runtime.on_wait = self._status_line.waits
        self._state.hide_status_line = self._status_line.hidden

    def show_status_line(self) -> None:
        """Begins to show the progress, also where the loop over the tests has begun already."""
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            if self._status_line is not None:
                self._status_line.start()

    @property
    def has_runs(self) -> bool:
        """Whether any run was requested: the end of the session then has the block "wisebot"."""
        return self._runtime is not None and self._runtime.begun is not None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """However the loop ends, the runs for which no test can wait any more are cancelled at once."""
        register_last(self._config, self, NAME)  # by now the plugins of all folders are registered
        self.show_status_line()
        try:
            return (yield)
        finally:
            self.end_loop()

    def end_loop(self) -> None:
        """Cancels the runs that no test waits for. The engine stays: a fixture's end may run a workflow to clean up."""
        if self._status_line is not None:
            self._status_line.stop()
        if self._runtime is not None and self._runtime.begun is not None:
            self._runtime.begun.cancel_all()

    # --- the end of the session

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Ctrl-C, or ``pytest.exit()`` with an exit code that may be 0."""
        self._state.exit_status.interrupted_by(excinfo.value)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """An error of pytest, of a plugin, or of a ``conftest.py``: exit code 3."""
        self._state.exit_status.interrupted_by(excinfo.value)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
        """The outermost wrapper."""
        self._session = session
        self.end_loop()  # once more: a status line that began late has not seen the loop end
        self._finish_storage()
        if self._reporting is not None:
            self._state.exit_status.watch(session, exitstatus)
        self._before_files_are_written()
        retention = retention_of(self._config)
        try:
            with retention.around_syrupy() if retention is not None else nullcontext():
                result = yield
        except BaseException as error:
            self._state.exit_status.interrupted_by(error)
            raise
        self._scan(session)
        self._fail_by_drift(session)
        self._fail_by_snapshots(session)
        self._keep_durations()
        self._end_log(session)
        self._refuse_empty_gate(session)
        return result

    def _finish_storage(self) -> None:
        """Writes all files of the storage: other plugins find them whole."""
        if self._runtime is not None and (storage := self._runtime.begun_storage) is not None:
            storage.finish()
            for path in storage.written:
                self._state.written.add(path)

    def _before_files_are_written(self) -> None:
        """Cleans what pytest is about to write, and hands the controller of xdist what this worker has written."""
        if self.is_worth_a_scan:
            from .redact_pytest import clean_junit

            clean_junit(self._config)
        if xdist.is_worker(self._config):  # the list itself: it may still grow
            output: dict[str, Any] = getattr(self._config, "workeroutput")  # noqa: B009 - xdist's, no type has it
            output[_WRITTEN] = self._state.written.named
            output[_EARLIER] = self._state.earlier_snapshots.named

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended."""
        output = getattr(node, "workeroutput", {})
        self._state.written.receive(output.get(_WRITTEN, ()))
        self._state.earlier_snapshots.receive(output.get(_EARLIER, ()))

    def _scan(self, session: pytest.Session) -> None:
        """Looks for credentials in all files, once: before pytest's summary, or without one after it."""
        is_over = self._leaks is not None or xdist.is_worker(self._config)
        if is_over or not (self.is_worth_a_scan or self._state.written.paths):
            return
        from .leak_scan import LeakScan
        from .redact_pytest import clean_debug_log

        if self._reporting is not None:
            self._state.written.add(self._reporting.folder)
            if self._runtime is not None and self._runtime.begun_storage is not None:
                self._runtime.begun_storage.settle()
            self._reporting.clean_again()
        self._finish_storage()  # once more: a credential that was named meanwhile is removed from the files
        with suppress(OSError):  # what could not be cleaned is found
            clean_debug_log(self._config)
        self._leaks = self._state.one(LeakScan)
        if self._leaks.look():
            self._state.exit_status.fail(session, "a credential in a file that the session wrote")

    def _fail_by_drift(self, session: pytest.Session) -> None:
        """Drift fails a session, also where no test could fail by it."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or session.exitstatus != pytest.ExitCode.OK:
            return
        if self._runtime is not None and self._runtime.begun is not None:
            from .terminal import drifted_alone

            if drifted_alone(self._runtime.begun.numbers(), reporter):
                self._state.exit_status.fail(session, "")  # the gate has a rule about drift that failed no test

    def _fail_by_snapshots(self, session: pytest.Session) -> None:
        """An unused snapshot that an update could not remove fails the session: no test can any more."""
        extension = sys.modules.get("pytest_wisebot.snapshots.extension")
        found: list[str] = getattr(extension, "NOT_REMOVED", [])
        for line in found:
            self._say(line)
        if found:
            found.clear()
            self._state.exit_status.fail(session, "a snapshot that could not be removed")

    def _keep_durations(self) -> None:
        if self._runtime is not None and self._runtime.begun is not None:
            from .prefetch import write_durations
            from .run_tracker import tag_in

            clean = self._runtime.redactor.clean
            took = self._runtime.begun.numbers().durations
            durations = {tag_in(key): (clean(name), seconds) for key, (name, seconds) in took.items()}
            try:
                write_durations(self._config, durations)
            except OSError as error:  # of pytest's cache
                self._say(f"the durations of runs were not kept: {error.strerror}")

    def _say(self, line: str) -> None:
        if (reporter := self._config.pluginmanager.get_plugin("terminalreporter")) is not None:
            reporter.write_line(f"wisebot: {line}", red=True)

    def _end_log(self, session: pytest.Session) -> None:
        storage = self._runtime.begun_storage if self._runtime is not None else None
        if storage is not None and storage.session is not None:
            storage.session.end(time.time(), exitstatus=int(session.exitstatus))

    def _refuse_empty_gate(self, session: pytest.Session) -> None:
        """The exit code of a gated session that runs no test, as with ``--collect-only``, opens no gate."""
        gated = self._config.option.wisebot_gate and self._reporting is None and not xdist.is_worker(self._config)
        if gated and session.exitstatus == pytest.ExitCode.OK:
            from ..report.verdict import NOT_RUN_CODE, GateStatus

            session.exitstatus = NOT_RUN_CODE
            if (reporter := self._config.pluginmanager.get_plugin("terminalreporter")) is not None:
                word = GateStatus.NO_VERDICT
                reporter.write_line(f"wisebot: {word}: --wisebot-gate judges tests that run, and none did")

    # --- what is shown

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """After pytest's own failures: this plugin's, the numbers of the runs, and the credentials that were found."""
        from .terminal import show_failures

        if self._session is not None:
            self._scan(self._session)
        show_failures(terminalreporter)
        self._tell(terminalreporter, int(exitstatus))

    def pytest_unconfigure(self) -> None:
        """Where pytest shows no summary, as after an internal error or an exit code of a plugin's, it is shown here."""
        if (reporter := self._config.pluginmanager.get_plugin("terminalreporter")) is not None:
            self._tell(reporter, pytest.ExitCode.INTERNAL_ERROR)

    def _tell(self, reporter: Any, exitstatus: int) -> None:
        """Shows the numbers of the runs, and what became of those that no test waited for."""
        earlier = len(self._state.earlier_snapshots.paths)
        if not self._is_told and (self.has_runs or earlier):
            from .terminal import Summary, earlier_snapshots, hints, show_block

            lines = list(earlier_snapshots(earlier))
            if self._runtime is not None and self._runtime.begun is not None:
                storage = self._runtime.begun_storage
                kept = storage.closing(exitstatus) if storage is not None else ()
                numbers = self._runtime.begun.numbers()
                interrupted = self._state.exit_status.is_by_ctrl_c and numbers.runs > 0
                next_steps = hints(reporter, self._config.option.wisebot_runs, interrupted=interrupted)
                summary = Summary(numbers, reporter, self._runtime.numbers_against)
                lines = [*summary.lines(), *lines, *kept, *next_steps]
            show_block(reporter, map(self._state.redactor.clean, lines))
        self._is_told = True
        if self._leaks is not None:
            self._leaks.tell(reporter)

    # --- the verdict

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, Any, Any]:
        """The outermost call of a session: what it returns is the exit code of the process."""
        try:
            code = yield
        except BaseException as error:
            if isinstance(error, pytest.UsageError):
                from .settings_source import clean_usage_error

                clean_usage_error(self._config, error)
            as_if_well = isinstance(error, SystemExit) and error.code in (None, 0)
            if self._reporting is None and not as_if_well:
                raise
            code = self._exit_code(0, error)
            if not as_if_well:
                raise
            return code
        return self._exit_code(code)

    def _exit_code(self, code: Any, error: BaseException | None = None) -> Any:
        if self._reporting is None:
            return self._without_reporting(code)
        if isinstance(error, pytest.UsageError):
            code = pytest.ExitCode.USAGE_ERROR
        if error is not None:
            self._state.exit_status.interrupted_by(error)
        final = self._reporting.finish(int(code or 0))
        return code if final == (code or 0) else final

    def _without_reporting(self, code: Any) -> Any:
        """The exit code where a plugin has kept a gated session from being judged: 0 would open the gate."""
        lists = only_lists(self._config)  # what lists fixtures drops the exit code of its session
        judged = self._config.option.wisebot_gate and (lists or asks_for_report(self._config))
        if not judged or xdist.is_worker(self._config) or int(code or 0) % 256:
            return code
        from ..report.verdict import NOT_RUN_CODE  # loaded only where there is a gate

        if lists:
            return NOT_RUN_CODE
        print("wisebot: NO VERDICT: pytest was ended before its session began", file=sys.stderr)
        return NOT_RUN_CODE


NAME = "wisebot-session-end"


def session_end_of(config: pytest.Config) -> SessionEnd:
    """The session's one object, registered when pytest starts."""
    return state_of(config).one(SessionEnd)
