"""What the engine's tests share: a clock that jumps, and a client that only pretends."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from pytest_wisebot import WisebotError, WorkflowRun
from pytest_wisebot.client import AttemptState, Target
from pytest_wisebot.runs import RunRequest

T = TypeVar("T")

AT_MOST = 3600.0
"""Seconds that no test goes beyond, on its own clock."""


class Jumping(selectors.DefaultSelector):
    """Where an event loop would wait for what is due next, the time jumps there."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise AssertionError("everybody waits, and nothing is left that could happen: something was lost")
            self.loop.now += timeout
            if self.loop.now > AT_MOST:
                raise AssertionError("something goes on for ever")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which minutes pass at once. For what needs no thread and no socket."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = Jumping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


class Clock:
    """Runs coroutines on a `VirtualLoop`, and lets no failed callback pass."""

    def __init__(self) -> None:
        self._loop = VirtualLoop()
        self._problems: list[dict[str, Any]] = []

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return round(self._loop.now, 6)

    def jump(self, seconds: float) -> None:
        """Lets time pass while the loop is too busy to look at what is due."""
        self._loop.now += seconds

    def stall(self, seconds: float) -> None:
        """The loop is busy with something else for so long."""
        self._loop.now += seconds

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs this to its end."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self._loop.set_exception_handler(lambda _, context: self._problems.append(context))
            result = runner.run(main)
        assert self._problems == []
        return result


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still as long as there is something to do, and then jumps."""
    return Clock()


@pytest.fixture(scope="session")
def make_clock() -> Callable[[], Clock]:
    """For tests that need several."""
    return Clock


class FakeClient:
    """Runs nothing: each run ends when the test opens its gate, with the error that is told for it, if any."""

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.errors: dict[str, WisebotError] = {}
        self.connecting: set[str] = set()
        """Workflows whose runs never get as far as to be sent."""
        self.running: list[str] = []
        self.order: list[str] = []
        self.requests: list[RunRequest] = []
        self.peak = 0
        self.changed = threading.Condition()

    async def __aenter__(self) -> FakeClient:
        self.loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def run(self, request: RunRequest, flight: AttemptState) -> WorkflowRun:
        name = request.workflow
        flight.gate.begin(Target(request.api, "https://wisebot.example", name, "a FAKE credential"))
        flight.begin()
        if name not in self.connecting:
            flight.sent_at = 0.0
            flight.gate.sent()
        self._note(request, begins=True)
        number = len(self.order)
        try:
            await self.gates.setdefault(name, asyncio.Event()).wait()
        finally:
            self._note(request, begins=False)
        if name == "broken":
            raise ZeroDivisionError("a defect with FAKE-credential in it")
        if name in self.errors:
            raise self.errors[name]
        return WorkflowRun(
            ok=True,
            workflow=name,
            api=request.api,
            inputs=request.inputs,
            result={"inputs": [request.inputs]},
            run_id=f"run-{number}",
            elapsed=2.0,
        )

    def _note(self, request: RunRequest, *, begins: bool) -> None:
        with self.changed:
            if begins:
                self.running.append(request.workflow)
                self.order.append(request.workflow)
                self.requests.append(request)
            else:
                self.running.remove(request.workflow)
            self.peak = max(self.peak, len(self.running))
            self.changed.notify_all()

    def wait_for(self, *names: str) -> None:
        """Waits until exactly these runs are under way."""
        with self.changed:
            assert self.changed.wait_for(lambda: sorted(self.running) == sorted(names), 10), self.running

    def open(self, *names: str) -> None:
        """Lets these runs end."""
        for name in names:
            self.loop.call_soon_threadsafe(self._open, name)

    def _open(self, name: str) -> None:
        self.gates.setdefault(name, asyncio.Event()).set()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """The client of every engine that the test makes."""
    from pytest_wisebot.engine import engine

    fake = FakeClient()
    monkeypatch.setattr(engine, "Client", lambda *_: fake)
    return fake
