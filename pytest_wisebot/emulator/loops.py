"""Event loops for async workflow functions: one for each run, in the thread of its request, without descriptors.

An event loop of the standard library opens three file descriptors. These open none until the function itself opens a
socket or a pipe, so that a thousand runs fit into the usual limit of 1024. Since no two runs share a loop, a function
that blocks its loop delays no other run. It is reported all the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import linecache
import math
import selectors
import socket
import sys
import sysconfig
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

BLOCKED_SECONDS: Final = 1.0
"""Time after which a step that blocks its event loop is reported."""

TICK: Final = 0.1
"""Seconds between two checks of the loops."""


def run(awaitable: Awaitable[Any], report: Callable[[str], None]) -> Any:
    """Waits for an awaitable as `asyncio.run` does, and returns its result.

    Args:
        awaitable: the return value of an async function.
        report: called from another thread with the file, line and source of a step that blocks, once for each step.
    """

    async def wait() -> Any:
        return await awaitable

    pulse = Pulse(report)
    with asyncio.Runner(loop_factory=lambda: _new_loop(pulse)) as runner, WATCH.watched(pulse):
        return runner.run(wait())


class Pulse:
    """The step in which an event loop is.

    Attributes:
        report: called with the place of a step that blocks.
        thread: the id of the loop's thread.
        step: the number of the step; 0 while the loop waits.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report
        self.thread = threading.get_ident()
        self.step = 0
        self._seen_step = 0
        self._seen_at = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time in which the loop waits."""
        before, self.step = self.step, 0
        try:
            yield
        finally:
            self.step = before + 1

    def has_blocked(self, clock: float) -> bool:
        """Whether one step has lasted for `BLOCKED_SECONDS` of the watch's clock. True once for each step."""
        if (step := self.step) != self._seen_step:
            self._seen_step, self._seen_at = step, clock
        if step == 0 or clock - self._seen_at < BLOCKED_SECONDS:
            return False
        self._seen_at = math.inf
        return True

    def report_place(self) -> None:
        """Reports the place where the loop is blocked, if it is still in the same step."""
        frame = sys._current_frames().get(self.thread)  # noqa: SLF001 (documented, and there is no public name)
        if frame is not None and self.step == self._seen_step:
            self.report(_place(frame))


if sys.platform == "win32":

    class _Proactor(asyncio.IocpProactor):
        """The usual one, which opens no descriptors."""

        def __init__(self, pulse: Pulse) -> None:
            super().__init__()
            self._pulse = pulse

        def select(self, timeout: int | None = None) -> Any:
            with self._pulse.waiting():
                return super().select(timeout)

    def _new_loop(pulse: Pulse) -> asyncio.AbstractEventLoop:
        return asyncio.ProactorEventLoop(_Proactor(pulse))

else:

    class _Selector(selectors.PollSelector):
        """Waits without a descriptor, for another thread or until the time is up, as long as none is registered."""

        ensure_pipe: Callable[[], None]

        def __init__(self, pulse: Pulse) -> None:
            super().__init__()
            self.pulse = pulse
            self.woken = threading.Event()

        def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
            self.ensure_pipe()
            return super().register(fileobj, events, data)

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            ready = []
            with self.pulse.waiting():
                if self.get_map():
                    ready = super().select(0 if self.woken.is_set() else timeout)
                elif timeout is None or timeout > 0:
                    self.woken.wait(timeout)
                self.woken.clear()
            return ready

    class _Loop(asyncio.SelectorEventLoop):
        """The usual one, which makes the pair of sockets by which other threads wake it only with its first descriptor.

        The private names are those of asyncio.
        """

        _csock: socket.socket | None = None

        def __init__(self, selector: _Selector) -> None:
            self._waker = selector
            selector.ensure_pipe = self._ensure_pipe
            super().__init__(selector)

        def call_soon(  # type: ignore[override]  # the typeshed's own needs variadic generics
            self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
        ) -> asyncio.Handle:
            """Wakes the loop after a call from another run, for example one that releases a module's lock."""
            handle = super().call_soon(callback, *args, context=context)
            if threading.get_ident() != self._waker.pulse.thread:
                self._write_to_self()
            return handle

        def _make_self_pipe(self) -> None:
            """Does nothing: the selector can be woken without."""

        def _ensure_pipe(self) -> None:
            if self._csock is None:
                super()._make_self_pipe()  # type: ignore[misc]

        def _close_self_pipe(self) -> None:
            if self._csock is not None:
                super()._close_self_pipe()  # type: ignore[misc]

        def _write_to_self(self) -> None:
            self._waker.woken.set()
            super()._write_to_self()  # type: ignore[misc]

    def _new_loop(pulse: Pulse) -> asyncio.AbstractEventLoop:
        return _Loop(_Selector(pulse))


class Watch:
    """Watches all event loops from one thread, which ends when no loop is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: set[Pulse] = set()
        self._is_looking = False

    @contextmanager
    def watched(self, pulse: Pulse) -> Iterator[None]:
        """Watches a loop while it runs."""
        with self._lock:
            self._watched.add(pulse)
            if not self._is_looking:
                with suppress(RuntimeError):  # no thread is left: the run goes on unwatched
                    threading.Thread(target=self._look, name="event loops", daemon=True).start()
                    self._is_looking = True
        try:
            yield
        finally:
            with self._lock:
                self._watched.discard(pulse)

    def _look(self) -> None:
        clock = 0.0
        while True:
            begun = time.monotonic()
            time.sleep(TICK)
            if time.monotonic() - begun < 1.5 * TICK:  # a late tick means a busy machine, where no thread gets on
                clock += TICK
            with self._lock:
                if not self._watched:
                    self._is_looking = False
                    return
                blocked = [pulse for pulse in self._watched if pulse.has_blocked(clock)]
            for pulse in blocked:
                pulse.report_place()


WATCH: Final = Watch()


def _place(frame: FrameType) -> str:
    """The place where a function blocks: its innermost frame outside of libraries, with the source of the line."""
    inner: FrameType | None = frame
    while inner is not None and _is_of_a_library(inner.f_code.co_filename):
        inner = inner.f_back
    shown = inner or frame
    name, line = shown.f_code.co_filename, shown.f_lineno
    source = linecache.getline(name, line).strip()
    return f"{name}, line {line}" + (f": {source}" if source else "")


_LIBRARIES: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {str(Path(__file__).parent)}
)


def _is_of_a_library(filename: str) -> bool:
    return filename.startswith((*_LIBRARIES, "<frozen"))
