"""The engine: requests in, futures out, one background thread with one event loop for all of them."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from anyio.abc import TaskGroup
from anyio.from_thread import BlockingPortal, start_blocking_portal

from ..client import Client, Flight
from ..errors import Attempted, Cancelled, ConnectionLost, OutcomeUnknown, WisebotError
from ..redaction import Redactor
from ..runs import RunRequest, WorkflowRun
from ..settings import Settings
from .pending import Outcome, PendingRun
from .threads import DaemonThreads


class EngineError(WisebotError):
    """A defect of this package, not of the workflow, the settings or the network; please report it."""


@dataclass(slots=True, eq=False)
class _Job:
    """One request on its way through the engine."""

    request: RunRequest
    outcome: Future[Outcome] = field(default_factory=Future)
    flight: Flight = field(default_factory=Flight)
    scope: anyio.CancelScope | None = None
    """What cancels it, once it is in the loop."""


class Engine:
    """Runs requests at once, as many as the settings allow; the rest waits its turn, in order.

    Nothing else starts a run. It begins with its first use, and ends with `close`. Its methods may be called from any
    thread but the engine's own.
    """

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        self._settings = settings
        self._redactor = redactor
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._tasks: TaskGroup = self._stack.enter_context(self._opened())
        self._closed = False

    def submit(self, request: RunRequest) -> PendingRun:
        """Starts a run as soon as there is room for it."""
        return self.submit_all([request])[0]

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs as soon as there is room for them, all handed over at once: each hop costs milliseconds."""
        jobs = [_Job(request) for request in requests]
        try:
            self._portal.call(self._start, jobs)
        except RuntimeError:  # the loop has ended, or is about to
            raise Cancelled("the session has ended: no run is started any more") from None
        return [PendingRun(job.request, job.outcome, partial(self._cancel, job)) for job in jobs]

    def close(self) -> None:
        """Gives up what waits and what flies, and ends the background thread."""
        if not self._closed:
            self._closed = True
            self._stack.close()

    # --- in the background thread

    def _opened(self) -> AbstractContextManager[TaskGroup]:
        return self._portal.wrap_async_context_manager(self._running())

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[TaskGroup]:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        self._room = anyio.Semaphore(self._settings.concurrency)
        async with Client(self._settings, self._redactor) as self._client, anyio.create_task_group() as tasks:
            try:
                yield tasks
            finally:
                tasks.cancel_scope.cancel()

    async def _start(self, jobs: list[_Job]) -> None:
        for job in jobs:
            job.scope = anyio.CancelScope()
            self._tasks.start_soon(self._do, job)

    def _cancel(self, job: _Job) -> None:
        if job.scope is not None:
            with suppress(RuntimeError):  # the loop has ended, and with it the run
                self._portal.call(job.scope.cancel)

    async def _do(self, job: _Job) -> None:
        """Runs one request to its outcome. Every way out sets the future: nobody waits for what has ended."""
        assert job.scope is not None
        outcome: Outcome | None = None
        try:
            with job.scope:
                async with self._room:
                    outcome = await self._outcome_of(job)
        finally:
            job.outcome.set_result(outcome or _given_up(job))

    async def _outcome_of(self, job: _Job) -> WorkflowRun | WisebotError:
        try:
            return await self._client.run(job.request, job.flight)
        except WisebotError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a defect of ours must reach the test that waits, and not the loop
            frames = "".join(traceback.format_exception(error))  # text: the frames themselves hold headers
            return EngineError(f"pytest-wisebot failed inside; please report this:\n{self._redactor.clean(frames)}")


def _given_up(job: _Job) -> WisebotError:
    request = job.request
    if isinstance(job.flight.failure, OutcomeUnknown):
        return job.flight.failure
    if not job.flight.sent:
        return Cancelled(f'the run of workflow "{request.workflow}" was given up before it was sent')
    asked = replace(
        job.flight.asked or Attempted(request.workflow, str(request.api), "its host"), attempts=job.flight.attempts
    )
    return ConnectionLost("the run was given up after it had been sent", asked)
