"""A session's exit status: pytest's own, and what other plugins have made of it."""

from __future__ import annotations

import re
from typing import Any, Self

import pytest

_BY_MAXFAIL = re.compile(r"stopping after \d+ failures?|xdist\.dsession\.Interrupted: stopping after \d+ failures?")
"""How pytest and xdist word a session that ``-x`` or ``--maxfail`` has stopped: the failures themselves are counted."""


class ExitStatus:
    """A session's exit status: pytest's own, and what other plugins have made of it.

    A plugin fails a session by setting ``session.exitstatus``, which may be 1 already for failures that a gate
    forgives. Numbers cannot be compared then. While the session ends, ``session.exitstatus`` is an object of
    its own, equal to pytest's: a plugin that sets a status puts another object there.
    """

    def __init__(self) -> None:
        self._own: int | None = None
        self._failures = 0
        """The failures that pytest had counted before the plugins that end the session."""
        self._is_watching = False
        self._by_syrupy: list[int] = []
        """The exit codes of syrupy's own checks, which syrupy combines with the status by ``or``."""
        self._set_before = False
        self._interrupted = ""
        self.is_by_ctrl_c = False
        """Whether Ctrl-C has ended the session."""
        self._failed_by: list[str] = []

    def watch(self, session: pytest.Session, exitstatus: int) -> None:
        """Notices from now on when a plugin sets a status."""
        self._own, self._failures = int(exitstatus), session.testsfailed
        self._set_before = session.exitstatus is not exitstatus
        session.exitstatus = _Status(session.exitstatus)
        self._is_watching = True
        self._listen_to_syrupy(getattr(session.config, "_syrupy", None))

    def _listen_to_syrupy(self, syrupy: Any) -> None:
        """Remembers apart from all others whether syrupy fails the session, by its unused snapshots."""
        finish = getattr(syrupy, "finish", None)
        if finish is None:
            return

        def finish_and_remember() -> int:
            self._by_syrupy.append(int(finish()))
            return self._by_syrupy[-1]

        syrupy.finish = finish_and_remember

    def fail(self, session: pytest.Session, reason: str) -> None:
        """Fails the session for a reason of this plugin's own."""
        self.failed_by(reason)
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            failed = pytest.ExitCode.TESTS_FAILED
            session.exitstatus = _Status(failed) if type(session.exitstatus) is _Status else failed

    def failed_by(self, reason: str) -> None:
        """Something besides tests has failed the session."""
        if reason:
            self._failed_by.append(reason)

    def interrupted_by(self, error: BaseException) -> None:
        """The session was ended before its end, whatever exit code goes with it."""
        self._interrupted = f"{type(error).__name__}: {error}".removesuffix(": ")
        self.is_by_ctrl_c = isinstance(error, KeyboardInterrupt)

    def ended_as(self, session: pytest.Session, code: int) -> dict[str, Any]:
        """The exit status for the last line of the log.

        Args:
            session: pytest's.
            code: the exit code with which ``pytest_cmdline_main`` ended.
        """
        # A plugin that sets 0 takes back the failures that pytest has counted: the gate alone may forgive them.
        status = code or (self._own or 0)
        reasons = [
            *self._failed_by,
            *_stopped(session),
            *(["unused snapshots (syrupy)"] if any(self._by_syrupy) else []),
        ]
        if not reasons and self._was_set(session) and code == pytest.ExitCode.TESTS_FAILED:
            reasons.append(f"another plugin set exit code 1{_by_whom(session)}")
        elif status == pytest.ExitCode.TESTS_FAILED and not (session.testsfailed or self._failures or reasons):
            reasons.append("pytest's exit code 1 without a failed test")
        ended: dict[str, Any] = {"without_gate": status, "failed_by": reasons}
        return ended | ({"interrupted": self._interrupted} if self._interrupted else {})

    def _was_set(self, session: pytest.Session) -> bool:
        """Whether another plugin has set the status, even to the same number."""
        status = session.exitstatus
        if type(status) is _Status:
            return self._set_before or status.added > len(self._by_syrupy)
        return self._set_before or self._is_watching


def _by_whom(session: pytest.Session) -> str:
    """The plugins that may have set a status: those with a hook at the session's end, apart from pytest's own."""
    hooks = (session.config.hook.pytest_sessionfinish, session.config.hook.pytest_unconfigure)
    own = ("_pytest.", "pytest_wisebot.", "xdist.", "syrupy")
    found = [one for hook in hooks for one in hook.get_hookimpls() if not one.function.__module__.startswith(own)]
    names = list(dict.fromkeys(_plugin_name(session, one.plugin_name) for one in found))
    return f" ({'one of ' if names[1:] else ''}{', '.join(names)})" if names else ""


def _plugin_name(session: pytest.Session, name: str) -> str:
    """A plugin's name; of a ``conftest.py`` its path in the project."""
    root = str(session.config.rootpath)
    return name[len(root) + 1 :].replace("\\", "/") if name.startswith(root) else name


class _Status(int):
    """An exit status that is equal to pytest's, shows and pickles as pytest's, and is another object.

    Attributes:
        added: how often a plugin combined it with a status that it had already, as syrupy does.
    """

    _name_: str
    _value_: int
    added: int

    def __new__(cls, status: int, added: int = 0) -> Self:
        """The same number, with pytest's name for it."""
        made = super().__new__(cls, status)
        made._name_ = next((one.name for one in pytest.ExitCode if one == status), "")
        made._value_, made.added = int(status), added
        return made

    @property
    def name(self) -> str:
        """As that of a `pytest.ExitCode`."""
        return self._name_

    @property
    def value(self) -> int:
        """As that of a `pytest.ExitCode`."""
        return self._value_

    @property  # type: ignore[misc]  # so that isinstance() sees what pytest would have given
    def __class__(self) -> type:
        return pytest.ExitCode if self._name_ else int

    def __repr__(self) -> str:
        return repr(pytest.ExitCode(int(self))) if self._name_ else int.__repr__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.ExitCode if self._name_ else int), (int(self),)

    def __or__(self, other: int) -> int:
        if not other:
            return self
        return int(self) | other if other & ~int(self) else type(self)(self, self.added + 1)


def _stopped(session: pytest.Session) -> list[str]:
    """Why the session was stopped as a failure, unless the reason was the number of failed tests."""
    reason = str(session.shouldfail or "")
    return [f"stopped: {reason}"] if reason and not _BY_MAXFAIL.fullmatch(reason) else []
