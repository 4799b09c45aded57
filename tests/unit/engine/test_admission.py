"""The window's rules: who goes next, how many at once, and what the budget lets in. Time is what the test says."""

from __future__ import annotations

import math

import pytest

from pytest_wisebot.engine.admission import LONGEST_PAUSE, QUIET, AdmissionQueue, Priority, Ticket, TicketState


class Line:
    """A window, and who stands before it or behind it, each called by one letter."""

    def __init__(self, cap: int, budget: int | None = None, quiet: float = QUIET) -> None:
        self.window = AdmissionQueue(cap, budget, quiet)
        self.tickets: dict[str, Ticket] = {}

    def __getitem__(self, name: str) -> Ticket:
        return self.tickets[name]

    def join(
        self, names: str, urgency: Priority = Priority.ASKED, seconds: float | None = None, *, now: float = 0.0,
        limit: float = math.inf, lane: str = "", lane_limit: int | None = None,
    ) -> None:  # fmt: skip
        """These stand in the queue, one after the other; those who have been here before, again."""
        for name in names:
            ticket = self.tickets.setdefault(name, Ticket(lane=lane, lane_limit=lane_limit))
            ticket.priority, ticket.seconds, ticket.limit = urgency, seconds, limit
            self.window.join(ticket, now)

    def admit(self, now: float = 0.0) -> str:
        """Who is let in. Nobody is refused."""
        admitted, refused = self._asked(now)
        assert refused == ""
        return admitted

    def refused(self, now: float = 0.0) -> str:
        """Whom the budget will never let in. Nobody is let in."""
        admitted, refused = self._asked(now)
        assert admitted == ""
        return refused

    def send(self, names: str) -> None:
        for name in names:
            self.window.sent(self[name])

    def leave(self, names: str) -> None:
        for name in names:
            self.window.leave(self[name])

    def limit(self, names: str, retry_after: float | None = None, now: float = 0.0) -> None:
        """These are told by Wisebot to come back later, and leave."""
        for name in names:
            self.window.sent(self[name])
            self.window.limited(self[name], retry_after, now)
            self.window.leave(self[name])

    def held_back(self) -> dict[str, float]:
        """The tickets that a pause leaves no time for, with the seconds of it."""
        called = {ticket: name for name, ticket in self.tickets.items()}
        return {called[ticket]: seconds for ticket, seconds in self.window.held_back()}

    def _asked(self, now: float) -> tuple[str, str]:
        called = {ticket: name for name, ticket in self.tickets.items()}
        admitted, refused = self.window.admit(now)
        return "".join(called[one] for one in admitted), "".join(called[one] for one in refused)


# --- how many, and who


def test_no_more_are_let_in_than_there_are_places() -> None:
    """Who comes later waits until somebody has left."""
    line = Line(cap=2)
    line.join("abcd")
    assert line.admit() == "ab"
    assert (line.window.flying, line.window.waiting) == (2, 2)
    assert line.admit() == ""
    line.leave("b")
    assert line.admit() == "c"
    line.leave("ac")
    assert line.admit() == "d"
    line.leave("d")
    assert (line.window.flying, line.window.waiting) == (0, 0)


def test_runs_that_have_begun_go_first_then_what_a_test_asks_for_then_what_is_ahead() -> None:
    """Urgency decides, whoever came first."""
    line = Line(cap=6)
    line.join("ab", Priority.AHEAD)
    line.join("cd", Priority.ASKED)
    line.join("ef", Priority.AGAIN)
    assert line.admit() == "efcdab"


def test_of_those_ahead_the_longest_goes_first() -> None:
    """Those whose duration nobody knows come after all others, in the order in which they came."""
    line = Line(cap=7)
    line.join("a", Priority.AHEAD)
    line.join("b", Priority.AHEAD, 1.0)
    line.join("c", Priority.AHEAD, 30.0)
    line.join("d", Priority.AHEAD)
    line.join("e", Priority.AHEAD, 2.5)
    line.join("fg", Priority.AHEAD, 30.0)
    assert line.admit() == "cfgebad"


@pytest.mark.parametrize("urgency", [Priority.AGAIN, Priority.ASKED])
def test_a_duration_changes_nothing_for_those_that_somebody_waits_for(urgency: Priority) -> None:
    """They go in the order in which they came."""
    line = Line(cap=3)
    line.join("a", urgency)
    line.join("b", urgency, 1.0)
    line.join("c", urgency, 30.0)
    assert line.admit() == "abc"


def test_what_a_test_waits_for_by_now_overtakes_what_is_ahead() -> None:
    """It goes behind what was asked for before, and keeps no second place in the queue."""
    line = Line(cap=1)
    line.join("abc", Priority.AHEAD, 9.0)
    line.join("d", Priority.ASKED)
    line.window.prioritise(line["c"])
    line.window.prioritise(line["c"])
    line.join("e", Priority.ASKED)
    order = ""
    for _ in range(5):
        order += line.admit()
        line.leave(order[-1])
    assert order == "dceab"
    assert line.admit() == ""


def test_hurrying_is_remembered_until_it_stands_in_the_queue() -> None:
    """A test may wait for a run before the run has come to the window."""
    line = Line(cap=1)
    line.join("a", Priority.AHEAD)
    late = line.tickets["b"] = Ticket(Priority.AHEAD)
    line.window.prioritise(late)
    line.window.join(late, 0.0)
    assert line.admit() == "b"


def test_hurrying_makes_nothing_less_urgent() -> None:
    """A run that has begun stays before what is asked for."""
    line = Line(cap=1)
    line.join("a", Priority.ASKED)
    line.join("b", Priority.AGAIN)
    line.window.prioritise(line["b"])
    assert line.admit() == "b"


# --- leaving


def test_who_leaves_the_queue_is_not_let_in() -> None:
    """The next one takes the turn."""
    line = Line(cap=1)
    line.join("abc")
    line.leave("a")
    assert line.window.waiting == 2
    assert line.admit() == "b"


@pytest.mark.parametrize("sent", [False, True])
def test_who_leaves_a_place_makes_room(sent: bool) -> None:
    """Whether anything was sent or not; leaving twice frees one place."""
    line = Line(cap=1)
    line.join("abc")
    assert line.admit() == "a"
    if sent:
        line.send("a")
    line.leave("aa")
    assert line["a"].state is TicketState.OUTSIDE
    assert line.window.flying == 0
    assert line.admit() == "b"
    assert line.admit() == ""


def test_who_is_outside_can_leave_and_nothing_happens() -> None:
    """Giving up comes from everywhere, and at any time."""
    window = AdmissionQueue(1)
    window.leave(Ticket())
    assert (window.flying, window.waiting) == (0, 0)


def test_a_ticket_may_come_again_for_its_next_attempt() -> None:
    """It stands at the end of its like, and only once however often it joins."""
    line = Line(cap=1)
    line.join("ab")
    assert line.admit() == "a"
    line.leave("a")
    line.join("aaa")
    assert line.window.waiting == 2
    assert line.admit() == "b"
    line.leave("b")
    assert line.admit() == "a"
    line.join("a")
    assert (line.window.flying, line.window.waiting) == (1, 0)
    line.leave("a")
    assert line.admit() == ""


def test_who_left_the_queue_and_came_back_stands_at_its_end() -> None:
    """The old place in the queue is gone."""
    line = Line(cap=1)
    line.join("abc")
    line.leave("a")
    line.join("a")
    order = ""
    for _ in range(3):
        order += line.admit()
        line.leave(order[-1])
    assert order == "bca"


# --- where Wisebot asks for less


def test_a_refusal_halves_the_cap() -> None:
    """Nobody is let in before fewer are under way than the half."""
    line = Line(cap=4)
    line.join("abcdefgh")
    assert line.admit() == "abcd"
    line.limit("a")
    assert line.window.cap == 2
    assert line.admit() == ""
    line.leave("b")
    assert line.admit() == ""
    line.leave("c")
    assert line.admit() == "e"


def test_a_burst_of_refusals_halves_the_cap_once() -> None:
    """Those let in before the halving are refused for the same reason; those let in after it halve it again."""
    line = Line(cap=8)
    line.join("abcdefgh" + "ijkl")
    assert line.admit() == "abcdefgh"
    line.limit("abcdefg")
    assert line.window.cap == 4
    assert line.admit() == "ijk"
    line.limit("h")
    assert line.window.cap == 4
    line.limit("ij")
    assert line.window.cap == 2


def test_one_place_is_always_left() -> None:
    """Halving ends at one."""
    line = Line(cap=3)
    for name in "abc":
        line.join(name)
        assert line.admit() == name
        line.limit(name)
        assert line.window.cap == 1


def test_retry_after_shuts_the_window() -> None:
    """Until then nobody is let in, however much room there is."""
    line = Line(cap=8)
    line.join("ab")
    assert line.admit(now=100.0) == "ab"
    line.limit("a", retry_after=7.5, now=100.0)
    line.join("c", Priority.AGAIN)
    assert line.admit(now=107.4) == ""
    assert line.admit(now=107.5) == "c"


@pytest.mark.parametrize(("retry_after", "resumes_at"), [(0.0, 100.0), (60.0, 160.0), (61.0, 160.0), (1e9, 160.0)])
def test_the_window_is_not_shut_for_more_than_a_minute(retry_after: float, resumes_at: float) -> None:
    """What one answer asks for has a bound."""
    line = Line(cap=8)
    line.join("a")
    line.admit(now=100.0)
    line.limit("a", retry_after, now=100.0)
    assert line.window.resumes_at == resumes_at
    assert LONGEST_PAUSE == 60.0


def test_a_pause_counts_towards_the_limit_of_those_that_wait_and_the_wait_for_a_slot_does_not() -> None:
    """A ticket leaves as soon as it is certain that the pauses are longer than its limit; others keep their turn."""
    line = Line(cap=1)
    line.join("a")
    line.join("bc", limit=10.0)
    line.join("d", limit=30.0)
    assert line.admit() == "a"
    assert line.held_back() == {}
    line.limit("a", retry_after=6.0, now=100.0)
    assert line.held_back() == {}
    line.join("e", now=104.0, limit=3.0)
    line.join("f", now=104.0, limit=2.0)
    assert line.held_back() == {"f": 2.0}
    assert line.admit(now=106.0) == "b"
    assert line.window.held(line["b"], 106.0) == 6.0
    line.limit("b", retry_after=5.0, now=200.0)
    assert line.held_back() == {"c": 11.0, "e": 7.0}
    assert line.window.waiting == 1
    assert line.admit(now=205.0) == "d"


def test_a_pause_that_is_called_off_holds_nothing_back() -> None:
    """What it would have taken counts no more."""
    line = Line(cap=2)
    line.join("ab", limit=50.0)
    assert line.admit() == "ab"
    line.limit("a", retry_after=60.0, now=10.0)
    line.join("c", now=10.0, limit=50.0)
    line.window.reopen(now=12.0)
    assert line.held_back() == {}
    assert line.window.held(line["c"], 13.0) == 2.0
    line.leave("b")
    assert line.admit(now=12.0) == "c"


def test_the_longest_of_several_pauses_holds() -> None:
    """A shorter one that comes later does not open the window, nor does one that names none."""
    line = Line(cap=8)
    line.join("abc")
    line.admit()
    line.limit("a", retry_after=30.0, now=0.0)
    line.limit("b", retry_after=5.0, now=1.0)
    line.limit("c", retry_after=None, now=2.0)
    assert line.window.resumes_at == 30.0


def test_without_retry_after_only_the_cap_shrinks() -> None:
    """Where there is room under the halved cap, the next one goes at once."""
    line = Line(cap=4)
    line.join("abc")
    assert line.admit() == "abc"
    line.limit("ab")
    line.join("d")
    assert line.admit() == "d"


def test_quiet_lets_the_cap_grow_back_by_one_at_a_time() -> None:
    """One for each quiet stretch, and never beyond what it was."""
    line = Line(cap=4, quiet=5.0)
    line.join("a")
    line.admit(now=0.0)
    line.limit("a", now=10.0)
    caps = {}
    for now in (14.9, 15.0, 19.9, 20.0, 25.0, 1000.0):
        line.admit(now)
        caps[now] = line.window.cap
    assert caps == {14.9: 2, 15.0: 3, 19.9: 3, 20.0: 4, 25.0: 4, 1000.0: 4}


def test_quiet_begins_when_the_pause_is_over() -> None:
    """While nobody may be sent, silence says nothing."""
    line = Line(cap=8, quiet=5.0)
    line.join("a")
    line.admit(now=0.0)
    line.limit("a", retry_after=20.0, now=0.0)
    line.admit(now=24.9)
    assert line.window.cap == 4
    line.admit(now=25.0)
    assert line.window.cap == 5


def test_each_refusal_begins_the_quiet_stretch_anew() -> None:
    """One that does not halve the cap, too."""
    line = Line(cap=8, quiet=5.0)
    line.join("ab")
    line.admit(now=0.0)
    line.limit("a", now=0.0)
    line.limit("b", now=4.0)
    line.admit(now=8.9)
    assert line.window.cap == 4
    line.admit(now=9.0)
    assert line.window.cap == 5


def test_after_a_long_silence_the_cap_is_back_at_once() -> None:
    """Nobody needs to have asked in between."""
    line = Line(cap=8, quiet=5.0)
    line.join("a")
    line.admit(now=0.0)
    line.limit("a", now=0.0)
    line.join("abcdefgh")
    assert line.admit(now=3600.0) == "abcdefgh"


def test_a_cap_that_grew_back_is_halved_again() -> None:
    """Growing back forgets nothing of how it is done."""
    line = Line(cap=8, quiet=5.0)
    line.join("a")
    line.admit(now=0.0)
    line.limit("a", now=0.0)
    line.join("b")
    line.admit(now=100.0)
    assert line.window.cap == 8
    line.limit("b", now=100.0)
    assert line.window.cap == 4


# --- when to ask again


def test_while_nothing_holds_the_queue_but_its_length_only_events_count() -> None:
    """No alarm is set: somebody has to leave."""
    line = Line(cap=1)
    assert line.window.wakes_at(0.0) is None
    line.join("ab")
    line.admit()
    assert line.window.wakes_at(0.0) is None


def test_the_alarm_is_for_the_end_of_the_pause_and_then_for_each_growth() -> None:
    """As long as somebody waits; with nobody there, nothing has to happen."""
    line = Line(cap=2, quiet=5.0)
    line.join("abcd")
    assert line.admit(now=0.0) == "ab"
    line.limit("a", retry_after=20.0, now=1.0)
    assert line.window.wakes_at(1.0) == 21.0
    assert line.admit(now=21.0) == ""  # b is still under way, and the cap is one
    assert line.window.wakes_at(21.0) == 26.0
    assert line.admit(now=26.0) == "c"
    assert line.window.wakes_at(26.0) is None  # the cap is what it was
    line.leave("d")
    line.limit("b", retry_after=20.0, now=27.0)
    assert line.window.wakes_at(27.0) is None  # nobody waits


# --- the budget


def test_the_budget_is_reserved_before_anything_is_sent() -> None:
    """Who could not be paid for if all that are inside are sent, waits."""
    line = Line(cap=8, budget=2)
    line.join("abc")
    assert line.admit() == "ab"
    assert (line.window.spent, line.window.waiting) == (0, 1)


def test_what_was_not_sent_gives_its_part_of_the_budget_back() -> None:
    """The next one may use it."""
    line = Line(cap=8, budget=2)
    line.join("abc")
    assert line.admit() == "ab"
    line.send("a")
    line.leave("b")
    assert line.admit() == "c"
    assert line.window.spent == 1


def test_what_was_sent_has_used_up_its_part_whatever_came_back() -> None:
    """The rest is refused once all of the budget is spent, and only then."""
    line = Line(cap=2, budget=2)
    line.join("abcd")
    assert line.admit() == "ab"
    line.send("aa")
    line.leave("a")
    assert (line.window.spent, line.admit()) == (1, "")
    line.limit("b")
    assert line.refused() == "cd"
    assert (line.window.spent, line.window.waiting, line.window.flying) == (2, 0, 0)
    assert line["c"].state is TicketState.OUTSIDE


def test_a_second_attempt_is_paid_for_like_the_first() -> None:
    """Retries count against the budget."""
    line = Line(cap=1, budget=2)
    line.join("a")
    for _ in range(2):
        assert line.admit() == "a"
        line.limit("a")
        line.join("a", Priority.AGAIN)
    assert line.refused() == "a"
    assert line.window.spent == 2


def test_those_whom_the_budget_refuses_do_not_wait_for_room_or_for_time() -> None:
    """They are told at once, though the window is full and shut."""
    line = Line(cap=2, budget=2)
    line.join("abcd")
    line.admit()
    line.send("a")
    line.limit("b", retry_after=60.0)
    assert line.refused(now=1.0) == "cd"
    assert line.window.flying == 1


def test_a_budget_of_nothing_refuses_everybody() -> None:
    """In the order in which they would have gone."""
    line = Line(cap=8, budget=0)
    line.join("a", Priority.AHEAD)
    line.join("b", Priority.ASKED)
    assert line.refused() == "ba"


# --- lanes


def test_a_full_lane_lets_pass_who_stands_behind_it() -> None:
    """Tickets of a limited lane go one after the other, and hold up no others."""
    line = Line(cap=4)
    line.join("abc", lane="triage", lane_limit=1)
    line.join("xyz")
    assert line.admit() == "axyz"
    assert line.window.held_by_lanes() == {"triage": 2}
    line.leave("x")
    assert line.admit() == ""
    line.leave("a")
    assert line.admit() == "b"
    line.leave("b")
    assert line.admit() == "c"
    assert line.window.held_by_lanes() == {}


def test_within_a_lane_the_order_is_that_of_the_queue() -> None:
    """What a test asks for goes before what is ahead, and the longest of those goes first."""
    line = Line(cap=9)
    line.join("a", Priority.AHEAD, 1.0, lane="triage", lane_limit=1)
    line.join("b", Priority.AHEAD, 9.0, lane="triage", lane_limit=1)
    line.join("c", Priority.AHEAD, lane="triage", lane_limit=1)
    line.window.prioritise(line["c"])
    line.join("d", Priority.AGAIN, lane="triage", lane_limit=1)
    order = ""
    for _ in range(4):
        order += line.admit()
        line.leave(order[-1])
    assert order == "dcba"


def test_two_lanes_do_not_wait_for_each_other() -> None:
    """Each has its own limit."""
    line = Line(cap=9)
    line.join("abc", lane="triage", lane_limit=1)
    line.join("xyz", lane="refund", lane_limit=2)
    assert line.admit() == "axy"
    assert line.window.held_by_lanes() == {"triage": 2, "refund": 1}
    line.leave("y")
    assert line.admit() == "z"


def test_the_cap_holds_for_all_lanes_together() -> None:
    """A lane with room does not go beyond it."""
    line = Line(cap=2)
    line.join("abc", lane="triage", lane_limit=5)
    line.join("x")
    assert line.admit() == "ab"
    assert line.window.held_by_lanes() == {}


def test_who_waits_in_a_full_lane_is_refused_with_all_others() -> None:
    """Once the budget is spent no one waits for a slot that would be of no use."""
    line = Line(cap=9, budget=1)
    line.join("abx", lane="triage", lane_limit=1)
    assert line.admit() == "a"
    line.send("a")
    assert line.refused() == "bx"


def test_who_leaves_the_queue_of_a_lane_leaves_its_count() -> None:
    """Nothing that was given up is held, or holds up others."""
    line = Line(cap=9)
    line.join("abc", lane="triage", lane_limit=1)
    assert line.admit() == "a"
    line.leave("b")
    assert line.window.held_by_lanes() == {"triage": 1}
    line.leave("ca")
    assert line.window.held_by_lanes() == {}
    line.join("b", lane="triage", lane_limit=1)
    assert line.admit() == "b"
