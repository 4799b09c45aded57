"""Workers that ask the controller's engine, over real connections in one process: who is let in, and what they get."""

from __future__ import annotations

import json
import platform
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_wisebot import (
    Api,
    BudgetExhausted,
    Cancelled,
    ConfigurationError,
    ConnectionLost,
    RateLimited,
    WisebotError,
    WorkflowRun,
)
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.engine.pending import PendingRun
from pytest_wisebot.engine.values import Ahead, CollectedTests
from pytest_wisebot.errors import Answer, Attempted
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.runs import RunRequest
from pytest_wisebot.settings import Settings
from pytest_wisebot.workers import protocol
from pytest_wisebot.workers import remote_engine as remotes
from pytest_wisebot.workers import server as doors
from pytest_wisebot.workers.remote_engine import RemoteEngine
from pytest_wisebot.workers.rpc import serve
from pytest_wisebot.workers.server import HOST, Channel, SecretBroadcast, WorkerServer, encoded

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClient

SESSION: dict[str, Any] = {"settings": "of the session"}

LIMIT = 10.0
"""Seconds after which a test that waits for something has failed."""


class Controller:
    """The side that owns the engine: a host behind a door."""

    def __init__(self) -> None:
        self.collected: list[bool] = []
        self.door = WorkerServer(self._serve, self.collected.append)
        self.made = Engine(Settings(concurrency=2), Redactor())
        self.problem: WisebotError | None = None
        self.masked: list[str] = []
        self.masks = SecretBroadcast()
        self.tests: list[CollectedTests] = []
        self.refusals: list[str] = []
        self._left = queue.SimpleQueue[None]()
        self._rooms = ExitStack()

    @property
    def engine(self) -> Engine:
        if self.problem is not None:
            raise self.problem
        return self.made

    def collect(self, census: CollectedTests) -> None:
        self.tests.append(census)

    def refuse(self, problem: str) -> None:
        self.refusals.append(problem)

    def ahead(self, runs: list[Ahead], confirmations: int) -> None:
        with suppress(WisebotError):
            self.engine.ahead(runs, confirmations=confirmations)

    def described(self) -> dict[str, Any]:
        if self.problem is not None:
            raise self.problem
        return SESSION

    def mask(self, secret: Secret) -> None:
        self.masked.append(secret.reveal())

    def worker(
        self, name: str = "gw0", *, collected: bool = False, mask: Callable[[Secret], None] = lambda _: None
    ) -> RemoteEngine:
        """A worker that has come in."""
        one = RemoteEngine((HOST, self.door.port), self.door.key, name, collected=collected, mask=mask)
        self._rooms.callback(one.close)
        return one

    def stranger(self) -> Stranger:
        """Somebody who has come to the door, and speaks for themselves."""
        return self._rooms.enter_context(Stranger(self.door.port))

    def await_leaving(self) -> None:
        """Waits until one more worker has gone, and all that it leaves behind has been seen to."""
        self._left.get(timeout=LIMIT)

    def close(self) -> None:
        self.door.close()
        self._rooms.close()
        self.made.close()

    def _serve(self, channel: Channel) -> None:
        try:
            serve(self, channel)
        finally:
            self._left.put(None)


class Masked:
    """What a worker is told to mask."""

    def __init__(self) -> None:
        self._told = queue.SimpleQueue[str]()

    def __call__(self, secret: Secret) -> None:
        self._told.put(secret.reveal())

    def next(self) -> str:
        return self._told.get(timeout=LIMIT)


class Stranger:
    """A connection by hand."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=LIMIT)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def say(self, message: dict[str, Any] | bytes) -> None:
        self._socket.sendall(message if isinstance(message, bytes) else encoded(message))

    def hears(self) -> Any:
        """The next message; None when the other side has hung up."""
        try:
            line = self._lines.readline()
        except ConnectionResetError:  # it hung up over what had been said to it
            return None
        return json.loads(line) if line else None

    def submit(self, number: int, request: RunRequest) -> None:
        self.say({"call": "submit", "number": number, "request": protocol.request_to_dict(request), "key": ""})

    def vanish(self) -> None:
        """What the kernel does for a process that was killed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.__exit__()


@pytest.fixture
def controller(client: FakeClient) -> Iterator[Controller]:
    """A session's controller with room for two runs."""
    one = Controller()
    yield one
    one.close()


def until(condition: Callable[[], bool]) -> None:
    """Waits for what the controller does with a message of which nobody tells the end."""
    ends_at = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.005)


def error_of(pending: PendingRun) -> str:
    """Class and words of the error that a run ended with."""
    with pytest.raises(WisebotError) as caught:
        pending.wait(LIMIT)
    return f"{type(caught.value).__name__}: {caught.value}"


# --- what workers ask


def test_a_worker_gets_the_run_that_it_asks_for(controller: Controller, client: FakeClient) -> None:
    """With everything that was asked and answered, what no other channel of the session carries included."""
    request = RunRequest("a", {"\ud800": -(10**30)}, Api.DASHBOARD, 7.0, test="a tag")
    client.open("a")
    run = controller.worker().submit(request).wait(LIMIT)
    assert client.requests == [request]
    assert run == WorkflowRun(
        ok=True,
        workflow="a",
        api=Api.DASHBOARD,
        run_id="run-1",
        inputs=request.inputs,
        result={"inputs": [request.inputs]},
        elapsed=2.0,
        started_at=run.started_at,
    )


def test_the_credential_of_one_call_is_masked_before_anything_is_sent(
    controller: Controller, client: FakeClient
) -> None:
    """It came to be in the worker, and errors are worded by the controller."""
    client.open("a")
    request = RunRequest("a", secret=Secret("FAKE-secret-of-one-call"), secret_reference="env:A")
    assert controller.worker().submit(request).wait(LIMIT).ok
    assert client.requests == [request]
    assert controller.masked == ["FAKE-secret-of-one-call"]


def test_the_credential_of_one_call_is_told_to_all_workers(controller: Controller, client: FakeClient) -> None:
    """To those that are there, and at once to those that come later; those that have gone are told nothing."""
    client.open("a")
    controller.worker("gw0").close()
    controller.await_leaving()
    one, told = controller.worker("gw1"), Masked()
    controller.worker("gw2", mask=told)
    one.submit(RunRequest("a", secret=Secret("FAKE-secret-of-one-call"))).wait(LIMIT)
    one.submit(RunRequest("a", secret=Secret("FAKE-secret-of-one-call"))).wait(LIMIT)
    one.submit(RunRequest("a", secret=Secret("FAKE-secret-of-another"))).wait(LIMIT)
    assert [told.next(), told.next()] == ["FAKE-secret-of-one-call", "FAKE-secret-of-another"]
    late = Masked()
    controller.worker("gw3", mask=late)
    assert [late.next(), late.next()] == ["FAKE-secret-of-one-call", "FAKE-secret-of-another"]


def test_one_cap_holds_for_all_workers(controller: Controller, client: FakeClient) -> None:
    """What one asks for waits for the place that another one has."""
    one, other = controller.worker("gw0"), controller.worker("gw1")
    first = one.submit_all([RunRequest("a"), RunRequest("b")])
    client.wait_for("a", "b")
    second = other.submit_all([RunRequest("c"), RunRequest("d")])
    client.open("a", "c")
    assert [first[0].wait(LIMIT).workflow, second[0].wait(LIMIT).workflow] == ["a", "c"]
    client.wait_for("b", "d")
    client.open("b", "d")
    assert [first[1].wait(LIMIT).workflow, second[1].wait(LIMIT).workflow] == ["b", "d"]
    assert (client.order, client.peak) == (["a", "b", "c", "d"], 2)


def test_workers_that_name_the_same_tests_start_each_run_once(controller: Controller, client: FakeClient) -> None:
    """Each of them collects all tests; whichever runs one gets its run."""
    one, other = controller.worker("gw0"), controller.worker("gw1")
    named = [Ahead(name, RunRequest(name), None) for name in "abcd"]
    one.ahead(named)
    client.wait_for("a", "b")
    other.ahead(named)
    client.open(*"abcd")
    runs = [
        worker.submit(RunRequest(name), name) for worker, name in zip((other, one, one, other), "abcd", strict=True)
    ]
    assert [run.wait(LIMIT).workflow for run in runs] == list("abcd")
    assert client.order == list("abcd")
    assert [worker.describe() for worker in (one, other)] == [SESSION, SESSION]  # all that was said before is known
    assert controller.made.numbers().not_awaited == 0


def test_the_longest_of_those_ahead_goes_first_until_a_test_waits(controller: Controller, client: FakeClient) -> None:
    """Durations travel, and so does that somebody waits by now."""
    worker = controller.worker()
    worker.ahead(
        Ahead(name, RunRequest(name), seconds) for name, seconds in zip("abcd", (1.0, 2.0, 3.0, None), strict=True)
    )
    client.wait_for("b", "c")
    asked = worker.submit(RunRequest("d"), "d")
    asked.awaited()
    assert worker.describe() == SESSION
    client.open("b", "d")
    assert asked.wait(LIMIT).ok
    client.wait_for("a", "c")
    assert client.order[2:] == ["d", "a"]


def test_equal_requests_of_two_workers_share_one_run(controller: Controller, client: FakeClient) -> None:
    """Once for a session means once for all of its workers; each has its own copy."""
    request = RunRequest("a", {"list": [1]}, share=True)
    runs = [controller.worker(name).submit(replace(request, test=name)) for name in ("gw0", "gw1")]
    client.wait_for("a")
    client.open("a")
    first, second = (run.wait(LIMIT) for run in runs)
    assert client.order == ["a"]
    assert first == second
    first.inputs["list"].append(2)
    assert second.inputs == {"list": [1]}


def test_giving_up_reaches_the_engine(controller: Controller, client: FakeClient) -> None:
    """What waits is not sent, and what flies is unknown."""
    a, _, c = controller.worker().submit_all([RunRequest("a"), RunRequest("b"), RunRequest("c")])
    client.wait_for("a", "b")
    assert c.cancel() is True
    assert error_of(c) == 'Cancelled: the run of workflow "c" was given up before it was sent'
    assert a.cancel() is True
    assert error_of(a) == (
        'ConnectionLost: the run was given up after it had been sent (workflow "a" over the webhook API at its host)\n'
        "  The workflow may have run; it was not started again."
    )
    assert a.cancel() is False
    client.wait_for("b")


def test_a_wait_that_was_given_up_is_none(controller: Controller, client: FakeClient) -> None:
    """The controller learns of it, and counts the run if it ends so; the worker may wait again."""
    pending = controller.worker().submit(RunRequest("a"))
    client.wait_for("a")
    with pytest.raises(TimeoutError):
        pending.wait(0.1)
    until(lambda: controller.engine.status().awaited == 0)
    client.open("a")
    pending.future.result(LIMIT)
    assert controller.engine.numbers().not_awaited == 1
    assert pending.wait(LIMIT).ok
    until(lambda: controller.engine.numbers().not_awaited == 0)


def test_who_gives_up_its_part_of_a_shared_run_leaves_it_to_the_others(
    controller: Controller, client: FakeClient
) -> None:
    """Over two workers as within one process."""
    request = RunRequest("a", share=True)
    workers = [controller.worker("gw0"), controller.worker("gw1")]
    mine, other = (worker.submit(request) for worker in workers)
    assert [worker.describe() for worker in workers] == [SESSION, SESSION]  # answered after what was said before
    assert mine.cancel() is True
    assert error_of(mine) == 'Cancelled: the shared run of workflow "a" was given up by this test alone'
    client.open("a")
    assert other.wait(LIMIT).ok


def test_errors_come_with_all_that_they_know(controller: Controller, client: FakeClient) -> None:
    """The class, the words, and the facts behind them."""
    asked = Attempted("a", "webhook", "https://wisebot.example", 3, "staging", ("curl …",))
    client.errors["a"] = RateLimited("too many requests", asked, Answer(429, "text/plain", "slow down", 30.0))
    client.errors["b"] = BudgetExhausted("as many requests for runs as allowed have been sent: 2 (--wisebot-max-runs)")
    client.open("a", "b")
    a, b = controller.worker().submit_all([RunRequest("a"), RunRequest("b")])
    assert error_of(b) == "BudgetExhausted: as many requests for runs as allowed have been sent: 2 (--wisebot-max-runs)"
    with pytest.raises(RateLimited) as caught:
        a.wait(LIMIT)
    assert caught.value.to_dict() == client.errors["a"].to_dict()


def test_a_run_of_a_test_that_is_over_is_not_begun(controller: Controller, client: FakeClient) -> None:
    """The worker that ran the test says so."""
    worker = controller.worker()
    worker.ahead(Ahead(name, RunRequest(name), None) for name in "abc")
    client.wait_for("a", "b")
    worker.forget("c")
    assert worker.describe() == SESSION  # answered after what was said before
    assert controller.made.status().waiting == 0


def test_a_worker_gets_the_session(controller: Controller) -> None:
    """And the controller learns whether it came while it collected."""
    assert controller.worker(collected=True).describe() == SESSION
    assert controller.worker("gw1").describe() == SESSION
    assert controller.collected == [True, False]


def test_a_session_that_cannot_run_anything_says_why(controller: Controller) -> None:
    """To each who asks, in the words that it has without workers; what is ahead or over is no reason to say it."""
    controller.problem = ConfigurationError("wisebot.toml: no environment of this name")
    worker = controller.worker()
    with pytest.raises(ConfigurationError, match=r"^wisebot\.toml: no environment of this name$"):
        worker.describe()
    worker.ahead([Ahead("a", RunRequest("a"))])
    worker.forget("a")
    words = "ConfigurationError: wisebot.toml: no environment of this name"
    assert [error_of(worker.submit(RunRequest("a"), "a")) for _ in range(2)] == [words, words]


def test_a_worker_that_does_not_listen_holds_nobody_up(controller: Controller, client: FakeClient) -> None:
    """What it would be told waits for it alone."""
    deaf = controller.stranger()
    deaf.say({"key": controller.door.key, "collected": False})
    for number in range(8):
        deaf.submit(number, RunRequest("large", {"text": "x" * 1_000_000}))
    client.open("large", "a")
    worker = controller.worker()
    assert worker.submit(RunRequest("a")).wait(LIMIT).ok
    assert worker.submit(RunRequest("large")).wait(LIMIT).ok
    assert deaf.hears() == {"welcome": "pytest-wisebot"}
    numbers = [deaf.hears()["number"] for _ in range(8)]
    assert sorted(numbers) == list(range(8))


# --- workers that go


def leaves(worker: Stranger) -> None:
    worker.__exit__()


def is_killed(worker: Stranger) -> None:
    worker.vanish()


@pytest.mark.parametrize("goes", [leaves, is_killed])
def test_what_a_worker_that_has_gone_had_not_sent_is_not_sent(
    controller: Controller, client: FakeClient, goes: Callable[[Stranger], None]
) -> None:
    """What flies comes to its end, and is counted as one that no test saw; other workers lose nothing."""
    gone = controller.stranger()
    gone.say({"key": controller.door.key, "collected": False})
    assert gone.hears() == {"welcome": "pytest-wisebot"}
    gone.submit(1, RunRequest("flying"))
    gone.say({"call": "awaited", "number": 1})
    client.wait_for("flying")
    other = controller.worker("gw1")
    flying = other.submit(RunRequest("other's"))
    client.wait_for("flying", "other's")
    gone.submit(2, RunRequest("queued"))
    gone.say({"call": "describe"})
    assert gone.hears() == {"session": SESSION}
    late = other.submit(RunRequest("late"))
    goes(gone)
    controller.await_leaving()
    client.open("flying", "other's", "late", "queued")
    assert [run.wait(LIMIT).ok for run in (flying, late)] == [True, True]
    assert client.order == ["flying", "other's", "late"]
    assert other.describe() == SESSION
    client.wait_for()
    numbers = controller.made.numbers()
    assert (numbers.runs, numbers.not_awaited) == (3, 1)


def test_what_a_worker_named_ahead_stays_when_it_goes(controller: Controller, client: FakeClient) -> None:
    """The plan of one serves all: another one runs its tests."""
    gone = controller.worker("gw0")
    gone.ahead(Ahead(name, RunRequest(name), None) for name in "abc")
    client.wait_for("a", "b")
    gone.close()
    controller.await_leaving()
    client.open(*"abc")
    other = controller.worker("gw1")
    assert [other.submit(RunRequest(name), name).wait(LIMIT).ok for name in "abc"] == [True] * 3
    assert client.order == list("abc")


def test_a_worker_that_has_left_starts_nothing_more(controller: Controller, client: FakeClient) -> None:
    """What it still waited for ends, and says what is known of it."""
    worker = controller.worker()
    pending = worker.submit(RunRequest("a"))
    client.wait_for("a")
    worker.close()
    assert error_of(pending) == (
        "ConnectionLost: the session ended before the run did; whether it was sent is not known here"
    )
    with pytest.raises(Cancelled, match=r"^the session has ended: no run is started any more$"):
        worker.submit(RunRequest("b"))
    with pytest.raises(Cancelled, match=r"^the session has ended$"):
        worker.describe()
    worker.forget("a")
    worker.close()


def test_closing_the_door_sends_everybody_away(controller: Controller, client: FakeClient) -> None:
    """The workers are told what is known of their runs, and nobody new comes in."""
    worker = controller.worker()
    pending = worker.submit(RunRequest("a"))
    client.wait_for("a")
    controller.door.close()
    with pytest.raises(ConnectionLost, match=r"^the session ended before the run did; whether it was sent is not"):
        pending.wait(LIMIT)
    with pytest.raises(ConfigurationError, match=r"\(Connection refused\)"):
        controller.worker("gw1")
    controller.door.close()


# --- who is let in


@pytest.mark.parametrize(
    "hello",
    [
        b'{"key": "a FAKE key", "collected": false}\n',
        b'{"key": "\\ud800", "collected": false}\n',
        b'{"key": null, "collected": false}\n',
        b'{"collected": false}\n',
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\xff\xfe\n",
        b"x" * 100_000,
        b"\n",
    ],
)
def test_who_does_not_show_the_key_is_sent_away(controller: Controller, hello: bytes) -> None:
    """Without a word; workers come in as before."""
    stranger = controller.stranger()
    with suppress(ConnectionError):  # hung up over all that was still to be said
        stranger.say(hello)
    assert stranger.hears() is None
    assert controller.worker().describe() == SESSION


def test_a_key_is_not_taken_for_another_s_beginning(controller: Controller) -> None:
    """Neither a part of it nor more than it."""
    for key in (controller.door.key[:-1], controller.door.key + "x", ""):
        stranger = controller.stranger()
        stranger.say({"key": key, "collected": False})
        assert stranger.hears() is None


def test_who_says_nothing_is_sent_away_and_holds_nobody_up(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While they stand at the door, others pass."""
    controller.stranger()
    assert controller.worker().describe() == SESSION
    monkeypatch.setattr(doors, "HELLO_SECONDS", 0.01)
    assert controller.stranger().hears() is None


def test_a_worker_is_known_before_it_is_answered() -> None:
    """What it does next, as to report its collected tests over another wire, overtakes nothing."""
    known: list[bool] = []

    def expect_late(collected: bool) -> None:
        time.sleep(0.05)
        known.append(collected)

    door = WorkerServer(lambda channel: None, expect_late)
    RemoteEngine((HOST, door.port), door.key, "gw0", collected=True).close()
    assert known == [True]
    door.close()


def test_every_door_has_a_key_of_its_own() -> None:
    """Long enough that nobody guesses it."""
    keys = set()
    for _ in range(3):
        door = WorkerServer(lambda channel: None)
        keys.add(door.key)
        door.close()
    assert len(keys) == 3
    assert min(map(len, keys)) >= 40


# --- who cannot be reached


def unreachable(port: int, problem: str) -> str:
    return (
        f"worker gw7 on {platform.node()} cannot reach the controller's engine at 127.0.0.1:{port} ({problem}). Runs "
        "are started by the controller, and only workers on its own machine can ask it: use -n, and no --tx to other "
        "machines."
    )


def refused(port: int, key: str = "a FAKE key") -> str:
    try:
        RemoteEngine((HOST, port), key, "gw7", collected=False)
    except ConfigurationError as error:
        return str(error)
    raise AssertionError("somebody let it in")


def test_a_worker_that_finds_nobody_says_what_to_do() -> None:
    """As one on another machine does, where the controller's loopback is not."""
    listener = socket.create_server((HOST, 0))
    port = listener.getsockname()[1]
    listener.close()
    assert refused(port) == unreachable(port, "Connection refused")


def test_a_worker_with_the_wrong_key_says_what_to_do(controller: Controller) -> None:
    """It may have come to the door of another session."""
    port = controller.door.port
    assert refused(port) == unreachable(port, "something else answers there")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 ready\n", b'{"welcome": "another"}\n', b"[1]\n", b"\xff\n"],
)
def test_a_worker_that_finds_something_else_says_so(answer: bytes) -> None:
    """On another machine, another service may have the port."""
    with socket.create_server((HOST, 0)) as listener:

        def serve_one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve_one)
        thread.start()
        port = listener.getsockname()[1]
        assert refused(port) == unreachable(port, "something else answers there")
        thread.join(LIMIT)


def test_a_worker_that_gets_no_answer_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has the port and says nothing is not the controller."""
    monkeypatch.setattr(remotes, "CONNECT_SECONDS", 0.01)
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert refused(port) == unreachable(port, "something else answers there")


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_dies_in_the_middle_of_a_line_makes_no_noise(controller: Controller, client: FakeClient) -> None:
    """What it wanted to say is lost with it, and nobody else notices."""
    stranger = controller.stranger()
    stranger.say({"key": controller.door.key, "collected": False})
    assert stranger.hears() == {"welcome": doors.WELCOME}
    stranger.say(b'{"call": "sub')
    stranger.vanish()
    controller.await_leaving()
    client.open("a")
    assert controller.worker().submit(RunRequest("a")).wait(LIMIT).ok


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_nesting_before_the_key_is_garbage_like_any_other(controller: Controller) -> None:
    """A stranger cannot bring down the thread that listens to it."""
    stranger = controller.stranger()
    stranger.say(b"[" * 4000 + b"\n")
    assert stranger.hears() is None


def test_a_closed_door_is_closed_to_those_who_stand_before_it(controller: Controller) -> None:
    """Who has connected and not shown the key yet is sent away, and not let in late."""
    stranger = controller.stranger()
    controller.door.close()
    with suppress(OSError):
        stranger.say({"key": controller.door.key, "collected": False})
    assert stranger.hears() is None


def test_being_told_twice_does_not_end_a_worker(controller: Controller, client: FakeClient) -> None:
    """A worker that asks again what the session is gets the same answer, and its runs go on."""
    worker = controller.worker()
    assert worker.describe() == worker.describe() == SESSION
    client.open("a")
    assert worker.submit(RunRequest("a")).wait(LIMIT).ok


def patched_as_by_pytest_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``--disable-socket`` and ``--allow-hosts`` do while a test runs."""

    class Guarded(socket.socket):
        def __new__(cls, *args: object, **kwargs: object) -> Guarded:
            raise RuntimeError("A test tried to use socket.socket.")

    def refuse(*_: object) -> None:
        raise RuntimeError("A test tried to use socket.socket.connect().")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "socket", Guarded)


def test_a_worker_under_disable_socket_reaches_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself connects to nothing: the controller, which sends the requests, is another process."""
    with socket.create_server((HOST, 0)) as listener, monkeypatch.context() as patch:
        patched_as_by_pytest_socket(patch)
        with pytest.raises(RuntimeError):
            socket.create_connection((HOST, 1))
        remotes._connect(listener.getsockname()).close()


def test_a_description_that_does_not_come_is_not_waited_for(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No wait is without a deadline."""
    monkeypatch.setattr(remotes, "DESCRIBE_SECONDS", 0.05)
    may_end = threading.Event()
    monkeypatch.setattr(controller, "described", lambda: may_end.wait(LIMIT) and SESSION)
    with pytest.raises(ConfigurationError, match=r"^the xdist controller has not described the session"):
        controller.worker().describe()
    may_end.set()
