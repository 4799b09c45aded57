"""A run that was asked for and may not have ended yet."""

from __future__ import annotations

import asyncio
import copy
import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final, Generic, NoReturn, TypeVar, cast

import anyio
import anyio.to_thread

from ..errors import WisebotError
from ..originals import threading, time
from ..runs import Ended, Outcome, RunRequest, WorkflowRun

T = TypeVar("T")

SLICE: Final = 0.5
"""Seconds that a thread blocks at a stretch: on Windows Ctrl-C does not wake one that does."""


class Promise(Generic[T]):
    """The part of `concurrent.futures.Future` that the engine needs, without its lock.

    Every method of `Future` takes one lock. A Ctrl-C that reaches the main thread between the lock and its ``with``
    block leaves it taken, and the engine's thread, which would set the result, waits for it for ever.
    """

    def __init__(self) -> None:
        self._value: T | None = None
        self._is_set = False
        self._callbacks: deque[Callable[[Promise[T]], object]] = deque()

    def done(self) -> bool:
        """Whether the value is set."""
        return self._is_set

    def set_result(self, value: T) -> None:
        """Sets the value, once, and calls the callbacks in this thread."""
        self._value = value
        self._is_set = True
        self._call()

    def add_done_callback(self, callback: Callable[[Promise[T]], object]) -> None:
        """Calls this once, when the value is set: in the thread that sets it, or at once in this one."""
        self._callbacks.append(callback)
        if self._is_set:
            self._call()

    def result(self, timeout: float | None = None) -> T:
        """The value, for which this thread waits.

        Args:
            timeout: seconds to wait at most; None: without a limit.

        Raises:
            TimeoutError: the value is not set by then.
        """
        __tracebackhide__ = True
        over = threading.Lock()  # of this wait alone: a Ctrl-C may leave it taken
        over.acquire()
        self.add_done_callback(lambda _: over.release())
        ends_at = math.inf if timeout is None else time.monotonic() + timeout
        while not over.acquire(timeout=min(SLICE, max(0.0, ends_at - time.monotonic()))):
            if time.monotonic() >= ends_at:
                raise TimeoutError
        return cast(T, self._value)

    def _call(self) -> None:
        """Each callback goes to the one thread that takes it from the queue."""
        while True:
            try:
                callback = self._callbacks.popleft()
            except IndexError:
                return
            callback(self)


@dataclass(frozen=True, slots=True)
class EngineCallbacks:
    """The calls of a pending run to its engine, in this process or another one.

    Attributes:
        awaited: a test begins to wait for the run.
        cancel: a test gives the run up. Returns the test's own outcome where the run goes on for others; else None.
        wait_abandoned: no test waits for the run any more, though it has not ended; one may again.
        release: no test will wait for the run again: it is not sent, or comes to its end if it has been.
        on_wait: a test of this process begins to wait, or has ended to.
        yield_to_loop: a test is about to go on with its run: returns when that does not delay the other runs.
    """

    awaited: Callable[[], None]
    cancel: Callable[[], WisebotError | None]
    wait_abandoned: Callable[[], None] = lambda: None
    release: Callable[[], None] = lambda: None
    on_wait: Callable[[bool], None] = lambda _: None
    yield_to_loop: Callable[[], None] = lambda: None


class PendingRun:
    """A run that was started and may not have ended yet. Made by ``trigger_workflow.start(…)``.

    Wait for it with `wait`, or with ``await`` in a test that runs under asyncio or trio. It may be waited for more than
    once, and by several threads.
    """

    def __init__(self, request: RunRequest, future: Promise[Ended], engine: EngineCallbacks) -> None:
        self.request = request
        self.future = future
        self._engine = engine
        self._lock = threading.Lock()
        self._waits = 0
        """Tests that wait for it, or have waited to its end."""
        self._cancelled = False
        self._own: Outcome | None = None
        """The outcome for this test alone: its copy of a shared run, or that it gave its part in one up."""

    def __repr__(self) -> str:
        return f"<PendingRun {self.request.workflow} ({self.request.api}) {'ended' if self.done else 'not ended yet'}>"

    def __bool__(self) -> NoReturn:
        """A run that was started is neither true nor false, as a run that has ended is not.

        Raises:
            TypeError: always.
        """
        __tracebackhide__ = True
        raise TypeError("a run is neither true nor false: wait() for it, and write assert_ok(run), or run.ok")

    @property
    def is_cancelled(self) -> bool:
        """Whether its test has given it up."""
        return self._cancelled

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._own is not None or self.future.done()

    @property
    def outcome(self) -> Outcome | None:
        """The run, or the error that `wait` raises; None while it has not ended."""
        if self._own is None and self.future.done():
            self._own = self._mine(self.future.result().outcome)
        return self._own

    @property
    def lag(self) -> float:
        """Seconds that the engine's own work may have added to the run's ``elapsed``, at most."""
        return self.future.result().lag if self.future.done() else 0.0

    @property
    def ended(self) -> Ended | None:
        """The outcome and the facts about it; None while the run has not ended."""
        return self.future.result() if self.future.done() else None

    def wait(self, timeout: float | None = None) -> WorkflowRun:
        """Waits for the run's end.

        Args:
            timeout: seconds to wait at most; the run itself goes on after them, under its own deadline.

        Raises:
            TimeoutError: it has not ended by then.
            WisebotError: there is no verdict on the workflow; its class names who must act.
        """
        __tracebackhide__ = True
        try:
            with self._waiting():
                if self._own is None:
                    self.future.result(timeout)
        except TimeoutError:
            raise TimeoutError(f"{self!r} after {timeout:g} s of waiting; the run goes on") from None
        self._engine.yield_to_loop()
        return self._settled()

    def awaited(self) -> None:
        """Announces that a test waits for the run, and does not wait."""
        with self._lock:
            self._waits += 1
            if self._waits == 1:
                self._engine.awaited()

    def wait_abandoned(self) -> None:
        """Announces that a test has stopped waiting for the run."""
        with self._lock:
            if self._waits == 1:
                self._engine.wait_abandoned()
            self._waits = max(0, self._waits - 1)

    def release(self) -> None:
        """Announces that no test will wait for the run any more."""
        if not self.done:
            self.wait_abandoned()
            self._engine.release()

    def cancel(self) -> bool:
        """Gives the run up; False when it had ended or been given up already.

        A run that has been sent may still go on at Wisebot: waiting for it then raises `ConnectionLost`, because the
        outcome is unknown. A run that had not been sent raises `Cancelled`.
        """
        if self.done or self._cancelled:
            return False
        self._cancelled = True
        self._own = self._engine.cancel()
        return True

    def __await__(self) -> Generator[None, None, WorkflowRun]:
        return self._arrived().__await__()

    async def _arrived(self) -> WorkflowRun:
        __tracebackhide__ = True
        with self._waiting():
            if self._own is None:
                await self._ended()
        return self._settled()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self.awaited()
        if self.done:
            yield
            return
        on_wait = self._engine.on_wait
        on_wait(True)
        try:
            yield
        finally:
            on_wait(False)
            if not self.done:
                self.wait_abandoned()

    async def _ended(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another event loop, such as trio's
            # A limiter of its own: under anyio's shared one of 40 threads the 41st wait would wait for the others.
            alone = anyio.CapacityLimiter(1)
            await anyio.to_thread.run_sync(self.future.result, abandon_on_cancel=True, limiter=alone)
        else:
            over = asyncio.Event()

            def wake(_: Promise[Ended]) -> None:
                with suppress(RuntimeError):  # the test's loop has been closed
                    loop.call_soon_threadsafe(over.set)

            self.future.add_done_callback(wake)
            await over.wait()

    def _settled(self) -> WorkflowRun:
        __tracebackhide__ = True
        outcome = self.outcome
        assert outcome is not None
        if isinstance(outcome, WisebotError):
            # Without the frames of an earlier raise, and with none of the engine's thread, whose locals hold headers.
            raise outcome.with_traceback(None) from None
        return outcome

    def _mine(self, outcome: Outcome) -> Outcome:
        """A copy where the run is shared: no test sees another one's changes of a result or an error."""
        if not self.request.share:
            return outcome
        if isinstance(outcome, WisebotError):
            return WisebotError.from_dict(outcome.to_dict())
        return replace(
            outcome,
            result=copy.deepcopy(outcome.result),
            error=copy.deepcopy(outcome.error),
            extra=copy.deepcopy(outcome.extra),
            inputs=copy.deepcopy(outcome.inputs),
        )
