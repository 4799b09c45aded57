"""The engine: requests in, futures out, one background thread with one event loop for all of them."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from ..client import Client
from ..errors import Cancelled, ConfigurationError, ConnectionFailed, WisebotError
from ..exhaustion import shortage
from ..originals import held_sockets, os, threading
from ..redaction import Redactor
from ..runs import RunRequest
from ..settings import Settings
from ..storage.recorder import RunRecorder
from .admission import AdmissionQueue, Priority, Ticket
from .jobs import Job
from .loop import DaemonThreads, Watch, new_loop, suppress_library_logs
from .pending import EngineCallbacks, PendingRun, Promise
from .runner import LOST, Runner
from .stats import StatsSnapshot, Status
from .values import Ahead

T = TypeVar("T")

ASK_SECONDS: Final = 10.0
"""How long a question to the event loop waits for its answer."""

CLOSE_SECONDS: Final = 60.0
"""Deadline for the end of the event loop, which cancels runs and waits for their files."""


class Engine:
    """Runs requests at once, as many as the settings allow.

    Nothing else starts a run. It begins with its making, and ends with `close`. Its methods may be called from any
    thread but the engine's own; none of them waits for the network.

    Args:
        settings: hosts, credentials and limits.
        redactor: cleans what errors quote of answers.
        on_wait: called when a test of this process begins to wait for a run, and when it has ended to.
        variables: the environment variables of the session's beginning; those of this moment if none are given.
        recorder: looks runs up and stores them; None where nothing is kept. It ends with the engine.
        sockets: the module ``socket`` of the session's beginning; that of this moment if none is given.
        prefix: begins the names of the runs in the session's log.
    """

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor,
        on_wait: Callable[[bool], None] = lambda _: None,
        variables: Mapping[str, str] | None = None,
        recorder: RunRecorder | None = None,
        sockets: Any = None,
        prefix: str = "r",
    ) -> None:
        self._variables = dict(os.environ) if variables is None else variables
        self._settings = settings
        self._redactor = redactor
        self._on_wait = on_wait
        self._recorder = recorder
        self._references = (f"{prefix}{number}" for number in itertools.count(1))
        self._lock = threading.Lock()
        self._known: set[str] = set()
        """Every key that was handed over ahead, or asked for."""
        self._unconfirmed: dict[str, str] = {}
        """By its key, the digest of a request that one process alone has submitted so far."""
        self._ahead: dict[str, Job] = {}
        self._shared: dict[str, list[Job]] = {}
        self._closed = False
        self._lost = False
        self._sockets = sockets or held_sockets()
        options = {"loop_factory": partial(new_loop, self._sockets)}
        with _shortage_named(), ExitStack() as unless_opened:
            self._portal: BlockingPortal = unless_opened.enter_context(start_blocking_portal("asyncio", options))
            unless_opened.enter_context(self._opened())
            self._stack = unless_opened.pop_all()

    def ahead(self, runs: Iterable[Ahead], *, confirmations: int | None = None) -> None:
        """Starts declared runs before their tests ask, all handed over at once; a key that is known is left out.

        A run that a test asks for goes before them; among them the longest of the last session goes first.

        Args:
            runs: the runs, in test order.
            confirmations: how many processes must submit the same request for a key before it is started. Where several
                collect the tests, an input bag with a fresh id in it differs between them: a run that is started for
                one process would be of no use to another. None: one.
        """
        with self._lock:
            fresh: list[Job] = []
            for one in runs:
                if one.key in self._known:
                    continue
                digest = one.request.key
                first = digest if confirmations in (None, 1) else self._unconfirmed.get(one.key)
                if first is None:
                    self._unconfirmed[one.key] = digest
                    continue
                self._known.add(one.key)
                if first == digest:
                    self._ahead[one.key] = self._job(one.request, one.key, fresh, Priority.AHEAD, one.seconds)
            self._take(fresh)

    def submit(self, request: RunRequest, key: str = "") -> PendingRun:
        """Starts a run as soon as there is room for it; or takes the one started ahead for this key, if it is equal."""
        with self._lock:
            self._known.add(key)  # too late to start it ahead from now on
            job = self._ahead.pop(key, None)
            if job is not None and job.request.equals(request):
                return self._pending(job, request)
            if job is not None:
                self._discard(job)
            return self._submitted([request], key)[0]

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs as soon as there is room for them, all handed over at once."""
        with self._lock:
            return self._submitted(requests)

    def forget(self, key: str) -> None:
        """The test of this key is over and has not asked: its run is not begun any more."""
        with self._lock:
            if (job := self._ahead.pop(key, None)) is not None:
                job.delivery.not_needed = job.request.occurrence.trial > 0
                self._discard(job)

    def take_back_refusals(self, references: Collection[str]) -> None:
        """The refusals of these runs were what their test expected: they open no circuit."""
        self._call_soon(self._runner.take_back_refusals, references)

    def status(self) -> Status:
        """The progress of the runs."""
        return self._ask(self._runner.status, Status)

    def numbers(self) -> StatsSnapshot:
        """The session's numbers so far."""
        return self._ask(self._runner.numbers, self._runner.numbers)

    def cancel_all(self) -> None:
        """Cancels every run. New runs may still be started."""
        with self._lock:
            self._ahead.clear()
            self._shared.clear()
        self._call_soon(self._runner.cancel_all)

    def close(self) -> None:
        """Cancels every run, and ends the background thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._watch.end()
        self._call_soon(self._runner.close)
        if not self._lost:
            end = threading.Thread(target=self._end_loop, name="wisebot-end", daemon=True)
            end.start()
            end.join(CLOSE_SECONDS)
        if self._recorder is not None:
            self._recorder.close()

    # --- jobs, with the lock held

    def _submitted(self, requests: Iterable[RunRequest], key: str = "") -> list[PendingRun]:
        fresh: list[Job] = []
        pending = [self._pending(self._job(request, key, fresh), request) for request in requests]
        self._take(fresh)
        return pending

    def _job(
        self,
        request: RunRequest,
        key: str,
        fresh: list[Job],
        priority: Priority = Priority.ASKED,
        seconds: float | None = None,
    ) -> Job:
        """The job for a request: that of an equal one where both share, else a fresh one."""
        equal = self._shared.setdefault(request.key, []) if request.share else []
        for job in equal:
            if job.request.equals(request):
                job.subscribers += 1
                return job
        job = Job(request, key, self._ticket(request, priority, seconds), reference=next(self._references))
        fresh.append(job)
        if request.share:
            equal.append(job)
        return job

    def _ticket(self, request: RunRequest, priority: Priority, seconds: float | None) -> Ticket:
        """A ticket, in the lane of its workflow where the settings limit that."""
        try:
            workflow = self._settings.workflow(request.workflow)
        except ConfigurationError:  # the run itself ends with it
            return Ticket(priority, seconds)
        limit = self._settings.limit_of(workflow)
        return Ticket(priority, seconds, lane=workflow.id, lane_limit=limit)

    def _take(self, jobs: list[Job]) -> None:
        if self._lost:
            raise Cancelled(LOST)
        if self._closed or not self._call_soon(self._runner.take, jobs):
            raise Cancelled("the session has ended: no run is started any more")

    def _pending(self, job: Job, request: RunRequest) -> PendingRun:
        callbacks = EngineCallbacks(
            awaited=partial(self._awaited, job),
            cancel=partial(self._cancel, job),
            wait_abandoned=partial(self._wait_abandoned, job),
            release=partial(self._release, job),
            on_wait=self._on_wait,
            yield_to_loop=self._runner.yield_to_loop,
        )
        return PendingRun(request, job.future, callbacks)

    def _discard(self, job: Job, *, counts: bool = False) -> None:
        job.subscribers -= 1
        if job.subscribers == 0:
            if not job.flight.sent:  # else it ends, and a later request may share it
                self._unshare(job)
            self._call_soon(partial(self._runner.discard, job, counts=counts))

    def _unshare(self, job: Job) -> None:
        if not job.future.done():
            equal = self._shared.get(job.request.key, [])
            equal[:] = [one for one in equal if one is not job]

    # --- calls of pending runs

    def _awaited(self, job: Job) -> None:
        with self._lock:
            job.waiters += 1
            job.delivery.awaited = True
            if not job.future.done():
                self._call_soon(self._runner.prioritise, job)

    def _wait_abandoned(self, job: Job) -> None:
        with self._lock:
            job.waiters -= 1
            job.delivery.awaited = job.waiters > 0
            if not job.delivery.awaited:
                self._call_soon(self._runner.wait_abandoned, job)

    def _cancel(self, job: Job) -> WisebotError | None:
        with self._lock:
            job.subscribers -= 1
            if job.subscribers > 0:
                return Cancelled(f'the shared run of workflow "{job.request.workflow}" was given up by this test alone')
            self._unshare(job)
        self._call_soon(self._runner.cancel, job)
        return None

    def _release(self, job: Job) -> None:
        with self._lock:
            self._discard(job, counts=True)

    # --- the background thread

    def _end_loop(self) -> None:
        with suppress(RuntimeError, OSError):  # a loop whose descriptors are gone
            self._stack.close()

    def _lose(self) -> None:
        """The loop has ended by itself: no run will end any more, and none can begin."""
        self._lost = True
        self._runner.lose()

    def _opened(self) -> AbstractContextManager[None]:
        return self._portal.wrap_async_context_manager(self._running())

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._loop.set_default_executor(DaemonThreads())
        self._watch = Watch(self._loop, self._sockets, self._lose)
        window = AdmissionQueue(self._settings.concurrency, self._settings.max_runs)
        with suppress_library_logs():
            async with Client(self._settings, self._redactor, self._variables) as client:
                over_budget = _over_budget(self._settings)
                self._runner = Runner(
                    client, window, self._redactor, over_budget, self._recorder, self._settings.timeout
                )
                try:
                    yield
                finally:
                    self._runner.close()
                    await self._runner.ended()

    def _call_soon(self, function: Callable[..., None], *args: object) -> bool:
        """Has the loop call this soon, and does not wait for it: a hop and back costs milliseconds under load."""
        try:
            # In the loop's own context: the caller's may be trio's.
            self._loop.call_soon_threadsafe(function, *args, context=self._context)
        except RuntimeError:  # the loop has ended
            return False
        return True

    def _ask(self, function: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """The result of a function in the loop; when that has ended, or is stuck, the result of ``otherwise``."""
        answer = Promise[T]()
        if self._closed or self._lost or not self._call_soon(lambda: answer.set_result(function())):
            return otherwise()
        try:
            return answer.result(ASK_SECONDS)
        except TimeoutError:
            return otherwise()


@contextmanager
def _shortage_named() -> Iterator[None]:
    """Names a lack of descriptors or threads in place of the system's own error."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if (lacking := shortage(error)) is None:
            raise
        advice = "raise the limit for pytest, or run fewer at once (--wisebot-concurrency)"
        raise ConnectionFailed(f"{lacking}; no run can be started; {advice}") from None


def _over_budget(settings: Settings) -> str:
    return f"as many requests for runs as allowed have been sent: {settings.max_runs} ({settings.source('max-runs')})"
