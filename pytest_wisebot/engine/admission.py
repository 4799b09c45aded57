"""Decides which attempts may be under way: rules alone, without I/O, clock or thread.

`AdmissionQueue` bounds how many are under way at once, and chooses the next one. It admits an *attempt*, not a run:
between two attempts a run releases its slot, so that a halved cap holds for retries, too. Each call that needs the time
is given it, in seconds of any clock that only goes forward.

`CircuitBreaker` stops runs that would be refused like many before them, for the rest of the session.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
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

LONGEST_PAUSE: Final = 60.0
"""Seconds that one ``Retry-After`` shuts the queue, at most."""

QUIET: Final = 5.0
"""Seconds without a refusal after which a cap that was halved grows by one."""


class Priority(IntEnum):
    """The order of admission, from first to last."""

    AGAIN = auto()
    """A run that has begun: its deadline is ticking."""
    ASKED = auto()
    """A test asks for it now."""
    AHEAD = auto()
    """Declared; no test waits for it yet."""


class TicketState(Enum):
    """The state of a ticket."""

    OUTSIDE = auto()
    WAITING = auto()
    ADMITTED = auto()
    """It holds a slot, and a part of the budget that it may yet give back."""
    SENT = auto()
    """It holds a slot, and has used up its part of the budget."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One run's claim to a slot. It may join again after it has left, for its next attempt.

    Attributes:
        priority: the class in which it is admitted.
        seconds: the duration of the last such run; of those ahead the longest goes first, and those without go last.
        limit: seconds that a ``Retry-After`` may hold it back: what is left of its run's timeout.
        shut_before: seconds that the queue had been shut when it joined.
        lane: the tickets that are counted together, such as those of one workflow.
        lane_limit: how many of its lane may hold a slot at once; None: it has no lane.
    """

    priority: Priority = Priority.ASKED
    seconds: float | None = None
    limit: float = math.inf
    shut_before: float = 0.0
    lane: str = ""
    lane_limit: int | None = None
    state: TicketState = TicketState.OUTSIDE
    number: int = 0
    generation: int = 0


def _is_in_queue(ticket: Ticket, number: int) -> bool:
    """Whether an entry of a queue is not stale: its ticket waits, with the priority that it had then."""
    return ticket.state is TicketState.WAITING and ticket.number == number


@dataclass(slots=True)
class _Lane:
    """The tickets that one limit counts. A ticket that has left, or has another priority now, leaves a stale entry."""

    queue: list[tuple[Priority, float, int, Ticket]] = field(default_factory=list)
    waiting: int = 0
    flying: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the first ticket waits for one of its own lane."""
        limit = self.queue[0][-1].lane_limit
        return limit is not None and self.flying >= limit

    def sweep(self) -> bool:
        """Removes stale entries from the front; returns whether a ticket is left."""
        while self.queue:
            *_, number, ticket = self.queue[0]
            if _is_in_queue(ticket, number):
                return True
            heapq.heappop(self.queue)
        return False


class AdmissionQueue:
    """A queue in front of a number of slots, in lanes: a full lane holds up its own tickets, and no others.

    Args:
        cap: how many attempts may be under way at once.
        budget: how many may be sent in all; None sets no limit.
        quiet: seconds without a refusal after which a halved cap grows by one.
    """

    def __init__(self, cap: int, budget: int | None = None, quiet: float = QUIET) -> None:
        self.cap = cap
        self.budget = budget
        self.spent = 0
        self.waiting = 0
        self.flying = 0
        self.resumes_at = -math.inf
        """No ticket is admitted before this moment."""
        self._full = cap
        self._quiet = quiet
        self._quiet_since = -math.inf
        self._shut = 0.0
        """Seconds that the queue has been shut, and will be until `resumes_at`."""
        self._must_look = False
        """Whether a ticket may have been held back for too long since the last look."""
        self._generation = 0
        self._unsent = 0
        self._numbers = itertools.count()
        self._lanes: dict[str, _Lane] = {}

    def join(self, ticket: Ticket, now: float) -> None:
        """Adds a ticket to the queue."""
        if ticket.state is TicketState.OUTSIDE:
            ticket.state = TicketState.WAITING
            ticket.shut_before = self._shut_by(now)
            self._must_look |= now < self.resumes_at
            self.waiting += 1
            self._lane(ticket).waiting += 1
            self._enqueue(ticket)

    def prioritise(self, ticket: Ticket) -> None:
        """A test waits for a run that was merely ahead: it now goes before all that is ahead."""
        if ticket.priority is Priority.AHEAD:
            ticket.priority = Priority.ASKED
            if ticket.state is TicketState.WAITING:
                self._enqueue(ticket)

    def held_back(self) -> list[tuple[Ticket, float]]:
        """Takes out the tickets that are held back for longer than their limit, and returns them with the seconds.

        The seconds are those since a ticket joined in which the queue was shut, and will be as far as that is certain
        now. They do not include the wait for a free slot.
        """
        if not self._must_look:
            return []
        self._must_look = False
        entries = (entry for lane in self._lanes.values() for entry in lane.queue)
        waiting = [ticket for *_, number, ticket in entries if _is_in_queue(ticket, number)]
        found = [(ticket, self._shut - ticket.shut_before) for ticket in waiting]
        found = [(ticket, seconds) for ticket, seconds in found if seconds >= ticket.limit]
        for ticket, _ in found:
            self.leave(ticket)
        return found

    def held(self, ticket: Ticket, now: float) -> float:
        """Seconds that a ``Retry-After`` has held this ticket back since it joined."""
        return self._shut_by(now) - ticket.shut_before

    def admit(self, now: float) -> tuple[list[Ticket], list[Ticket]]:
        """Returns the tickets admitted now, and those rejected because the budget is spent."""
        self._grow(now)
        admitted: list[Ticket] = []
        rejected: list[Ticket] = []
        while (ticket := self._first()) is not None:
            if self._exhausted():
                rejected.append(ticket)
                self.leave(ticket)
            elif now >= self.resumes_at and self.flying < self.cap and self._affordable():
                admitted.append(ticket)
                self._admit_one(ticket)
            else:
                break
        return admitted, rejected

    def sent(self, ticket: Ticket) -> None:
        """The attempt has begun to go out: its part of the budget is spent, whatever the answer."""
        if ticket.state is TicketState.ADMITTED:
            ticket.state = TicketState.SENT
            self._unsent -= 1
            self.spent += 1

    def leave(self, ticket: Ticket) -> None:
        """Releases the slot, or the place in the queue. An attempt that was not sent has cost nothing."""
        if ticket.state is TicketState.WAITING:
            self.waiting -= 1
            self._lane(ticket).waiting -= 1
        elif ticket.state is not TicketState.OUTSIDE:
            self.flying -= 1
            self._lane(ticket).flying -= 1
            self._unsent -= ticket.state is TicketState.ADMITTED
        ticket.state = TicketState.OUTSIDE

    def limited(self, ticket: Ticket, retry_after: float | None, now: float) -> bool:
        """Wisebot asks for less: the cap is halved, and no ticket is admitted before ``retry_after`` is over.

        The other attempts that were admitted before the cap was halved will be refused for the same reason: they do not
        halve it again, and the result is False.
        """
        is_first = ticket.generation == self._generation
        if is_first:
            self._generation += 1
            self.cap = max(1, self.cap // 2)
        if retry_after is not None:
            resumes_at = now + min(retry_after, LONGEST_PAUSE)
            shut_until = max(self.resumes_at, now)
            if resumes_at > shut_until:
                self._shut += resumes_at - shut_until
                self._must_look = True
            self.resumes_at = max(self.resumes_at, resumes_at)
        self._quiet_since = max(now, self.resumes_at)
        return is_first

    def reopen(self, now: float) -> None:
        """Ends the pause: those that it holds back are to be stopped, and not to wait."""
        self._shut = self._shut_by(now)
        self.resumes_at = min(self.resumes_at, now)

    def wakes_at(self, now: float) -> float | None:
        """When to call `admit` again although nothing has happened; None when only events can change anything."""
        if not self.waiting:
            return None
        if now < self.resumes_at:
            return self.resumes_at
        return self._quiet_since + self._quiet if self.cap < self._full else None

    def _grow(self, now: float) -> None:
        while self.cap < self._full and now >= self._quiet_since + self._quiet:
            self.cap += 1
            self._quiet_since += self._quiet

    def _shut_by(self, now: float) -> float:
        return self._shut - max(0.0, self.resumes_at - now)

    def _exhausted(self) -> bool:
        return self.budget is not None and self.spent >= self.budget

    def _affordable(self) -> bool:
        """Whether the budget suffices even if all reserved attempts are sent."""
        return self.budget is None or self.spent + self._unsent < self.budget

    def _admit_one(self, ticket: Ticket) -> None:
        ticket.state = TicketState.ADMITTED
        ticket.generation = self._generation
        self.waiting -= 1
        self.flying += 1
        self._unsent += 1
        lane = self._lane(ticket)
        lane.waiting -= 1
        lane.flying += 1

    def _enqueue(self, ticket: Ticket) -> None:
        ticket.number = next(self._numbers)
        longest_first = -ticket.seconds if ticket.priority is Priority.AHEAD and ticket.seconds is not None else 0.0
        heapq.heappush(self._lane(ticket).queue, (ticket.priority, longest_first, ticket.number, ticket))

    # --- lanes

    def held_by_lanes(self) -> dict[str, int]:
        """By lane, the tickets that wait because it is full, whatever slots are free."""
        return {name: lane.waiting for name, lane in self._lanes.items() if lane.sweep() and lane.is_full}

    def _lane(self, ticket: Ticket) -> _Lane:
        return self._lanes.setdefault(ticket.lane if ticket.lane_limit is not None else "", _Lane())

    def _first(self) -> Ticket | None:
        """The first ticket of those that a full lane does not hold up; of all, once no more may be sent."""
        is_exhausted = self._exhausted()
        heads = [one.queue[0] for one in self._lanes.values() if one.sweep() and (is_exhausted or not one.is_full)]
        return min(heads)[-1] if heads else None


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
