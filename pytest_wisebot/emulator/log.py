"""The emulator's log: the last lines in memory, and every line to a sink that the process chooses."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Log:
    """Text lines from many threads.

    Attributes:
        sink: called with each text as it is written; by default nothing is done with it.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._lines: deque[str] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self.sink: Callable[[str], object] = str  # a call without effect

    def write(self, text: str) -> None:
        """Adds a text of one or more lines. Texts of several threads do not mix."""
        with self._lock:
            self._lines.extend(text.splitlines())
            self.sink(text)

    def text(self) -> str:
        """The last lines, oldest first."""
        with self._lock:
            return "\n".join(self._lines)
