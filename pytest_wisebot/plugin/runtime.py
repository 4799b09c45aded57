"""What the process that owns the engine holds: settings, emulator, engine, credentials to mask. One for each session.

Without xdist that is the only process; under xdist it is the controller, which the workers ask (see `guest`).
"""

from __future__ import annotations

import dataclasses
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..event_log import Events
from ..redaction import Secret
from ..settings import Credential, Settings, resolve
from ..settings.fields import given_options
from .leak_scan import last_look_of
from .options import asks_for_report, is_offline
from .redact_pytest import clean_terminal, redactor_of
from .redact_reports import clean_logs

if TYPE_CHECKING:
    from ..emulator.handle import EmulatorProcess, Ready
    from ..engine.engine import Engine
    from ..engine.stats import Status
    from ..engine.values import CollectedTests
    from .run_storage import History

_KEY = pytest.StashKey["LocalRuntime"]()


def owner_of(config: pytest.Config) -> LocalRuntime:
    """The session's owner, made on first use; it ends with the session."""
    owner = config.stash.get(_KEY, None)
    if owner is None:
        owner = config.stash[_KEY] = LocalRuntime(config)
        if asks_for_report(config):
            from .reporting import reporting_of

            if (reporting := reporting_of(config)) is not None:
                reporting.follow(owner)
        clean_logs(config, owner.redactor)
        clean_terminal(config, owner.redactor)
        last_look_of(config)
        config.add_cleanup(owner.close)
    return owner


def settings_hooks(config: pytest.Config) -> list[str]:
    """The files whose ``pytest_wisebot_settings`` this process knows."""
    found = (getattr(one.plugin, "__file__", None) for one in config.hook.pytest_wisebot_settings.get_hookimpls())
    return sorted(file for file in found if file is not None)


class LocalRuntime:
    """Settings, emulator and engine, each made when it is first needed. Its threads may ask it at once."""

    each = ""
    """Stands before the keys of this process's tests where several processes run the same ones."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._variables = dict(os.environ)  # of the session's beginning: what a test sets is its own
        self._lock = threading.RLock()
        self._emulator: EmulatorProcess | None = None
        self._engine: Engine | None = None
        self._history: History | None = None
        self._census: CollectedTests | None = None
        self._made: dict[str, Settings | ConfigurationError] = {}
        self.redactor = redactor_of(config)
        self.events = Events(self.redactor)
        """Told of each run and each test that has ended."""
        self._on_collected: Callable[[Mapping[str, Any]], None] = _nobody_wants_to_know
        self.on_wait: Callable[[bool], None] = _nobody_minds
        """Told when a test of this process begins to wait for a run, and when it has ended to."""

    @property
    def settings(self) -> Settings:
        """The settings after the project's hook; the emulator's part is still open.

        Raises:
            ConfigurationError: something in them is wrong, or they name a protected environment.
        """
        __tracebackhide__ = True
        return self._once("settings", self._made_settings)

    @property
    def unguarded(self) -> Settings:
        """The settings to look at, and not to run by: they may name a protected environment.

        Raises:
            ConfigurationError: something in them is wrong.
        """
        __tracebackhide__ = True
        return self._once("unguarded", self._made_unguarded)

    @property
    def target(self) -> Settings:
        """The settings with hosts and credentials of the emulator, which is started where the environment has one.

        Raises:
            ConfigurationError: as for `settings`; or the emulator cannot be started.
        """
        __tracebackhide__ = True
        return self._once("target", self._made_target)

    @property
    def emulator(self) -> Ready | None:
        """Where the emulator is, once `target` has started it; None without one."""
        return self._emulator.ready if self._emulator is not None else None

    @property
    def engine(self) -> Engine:
        """The one engine, whose background thread starts with its first use.

        Raises:
            ConfigurationError: as for `target`.
        """
        __tracebackhide__ = True
        with self._lock:
            if self._engine is None:
                from ..engine.engine import Engine

                settings, keeper = self.target, self.history.keeper
                self._engine = Engine(settings, self.redactor, self.on_wait, self._variables, keeper)
            return self._engine

    @property
    def history(self) -> History:
        """What the session keeps, and from what it takes runs.

        Raises:
            ConfigurationError: as for `settings`; or the options contradict each other, or name nothing.
        """
        __tracebackhide__ = True
        with self._lock:
            if self._history is None:
                from .drift import Comparing
                from .run_storage import History

                compare = Comparing(self.settings, self.redactor)
                made = History(self._config, self.settings, self.redactor, compare, self.events, self._on_collected)
                if self._census is not None:
                    made.collect(self._census)
                self._history = made
            return self._history

    @property
    def begun_history(self) -> History | None:
        """What the session keeps, if anybody has asked."""
        return self._history

    def collect(self, census: CollectedTests) -> None:
        """Learns which tests there are."""
        with self._lock:
            self._census = census
            if self._history is not None:
                self._history.collect(self._census)

    def tell(self, log: Callable[[bytes], None], on_collected: Callable[[Mapping[str, Any]], None]) -> None:
        """From now on this log gets each event, and whoever keeps it is told what its first line says."""
        self.events.add_sink(log)
        self._on_collected = on_collected

    @property
    def begun(self) -> Engine | None:
        """The engine, if anything has used it."""
        return self._engine

    def status(self) -> Status | None:
        """How far the runs are; None before the first one."""
        return self._engine.status() if self._engine is not None else None

    @property
    def no_ahead(self) -> str | None:
        """Why no run starts before its test asks; None when they may."""
        from .prefetch import refusal

        return refusal(self._config)

    def close(self) -> None:
        """Gives up the runs that are left, and ends engine and emulator."""
        try:
            if self._engine is not None:
                self._engine.close()
            if self._history is not None and self._history.session is not None:
                self._history.session.close()
        finally:
            if self._emulator is not None:
                self._emulator.stop()

    def _once(self, name: str, make: Callable[[], Settings]) -> Settings:
        """What ``make`` gave or refused the first time: a hook is asked once, a broken emulator started once."""
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

    def _made_settings(self) -> Settings:
        settings = self.unguarded
        if (refusal := settings.refusal()) is not None and not is_offline(self._config):
            raise ConfigurationError(refusal)
        return settings

    def _made_unguarded(self) -> Settings:
        settings = resolved(self._config, self._variables)
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
        return changed.changed_by_hook(settings)

    def _made_target(self) -> Settings:
        settings = self.settings
        if settings.emulated_by is None or is_offline(self._config):
            return settings
        from ..emulator.handle import EmulatorProcess

        folder = settings.file.parent if settings.file else self._config.rootpath
        self._emulator = EmulatorProcess.start(settings.emulated_by, folder)
        settings = _emulated(settings, self._emulator.ready)
        self.redactor.add(*settings.credentials())
        return settings


def _nobody_wants_to_know(facts: Mapping[str, Any]) -> None:
    """Where no report is asked for."""
    del facts


def _nobody_minds(begins: bool) -> None:
    """Before there is somebody to tell."""
    del begins


def resolved(config: pytest.Config, variables: Mapping[str, str], env: str | None = None) -> Settings:
    """The settings as options, ``wisebot.toml`` and variables give them, before the project's hook.

    Args:
        config: for the options.
        variables: environment variables.
        env: the environment, in place of the one that is chosen.

    Raises:
        ConfigurationError: something in them is wrong.
    """
    given = given_options(config.option) | ({"env": env} if env is not None else {})
    cwd = config.invocation_params.dir
    return resolve(given, start=_common_folder(config), root=config.rootpath, cwd=cwd, variables=variables)


def of_every_environment(config: pytest.Config) -> Iterator[Settings]:
    """The settings of every environment, and before them those in force, to which the project's hook has added.

    Raises:
        ConfigurationError: something in the settings is wrong.
    """
    chosen = owner_of(config).unguarded
    yield chosen
    for name in chosen.environments:
        yield resolved(config, os.environ, env=name)


def _common_folder(config: pytest.Config) -> Path:
    """The folder that the arguments have in common; pytest's root where they are no paths."""
    cwd = config.invocation_params.dir
    paths = [path for argument in config.args if (path := cwd / argument.partition("::")[0]).exists()]
    if not paths:
        return config.rootpath
    common = Path(os.path.commonpath([path.absolute() for path in paths]))
    return common if common.is_dir() else common.parent


def _emulated(settings: Settings, ready: Ready) -> Settings:
    """The settings with what the emulator gives where they give nothing."""
    given_by = f"emulator {settings.emulator}"

    def given(value: str) -> Any:
        return Credential(given_by, secret=Secret(value))

    return dataclasses.replace(
        settings,
        origin=ready.origin,
        base_url=ready.base_url,
        token=settings.token or given(ready.token),
        emulated={name: given(secret) for name, secret in ready.secrets.items()},
        emulated_fallback=given(ready.fallback_secret),
        sources={**settings.sources, "origin": given_by, "base-url": given_by},
    )
