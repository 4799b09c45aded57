"""The engine's event loop: each step of a run happens here, one at a time, so that nothing needs a lock."""

from __future__ import annotations

import asyncio
import itertools
import math
import traceback
from asyncio import sleep, wait
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from ..client import AttemptState, NoGate, Target
from ..errors import (
    NO_REQUEST,
    Attempted,
    BudgetExhausted,
    Cancelled,
    ConnectionLost,
    InfrastructureError,
    OutcomeUnknown,
    RateLimited,
    ServiceUnavailable,
    WisebotError,
)
from ..originals import time
from ..redaction import Redactor
from ..runs import Ended, EngineError, Outcome, RunRequest, WorkflowRun
from ..storage.recorder import RunRecorder
from ..storage.sources import Lookup
from .admission import HELD_BACK, LONGEST_PAUSE, AdmissionQueue, CircuitBreaker, Priority, Ticket, TicketState
from .jobs import Job
from .loop import LagMeter
from .stats import Stats, StatsSnapshot, Status

_GRAIN = 0.05
"""Seconds by which two readings of one moment may differ."""

QUIET: Final = 0.005
"""Seconds between two ends of runs below which the second one waits for others before it is handed over."""

PATIENCE: Final = 1.0
"""Seconds after which ends are handed over in any case."""


LOST: Final = (
    "the event loop of all runs has ended: something closed file descriptors that were not its own, as a test does "
    "with os.closerange or os.close; let that test do so in a process of its own"
)
"""Why no run ends any more, and none can begin."""


class RunsOne(Protocol):
    """The part of the client that the engine uses."""

    async def run(self, request: RunRequest, flight: AttemptState) -> WorkflowRun:
        """Runs one request to its end."""
        ...


class Runner:
    """Takes jobs to their outcomes: as many at once as the admission queue admits, the rest wait.

    Args:
        client: runs one request.
        window: admits jobs.
        redactor: cleans the message of a defect of this package.
        over_budget: the message for runs beyond the budget.
        recorder: looks runs up and stores them; None where nothing is kept.
        timeout: seconds for a run that names no other limit.
    """

    def __init__(
        self,
        client: RunsOne,
        window: AdmissionQueue,
        redactor: Redactor,
        over_budget: str = "",
        recorder: RunRecorder | None = None,
        timeout: float = math.inf,
    ) -> None:
        self.stats = Stats()
        self._client = client
        self._window = window
        self._redactor = redactor
        self._over_budget = over_budget
        self._recorder = recorder
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._circuit = CircuitBreaker()
        self._lag = LagMeter(lambda: bool(self._window.flying))
        self._looking_up: set[Job] = set()
        """Jobs that the recorder looks up."""
        self._queued: dict[Ticket, Job] = {}
        """Jobs that have not begun."""
        self._retrying: dict[Ticket, asyncio.Future[None]] = {}
        """Jobs that wait for their next attempt."""
        self._begun: dict[Job, None] = {}
        """Jobs under way, the oldest first."""
        self._storing: dict[Job, asyncio.Future[None]] = {}
        """Jobs whose end the recorder writes."""
        self._ended: list[tuple[Job, Ended]] = []
        """Ends that are not handed over yet."""
        self._ended_at = -math.inf
        """When the last run ended."""
        self._handing: asyncio.TimerHandle | None = None
        self._calls: deque[Callable[[], object]] = deque()
        """Calls of the recorder that the loop has not made yet."""
        self._woken = False
        self._awaited: set[Job] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False
        self._lost = False

    def take(self, jobs: Iterable[Job]) -> None:
        """Starts these as soon as there is room for them."""
        jobs = list(jobs)
        self.stats.begin(self._loop.time(), len(jobs))
        for job in jobs:
            if self._closed:
                self._settle(job, _cancelled(job), cancelled=True)
            elif self._recorder is not None and self._recorder.looks_up:
                self._looking_up.add(job)
                self._recorder.lookup(job.request, self._soon, partial(self._looked_up, job))
            else:
                self._join(job)
        self._pump()

    def prioritise(self, job: Job) -> None:
        """A test waits for this job."""
        if not job.future.done():
            self._awaited.add(job)
            self._window.prioritise(job.ticket)

    def wait_abandoned(self, job: Job) -> None:
        """No test waits for this job any more, though one may again."""
        self._awaited.discard(job)

    def discard(self, job: Job, *, counts: bool = False) -> None:
        """No test will use this job: an attempt that has begun to go out comes to its end, all else ends here.

        Args:
            job: the job.
            counts: whether it counts as a run that was not run. A run that started ahead and was not needed does not.
        """
        if job.subscribers > 0:  # a test that shares it has come since
            return
        self._awaited.discard(job)
        if self._withdraw(job):
            if counts:
                self._settle(job, _cancelled(job), cancelled=True)
            else:
                self.stats.leave(self._loop.time())
                job.future.set_result(Ended(_cancelled(job)))
            self._pump()
        elif job.task is not None and not job.flight.sent:
            job.task.cancel()

    def cancel(self, job: Job) -> None:
        """Ends this job, wherever it is."""
        if self._withdraw(job):
            self._settle(job, _cancelled(job), cancelled=True)
            self._pump()
        elif job.task is not None:
            job.task.cancel()

    def _withdraw(self, job: Job) -> bool:
        """Takes a job out that has not begun."""
        if self._queued.pop(job.ticket, None) is not None:
            self._window.leave(job.ticket)
            return True
        if job in self._looking_up:
            self._looking_up.discard(job)
            return True
        return False

    def cancel_all(self) -> None:
        """Ends every job."""
        for job in [*self._looking_up, *self._queued.values(), *self._begun]:
            self.cancel(job)
        self._hand_over()

    def close(self) -> None:
        """Ends every job, and begins none any more."""
        self._closed = True
        self.cancel_all()
        if self._alarm is not None:
            self._alarm.cancel()

    def lose(self) -> None:
        """The event loop has ended by itself. For another thread, since there is none here any more."""
        self._closed = self._lost = True
        lost = [*self._looking_up, *self._queued.values(), *self._begun]
        self._looking_up.clear()
        while self._calls:
            self._calls.popleft()()
        for job in lost:
            ended = self._ended_now(job, _cancelled(job, LOST))
            if self._recorder is not None:
                ended = self._recorder.store(job.request, ended, job.found)
            self._publish(job, ended, cancelled=False)
        self._hand_over()

    async def ended(self) -> None:
        """Returns when no run is under way any more."""
        while self._begun:
            await wait([job.task for job in self._begun if job.task is not None])
            await sleep(0)  # the last ones' `_done` comes after this waiter's own call
        while self._storing:
            await wait(list(self._storing.values()))
            await sleep(0)
        self._hand_over()

    def numbers(self) -> StatsSnapshot:
        """The session's numbers so far."""
        return self.stats.numbers(self._loop.time())

    def status(self) -> Status:
        """The progress of the runs."""
        now = self._loop.time()
        window = self._window
        oldest = next(iter(self._begun), None)
        backing_off = sum(job.backing_off for job in self._begun)
        held = (self._queued or backing_off) and now < window.resumes_at
        return Status(
            done=self.stats.done,
            running=len(self._begun) - backing_off,
            waiting=len(self._queued) + len(self._looking_up) + backing_off,
            cap=window.cap,
            resumes_in=window.resumes_at - now if held else None,
            oldest=oldest.request.workflow if oldest else None,
            age=now - oldest.begun_at if oldest and oldest.begun_at is not None else 0.0,
            awaited=len(self._awaited),
            held=self._held(),
            left=self._left(now),
        )

    def _left(self, now: float) -> float | None:
        """Seconds until all runs have ended: those of the longest, or all of them over the places under the cap."""
        expected = [self.stats.expected(job) for job in (*self._begun, *self._queued.values(), *self._looking_up)]
        began = [now - job.begun_at if job.begun_at is not None else 0.0 for job in self._begun]
        took = itertools.chain(began, itertools.repeat(0.0))
        seconds = [max(0.0, one - gone) for one, gone in zip(expected, took, strict=False) if one is not None]
        if not seconds or len(seconds) < len(expected):
            return None
        return max(self._window.resumes_at - now, 0.0) + max(max(seconds), sum(seconds) / self._window.cap)

    def _held(self) -> dict[str, int]:
        """By workflow, the runs that wait only because as many of it are under way as may be."""
        held = self._window.held_by_lanes()
        return {job.request.workflow: held[job.ticket.lane] for job in self._begun if job.ticket.lane in held}

    def take_back_refusals(self, references: Collection[str]) -> None:
        """See `CircuitBreaker.take_back`."""
        self._circuit.take_back(references)

    def yield_to_loop(self) -> None:
        """For the thread of a test: see `LagMeter.yield_to_loop`."""
        self._lag.yield_to_loop()

    # --- lookup

    def _soon(self, function: Callable[[], object]) -> None:
        """For the recorder's thread. The loop is woken once for all calls that it has not made yet."""
        if self._lost:
            function()
            return
        self._calls.append(function)
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop has ended, and no test waits any more
                self._loop.call_soon_threadsafe(self._make_calls)

    def _make_calls(self) -> None:
        self._woken = False  # before: later calls wake the loop again
        while self._calls:
            self._loop.call_soon(self._calls.popleft())

    def _looked_up(self, job: Job, found: Lookup) -> None:
        if job not in self._looking_up:  # cancelled meanwhile
            return
        self._looking_up.discard(job)
        job.found = found
        if found.ended is not None:
            self._store(job, replace(found.ended, reference=job.reference, queued=job.queued, ended=time.time()))
        else:
            self._join(job)
            self._pump()

    # --- admission

    def _join(self, job: Job) -> None:
        self._queued[job.ticket] = job
        job.ticket.limit = job.request.timeout if job.request.timeout is not None else self._timeout
        self._window.join(job.ticket, self._loop.time())

    def _pump(self) -> None:
        """Admits the jobs whose turn it is, and sets the alarm for when time alone admits the next."""
        if self._closed:
            return
        self._sweep()
        now = self._loop.time()
        for ticket, seconds in self._window.held_back():
            self._hold_back(ticket, seconds)
        admitted, rejected = self._window.admit(now)
        for ticket in rejected:
            self._reject(ticket)
        for ticket in admitted:
            self._begin(ticket)
        if admitted:
            self._lag.start()
        if self._alarm is not None:
            self._alarm.cancel()
        wakes_at = self._window.wakes_at(now)
        self._alarm = self._loop.call_at(wakes_at, self._pump) if wakes_at is not None else None

    def _sweep(self) -> None:
        """Removes tickets from the queue whose jobs have been cancelled there, before their tasks run."""
        for ticket in [ticket for ticket, turn in self._retrying.items() if turn.done()]:
            del self._retrying[ticket]
            self._window.leave(ticket)

    def _reject(self, ticket: Ticket) -> None:
        error = BudgetExhausted(self._over_budget)
        turn = self._retrying.pop(ticket, None)
        if turn is not None:
            turn.set_exception(error)
        else:
            self._settle(self._queued.pop(ticket), error)

    def _hold_back(self, ticket: Ticket, seconds: float) -> None:
        """Ends a run that Wisebot's pause leaves no time for. It gets as far as the gate, for its error to name it."""
        shown = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
        reason = f"{HELD_BACK} {shown} s by Wisebot's Retry-After, timeout {ticket.limit:g} s"
        turn = self._retrying.pop(ticket, None)
        if turn is not None:
            turn.set_exception(RateLimited(reason))
            return
        job = self._queued.pop(ticket)
        job.held_back = reason
        self._start(job)

    def _begin(self, ticket: Ticket) -> None:
        turn = self._retrying.pop(ticket, None)
        if turn is not None:
            turn.set_result(None)
            return
        job = self._queued.pop(ticket)
        job.flight.held = self._window.held(ticket, self._loop.time())
        self._start(job)

    def _start(self, job: Job) -> None:
        job.begun_at = self._loop.time()
        job.started = time.time()
        job.flight.gate = _JobGate(self, job)
        job.task = self._loop.create_task(self._outcome_of(job))
        self._begun[job] = None
        job.task.add_done_callback(partial(self._done, job))

    # --- the end of a run

    def _done(self, job: Job, task: asyncio.Task[Outcome]) -> None:
        if self._lost:
            return
        outcome = None if task.cancelled() else task.result()
        self._begun.pop(job)
        self._window.leave(job.ticket)
        if job.target is not None and outcome is not None:
            outcome = self._circuit.judge(job.target, outcome, job.reference)
        self._settle(job, outcome if outcome is not None else _cancelled(job), cancelled=outcome is None)
        job.flight.gate, job.task = NoGate(), None  # no ring of references: the result goes with its test
        self._pump()

    async def _outcome_of(self, job: Job) -> Outcome:
        try:
            return await self._client.run(job.request, job.flight)
        except WisebotError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a defect of this package must reach the waiting test, not the loop
            frames = "".join(traceback.format_exception(error))  # text: the frames themselves hold headers
            return EngineError(
                f"pytest-wisebot failed inside; please report this:\n{self._redactor.clean(frames)}\n"
                "If a test has replaced a function of Python or of a library while this run was under way, "
                "--wisebot-no-ahead keeps runs out of other tests."
            )

    def _settle(self, job: Job, outcome: Outcome, *, cancelled: bool = False) -> None:
        lag = self._lag.since(job.sent_at) if job.sent_at is not None and isinstance(outcome, WorkflowRun) else 0.0
        self._store(job, self._ended_now(job, outcome, lag), cancelled=cancelled)

    def _ended_now(self, job: Job, outcome: Outcome, lag: float = 0.0) -> Ended:
        return Ended(
            outcome,
            lag,
            job.reference,
            trace=_trace_of(job, outcome),
            queued=job.queued,
            started=job.started,
            ended=time.time(),
            attempts=job.flight.attempts,
        )

    def _store(self, job: Job, ended: Ended, *, cancelled: bool = False) -> None:
        """Has the end written, before any test sees it."""
        recorder = self._recorder
        if recorder is None:
            self._publish(job, ended, cancelled=cancelled)
        elif recorder.is_light(ended, job.flight.received):
            self._publish(job, recorder.store(job.request, ended, job.found), cancelled=cancelled)
        else:
            stored = self._storing[job] = self._loop.create_future()
            then = partial(self._stored, job, stored, cancelled=cancelled)
            recorder.store_soon(job.request, ended, job.found, self._soon, then)

    def _stored(self, job: Job, stored: asyncio.Future[None], ended: Ended, *, cancelled: bool) -> None:
        del self._storing[job]
        stored.set_result(None)
        self._publish(job, ended, cancelled=cancelled)

    def _publish(self, job: Job, ended: Ended, *, cancelled: bool) -> None:
        now = self._loop.time()
        self.stats.end(job, ended, now, cancelled=cancelled)
        self._ended.append((job, ended))
        alone = now >= self._ended_at + QUIET or not (self._begun or self._storing)
        self._ended_at = now
        if alone or self._closed:
            self._hand_over()
        elif self._handing is None:
            self._hand_over_at(now + QUIET, now + PATIENCE)

    def _hand_over_at(self, moment: float, latest: float) -> None:
        self._handing = self._loop.call_at(min(moment, latest), self._hand_over_if_quiet, latest)

    def _hand_over_if_quiet(self, latest: float) -> None:
        """Reads answers first and wakes tests second, while many arrive at once.

        A test that went on meanwhile would make each of these runs look as if it had taken longer; and two threads that
        take turns a thousand times a second do less than one after the other.
        """
        quiet_at = self._ended_at + QUIET
        if self._loop.time() < min(quiet_at, latest):
            self._hand_over_at(quiet_at, latest)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Wakes the tests that wait for ended runs."""
        if self._handing is not None:
            self._handing.cancel()
            self._handing = None
        ends, self._ended = self._ended, []
        for job, ended in ends:
            self._awaited.discard(job)
            job.future.set_result(ended)

    # --- attempts (see `client.AttemptGate`)

    def begin(self, job: Job, target: Target) -> None:
        """Raises `CircuitOpen` where runs like this one were refused too often, `RateLimited` where it has no time."""
        job.target = target
        self._circuit.check(target)
        if job.held_back:
            raise RateLimited(job.held_back, job.flight.attempted or NO_REQUEST)

    def sent(self, job: Job) -> None:
        """The job's attempt has begun to go out."""
        job.sent_at = self._loop.time()
        self._window.sent(job.ticket)
        self.stats.sent(job)

    def failed(self, job: Job, error: InfrastructureError) -> None:
        """The job's attempt failed: the cap is halved where Wisebot asks for less."""
        asked = isinstance(error, ServiceUnavailable) and error.retry_after is not None
        job.slot_released = asked or isinstance(error, RateLimited)
        if not job.slot_released:
            return
        now = self._loop.time()
        is_first = self._window.limited(job.ticket, error.retry_after, now)
        pause = min(error.retry_after or 0.0, LONGEST_PAUSE)
        if is_first and pause and job.target is not None and self._circuit.asked_to_wait(job.target, pause):
            self._window.reopen(now)

    async def again(self, job: Job, seconds: float) -> None:
        """Returns when the job may make another attempt, before all jobs that have not begun.

        Where Wisebot asks for less, its slot is free for others meanwhile, of which the cap admits fewer. Else it keeps
        the slot: while a host does not answer, no other job is sent to find that out, too.
        """
        if job.subscribers <= 0:
            raise Cancelled(f'no test needs the run of workflow "{job.request.workflow}" any more')
        assert job.target is not None
        self._circuit.check(job.target)
        begins = self._loop.time()
        job.sent_at = None
        job.backing_off = True
        if job.slot_released:
            self._window.leave(job.ticket)
            self._pump()
        try:
            await self._pause(job, begins + seconds)
            await self._turn(job)
        finally:
            job.backing_off = False
            self.stats.back_off += self._loop.time() - begins

    async def _pause(self, job: Job, until: float) -> None:
        """Waits until then; in the queue, and not before it, where the queue itself is shut that long."""
        shut_as_long = job.slot_released and self._window.resumes_at >= until - _GRAIN
        if not shut_as_long:
            await sleep(until - self._loop.time())

    async def _turn(self, job: Job) -> None:
        """Waits in the queue for a slot, before all jobs that have not begun."""
        assert job.target is not None
        self._circuit.check(job.target)
        self._window.leave(job.ticket)
        turn = self._retrying[job.ticket] = self._loop.create_future()
        job.ticket.priority = Priority.AGAIN
        now = self._loop.time()
        job.ticket.limit = job.flight.ends_at - now if job.flight.ends_at is not None else math.inf
        self._window.join(job.ticket, now)
        self._pump()
        try:
            await turn
        finally:
            self._retrying.pop(job.ticket, None)
            if job.ticket.state is TicketState.WAITING:  # cancelled, or out of time, before its turn came
                self._window.leave(job.ticket)
        self._circuit.check(job.target)


class _JobGate:
    """The `AttemptGate` of one job."""

    def __init__(self, runner: Runner, job: Job) -> None:
        self._runner = runner
        self._job = job

    def begin(self, target: Target) -> None:
        self._runner.begin(self._job, target)

    def sent(self) -> None:
        self._runner.sent(self._job)

    def failed(self, error: InfrastructureError) -> None:
        self._runner.failed(self._job, error)

    async def again(self, seconds: float) -> None:
        await self._runner.again(self._job, seconds)


def _trace_of(job: Job, outcome: Outcome) -> str:
    """The ``traceparent`` of the attempt with this outcome; empty where none went out."""
    if isinstance(outcome, InfrastructureError):
        return outcome.trace
    return job.flight.trace if isinstance(outcome, WorkflowRun) else ""


def _cancelled(job: Job, why: str = "") -> WisebotError:
    request, flight = job.request, job.flight
    if isinstance(flight.failure, OutcomeUnknown):
        return flight.failure
    if not flight.sent:
        return Cancelled(why or f'the run of workflow "{request.workflow}" was given up before it was sent')
    asked = flight.attempted or Attempted(request.workflow, str(request.api), "its host")
    asked = replace(asked, attempts=flight.attempts, trace=flight.trace)
    return ConnectionLost(why or "the run was given up after it had been sent", asked)
