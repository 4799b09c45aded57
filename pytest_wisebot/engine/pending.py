"""A run that was asked for and may not have ended yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future

import anyio
import anyio.to_thread

from ..errors import WisebotError
from ..runs import RunRequest, WorkflowRun

Outcome = WorkflowRun | WisebotError


class PendingRun:
    """A run that was started and may not have ended yet. Made by ``trigger_workflow.start(…)``.

    Wait for it with `wait`, or with ``await`` in a test that runs under asyncio or trio. It may be waited for more than
    once, and by several threads.
    """

    def __init__(self, request: RunRequest, outcome: Future[Outcome], cancel: Callable[[], None]) -> None:
        self.request = request
        self._outcome = outcome
        self._cancel = cancel

    def __repr__(self) -> str:
        return f"<PendingRun {self.request.workflow} ({self.request.api}) {'ended' if self.done else 'not ended yet'}>"

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._outcome.done()

    @property
    def outcome(self) -> Outcome | None:
        """How it ended: a run, or the error that `wait` raises; None while it has not."""
        return self._outcome.result() if self.done else None

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
            outcome = self._outcome.result(timeout)
        except TimeoutError:
            raise TimeoutError(f"{self!r} after {timeout:g} s of waiting; the run goes on") from None
        return _settled(outcome)

    def cancel(self) -> bool:
        """Gives the run up; False when it had ended already.

        What has been sent may still run at Wisebot: waiting for it then raises `ConnectionLost`, which says that the
        outcome is unknown. What had not been sent raises `Cancelled`.
        """
        if self.done:
            return False
        self._cancel()
        return True

    def __await__(self) -> Generator[None, None, WorkflowRun]:
        return self._arrived().__await__()

    async def _arrived(self) -> WorkflowRun:
        __tracebackhide__ = True
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # another event loop, such as trio's
            # A limiter of its own: under anyio's shared one of 40 threads the 41st wait would wait for the others.
            alone = anyio.CapacityLimiter(1)
            return _settled(await anyio.to_thread.run_sync(self._outcome.result, abandon_on_cancel=True, limiter=alone))
        # Shielded: who stops waiting does not give the run up.
        return _settled(await asyncio.shield(asyncio.wrap_future(self._outcome)))


def _settled(outcome: Outcome) -> WorkflowRun:
    __tracebackhide__ = True
    if isinstance(outcome, WisebotError):
        # Without the frames of an earlier raise, and with none of the engine's thread, whose locals hold headers.
        raise outcome.with_traceback(None) from None
    return outcome
