"""What one process holds for the whole session: its settings, its engine, its emulator, its credentials to mask."""

from __future__ import annotations

import dataclasses
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import ConfigurationError
from ..redaction import Redactor
from ..runs import Api, RunRequest, WorkflowRun
from ..settings import Credential, Given, Settings, as_credential, read_credential, resolve
from .asking import Asking
from .cleaning import clean_logs
from .reports import Reports
from .xdist import share_of

if TYPE_CHECKING:
    from ..emulator import EmulatorHandle
    from ..emulator.handle import EmulatorProcess
    from ..engine import Engine, PendingRun

_KEY = pytest.StashKey["WisebotSession"]()


def session_of(config: pytest.Config) -> WisebotSession:
    """The session's one object, made and registered on first use."""
    session = config.stash.get(_KEY, None)
    if session is None:
        session = config.stash[_KEY] = WisebotSession(config)
        config.pluginmanager.register(session.asking, "wisebot-asking")
        config.pluginmanager.register(session.reports, "wisebot-session")
        clean_logs(config, session.redactor)
        config.add_cleanup(session.close)
    return session


def session_asked_by(request: pytest.FixtureRequest) -> WisebotSession:
    """The session's object, which from now on knows the test that asks.

    A test that asks by ``request.getfixturevalue`` alone wakes the plugin up in the middle of its own protocol.
    """
    session = session_of(request.config)
    session.asking.notice(getattr(request, "_pyfuncitem", None))
    return session


class WisebotSession:
    """Settings, redactor, emulator and engine of one process, each made when it is first needed."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._emulator: EmulatorProcess | None = None
        self._engine: Engine | None = None
        self._made: dict[str, Settings | ConfigurationError] = {}
        self.redactor = Redactor()
        self.asking = Asking()
        self.reports = Reports(self.asking, self.redactor, self._traceback_of)

    @property
    def settings(self) -> Settings:
        """The settings after the project's hook; the emulator's part is still open.

        Raises:
            ConfigurationError: something in them is wrong, or they name a protected environment.
        """
        __tracebackhide__ = True
        return self._once("settings", self._made_settings)

    @property
    def target(self) -> Settings:
        """The settings with hosts and credentials of the emulator, which is started where the environment has one.

        Raises:
            ConfigurationError: as for `settings`; or the emulator cannot be started.
        """
        __tracebackhide__ = True
        return self._once("target", self._made_target)

    def _once(self, name: str, make: Callable[[], Settings]) -> Settings:
        """What ``make`` gave or refused the first time: a hook is asked once, a broken emulator started once."""
        __tracebackhide__ = True
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
        settings = _resolved(self._config)
        settings = dataclasses.replace(settings, concurrency=share_of(settings.concurrency, self._config))
        self.redactor.add(*settings.credentials())
        settings = self._after_hook(settings)
        self.redactor.add(*settings.credentials())
        if (refusal := settings.refusal()) is not None:
            raise ConfigurationError(refusal)
        return settings

    def _after_hook(self, settings: Settings) -> Settings:
        try:
            changed = self._config.hook.pytest_wisebot_settings(config=self._config, settings=settings)
        except (ConfigurationError, pytest.UsageError, pytest.exit.Exception):  # already in the user's words
            raise
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
        if settings.emulated_by is None:
            return settings
        from ..emulator.handle import EmulatorProcess

        folder = settings.file.parent if settings.file else self._config.rootpath
        self._emulator = EmulatorProcess.start(settings.emulated_by, folder)
        settings = _emulated(settings, self._emulator)
        self.redactor.add(*settings.credentials())
        return settings

    @property
    def engine(self) -> Engine:
        """The one engine, whose background thread starts with its first use."""
        if self._engine is None:
            from ..engine import Engine

            self._engine = Engine(self.target, self.redactor)
        return self._engine

    def emulator(self) -> EmulatorHandle:
        """A handle on the emulator, for the asking test's own runs.

        Raises:
            ConfigurationError: the environment has none.
        """
        __tracebackhide__ = True
        target = self.target
        if self._emulator is None:
            where = f'environment "{target.environment}"' if target.environment else "this session"
            host = target.origin or target.base_url or "no host"
            raise ConfigurationError(f"wisebot_emulator: {where} runs against {host}, not an emulator")
        from ..emulator import EmulatorHandle

        return EmulatorHandle(self._emulator.ready, lambda: self.asking.tag)

    def _traceback_of(self, run: WorkflowRun) -> str:
        """What a workflow function of the emulator raised in this run; the answer itself does not tell."""
        if self._emulator is None or run.ok or run.run_id is None:
            return ""
        from ..emulator import EmulatorHandle

        try:
            return EmulatorHandle(self._emulator.ready).log(run.run_id)
        except ConfigurationError:  # the emulator has ended: what is known of the run is shown all the same
            return ""

    def start(self, requests: list[RunRequest], max_seconds: float | None = None) -> list[PendingRun]:
        """Hands runs to the engine, and remembers them for what the test's failure will show."""
        __tracebackhide__ = True
        started = self.engine.submit_all(requests)
        self.asking.remember(started, max_seconds)
        return started

    def credential(self, secret: str | None) -> Credential | None:
        """The secret of one call: ``env:NAME``, ``file:PATH`` (beside ``wisebot.toml``) or a value; masked from now on.

        Raises:
            ConfigurationError: it leads nowhere, or cannot be a credential.
        """
        __tracebackhide__ = True
        if secret is None:
            return None
        if not isinstance(secret, str):
            found = as_credential(secret, "secret=")
        else:
            folder = self.settings.file.parent if self.settings.file else self._config.rootpath
            found = read_credential(secret, "secret=", folder, os.environ)
        if found is None or found.secret is None:
            raise ConfigurationError(f"secret=: {found.problem if found else 'is none'}")
        self.redactor.add(found.secret)
        return found

    def close(self) -> None:
        """Gives up the runs that are left, and ends engine and emulator."""
        try:
            if self._engine is not None:
                self._engine.close()
        finally:
            if self._emulator is not None:
                self._emulator.stop()


def _resolved(config: pytest.Config) -> Settings:
    option, cwd = config.option, config.invocation_params.dir
    given = Given(
        env=option.wisebot_env,
        config=cwd / option.wisebot_config if option.wisebot_config is not None else None,
        origin=option.wisebot_origin,
        base_url=option.wisebot_base_url,
        secret=option.wisebot_secret,
        token=option.wisebot_token,
        api=Api(option.wisebot_api) if option.wisebot_api in ("webhook", "dashboard") else None,
        allow_protected=option.wisebot_allow_protected,
        timeout=option.wisebot_timeout,
        concurrency=option.wisebot_concurrency,
        retries=option.wisebot_retries,
    )
    return resolve(given, start=_common_folder(config), root=config.rootpath, cwd=cwd, variables=os.environ)


def _common_folder(config: pytest.Config) -> Path:
    """The folder that the arguments have in common; pytest's root where they are no paths."""
    cwd = config.invocation_params.dir
    paths = [path for argument in config.args if (path := cwd / argument.partition("::")[0]).exists()]
    if not paths:
        return config.rootpath
    common = Path(os.path.commonpath([path.absolute() for path in paths]))
    return common if common.is_dir() else common.parent


def _emulated(settings: Settings, process: EmulatorProcess) -> Settings:
    """The settings with what the emulator gives where they give nothing."""
    from ..redaction import Secret

    ready = process.ready
    given_by = f"emulator {settings.emulator}"
    return dataclasses.replace(
        settings,
        origin=ready.origin,
        base_url=ready.base_url,
        token=settings.token or Credential(given_by, secret=Secret(ready.token)),
        emulated={name: Credential(given_by, secret=Secret(secret)) for name, secret in ready.secrets.items()},
        emulated_fallback=Credential(given_by, secret=Secret(ready.fallback_secret)),
        sources={**settings.sources, "origin": given_by, "base-url": given_by},
    )
