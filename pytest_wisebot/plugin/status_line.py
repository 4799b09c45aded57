"""One line that shows, while a test waits, the progress of the runs: in place on a terminal, elsewhere now and then.

It is written to a copy of the terminal that was made while pytest captured nothing, so that no test finds it in its
output. On a terminal it stands one line below the cursor, which stays where it was, behind pytest's own dots.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from ..files import file_of
from ..originals import os, threading, time
from ..text import escape

if TYPE_CHECKING:
    from ..engine.stats import Status
    from ..redaction import Redactor

REFRESH_SECONDS = 0.2
"""How often the line is written anew."""

PATIENCE_SECONDS = 0.5
"""How long a test waits before the line appears, and how long it stays away after pytest has written something."""

PLAIN_SECONDS = 30.0
"""Seconds of waiting between two lines where there is no terminal."""

_BELOW = "\x1bD\x1b7\r\x1b[2K"
"""One line down, scrolling if need be; that place is kept; the line is emptied."""

_BACK = "\x1b8\x1b[1A"
"""To the kept place, and one line up: where the cursor was."""


class StatusLine:
    """Shows the progress of the runs, from `start` to `stop`, in a thread of its own.

    On a terminal silent with ``-q``; silent where pytest itself has no terminal reporter or no real output.

    Args:
        config: the session's.
        status: the progress; None before the first run.
        redactor: cleans what is shown: a workflow's name may be its id, and that anything.
    """

    def __init__(self, config: pytest.Config, status: Callable[[], Status | None], redactor: Redactor) -> None:
        self._config = config
        self._redactor = redactor
        self._status = status
        self._fd: int | None = None
        self._file: tuple[int, int] | None = None
        self._encoding = "utf-8"
        self._is_terminal = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._waits = 0
        self._waits_here = False
        self._shown = False
        self._hidden_until = 0.0
        self._waited = 0.0

    def start(self) -> None:
        """Begins to show the line. Called while pytest captures nothing."""
        if self._config.pluginmanager.has_plugin("terminalreporter"):
            with suppress(OSError, ValueError, AttributeError):
                # A CI job ends where nothing is written.
                if self._config.get_verbosity() >= 0 or not sys.stdout.isatty():
                    self._fd = os.dup(sys.stdout.fileno())
                    self._file = file_of(self._fd)
                    self._encoding = sys.stdout.encoding or self._encoding
        if self._fd is not None:
            rewrites = os.isatty(self._fd) and os.environ.get("TERM", "dumb") != "dumb"
            self._is_terminal = rewrites and not _logs_live(self._config)
            self._thread = threading.Thread(target=self._go_on, name="wisebot-live", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Removes the line, and shows nothing any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * REFRESH_SECONDS)
        with self._lock:
            self._clear()
            if self._fd is not None:
                if file_of(self._fd) == self._file:
                    os.close(self._fd)
                self._fd = None

    def waits(self, begins: bool) -> None:
        """A test of this process begins to wait, or stops waiting: the line is gone before the test continues."""
        with self._lock:
            self._waits_here = True
            self._waits += 1 if begins else -1
            if not self._waits:
                self._clear()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Keeps the line away while something else is written."""
        with self._lock:
            self._clear()
            try:
                yield
            finally:
                self._hidden_until = time.monotonic() + PATIENCE_SECONDS

    def _go_on(self) -> None:
        since: float | None = None
        while not self._ended.wait(REFRESH_SECONDS):
            status = self._status() if self._may_wait() else None
            now = time.monotonic()
            with self._lock:
                if self._ended.is_set():
                    return
                if status is None or not status.awaited or not self._may_wait():
                    since = None
                    self._clear()
                    continue
                since = now if since is None else since
                self._waited += REFRESH_SECONDS
                if self._is_terminal and now - since >= PATIENCE_SECONDS and now >= self._hidden_until:
                    self._write(f"{_BELOW}{_fitting(self._line(status), self._columns())}{_BACK}")
                    self._shown = True
                elif not self._is_terminal and self._waited >= PLAIN_SECONDS:
                    self._waited = 0.0
                    self._write(f"\n{self._line(status)}\n")

    def _line(self, status: Status) -> str:
        return escape(self._redactor.clean(line_of(status)))

    def _may_wait(self) -> bool:
        """Whether a test may be waiting: one of this process, or, on a controller, one of a worker."""
        return self._waits > 0 or not self._waits_here

    def _clear(self) -> None:
        if self._shown:
            self._shown = False
            self._write(f"{_BELOW}{_BACK}")

    def _write(self, text: str) -> None:
        if self._fd is not None and file_of(self._fd) == self._file:
            with suppress(OSError):  # the terminal has gone: the tests go on
                os.write(self._fd, text.encode(self._encoding, "replace"))

    def _columns(self) -> int:
        with suppress(OSError):
            if self._fd is not None:
                return os.get_terminal_size(self._fd).columns or 80  # a fresh pseudo terminal has 0
        return 80


def _logs_live(config: pytest.Config) -> bool:
    """Whether pytest writes log records to the terminal as they come: they would be written over the line."""
    can = config.pluginmanager.has_plugin("logging-plugin")
    return can and (config.getoption("--log-cli-level") is not None or bool(config.getini("log_cli")))


def line_of(status: Status) -> str:
    """The line."""
    parts = [f"{status.done} done", f"{status.running} running"]
    if status.resumes_in is not None:
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + status.resumes_in))
        parts.append(f"{status.waiting} waiting (back-off until {until})")
    elif status.waiting:
        held = ", ".join(f"{number} until a run of {workflow} ends" for workflow, number in status.held.items())
        parts.append(f"{status.waiting} waiting (cap {status.cap}{f'; {held}' if held else ''})")
    if status.oldest is not None:
        parts.append(f"oldest {status.age:.0f} s: {status.oldest}")
    if status.left is not None:
        parts.append(f"about {_in_words(status.left)} left")
    return "wisebot: " + ", ".join(parts)


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _fitting(text: str, columns: int) -> str:
    """As much of a string as fits into one line."""
    fitting, width = "", 0
    for char in text:
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width >= columns:
            break
        fitting += char
    return fitting
