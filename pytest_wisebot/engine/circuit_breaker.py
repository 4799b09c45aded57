"""Stops runs that would be refused like many before them, for the rest of the session."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from ..client import Target
from ..errors import AuthenticationFailed, CircuitOpen, ConnectionFailed, NotRun, Rejected
from ..exhaustion import OUT_OF
from ..runs import Api, Outcome

_About = tuple[Hashable, ...]

MOST_REFUSALS: Final = 5
"""Runs in a row that may be refused for one reason."""


@dataclass(slots=True)
class _Row:
    """Refusals of one kind in a row."""

    kind: str = ""
    refusals: int = 0


class CircuitBreaker:
    """Counts the runs in a row that were refused for one reason, each with all its retries, and opens at a limit.

    The reason concerns a host (not found, no listener, a firewall before it) or a credential. A webhook secret is a
    workflow's own, and so is a 403 of Wisebot: neither stops the runs of other workflows.
    """

    def __init__(self) -> None:
        self._rows: dict[_About, _Row] = {}

    def check(self, target: Target) -> None:
        """Lets an attempt pass.

        Raises:
            CircuitOpen: too many like it were refused in a row.
        """
        for about in _all_about(target):
            row = self._rows.get(about)
            if row is not None and row.refusals >= MOST_REFUSALS:
                raise _open(target, row)

    def judge(self, target: Target, outcome: Outcome) -> Outcome:
        """Counts the outcome of a run, and returns the outcome to report. Any other outcome than a refusal ends a row.

        Runs that were under way when the row became too long are refused like those before them: one message is enough
        for all of them.
        """
        if isinstance(outcome, NotRun) or _is_of_this_machine(outcome):
            return outcome
        about, kind = _refused(target, outcome)
        for other in _all_about(target):
            if other != about:
                self._rows.pop(other, None)
        if about is None:
            return outcome
        row = self._rows.get(about)
        if row is None or row.kind != kind:
            row = self._rows[about] = _Row(kind)
        row.refusals += 1
        return _open(target, row) if row.refusals > MOST_REFUSALS else outcome


def _open(target: Target, row: _Row) -> CircuitOpen:
    return CircuitOpen(f"{MOST_REFUSALS} runs in a row had failed at {target.host}: {row.kind}")


def _is_of_this_machine(outcome: Outcome) -> bool:
    """Whether a run had no connection for want of a descriptor here: the cause is not the host."""
    return isinstance(outcome, ConnectionFailed) and outcome.reason.startswith(OUT_OF)


def _refused(target: Target, outcome: Outcome) -> tuple[_About | None, str]:
    """The refused host or credential, and the reason."""
    if isinstance(outcome, ConnectionFailed) or type(outcome) is Rejected:  # the latter by a firewall before Wisebot
        return _the_host(target), outcome.reason
    if isinstance(outcome, AuthenticationFailed):
        of_a_run = outcome.attempts > 0  # and not by the check of the token before the first run
        for_one_workflow = target.api is Api.WEBHOOK or (outcome.status_code == 403 and of_a_run)
        return (_the_pair(target) if for_one_workflow else _the_credential(target)), outcome.reason
    return None, ""


def _all_about(target: Target) -> list[_About]:
    return [_the_host(target), _the_credential(target), _the_pair(target)]


def _the_host(target: Target) -> _About:
    return ("host", target.host)


def _the_credential(target: Target) -> _About:
    return ("credential", target.host, target.secret or target.credential)


def _the_pair(target: Target) -> _About:
    return ("pair", target.host, target.secret or target.credential, target.workflow)
