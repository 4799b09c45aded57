"""How many attempts may be under way at once, and whose turn is next: the rules alone, without I/O, clock or thread.

What the window lets in is an *attempt*, not a run: between two attempts a run gives its place back, so that a cap that
was halved holds for those who come again, too. Whoever drives the window tells it the time, in seconds of any clock
that only goes forward.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Final

LONGEST_PAUSE: Final = 60.0
"""Seconds that one ``Retry-After`` holds the window shut at most."""

QUIET: Final = 5.0
"""Seconds without a refusal after which a cap that was halved grows by one."""


class Priority(IntEnum):
    """Who goes first, from first to last."""

    AGAIN = auto()
    """A run that has begun: its deadline is ticking."""
    ASKED = auto()
    """A test asks for it now."""
    AHEAD = auto()
    """Declared; nobody waits for it yet."""


class TicketState(Enum):
    """Where a ticket is."""

    OUTSIDE = auto()
    WAITING = auto()
    ADMITTED = auto()
    """It holds a place, and a part of the budget that it may yet give back."""
    SENT = auto()
    """It holds a place, and has used up its part of the budget."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One run's claim to a place. It may join again after it has left, for its next attempt.

    Attributes:
        urgency: who goes first.
        seconds: how long the run took last time; of those ahead the longest goes first, and then those without.
    """

    urgency: Priority = Priority.ASKED
    seconds: float | None = None
    place: TicketState = TicketState.OUTSIDE
    number: int = 0
    generation: int = 0


class AdmissionQueue:
    """A queue in front of a number of places.

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
        """Nobody is let in before this moment."""
        self._full = cap
        self._quiet = quiet
        self._quiet_since = -math.inf
        self._generation = 0
        self._unsent = 0
        self._numbers = itertools.count()
        self._queue: list[tuple[Priority, float, int, Ticket]] = []

    def join(self, ticket: Ticket) -> None:
        """Stands in the queue."""
        if ticket.place is TicketState.OUTSIDE:
            ticket.place = TicketState.WAITING
            self.waiting += 1
            self._enqueue(ticket)

    def hurry(self, ticket: Ticket) -> None:
        """A test waits for what was merely ahead: it now goes before all that is ahead."""
        if ticket.urgency is Priority.AHEAD:
            ticket.urgency = Priority.ASKED
            if ticket.place is TicketState.WAITING:
                self._enqueue(ticket)

    def admit(self, now: float) -> tuple[list[Ticket], list[Ticket]]:
        """Whose turn it is now, and whom the budget will never let in."""
        self._grow(now)
        admitted: list[Ticket] = []
        refused: list[Ticket] = []
        while (ticket := self._first()) is not None:
            if self._exhausted():
                refused.append(ticket)
                self.leave(ticket)
            elif now >= self.resumes_at and self.flying < self.cap and self._affordable():
                admitted.append(ticket)
                self._let_in(ticket)
            else:
                break
        return admitted, refused

    def sent(self, ticket: Ticket) -> None:
        """The attempt has begun to go out: its part of the budget is spent, whatever comes back."""
        if ticket.place is TicketState.ADMITTED:
            ticket.place = TicketState.SENT
            self._unsent -= 1
            self.spent += 1

    def leave(self, ticket: Ticket) -> None:
        """Gives up the place, in the queue or behind it. What was not sent has cost nothing."""
        if ticket.place is TicketState.WAITING:
            self.waiting -= 1
        elif ticket.place is not TicketState.OUTSIDE:
            self.flying -= 1
            self._unsent -= ticket.place is TicketState.ADMITTED
        ticket.place = TicketState.OUTSIDE

    def limited(self, ticket: Ticket, retry_after: float | None, now: float) -> None:
        """Wisebot asks for less: the cap is halved, and nobody is let in before it is time.

        The other attempts that were let in before the cap was halved will be refused for the same reason: they do not
        halve it again.
        """
        if ticket.generation == self._generation:
            self._generation += 1
            self.cap = max(1, self.cap // 2)
        if retry_after is not None:
            self.resumes_at = max(self.resumes_at, now + min(retry_after, LONGEST_PAUSE))
        self._quiet_since = max(now, self.resumes_at)

    def wakes_at(self, now: float) -> float | None:
        """When to ask `admit` again although nothing has happened; None when only events can change anything."""
        if not self.waiting:
            return None
        if now < self.resumes_at:
            return self.resumes_at
        return self._quiet_since + self._quiet if self.cap < self._full else None

    def _grow(self, now: float) -> None:
        while self.cap < self._full and now >= self._quiet_since + self._quiet:
            self.cap += 1
            self._quiet_since += self._quiet

    def _exhausted(self) -> bool:
        return self.budget is not None and self.spent >= self.budget

    def _affordable(self) -> bool:
        """Whether it can be paid for even when all that is reserved will be spent."""
        return self.budget is None or self.spent + self._unsent < self.budget

    def _let_in(self, ticket: Ticket) -> None:
        ticket.place = TicketState.ADMITTED
        ticket.generation = self._generation
        self.waiting -= 1
        self.flying += 1
        self._unsent += 1

    def _enqueue(self, ticket: Ticket) -> None:
        ticket.number = next(self._numbers)
        longest_first = -ticket.seconds if ticket.urgency is Priority.AHEAD and ticket.seconds is not None else 0.0
        heapq.heappush(self._queue, (ticket.urgency, longest_first, ticket.number, ticket))

    def _first(self) -> Ticket | None:
        """The first in the queue. Who has left it, or stands further ahead by now, has left a stale entry behind."""
        while self._queue:
            *_, number, ticket = self._queue[0]
            if ticket.place is TicketState.WAITING and ticket.number == number:
                return ticket
            heapq.heappop(self._queue)
        return None
