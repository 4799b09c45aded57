"""What a session of pytest holds for this plugin, in one object under the plugin's one stash key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from ..originals import held_sockets, json, os, threading, time
from .exit_status import ExitStatus

if TYPE_CHECKING:
    from ..quarantine import Quarantine
    from ..redaction import Redactor

T = TypeVar("T")


class WrittenFiles:
    """The files and folders that a session has written, or compared with. A worker of xdist sends them on."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self._unsent: list[Path] = []

    @property
    def named(self) -> list[str]:
        """All of them in JSON, which is ASCII: xdist's channel does not carry every path."""
        return [json.dumps(str(path)) for path in self.paths]

    def add(self, path: Path) -> None:
        """Adds a file or folder."""
        if path not in self.paths:
            self.paths.add(path)
            self._unsent.append(path)

    def unsent(self) -> list[str]:
        """Those that were added since the last call, in JSON."""
        unsent, self._unsent = self._unsent, []
        return [json.dumps(str(path)) for path in unsent]

    def receive(self, named: Iterable[str]) -> None:
        """Adds those that a worker has sent."""
        self.paths.update(Path(json.loads(one)) for one in named)


class SessionState:
    """The values of one session, and one object of each class that the session needs.

    Attributes:
        began: when the session began, in seconds since the epoch.
        quarantines: the quarantines of the selected tests, by the tests' ids.
        collection_problems: for what the controller of this worker ends the session before its first test.
        exit_status: pytest's exit status, and what plugins made of it.
        written: what the session has written.
        earlier_snapshots: those with placeholders of an earlier version.
        snapshot_sections: titles and lines that a failed comparison adds to the test's report.
        snapshot_notes: what the session's end says of new snapshots.
        debug_log: the file of ``--debug``.
        hides_values: credentials were given as values, and are hidden from the session's start.
        in_selection: decides whether ``[gate] select`` selects a test; None before it is compiled.
        workers_with_every_test: how many workers ``--dist each`` would have had, without ``--wisebot-plan``.
        on_event: writes a line of the event log; None without a report.
        on_collected: completes the first line of the event log, once the tests are known.
        hide_status_line: keeps the status line away while something else is written.
        is_guarded: something has forbidden sockets before the first test, for all of them.
        sockets: the module ``socket`` of the session's beginning, by which runs are made.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._objects: dict[object, Any] = {}
        self.began = time.time()
        self.quarantines: dict[str, Quarantine] = {}
        self.collection_problems: list[str] = []
        self.sockets = held_sockets()
        self.is_guarded = False
        self.exit_status = ExitStatus()
        self.written = WrittenFiles()
        self.earlier_snapshots = WrittenFiles()
        self.snapshot_sections: list[tuple[str, list[str]]] = []
        self.snapshot_notes: list[str] = []
        self.debug_log: Any = None
        self.hides_values = False
        self.in_selection: Callable[[pytest.Item], bool] | None = None
        self.workers_with_every_test = 1
        self.on_event: Callable[[bytes], None] | None = None
        self.on_collected: Callable[[Mapping[str, Any]], None] = _ignore
        self.hide_status_line: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def redactor(self) -> Redactor:
        """The session's one redactor. It has the passwords of proxies from the start: no setting names them."""
        from ..redaction import Redactor
        from ..settings.credentials import proxy_credentials

        return self.one(lambda _: Redactor(proxy_credentials(os.environ)), Redactor)

    def one(self, make: Callable[[pytest.Config], T], key: object = None) -> T:
        """The session's one object of a class, made on first use, in whichever thread that is."""
        with self._lock:
            key = key or make
            if key not in self._objects:
                self._objects[key] = make(self._config)
            made: T = self._objects[key]
            return made

    def find(self, key: Callable[..., T]) -> T | None:
        """The session's one object of a class; None before its first use."""
        return self._objects.get(key)


_KEY = pytest.StashKey[SessionState]()


def state_of(config: pytest.Config) -> SessionState:
    """The session's state, made on first use."""
    state = config.stash.get(_KEY, None)
    if state is None:
        state = config.stash[_KEY] = SessionState(config)
    return state


def register_last(config: pytest.Config, plugin: object, name: str) -> None:
    """Registers a plugin, or registers it anew: its wrappers then go around those of all plugins so far."""
    if config.pluginmanager.has_plugin(name):
        config.pluginmanager.unregister(plugin, name)
    config.pluginmanager.register(plugin, name)


def _ignore(value: object) -> None:
    """Without a report."""
    del value
