"""The kept runs of equal inputs are found in the logs of all sessions, and nothing fails over a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot import WorkflowRun
from pytest_wisebot.event_log import run_event
from pytest_wisebot.redaction import Redact, Redactor
from pytest_wisebot.runs import Api, Ended, RunRequest
from pytest_wisebot.storage import sessions
from pytest_wisebot.storage.sessions import LoggedRuns, PastRuns, Session, Sessions, all_equal
from pytest_wisebot.storage.store import RequestKeys

HERE: dict[str, Any] = {"environment": "staging", "origin": "https://a.test", "base_url": None, "emulator": None}
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def run(number: int, **values: Any) -> WorkflowRun:
    """A run whose result is its number."""
    made = WorkflowRun(ok=True, workflow="triage", run_id=f"run_{number}", result=number, inputs={"n": 1})
    return replace(made, started_at=BEGAN + timedelta(minutes=number), elapsed=0.5, **values)


def session(root: Path, runs: Sequence[WorkflowRun], *, redactor: Redactor | None = None, **facts: Any) -> Session:
    """A session that is still open, with these runs in its log."""
    keys = RequestKeys(redactor or Redactor())
    made = Session(Sessions(root), redactor or Redactor(), keys, lambda: {**HERE, **facts})
    made.open()
    add(made, runs)
    return made


def add(to: Session, runs: Sequence[WorkflowRun]) -> None:
    for one in runs:
        request = RunRequest(one.workflow, one.inputs, one.api)
        moment = one.started_at.timestamp()
        ended = Ended(one, queued=moment, started=moment, ended=moment + one.elapsed)
        to.write({**run_event(request, ended), "key": to.key(request)})


def results(past: PastRuns, of: WorkflowRun) -> list[Any]:
    return [one.result for one in past.of(of)]


def past_of(root: Path, **facts: Any) -> PastRuns:
    return PastRuns(Sessions(root), RequestKeys(Redactor()), {**HERE, **facts})


def test_runs_of_equal_inputs_over_both_apis_are_found_the_newest_first(tmp_path: Path) -> None:
    """Those of other inputs, workflows and environments are not; the open session counts, and what is added to it."""
    session(tmp_path, [run(1), run(2, api=Api.DASHBOARD), run(3, inputs={"n": 2})]).close()
    session(tmp_path, [run(4)], environment="production").close()
    still_open = session(tmp_path, [run(5), run(6, workflow="refund")])
    past = past_of(tmp_path)
    assert results(past, run(9)) == [5, 2, 1]
    add(still_open, [run(7)])
    assert results(past, run(9)) == [7, 5, 2, 1]
    assert [one.inputs for one in past.of(run(9))] == [{"n": 1}] * 4
    still_open.close()


def test_a_run_that_a_session_took_over_is_one_run(tmp_path: Path) -> None:
    """A session that resumes another one has its runs in its own log."""
    first = session(tmp_path, [run(1), run(2)])
    first.close()
    assert first.folder is not None
    keys = RequestKeys(Redactor())
    again = Session(Sessions(tmp_path), Redactor(), keys, lambda: HERE, LoggedRuns(first.folder, keys))
    again.open()
    add(again, [run(3)])
    again.close()
    assert results(past_of(tmp_path), run(9)) == [3, 2, 1]
    (group,) = all_equal(Sessions(tmp_path), lambda _: True)
    assert [one.result for one in group.runs] == [1, 2, 3]


def test_a_log_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    """As it is when a credential that became known late is masked in it."""
    one = session(tmp_path, [run(1), run(2)])
    one.close()
    past = past_of(tmp_path)
    assert results(past, run(9)) == [2, 1]
    assert one.folder is not None
    log = one.folder / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    other = log.with_name("other")
    other.write_bytes(lines[0] + b'{"event":"test","test":"a"}\n' + lines[2] + lines[1])
    other.replace(log)
    assert results(past, run(9)) == [1, 2]


def test_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In runs, in the size of a run and of a log, and in time, that of comparing included."""
    session(tmp_path, [run(number) for number in range(30)] + [run(31, extra={"much": "x" * 2_000_000})]).close()
    assert results(past_of(tmp_path), run(99)) == list(range(29, 9, -1))
    monkeypatch.setattr(sessions, "MOST_BYTES", 1000)
    assert results(past_of(tmp_path), run(99)) == []
    monkeypatch.setattr(sessions, "MOST_SECONDS", 0.0)
    assert results(past_of(tmp_path), run(99)) == []


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe\n", b'{"event":"run","key":"triage/webhook-1","ok":1}\n', b"[]\n"])
def test_a_line_that_is_not_whole_hides_no_other(tmp_path: Path, line: bytes) -> None:
    """Nor does a log of a later version, or one that is no file."""
    one = session(tmp_path, [run(1)])
    one.close()
    assert one.folder is not None
    with (one.folder / "events.jsonl").open("ab") as file:
        file.write(line)
    later = session(tmp_path, [], environment="staging")
    later.close()
    assert later.folder is not None
    (later.folder / "events.jsonl").unlink()
    assert results(past_of(tmp_path), run(9)) == [1]
    assert [len(group.runs) for group in all_equal(Sessions(tmp_path), lambda _: True)] == [1]


def test_no_folder_has_no_runs(tmp_path: Path) -> None:
    """Nor has it groups."""
    assert results(past_of(tmp_path), run(1)) == []
    assert all_equal(Sessions(tmp_path), lambda _: True) == []


def test_all_runs_are_in_groups_of_equal_inputs(tmp_path: Path) -> None:
    """Over both APIs, in order of time; a failed run, another environment and other inputs are not of the group."""
    failed = replace(run(4), ok=False, error="down")
    session(tmp_path, [run(2, api=Api.DASHBOARD), run(1), failed, run(5, inputs={"n": 2})]).close()
    session(tmp_path, [run(6)], environment="production").close()
    groups = all_equal(Sessions(tmp_path), lambda _: True)
    assert sorted([one.result for one in group.runs] for group in groups) == [[1, 2], [5], [6]]
    wanted = all_equal(Sessions(tmp_path), lambda first: first["environment"] == "production")
    assert [[one.result for one in group.runs] for group in wanted] == [[6]]


def test_inputs_that_redaction_makes_equal_are_not(tmp_path: Path) -> None:
    """Two customers are two requests, whose results differ as answers do."""
    redactor = Redactor()
    redactor.follow(Redact(keys=("email",)))
    runs = [run(number, inputs={"email": f"{number}@example.test"}) for number in (1, 2)]
    session(tmp_path, [*runs, replace(runs[0], api=Api.DASHBOARD, run_id="again")], redactor=redactor).close()
    groups = all_equal(Sessions(tmp_path), lambda _: True)
    assert sorted(len(group.runs) for group in groups) == [1, 1, 1]
