"""The folders of sessions, and their event logs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot import ConfigurationError, WorkflowRun
from pytest_wisebot.event_log import event_line, read_events, run_event
from pytest_wisebot.redaction import Redact, Redactor, Secret
from pytest_wisebot.runs import Ended, Occurrence, RunRequest
from pytest_wisebot.storage.sessions import MOST_KEPT, LoggedRuns, Session, Sessions
from pytest_wisebot.storage.store import RequestKeys

HERE: dict[str, Any] = {"environment": "staging", "origin": "https://a.test", "base_url": None, "emulator": None}


def keys(redactor: Redactor | None = None) -> RequestKeys:
    return RequestKeys(redactor or Redactor([Secret("CANARY-secret")]), lambda name: f"id-of-{name}")


def session(root: Path, carry: Path | None = None, **facts: Any) -> Session:
    redactor = Redactor([Secret("CANARY-secret")])
    runs = LoggedRuns(carry, keys()) if carry is not None else None
    return Session(Sessions(root), redactor, keys(redactor), lambda: {**HERE, **facts}, runs)


def test_nothing_is_written_before_a_run(tmp_path: Path) -> None:
    """Events wait for the first run, and with it stand in the order in which they came."""
    one = session(tmp_path)
    one.write({"event": "test", "test": "a"})
    one.end(0.0, exitstatus=0)
    assert list(tmp_path.iterdir()) == []
    one.open()
    one.write({"event": "test", "test": "b"})
    one.end(0.0, exitstatus=0)
    one.close()
    assert one.folder is not None
    events = list(read_events(one.folder / "events.jsonl"))
    assert [event["event"] for event in events] == ["session", "test", "test", "end"]
    assert events[0]["session"] == one.id
    assert events[0]["format"] == 1


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes")
def test_the_folders_are_the_user_s_own(tmp_path: Path) -> None:
    """Nobody else may look into them, and git does not."""
    one = session(tmp_path)
    one.open()
    assert one.folder is not None
    for folder in (tmp_path / ".wisebot", one.folder.parent, one.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((one.folder / "events.jsonl").stat().st_mode) == 0o600
    assert (tmp_path / ".wisebot" / ".gitignore").read_text("utf-8") == "*\n"


def test_the_newest_are_kept(tmp_path: Path) -> None:
    """Older ones go when another begins; what is no session stays, and so does the one that is carried over."""
    first = session(tmp_path)
    first.open()
    first.close()
    (tmp_path / ".wisebot" / "sessions" / "notes").mkdir()
    made = []
    for _ in range(MOST_KEPT + 2):
        made.append(session(tmp_path, carry=first.folder))
        made[-1].open()
        made[-1].close()
    kept = {path.name for path in (tmp_path / ".wisebot" / "sessions").iterdir()}
    assert kept >= {"notes", first.id, made[-1].id}
    assert len(kept) == MOST_KEPT + 2
    assert made[0].id not in kept


def test_a_session_that_runs_is_not_cleared_away(tmp_path: Path) -> None:
    """However many others begin beside it; once it has ended it is one of the old ones."""
    running = session(tmp_path)
    running.open()
    assert running.folder is not None

    def others() -> None:
        for _ in range(MOST_KEPT + 1):
            one = session(tmp_path)
            one.open()
            one.close()

    others()
    assert running.folder.is_dir()
    running.close()
    others()
    assert not running.folder.exists()


def test_what_ran_is_kept_longer_than_what_only_may_have(tmp_path: Path) -> None:
    """Sessions without a run that was kept, as during an outage, push none out that has some, nor are they the last."""
    paid = session(tmp_path)
    logged(paid, "a")
    paid.close()
    for _ in range(2 * MOST_KEPT):
        one = session(tmp_path)
        one.open()
        one.close()
    sessions = Sessions(tmp_path)
    assert len(sessions.all()) == MOST_KEPT + 1
    assert sessions.last_of(HERE, with_runs=True) == paid.folder
    assert sessions.last_of(HERE) == one.folder


OPENS_ONE = """
import sys
from pathlib import Path
from pytest_wisebot.storage.sessions import Session, Sessions
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.storage.store import RequestKeys

one = Session(Sessions(Path(sys.argv[1])), Redactor(), RequestKeys(Redactor()), dict)
one.open()
print(one.id, flush=True)
sys.stdin.read()
"""


def test_a_session_that_was_killed_is_one_of_the_old_ones(tmp_path: Path) -> None:
    """It has no last line, and nobody who runs it."""
    process = subprocess.Popen(
        [sys.executable, "-c", OPENS_ONE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    folder = tmp_path / ".wisebot" / "sessions" / process.stdout.readline().strip()
    for alive in (True, False):
        for _ in range(MOST_KEPT + 1):
            one = session(tmp_path)
            one.open()
            one.close()
        assert folder.is_dir() is alive
        process.kill()
        process.communicate()


def test_the_last_session_is_that_of_the_same_hosts(tmp_path: Path) -> None:
    """Another environment's, or another host's, is none to judge by."""
    ours, others = session(tmp_path), session(tmp_path, origin="https://b.test")
    for one in (ours, others):
        one.open()
        one.close()
    assert Sessions(tmp_path).last_of(HERE) == ours.folder
    assert Sessions(tmp_path).last_of({**HERE, "environment": None}) is None


def test_an_unknown_session_is_told_the_known(tmp_path: Path) -> None:
    """A wrong name is answered with the right ones."""
    one = session(tmp_path)
    one.open()
    assert Sessions(tmp_path).named(one.id) == one.folder
    with pytest.raises(ConfigurationError) as caught:
        Sessions(tmp_path).named("../x")
    assert str(caught.value) == f'--wisebot-session: there is no session "../x"; kept: {one.id}'


ASKED = RunRequest("triage", {"n": 1}, occurrence=Occurrence("test"))


def test_runs_that_are_carried_over_stay_as_they_were(tmp_path: Path) -> None:
    """The new session has the runs of the earlier one, over any number of sessions, and changes none there."""
    first = session(tmp_path)
    logged(first, "a", "b", run_id="old")
    first.close()
    second = session(tmp_path, carry=first.folder)
    logged(second, "b", run_id="new")
    second.close()
    third = session(tmp_path, carry=second.folder)
    third.open()
    assert run_ids(first, "a", "b") == ["old", "old"]
    assert run_ids(second, "a", "b") == run_ids(third, "a", "b") == ["old", "new"]


def test_a_session_begins_with_all_that_it_carries_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is killed while it begins has no log at all, and is never the last session."""
    first = session(tmp_path)
    logged(first, "a")
    first.close()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    second = session(tmp_path, carry=first.folder)
    monkeypatch.setattr("pytest_wisebot.files.os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        second.open()
    assert Sessions(tmp_path).last_of(HERE) == first.folder


def test_a_root_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    """The session goes on, and says what it does not keep."""
    (tmp_path / ".wisebot").write_text("in the way", "utf-8")
    one = session(tmp_path)
    one.open()
    one.write({"event": "test"})
    one.end(0.0)
    assert one.problem == f"{tmp_path / '.wisebot' / 'sessions'} cannot be written: File exists"
    assert one.folder is None


def test_events_hold_no_credential_and_no_line_ends(tmp_path: Path) -> None:
    """Each is one line of ASCII, whatever a workflow answered."""
    one = session(tmp_path)
    one.open()
    one.write({"event": "run", "result": "CANARY-secret\n\u2028\ud800"})
    assert one.folder is not None
    data = (one.folder / "events.jsonl").read_bytes()
    assert b"CANARY" not in data
    assert data.isascii()
    assert len(data.splitlines()) == 2


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """A killed session may leave one; a torn line anywhere else is an error that names the file."""
    path = tmp_path / "events.jsonl"
    lines = [event_line({"event": "session", "format": 1}), event_line({"event": "run", "run": "r1"})]
    path.write_bytes(b"".join(lines) + b'{"event": "ru')
    assert [event["event"] for event in read_events(path)] == ["session", "run"]
    path.write_bytes(lines[0] + b'{"event": "ru\n' + lines[1])
    with pytest.raises(ConfigurationError, match=rf"^{path}: line 2 is not valid JSON$"):
        list(read_events(path))
    path.write_text(json.dumps({"event": "session", "format": 2}), "utf-8")
    with pytest.raises(ConfigurationError, match=rf"^{path}: has format 2, and this version .+ reads 1: install a"):
        list(read_events(path))


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    """The keeper writes runs while the main thread writes tests."""
    one = session(tmp_path)
    one.open()

    def write() -> None:
        for _ in range(100):
            one.write({"event": "test", "text": "x" * 3_000})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.folder is not None
    assert len(list(read_events(one.folder / "events.jsonl"))) == 401


# --- the runs in a log


def logged(one: Session, *names: str, request: RunRequest = ASKED, run_id: str | None = None) -> None:
    """Runs that have ended, as the recorder stores them."""
    one.open()
    for name in names:
        asked = replace(request, occurrence=Occurrence(f"test_a.py::{name}"))
        run = replace(RUN, run_id=run_id or f"run-{name}", extra={"more": True}, inputs=asked.inputs)
        ended = Ended(run, reference=name, started=1_800_000_000.0, ended=1_800_000_000.0)
        one.write(run_event(asked, ended) | {"key": one.key(asked)})


RUN = WorkflowRun(
    ok=False,
    workflow="triage",
    workflow_id="id-of-triage",
    run_id="run-1",
    result={"category": "é\u2028", "n": [1, 2.5, None]},
    has_result=True,
    error={"code": "odd"},
    status_code=422,
    started_at=datetime(2027, 1, 15, 8, 0, 0, 123000, UTC),
    elapsed=1.25,
    attempts=2,
    source="live",
    environment="staging",
    commands=("curl …",),
)


def kept(one: Session, *names: str, request: RunRequest = ASKED) -> list[WorkflowRun | None]:
    assert one.folder is not None
    runs = LoggedRuns(one.folder, keys())
    found = [runs.find(replace(request, occurrence=Occurrence(f"test_a.py::{name}"))) for name in names]
    return [one.run if one is not None else None for one in found]


def run_ids(one: Session, *names: str) -> list[str | None]:
    return [run.run_id if run is not None else None for run in kept(one, *names)]


@pytest.mark.parametrize("ends", [True, False])
def test_a_session_has_every_run_that_it_has_logged(tmp_path: Path, ends: bool) -> None:
    """Exactly as it was, whether the session came to its end or was killed, and also while it runs."""
    one = session(tmp_path)
    logged(one, "a", "b", "c")
    if ends:
        one.end(0.0)
        one.close()
    for name, run in zip("abc", kept(one, *"abc"), strict=True):
        assert run == replace(
            RUN, run_id=f"run-{name}", extra={"more": True}, inputs=ASKED.inputs, first_source="live"
        ), name
    assert kept(one, "d") == [None]
    session(tmp_path).open()
    assert Sessions(tmp_path).last_of(HERE, with_runs=True) == one.folder


def test_the_last_of_several_runs_of_one_occurrence_counts(tmp_path: Path) -> None:
    """A test that is run again is judged by its last execution."""
    one = session(tmp_path)
    logged(one, "a", run_id="old")
    logged(one, "a", run_id="new")
    assert run_ids(one, "a") == ["new"]


def test_a_run_is_found_by_inputs_that_hold_a_credential(tmp_path: Path) -> None:
    """They are masked in the log, and another credential at their place makes no other request."""
    one = session(tmp_path)
    asked = RunRequest("triage", {"token": "CANARY-secret"})
    logged(one, "a", request=asked)
    (run,) = kept(one, "a", request=asked)
    assert run is not None
    assert run.inputs == asked.inputs
    assert one.folder is not None
    assert b"CANARY" not in (one.folder / "events.jsonl").read_bytes()


def test_a_project_s_patterns_hide_no_run(tmp_path: Path) -> None:
    """They are for values from outside: neither for the time of a run nor for the key by which it is found."""
    redactor = Redactor(redact=Redact(keys=("key", "made", "ok"), patterns=(r"[0-9a-f]{4,}", "triage/"), paths=()))
    one = Session(Sessions(tmp_path), redactor, keys(redactor), dict)
    logged(one, "a", run_id="0123456789")
    assert one.folder is not None
    found = LoggedRuns(one.folder, keys(redactor)).find(replace(ASKED, occurrence=Occurrence("test_a.py::a")))
    assert found is not None
    assert (found.run.started_at, found.run.ok) == (RUN.started_at, False)
    assert "0123456789" not in (one.folder / "events.jsonl").read_text("utf-8")


def test_a_credential_that_becomes_known_later_is_masked(tmp_path: Path) -> None:
    """The runs are found as before."""
    redactor = Redactor()
    one = Session(Sessions(tmp_path), redactor, keys(redactor), dict)
    logged(one, "a", "b", run_id="run-CANARY-late")
    redactor.add(Secret("run-CANARY-late"))
    one.clean_again()
    logged(one, "c")
    assert one.folder is not None
    assert b"CANARY" not in (one.folder / "events.jsonl").read_bytes()
    assert None not in kept(one, "a", "b", "c")


def test_a_session_of_the_format_before_is_refused_by_name(tmp_path: Path) -> None:
    """Its runs are not all in its log: nothing of it is taken, and the message says what to do."""
    one = session(tmp_path, storage=1)
    logged(one, "a")
    message = (
        f"session {one.id} was kept by an earlier version of pytest-wisebot, in another format: use that version to "
        "judge or resume it, or make its runs anew with --wisebot-runs=live"
    )
    uses: list[Callable[[], object]] = [
        lambda: Sessions(tmp_path).named(one.id),
        lambda: Sessions(tmp_path).last_of(HERE),
    ]
    for use in uses:
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert str(caught.value) == message


def test_a_torn_log_gives_its_whole_lines(tmp_path: Path) -> None:
    """The last line of a killed session may be half a line."""
    one = session(tmp_path)
    logged(one, "a", "b")
    one.close()
    assert one.folder is not None
    log = one.folder / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    assert run_ids(one, "a", "b") == ["run-a", None]


def test_the_runs_of_an_earlier_version_are_found_by_the_ids_in_its_log(tmp_path: Path) -> None:
    """Its keys have the id where the name stands now; also in an environment where the workflow has another id."""
    one = session(tmp_path)
    logged(one, "a", "b")
    one.close()
    assert one.folder is not None
    log = one.folder / "events.jsonl"
    (older,) = keys().older(ASKED, ())
    log.write_text(log.read_text("utf-8").replace(one.key(ASKED), f"triage/{older}"), "utf-8")
    assert f'"key":"triage/{older}"' in log.read_text("utf-8")
    elsewhere = LoggedRuns(one.folder, RequestKeys(Redactor(), lambda name: f"id-of-{name}-elsewhere"))
    asked = replace(ASKED, occurrence=Occurrence("test_a.py::b"))
    found = elsewhere.find(asked)
    assert found is not None
    assert (found.run.run_id, found.run.workflow_id) == ("run-b", "id-of-triage")
    assert [one.test for one in elsewhere.occurrences(asked)] == ["test_a.py::a", "test_a.py::b"]
    assert elsewhere.find(replace(asked, inputs={"another": 1})) is None
    assert run_ids(session_that_resumes(tmp_path, one.folder), "a", "b", "c") == ["run-a", "run-b", "run-c"]


def session_that_resumes(root: Path, folder: Path) -> Session:
    """A session with one more run, under the key of today."""
    one = session(root, carry=folder)
    logged(one, "c")
    one.close()
    return one
