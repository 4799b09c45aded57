"""What a process that runs tests holds for the whole session: who asks, what was asked, and whom it asks for runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Protocol

import pytest

from ..engine.values import CollectedTests
from ..errors import ConfigurationError, WisebotError
from ..redaction import Redactor
from ..runs import RunRequest, WorkflowRun
from ..settings import Credential, Settings, read_credential
from . import durations, xdist
from .closing import Closing
from .collected import left_out_of
from .gate_extent import extent_of
from .gate_selection import in_gate
from .leak_scan import last_look_of
from .options import is_offline
from .redact_reports import clean_logs
from .reports import Reports
from .run_tracker import RunTracker, askers, key_of, tag_of
from .runtime import owner_of
from .trials import Trials, TrialsAhead
from .worker_runtime import WorkerRuntime

if TYPE_CHECKING:
    from ..emulator import EmulatorHandle
    from ..emulator.handle import Ready
    from ..engine.pending import PendingRun
    from ..engine.values import Ahead

_KEY = pytest.StashKey["WisebotSession"]()


class EngineApi(Protocol):
    """An engine, of this process or of another."""

    def ahead(self, runs: Iterable[Ahead], *, confirmations: int | None = None) -> None:
        """Starts declared runs before their tests ask.

        Args:
            runs: the runs.
            confirmations: how many processes must declare each of them alike; None: as many as can be asked for.
        """
        ...

    def submit(self, request: RunRequest, key: str = "") -> PendingRun:
        """Starts a run, or takes the one that was started ahead for this key."""
        ...

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs."""
        ...

    def forget(self, key: str) -> None:
        """The test of this key is over."""
        ...


class Runtime(Protocol):
    """Settings, emulator and engine: a `LocalRuntime`, or a `WorkerRuntime` that reaches the controller's."""

    each: str
    redactor: Redactor

    @property
    def settings(self) -> Settings:
        """The settings, of which the emulator's part may still be open."""
        ...

    @property
    def target(self) -> Settings:
        """The settings with hosts and credentials of the emulator."""
        ...

    @property
    def emulator(self) -> Ready | None:
        """Where the emulator is, once there is one."""
        ...

    @property
    def engine(self) -> EngineApi:
        """The engine, which begins with this."""
        ...

    def collect(self, census: CollectedTests) -> None:
        """Learns which tests there are."""
        ...

    @property
    def no_ahead(self) -> str | None:
        """Why no run starts before its test asks."""
        ...


def session_of(config: pytest.Config, *, collected: bool = False) -> WisebotSession:
    """The session's one object, made and registered on first use.

    Args:
        config: whose session.
        collected: tests are being collected, and none runs yet.
    """
    session = config.stash.get(_KEY, None)
    if session is None:
        session = config.stash[_KEY] = WisebotSession(config, _home_of(config, collected=collected))
        config.pluginmanager.register(session.asking, "wisebot-asking")
        config.pluginmanager.register(session.reports, "wisebot-session")
        config.pluginmanager.register(session.trials, "wisebot-trials")  # after the reports: it wants them finished
        config.pluginmanager.register(Loop(session), "wisebot-loop")
    return session


def _home_of(config: pytest.Config, *, collected: bool) -> Runtime:
    if xdist.is_worker(config):
        guest = WorkerRuntime(config, collected=collected)
        clean_logs(config, guest.redactor)
        last_look_of(config)
        config.add_cleanup(guest.close)
        return guest
    owner = owner_of(config)
    closing = Closing(config, owner)
    config.pluginmanager.register(closing, "wisebot-closing")
    if not collected:
        closing.begin_late()
    return owner


def session_asked_by(request: pytest.FixtureRequest) -> WisebotSession:
    """The session's object, which from now on knows the test that asks.

    A test that asks by ``request.getfixturevalue`` alone wakes the plugin up in the middle of its own protocol.
    """
    awake = _KEY in request.config.stash
    session = session_of(request.config)
    if not awake:  # and the loop over the tests has begun without anybody who looks at them
        session.learn(request.session)
    session.asking.notice(getattr(request, "_pyfuncitem", None))
    return session


class WisebotSession:
    """What the fixtures ask. All that costs something is made when it is first needed."""

    def __init__(self, config: pytest.Config, home: Runtime) -> None:
        self._config = config
        self._home = home
        self._process = os.getpid()
        self._snapshots_refuse_runs = False
        self._ahead: dict[str, set[str]] = {}
        """The keys, by the test's tag, of what was started ahead and not asked for yet."""
        self.redactor = home.redactor
        self.asking = RunTracker(self._forget, home.each)
        self.reports = Reports(self.asking, self.redactor, self._traceback_of)
        self.trials = Trials(self)

    @property
    def settings(self) -> Settings:
        """The settings after the project's hook; the emulator's part may still be open.

        Raises:
            ConfigurationError: something in them is wrong, or they name a protected environment.
        """
        __tracebackhide__ = True
        return self._home.settings

    @property
    def target(self) -> Settings:
        """The settings with hosts and credentials of the emulator, which is started where the environment has one.

        Raises:
            ConfigurationError: as for `settings`; or the emulator cannot be started.
        """
        __tracebackhide__ = True
        return self._home.target

    def emulator(self) -> EmulatorHandle:
        """A handle on the emulator, for the asking test's own runs.

        Raises:
            ConfigurationError: the environment has none.
        """
        __tracebackhide__ = True
        target = self.target
        ready = self._home.emulator
        if ready is None and is_offline(self._config):
            mode = self._config.option.wisebot_runs
            raise ConfigurationError(
                f"wisebot_emulator: no emulator runs with --wisebot-runs={mode}, which asks nothing of any network"
            )
        if ready is None:
            where = f'environment "{target.environment}"' if target.environment else "this session"
            host = target.origin or target.base_url or "no host"
            raise ConfigurationError(f"wisebot_emulator: {where} runs against {host}, not an emulator")
        from ..emulator import EmulatorHandle

        return EmulatorHandle(ready, lambda: self.asking.tag, self.redactor)

    def start(self, requests: list[RunRequest], max_seconds: float | None = None) -> list[PendingRun]:
        """Hands runs to the engine, and remembers them for what the test's failure will show."""
        __tracebackhide__ = True
        started = self._engine.submit_all(requests)
        self.asking.remember(started, max_seconds)
        return started

    def start_declared(self, request: RunRequest, max_seconds: float | None) -> PendingRun:
        """The run that the asking test declares: the one that was started ahead, or one that starts now."""
        __tracebackhide__ = True
        self.trials.asks(request)
        key = key_of(request.test, self.asking.trial)
        self._ahead.get(request.test, set()).discard(key)
        pending = self._engine.submit(request, key=key)
        self.asking.remember([pending], max_seconds)
        return pending

    def learn(self, session: pytest.Session) -> None:
        """Tells which tests there are to whoever keeps runs for them."""
        left_out = left_out_of(session)
        belongs = in_gate(self._config)
        not_of_gate = [item for item in left_out if not belongs(item)]
        selected, deselected, by_gate = (
            [self._home.each + item.nodeid for item in items] for items in (session.items, left_out, not_of_gate)
        )
        asking = askers([*session.items, *left_out])
        self._home.collect(CollectedTests(selected, deselected, by_gate, asking, extent_of(session)))

    def start_ahead(self, session: pytest.Session) -> None:
        """Starts the declared runs of the selected tests. What is wrong with them, the tests will say."""
        self.learn(session)
        try:
            settings = self.settings  # asked for in any case: a worker learns by it what to mask
            broken = session.testsfailed and not session.config.option.continue_on_collection_errors
            if broken or self._home.no_ahead is not None:
                return
            from .prefetch import runs_ahead

            # With a budget the order decides what is run at all: then it is the tests' own, and the same each time.
            known = durations.read(self._config) if settings.max_runs is None else {}
            runs = list(runs_ahead(session.items, settings, known, self._home.each))
            if runs:
                self._home.engine.ahead(runs)
        except WisebotError:
            return
        for run in runs:
            self._ahead.setdefault(run.request.test, set()).add(run.key)

    def trials_ahead(self, item: pytest.Item) -> TrialsAhead | None:
        """The trials of a test that is about to run, where they may start before their turn; else None."""
        try:
            settings = self.settings
            if self._home.no_ahead is not None:
                return None
            from .prefetch import request_ahead

            request = request_ahead(item, settings, self._home.each)
        except WisebotError:  # the test will be told
            return None
        return TrialsAhead(request, settings.concurrency, self._go_ahead) if request is not None else None

    def _go_ahead(self, runs: list[Ahead]) -> None:
        """Starts further trials of the test that runs: nobody else can say what they are."""
        try:
            self._home.engine.ahead(runs, confirmations=1)
        except WisebotError:  # the test will be told
            return
        for run in runs:
            self._ahead.setdefault(run.request.test, set()).add(run.key)

    def forget(self, item: pytest.Item) -> None:
        """Nothing more of what was started ahead for this test will be asked for."""
        self._forget(tag_of(item, self._home.each))

    def credential(self, secret: str | None) -> Credential | None:
        """The secret of one call: ``env:NAME``, ``file:PATH`` (beside ``wisebot.toml``) or a value; masked from now on.

        Where nothing is asked of any network one that leads nowhere is none.

        Raises:
            ConfigurationError: it leads nowhere, or cannot be a credential.
        """
        __tracebackhide__ = True
        if secret is None:
            return None
        folder = self.settings.file.parent if self.settings.file else self._config.rootpath
        found = read_credential(secret, "secret=", folder, os.environ)
        if found.secret is None and is_offline(self._config):
            return None  # nothing is sent, and whose run it is does not depend on it
        if found.secret is None:
            raise ConfigurationError(f"secret=: {found.problem}")
        self.redactor.add(found.secret)
        return found

    @property
    def _engine(self) -> EngineApi:
        """The engine, for this process alone: a forked child has its memory and not its thread, and waited for ever.

        Raises:
            ConfigurationError: this is a forked child; or as for `target`.
        """
        __tracebackhide__ = True
        if os.getpid() != self._process:
            raise ConfigurationError(self._why_not_forked())
        if not self._snapshots_refuse_runs:
            self._snapshots_refuse_runs = True
            _refuse_runs_in_plain_snapshots(self._config)
        return self._home.engine

    def _why_not_forked(self) -> str:
        if getattr(self._config.option, "forked", False):
            return "--forked runs each test in a process that cannot start or use runs: leave the option out"
        test = self.asking.test
        if test is not None and test.get_closest_marker("forked") is not None:
            return "the mark forked runs this test in a process that cannot start or use runs: leave the mark out"
        return "a process that a test has forked cannot start runs: start them in the test itself"

    def _forget(self, tag: str) -> None:
        """A test is over: what was started ahead for it, and what it never asked for, is not begun any more."""
        for key in self._ahead.pop(tag, ()):
            self._home.engine.forget(key)

    def _traceback_of(self, run: WorkflowRun) -> str:
        """What a workflow function of the emulator raised in this run, or where it blocked: the answer has neither."""
        if run.source != "emulator" or run.run_id is None:
            return ""
        from ..emulator import EmulatorHandle

        try:
            ready = self._home.emulator
            return EmulatorHandle(ready).log(run.run_id) if ready is not None else ""
        except WisebotError:  # the emulator has ended: what is known of the run is shown all the same
            return ""


def _refuse_runs_in_plain_snapshots(config: pytest.Config) -> None:
    """From the first run on: before it there is none that a test could compare."""
    if "syrupy.assertion" in sys.modules:  # its plugin may be left out
        from ..engine.pending import PendingRun
        from ..snapshots.refusal import refuse

        config.add_cleanup(refuse((WorkflowRun, PendingRun)))


class Loop:
    """Stands around the loop over the tests. Registered once a test uses the plugin."""

    def __init__(self, session: WisebotSession) -> None:
        self._session = session

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """By now the selected tests and their order are final."""
        if not session.config.option.wisebot_plan:
            self._session.start_ahead(session)
        return (yield)
