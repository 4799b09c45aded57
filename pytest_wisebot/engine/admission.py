"""Decides how many attempts may be under way at once, and which is next: rules alone, without I/O, clock or thread.

The queue admits an *attempt*, not a run: between two attempts a run releases its slot, so that a halved cap holds for
retries, too. Each call that needs the time is given it, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import Final

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
