"""The engine's inside, on a clock that jumps: the client's own retries and deadlines, its attempts scripted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot import (
    Api,
    AuthenticationFailed,
    CircuitOpen,
    ConnectionFailed,
    ConnectionLost,
    GatewayFailed,
    InfrastructureError,
    NotStarted,
    RateLimited,
    Rejected,
    ServiceUnavailable,
    WisebotError,
    WorkflowRun,
)
from pytest_wisebot.apis import Prepared
from pytest_wisebot.client import AttemptState, Client
from pytest_wisebot.engine.admission import AdmissionQueue, Priority, Ticket
from pytest_wisebot.engine.jobs import Job
from pytest_wisebot.engine.runner import PATIENCE, QUIET, Runner
from pytest_wisebot.engine.stats import Status
from pytest_wisebot.errors import Answer
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.runs import Ended, EngineError, Outcome, RunRequest
from pytest_wisebot.settings import Settings, Workflow

if TYPE_CHECKING:
    from tests.unit.conftest import Clock

ORIGIN = "https://wisebot.example"
OVER_BUDGET = "the budget is spent"


@dataclass(frozen=True)
class Step:
    """One attempt.

    Attributes:
        seconds: from its first byte sent to its end.
        connect: seconds before that.
        error: how it ends, when it does not end with a run.
        answer: what came back with the error.
    """

    seconds: float = 1.0
    connect: float = 0.0
    error: type[InfrastructureError] | None = None
    reason: str = ""
    answer: Answer | None = None


def limited(retry_after: float | None = None, seconds: float = 0.0) -> Step:
    return Step(seconds, error=RateLimited, reason="too many requests", answer=Answer(429, retry_after=retry_after))


def unavailable(retry_after: float | None) -> Step:
    answer = Answer(503, retry_after=retry_after)
    return Step(0.0, error=ServiceUnavailable, reason="not available for now", answer=answer)


UNREACHABLE = Step(0.0, error=ConnectionFailed, reason="connection refused")
LOST = Step(0.0, error=ConnectionLost, reason="the connection ended before the answer was whole")
FAILED = Step(0.0, error=GatewayFailed, reason="a gateway or the server failed", answer=Answer(502))
REFUSED = Step(0.0, error=AuthenticationFailed, reason="the credential was refused", answer=Answer(401))

Script = Mapping[str, Step | Sequence[Step]]


class Scripted(Client):
    """The client, whose attempts end as a script says: a step for all of a workflow's attempts, or one for each.

    What has no script, or no more of it, succeeds after a second.
    """

    def __init__(self, clock: Clock, script: Script, settings: Settings) -> None:
        super().__init__(settings, Redactor(), {}, jitter=lambda: 1.0)
        self.sent: list[tuple[float, str]] = []
        self.may_have_run: Counter[str] = Counter()
        self.flying = 0
        self.peak = 0
        self.lanes: dict[str, str] = {}
        self.flying_in: Counter[str] = Counter()
        self.peaks: Counter[str] = Counter()
        self._clock = clock
        self._script = {name: [said] * 1000 if isinstance(said, Step) else list(said) for name, said in script.items()}

    async def _attempt(self, prepared: Prepared, flight: AttemptState) -> WorkflowRun:
        name = prepared.request.workflow
        script = self._script.get(name)
        step = script.pop(0) if script else Step()
        await asyncio.sleep(step.connect)
        if step.error is not ConnectionFailed:
            self._send(name, flight)
            self.may_have_run[name] += step.error is None or not issubclass(step.error, NotStarted | Rejected)
        lane = self.lanes.get(name, name)
        self.flying += 1
        self.flying_in[lane] += 1
        self.peak = max(self.peak, self.flying)
        self.peaks[lane] = max(self.peaks[lane], self.flying_in[lane])
        try:
            await asyncio.sleep(step.seconds)
        finally:
            self.flying -= 1
            self.flying_in[lane] -= 1
        if step.error is not None:
            raise step.error(step.reason, self._attempted(prepared, flight), step.answer)
        if name == "broken":
            raise ZeroDivisionError("a defect with FAKE-credential in it")
        api = prepared.request.api
        return WorkflowRun(ok=True, workflow=name, api=api, elapsed=step.seconds, attempts=flight.attempts)

    def _send(self, name: str, flight: AttemptState) -> None:
        flight.sent_at = self._clock.now
        flight.gate.sent()
        self.sent.append((self._clock.now, name))

    async def _check_token(self, prepared: Prepared) -> None:
        """Costs an exchange, which is not what these tests are about."""


class House:
    """A runner with a scripted client, and afterwards nothing that was left behind."""

    def __init__(
        self,
        clock: Clock,
        script: Script | None = None,
        *,
        cap: int = 8,
        budget: int | None = None,
        quiet: float = 1000.0,
        limits: Mapping[str, int] | None = None,
        **settings: Any,
    ) -> None:
        self._limits = limits or {}
        names = settings.pop("idempotent", ())
        workflows = {name: Workflow(name, name, idempotent=True) for name in names}
        credentials: dict[str, Any] = {"secret": "FAKE-secret", "token": "wb_live_FAKE_token"}
        made = Settings(workflows=workflows, **settings).replace(origin=ORIGIN, base_url=ORIGIN, **credentials)
        self._clock = clock
        self.timeout = made.timeout
        self.client = Scripted(clock, script or {}, made)
        self.window = AdmissionQueue(cap, budget, quiet)

    async def __aenter__(self) -> Self:
        redactor = Redactor([Secret("FAKE-credential")])
        self.runner = Runner(self.client, self.window, redactor, OVER_BUDGET, timeout=self.timeout)
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        self.runner.close()
        await self.runner.ended()
        if kind is None:
            assert (self.window.flying, self.window.waiting, self.runner.status().running) == (0, 0, 0)
            assert self.window.spent == len(self.client.sent)

    def take(
        self, *names: str, priority: Priority = Priority.ASKED, seconds: float | None = None, **request: Any
    ) -> list[Job]:
        """Hands requests for these workflows over at once."""
        tickets = [Ticket(priority, seconds, lane=name, lane_limit=self._limits.get(name)) for name in names]
        jobs = [Job(RunRequest(name, **request), ticket=ticket) for name, ticket in zip(names, tickets, strict=True)]
        self.runner.take(jobs)
        return jobs

    def discard(self, job: Job) -> None:
        """The last one who wanted it does not want it any more."""
        job.subscribers = 0
        self.runner.discard(job)

    def status(self) -> Status:
        """How far it is, without the last digits of the seconds."""
        status = self.runner.status()
        resumes_in = round(status.resumes_in, 6) if status.resumes_in is not None else None
        return replace(status, age=round(status.age, 6), resumes_in=resumes_in)

    async def until(self, moment: float) -> None:
        await asyncio.sleep(moment - self._clock.now)
        await asyncio.sleep(0)  # what was due at the same moment has begun by now


async def ended(job: Job) -> Ended:
    future = asyncio.get_running_loop().create_future()
    job.future.add_done_callback(lambda promise: future.set_result(promise.result()))
    found: Ended = await future
    return found


async def outcome(job: Job) -> Outcome:
    return (await ended(job)).outcome


async def told(*jobs: Job) -> list[str]:
    """How these ended, in short: ``ok``, or the error's class."""
    outcomes = [await outcome(job) for job in jobs]
    return ["ok" if isinstance(one, WorkflowRun) else type(one).__name__ for one in outcomes]


async def words(job: Job) -> str:
    """Class and words of the error that this one ended with."""
    error = await outcome(job)
    assert isinstance(error, WisebotError)
    return f"{type(error).__name__}: {error}"


# --- room and order


def test_no_more_run_at_once_than_there_is_room_for(clock: Clock) -> None:
    """Each that ends lets in the next, in the order in which they were asked for."""

    async def main() -> None:
        async with House(clock, {"a": Step(3.0)}, cap=2) as house:
            jobs = house.take("a", "b", "c", "d", "e")
            assert await told(*jobs) == ["ok"] * 5
            assert house.client.sent == [(0, "a"), (0, "b"), (1, "c"), (2, "d"), (3, "e")]
            assert house.client.peak == 2
            assert clock.now == 4

    clock.run(main())


def test_what_is_ahead_starts_the_longest_first_and_makes_way_for_what_is_asked(clock: Clock) -> None:
    """What a test asks for goes before all that is ahead; one that is ahead does, too, once its test waits for it."""

    async def main() -> None:
        async with House(clock, cap=1) as house:
            (short,) = house.take("short", priority=Priority.AHEAD, seconds=1.0)
            unknown = house.take("unknown", priority=Priority.AHEAD)
            long = house.take("long", priority=Priority.AHEAD, seconds=9.0)
            asked = house.take("asked")
            (late,) = house.take("late", priority=Priority.AHEAD)
            house.runner.prioritise(late)
            await told(short, *unknown, *long, *asked, late)
            assert [name for _, name in house.client.sent] == ["short", "asked", "late", "long", "unknown"]

    clock.run(main())


def test_a_workflow_with_a_limit_is_started_one_at_a_time_and_holds_up_no_other(clock: Clock) -> None:
    """Ahead or not, after a refusal or not: the others pass it, and the status counts what waits for it."""

    async def main() -> None:
        script: Script = {"triage": [Step(2.0), limited(1.0), Step(2.0), Step(2.0), Step(2.0)], "other": Step(1.0)}
        async with House(clock, script, cap=3, limits={"triage": 1}) as house:
            ahead = house.take("triage", "triage", "triage", priority=Priority.AHEAD, seconds=9.0)
            asked = house.take("triage", "other", "other", "other")
            await house.until(0.5)
            assert house.status().held == {"triage": 3}
            assert await told(*ahead, *asked) == ["ok"] * 7
            assert house.client.peaks["triage"] == 1
            assert [name for _, name in house.client.sent[:3]] == ["triage", "other", "other"]
            assert house.status().held == {}

    clock.run(main())


def test_a_defect_inside_becomes_the_outcome_of_its_run(clock: Clock) -> None:
    """It is told as a defect, with its frames as text and without credentials; the others go on."""

    async def main() -> None:
        async with House(clock, cap=1) as house:
            broken, good = house.take("broken", "good")
            error = await outcome(broken)
            assert isinstance(error, EngineError)
            first, *_, last, _, advice = str(error).split("\n")
            assert first == "pytest-wisebot failed inside; please report this:"
            assert last == "ZeroDivisionError: a defect with <secret> in it"
            assert advice.endswith("--wisebot-no-ahead keeps runs out of other tests.")
            assert await told(good) == ["ok"]
            assert house.runner.numbers().without_verdict == 1

    clock.run(main())


# --- dropping and giving up


def test_what_nobody_wants_any_more_is_not_begun(clock: Clock) -> None:
    """It ends without having been sent, and the next one takes its turn."""

    async def main() -> None:
        async with House(clock, cap=1) as house:
            a, b, c = house.take("a", "b", "c")
            house.discard(b)
            assert await words(b) == 'Cancelled: the run of workflow "b" was given up before it was sent'
            assert clock.now == 0
            assert await told(a, c) == ["ok", "ok"]
            assert house.client.sent == [(0, "a"), (1, "c")]

    clock.run(main())


def test_what_has_begun_is_let_come_to_its_end_when_nobody_wants_it(clock: Clock) -> None:
    """It has been paid for; that nobody waited for it is counted. Dropping what has ended changes nothing."""

    async def main() -> None:
        async with House(clock) as house:
            (a,) = house.take("a")
            await house.until(0.5)
            house.discard(a)
            assert await told(a) == ["ok"]
            house.discard(a)
            assert house.runner.numbers().not_awaited == 1

    clock.run(main())


def test_what_somebody_wants_again_is_not_dropped(clock: Clock) -> None:
    """One who shares it may come between the word that nobody wants it and the deed."""

    async def main() -> None:
        script: Script = {"connecting": Step(connect=5.0), "resting": [limited(10.0)]}
        async with House(clock, script, cap=2) as house:
            jobs = house.take("connecting", "resting", "queued")
            await house.until(0.5)
            for job in jobs:
                assert job.subscribers == 1
                house.runner.discard(job)
            assert await told(*jobs) == ["ok"] * 3

    clock.run(main())


def test_what_nobody_wants_any_more_and_only_connects_is_not_sent(clock: Clock) -> None:
    """Its turn had come, and nothing of it has gone out: its place and its part of the budget go to the next one."""

    async def main() -> None:
        async with House(clock, {"a": Step(connect=5.0)}, cap=1, budget=1) as house:
            a, b = house.take("a", "b")
            await house.until(2.0)
            house.discard(a)
            assert await words(a) == 'Cancelled: the run of workflow "a" was given up before it was sent'
            assert await told(b) == ["ok"]
            assert house.client.sent == [(2, "b")]

    clock.run(main())


def test_what_nobody_wants_any_more_is_not_tried_again(clock: Clock) -> None:
    """It ends between two attempts: as what provably did not start, or as what may have happened."""

    async def main() -> None:
        script: Script = {"a": [limited(10.0)], "b": [LOST]}
        async with House(clock, script, idempotent=["a", "b"]) as house:
            a, b = house.take("a", "b")
            await house.until(0.25)
            for job in (a, b):
                house.discard(job)
            assert await words(a) == 'Cancelled: the run of workflow "a" was given up before it was sent'
            assert (await words(b)).startswith("ConnectionLost: the connection ended before the answer was whole")
            assert clock.now == 0.25
            assert [name for _, name in house.client.sent] == ["a", "b"]
            assert house.runner.numbers().not_awaited == 1

    clock.run(main())


def test_giving_up_what_waits_sends_nothing(clock: Clock) -> None:
    """It ends at once, and the places stay where they are."""

    async def main() -> None:
        async with House(clock, cap=1) as house:
            a, b, c = house.take("a", "b", "c")
            house.runner.cancel(b)
            house.runner.cancel(b)
            assert await words(b) == 'Cancelled: the run of workflow "b" was given up before it was sent'
            assert await told(a, c) == ["ok", "ok"]
            assert clock.now == 2
            assert house.runner.numbers().not_run == {"given up before being sent": 1}

    clock.run(main())


def test_giving_up_before_the_first_step_sends_nothing(clock: Clock) -> None:
    """Even when its turn had come already."""

    async def main() -> None:
        async with House(clock) as house:
            (a,) = house.take("a")
            house.runner.cancel(a)
            assert await words(a) == 'Cancelled: the run of workflow "a" was given up before it was sent'
            assert house.client.sent == []

    clock.run(main())


def test_giving_up_while_connecting_sends_nothing_and_costs_nothing(clock: Clock) -> None:
    """Its place and its part of the budget go to the next one."""

    async def main() -> None:
        async with House(clock, {"a": Step(connect=5.0)}, cap=1, budget=1) as house:
            a, b = house.take("a", "b")
            await house.until(2.0)
            house.runner.cancel(a)
            assert await words(a) == 'Cancelled: the run of workflow "a" was given up before it was sent'
            assert await told(b) == ["ok"]
            assert house.client.sent == [(2, "b")]

    clock.run(main())


def test_giving_up_what_flies_leaves_its_outcome_unknown(clock: Clock) -> None:
    """It may have happened, and is counted as such; the next one takes its place at once."""

    async def main() -> None:
        async with House(clock, {"a": Step(30.0)}, cap=1) as house:
            a, b = house.take("a", "b")
            await house.until(2.0)
            house.runner.cancel(a)
            assert await words(a) == (
                f'ConnectionLost: the run was given up after it had been sent (workflow "a" over the webhook API at '
                f"{ORIGIN})\n  The workflow may have run; it was not started again."
            )
            assert await told(b) == ["ok"]
            assert house.client.sent == [(0, "a"), (2, "b")]
            house.runner.cancel(b)
            assert await told(b) == ["ok"]
            a.delivery.awaited = b.delivery.awaited = True
            assert house.runner.numbers().not_awaited == 1

    clock.run(main())


def test_giving_up_between_two_attempts_starts_no_other(clock: Clock) -> None:
    """What provably did not start was given up before it was sent."""

    async def main() -> None:
        async with House(clock, {"a": [limited(10.0)]}) as house:
            (a,) = house.take("a")
            await house.until(5.0)
            house.runner.cancel(a)
            assert await words(a) == 'Cancelled: the run of workflow "a" was given up before it was sent'
            assert clock.now == 5
            assert house.client.sent == [(0, "a")]

    clock.run(main())


def test_giving_up_between_two_attempts_does_not_forget_that_it_may_have_run(clock: Clock) -> None:
    """An idempotent workflow whose first attempt was lost stays unknown."""

    async def main() -> None:
        async with House(clock, {"a": [LOST]}, idempotent=["a"]) as house:
            (a,) = house.take("a")
            await house.until(0.1)
            house.runner.cancel(a)
            assert (await words(a)).startswith("ConnectionLost: the connection ended before the answer was whole")

    clock.run(main())


def test_giving_up_while_it_waits_for_its_next_turn_frees_no_place(clock: Clock) -> None:
    """It leaves the queue; who flies goes on, and who comes after it goes next."""

    async def main() -> None:
        async with House(clock, {"a": [limited()], "long": Step(10.0), "c": Step(5.0)}, cap=2) as house:
            a, long = house.take("a", "long")
            (c,) = house.take("c")
            await house.until(2.0)  # a waits again: the cap is one, and long has the place
            house.runner.cancel(a)
            assert await told(a) == ["Cancelled"]
            assert clock.now == 2
            assert await told(long, c) == ["ok", "ok"]
            assert house.client.sent == [(0, "a"), (0, "long"), (10, "c")]

    clock.run(main())


# --- where Wisebot asks for less


def test_a_refusal_for_being_too_fast_makes_room_for_fewer(clock: Clock) -> None:
    """A burst of them halves the cap once; who was refused comes again before those who have not begun."""

    async def main() -> None:
        script: Script = {name: [limited()] for name in "abcd"}
        async with House(clock, script, cap=4) as house:
            jobs = house.take(*"abcdefgh")
            assert set(await told(*jobs)) == {"ok"}
            assert [name for moment, name in house.client.sent if moment == 0] == list("abcdef")
            later = [name for moment, name in house.client.sent if moment > 0]
            assert (sorted(later[:4]), later[4:]) == (list("abcd"), list("gh"))
            assert house.client.peak == 4
            assert house.window.cap == 2

    clock.run(main())


@pytest.mark.parametrize("refusal", [limited(20.0), unavailable(20.0)])
def test_retry_after_holds_back_everybody(clock: Clock, refusal: Step) -> None:
    """429 and 503 alike: what flies comes to its end, and nothing is sent before it is time."""

    async def main() -> None:
        async with House(clock, {"a": [refusal], "b": Step(3.0)}, cap=2, idempotent="abcd") as house:
            jobs = house.take("a", "b", "c", "d")
            await house.until(1.0)
            assert house.status().resumes_in == 19.0
            assert await told(*jobs) == ["ok"] * 4
            assert [moment for moment, _ in house.client.sent] == [0, 0, 20, 21, 22]
            assert house.runner.numbers().back_off == 20.0
            assert house.runner.numbers().retries == 1

    clock.run(main())


def test_a_pause_longer_than_a_calls_timeout_ends_it_at_once_unsent(clock: Clock) -> None:
    """It says who held it back, and for how long; whoever has the time waits, and a call that comes later as well."""

    async def main() -> None:
        async with House(clock, {"a": limited(99_999.0)}, retries=0) as house:
            (first,) = house.take("a")
            await house.until(1.0)
            late = [*house.take("b", timeout=2.0), *house.take("c", timeout=59.0)]
            (patient,) = house.take("d", timeout=61.0)
            assert [await words(job) for job in late] == [
                f"RateLimited: held back 59 s by Wisebot's Retry-After, timeout {limit} s "
                f'(workflow "{name}" over the webhook API at {ORIGIN})\n  The run did not start.'
                for name, limit in (("b", 2), ("c", 59))
            ]
            assert clock.now == 1.0
            assert await told(first, patient) == ["RateLimited", "ok"]
            assert house.client.sent == [(0.0, "a"), (60.0, "d")]

    clock.run(main())


def test_a_pause_counts_towards_the_timeout_and_the_wait_for_a_slot_does_not(clock: Clock) -> None:
    """A call behind a pause of 20 s has 20 s less for its run; one behind another's long run has all of its time."""

    async def main() -> None:
        script: Script = {"a": [limited(20.0)], "slow": Step(9.0), "b": Step(6.0), "c": Step(6.0)}
        async with House(clock, script, cap=1, retries=0) as house:
            house.take("a")
            jobs = [*house.take("slow"), *house.take("b", timeout=25.0), *house.take("c", timeout=27.0)]
            assert await told(*jobs) == ["ok", "RunTimedOut", "ok"]
            assert house.client.sent == [(0.0, "a"), (20.0, "slow"), (29.0, "b"), (34.0, "c")]
            assert "within 25 s, of which Wisebot's Retry-After held it back for 20.0 s" in await words(jobs[1])

    clock.run(main())


def test_a_retry_that_another_ones_pause_leaves_no_time_for_ends_with_its_own_error(clock: Clock) -> None:
    """Its first attempt was refused, and it learns of the longer pause at once."""

    async def main() -> None:
        async with House(clock, {"a": limited(3.0), "b": limited(50.0, seconds=1.0)}, cap=2) as house:
            (short,) = house.take("a", timeout=10.0)
            house.take("b")
            assert (await words(short)).startswith("RateLimited: too many requests")
            assert clock.now == 1.0

    clock.run(main())


@pytest.mark.parametrize(("names", "cap"), [("abcdefghijkl", 8), ("abc", 1)])
def test_an_exhausted_quota_opens_the_circuit(clock: Clock, names: str, cap: int) -> None:
    """After the fifth pause in a row without an answer between them, nothing more is sent and nothing more waits."""

    async def main() -> None:
        async with House(clock, dict.fromkeys(names, limited(60.0)), cap=cap, retries=9, timeout=3600.0) as house:
            jobs = house.take(*names)
            message = f"CircuitOpen: Wisebot asked to wait 60 s five times in a row, at {ORIGIN}"
            assert {await words(job) for job in jobs} == {message}
            assert clock.now == 240.0
            assert {moment for moment, _ in house.client.sent} == {0.0, 60.0, 120.0, 180.0, 240.0}

    clock.run(main())


def test_a_quota_that_lets_a_run_pass_now_and_then_is_not_exhausted(clock: Clock) -> None:
    """An answer in between begins the count anew; so do short pauses count for little."""

    async def main() -> None:
        script = {"a": [*[limited(60.0)] * 3, Step()], "b": [*[limited(60.0)] * 3, Step()], "c": [limited(2.0)] * 9}
        async with House(clock, script, cap=1, retries=9, timeout=3600.0) as house:
            assert await told(*house.take("a", "b", "c")) == ["ok"] * 3

    clock.run(main())


def test_a_503_holds_back_the_others_and_is_not_repeated(clock: Clock) -> None:
    """Its run may have happened: it is told at once, and nothing else is sent before it is time."""

    async def main() -> None:
        async with House(clock, {"a": [unavailable(20.0)]}, cap=2) as house:
            jobs = house.take("a", "b", "c")
            assert await told(*jobs) == ["ServiceUnavailable", "ok", "ok"]
            assert [(moment, name) for moment, name in house.client.sent] == [(0, "a"), (0, "b"), (20, "c")]
            assert house.window.cap == 1

    clock.run(main())


def test_a_503_that_asks_for_nothing_holds_back_nothing(clock: Clock) -> None:
    """Without ``Retry-After`` it says no more of how much is too much than any other 5xx."""

    async def main() -> None:
        async with House(clock, {"a": unavailable(None)}, cap=4) as house:
            assert await told(*house.take("a", "b", "c")) == ["ServiceUnavailable", "ok", "ok"]
            assert (house.window.cap, house.window.resumes_at < 0) == (4, True)
            assert len(house.client.sent) == 3

    clock.run(main())


def test_time_alone_lets_the_cap_grow_back(clock: Clock) -> None:
    """Nobody has to end or to come for it: a quiet stretch after the refusal the next one goes."""

    async def main() -> None:
        script: Script = {"a": [limited()], "b": Step(100.0), "c": Step(100.0), "d": Step(100.0)}
        async with House(clock, script, cap=4, quiet=5.0) as house:
            house.take("a", "b", "c", "d")
            (e,) = house.take("e")
            assert await told(e) == ["ok"]
            # cap 2 from 0 on, 3 from 5 on, 4 from 10 on, when a (again) and then e find a place
            assert [sent for sent in house.client.sent if sent[0] > 0] == [(10, "a"), (11, "e")]

    clock.run(main())


def test_a_server_that_fails_does_not_shrink_the_window(clock: Clock) -> None:
    """A 5xx without ``Retry-After`` says nothing about how much is too much; it is not tried again either."""

    async def main() -> None:
        async with House(clock, {"a": FAILED}, cap=4) as house:
            jobs = house.take("a", "a", "b")
            assert await told(*jobs) == ["GatewayFailed", "GatewayFailed", "ok"]
            assert house.window.cap == 4
            assert len(house.client.sent) == 3

    clock.run(main())


def test_a_run_that_is_told_to_come_later_leaves_its_place_meanwhile(clock: Clock) -> None:
    """Others that fit under the smaller cap use it."""

    async def main() -> None:
        async with House(clock, {"a": [limited()], "b": Step(10.0)}, cap=3) as house:
            house.take("b")
            a, c = house.take("a", "c")
            (d,) = house.take("d")
            await told(a, c, d)
            assert house.client.sent == [(0, "b"), (0, "a"), (0, "c"), (10, "a"), (11, "d")]

    clock.run(main())


def test_a_run_that_finds_nobody_keeps_its_place_until_it_knows(clock: Clock) -> None:
    """While a host does not answer, nobody else is sent there after those who find that out."""

    async def main() -> None:
        async with House(clock, {"a": [UNREACHABLE, UNREACHABLE]}, cap=1) as house:
            a, b = house.take("a", "b")
            assert await told(a, b) == ["ok", "ok"]
            assert house.client.sent == [(1.5, "a"), (2.5, "b")]  # pauses of 0.5 and 1 s

    clock.run(main())


def test_the_deadline_starts_with_the_turn_and_not_with_the_queue(clock: Clock) -> None:
    """A run that waited long for its first turn has all of its time."""

    async def main() -> None:
        async with House(clock, {"a": Step(100.0), "b": Step(8.0)}, cap=1, timeout=10.0) as house:
            a, b = house.take("a", "b", timeout=None)
            assert await words(a) == (
                f'RunTimedOut: no whole answer within 10 s (workflow "a" over the webhook API at {ORIGIN})\n'
                "  The workflow may have run; it was not started again."
            )
            assert await told(b) == ["ok"]
            assert clock.now == 18

    clock.run(main())


def test_the_deadline_covers_the_wait_for_the_next_turn(clock: Clock) -> None:
    """What never started says why, and leaves the queue."""

    async def main() -> None:
        async with House(clock, {"long": Step(100.0), "a": [limited()]}, cap=2) as house:
            (long,) = house.take("long")
            (a,) = house.take("a", timeout=10.0)
            assert await words(a) == (
                f'RateLimited: too many requests (workflow "a" over the webhook API at {ORIGIN})\n'
                "  answer: status 429, empty\n  The run did not start."
            )
            assert clock.now == 10
            assert house.window.waiting == 0
            assert await told(long) == ["ok"]

    clock.run(main())


# --- the budget


def test_no_more_is_sent_than_the_budget_allows(clock: Clock) -> None:
    """The rest is told so, in one and the same words, and the numbers count it under them."""

    async def main() -> None:
        async with House(clock, cap=2, budget=3) as house:
            jobs = house.take("a", "b", "c", "d", "e")
            assert await told(*jobs) == ["ok", "ok", "ok", "BudgetExhausted", "BudgetExhausted"]
            assert {await words(job) for job in jobs[3:]} == {f"BudgetExhausted: {OVER_BUDGET}"}
            assert len(house.client.sent) == 3
            assert house.runner.numbers().not_run == {OVER_BUDGET: 2}

    clock.run(main())


def test_a_budget_of_nothing_runs_nothing(clock: Clock) -> None:
    """All are told at once."""

    async def main() -> None:
        async with House(clock, budget=0) as house:
            assert await told(*house.take("a", "b")) == ["BudgetExhausted"] * 2
            assert (clock.now, house.client.sent) == (0, [])

    clock.run(main())


def test_retries_are_paid_for(clock: Clock) -> None:
    """What provably did not start, and then meets the end of the budget, was not run."""

    async def main() -> None:
        async with House(clock, {"a": limited(1.0)}, budget=2, retries=5) as house:
            (a,) = house.take("a")
            assert await words(a) == f"BudgetExhausted: {OVER_BUDGET}"
            assert house.client.sent == [(0, "a"), (1, "a")]

    clock.run(main())


def test_what_may_have_run_stays_unknown_at_the_end_of_the_budget(clock: Clock) -> None:
    """That it may not be tried again says less than what was tried."""

    async def main() -> None:
        async with House(clock, {"a": LOST}, budget=1, idempotent=["a"]) as house:
            (a,) = house.take("a")
            assert await words(a) == (
                f"ConnectionLost: the connection ended before the answer was whole (workflow "
                f'"a" over the webhook API at {ORIGIN})\n  The workflow may have run; it was not started again.'
            )

    clock.run(main())


def test_attempts_that_sent_nothing_cost_nothing(clock: Clock) -> None:
    """A connection that was not made is no run."""

    async def main() -> None:
        async with House(clock, {"a": UNREACHABLE}, budget=1) as house:
            a, b = house.take("a", "b")
            assert await told(a, b) == ["ConnectionFailed", "ok"]
            assert house.client.sent == [(1.5, "b")]

    clock.run(main())


def test_a_run_that_waits_again_goes_before_new_ones_in_the_budget_too(clock: Clock) -> None:
    """The last of the budget goes to a run that has begun."""

    async def main() -> None:
        async with House(clock, {"long": Step(5.0), "a": [limited()]}, cap=2, budget=3) as house:
            jobs = house.take("long", "a", "b")
            assert await told(*jobs) == ["ok", "ok", "BudgetExhausted"]

    clock.run(main())


# --- the circuit


def circuit(reason: str) -> str:
    return f"CircuitOpen: 5 runs in a row had failed at {ORIGIN}: {reason}"


def test_a_host_that_nobody_finds_stops_the_rest_with_one_message(clock: Clock) -> None:
    """Five runs, each with its retries, find out; the others are not tried, those under way at the time included."""

    async def main() -> None:
        script = dict.fromkeys("abcdefgh", UNREACHABLE)
        async with House(clock, script, cap=4, retries=1) as house:
            jobs = house.take(*"abcdefgh", *"abcd")
            assert Counter(await told(*jobs)) == {"ConnectionFailed": 5, "CircuitOpen": 7}
            stopped = {await words(job) for job in jobs if isinstance(await outcome(job), CircuitOpen)}
            assert stopped == {circuit("connection refused")}
            assert house.client.sent == []
            assert clock.now == 1.0
            numbers = house.runner.numbers()
            assert (numbers.without_verdict, sum(numbers.not_run.values())) == (5, 7)

    clock.run(main())


def test_a_refused_secret_stops_its_own_workflow_only(clock: Clock) -> None:
    """Over the webhook API each workflow may have its own."""

    async def main() -> None:
        async with House(clock, {"a": REFUSED}, cap=1) as house:
            jobs = house.take(*["a"] * 7, "b", "a")
            assert await told(*jobs) == ["AuthenticationFailed"] * 5 + ["CircuitOpen"] * 2 + ["ok", "CircuitOpen"]
            assert await words(jobs[-1]) == circuit("the credential was refused")
            assert [name for _, name in house.client.sent] == ["a"] * 5 + ["b"]

    clock.run(main())


def test_a_refused_token_stops_all_workflows_of_its_api(clock: Clock) -> None:
    """The dashboard API has one token for all; the webhook API goes on."""

    async def main() -> None:
        async with House(clock, dict.fromkeys("abcde", REFUSED), cap=1) as house:
            jobs = house.take(*"abcdef", api=Api.DASHBOARD) + house.take("f")
            assert await told(*jobs) == ["AuthenticationFailed"] * 5 + ["CircuitOpen", "ok"]
            assert len(house.client.sent) == 6

    clock.run(main())


def test_a_run_that_gets_through_breaks_the_row(clock: Clock) -> None:
    """Four refusals and a success begin anew."""

    async def main() -> None:
        steps = [REFUSED] * 4 + [Step()] + [REFUSED] * 5
        async with House(clock, {"a": steps}, cap=1) as house:
            jobs = house.take(*["a"] * 11)
            assert await told(*jobs) == (
                ["AuthenticationFailed"] * 4 + ["ok"] + ["AuthenticationFailed"] * 5 + ["CircuitOpen"]
            )

    clock.run(main())


def test_the_circuit_gives_back_the_budget(clock: Clock) -> None:
    """What it does not let pass was not sent."""

    async def main() -> None:
        async with House(clock, {"a": REFUSED}, cap=1, budget=6) as house:
            jobs = house.take(*["a"] * 8, "b", "c")
            assert await told(*jobs[5:]) == ["CircuitOpen"] * 3 + ["ok", "BudgetExhausted"]

    clock.run(main())


def test_a_run_between_two_attempts_is_not_tried_again_once_the_circuit_is_open(clock: Clock) -> None:
    """It belongs to the rest."""

    async def main() -> None:
        script: Script = {"a": [limited(seconds=1.2)], **dict.fromkeys("bcdef", UNREACHABLE)}
        async with House(clock, script, cap=16) as house:
            jobs = house.take(*"bcdef", "a")
            assert await told(*jobs) == ["ConnectionFailed"] * 5 + ["CircuitOpen"]
            assert [name for _, name in house.client.sent] == ["a"]

    clock.run(main())


# --- how far it is


def test_the_status_says_how_far_the_runs_are(clock: Clock) -> None:
    """Done, running with the oldest one's age, waiting and why, and for how many a test waits."""

    async def main() -> None:
        async with House(clock, {"a": Step(10.0), "b": [limited(20.0, seconds=1.0)]}, cap=2) as house:
            assert house.status() == Status(cap=2)
            (a,) = house.take("a")
            await house.until(0.5)
            b, c = house.take("b", "c")
            house.runner.prioritise(c)
            house.runner.prioritise(a)
            assert house.status() == Status(running=2, waiting=1, cap=2, oldest="a", age=0.5, awaited=2)
            await house.until(2.5)
            assert house.status() == Status(
                running=1, waiting=2, cap=1, resumes_in=19.0, oldest="a", age=2.5, awaited=2
            )
            await told(a)
            assert house.status() == Status(
                done=1, running=0, waiting=2, cap=1, resumes_in=11.5, oldest="b", age=9.5, awaited=1
            )
            await told(b, c)
            house.runner.prioritise(c)
            assert house.status() == Status(done=3, cap=1)

    clock.run(main())


def test_what_is_left_is_known_from_runs_that_have_ended(clock: Clock) -> None:
    """By workflow: the rest of those under way, and those that wait, over the places under the cap."""

    async def main() -> None:
        async with House(clock, {"a": Step(10.0), "b": Step(4.0)}, cap=2) as house:
            first = house.take("a", "b")
            await house.until(1.0)
            assert house.status().left is None
            await told(*first)
            jobs = house.take("a", "a", "b", "b")
            await house.until(12.0)
            assert house.status().left == pytest.approx((8.0 + 8.0 + 4.0 + 4.0) / 2)
            (unknown,) = house.take("c")
            assert house.status().left is None
            await told(*jobs, unknown)
            assert house.status().left is None

    clock.run(main())


def test_a_run_says_how_much_of_its_time_may_be_the_engine_s(clock: Clock) -> None:
    """What the loop was late while it flew; what it was late before is not its business."""

    async def main() -> None:
        async with House(clock, {"a": Step(1.0), "b": Step(1.0)}, cap=1) as house:
            a, b, c = house.take("a", "b", "c")
            await house.until(0.5)
            clock.stall(0.25)
            assert round((await ended(a)).lag, 3) == pytest.approx(0.25, abs=0.02)
            assert (await ended(b)).lag == 0.0
            house.runner.cancel(c)
            assert (await ended(c)).lag == 0.0

    clock.run(main())


# --- the end


def test_closing_ends_everything_wherever_it_is(clock: Clock) -> None:
    """What flies is unknown, what had not been sent is cancelled, and nothing goes out any more."""

    async def main() -> None:
        script: Script = {
            "flying": Step(100.0),
            "later": [limited(50.0)],
            "unsent": Step(connect=100.0),
            "lost": [LOST],
        }
        async with House(clock, script, cap=4, idempotent=["flying", "later", "unsent", "lost", "queued"]) as house:
            jobs = house.take("flying", "unsent", "lost", "later", "queued")
            await house.until(0.25)
            house.runner.close()
            assert await told(*jobs) == ["ConnectionLost", "Cancelled", "ConnectionLost", "Cancelled", "Cancelled"]
            (late,) = house.take("late")
            assert await words(late) == 'Cancelled: the run of workflow "late" was given up before it was sent'
            await house.runner.ended()
            house.runner.close()
            assert clock.now == 0.25
            assert len(house.client.sent) == 3

    clock.run(main())


def test_after_everything_was_given_up_new_runs_may_start(clock: Clock) -> None:
    """A fixture's end may still run a workflow that cleans up."""

    async def main() -> None:
        async with House(clock, {"a": Step(100.0), "b": [limited(60.0)]}, cap=2) as house:
            jobs = house.take("a", "b", "c")
            await house.until(1.0)
            house.runner.cancel_all()
            assert await told(*jobs) == ["ConnectionLost", "Cancelled", "Cancelled"]
            (d,) = house.take("d")
            assert await told(d) == ["ok"]
            assert house.client.sent == [(0, "a"), (0, "b"), (60, "d")]

    clock.run(main())


# --- everything at once

STEPS = [Step(), Step(0.0), Step(3.0), Step(connect=1.0), UNREACHABLE, LOST, FAILED, REFUSED]
STEPS += [limited(), limited(0.0), limited(1.0), limited(seconds=0.5), unavailable(2.0)]
MOMENTS = st.integers(0, 20).map(lambda quarters: quarters / 4)


@dataclass(frozen=True)
class Case:
    """A run: when it comes, how its attempts end, and whether somebody gives it up before."""

    script: list[Step]
    comes: float
    priority: Priority
    timeout: float
    stopped: tuple[str, float] | None
    lane: int | None
    """How many of those with the same number may be under way at once."""


CASES = st.builds(
    Case,
    script=st.lists(st.sampled_from(STEPS), max_size=4),
    comes=MOMENTS,
    priority=st.sampled_from([Priority.AHEAD, Priority.ASKED]),
    timeout=st.sampled_from([1.5, 4.0, 300.0]),
    stopped=st.none() | st.tuples(st.sampled_from(["cancel", "discard", "prioritise"]), MOMENTS),
    lane=st.sampled_from([None, 1, 2]),
)


@given(cases=st.lists(CASES, max_size=12), cap=st.integers(1, 5), budget=st.none() | st.integers(0, 10))
def test_whatever_happens_every_run_ends_and_no_limit_is_passed(
    make_clock: Callable[[], Clock], cases: list[Case], cap: int, budget: int | None
) -> None:
    """Never over the cap or the budget, never a run lost, and never one sent again that may have happened."""
    clock = make_clock()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        script: Script = {f"w{number}": case.script for number, case in enumerate(cases)}
        async with House(clock, script, cap=cap, budget=budget, quiet=2.0) as house:
            jobs = [
                Job(
                    RunRequest(name, timeout=case.timeout),
                    ticket=Ticket(case.priority, lane=str(case.lane), lane_limit=case.lane),
                )
                for name, case in zip(script, cases, strict=True)
            ]
            house.client.lanes |= {job.request.workflow: job.ticket.lane for job in jobs}
            for job, case in zip(jobs, cases, strict=True):
                loop.call_at(case.comes, house.runner.take, [job])
                if case.stopped is not None:
                    do, moment = case.stopped
                    stop = house.discard if do == "discard" else getattr(house.runner, do)
                    loop.call_at(case.comes + moment, stop, job)
            assert len(await told(*jobs)) == len(cases)
            client = house.client
            assert client.peak <= cap
            assert all(client.peaks[str(limit)] <= limit for limit in (1, 2))
            assert budget is None or len(client.sent) <= budget
            assert all(may_have_run <= 1 for may_have_run in client.may_have_run.values())

    clock.run(main())


def test_who_was_told_to_come_back_goes_before_those_who_have_not_begun(clock: Clock) -> None:
    """Its deadline is ticking: when the pause is over it is the first that is let in, and not behind new ones."""

    async def main() -> None:
        async with House(clock, {"again": [limited(10.0)], "new": Step(30.0)}, cap=1) as house:
            jobs = house.take("again", "new", "new")
            await told(*jobs)
            assert house.client.sent == [(0, "again"), (10, "again"), (11, "new"), (41, "new")]

    clock.run(main())


def test_one_that_is_given_up_while_it_waits_its_turn_holds_nobody_up(clock: Clock) -> None:
    """Also when others are let in before it has got to say that it has gone."""

    async def main() -> None:
        async with House(clock, {"limiter": [limited(20.0)], "gone": [limited()]}, cap=4) as house:
            limiter, gone = house.take("limiter", "gone")
            await house.until(10.0)
            (queued,) = house.take("queued")
            clock.jump(10.5)  # what was due at 20 has not been looked at
            house.runner.cancel(gone)
            (new,) = house.take("new")
            assert await told(limiter, queued, new) == ["ok"] * 3
            assert await told(gone) == ["Cancelled"]

    clock.run(main())


def test_back_off_is_counted_as_it_was_waited_for(clock: Clock) -> None:
    """A run that is given up after a second of ten has backed off for one."""

    async def main() -> None:
        async with House(clock, {"a": limited(10.0)}) as house:
            (job,) = house.take("a")
            await house.until(1.0)
            house.runner.cancel(job)
            await told(job)
            assert house.runner.numbers().back_off == pytest.approx(1.0)

    clock.run(main())


# --- when tests are told


def telling_times(clock: Clock, jobs: list[Job]) -> dict[str, float]:
    """When whoever waits for each of these is told; filled in as they are."""
    times: dict[str, float] = {}

    def note(name: str, _: object) -> None:
        times[name] = clock.now

    for job in jobs:
        job.future.add_done_callback(partial(note, job.request.workflow))
    return times


def test_a_run_that_ends_alone_is_told_of_at_once(clock: Clock) -> None:
    """Also while others fly."""

    async def main() -> None:
        async with House(clock, {"a": Step(1.0), "b": Step(1.1), "c": Step(9.0)}) as house:
            jobs = house.take("a", "b", "c")
            times = telling_times(clock, jobs)
            await told(*jobs)
            assert times == {"a": 1.0, "b": 1.1, "c": 9.0}

    clock.run(main())


def test_runs_that_end_close_together_are_told_of_together(clock: Clock) -> None:
    """The first of them at once, and the others when no more come; the last one of all waits for nobody."""

    async def main() -> None:
        steps = {"a": Step(1.0), "b": Step(1.001), "c": Step(1.003), "d": Step(5.0), "e": Step(5.001)}
        async with House(clock, steps) as house:
            jobs = house.take(*steps)
            times = telling_times(clock, jobs)
            await told(*jobs)
            told_at = pytest.approx(1.003 + QUIET)
            assert times == {"a": 1.0, "b": told_at, "c": told_at, "d": 5.0, "e": 5.001}

    clock.run(main())


def test_nobody_waits_longer_than_patience_to_be_told(clock: Clock) -> None:
    """However many runs end, without a pause, for however long."""

    async def main() -> None:
        steps = {f"run-{number}": Step(1.0 + number * 0.004) for number in range(1000)}
        async with House(clock, steps, cap=1000) as house:
            jobs = house.take(*steps)
            times = telling_times(clock, jobs)
            await told(*jobs)
            assert max(times[name] - step.seconds for name, step in steps.items()) == pytest.approx(PATIENCE)

    clock.run(main())


def test_what_is_given_up_is_told_of_at_once(clock: Clock) -> None:
    """And with it what had ended, and nobody knew of yet."""

    async def main() -> None:
        async with House(clock, {"a": Step(1.0), "b": Step(1.001), "c": Step(9.0)}) as house:
            jobs = house.take("a", "b", "c")
            times = telling_times(clock, jobs)
            await house.until(1.002)
            house.runner.cancel_all()
            assert await told(*jobs) == ["ok", "ok", "ConnectionLost"]
            assert times["b"] == 1.002

    clock.run(main())
