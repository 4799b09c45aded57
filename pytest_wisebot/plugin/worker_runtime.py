"""The runtime of an xdist worker: a client of the controller, which owns the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError, WisebotError
from ..settings import Settings
from . import xdist
from .session_state import state_of
from .settings_source import settings_hooks

if TYPE_CHECKING:
    from ..emulator.handle import Ready
    from ..engine.values import CollectedTests
    from ..redaction import Secret
    from ..workers.remote_engine import RemoteEngine


class WorkerRuntime:
    """Settings, emulator and engine of the controller, as one of its workers sees them.

    Args:
        config: this worker's.
        collected: tests are being collected, and none runs yet.
    """

    def __init__(self, config: pytest.Config, *, collected: bool) -> None:
        from ..workers.remote_engine import RemoteEngine

        door, worker = xdist.door(config), xdist.worker_name(config)
        self._config = config
        self.redactor = state_of(config).redactor
        self.worker_prefix = f"{worker}:" if door["each"] else ""
        self._known: dict[str, Any] | WisebotError | None = None
        self._settings: Settings | None = None
        self._against: Settings | None = None
        self._remote: RemoteEngine | ConfigurationError
        try:
            if door["problem"]:
                raise ConfigurationError(f"the controller could not listen for its workers: {door['problem']}")
            # In every mode but "each" any worker may get any test.
            confirmations = 1 if door["each"] or xdist.worker_count(config) == 1 else 2
            self._remote = RemoteEngine(
                (door["host"], door["port"]),
                door["key"],
                worker,
                collected=collected,
                confirmations=confirmations,
                mask=self.redactor.add,
            )
        except ConfigurationError as error:
            self._remote = error

    @property
    def settings(self) -> Settings:
        """The controller's settings.

        Raises:
            ConfigurationError: the controller has none, or cannot be reached.
        """
        __tracebackhide__ = True
        return self.target

    @property
    def target(self) -> Settings:
        """The controller's settings, those of its emulator included.

        Raises:
            ConfigurationError: the controller has none, or cannot be reached.
        """
        __tracebackhide__ = True
        if self._settings is None:
            from ..workers.protocol import settings_from_dict

            described = self._described()
            if described["against"] is not None:
                self._against = settings_from_dict(described["against"])
                self.redactor.add(*self._against.credentials())
            self._settings = settings_from_dict(described["settings"])
            self.redactor.add(*self._settings.credentials())
            self.redactor.follow(self._settings.redact)
        return self._settings

    @property
    def against(self) -> Settings | None:
        """The controller's settings of the second environment; None without one. Raises what `target` does."""
        __tracebackhide__ = True
        _ = self.target
        return self._against

    @property
    def emulator(self) -> Ready | None:
        """The address of the controller's emulator; None without one."""
        from ..emulator.handle import Ready

        ready = self._described()["emulator"]
        return Ready.from_dict(ready) if ready is not None else None

    @property
    def engine(self) -> RemoteEngine:
        """The controller's engine.

        Raises:
            ConfigurationError: it cannot be reached.
        """
        __tracebackhide__ = True
        if isinstance(self._remote, ConfigurationError):
            raise self._remote.with_traceback(None) from None
        return self._remote

    @property
    def no_ahead(self) -> str | None:
        """Why no run starts before its test asks; None when they may."""
        reason: str | None = self._described()["no_ahead"]
        return reason

    def mask(self, secret: Secret) -> None:
        """Masks a credential of one call from now on, here and in all other processes."""
        known = self.redactor.count
        self.redactor.add(secret)
        if self.redactor.count != known and not isinstance(self._remote, ConfigurationError):
            self._remote.mask(secret)

    def collect(self, census: CollectedTests) -> None:
        """Sends the collected tests to the controller."""
        if not isinstance(self._remote, ConfigurationError):
            self._remote.collected(census)

    def refuse(self, problem: str) -> None:
        """Has the controller end the session, or go on: it waits for either before it hands out tests."""
        if not isinstance(self._remote, ConfigurationError):
            self._remote.refuse(problem)

    def close(self) -> None:
        """Leaves the controller."""
        if not isinstance(self._remote, ConfigurationError):
            self._remote.close()

    def _described(self) -> dict[str, Any]:
        """The controller's description of the session, asked for once.

        Raises:
            WisebotError: the reason why there is none.
        """
        __tracebackhide__ = True
        if self._known is None:
            try:
                self._known = self.engine.describe()
                self._check_hooks(self._known["hooks"])
            except WisebotError as error:
                self._known = error
        if isinstance(self._known, WisebotError):
            raise self._known.with_traceback(None) from None
        return self._known

    def _check_hooks(self, known: list[str]) -> None:
        """Checks that the controller has every settings hook: else runs would go, silently, to the wrong host.

        Raises:
            ConfigurationError: it lacks one that this worker found while it collected tests.
        """
        unknown = [file for file in settings_hooks(self._config) if file not in known]
        if unknown:
            raise ConfigurationError(
                f"pytest_wisebot_settings in {', '.join(unknown)} is not known to xdist's controller, which starts the "
                "runs and collects no tests: put it into the conftest.py of the rootdir, or of a folder that pytest is "
                "given"
            )
