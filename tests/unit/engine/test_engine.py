"""The engine with a client that only pretends: room, order, giving up, and ending."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from pytest_wisebot import Api, Cancelled, ConnectionLost, RateLimited, WorkflowRun
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.engine.pending import PendingRun
from pytest_wisebot.engine.stats import StatsSnapshot, Status
from pytest_wisebot.engine.values import Ahead
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.runs import EngineError, RunRequest
from pytest_wisebot.settings import Settings, Workflow

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClient


@pytest.fixture
def made(client: FakeClient) -> Iterator[tuple[Engine, FakeClient]]:
    """An engine with room for two runs, and its client."""
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


@pytest.mark.parametrize(
    ("sources", "running", "held"),
    [({}, ["triage"], {"triage": 2}), ({"concurrency": "--wisebot-concurrency"}, ["triage", "triage", "id:k57"], {})],
    ids=["limit", "option"],
)
def test_a_workflow_with_a_limit_has_one_lane_under_all_its_names(
    client: FakeClient, sources: dict[str, str], running: list[str], held: dict[str, int]
) -> None:
    """Over both APIs, by its name or its id, ahead or not; an option for all workflows puts the limit out of force."""
    limited = {"triage": Workflow("triage", "k57", concurrency=1)}
    one = Engine(Settings(workflows=limited, sources=sources), Redactor())
    one.ahead([Ahead("key", RunRequest("triage"))])
    one.submit_all([RunRequest("triage", api=Api.DASHBOARD), RunRequest("id:k57"), RunRequest("unknown")])
    client.wait_for(*running, "unknown")
    assert one.status().held == held
    one.close()


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


# --- ahead of the tests


def test_a_run_that_was_started_ahead_is_the_one_that_its_test_gets(made: tuple[Engine, FakeClient]) -> None:
    """It is under way before the test asks, and is not started again."""
    one, client = made
    one.ahead([Ahead("test-a", RunRequest("a")), Ahead("test-b", RunRequest("b"))])
    client.wait_for("a", "b")
    client.open("a", "b")
    assert one.submit(RunRequest("b"), "test-b").wait(10).workflow == "b"
    assert one.submit(RunRequest("a"), "test-a").wait(10).workflow == "a"
    assert sorted(client.order) == ["a", "b"]


def test_each_key_is_started_ahead_once(made: tuple[Engine, FakeClient]) -> None:
    """However many workers name it, and whether its test has asked by then or not."""
    one, client = made
    one.ahead([Ahead("test-a", RunRequest("a")), Ahead("test-a", RunRequest("a"))])
    one.ahead([Ahead("test-a", RunRequest("a")), Ahead("test-b", RunRequest("b"))])
    client.open("a", "b")
    assert one.submit(RunRequest("a"), "test-a").wait(10).ok
    one.ahead([Ahead("test-a", RunRequest("a"))])
    assert one.submit(RunRequest("b"), "test-b").wait(10).ok
    assert sorted(client.order) == ["a", "b"]
    assert one.status().waiting == 0


def test_a_test_that_asks_a_second_time_gets_a_new_run(made: tuple[Engine, FakeClient]) -> None:
    """As one does that is run again."""
    one, client = made
    client.open("a")
    one.ahead([Ahead("test-a", RunRequest("a"))])
    runs = [one.submit(RunRequest("a"), "test-a").wait(10).run_id for _ in range(3)]
    assert runs == ["run-1", "run-2", "run-3"]


def test_a_test_that_asks_for_something_else_gets_what_it_asks_for(made: tuple[Engine, FakeClient]) -> None:
    """The run that was foreseen for it is not begun any more; one that has begun is let come to its end."""
    one, client = made
    foreseen = [RunRequest("a"), RunRequest("b"), RunRequest("c")]
    one.ahead(Ahead(request.workflow, request) for request in foreseen)
    client.wait_for("a", "b")
    wanted = [one.submit(RunRequest("d", {"instead": "of c"}), "c"), one.submit(RunRequest("e"), "a")]
    client.open("a", "b", "d", "e")
    assert [run.wait(10).workflow for run in wanted] == ["d", "e"]
    assert one.submit(RunRequest("b"), "b").wait(10).ok
    assert sorted(client.order) == ["a", "b", "d", "e"]
    assert one.numbers().not_awaited == 1


def test_what_a_test_waits_for_goes_before_what_is_ahead(made: tuple[Engine, FakeClient]) -> None:
    """What it asks for anew does, and so does its own run that was ahead of it, from when it waits."""
    one, client = made
    one.ahead(Ahead(name, RunRequest(name), seconds) for name, seconds in zip("abcde", (9, 8, 7, 6, None), strict=True))
    client.wait_for("a", "b")
    asked = one.submit(RunRequest("asked"))
    last = one.submit(RunRequest("e"), "e")
    last.awaited()
    client.open("a")
    client.wait_for("b", "asked")
    client.open("b")
    client.wait_for("asked", "e")
    client.open("asked")
    client.wait_for("c", "e")
    client.open("c", "d", "e")
    assert asked.wait(10).ok
    assert last.wait(10).ok


def test_the_run_of_a_test_that_is_over_is_not_begun_any_more(made: tuple[Engine, FakeClient]) -> None:
    """One that has begun is let come to its end, and counted as one that nobody waited for."""
    one, client = made
    one.ahead(Ahead(name, RunRequest(name)) for name in "abc")
    client.wait_for("a", "b")
    for key in ("a", "c", "unknown", "c"):
        one.forget(key)
    status = one.status()
    assert (status.running, status.waiting) == (2, 0)
    client.open("a", "b", "c")
    assert one.submit(RunRequest("b"), "b").wait(10).ok
    assert one.submit(RunRequest("a"), "a").wait(10).run_id == "run-3"  # its first run was forgotten
    assert client.order == ["a", "b", "a"]
    assert one.numbers().not_awaited == 1


# --- sharing


SHARED = RunRequest("a", {"list": [1, 2]}, share=True)


def test_equal_requests_share_one_run_where_they_ask_to(made: tuple[Engine, FakeClient]) -> None:
    """While it waits, while it flies and after its end; whoever asks."""
    one, client = made
    early = one.submit(SHARED)
    client.wait_for("a")
    also = one.submit(replace(SHARED, test="another"), "another test")
    client.open("a")
    first = early.wait(10)
    late = one.submit(SHARED)
    assert late.done
    assert {first.run_id, also.wait(10).run_id, late.wait(10).run_id} == {"run-1"}
    assert client.order == ["a"]
    assert one.numbers().runs == 1


def test_what_differs_is_not_shared(made: tuple[Engine, FakeClient]) -> None:
    """Inputs, API, timeout or the call's own secret; nor does who does not ask to share."""
    one, client = made
    client.open("a")
    others = [
        SHARED,
        replace(SHARED, share=False),
        replace(SHARED, inputs={"list": [2, 1]}),
        replace(SHARED, api=Api.DASHBOARD),
        replace(SHARED, timeout=7.0),
        replace(SHARED, secret=Secret("FAKE-secret-1")),
        replace(SHARED, secret=Secret("FAKE-secret-2")),
    ]
    runs = {run.wait(10).run_id for run in one.submit_all([*others, others[-1]])}
    assert len(runs) == len(client.order) == len(others)


def test_each_test_has_its_own_copy_of_a_shared_result(made: tuple[Engine, FakeClient]) -> None:
    """What one changes in it, no other sees; asking one and the same pending run twice gives one and the same."""
    one, client = made
    client.open("a")
    pending = one.submit_all([SHARED, SHARED])
    first, second = (run.wait(10) for run in pending)
    assert first == second
    assert pending[0].wait(10) is first
    first.result["inputs"][0]["list"].append(3)
    first.inputs["list"].append(4)
    assert second.result == {"inputs": [{"list": [1, 2]}]}
    assert second.inputs == {"list": [1, 2]}
    assert one.submit(SHARED).wait(10) == second


def test_an_error_is_shared_too(made: tuple[Engine, FakeClient]) -> None:
    """What one run met, it met for all who share it; what one adds to it, no other sees."""
    one, client = made
    client.errors["a"] = RateLimited("too many requests")
    client.open("a")
    for pending in one.submit_all([SHARED, SHARED]):
        with pytest.raises(RateLimited, match=r"^too many requests$") as caught:
            pending.wait(10)
        assert not hasattr(caught.value, "__notes__")
        caught.value.add_note("of this test")
    assert client.order == ["a"]


def test_tests_that_share_are_ahead_with_one_run(made: tuple[Engine, FakeClient]) -> None:
    """It is begun as long as one of them may still ask for it."""
    one, client = made
    busy = one.submit_all(requests("x", "y"))
    one.ahead(Ahead(key, SHARED) for key in ("test-1", "test-2"))
    assert one.status().waiting == 1
    one.forget("test-1")
    client.open("x", "y", "a")
    assert one.submit(SHARED, "test-2").wait(10).ok
    assert [run.wait(10).ok for run in busy] == [True, True]
    assert client.order == ["x", "y", "a"]


def test_who_gives_up_a_shared_run_gives_up_its_part_alone(made: tuple[Engine, FakeClient]) -> None:
    """The others get the run; giving up again changes nothing for them."""
    one, client = made
    mine, other = one.submit_all([SHARED, SHARED])
    client.wait_for("a")
    assert mine.cancel() is True
    assert mine.done
    assert mine.cancel() is False
    with pytest.raises(Cancelled, match=r'^the shared run of workflow "a" was given up by this test alone$'):
        mine.wait(10)
    assert not other.done
    client.open("a")
    assert other.wait(10).ok
    with pytest.raises(Cancelled, match="by this test alone"):
        mine.wait(10)


def test_a_shared_run_that_all_give_up_is_given_up(made: tuple[Engine, FakeClient]) -> None:
    """Whoever asks after that gets a new one."""
    one, client = made
    pending = one.submit_all([SHARED, SHARED])
    client.wait_for("a")
    assert [run.cancel() for run in pending] == [True, True]
    with pytest.raises(ConnectionLost, match=r"^the run was given up after it had been sent"):
        pending[1].wait(10)
    client.open("a")
    assert one.submit(SHARED).wait(10).run_id == "run-2"


def test_what_nobody_will_wait_for_is_let_go(made: tuple[Engine, FakeClient]) -> None:
    """What has not been sent is not sent; what flies comes to its end, and one who shares it still gets it."""
    one, client = made
    a, b, c = one.submit_all(requests("a", "b", "c"))
    shared = one.submit_all([replace(SHARED, workflow="s")] * 2)
    client.wait_for("a", "b")
    for pending in (a, c, shared[0]):
        pending.release()
    client.open("a", "b", "c", "s")
    assert b.wait(10).ok
    assert shared[1].wait(10).ok
    with pytest.raises(Cancelled, match=r'^the run of workflow "c" was given up before it was sent$'):
        c.wait(10)
    assert client.order == ["a", "b", "s"]


def test_a_shared_run_that_was_let_go_before_it_was_sent_is_nobody_s(made: tuple[Engine, FakeClient]) -> None:
    """It ends although its turn had come, and who asks for the same after that gets a new one."""
    one, client = made
    client.connecting.add("a")
    first = one.submit(SHARED)
    client.wait_for("a")
    first.release()
    client.connecting.clear()
    client.open("a")
    assert one.submit(SHARED).wait(10).run_id == "run-2"
    with pytest.raises(Cancelled, match=r'^the run of workflow "a" was given up before it was sent$'):
        first.wait(10)


# --- waiting


def test_waiting_has_a_limit_that_the_run_does_not_share(made: tuple[Engine, FakeClient]) -> None:
    """The message says so, and one may wait again."""
    one, client = made
    (pending,) = one.submit_all(requests("a"))
    with pytest.raises(
        TimeoutError, match=r"^<PendingRun a \(webhook\) not ended yet> after 0\.01 s of waiting; the run goes on$"
    ):
        pending.wait(0.01)
    client.open("a")
    assert pending.wait(10).ok
    assert repr(pending) == "<PendingRun a (webhook) ended>"
    assert pending.lag >= 0.0


def given_up_waiting(pending: PendingRun) -> None:
    with pytest.raises(TimeoutError):
        pending.wait(0.01)


def test_a_wait_that_was_given_up_is_none(made: tuple[Engine, FakeClient]) -> None:
    """The run is nobody's from then on, and counted if it ends so; who waits again makes it theirs again."""
    one, client = made
    mine, other = one.submit_all(requests("a", "b"))
    client.wait_for("a", "b")
    given_up_waiting(mine)
    other.awaited()
    assert one.status().awaited == 1
    client.open("a", "b")
    assert other.wait(10).ok
    mine.future.result(10)
    assert one.numbers().not_awaited == 1
    assert mine.wait(10).ok
    assert one.numbers().not_awaited == 0


def test_a_run_is_awaited_as_long_as_one_of_many_waits(made: tuple[Engine, FakeClient]) -> None:
    """Whether they share it or wait for one and the same."""
    one, client = made
    shared, also, mine = one.submit_all([SHARED, SHARED, RunRequest("b")])
    client.wait_for("a", "b")
    for pending in (also, mine):
        pending.awaited()
    given_up_waiting(shared)
    given_up_waiting(mine)
    assert one.status().awaited == 2
    also.wait_abandoned()
    mine.wait_abandoned()
    assert one.status().awaited == 0


def test_a_run_can_be_awaited_under_asyncio_and_trio(made: tuple[Engine, FakeClient]) -> None:
    """By many at once, without holding the loop."""
    one, client = made
    client.open(*"abcd")

    async def awaited(name: str) -> WorkflowRun:
        return await one.submit(RunRequest(name))

    async def under_asyncio() -> list[WorkflowRun]:
        return list(await asyncio.gather(awaited("a"), awaited("b")))

    async def under_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(awaited, "c")
            nursery.start_soon(awaited, "d")

    assert [run.workflow for run in asyncio.run(under_asyncio())] == ["a", "b"]
    trio.run(under_trio)
    assert sorted(client.order) == ["a", "b", "c", "d"]
    assert one.numbers().not_awaited == 0


def test_who_stops_awaiting_does_not_give_the_run_up(made: tuple[Engine, FakeClient]) -> None:
    """It goes on, under its own deadline."""
    one, client = made
    (pending,) = one.submit_all(requests("a"))

    async def impatient() -> None:
        async with asyncio.timeout(0.01):
            await pending

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    client.open("a")
    assert pending.wait(10).ok


def test_somebody_is_told_when_tests_begin_and_end_to_wait(client: FakeClient) -> None:
    """Not for what has ended by then."""
    told: list[bool] = []

    def tell(begins: bool) -> None:
        told.append(begins)
        if begins:
            client.open("a")

    one = Engine(Settings(concurrency=2), Redactor(), tell)
    try:
        (pending,) = one.submit_all(requests("a"))
        client.wait_for("a")
        assert told == []
        assert pending.wait(10).ok
        assert told == [True, False]
        assert pending.wait(10).ok
        assert told == [True, False]
    finally:
        one.close()


# --- the end


def test_after_all_was_given_up_everything_can_be_asked_for_anew(made: tuple[Engine, FakeClient]) -> None:
    """What was ahead or shared before is not what a test gets then."""
    one, client = made
    one.ahead([Ahead("test-b", RunRequest("b"))])
    shared = one.submit(SHARED)
    waiting = one.submit(RunRequest("c"))
    client.wait_for("a", "b")
    one.cancel_all()
    for pending, error in ((shared, ConnectionLost), (waiting, Cancelled)):
        with pytest.raises(error):
            pending.wait(10)
    client.open("a", "b", "c")
    fresh = [one.submit(SHARED), one.submit(RunRequest("b"), "test-b"), one.submit(RunRequest("c"))]
    assert sorted(str(run.wait(10).run_id) for run in fresh) == ["run-3", "run-4", "run-5"]


def test_a_closed_engine_still_tells_its_numbers(made: tuple[Engine, FakeClient]) -> None:
    """How far it is, it does not tell any more; what is forgotten or let go then does no harm."""
    one, client = made
    one.ahead([Ahead("test-b", RunRequest("b"))])
    client.open("a")
    assert one.submit(RunRequest("a"), "test-a").wait(10).ok
    waiting = one.submit_all(requests("x", "c"))
    client.wait_for("b", "x")
    before = one.status()
    assert (before.done, before.running, before.waiting, before.cap) == (1, 2, 1, 2)
    one.close()
    numbers = one.numbers()
    assert numbers == StatsSnapshot(
        seconds={"a": [2.0]},
        durations={"test-a": ("a", 2.0)},
        wall=numbers.wall,
        not_run=Counter({"given up before being sent": 1}),
        not_awaited=2,
    )
    assert numbers.wall >= 0.0
    assert one.status() == Status()
    one.forget("test-b")
    waiting[0].release()
    one.cancel_all()
    with pytest.raises(Cancelled, match=r"^the session has ended: no run is started any more$"):
        one.ahead([Ahead("test-d", RunRequest("d"))])
    assert "d" not in client.order


def test_one_sharer_that_goes_does_not_take_the_run_from_the_other(made: tuple[Engine, FakeClient]) -> None:
    """The run was awaited by one of them: it is not counted as one that nobody waited for."""
    one, client = made
    first, second = one.submit_all([RunRequest("a", share=True)] * 2)
    client.wait_for("a")
    first.awaited()
    second.release()
    client.open("a")
    assert first.wait(10).ok
    assert one.numbers().not_awaited == 0


def test_a_shared_run_that_flies_is_there_for_who_comes_later(made: tuple[Engine, FakeClient]) -> None:
    """Its first asker has gone; an equal request takes it in the place of a second run."""
    one, client = made
    pending = one.submit(RunRequest("b"))
    flying = one.submit(RunRequest("c", share=True))
    client.wait_for("b", "c")
    flying.release()
    again = one.submit(RunRequest("c", share=True))
    client.open("b", "c")
    assert again.wait(10).ok
    assert pending.wait(10).ok
    assert client.order.count("c") == 1
