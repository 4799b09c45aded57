"""How late the engine's own event loop is: what a run's ``elapsed`` may hold that is not Wisebot's time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

TICK: Final = 0.02
"""Seconds between two looks at the clock."""

NOTICED: Final = 0.005
"""Seconds below which a delay is the scheduler's own grain."""

PATIENCE: Final = 0.25
"""Seconds that a test gives way to a loop that is late, at most."""

WAITS: Final = 4
"""How often an exchange waits for the loop, from its first byte to its last: to write, and to read head, body, end."""


class LagMeter:
    """Notes by how much each tick came late, as long as somebody flies. For use within one event loop."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._ticking = False
        self._due = 0.0
        self._late: deque[tuple[float, float]] = deque(maxlen=10_000)
        self._giving_way: deque[threading.Lock] = deque()

    def start(self) -> None:
        """Ticks until nobody flies any more."""
        if not self._ticking:
            self._ticking = True
            self._expect()

    def since(self, moment: float) -> float:
        """The seconds that the loop may have added to an exchange that began at ``moment`` and ends now, at most."""
        now = asyncio.get_running_loop().time()
        delays = [now - self._due] if self._ticking and now > self._due else []
        for when, late in reversed(self._late):
            if when < moment:
                break
            delays.append(late)
        return sum(sorted(delays)[-WAITS:])

    def give_way(self) -> None:
        """Returns once the loop is on time again, or after `PATIENCE`. For other threads.

        Python gives its interpreter to who computes, and not to who reads and writes: a test that goes on with its run
        would keep a loop that has hundreds of others to start and to read from doing so, and each of them waiting.
        """
        if not self._ticking or time.monotonic() < self._due + NOTICED:
            return
        ticked = threading.Lock()
        ticked.acquire()
        self._giving_way.append(ticked)
        ticked.acquire(timeout=PATIENCE)

    def _expect(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + TICK
        loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._due > NOTICED:
            self._late.append((now, now - self._due))
        while self._giving_way:
            self._giving_way.popleft().release()
        self._ticking = self._is_busy()
        if self._ticking:
            self._expect()
