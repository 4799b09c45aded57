"""What a worker of xdist holds in the place of an `Owner`: a connection to the controller, which owns the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, WisebotError
from ..redaction import Redactor
from ..settings import Settings

if TYPE_CHECKING:
    from ..emulator.handle import Ready
    from ..engine.remote import RemoteEngine


class Guest:
    """Settings, emulator and engine of the controller, as one of its workers sees them.

    Args:
        door: what the controller left in ``workerinput``.
        worker: this worker's name.
        collected: tests are being collected, and none runs yet.
    """

    def __init__(self, door: dict[str, Any], worker: str, *, collected: bool) -> None:
        from ..engine.remote import RemoteEngine

        self.redactor = Redactor()
        self.each = f"{worker}:" if door["each"] else ""
        self._known: dict[str, Any] | WisebotError | None = None
        self._settings: Settings | None = None
        self._remote: RemoteEngine | ConfigurationError
        try:
            self._remote = RemoteEngine((door["host"], door["port"]), door["key"], worker, collected=collected)
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
            from ..engine.wire import settings_from_dict

            self._settings = settings_from_dict(self._described()["settings"])
            self.redactor.add(*self._settings.credentials())
        return self._settings

    @property
    def emulator(self) -> Ready | None:
        """Where the controller's emulator is; None without one."""
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

    def close(self) -> None:
        """Leaves the controller."""
        if not isinstance(self._remote, ConfigurationError):
            self._remote.close()

    def _described(self) -> dict[str, Any]:
        """What the controller said the one time that it was asked.

        Raises:
            WisebotError: why it said nothing.
        """
        __tracebackhide__ = True
        if self._known is None:
            try:
                self._known = self.engine.describe()
            except WisebotError as error:
                self._known = error
        if isinstance(self._known, WisebotError):
            raise self._known.with_traceback(None) from None
        return self._known
