"""A run that was asked for and may not have ended yet."""

from __future__ import annotations

import asyncio
import copy
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, NoReturn

import anyio
import anyio.to_thread

from ..errors import WisebotError
from ..runs import RunRequest, WorkflowRun
from .values import Ended, Outcome

SLICE: Final = 0.5
"""Seconds that a thread blocks at a stretch: on Windows Ctrl-C does not wake one that does."""


@dataclass(frozen=True, slots=True)
class EngineCallbacks:
    """What a pending run can tell the engine, wherever that is.

    Attributes:
        awaited: a test waits for it now.
        forsaken: nobody waits for it any more, though it has not ended; somebody may again.
        cancel: the test does not want it any more. Gives what the test gets in its place, where the run itself goes
            on for others; else None.
        on_wait: somebody begins to wait in this process, or has ended to.
        give_way: a test is about to go on with it: returns when it does no harm to the other runs.
        let_go: nobody will wait for it any more; what has not been sent is not sent, what has been is let come home.
    """

    awaited: Callable[[], None]
    cancel: Callable[[], WisebotError | None]
    forsaken: Callable[[], None] = lambda: None
    let_go: Callable[[], None] = lambda: None
    on_wait: Callable[[bool], None] | None = None
    give_way: Callable[[], None] = lambda: None


class PendingRun:
    """A run that was started and may not have ended yet. Made by ``trigger_workflow.start(…)``.

    Wait for it with `wait`, or with ``await`` in a test that runs under asyncio or trio. It may be waited for more than
    once, and by several threads.
    """

    def __init__(self, request: RunRequest, future: Future[Ended], strings: EngineCallbacks) -> None:
        self.request = request
        self.future = future
        self._strings = strings
        self._lock = threading.Lock()
        self._waits = 0
        """How many wait for it, and have waited to its end."""
        self._cancelled = False
        self._own: Outcome | None = None
        """What this test alone gets: its copy of a run that is shared, or that it gave up its part in one."""

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
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._own is not None or self.future.done()

    @property
    def outcome(self) -> Outcome | None:
        """How it ended: a run, or the error that `wait` raises; None while it has not."""
        if self._own is None and self.future.done():
            self._own = self._mine(self.future.result().outcome)
        return self._own

    @property
    def lag(self) -> float:
        """Seconds that the engine's own work may have added to the run's ``elapsed``, at most."""
        return self.future.result().lag if self.future.done() else 0.0

    @property
    def ended(self) -> Ended | None:
        """What is known of the end beyond the outcome; None while it has not ended."""
        return self.future.result() if self.future.done() else None

    def wait(self, timeout: float | None = None) -> WorkflowRun:
        """Waits for the run's end.

        Args:
            timeout: seconds to wait at most; the run itself goes on after them, under its own deadline.

        Raises:
            TimeoutError: it has not ended by then.
            WisebotError: there is no verdict on the workflow; the class says who must act.
        """
        __tracebackhide__ = True
        try:
            with self._waiting():
                if self._own is None:
                    self._wait(timeout)
        except TimeoutError:
            raise TimeoutError(f"{self!r} after {timeout:g} s of waiting; the run goes on") from None
        self._strings.give_way()
        return self._settled()

    def awaited(self) -> None:
        """Tells the engine that a test waits for it, and does not wait."""
        with self._lock:
            self._waits += 1
            if self._waits == 1:
                self._strings.awaited()

    def forsaken(self) -> None:
        """Tells the engine that who waited for it has given that up."""
        with self._lock:
            if self._waits == 1:
                self._strings.forsaken()
            self._waits = max(0, self._waits - 1)

    def let_go(self) -> None:
        """Tells the engine that nobody will wait for it any more."""
        if not self.done:
            self.forsaken()
            self._strings.let_go()

    def cancel(self) -> bool:
        """Gives the run up; False when it had ended or been given up already.

        What has been sent may still run at Wisebot: waiting for it then raises `ConnectionLost`, which says that the
        outcome is unknown. What had not been sent raises `Cancelled`.
        """
        if self.done or self._cancelled:
            return False
        self._cancelled = True
        self._own = self._strings.cancel()
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
        tell = self._strings.on_wait or _nobody_minds
        tell(True)
        try:
            yield
        finally:
            tell(False)
            if not self.done:
                self.forsaken()

    def _wait(self, timeout: float | None) -> None:
        """Waits for a lock of its own.

        Not for the future's: a Ctrl-C at the wrong moment leaves that taken, and the engine's thread, which would set
        the result, waits for it for ever.
        """
        __tracebackhide__ = True
        over = threading.Lock()
        over.acquire()
        self.future.add_done_callback(lambda _: over.release())
        ends_at = math.inf if timeout is None else time.monotonic() + timeout
        while not over.acquire(timeout=min(SLICE, max(0.0, ends_at - time.monotonic()))):
            if time.monotonic() >= ends_at:
                raise TimeoutError

    async def _ended(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # another event loop, such as trio's
            # A limiter of its own: under anyio's shared one of 40 threads the 41st wait would wait for the others.
            alone = anyio.CapacityLimiter(1)
            await anyio.to_thread.run_sync(self.future.result, abandon_on_cancel=True, limiter=alone)
        else:
            # Shielded: who stops waiting does not give the run up.
            await asyncio.shield(asyncio.wrap_future(self.future))

    def _settled(self) -> WorkflowRun:
        __tracebackhide__ = True
        outcome = self.outcome
        assert outcome is not None
        if isinstance(outcome, WisebotError):
            # Without the frames of an earlier raise, and with none of the engine's thread, whose locals hold headers.
            raise outcome.with_traceback(None) from None
        return outcome

    def _mine(self, outcome: Outcome) -> Outcome:
        """A copy where the run is shared: what one test does to its result or error is no other test's business."""
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


def _nobody_minds(begins: bool) -> None:
    """Where nobody wants to know who waits."""
    del begins
