"""Stops runs that would be refused like many before them, for the rest of the session."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from typing import Final

from ..client import Target
from ..errors import (
    AuthenticationFailed,
    CircuitOpen,
    ConnectionFailed,
    NotRun,
    RateLimited,
    Rejected,
    ServiceUnavailable,
)
from ..exhaustion import OUT_OF
from ..runs import Api, Outcome

_About = tuple[Hashable, ...]

MOST_REFUSALS: Final = 5
"""Runs in a row that may be refused for one reason, and times in a row that Wisebot may ask to wait."""

LEAST_WAITED: Final = 60.0
"""Seconds that Wisebot asks to wait, all added, before its quota counts as exhausted: short pauses are its everyday."""

HELD_BACK: Final = "held back"
"""How the reason of a run begins that was not sent because of another run's ``Retry-After``."""


@dataclass(slots=True)
class _Row:
    """Refusals of one kind in a row."""

    kind: str = ""
    runs: list[str] = field(default_factory=list)
    """The references of the runs that were refused."""


@dataclass(slots=True)
class _Pauses:
    """Pauses of one host, one after the other, after which no run was answered in another way."""

    seconds: list[float] = field(default_factory=list)
    message: str = ""
    """Why no more runs are sent there; empty while they are."""


class CircuitBreaker:
    """Counts the runs in a row that were refused for one reason, each with all its retries, and opens at a limit.

    It opens, too, where a host asks to wait again after each pause: its quota is exhausted.

    The reason concerns a host (not found, no listener, a firewall before it) or a credential. A webhook secret is a
    workflow's own, and so is a 403 of Wisebot: neither stops the runs of other workflows.
    """

    def __init__(self) -> None:
        self._rows: dict[_About, _Row] = {}
        self._pauses: dict[str, _Pauses] = {}

    def check(self, target: Target) -> None:
        """Lets an attempt pass.

        Raises:
            CircuitOpen: too many like it were refused in a row.
        """
        pauses = self._pauses.get(target.host)
        if pauses is not None and pauses.message:
            raise CircuitOpen(pauses.message)
        for about in _all_about(target):
            row = self._rows.get(about)
            if row is not None and len(row.runs) >= MOST_REFUSALS:
                raise _open(target, row)

    def asked_to_wait(self, target: Target, seconds: float) -> bool:
        """Counts a pause that a host asks for, the attempts that it refused at once as one; True if it is the last."""
        pauses = self._pauses.setdefault(target.host, _Pauses())
        pauses.seconds.append(seconds)
        opens = len(pauses.seconds) >= MOST_REFUSALS and sum(pauses.seconds) >= LEAST_WAITED and not pauses.message
        if opens:
            pauses.message = f"Wisebot asked to wait {_in_words(pauses.seconds)} in a row, at {target.host}"
        return opens

    def judge(self, target: Target, outcome: Outcome, reference: str = "") -> Outcome:
        """Counts the outcome of a run, and returns the outcome to report. Any other outcome than a refusal ends a row.

        Runs that were under way when the row became too long are refused like those before them: one message is enough
        for all of them.

        Args:
            target: what the run was sent to.
            outcome: how it ended.
            reference: its name in the session's event log.
        """
        if isinstance(outcome, NotRun) or _is_of_this_machine(outcome) or _is_held_back(outcome):
            return outcome
        if not (isinstance(outcome, RateLimited | ServiceUnavailable) and outcome.retry_after is not None):
            self._pauses.pop(target.host, None)
        about, kind = _refused(target, outcome)
        for other in _all_about(target):
            if other != about:
                self._rows.pop(other, None)
        if about is None:
            return outcome
        row = self._rows.get(about)
        if row is None or row.kind != kind:
            row = self._rows[about] = _Row(kind)
        row.runs.append(reference)
        return _open(target, row) if len(row.runs) > MOST_REFUSALS else outcome

    def take_back(self, references: Collection[str]) -> None:
        """Takes the refusals of these runs back: the test that got them expected them."""
        for row in self._rows.values():
            row.runs = [run for run in row.runs if run not in references]


def _open(target: Target, row: _Row) -> CircuitOpen:
    return CircuitOpen(f"{MOST_REFUSALS} runs in a row had failed at {target.host}: {row.kind}")


def _is_of_this_machine(outcome: Outcome) -> bool:
    """Whether a run had no connection for want of a descriptor here: the cause is not the host."""
    return isinstance(outcome, ConnectionFailed) and outcome.reason.startswith(OUT_OF)


def _is_held_back(outcome: Outcome) -> bool:
    """Whether a run was not sent because of the pause that the answer to another one imposed."""
    return isinstance(outcome, RateLimited) and outcome.reason.startswith(HELD_BACK)


def _in_words(seconds: list[float]) -> str:
    times = {5: "five"}.get(len(seconds), str(len(seconds)))
    shortest, longest = f"{min(seconds):.0f}", f"{max(seconds):.0f}"
    return f"{longest if shortest == longest else f'{shortest} to {longest}'} s {times} times"


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
