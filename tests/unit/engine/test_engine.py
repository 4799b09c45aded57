"""The engine with a client that only pretends: room, order, giving up, and ending."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_wisebot import Cancelled, ConnectionLost, WorkflowRun
from pytest_wisebot.client import Flight
from pytest_wisebot.engine import engine
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.engine.runner import EngineError
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.runs import RunRequest
from pytest_wisebot.settings import Settings


class FakeClient:
    """Runs nothing: each run ends when the test opens its gate."""

    def __init__(self, *_: object) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.running: list[str] = []
        self.order: list[str] = []
        self.peak = 0
        self.changed = threading.Condition()

    async def __aenter__(self) -> FakeClient:
        self.loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def run(self, request: RunRequest, flight: Flight) -> WorkflowRun:
        name = request.workflow
        flight.begin()
        flight.sent_at = 0.0
        flight.turns.sent()
        self._note(name, begins=True)
        try:
            await self.gates.setdefault(name, asyncio.Event()).wait()
        finally:
            self._note(name, begins=False)
        if name == "broken":
            raise ZeroDivisionError("a defect with FAKE-credential in it")
        return WorkflowRun(ok=True, workflow=name, api=request.api)

    def _note(self, name: str, *, begins: bool) -> None:
        with self.changed:
            if begins:
                self.running.append(name)
                self.order.append(name)
            else:
                self.running.remove(name)
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
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Engine, FakeClient]]:
    """An engine with room for two runs, and its client."""
    client = FakeClient()
    monkeypatch.setattr(engine, "Client", lambda *_: client)
    one = Engine(Settings(concurrency=2), Redactor([Secret("FAKE-credential")]))
    yield one, client
    one.close()


def requests(*names: str) -> list[RunRequest]:
    return [RunRequest(name) for name in names]


def test_no_more_run_at_once_than_there_is_room_for(made: tuple[Engine, FakeClient]) -> None:
    """The rest waits its turn, in the order in which it was asked for."""
    one, client = made
    pending = one.submit_all(requests("a", "b", "c", "d"))
    client.wait_for("a", "b")
    client.open("b")
    client.wait_for("a", "c")
    client.open("a", "c", "d")
    assert [run.wait(10).workflow for run in pending] == ["a", "b", "c", "d"]
    assert client.order == ["a", "b", "c", "d"]
    assert client.peak == 2


def test_what_waits_is_given_up_without_being_sent(made: tuple[Engine, FakeClient]) -> None:
    """Giving up a waiting run frees its place in the queue; giving up a flying one leaves its outcome unknown."""
    one, client = made
    a, b, c, d = one.submit_all(requests("a", "b", "c", "d"))
    client.wait_for("a", "b")
    assert c.cancel()
    with pytest.raises(Cancelled, match=r'^the run of workflow "c" was given up before it was sent$'):
        c.wait(10)
    assert a.cancel()
    with pytest.raises(ConnectionLost, match=r"^the run was given up after it had been sent"):
        a.wait(10)
    client.wait_for("b", "d")
    client.open("b", "d")
    assert (b.wait(10).ok, d.wait(10).ok) == (True, True)
    assert client.order == ["a", "b", "d"]


def test_closing_gives_up_everything_and_starts_nothing_more(made: tuple[Engine, FakeClient]) -> None:
    """After the end nobody waits for what cannot come, and a new run is refused."""
    one, client = made
    a, _b, c = one.submit_all(requests("a", "b", "c"))
    client.wait_for("a", "b")
    one.close()
    with pytest.raises(ConnectionLost):
        a.wait(10)
    with pytest.raises(Cancelled):
        c.wait(10)
    assert c.cancel() is False
    with pytest.raises(Cancelled, match="the session has ended"):
        one.submit(RunRequest("d"))
    one.close()


def test_a_defect_inside_reaches_the_test_that_waits(made: tuple[Engine, FakeClient]) -> None:
    """It is told as a defect, with its frames as text and without credentials, and the other runs go on."""
    one, client = made
    broken, good = one.submit_all(requests("broken", "good"))
    client.wait_for("broken", "good")
    client.open("broken", "good")
    with pytest.raises(EngineError) as caught:
        broken.wait(10)
    text = str(caught.value)
    assert text.startswith("pytest-wisebot failed inside; please report this:\nTraceback")
    assert "ZeroDivisionError: a defect with <secret> in it" in text
    assert good.wait(10).ok


def test_an_error_carries_no_frames_of_the_engine(made: tuple[Engine, FakeClient]) -> None:
    """Waiting twice raises the same error twice, each time from the caller's own line alone."""
    one, client = made
    (pending,) = one.submit_all(requests("broken"))
    client.open("broken")
    depths = []
    for _ in range(2):
        with pytest.raises(EngineError) as caught:
            pending.wait(10)
        depths.append(len(caught.traceback))
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
    assert depths[0] == depths[1]


def test_it_can_be_asked_from_many_threads(made: tuple[Engine, FakeClient]) -> None:
    """Each thread gets its own run back."""
    one, client = made
    names = [f"run-{number}" for number in range(20)]
    results: dict[str, Any] = {}

    def ask(name: str) -> None:
        results[name] = one.submit(RunRequest(name)).wait(10).workflow

    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    client.open(*names)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == {name: name for name in names}
    assert client.peak <= 2
