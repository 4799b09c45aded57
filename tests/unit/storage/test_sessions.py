"""The folders of sessions, and their event logs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot import ConfigurationError, WorkflowRun
from pytest_wisebot.engine.jobs import Job
from pytest_wisebot.engine.values import Ended
from pytest_wisebot.event_log import event_line, read_events
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.runs import Occurrence, RunRequest
from pytest_wisebot.storage import sessions
from pytest_wisebot.storage.session_log import run_event
from pytest_wisebot.storage.sessions import MOST_KEPT, Session, Sessions, catch_up, runs_of

HERE: dict[str, Any] = {"environment": "staging", "origin": "https://a.test", "base_url": None, "emulator": None}


def session(root: Path, carry: Path | None = None, **facts: Any) -> Session:
    redactor = Redactor([Secret("CANARY-secret")])
    return Session(Sessions(root), redactor, lambda name: f"id-of-{name}", lambda: {**HERE, **facts}, carry)


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
    paid.open()
    assert paid.store is not None
    paid.store.put(ASKED, WorkflowRun(ok=True, workflow="triage"))
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

one = Session(Sessions(Path(sys.argv[1])), Redactor(), lambda name: name, dict)
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


def run_id(one: Session) -> str | None:
    assert one.store is not None
    found = one.store.find(ASKED)
    return found.run.run_id if found else None


def test_what_is_carried_over_stays_as_it_was(tmp_path: Path) -> None:
    """The runs of the earlier session are in the new one, and a new run in it changes nothing in the old one."""
    first = session(tmp_path)
    first.open()
    assert first.store is not None
    first.store.put(ASKED, WorkflowRun(ok=True, workflow="triage", run_id="old"))
    second = session(tmp_path, carry=first.folder)
    second.open()
    assert second.store is not None
    assert run_id(second) == "old"
    second.store.put(ASKED, WorkflowRun(ok=True, workflow="triage", run_id="new"))
    assert run_id(second) == "new"
    assert run_id(first) == "old"


def test_a_root_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    """The session goes on, and says what it does not keep."""
    (tmp_path / ".wisebot").write_text("in the way", "utf-8")
    one = session(tmp_path)
    one.open()
    one.write({"event": "test"})
    one.end(0.0)
    assert one.problem == f"{tmp_path / '.wisebot' / 'sessions'} cannot be written: File exists"
    assert (one.folder, one.store) == (None, None)


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
    with pytest.raises(ConfigurationError, match=rf"^{path}: line 2 is no JSON$"):
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


# --- the log first, and files when there is time


def logged(one: Session, *names: str, request: RunRequest = ASKED) -> None:
    """Runs that have ended, as the keeper keeps them: in memory for their files, and as lines of the log."""
    one.open()
    for name in names:
        asked = replace(request, occurrence=Occurrence(f"test_a.py::{name}"))
        job = Job(asked, reference=name)
        job.started = job.ended = 1_800_000_000.0
        run = replace(RUN, run_id=f"run-{name}", inputs=asked.inputs)
        one.keep(asked, run)
        one.write(run_event(job, Ended(run, reference=name)))


RUN = WorkflowRun(
    ok=False,
    workflow="triage",
    workflow_id="id-of-triage",
    run_id="run-1",
    result={"category": "é\u2028", "n": [1, 2.5, None]},
    has_result=True,
    error={"code": "odd"},
    extra={"runId": 7, "more": True},
    status_code=422,
    started_at=datetime(2027, 1, 15, 8, 0, 0, 123000, UTC),
    elapsed=1.25,
    attempts=2,
    source="live",
    environment="staging",
    commands=("curl …",),
)


def kept(folder: Path, *names: str, request: RunRequest = ASKED) -> list[WorkflowRun | None]:
    store = runs_of(folder, Redactor(), lambda name: f"id-of-{name}")
    found = [store.find(replace(request, occurrence=Occurrence(f"test_a.py::{name}"))) for name in names]
    return [one.run if one is not None else None for one in found]


def test_a_killed_session_has_every_run_that_it_has_logged(tmp_path: Path) -> None:
    """Also those that were in no file yet, exactly as they would have been there."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, killed = session(tmp_path / "whole"), session(tmp_path / "killed")
    for one in (whole, killed):
        logged(one, "a", "b", "c")
    while whole.is_behind:
        whole.file_one()
    killed.file_one()
    for one in (whole, killed):
        one.close()
    assert killed.folder is not None
    assert whole.folder is not None
    assert kept(killed.folder, "a", "b", "c")[1:] == [None, None]
    for _ in range(2):
        catch_up(killed.folder, Redactor())
    found = kept(killed.folder, "a", "b", "c")
    assert found == kept(whole.folder, "a", "b", "c")
    for name, run in zip("abc", found, strict=True):
        assert run == replace(RUN, run_id="7", inputs=ASKED.inputs, first_source="live"), name
    (files, others) = (sorted(folder.glob("runs/*/*.json")) for folder in (killed.folder, whole.folder))
    assert [path.name for path in files] == [path.name for path in others]


def test_what_a_log_has_is_a_session_s_run(tmp_path: Path) -> None:
    """A session that was killed before its first file is the last one all the same."""
    one = session(tmp_path)
    logged(one, "a")
    one.close()
    session(tmp_path).open()
    assert Sessions(tmp_path).last_of(HERE, with_runs=True) == one.folder


def test_a_session_that_still_runs_is_left_alone(tmp_path: Path) -> None:
    """It writes its files itself; and one that has come to its end has all of them."""
    running = session(tmp_path)
    logged(running, "a")
    assert running.folder is not None
    catch_up(running.folder, Redactor())
    assert kept(running.folder, "a") == [None]
    running.end(0.0)
    running.close()
    catch_up(running.folder, Redactor())
    assert kept(running.folder, "a") == [None]


def test_a_run_that_the_log_cannot_tell_of_goes_into_its_file_at_once(tmp_path: Path) -> None:
    """By inputs that hold a credential, and are masked in the log, nobody would find the file again."""
    one = session(tmp_path)
    asked = RunRequest("triage", {"token": "CANARY-secret"})
    one.open()
    assert one.takes_at_once(ASKED)
    assert not one.takes_at_once(asked)
    logged(one, "a", request=asked)
    assert not one.is_behind
    assert one.store is not None
    assert one.store.find(replace(asked, occurrence=Occurrence("test_a.py::a"))) is not None


def test_what_is_behind_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in no file yet is in memory, too: as much of it as the log has grown by."""
    monkeypatch.setattr(sessions, "MOST_BEHIND", 1500)
    one = session(tmp_path)
    logged(one, "a")
    assert (one.is_behind, one.is_far_behind) == (True, False)
    logged(one, "b", "c")
    assert one.is_far_behind
    while one.is_behind:
        one.file_one()
    logged(one, "d")
    assert not one.is_far_behind


def test_a_torn_log_gives_what_is_whole(tmp_path: Path) -> None:
    """The last line of a killed session may be half a line."""
    one = session(tmp_path)
    logged(one, "a", "b")
    one.close()
    assert one.folder is not None
    log = one.folder / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    catch_up(one.folder, Redactor())
    assert [run is not None for run in kept(one.folder, "a", "b")] == [True, False]
