"""The engine's inside: what happens in the event loop, one step at a time, so that nothing here needs a lock."""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from ..client import AttemptState, NoGate, Target
from ..errors import (
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
from ..redaction import Redactor
from ..runs import RunRequest, WorkflowRun
from ..storage.recorder import RunRecorder
from ..storage.sources import Lookup
from .admission import AdmissionQueue, Priority, Ticket, TicketState
from .circuit_breaker import CircuitBreaker
from .jobs import Job
from .lag import LagMeter
from .stats import Stats, StatsSnapshot, Status
from .values import Ended, EngineError, Outcome

_GRAIN = 0.05
"""Seconds that two readings of one moment may lie apart."""

QUIET: Final = 0.005
"""Seconds without a run that ends: one that ends after them is told of at once, one that ends before them is not."""

PATIENCE: Final = 1.0
"""Seconds after which tests are told in any case."""


class RunsOne(Protocol):
    """The client, as the engine sees it."""

    async def run(self, request: RunRequest, flight: AttemptState) -> WorkflowRun:
        """Runs one request and waits for its end."""
        ...


class Runner:
    """Takes jobs to their outcomes: as many at once as the window lets in, the rest in the queue.

    Args:
        client: runs one request.
        window: says whose turn it is.
        redactor: cleans what a defect of this package shows.
        over_budget: what is told of the runs that the window's budget does not let in.
        keeper: recalls runs that are there already, and keeps those that come; None where nothing is kept.
    """

    def __init__(
        self,
        client: RunsOne,
        window: AdmissionQueue,
        redactor: Redactor,
        over_budget: str = "",
        keeper: RunRecorder | None = None,
    ) -> None:
        self.ledger = Stats()
        self._client = client
        self._window = window
        self._redactor = redactor
        self._over_budget = over_budget
        self._loop = asyncio.get_running_loop()
        self._circuit = CircuitBreaker()
        self._lag = LagMeter(lambda: bool(self._window.flying))
        self._keeper = keeper
        self._recalling: set[Job] = set()
        """Jobs that may be there already: the keeper looks."""
        self._keeping: dict[Job, asyncio.Future[None]] = {}
        """Runs that have come, and are being written down before anybody is told."""
        self._ended: list[tuple[Job, Ended]] = []
        """Runs that have ended, and nobody has been told of."""
        self._ended_at = -math.inf
        """When the last one did."""
        self._handing: asyncio.TimerHandle | None = None
        self._told: deque[Callable[[], object]] = deque()
        """What the keeper has told, and the loop has not heard yet."""
        self._woken = False
        self._queued: dict[Ticket, Job] = {}
        """Jobs that have not begun."""
        self._again: dict[Ticket, asyncio.Future[None]] = {}
        """Runs that wait for their next attempt."""
        self._begun: dict[Job, None] = {}
        """Runs under way, the oldest first."""
        self._awaited: set[Job] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self, jobs: Iterable[Job]) -> None:
        """Starts these as soon as there is room for them."""
        jobs = list(jobs)
        self.ledger.begin(self._loop.time(), len(jobs))
        for job in jobs:
            if self._closed:
                self._settle(job, _given_up(job), given_up=True)
            elif self._keeper is not None and self._keeper.recalls:
                self._recalling.add(job)
                self._keeper.recall(job, self._soon, partial(self._recalled, job))
            else:
                self._join(job)
        self._pump()

    def hurry(self, job: Job) -> None:
        """A test waits for this one."""
        if not job.future.done():
            self._awaited.add(job)
            self._window.hurry(job.ticket)

    def forsake(self, job: Job) -> None:
        """No test waits for this one just now."""
        self._awaited.discard(job)

    def drop(self, job: Job, *, counts: bool = False) -> None:
        """Nobody wants this one any more: an attempt that has begun to go out comes to its end, all else ends here.

        Args:
            job: the one.
            counts: whether it is one of those that were not run. A run that was ahead and not needed is none.
        """
        if job.claims > 0:  # somebody who shares it has come since
            return
        self._awaited.discard(job)
        if self._queued.pop(job.ticket, None) is not None:
            self._window.leave(job.ticket)
            if counts:
                self._settle(job, _given_up(job), given_up=True)
            else:
                self.ledger.leave(self._loop.time())
                job.future.set_result(Ended(_given_up(job)))
            self._pump()
        elif job in self._recalling:
            self._recalling.discard(job)
            if counts:
                self._settle(job, _given_up(job), given_up=True)
            else:
                self.ledger.leave(self._loop.time())
                job.future.set_result(Ended(_given_up(job)))
        elif job.task is not None and not job.flight.sent:
            job.task.cancel()

    def give_up(self, job: Job) -> None:
        """Ends this one, wherever it is."""
        if self._queued.pop(job.ticket, None) is not None:
            self._window.leave(job.ticket)
            self._settle(job, _given_up(job), given_up=True)
            self._pump()
        elif job in self._recalling:
            self._recalling.discard(job)
            self._settle(job, _given_up(job), given_up=True)
        elif job.task is not None:
            job.task.cancel()

    def give_up_all(self) -> None:
        """Ends everything that waits and that flies."""
        for job in [*self._recalling, *self._queued.values(), *self._begun]:
            self.give_up(job)
        self._hand_over()

    def close(self) -> None:
        """Ends everything, and lets nothing begin any more."""
        self._closed = True
        self.give_up_all()
        if self._alarm is not None:
            self._alarm.cancel()

    async def ended(self) -> None:
        """Returns when no run is under way any more."""
        while self._begun:
            await asyncio.wait([job.task for job in self._begun if job.task is not None])
            await asyncio.sleep(0)  # the last ones' `_done` comes after this waiter's own call
        while self._keeping:
            await asyncio.wait(list(self._keeping.values()))
            await asyncio.sleep(0)
        self._hand_over()

    def numbers(self) -> StatsSnapshot:
        """What the runs took and cost so far."""
        return self.ledger.numbers(self._loop.time())

    def status(self) -> Status:
        """How far the runs are."""
        now = self._loop.time()
        window = self._window
        oldest = next(iter(self._begun), None)
        resting = sum(job.resting for job in self._begun)
        held = (self._queued or resting) and now < window.resumes_at
        return Status(
            done=self.ledger.done,
            running=len(self._begun) - resting,
            waiting=len(self._queued) + len(self._recalling) + resting,
            cap=window.cap,
            resumes_in=window.resumes_at - now if held else None,
            oldest=oldest.request.workflow if oldest else None,
            age=now - oldest.begun_at if oldest and oldest.begun_at is not None else 0.0,
            awaited=len(self._awaited),
        )

    def give_way(self) -> None:
        """For the thread of a test that goes on: see `LagMeter.give_way`."""
        self._lag.give_way()

    # --- what is there already, and what is kept

    def _soon(self, function: Callable[[], object]) -> None:
        """For the keeper's thread. The loop is woken once for all that it has not come to yet."""
        self._told.append(function)
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                self._loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        self._woken = False  # before: what is told from now on wakes it again
        while self._told:
            self._loop.call_soon(self._told.popleft())

    def _recalled(self, job: Job, recalled: Lookup) -> None:
        if job not in self._recalling:  # given up meanwhile
            return
        self._recalling.discard(job)
        job.recalled = recalled
        if recalled.ended is not None:
            job.ended = time.time()
            self._tell(job, replace(recalled.ended, reference=job.reference))
        else:
            self._join(job)
            self._pump()

    def _keep(self, job: Job, ended: Ended, *, given_up: bool) -> None:
        """Has the keeper's thread write down how a job ended, and then tells of it."""
        assert self._keeper is not None
        kept = self._keeping[job] = self._loop.create_future()
        self._keeper.keep(job, ended, self._soon, partial(self._kept, job, kept, given_up=given_up))

    def _kept(self, job: Job, kept: asyncio.Future[None], ended: Ended, *, given_up: bool) -> None:
        del self._keeping[job]
        kept.set_result(None)
        self._tell_now(job, ended, given_up=given_up)

    # --- whose turn it is

    def _join(self, job: Job) -> None:
        """Stands in the queue."""
        self._queued[job.ticket] = job
        self._window.join(job.ticket)

    def _pump(self) -> None:
        """Lets in whoever may go now, and sets the alarm for when time alone will let in the next."""
        if self._closed:
            return
        self._sweep()
        now = self._loop.time()
        admitted, refused = self._window.admit(now)
        for ticket in refused:
            self._refuse(ticket)
        for ticket in admitted:
            self._let_go(ticket)
        if admitted:
            self._lag.start()
        if self._alarm is not None:
            self._alarm.cancel()
        wakes_at = self._window.wakes_at(now)
        self._alarm = self._loop.call_at(wakes_at, self._pump) if wakes_at is not None else None

    def _sweep(self) -> None:
        """Takes those out of the queue that have been given up there, and have not got to say so themselves."""
        for ticket in [ticket for ticket, turn in self._again.items() if turn.done()]:
            del self._again[ticket]
            self._window.leave(ticket)

    def _refuse(self, ticket: Ticket) -> None:
        error = BudgetExhausted(self._over_budget)
        again = self._again.pop(ticket, None)
        if again is not None:
            again.set_exception(error)
        else:
            self._settle(self._queued.pop(ticket), error)

    def _let_go(self, ticket: Ticket) -> None:
        again = self._again.pop(ticket, None)
        if again is not None:
            again.set_result(None)
            return
        job = self._queued.pop(ticket)
        job.begun_at = self._loop.time()
        job.started = time.time()
        job.flight.gate = _Turns(self, job)
        job.task = self._loop.create_task(self._outcome_of(job))
        self._begun[job] = None
        job.task.add_done_callback(partial(self._done, job))

    # --- one run

    def _done(self, job: Job, task: asyncio.Task[Outcome]) -> None:
        """A run has ended, in whatever way: nobody waits for it any more."""
        outcome = None if task.cancelled() else task.result()
        self._begun.pop(job)
        self._window.leave(job.ticket)
        if job.target is not None and outcome is not None:
            outcome = self._circuit.judge(job.target, outcome)
        self._settle(job, outcome if outcome is not None else _given_up(job), given_up=outcome is None)
        job.flight.gate, job.task = NoGate(), None  # no ring of references: its result goes when its test lets go
        self._pump()

    async def _outcome_of(self, job: Job) -> Outcome:
        try:
            return await self._client.run(job.request, job.flight)
        except WisebotError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a defect of ours must reach the test that waits, and not the loop
            frames = "".join(traceback.format_exception(error))  # text: the frames themselves hold headers
            return EngineError(f"pytest-wisebot failed inside; please report this:\n{self._redactor.clean(frames)}")

    def _settle(self, job: Job, outcome: Outcome, *, given_up: bool = False) -> None:
        lag = self._lag.since(job.sent_at) if job.sent_at is not None and isinstance(outcome, WorkflowRun) else 0.0
        job.ended = time.time()
        self._tell(job, Ended(outcome, lag, job.reference, trace=_trace_of(job, outcome)), given_up=given_up)

    def _tell(self, job: Job, ended: Ended, *, given_up: bool = False) -> None:
        """Says how a job ended. It is on disk before anybody knows of it."""
        kept = self._keeper.keep_at_once(job, ended) if self._keeper is not None else ended
        if kept is None:
            self._keep(job, ended, given_up=given_up)
        else:
            self._tell_now(job, kept, given_up=given_up)

    def _tell_now(self, job: Job, ended: Ended, *, given_up: bool) -> None:
        now = self._loop.time()
        self.ledger.end(job, ended, now, given_up=given_up)
        self._ended.append((job, ended))
        alone = now >= self._ended_at + QUIET or not (self._begun or self._keeping)
        self._ended_at = now
        if alone or self._closed:
            self._hand_over()
        elif self._handing is None:
            self._hand_over_at(now + QUIET, now + PATIENCE)

    # --- who waits for them

    def _hand_over_at(self, moment: float, latest: float) -> None:
        self._handing = self._loop.call_at(min(moment, latest), self._hand_over_if_quiet, latest)

    def _hand_over_if_quiet(self, latest: float) -> None:
        """Answers first, tests second: while many arrive at once, who reads them needs the interpreter for himself.

        A test that went on meanwhile would make each of them, and its run, look as if it had taken longer; and two
        threads that take turns a thousand times a second do less than one after the other.
        """
        quiet_at = self._ended_at + QUIET
        if self._loop.time() < min(quiet_at, latest):
            self._hand_over_at(quiet_at, latest)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Tells whoever waits for the runs that have ended."""
        if self._handing is not None:
            self._handing.cancel()
            self._handing = None
        ended, self._ended = self._ended, []
        for job, how in ended:
            self._awaited.discard(job)
            job.future.set_result(how)

    # --- what a run's attempts ask (see `client.AttemptGate`)

    def begin(self, job: Job, target: Target) -> None:
        """Raises `CircuitOpen` where runs like this one were refused too often."""
        job.target = target
        self._circuit.check(target)

    def sent(self, job: Job) -> None:
        """Its attempt has begun to go out."""
        job.sent_at = self._loop.time()
        self._window.sent(job.ticket)
        self.ledger.sent(job)

    def failed(self, job: Job, error: InfrastructureError) -> None:
        """Its attempt failed: where Wisebot asks for less, it gets less."""
        asked = isinstance(error, ServiceUnavailable) and error.retry_after is not None
        job.yields = asked or isinstance(error, RateLimited)
        if job.yields:
            self._window.limited(job.ticket, error.retry_after, self._loop.time())

    async def again(self, job: Job, seconds: float) -> None:
        """Comes back for another attempt, before all that have not begun.

        Where Wisebot asks for less, its place is free for others meanwhile, of which the cap lets in fewer. Else it
        keeps the place: while a host does not answer, nobody else is sent after those who find that out.
        """
        if job.claims <= 0:
            raise Cancelled(f'the run of workflow "{job.request.workflow}" is wanted by nobody any more')
        begins = self._loop.time()
        job.sent_at = None
        job.resting = True
        if job.yields:
            self._window.leave(job.ticket)
            self._pump()
        try:
            await self._pause(job, begins + seconds)
            await self._turn(job)
        finally:
            job.resting = False
            self.ledger.back_off += self._loop.time() - begins

    async def _pause(self, job: Job, until: float) -> None:
        """Waits until then; in the queue and not before it, where the window itself lets nobody in before."""
        shut_as_long = job.yields and self._window.resumes_at >= until - _GRAIN
        if not shut_as_long:
            await asyncio.sleep(until - self._loop.time())

    async def _turn(self, job: Job) -> None:
        """Stands in the queue for a place, before all that have not begun."""
        assert job.target is not None
        self._circuit.check(job.target)
        self._window.leave(job.ticket)
        turn = self._again[job.ticket] = self._loop.create_future()
        job.ticket.urgency = Priority.AGAIN
        self._window.join(job.ticket)
        self._pump()
        try:
            await turn
        finally:
            self._again.pop(job.ticket, None)
            if job.ticket.place is TicketState.WAITING:  # given up, or out of time, before its turn came
                self._window.leave(job.ticket)
        self._circuit.check(job.target)


class _Turns:
    """The turns of one job."""

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
    """The ``traceparent`` of the attempt that an outcome is about; empty where none went out."""
    if isinstance(outcome, InfrastructureError):
        return outcome.trace
    return job.flight.trace if isinstance(outcome, WorkflowRun) else ""


def _given_up(job: Job) -> WisebotError:
    request, flight = job.request, job.flight
    if isinstance(flight.failure, OutcomeUnknown):
        return flight.failure
    if not flight.sent:
        return Cancelled(f'the run of workflow "{request.workflow}" was given up before it was sent')
    asked = flight.attempted or Attempted(request.workflow, str(request.api), "its host")
    asked = replace(asked, attempts=flight.attempts, trace=flight.trace)
    return ConnectionLost("the run was given up after it had been sent", asked)
