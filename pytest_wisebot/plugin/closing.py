"""What the process that owns the engine does around the tests: the line while they wait, the end, and the numbers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from . import durations
from .asking import tag_in
from .live import Live
from .owner import Owner
from .summary import Summary


class Closing:
    """Stands around the loop over the tests. Registered once there is an owner."""

    def __init__(self, config: pytest.Config, owner: Owner) -> None:
        self._config = config
        self._owner = owner
        self.live = Live(config, owner.status, owner.redactor)
        self._told = False
        owner.on_wait = self.live.waits

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """However the loop ends, what nobody can wait for any more is given up at once."""
        self.live.start()
        try:
            return (yield)
        finally:
            self.live.stop()
            if (engine := self._owner.begun) is not None:
                engine.give_up_all()  # and not closed yet: a fixture's end may run a workflow that cleans up

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self) -> Generator[None, Any, Any]:
        """Pytest writes to the terminal: the line gives way."""
        with self.live.hidden():
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Keeps for the next session how long the runs took."""
        if (engine := self._owner.begun) is not None:
            clean = self._owner.redactor.clean
            took = engine.numbers().durations
            durations.write(
                self._config, {tag_in(key): (clean(name), seconds) for key, (name, seconds) in took.items()}
            )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Says what the runs took, and what became of those that nobody waited for."""
        self._tell(terminalreporter)

    def pytest_unconfigure(self) -> None:
        """Where pytest gives no summary, as after an internal error or an exit code of one's own, it is told here."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if not self._told and reporter is not None:
            self._tell(reporter)

    def _tell(self, reporter: Any) -> None:
        self._told = True
        if self._owner.begun is None:
            return
        lines = Summary(self._owner.begun.numbers(), reporter).lines()
        quiet = reporter.verbosity < 0
        if lines and not quiet:
            reporter.write_sep("=", "wisebot")
        for line in lines:
            reporter.write_line(self._owner.redactor.clean(f"wisebot: {line}" if quiet else line))
