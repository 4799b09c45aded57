"""The runtime of a session: settings, emulator and engine, in the process that owns the engine or in a worker of it.

Without xdist there is one process, with a `LocalRuntime`. Under xdist the controller has it, and each worker has a
`worker_runtime.WorkerRuntime`, which reaches it.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ..errors import ConfigurationError
from ..event_log import Events
from ..originals import os, threading
from ..redaction import Redactor, Secret
from ..runs import RunRequest, WorkflowRun
from ..settings import Credential, Settings
from . import xdist
from .options import is_offline
from .redact_pytest import clean_logs, clean_terminal
from .session_state import state_of
from .settings_source import check_options, check_second, resolved

if TYPE_CHECKING:
    from ..emulator.handle import EmulatorProcess, Ready
    from ..engine.engine import Engine
    from ..engine.pending import PendingRun
    from ..engine.stats import StatsSnapshot, Status
    from ..engine.two_engines import TwoEngines
    from ..engine.values import Ahead, CollectedTests
    from ..snapshots.acceptance import Received
    from ..storage.recorder import RunRecorder
    from .run_storage import History


class EngineApi(Protocol):
    """An engine, of this process or of another."""

    def ahead(self, runs: Iterable[Ahead], *, confirmations: int | None = None) -> None:
        """Starts declared runs before their tests request them.

        Args:
            runs: the runs.
            confirmations: how many processes must submit each of them; None: as many as may get the test.
        """

    def submit(self, request: RunRequest, key: str = "") -> PendingRun:
        """Starts a run, or takes the one that was started ahead for this key."""

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs."""

    def forget(self, key: str) -> None:
        """The test of this key is over."""

    def take_back_refusals(self, references: Collection[str]) -> None:
        """The refusals of these runs were what their test expected."""


class Runtime(Protocol):
    """Settings, emulator and engine."""

    worker_prefix: str
    redactor: Redactor

    @property
    def settings(self) -> Settings:
        """The settings after the project's hook; the emulator's part may still be open."""

    @property
    def target(self) -> Settings:
        """The settings with hosts and credentials of the emulator."""

    @property
    def against(self) -> Settings | None:
        """The settings of the second environment (``--wisebot-against``), its emulator's part included; else None."""

    @property
    def emulator(self) -> Ready | None:
        """Where the emulator is, once it is started."""

    @property
    def engine(self) -> EngineApi:
        """The engine, which starts with its first use."""

    @property
    def no_ahead(self) -> str | None:
        """Why no run starts before its test requests it; None when runs may."""

    def mask(self, secret: Secret) -> None:
        """Masks a credential of one call from now on, in all processes."""

    def collect(self, tests: CollectedTests) -> None:
        """Takes the tests that were collected."""

    def refuse(self, problem: str) -> None:
        """Ends the session before its first test, with this problem; goes on where it is empty."""

    def close(self) -> None:
        """Cancels the runs that are left, and ends what was started."""


def local_runtime(config: pytest.Config) -> LocalRuntime:
    """The runtime of the process that owns the engine, made on first use; it ends with the session."""
    return state_of(config).one(_started, LocalRuntime)


def _started(config: pytest.Config) -> LocalRuntime:
    runtime = LocalRuntime(config)
    clean_output(config, runtime)
    return runtime


def load_engine() -> None:
    """Loads what runs need before the first test, which may have patched the names that these modules import."""
    import encodings.idna  # noqa: F401  # else loaded with the first host that is looked up

    from ..emulator import handle  # noqa: F401
    from ..engine import engine  # noqa: F401
    from ..storage import recorder  # noqa: F401
    from . import run_storage  # noqa: F401


def clean_output(config: pytest.Config, runtime: Runtime) -> None:
    """Cleans pytest's logs and terminal from now on, and closes the runtime at the session's end."""
    clean_logs(config, runtime.redactor)
    if not xdist.is_worker(config):
        clean_terminal(config, runtime.redactor)
    config.add_cleanup(runtime.close)


def refuses_ahead(config: pytest.Config) -> str | None:
    """The option that keeps every run until its test requests it; None without one.

    A session that may stop at any failure would have paid for runs that no test uses, and so would one whose tests run
    in processes of their own, which cannot start or use a run.
    """
    option = config.option
    given = {
        "--wisebot-no-ahead": option.wisebot_no_ahead,
        "-x or --maxfail": getattr(option, "maxfail", 0),
        "--stepwise": getattr(option, "stepwise", False),
        "--setup-only": getattr(option, "setuponly", False),
        "--forked": getattr(option, "forked", False),
    }
    return next((name for name, value in given.items() if value), None)


class LocalRuntime:
    """Settings, emulator and engine, each made when it is first needed, in whichever thread that is."""

    worker_prefix = ""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._variables = dict(os.environ)  # of the session's beginning: those that a test sets are its own
        self._lock = threading.RLock()
        self._emulators: dict[str, EmulatorProcess] = {}
        """By the name of the settings that have it: those of the first environment, and of the second."""
        self._tests: CollectedTests | None = None
        self._made: dict[str, Settings | ConfigurationError] = {}
        self.redactor = state_of(config).redactor
        self.events = Events(self.redactor)
        if (on_event := state_of(config).on_event) is not None:
            self.events.add_sink(on_event)
        self.begun: Engine | TwoEngines | None = None
        """The engine, if it was used; two of them, where there is a second environment."""
        self.begun_storage: History | None = None
        self.on_wait: Callable[[bool], None] = lambda _begins: None
        """Called when a test of this process begins to wait for a run, and when it stops waiting."""

    @property
    def settings(self) -> Settings:
        """The settings after the project's hook; the emulator's part is still open.

        Raises:
            ConfigurationError: something in them, or in those of the second environment, is wrong, or they name a
                protected environment.
        """
        __tracebackhide__ = True
        return self._once("settings", self._make_settings)

    @property
    def unguarded(self) -> Settings:
        """The settings to show, and not to run by: they may name a protected environment.

        Raises:
            ConfigurationError: something in them is wrong.
        """
        __tracebackhide__ = True
        return self._once("unguarded", self._make_unguarded)

    @property
    def unguarded_against(self) -> Settings | None:
        """The settings of the second environment, to show and not to run by; None without one.

        Raises:
            ConfigurationError: something in them is wrong, or nothing can be compared with them.
        """
        __tracebackhide__ = True
        name = self._config.option.wisebot_against
        return None if name is None else self._once("unguarded against", lambda: self._make_unguarded(name))

    @property
    def target(self) -> Settings:
        """The settings with hosts and credentials of the emulator, which is started where the environment has one.

        Raises:
            ConfigurationError: as for `settings`; or the emulator cannot be started.
        """
        __tracebackhide__ = True
        return self._once("target", lambda: self._make_target("target", self.settings))

    @property
    def against(self) -> Settings | None:
        """Likewise those of the second environment; None without one.

        Raises:
            ConfigurationError: as for `target`.
        """
        __tracebackhide__ = True
        _ = self.settings  # which checks both
        second = self.unguarded_against
        return None if second is None else self._once("against", lambda: self._make_target("against", second))

    @property
    def emulator(self) -> Ready | None:
        """Where the emulator is, once `target` has started it; None without one."""
        started = self._emulators.get("target")
        return started.ready if started is not None else None

    @property
    def engine(self) -> Engine | TwoEngines:
        """The one engine, or that of each environment, whose background threads start with their first use.

        Raises:
            ConfigurationError: as for `target`.
        """
        __tracebackhide__ = True
        with self._lock:
            if self.begun is None:
                self.begun = self._make_engine(self.target, self.against)
            return self.begun

    def _make_engine(self, target: Settings, against: Settings | None) -> Engine | TwoEngines:
        from ..engine.engine import Engine

        def engine(settings: Settings, keeper: RunRecorder, prefix: str = "r") -> Engine:
            sockets = state_of(self._config).sockets
            return Engine(settings, self.redactor, self.on_wait, self._variables, keeper, sockets, prefix)

        first = engine(target, self.storage.keeper)
        if against is None:
            return first
        from ..engine.two_engines import TwoEngines

        try:
            return TwoEngines(first, engine(against, self.storage.keeper_beside(), prefix="a"))
        except BaseException:
            first.close()
            raise

    @property
    def storage(self) -> History:
        """What the session keeps, and from where it takes runs.

        Raises:
            ConfigurationError: as for `settings`; or the options contradict each other, or name nothing.
        """
        __tracebackhide__ = True
        with self._lock:
            if self.begun_storage is None:
                from .run_storage import History

                compare = Comparison(self.settings, self.redactor)
                on_collected = state_of(self._config).on_collected
                self.begun_storage = storage = History(
                    self._config,
                    self.settings,
                    self.redactor,
                    compare,
                    self.events,
                    on_collected,
                    self.unguarded_against,
                )
                if self._tests is not None:
                    storage.collect(self._tests)
            return self.begun_storage

    def mask(self, secret: Secret) -> None:
        """Masks a credential of one call from now on."""
        self.redactor.add(secret)

    def collect(self, tests: CollectedTests) -> None:
        """Takes the tests that were collected."""
        with self._lock:
            self._tests = tests
            if self.begun_storage is not None:
                self.begun_storage.collect(tests)

    @property
    def numbers_against(self) -> tuple[str, StatsSnapshot] | None:
        """The second environment and the numbers of its runs; None without one, or before the first run."""
        second: Engine | None = getattr(self.begun, "second", None)
        return None if second is None else (self._config.option.wisebot_against, second.numbers())

    def refuse(self, problem: str) -> None:
        """Ends the session before its first test.

        Raises:
            pytest.UsageError: there is a problem.
        """
        if problem:
            raise pytest.UsageError(problem)

    def status(self) -> Status | None:
        """The progress of the runs; None before the first one."""
        return self.begun.status() if self.begun is not None else None

    @property
    def no_ahead(self) -> str | None:
        """Why no run starts before its test requests it; None when runs may."""
        return refuses_ahead(self._config)

    def close(self) -> None:
        """Cancels the runs that are left, and ends engine and emulator."""
        try:
            if self.begun is not None:
                self.begun.close()
            if self.begun_storage is not None and self.begun_storage.session is not None:
                self.begun_storage.session.close()
        finally:
            for emulator in self._emulators.values():
                emulator.stop()

    def _once(self, name: str, make: Callable[[], Settings]) -> Settings:
        """The first result or refusal of ``make``: a hook is called once, a broken emulator started once."""
        __tracebackhide__ = True
        with self._lock:
            if name not in self._made:
                try:
                    self._made[name] = make()
                except ConfigurationError as error:
                    self._made[name] = error
        made = self._made[name]
        if isinstance(made, ConfigurationError):
            raise made.with_traceback(None) from None
        return made

    def _make_settings(self) -> Settings:
        settings, against = self.unguarded, self.unguarded_against
        if against is not None:
            check_second(settings, against, self._config)
        for one in filter(None, (settings, against)):
            if (refusal := one.refusal()) is not None and not is_offline(self._config):
                raise ConfigurationError(refusal)
        return settings

    def _make_unguarded(self, against: str | None = None) -> Settings:
        if against is not None:
            check_options(self.unguarded, self._config)
        settings = resolved(self._config, self._variables, against=against)
        self.redactor.add(*settings.credentials())
        settings = self._after_hook(settings)
        self.redactor.add(*settings.credentials())
        self.redactor.follow(settings.redact)
        return settings

    def _after_hook(self, settings: Settings) -> Settings:
        try:
            changed = self._config.hook.pytest_wisebot_settings(config=self._config, settings=settings)
        except (ConfigurationError, pytest.UsageError) as error:  # already in the user's words
            raise type(error)(self.redactor.clean(str(error))) from None
        except pytest.exit.Exception as error:
            raise pytest.exit.Exception(self.redactor.clean(error.msg), error.returncode) from None
        except Exception as error:  # noqa: BLE001 - without its frames: they hold what the hook fetched
            where = traceback.extract_tb(error.__traceback__)[-1]
            raise ConfigurationError(
                f"pytest_wisebot_settings: {Path(where.filename).name}, line {where.lineno}: "
                f"{type(error).__name__}: {self.redactor.clean(str(error))}"
            ) from None
        if changed is None:
            return settings
        if not isinstance(changed, Settings):
            got = type(changed).__name__
            raise ConfigurationError(f"pytest_wisebot_settings: expected Settings or None, got {got}")
        return changed.returned_by_hook(settings)

    def _make_target(self, name: str, settings: Settings) -> Settings:
        if settings.emulated_by is None or is_offline(self._config):
            return settings
        from ..emulator.handle import EmulatorProcess

        folder = settings.file.parent if settings.file else self._config.rootpath
        self._emulators[name] = started = EmulatorProcess.start(settings.emulated_by, folder)
        settings = _emulated(settings, started.ready)
        self.redactor.add(*settings.credentials())
        return settings


def _emulated(settings: Settings, ready: Ready) -> Settings:
    """The settings, completed by those of the emulator."""
    given_by = f"emulator {settings.emulator}"

    def credential(value: str) -> Any:
        return Credential(given_by, secret=Secret(value))

    return dataclasses.replace(
        settings,
        origin=ready.origin,
        base_url=ready.base_url,
        token=settings.token or credential(ready.token),
        emulated={name: credential(secret) for name, secret in ready.secrets.items()},
        emulated_fallback=credential(ready.fallback_secret),
        sources={**settings.sources, "origin": given_by, "base-url": given_by},
    )


class Comparison:
    """Compares runs with recordings or with those of another environment, as snapshots are compared."""

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        self._rules = settings.snapshots
        self._redactor = redactor

    def __call__(self, recorded: WorkflowRun, run: WorkflowRun) -> list[str]:
        """The differences, line by line; empty if equal. Each run is held against its own time."""
        return self.beside(recorded, run, ())[0]

    def beside(
        self, first: WorkflowRun, second: WorkflowRun, repetitions: Iterable[WorkflowRun]
    ) -> tuple[list[str], list[str]]:
        """The differences of the second run from the first, line by line, and the paths that were left out.

        Args:
            first: the run that is expected.
            second: the run that is compared with it.
            repetitions: of the first. A path that differs in one of them differs by itself, and is left out; ``ok``
                never is.
        """
        from ..snapshots.acceptance import reconciled
        from ..snapshots.diff import diff_lines
        from ..snapshots.learning import courses, path_text, without_places

        one, other = self._normal(first), self._normal(second)
        if not diff_lines(one.value, other.value):
            return [], []
        expected, received = reconciled(one, other)
        again = [self._normal(run) for run in repetitions if run.ok == first.ok]
        noise = {path for run in again for path in courses(reconciled(one, run))}
        told = sorted({path_text(path) for path in noise} if diff_lines(expected, received) else ())
        return diff_lines(without_places(expected, noise), without_places(received, noise)), told

    def _normal(self, run: WorkflowRun) -> Received:
        """The compared part of a run, clean: a recording was written clean."""
        from ..snapshots.acceptance import Received
        from ..snapshots.moments import Nearness, Span
        from ..snapshots.normalise import NormaliserConfig, normalise
        from ..snapshots.volatile import without_volatile

        compared: dict[str, Any] = {"ok": run.ok}
        compared |= {"result": run.result} if run.has_result else {}
        compared |= {"error": run.error} if run.error is not None else {}
        compared |= {"extra": rest} if (rest := {key: run.extra[key] for key in run.extra if key != "runId"}) else {}
        said = self._rules.of([run.workflow])
        habits = NormaliserConfig(said.keys, said.patterns, said.keep, said.volatile)
        clean = dict(zip(compared, self._redactor.clean_json(list(compared.values())), strict=True))
        steady, near = without_volatile(clean, habits.volatile_paths, [((), ())]), Nearness([Span.of(run)])
        normal = normalise(steady, inputs=run.inputs, run_id=run.run_id, habits=habits, near=near)
        return Received(normal, steady, near)
