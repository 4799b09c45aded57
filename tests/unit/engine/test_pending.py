"""How a thread waits for a run, wherever the engine is; and that it can be called away from there."""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import suppress

import pytest

from pytest_wisebot import Api, WorkflowRun
from pytest_wisebot.engine import pending as pendings
from pytest_wisebot.engine.pending import EngineCallbacks, PendingRun, Promise
from pytest_wisebot.runs import Ended, RunRequest

ENDED = Ended(WorkflowRun(ok=True, workflow="a", api=Api.WEBHOOK))

LIMIT = 10.0
"""Seconds after which something never happens."""


class CalledAwayError(Exception):
    """What a thread meets that runs Python, and does not while it is blocked: as Ctrl-C does on Windows."""


class Waiting:
    """A thread that waits for a run which has not ended."""

    def __init__(self) -> None:
        self.future: Promise[Ended] = Promise()
        self.pending = PendingRun(
            RunRequest("a"), self.future, EngineCallbacks(lambda: None, lambda: None, on_wait=self._wait)
        )
        self._waits = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()
        assert self._waits.wait(LIMIT)

    def _wait(self, begins: bool) -> None:
        if begins:
            self._waits.set()

    def _go_on(self) -> None:
        with suppress(CalledAwayError):
            self.pending.wait()

    def call_away(self) -> None:
        assert self._thread.ident is not None
        error = ctypes.py_object(CalledAwayError)
        assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), error) == 1

    def has_gone(self) -> bool:
        self._thread.join(LIMIT)
        return not self._thread.is_alive()


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits look up all the time."""
    monkeypatch.setattr(pendings, "SLICE", 0.0)


def test_a_wait_without_a_limit_looks_up_now_and_then() -> None:
    """Where a blocked thread does not see Ctrl-C, it sees it then."""
    one = Waiting()
    time.sleep(0.05)  # it blocks by now
    one.call_away()
    assert one.has_gone()


@pytest.mark.usefixtures("_often")
def test_a_wait_that_is_interrupted_holds_up_no_other_thread() -> None:
    """Wherever it is at that moment, the engine's thread can still say how the run ended."""
    for _ in range(100):
        one = Waiting()
        time.sleep(0.001)
        one.call_away()
        assert one.has_gone()
        engine = threading.Thread(target=one.future.set_result, args=[ENDED], daemon=True)
        engine.start()
        engine.join(LIMIT)
        assert not engine.is_alive()
        assert one.pending.wait().ok


@pytest.mark.usefixtures("_often")
def test_a_wait_ends_with_the_run_or_with_its_limit() -> None:
    """However often it has looked up."""
    one = Waiting()
    with pytest.raises(TimeoutError, match=r"after 0\.05 s of waiting"):
        one.pending.wait(0.05)
    with pytest.raises(TimeoutError):
        one.pending.wait(0)
    one.future.set_result(ENDED)
    assert one.has_gone()
    assert one.pending.wait(0).ok
