"""On xdist's controller: the door for the workers, and the owner that begins when the first one needs it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..workers.secret_broadcast import SecretBroadcast
from ..workers.server import HOST, WorkerConnection, WorkerServer
from . import xdist
from .redact_pytest import without_given
from .session_end import session_end_of
from .session_state import state_of

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..engine.values import CollectedTests
    from ..redaction import Secret
    from .runtime import LocalRuntime

SETTLED_SECONDS = 60.0
"""How long a worker's question waits for the main thread to have looked at the settings."""


class Controller:
    """Lets workers in. Registered only where xdist distributes; nothing heavy is loaded before one comes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.masks = SecretBroadcast()
        self._door: WorkerServer | None = None
        self._problem = ""
        try:
            self._door = WorkerServer(self._enter)
            config.add_cleanup(self._door.close)
        except OSError as error:  # told to those who want in: a session without Wisebot does not need a door
            self._problem = error.strerror or type(error).__name__
        self._lock = threading.Lock()
        self._owner: LocalRuntime | None = None
        self._expected = False
        self._census: CollectedTests | None = None
        self._settled = threading.Event()

    # --- hooks

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is about to start."""
        door: dict[str, Any] = {"host": HOST, "port": 0, "key": "", "problem": self._problem}
        if self._door is not None:
            door |= {"port": self._door.port, "key": self._door.key}
        node.workerinput["mainargv"] = without_given(self._config, node.workerinput["mainargv"])
        xdist.leave_door(node.workerinput, {**door, "each": self._config.getoption("dist") == "each"})

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """A worker has collected; if its tests use Wisebot, it has come in by now.

        The settings are looked at here, in the main thread and before any test, where a mistake ends the session as it
        does without xdist.
        """
        if not self._expected or self._settled.is_set():
            return
        from .header import header

        try:
            self._owned()
            lines = header(self._config, ids)
        finally:
            self._settled.set()
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or not lines:
            return
        if reporter.isatty:
            reporter.write_line("")  # xdist's own line about its workers is one that it rewrites
        for line in lines:
            reporter.write_line(line)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """However the loop ends: no worker starts a run after it, and none is waited for."""
        try:
            return (yield)
        finally:
            self._settled.set()
            session_end_of(self._config).end_loop()
            if self._owner is not None and self._owner.begun is not None:
                self._owner.begun.close()
            if self._door is not None:
                self._door.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True, optionalhook=True)
    def pytest_testnodedown(self) -> Generator[None, Any, Any]:
        """Xdist is about to say that a worker has gone: the line gives way."""
        with state_of(self._config).hide_status_line():
            return (yield)

    # --- what the workers ask (see `engine.broker.Host`), in their threads

    @property
    def engine(self) -> Engine:
        """The session's engine."""
        return self._owned().engine

    def described(self, *, collected: bool) -> dict[str, Any]:
        """What a worker must know: settings, emulator, and whether anything may start ahead."""
        from ..workers.protocol import settings_to_dict
        from .settings_source import settings_hooks

        if collected:
            self._settled.wait(SETTLED_SECONDS)
        owner = self._owned()
        try:
            settings = settings_to_dict(owner.target)
        except (pytest.UsageError, pytest.exit.Exception) as error:  # the project's hook ends the session
            raise ConfigurationError(str(error)) from None
        emulator = owner.emulator.to_dict() if owner.emulator is not None else None
        return {
            "settings": settings,
            "emulator": emulator,
            "no_ahead": owner.no_ahead,
            "hooks": settings_hooks(self._config),
        }

    def collect(self, census: CollectedTests) -> None:
        """Learns which tests there are, from a worker; in its thread, while the main one may be loading the rest."""
        with self._lock:
            self._census = census
            if self._owner is not None:
                self._owner.collect(self._census)

    def mask(self, secret: Secret) -> None:
        """Masks this credential from now on."""
        self._owned().redactor.add(secret)

    def _enter(self, visitor: WorkerConnection) -> None:
        if visitor.collected:
            self._expected = True
        from ..workers.rpc import serve

        serve(self, visitor)

    def _owned(self) -> LocalRuntime:
        with self._lock:
            if self._owner is None:
                from .item_lifecycle import follow_engine  # with which the engine is loaded

                self._owner = follow_engine(self._config)
                if self._census is not None:
                    self._owner.collect(self._census)
                session_end_of(self._config).show_status_line()
            return self._owner
