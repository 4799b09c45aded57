"""The window under arrivals, refusals, endings and giving up in any order: nobody is lost, and nothing goes over."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_wisebot.engine.admission import LONGEST_PAUSE, AdmissionQueue, Priority, Ticket, TicketState

QUIET = 5.0
PICKS = st.integers(0, 1000)
HELD = st.sampled_from([math.inf, 2.0, 30.0, 100.0])
LIMITS = {"one at a time": 1, "three at a time": 3}
LANES = st.sampled_from([("", None), *LIMITS.items()])
PAUSES = st.none() | st.sampled_from([0.0, 0.5, 3.0, 10.0, 60.0, 90.0])


class Known:
    """What the test knows of a ticket, counted apart from the window."""

    def __init__(self, ticket: Ticket, joined_as: int) -> None:
        self.ticket = ticket
        self.state = TicketState.WAITING
        self.joined_as = joined_as
        self.joins = 1
        self.held = 0.0
        self.answered = 0
        """How often it was let in, refused or cancelled: once for each time that it joined, in the end."""

    @property
    def rank(self) -> tuple[Priority, float, int]:
        ahead = self.ticket.priority is Priority.AHEAD
        return self.ticket.priority, -(self.ticket.seconds or 0.0) if ahead else 0.0, self.joined_as


class WindowMachine(RuleBasedStateMachine):
    """Drives a window as the engine does, and as it never would."""

    @initialize(cap=st.integers(1, 6), budget=st.none() | st.integers(0, 12))
    def begin(self, cap: int, budget: int | None) -> None:
        self.window = AdmissionQueue(cap, budget, QUIET)
        self.cap, self.budget = cap, budget
        self.now = 0.0
        self.resumes_at = -math.inf
        self.sent = 0
        self.refused = 0
        self.order = 0
        self.known: dict[Ticket, Known] = {}

    def at(self, *places: TicketState) -> list[Known]:
        return [known for known in self.known.values() if known.state in places]

    @property
    def flying(self) -> list[Known]:
        return self.at(TicketState.ADMITTED, TicketState.SENT)

    def is_held(self, known: Known) -> bool:
        """Whether its lane is full."""
        ticket = known.ticket
        return (
            ticket.lane_limit is not None
            and sum(one.ticket.lane == ticket.lane for one in self.flying) >= ticket.lane_limit
        )

    def in_order(self, waiting: list[Known], *, spent: bool) -> list[Known]:
        """Those who may be let in, or refused once the budget is spent: each in its turn, if all before it were."""
        room = Counter(LIMITS)
        room.subtract(known.ticket.lane for known in self.flying)
        found = []
        for known in sorted(waiting, key=lambda one: one.rank):
            lane = known.ticket.lane
            if spent or not lane or room[lane] > 0:
                found.append(known)
                room[lane] -= 1
        return found

    def stood(self) -> int:
        self.order += 1
        return self.order

    # --- what happens

    @rule(
        priority=st.sampled_from(Priority),
        seconds=st.none() | st.sampled_from([1.0, 2.0, 30.0]),
        limit=HELD,
        lane=LANES,
    )
    def arrives(self, priority: Priority, seconds: float | None, limit: float, lane: tuple[str, int | None]) -> None:
        ticket = Ticket(priority, seconds, limit, lane=lane[0], lane_limit=lane[1])
        self.known[ticket] = Known(ticket, self.stood())
        self.window.join(ticket, self.now)

    @precondition(lambda self: self.at(TicketState.OUTSIDE))
    @rule(pick=PICKS)
    def comes_again(self, pick: int) -> None:
        known = picked(self.at(TicketState.OUTSIDE), pick)
        known.ticket.priority = Priority.AGAIN
        known.state = TicketState.WAITING
        known.joins += 1
        known.held = 0.0
        known.joined_as = self.stood()
        self.window.join(known.ticket, self.now)

    @precondition(lambda self: self.known)
    @rule(pick=PICKS)
    def joins_though_it_has(self, pick: int) -> None:
        known = picked(list(self.known.values()), pick)
        if known.state is not TicketState.OUTSIDE:
            self.window.join(known.ticket, self.now)

    @precondition(lambda self: self.known)
    @rule(pick=PICKS)
    def hurries(self, pick: int) -> None:
        known = picked(list(self.known.values()), pick)
        if known.ticket.priority is Priority.AHEAD and known.state is TicketState.WAITING:
            known.joined_as = self.stood()
        self.window.prioritise(known.ticket)

    @rule()
    def asks_whose_turn_it_is(self) -> None:
        pause = max(0.0, self.resumes_at - self.now)
        late = [known for known in self.at(TicketState.WAITING) if known.held + pause >= known.ticket.limit]
        found = dict(self.window.held_back())
        assert found == {known.ticket: known.held + pause for known in late}, "held back for longer than its limit"
        for known in late:
            self.answers(known.ticket, TicketState.OUTSIDE)
        spent = self.budget is not None and self.sent >= self.budget
        expected = [known.rank for known in self.in_order(self.at(TicketState.WAITING), spent=spent)]
        admitted, refused = self.window.admit(self.now)
        ranks = [self.known[ticket].rank for ticket in [*refused, *admitted]]
        for ticket in admitted:
            assert self.window.held(ticket, self.now) == self.known[ticket].held
            self.answers(ticket, TicketState.ADMITTED)
        for ticket in refused:
            self.answers(ticket, TicketState.OUTSIDE)
        if admitted:
            assert self.now >= self.resumes_at, "let in before it was time"
            assert len(self.flying) <= self.window.cap, "let in over the cap"
        if refused:
            assert self.sent == self.budget, "refused before the budget was spent"
            self.refused += len(refused)
        # The first of the queue have gone, in their order, past those whose lane is full; none waits in vain.
        assert ranks == expected[: len(ranks)]
        assert (
            not [one for one in self.at(TicketState.WAITING) if spent or not self.is_held(one)] or not self.has_room()
        )

    def answers(self, ticket: Ticket, place: TicketState) -> None:
        known = self.known[ticket]
        assert known.state is TicketState.WAITING, "let in or refused twice for one join"
        known.state = place
        known.answered += 1
        assert known.answered == known.joins

    def has_room(self) -> bool:
        affordable = self.budget is None or self.sent + len(self.at(TicketState.ADMITTED)) < self.budget
        spent = self.budget is not None and self.sent >= self.budget
        return spent or (self.now >= self.resumes_at and len(self.flying) < self.window.cap and affordable)

    @precondition(lambda self: self.flying)
    @rule(pick=PICKS)
    def is_sent(self, pick: int) -> None:
        known = picked(self.flying, pick)
        self.sent += known.state is TicketState.ADMITTED
        known.state = TicketState.SENT
        self.window.sent(known.ticket)

    @precondition(lambda self: self.flying)
    @rule(pick=PICKS, retry_after=PAUSES, stays=st.booleans())
    def is_told_to_come_later(self, pick: int, retry_after: float | None, stays: bool) -> None:
        known = picked(self.flying, pick)
        before = self.window.cap
        self.window.limited(known.ticket, retry_after, self.now)
        if retry_after is not None:
            self.resumes_at = max(self.resumes_at, self.now + min(retry_after, LONGEST_PAUSE))
        assert self.window.cap in (before, max(1, before // 2))
        if not stays:
            self.ends(pick)

    @precondition(lambda self: self.flying)
    @rule(pick=PICKS)
    def ends(self, pick: int) -> None:
        known = picked(self.flying, pick)
        known.state = TicketState.OUTSIDE
        self.window.leave(known.ticket)

    @precondition(lambda self: self.known)
    @rule(pick=PICKS)
    def is_given_up(self, pick: int) -> None:
        known = picked(list(self.known.values()), pick)
        known.answered += known.state is TicketState.WAITING
        known.state = TicketState.OUTSIDE
        self.window.leave(known.ticket)

    @rule(quarters=st.integers(0, 300))
    def time_passes(self, quarters: int) -> None:
        self.goes_on_to(self.now + quarters / 4)

    def goes_on_to(self, now: float) -> None:
        for known in self.at(TicketState.WAITING):
            known.held += max(0.0, min(now, self.resumes_at) - self.now)
        self.now = now

    @rule()
    def the_pause_is_called_off(self) -> None:
        self.window.reopen(self.now)
        self.resumes_at = min(self.resumes_at, self.now)

    @rule()
    def time_passes_to_the_alarm(self) -> None:
        wakes_at = self.window.wakes_at(self.now)
        if wakes_at is not None:
            self.goes_on_to(max(self.now, wakes_at))
            self.asks_whose_turn_it_is()

    # --- what always holds

    @invariant()
    def everybody_is_where_the_window_says(self) -> None:
        assert all(ticket.state is known.state for ticket, known in self.known.items())
        assert self.window.flying == len(self.flying)
        assert self.window.waiting == len(self.at(TicketState.WAITING))

    @invariant()
    def no_lane_holds_more_than_its_limit(self) -> None:
        for lane, limit in LIMITS.items():
            flying = sum(known.ticket.lane == lane for known in self.flying)
            waiting = sum(known.ticket.lane == lane for known in self.at(TicketState.WAITING))
            assert flying <= limit
            assert self.window.held_by_lanes().get(lane) == (waiting if waiting and flying == limit else None)

    @invariant()
    def the_cap_stays_between_one_and_what_it_was(self) -> None:
        assert 1 <= self.window.cap <= self.cap

    @invariant()
    def the_budget_holds_even_if_all_that_are_inside_are_sent(self) -> None:
        assert self.window.spent == self.sent
        if self.budget is not None:
            assert self.sent + len(self.at(TicketState.ADMITTED)) <= self.budget

    def teardown(self) -> None:
        """Everybody who still waits gets an answer, by nothing but endings and the passing of time."""
        for _ in range(20 * len(getattr(self, "known", ())) + 20):
            if not self.at(TicketState.WAITING):
                break
            self.asks_whose_turn_it_is()
            if self.flying:
                self.is_sent(0)
                self.ends(0)
            elif self.at(TicketState.WAITING):
                wakes_at = self.window.wakes_at(self.now)
                assert wakes_at is not None, "waits for nothing"
                assert wakes_at > self.now
                self.goes_on_to(wakes_at)
        assert not self.at(TicketState.WAITING), "waits for ever"
        assert all(known.answered == known.joins for known in self.known.values())
        if self.refused:
            assert self.sent == self.budget


def picked(candidates: list[Known], pick: int) -> Known:
    return candidates[pick % len(candidates)]


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(stateful_step_count=40)
