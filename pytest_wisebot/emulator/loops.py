"""Event loops for async workflow functions: one for each run, in the thread of its request, without descriptors.

An event loop of the standard library takes three file descriptors from its beginning on. These take none until the
function itself opens a socket or a pipe, so that a thousand runs fit into the usual limit of 1024. Since no two runs
have a loop in common, a function that blocks its loop holds up no other run. It is reported all the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import linecache
import os
import selectors
import sys
import sysconfig
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

BLOCKED_SECONDS: Final = 1.0
"""How long one step of a function may keep its event loop from going on before it is reported."""

TICK: Final = 0.1
"""Seconds between two looks at the loops."""


def run(awaitable: Awaitable[Any], report: Callable[[str], None]) -> Any:
    """Waits for an awaitable as `asyncio.run` does, and returns its result.

    Args:
        awaitable: what an async function returned.
        report: called from another thread with the file, line and source of a step that blocks, once for each step.
    """

    async def wait() -> Any:
        return await awaitable

    pulse = Pulse()
    with asyncio.Runner(loop_factory=lambda: _new_loop(pulse)) as runner, WATCH.watched(pulse, report):
        return runner.run(wait())


class Pulse:
    """Whether an event loop is in a step, and in which.

    Attributes:
        steps: how many have begun.
        is_in_step: false while the loop waits for something to happen.
        thread: the id of the thread in which the loop runs.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.is_in_step = False
        self.thread = threading.get_ident()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time in which the loop waits."""
        self.is_in_step = False
        try:
            yield
        finally:
            self.steps += 1
            self.is_in_step = True


if sys.platform == "win32":

    class _Proactor(asyncio.IocpProactor):
        """The usual one, which takes no descriptors."""

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
        """Waits without a descriptor, for another thread or until the time is up, as long as none is registered.

        ``poll`` takes none for itself. With the first one that a function registers comes a pipe, through which other
        threads wake it.
        """

        def __init__(self, pulse: Pulse) -> None:
            super().__init__()
            self.pulse = pulse
            self._woken = threading.Event()
            self._pipe: tuple[int, int] | None = None

        def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
            if self._pipe is None:
                pipe = os.pipe()
                for end in pipe:
                    os.set_blocking(end, False)
                super().register(pipe[0], selectors.EVENT_READ)
                self._pipe = pipe
            return super().register(fileobj, events, data)

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            with self.pulse.waiting():
                ready = self._polled(timeout) if self._pipe else self._slept(timeout)
                self._woken.clear()
                return ready

        def wake(self) -> None:
            """Ends the present wait, or the next one. For other threads."""
            self._woken.set()
            if (pipe := self._pipe) is not None:
                with suppress(OSError):  # full: then it wakes as it is; or closed, and there is none to be woken
                    os.write(pipe[1], b"\0")

        def close(self) -> None:
            super().close()
            pipe, self._pipe = self._pipe, None
            for end in pipe or ():
                os.close(end)

        def _slept(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None or timeout > 0:
                self._woken.wait(timeout)
            return []

        def _polled(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
            assert self._pipe is not None
            ready = super().select(0 if self._woken.is_set() else timeout)
            with suppress(BlockingIOError):  # nothing in it
                os.read(self._pipe[0], 4096)
            return [(key, events) for key, events in ready if key.fd != self._pipe[0]]

    class _Loop(asyncio.SelectorEventLoop):
        """The usual one without the pair of sockets by which other threads wake it.

        The private methods are asyncio's own. Where a version of Python calls them no more, the pair is there, and its
        sockets are waited for like any others.
        """

        def __init__(self, selector: _Selector) -> None:
            self._waker = selector
            super().__init__(selector)

        def call_soon(  # type: ignore[override]  # the typeshed's own needs variadic generics
            self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
        ) -> asyncio.Handle:
            """Wakes the loop where the call comes from another run, as of a module's lock that is released there."""
            handle = super().call_soon(callback, *args, context=context)
            if threading.get_ident() != self._waker.pulse.thread:
                self._waker.wake()
            return handle

        def _make_self_pipe(self) -> None:
            """Makes nothing: the selector can be woken without."""

        def _close_self_pipe(self) -> None:
            """Closes nothing: the selector closes what it has opened."""

        def _write_to_self(self) -> None:
            self._waker.wake()

    def _new_loop(pulse: Pulse) -> asyncio.AbstractEventLoop:
        return _Loop(_Selector(pulse))


@dataclass(slots=True)
class _Watched:
    """A loop that is looked at, and since when it was seen in one and the same step, by the watch's own clock."""

    report: Callable[[str], None]
    step: int = -1
    since: float = 0.0
    is_reported: bool = False


class Watch:
    """Looks at all event loops from a thread of its own, which ends when there are none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[Pulse, _Watched] = {}
        self._is_looking = False

    @contextmanager
    def watched(self, pulse: Pulse, report: Callable[[str], None]) -> Iterator[None]:
        """While a loop runs: a step that blocks it is reported once, with its file, line and source."""
        with self._lock:
            self._watched[pulse] = _Watched(report)
            if not self._is_looking:
                with suppress(RuntimeError):  # no thread is left: the run goes on unwatched
                    threading.Thread(target=self._look, name="event loops", daemon=True).start()
                    self._is_looking = True
        try:
            yield
        finally:
            with self._lock:
                self._watched.pop(pulse, None)

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
                blocked = [pair for pair in self._watched.items() if _has_blocked(*pair, clock)]
            for pulse, watched in blocked:
                _report(pulse, watched)


WATCH: Final = Watch()


def _has_blocked(pulse: Pulse, watched: _Watched, clock: float) -> bool:
    step = pulse.steps if pulse.is_in_step else -1
    if step != watched.step:
        watched.step, watched.since, watched.is_reported = step, clock, False
    return step >= 0 and not watched.is_reported and clock - watched.since >= BLOCKED_SECONDS


def _report(pulse: Pulse, watched: _Watched) -> None:
    watched.is_reported = True
    frame = sys._current_frames().get(pulse.thread)  # noqa: SLF001 (documented, and there is no public name)
    if frame is not None and pulse.steps == watched.step:
        watched.report(_place(frame))


def _place(frame: FrameType) -> str:
    """Where a function blocks: its innermost frame that is of no library, with the source of the line."""
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
