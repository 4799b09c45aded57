"""How a thread waits for a run, wherever the engine is."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from pytest_wisebot import Api, WorkflowRun
from pytest_wisebot.engine import pending as pendings
from pytest_wisebot.engine.pending import PendingRun, Strings
from pytest_wisebot.engine.values import Ended
from pytest_wisebot.runs import RunRequest


class Watched(Future[Ended]):
    """Notes for how long it is waited for at a stretch."""

    def __init__(self) -> None:
        super().__init__()
        self.stretches: list[float | None] = []

    def result(self, timeout: float | None = None) -> Ended:
        if not self.done():
            self.stretches.append(timeout)
        return super().result(timeout)


@pytest.fixture
def future(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A run that has not ended, and waits that look up very often."""
    monkeypatch.setattr(pendings, "SLICE", 0.02)
    return Watched()


def pending(future: Watched) -> PendingRun:
    return PendingRun(RunRequest("a"), future, Strings(awaited=lambda: None, cancel=lambda: None))


def test_a_wait_without_a_limit_looks_up_now_and_then(future: Watched) -> None:
    """Where a blocked thread does not see Ctrl-C, it sees it then."""
    ended = Ended(WorkflowRun(ok=True, workflow="a", api=Api.WEBHOOK))
    timer = threading.Timer(0.2, future.set_result, [ended])
    timer.start()
    assert pending(future).wait().ok
    timer.join()
    assert len(future.stretches) >= 2
    assert set(future.stretches) == {0.02}


def test_a_wait_with_a_limit_ends_with_it(future: Watched) -> None:
    """However many stretches it takes."""
    with pytest.raises(TimeoutError, match=r"after 0\.05 s of waiting"):
        pending(future).wait(0.05)
    stretches = [stretch for stretch in future.stretches if stretch is not None]
    assert len(stretches) == len(future.stretches) >= 2
    assert max(stretches) <= 0.02
    with pytest.raises(TimeoutError):
        pending(future).wait(0)
