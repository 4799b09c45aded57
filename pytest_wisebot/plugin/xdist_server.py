"""The xdist controller: serves the workers, and owns the runtime, which begins when the first worker needs it."""

from __future__ import annotations

import queue
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError, WisebotError
from ..originals import threading
from ..workers.server import HOST, Channel, SecretBroadcast, WorkerServer
from . import xdist
from .redact_pytest import without_given
from .session_end import session_end_of
from .session_state import state_of

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..engine.two_engines import TwoEngines
    from ..engine.values import Ahead, CollectedTests
    from ..redaction import Secret
    from .runtime import LocalRuntime


CHECK_SECONDS = 30.0
"""Seconds that a worker's check of its tests may take, between its connection and what it sends."""


class Controller:
    """Serves workers. Registered only where xdist distributes; nothing heavy is loaded before the first worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.masks = SecretBroadcast()
        self._server: WorkerServer | None = None
        self._problem = ""
        try:
            self._server = WorkerServer(self._serve, self._expect)
            config.add_cleanup(self._server.close)
        except OSError as error:  # passed to the workers: a session without Wisebot needs no server
            self._problem = error.strerror or type(error).__name__
        self._lock = threading.Lock()
        self._owner: LocalRuntime | None = None
        self._expected = False
        """A worker whose tests use Wisebot has come."""
        self._checked = False
        """The main thread has checked the settings, and shown the header."""
        self._deferred: list[tuple[list[Ahead], int]] = []
        """Runs that start ahead once the settings are checked."""
        self._census: CollectedTests | None = None
        self._checks: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Of each worker that has collected tests, why none of them can run; an empty string where one may."""
        self._ends_session: BaseException | None = None
        """Raised by the project's hook in a worker's thread."""

    # --- hooks

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is about to start."""
        door: dict[str, Any] = {"host": HOST, "port": 0, "key": "", "problem": self._problem}
        if self._server is not None:
            door |= {"port": self._server.port, "key": self._server.key}
        node.workerinput["mainargv"] = without_given(self._config, node.workerinput["mainargv"])
        xdist.leave_door(node.workerinput, {**door, "each": self._config.getoption("dist") == "each"})

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """A worker has collected; if its tests use Wisebot, it has connected by now.

        The settings are checked here, in the main thread and before any test, where a mistake ends the session as it
        does without xdist.
        """
        if not self._expected or self._checked:
            return
        from .header import header

        self._owned()
        if self._ends_session is not None:
            raise self._ends_session
        lines = header(self._config, ids)
        problem = self._problem_of_all_tests()
        if not problem:
            self._start_deferred()
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and lines:
            if reporter.isatty:
                reporter.write_line("")  # xdist rewrites its own line about its workers
            for line in lines:
                reporter.write_line(line)
        if problem:
            # No worker has come to its end: syrupy would warn of that, which `-W error` turns into a crash.
            self._config.option.disable_unused_snapshots = True
            raise pytest.UsageError(problem)

    def _problem_of_all_tests(self) -> str:
        """Why no test can run, as the first worker has found. It was sent before this hook is called."""
        try:
            return self._checks.get(timeout=CHECK_SECONDS)
        except queue.Empty:  # the connection is gone: the tests report that
            return ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Closes the engine and the server, however the loop ends."""
        try:
            return (yield)
        finally:
            session_end_of(self._config).end_loop()
            if self._owner is not None and self._owner.begun is not None:
                self._owner.begun.close()
            if self._server is not None:
                self._server.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True, optionalhook=True)
    def pytest_testnodedown(self) -> Generator[None, Any, Any]:
        """Hides the status line while xdist reports that a worker has gone."""
        with state_of(self._config).hide_status_line():
            return (yield)

    # --- calls of the workers (see `workers.rpc.Host`), in their threads

    @property
    def engine(self) -> Engine | TwoEngines:
        """The session's engine, or that of each environment."""
        return self._owned().engine

    def described(self) -> dict[str, Any]:
        """The session for a worker: settings, emulator, and whether anything may start ahead."""
        from ..workers.protocol import settings_to_dict
        from .settings_source import settings_hooks

        owner = self._owned()
        try:
            for one in filter(None, (owner.unguarded, owner.unguarded_against)):
                for secret in one.credentials():  # also where nothing can run, as without the emulator
                    self.masks.add(secret)
            settings, against = settings_to_dict(owner.target), owner.against
        except (pytest.UsageError, pytest.exit.Exception) as error:  # the project's hook ends the session
            self._ends_session = error
            raise ConfigurationError(str(error)) from None
        emulator = owner.emulator.to_dict() if owner.emulator is not None else None
        return {
            "settings": settings,
            "against": settings_to_dict(against) if against is not None else None,
            "emulator": emulator,
            "no_ahead": owner.no_ahead,
            "hooks": settings_hooks(self._config),
        }

    def ahead(self, runs: list[Ahead], confirmations: int) -> None:
        """Starts declared runs, but none before the main thread has checked the settings."""
        with self._lock:
            if self._expected and not self._checked:
                self._deferred.append((runs, confirmations))
                return
        with suppress(WisebotError):  # each test that asks gets the error
            self.engine.ahead(runs, confirmations=confirmations)

    def _start_deferred(self) -> None:
        with self._lock:
            self._checked = True
            deferred, self._deferred = self._deferred, []
        for runs, confirmations in deferred:
            self.ahead(runs, confirmations)

    def collect(self, census: CollectedTests) -> None:
        """Takes over the tests that a worker has collected."""
        with self._lock:
            self._census = census
            if self._owner is not None:
                self._owner.collect(self._census)

    def refuse(self, problem: str) -> None:
        """Takes a worker's reason why no test can run."""
        self._checks.put(problem)

    def mask(self, secret: Secret) -> None:
        """Masks this credential from now on."""
        self._owned().redactor.add(secret)

    def _expect(self, collected: bool) -> None:
        if collected:
            self._expected = True

    def _serve(self, channel: Channel) -> None:
        from ..workers.rpc import serve

        serve(self, channel)

    def _owned(self) -> LocalRuntime:
        with self._lock:
            if self._owner is None:
                from .item_lifecycle import follow_engine  # with which the engine is loaded

                self._owner = follow_engine(self._config)
                if self._census is not None:
                    self._owner.collect(self._census)
                session_end_of(self._config).show_status_line()
            return self._owner
