"""The engine's event loop: its clock and sockets, its threads, its log records, and its lag."""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar

from ..files import file_of_socket
from ..originals import os, pinned, threading, time

P = ParamSpec("P")
T = TypeVar("T")

TICK: Final = 0.02
"""Seconds between two looks at the clock."""

NOTICED: Final = max(0.005, 1.5 * time.get_clock_info("monotonic").resolution)
"""Seconds below which a delay is the scheduler's own grain, or the clock's: on Windows that may be 16 ms."""

PATIENCE: Final = 0.25
"""Seconds that a test yields to a late loop, at most."""

WAITS: Final = 4
"""Waits of an exchange for the loop: to write, and to read head, body and end."""


BEAT: Final = 0.5
"""Seconds between two timers by which an idle loop notices that its descriptors are gone."""


def new_loop(sockets: Any) -> asyncio.AbstractEventLoop:
    """An event loop whose clock, sockets and files are those of the start, whatever a test has patched since.

    Args:
        sockets: the module ``socket`` of the session's beginning (see `originals.held_sockets`).
    """
    kind: type[asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop
    if sys.platform == "win32":
        kind = asyncio.ProactorEventLoop
    return pinned(kind, time=time, socket=sockets, os=os, threading=threading)()


class Watch:
    """Calls ``lost`` once when the descriptors of an event loop are gone, as where a test has closed them.

    The runs in flight would end by their deadlines at best, and every later one as well.

    Args:
        loop: the loop, in which it is made.
        sockets: the module ``socket`` of the session's beginning; one more socket goes as those of the loop do.
        lost: called in the loop, or in another thread where that has ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sockets: Any, lost: Callable[[], None]) -> None:
        self._loop = loop
        self._lost = lost
        self._socket = sockets.socket()
        self._file = file_of_socket(self._socket.fileno())
        self._over = threading.Event()
        loop.call_later(BEAT, self._beat)
        threading.Thread(target=self._look, name="wisebot-watch", daemon=True).start()

    def end(self) -> None:
        """The loop may end from now on."""
        self._over.set()
        if self._is_whole():
            self._socket.close()
        else:
            self._socket.detach()  # its descriptor may be another file's by now

    def _is_whole(self) -> bool:
        return file_of_socket(self._socket.fileno()) == self._file

    def _beat(self) -> None:
        if self._over.is_set():
            return
        if self._is_whole():
            self._loop.call_later(BEAT, self._beat)
            return
        self._lose()
        self._loop.stop()

    def _look(self) -> None:
        while not self._over.wait(BEAT):
            if not self._loop.is_running():
                self._lose()

    def _lose(self) -> None:
        self.end()
        self._lost()


class LagMeter:
    """Measures by how much each tick is late, while runs are in flight. For use within one event loop."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._ticking = False
        self._due = 0.0
        self._late: deque[tuple[float, float]] = deque(maxlen=10_000)
        self._yielding: deque[threading.Lock] = deque()

    def start(self) -> None:
        """Samples the event loop's lag while runs are in flight."""
        if not self._ticking:
            self._ticking = True
            self._expect()

    def since(self, moment: float) -> float:
        """The seconds that the loop may have added, at most, to an exchange that began at ``moment`` and ends now."""
        now = asyncio.get_running_loop().time()
        delays = [now - self._due] if self._ticking and now > self._due else []
        for when, late in reversed(self._late):
            if when < moment:
                break
            delays.append(late)
        return sum(sorted(delays)[-WAITS:])

    def yield_to_loop(self) -> None:
        """Returns once the loop is on time again, or after `PATIENCE`. For other threads.

        Python gives its interpreter to the thread that computes, and not to the one that reads and writes: a test that
        goes on with its run would keep the loop from starting and reading hundreds of others.
        """
        if not self._ticking or time.monotonic() < self._due + NOTICED:
            return
        ticked = threading.Lock()
        ticked.acquire()
        self._yielding.append(ticked)
        ticked.acquire(timeout=PATIENCE)

    def _expect(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + TICK
        loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._due > NOTICED:
            self._late.append((now, now - self._due))
        while self._yielding:
            self._yielding.popleft().release()
        self._ticking = self._is_busy()
        if self._ticking:
            self._expect()


class DaemonThreads(ThreadPoolExecutor):
    """The event loop's executor, which looks up hosts and reads large answers: a daemon thread for each call.

    The library's own executor is joined when the loop ends, and once more when Python does: a name server that does not
    answer would hold pytest's prompt back.
    """

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls ``function`` in a thread of its own.

        Raises:
            OSError: the system starts no more threads.
        """
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
                future.set_exception(error)
            else:
                future.set_result(result)

        try:
            threading.Thread(target=call, daemon=True, name="wisebot").start()
        except RuntimeError as error:  # the caller expects the system's own error
            raise OSError(errno.EAGAIN, str(error)) from error
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Waits for nothing."""


_LOGGERS: Final = ("asyncio", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks", "httpx")
"""The loggers of the engine's libraries. A filter holds for one logger, not for those below it."""


@contextmanager
def suppress_library_logs() -> Iterator[None]:
    """Drops the records that this thread logs through the engine's libraries.

    Runs are in flight while any test is running: that test's ``caplog``, and its report, would hold records of another
    test's run. The facts of a run are in the failure section of the test that asked for it.
    """
    thread = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_of_another_thread)
