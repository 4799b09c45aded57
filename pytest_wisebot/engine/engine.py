"""The engine: requests in, futures out, one background thread with one event loop for all of them."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from ..client import Client
from ..errors import Cancelled, ConnectionFailed, WisebotError
from ..exhaustion import shortage
from ..redaction import Redactor
from ..runs import RunRequest
from ..settings import Settings
from ..storage.recorder import RunRecorder
from .admission import AdmissionQueue, Priority, Ticket
from .jobs import Job
from .library_logs import quiet
from .pending import EngineCallbacks, PendingRun
from .runner import Runner
from .stats import StatsSnapshot, Status
from .threads import DaemonThreads
from .values import Ahead

T = TypeVar("T")


class Engine:
    """Runs requests at once, as many as the settings allow.

    Nothing else starts a run. It begins with its making, and ends with `close`. Its methods may be called from any
    thread but the engine's own; none of them waits for the network.

    Args:
        settings: hosts, credentials and limits.
        redactor: cleans what errors quote of answers.
        on_wait: told when somebody begins to wait for a run of this process, and when they have ended to.
        variables: the environment variables of the session's beginning; those of this moment if none are given.
        keeper: recalls and keeps runs; None where nothing is kept. It ends with the engine.
    """

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor,
        on_wait: Callable[[bool], None] | None = None,
        variables: Mapping[str, str] | None = None,
        keeper: RunRecorder | None = None,
    ) -> None:
        self._variables = dict(os.environ) if variables is None else variables
        self._settings = settings
        self._redactor = redactor
        self._on_wait = on_wait
        self._keeper = keeper
        self._references = itertools.count(1)
        self._lock = threading.Lock()
        self._named: set[str] = set()
        """Every key that was ever handed over ahead, by whichever process."""
        self._heard: dict[str, str] = {}
        """What one process alone has said so far that a key stands for."""
        self._ahead: dict[str, Job] = {}
        self._shared: dict[str, list[Job]] = {}
        self._closed = False
        with _shortage_named(), ExitStack() as unless_opened:
            self._portal: BlockingPortal = unless_opened.enter_context(start_blocking_portal("asyncio"))
            unless_opened.enter_context(self._opened())
            self._stack = unless_opened.pop_all()

    def ahead(self, runs: Iterable[Ahead], *, voices: int | None = None) -> None:
        """Starts declared runs before their tests ask, all handed over at once; a key that is known is left out.

        What a test asks for goes before them; among them the longest of the last session goes first.

        Args:
            runs: the runs, in test order.
            voices: how many processes must say the same of a key. Where each of several collects the tests for itself,
                two of them tell whether an input bag is the same in all: one with a fresh id in it is not, and what is
                started for one process would be no use to another. None: one.
        """
        with self._lock:
            fresh: list[Job] = []
            for one in runs:
                if one.key in self._named:
                    continue
                digest = one.request.key
                heard = digest if voices in (None, 1) else self._heard.get(one.key)
                if heard is None:
                    self._heard[one.key] = digest
                    continue
                self._named.add(one.key)
                if heard == digest:
                    self._ahead[one.key] = self._job(one.request, one.key, fresh, Priority.AHEAD, one.seconds)
            self._take(fresh)

    def submit(self, request: RunRequest, key: str = "") -> PendingRun:
        """Starts a run as soon as there is room for it; the one that was started ahead for this key, if it is equal."""
        with self._lock:
            self._named.add(key)  # whoever names it from now on comes too late
            job = self._ahead.pop(key, None)
            if job is not None and job.request.equals(request):
                return self._pending(job, request)
            if job is not None:
                self._drop(job)
            return self._submitted([request], key)[0]

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs as soon as there is room for them, all handed over at once."""
        with self._lock:
            return self._submitted(requests)

    def forget(self, key: str) -> None:
        """The test of this key is over and did not ask: its run is not begun any more."""
        with self._lock:
            if (job := self._ahead.pop(key, None)) is not None:
                self._drop(job)

    def status(self) -> Status:
        """How far the runs are."""
        return self._asked(self._runner.status, Status)

    def numbers(self) -> StatsSnapshot:
        """What the runs took and cost so far."""
        return self._asked(self._runner.numbers, self._runner.numbers)

    def give_up_all(self) -> None:
        """Gives up what waits and what flies. New runs may still be started."""
        with self._lock:
            self._ahead.clear()
            self._shared.clear()
        self._told(self._runner.give_up_all)

    def close(self) -> None:
        """Gives up what waits and what flies, and ends the background thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._told(self._runner.close)
        self._stack.close()
        if self._keeper is not None:
            self._keeper.close()

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
        urgency: Priority = Priority.ASKED,
        seconds: float | None = None,
    ) -> Job:
        """The job that answers a request: an equal one's where both share, else a fresh one."""
        equal = self._shared.setdefault(request.key, []) if request.share else []
        for job in equal:
            if job.request.equals(request):
                job.claims += 1
                return job
        job = Job(request, key, Ticket(urgency, seconds), reference=f"r{next(self._references)}")
        fresh.append(job)
        if request.share:
            equal.append(job)
        return job

    def _take(self, jobs: list[Job]) -> None:
        if self._closed or not self._told(self._runner.take, jobs):
            raise Cancelled("the session has ended: no run is started any more")

    def _pending(self, job: Job, request: RunRequest) -> PendingRun:
        strings = EngineCallbacks(
            awaited=partial(self._awaited, job),
            cancel=partial(self._cancelled, job),
            forsaken=partial(self._forsaken, job),
            let_go=partial(self._let_go, job),
            on_wait=self._on_wait,
            give_way=self._runner.give_way,
        )
        return PendingRun(request, job.future, strings)

    def _drop(self, job: Job, *, counts: bool = False) -> None:
        job.claims -= 1
        if job.claims == 0:
            if not job.flight.sent:  # else it comes home, for whoever may still ask
                self._unshare(job)
            self._told(partial(self._runner.drop, job, counts=counts))

    def _unshare(self, job: Job) -> None:
        if not job.future.done():
            equal = self._shared.get(job.request.key, [])
            equal[:] = [one for one in equal if one is not job]

    # --- what pending runs tell

    def _awaited(self, job: Job) -> None:
        with self._lock:
            job.waiters += 1
            job.mark.awaited = True
            if not job.future.done():
                self._told(self._runner.hurry, job)

    def _forsaken(self, job: Job) -> None:
        with self._lock:
            job.waiters -= 1
            job.mark.awaited = job.waiters > 0
            if not job.mark.awaited:
                self._told(self._runner.forsake, job)

    def _cancelled(self, job: Job) -> WisebotError | None:
        with self._lock:
            job.claims -= 1
            if job.claims > 0:
                return Cancelled(f'the shared run of workflow "{job.request.workflow}" was given up by this test alone')
            self._unshare(job)
        self._told(self._runner.give_up, job)
        return None

    def _let_go(self, job: Job) -> None:
        with self._lock:
            self._drop(job, counts=True)

    # --- the background thread

    def _opened(self) -> AbstractContextManager[None]:
        return self._portal.wrap_async_context_manager(self._running())

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._loop.set_default_executor(DaemonThreads())
        window = AdmissionQueue(self._settings.concurrency, self._settings.max_runs)
        with quiet():
            async with Client(self._settings, self._redactor, self._variables) as client:
                over_budget = _over_budget(self._settings)
                self._runner = Runner(client, window, self._redactor, over_budget, self._keeper)
                try:
                    yield
                finally:
                    self._runner.close()
                    await self._runner.ended()

    def _told(self, function: Callable[..., None], *args: object) -> bool:
        """Has the loop call this soon, and does not wait for it: a hop and back costs milliseconds under load."""
        try:
            # In the loop's own context: the caller's may say that this is trio.
            self._loop.call_soon_threadsafe(function, *args, context=self._context)
        except RuntimeError:  # the loop has ended
            return False
        return True

    def _asked(self, function: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """What the loop answers; when it has ended, what ``otherwise`` does."""
        try:
            return self._portal.call(function)
        except RuntimeError:
            return otherwise()


@contextmanager
def _shortage_named() -> Iterator[None]:
    """Raises what says that this process lacks descriptors or threads, in place of the system's own error."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if (lacking := shortage(error)) is None:
            raise
        advice = "raise the limit for pytest, or run fewer at once (--wisebot-concurrency)"
        raise ConnectionFailed(f"{lacking}; no run can be started; {advice}") from None


def _over_budget(settings: Settings) -> str:
    return f"as many requests for runs as allowed have been sent: {settings.max_runs} ({settings.source('max-runs')})"
