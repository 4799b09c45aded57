"""Where runs come from: whose run answers a request, and what is asked of nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_wisebot import ConfigurationError, ConnectionLost, NotRun, RecordingNotFound, WorkflowRun
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.errors import Attempted
from pytest_wisebot.event_log import Events, read_events
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.runs import SHARED, Ended, Occurrence, RunRequest, shared_occurrence
from pytest_wisebot.settings import Settings
from pytest_wisebot.storage.recorder import LIGHT, RunRecorder
from pytest_wisebot.storage.sessions import Session, Sessions
from pytest_wisebot.storage.sources import NOT_FOUND, Finder, Last, Live, Lookup, Record, Replay, Source, Verify
from pytest_wisebot.storage.store import MOST_LINES, RequestKeys, Store, differences, input_diff

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClient

MADE = datetime(2026, 11, 20, tzinfo=UTC)


def request(test: str, call: int = 1, **changes: Any) -> RunRequest:
    return RunRequest("triage", {"n": 1}, occurrence=Occurrence(test, call=call), **changes)


def run(name: str) -> WorkflowRun:
    return WorkflowRun(ok=True, workflow="triage", run_id=name, started_at=MADE)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Holds a run of each of these."""
    store = Store(tmp_path / "recordings", Redactor())
    for test in ("test_a.py::test_old", "test_a.py::test_one", "test_b.py::test_old", "test_b.py::test_two"):
        store.put(request(test), run(f"of {test}"))
    return store


def given(finder: Finder, asked: RunRequest) -> str | None:
    found = finder.found(asked)
    return found[0].run.run_id if found else None


def test_each_gets_its_own(store: Store) -> None:
    """In whatever order they ask, and as often as they ask."""
    finder = Finder(store, "recording")
    for test in ("test_b.py::test_two", "test_a.py::test_one", "test_b.py::test_two"):
        assert given(finder, request(test)) == f"of {test}"


def test_nobody_gets_what_another_test_will_ask_for(store: Store) -> None:
    """A test that is new gets nothing as long as each run belongs to a test that is there."""
    finder = Finder(store, "recording")
    finder.expect(one.test for one in store.occurrences(request("x")))
    assert given(finder, request("test_new")) is None
    assert given(finder, request("test_a.py::test_one", call=2)) is None


def test_the_renamed_get_what_is_most_like_them(store: Store) -> None:
    """A test that moved to another file, then one of the same file; each run goes to one test, and stays with it."""
    finder = Finder(store, "recording")
    finder.expect(["test_a.py::test_one", "test_b.py::test_two"])
    assert given(finder, request("test_b.py::test_new")) == "of test_b.py::test_old"
    assert given(finder, request("test_c.py::test_old")) == "of test_a.py::test_old"
    assert given(finder, request("test_d.py::test_old")) is None
    assert given(finder, request("test_b.py::test_new")) == "of test_b.py::test_old"


def test_a_run_that_was_shared_serves_who_shares_no_more(store: Store) -> None:
    """It is the same request."""
    shared = RunRequest("triage", {"n": 2}, share=True, occurrence=SHARED)
    store.put(shared, run("shared"))
    asked = RunRequest("triage", {"n": 2}, occurrence=Occurrence("test_a.py::test_one"))
    finder = Finder(store, "last")
    finder.expect(["test_a.py::test_one"])
    found = finder.found(asked)
    assert found is not None
    assert (found[0].run.run_id, found[0].run.source) == ("shared", "last")
    assert found[1] == "triage: test_a.py::test_one has no run of its own and was given that of a run that tests share"


def test_who_shares_from_now_on_is_given_what_anybody_recorded(store: Store) -> None:
    """The other way round: a run of a test that is there, too."""
    finder = Finder(store, "recording")
    finder.expect(one.test for one in store.occurrences(request("x")))
    shared = RunRequest("triage", {"n": 1}, share=True, occurrence=SHARED)
    assert given(finder, shared) == given(finder, shared) == "of test_a.py::test_old"


def test_two_limits_of_a_shared_run_are_two_runs(tmp_path: Path) -> None:
    """As they are in the session: each that shares is given the one that was made within its own limit."""
    store = Store(tmp_path / "recordings", Redactor())
    limits = (None, 20.0, 30.5)
    asked = {
        limit: RunRequest("triage", timeout=limit, share=True, occurrence=shared_occurrence(limit)) for limit in limits
    }
    for limit, one in asked.items():
        store.put(one, run(f"within {limit}"))
    finder = Finder(Store(store.folder, Redactor()), "recording")
    assert [given(finder, one) for one in asked.values()] == [f"within {limit}" for limit in limits]


OTHERS = {
    "a fixture of the module": Occurrence("test_a.py", "wide", call=1),
    "a fixture with a parameter": Occurrence("test_a.py", "wide[0]", call=1),
    "a fixture of the folder": Occurrence("tests", "wide", call=1),
    "a fixture of the session": Occurrence("", "wide", call=1),
    "those who share": SHARED,
}


@pytest.mark.parametrize("whose", OTHERS)
def test_nobody_gets_what_a_fixture_or_who_shares_will_ask_for(tmp_path: Path, whose: str) -> None:
    """As long as they are there; then whoever asks for the same."""
    store = Store(tmp_path / "recordings", Redactor())
    store.put(RunRequest("triage", {"n": 1}, occurrence=OTHERS[whose]), run("theirs"))
    tests = ["test_a.py::test_new", "tests/test_b.py::test_b"]
    there, gone = Finder(store, "recording"), Finder(store, "recording")
    there.expect(tests, ["", "wide"])
    gone.expect(tests, ["another"])
    assert given(there, request(tests[0])) is None
    assert given(gone, request(tests[0])) == "theirs"


def test_a_fixture_s_run_is_free_without_the_tests_that_it_was_for(tmp_path: Path) -> None:
    """Its name alone, in another module, is another fixture's."""
    store = Store(tmp_path / "recordings", Redactor())
    store.put(RunRequest("triage", {"n": 1}, occurrence=Occurrence("test_a.py", "wide", call=1)), run("theirs"))
    finder = Finder(store, "recording")
    finder.expect(["test_ab.py::test_b"], ["wide"])
    moved = RunRequest("triage", {"n": 1}, occurrence=Occurrence("test_ab.py", "wide", call=1))
    assert given(finder, moved) == "theirs"


def test_a_fixture_that_gets_parameters_keeps_its_run(tmp_path: Path) -> None:
    """One of them does: nobody else has a claim to it."""
    store = Store(tmp_path / "recordings", Redactor())
    store.put(RunRequest("triage", {"n": 1}, occurrence=Occurrence("", "wide", call=1)), run("its own"))
    finder = Finder(store, "recording")
    finder.expect(["test_a.py::test_it"], ["wide"])
    asked = [RunRequest("triage", {"n": 1}, occurrence=Occurrence("", f"wide[{n}]", call=1)) for n in range(2)]
    assert [given(finder, one) for one in asked] == ["its own", None]


def test_each_of_several_workers_gets_what_one_process_recorded(store: Store) -> None:
    """Under ``--dist each`` every worker runs every test; and one process gets what a worker recorded."""
    store.put(request("gw1:test_c.py::test_it"), run("of gw1"))
    tests = ["test_a.py::test_one", "test_b.py::test_two"]
    many, one = Finder(store, "recording"), Finder(store, "recording")
    many.expect(f"gw0:{test}" for test in tests)
    one.expect(["test_c.py::test_it", *tests])
    for worker in ("gw0", "gw1", "gw12"):
        assert [given(many, request(f"{worker}:{test}")) for test in tests] == [f"of {test}" for test in tests]
        assert many.found(request(f"{worker}:{tests[0]}"))[1] == ""  # type: ignore[index]
    assert given(many, request("gw1:test_c.py::test_it")) == given(one, request("test_c.py::test_it")) == "of gw1"


WAYS = {"declared": (0, 0), "called": (1, 0), "declared in trials": (0, 1), "called in trials": (1, 1)}


@pytest.mark.parametrize("then", WAYS)
@pytest.mark.parametrize("now", WAYS)
def test_a_test_that_asks_in_another_way_keeps_its_run(tmp_path: Path, then: str, now: str) -> None:
    """By a call in place of its marker, with trials or without them: nobody else has a claim to what it recorded."""
    store = Store(tmp_path / "recordings", Redactor())
    for way, test in ((then, "test_a.py::test_it"), (now, "test_a.py::test_other")):
        call, trial = WAYS[way]
        asked = RunRequest("triage", {"n": 1}, occurrence=Occurrence(test, call=call, trial=trial))
        store.put(asked, run(f"of {test}"))
    finder = Finder(store, "recording")
    finder.expect(["test_a.py::test_it", "test_a.py::test_other"])
    call, trial = WAYS[now]
    for number in (0, 2):
        occurrence = Occurrence("test_a.py::test_it", call=call + number, trial=trial)
        found = given(finder, RunRequest("triage", {"n": 1}, occurrence=occurrence))
        assert found == (None if number else "of test_a.py::test_it")


def test_a_recording_may_be_too_old(store: Store) -> None:
    """On the last day it still holds."""
    asked = request("test_a.py::test_one")
    for days, holds in ((30, True), (30.1, False)):
        replay = Replay(Finder(store, "recording"), store, 30, now=lambda days=days: MADE + timedelta(days=days))  # type: ignore[misc]
        if holds:
            assert replay.lookup(asked).ended
        else:
            with pytest.raises(RecordingNotFound, match="is 30 days old, more than max-age-days = 30 allows"):
                replay.lookup(asked)


def test_what_is_there_needs_no_place_in_the_window(store: Store) -> None:
    """A hundred requests with room for one, a budget of none and no client that could ask: all answered."""
    requests = [RunRequest("triage", {"n": n}, occurrence=Occurrence("test")) for n in range(100)]
    for asked in requests:
        store.put(asked, run(f"run-{asked.inputs['n']}"))
    redactor = Redactor()
    recorder = RunRecorder(Last(Finder(store, "last"), "s-1"), None, redactor)
    engine = Engine(Settings(concurrency=1, max_runs=0), redactor, recorder=recorder)
    try:
        pending = engine.submit_all([*requests, RunRequest("triage", {"n": "new"})])
        assert [one.wait(10).run_id for one in pending[:-1]] == [f"run-{n}" for n in range(100)]
        with pytest.raises(NotRun, match=r"^it is not among the runs of session s-1$"):
            pending[-1].wait(10)
        numbers = engine.numbers()
        assert (numbers.runs, numbers.kept, numbers.run_time) == (0, {"last": 100}, 0.0)
        assert numbers.not_run == {"it is not among the runs of session s-1": 1}
    finally:
        engine.close()


class Slow(Live):
    """Takes its time to write."""

    is_light = False

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    def store(self, request: RunRequest, run: WorkflowRun, found: Lookup, /) -> list[str]:
        self.begun.set()
        self.may_end.wait(10)
        return super().store(request, run, found)


def test_a_run_is_on_disk_before_its_test_is_told(client: FakeClient) -> None:
    """Its place is free for the next one meanwhile; and the session's end waits for it."""
    source, redactor = Slow(), Redactor()
    engine = Engine(Settings(concurrency=1), redactor, recorder=RunRecorder(source, None, redactor))
    first, second = engine.submit_all([RunRequest("a"), RunRequest("b")])
    client.wait_for("a")
    client.open("a")
    client.wait_for("b")
    assert source.begun.wait(10)
    with pytest.raises(TimeoutError):
        first.wait(0.1)
    threading.Timer(0.1, source.may_end.set).start()
    engine.close()
    assert first.wait(0).workflow == "a"
    with pytest.raises(ConnectionLost):
        second.wait(0)


class Full(Live):
    """Has no room."""

    def store(self, _request: RunRequest, _run: WorkflowRun, _found: Lookup, /) -> list[str]:
        raise OSError(28, "No space left on device")


def test_a_run_that_cannot_be_kept_is_told_all_the_same(client: FakeClient) -> None:
    """It was paid for; the end of the session says what is missing."""
    redactor = Redactor()
    recorder = RunRecorder(Full(), None, redactor)
    engine = Engine(Settings(), redactor, recorder=recorder)
    client.gates = {}
    pending = engine.submit(RunRequest("a"))
    client.wait_for("a")
    client.open("a")
    assert pending.wait(10).ok
    engine.close()
    assert recorder.problems == {"[Errno 28] No space left on device": 1}


def test_what_drifted_is_told_with_its_recording(store: Store) -> None:
    """The comparer's lines, below the file and when it was made; nothing where nothing differs."""
    asked = request("test_a.py::test_one")
    for lines in ([], ["result: other"]):
        verify = Verify(Finder(store, "recording"), store, lambda expected, came, lines=lines: lines)  # type: ignore[misc]
        drift = verify.store(asked, run("new"), verify.lookup(asked))
        about = f"recording: recordings/triage/{store.paths()[0].name}, of 2026-11-20 00:00:00 UTC"
        assert drift == ([about, *lines] if lines else [])


def test_inputs_are_compared_by_path() -> None:
    """What is missing, what is new and what is another, and no more lines than anybody reads."""
    recorded = {"a": 1, "b": [1, 2], "gone": None, "odd key": True}
    asked = {"a": "1", "b": [1, 3, 4], "odd key": 1}
    assert differences(recorded, asked) == [
        '["odd key"]: recorded true, asked 1',
        'a: recorded 1, asked "1"',
        "b[1]: recorded 2, asked 3",
        "b[2]: recorded nothing, asked 4",
        "gone: recorded null, asked nothing",
    ]
    assert differences(recorded, recorded) == []
    assert input_diff(recorded, recorded) == 0.0
    assert input_diff({}, {}) == 0.0
    assert input_diff({"a": 1}, {"a": 2}) < input_diff({"a": 1}, {"b": 1}) == 1.0
    many = differences({}, {f"k{n:02}": n for n in range(50)})
    assert len(many) == MOST_LINES + 1
    assert many[-1] == "and 30 more"


# --- one line of the log, or the thread


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    redactor = Redactor()
    one = Session(Sessions(tmp_path), redactor, RequestKeys(redactor), dict)
    yield one
    one.close()


def recorder_of(source: Source, session: Session) -> RunRecorder:
    events = Events(Redactor())
    events.add_sink(session.write_line)
    return RunRecorder(source, session, Redactor(), events=events)


ASKED = RunRequest("triage", {"n": 1}, occurrence=Occurrence("test"))


def test_a_run_is_stored_by_one_line_of_the_log(session: Session) -> None:
    """Within the loop that asks, and nowhere else."""
    session.open()
    recorder = recorder_of(Live(), session)
    ended = Ended(run("run-1"), reference="r1")
    assert recorder.is_light(ended, LIGHT)
    assert recorder.store(ASKED, ended) == ended
    assert session.folder is not None
    events = list(read_events(session.folder / "events.jsonl"))
    assert [(event["event"], event.get("run")) for event in events] == [("session", None), ("run", "r1")]
    assert [path.name for path in session.folder.iterdir()] == ["events.jsonl"]
    recorder.close()


@pytest.mark.parametrize("why", ["large", "first", "kept", "recorded"])
def test_work_beyond_one_line_is_left_to_the_thread(session: Session, store: Store, why: str) -> None:
    """A large answer, the session's own folder, a kept run, and recordings."""
    if why != "first":
        session.open()
    source = Record(store, session) if why == "recorded" else Live()
    outcome = replace(run("run-1"), source="last") if why == "kept" else run("run-1")
    ended = Ended(outcome, reference="r1")
    recorder = recorder_of(source, session)
    assert not recorder.is_light(ended, LIGHT + 1 if why == "large" else LIGHT)
    stored: Future[Ended] = Future()
    recorder.store_soon(ASKED, ended, NOT_FOUND, lambda call: call(), stored.set_result)
    assert stored.result(10).outcome == outcome
    recorder.close()
    assert session.folder is not None
    assert [event.get("run") for event in read_events(session.folder / "events.jsonl")] == [None, "r1"]
    assert (why == "recorded") == (store.find(ASKED) is not None)


def test_an_error_is_noted_before_its_test_sees_it(session: Session) -> None:
    """At once; but the session's folder must be made first for an error after which something may have run."""
    recorder = recorder_of(Live(), session)
    stopped = Ended(NotRun("the budget is spent"), reference="r1")
    lost = Ended(ConnectionLost("the connection ended", Attempted("triage", "webhook", "a host")), reference="r2")
    assert recorder.is_light(stopped, 0)
    assert recorder.store(ASKED, stopped) == stopped
    assert not recorder.is_light(lost, 0)
    session.open()
    assert recorder.is_light(lost, 0)
    assert recorder.store(ASKED, lost) == lost
    assert session.folder is not None
    events = list(read_events(session.folder / "events.jsonl"))
    assert [event.get("run") for event in events] == [None, "r1", "r2"]
    recorder.close()


def test_the_error_of_an_unknown_workflow_is_noted(session: Session) -> None:
    """It has no key, by which no run of it could be found."""

    def unknown(name: str) -> str:
        raise ConfigurationError(f'unknown workflow "{name}"')

    session._keys = RequestKeys(Redactor(), unknown)
    session.open()
    recorder = recorder_of(Live(), session)
    recorder.store(ASKED, Ended(ConfigurationError("unknown"), reference="r1"))
    recorder.close()
    assert not recorder.problems
    assert session.folder is not None
    assert [event.get("run") for event in read_events(session.folder / "events.jsonl")] == [None, "r1"]
