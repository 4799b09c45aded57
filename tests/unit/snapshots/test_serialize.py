"""What a snapshot holds of runs, and of parts of them."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_wisebot.plugin.runtime import Comparison
from pytest_wisebot.redaction import Redact, Redactor
from pytest_wisebot.runs import WorkflowRun
from pytest_wisebot.settings import Settings
from pytest_wisebot.snapshots.serialize import ComparisonContext, ComparisonOptions, receive


def a_run(run_id: str | None, result: Any, **more: Any) -> WorkflowRun:
    return WorkflowRun(ok=True, workflow="w", run_id=run_id, result=result, has_result=True, **{"inputs": {}} | more)


def of(run_id: str, **more: Any) -> WorkflowRun:
    return a_run(run_id, {"runId": run_id, "link": f"/runs/{run_id}"}, **more)


def held(value: object, *runs: WorkflowRun) -> Any:
    """What a snapshot holds of a value, in a test that uses these runs."""
    return json.loads(receive(value, ComparisonOptions(), ComparisonContext(lambda data: data, str, runs=lambda: runs)))


FIRST, SECOND = of("run_aaaaaaaa1"), of("run_bbbbbbbb2")


def test_several_runs_are_numbered() -> None:
    """One id in several places has one number, and none of them stands there as it is."""
    assert [run["result"] for run in held([FIRST, SECOND, FIRST], FIRST, SECOND)] == [
        {"link": "/runs/<run-id:1>", "runId": "<run-id:1>"},
        {"link": "/runs/<run-id:2>", "runId": "<run-id:2>"},
        {"link": "/runs/<run-id:1>", "runId": "<run-id:1>"},
    ]
    assert held([SECOND.run_id, FIRST.run_id], FIRST, SECOND) == ["<run-id:1>", "<run-id:2>"]


def test_a_part_may_be_of_any_run_of_the_test() -> None:
    """With one run it is that one's; with several its id is one of theirs."""
    assert held(FIRST.result, FIRST) == {"link": "/runs/<run-id>", "runId": "<run-id>"}
    assert held(SECOND.result, FIRST, SECOND) == {"link": "/runs/<run-id:1>", "runId": "<run-id:1>"}


def test_a_run_that_was_told_of_another_one() -> None:
    """Its own id is no number, and the other's none that stays, although the run was told it."""
    told = a_run("run_cccccccc3", {"own": "run_cccccccc3", "of": FIRST.run_id}, inputs={"of": FIRST.run_id})
    assert held(told, FIRST, told)["result"] == {"of": "<run-id:1>", "own": "<run-id>"}


def test_ids_that_are_numbers() -> None:
    """They are known as numbers, too: short ones under keys that name them alone."""
    runs = a_run("123456789", {"n": 123456789, "runId": 123456789}), a_run("42", {"n": 42, "run_id": 42})
    assert [run["result"] for run in held(list(runs), *runs)] == [
        {"n": "<run-id:1>", "runId": "<run-id:1>"},
        {"n": 42, "run_id": "<run-id:2>"},
    ]


def test_ids_in_another_case() -> None:
    """A UUID is the same one in any case."""
    runs = [of(f"0b5c2a7e-9d3f-4c1a-8e6b-{n:012x}") for n in range(10, 20)]
    assert held([run.run_id.upper() for run in runs if run.run_id], *runs) == [f"<run-id:{n}>" for n in range(1, 11)]


def test_a_thousand_runs() -> None:
    """They are compared in no time, whatever else stands there."""
    runs = [of(f"run_{n:012d}") for n in range(1000)]
    stored = held(runs, *runs)
    assert stored[999]["result"] == {"link": "/runs/<run-id:1000>", "runId": "<run-id:1000>"}


def test_the_keys_of_a_run_are_no_keys_of_the_project() -> None:
    """A project that redacts a key called ok means one within its results."""
    clean = Redactor(redact=Redact(keys=("ok", "result"))).clean_json
    run = a_run(None, {"ok": "yes", "n": 1})
    around = ComparisonContext(clean, str)
    stored = {"ok": True, "result": {"ok": "<redacted>", "n": 1}}
    assert json.loads(receive(run, ComparisonOptions(), around)) == stored
    assert json.loads(receive([run, {"ok": 1}], ComparisonOptions(), around)) == [stored, {"ok": "<redacted>"}]


def clocks(started: datetime, elapsed: float) -> WorkflowRun:
    """A run whose answer has two readings of a clock, in whole seconds, and an appointment."""
    ended = started + timedelta(seconds=elapsed)
    result = {
        "startedAt": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "endedAt": int(ended.timestamp()),
        "due": "2027-03-01T09:00",
    }
    return WorkflowRun(ok=True, workflow="w", result=result, started_at=started, elapsed=elapsed)


def twenty_sessions() -> list[WorkflowRun]:
    """From second 0 on, at other fractions of a second each: a nightly job at 02:00:00 is the first."""
    night = datetime(2026, 11, 29, 2, tzinfo=UTC)
    return [clocks(night + timedelta(days=n, seconds=n * 3.17), 0.4 + n % 3 * 0.3) for n in range(20)]


def test_twenty_sessions_are_green() -> None:
    """Whatever the second at which they start, and whether both readings fall into one second."""
    texts = [held(run, run) for run in twenty_sessions()]
    result = {"startedAt": "<timestamp>", "endedAt": "<epoch>", "due": "2027-03-01T09:00"}
    assert texts == [{"ok": True, "result": result}] * 20


def test_twenty_sessions_have_no_drift() -> None:
    """Each run is held against its own time, the recorded one and the new one."""
    compare = Comparison(Settings(), Redactor())
    first, *others = twenty_sessions()
    assert [compare(first, run) for run in others] == [[]] * 19
    stale = dataclasses.replace(others[0], result=clocks(first.started_at - timedelta(hours=1), 0.4).result)
    assert compare(first, stale) != []


def test_runs_of_wider_fixtures_and_kept_runs_have_times_of_their_own() -> None:
    """A part of a run of an hour ago, or of last year, is held against that run; any other value against the test."""
    now = datetime.now(UTC)
    early, kept = clocks(now - timedelta(hours=1), 0.4), clocks(now - timedelta(days=400, hours=3), 0.4)
    for run in (early, kept):
        assert held(run.result, run)["startedAt"] == "<timestamp>"
        assert held({"at": now.isoformat()}, run) == {"at": "<timestamp>"}
    assert held(dict(kept.result, endedAt=now.isoformat()), early)["startedAt"] == kept.result["startedAt"]
    assert held([early, kept], early, kept)[1]["result"]["startedAt"] == "<timestamp>"


def test_a_servers_clock_is_its_answers_date() -> None:
    """What a server says by a clock that is an hour ahead is its clock; without its ``Date`` it would be an answer."""
    now = datetime.now(UTC)
    result = {"at": (now + timedelta(hours=1)).isoformat()}
    run = WorkflowRun(ok=True, workflow="w", result=result, started_at=now, elapsed=0.4, clock_ahead=3_600.0)
    assert held(run, run)["result"] == {"at": "<timestamp>"}
    right = dataclasses.replace(run, clock_ahead=0.0)
    assert held(right, right)["result"] == result


def test_an_input_stays_in_another_notation() -> None:
    """A moment that a workflow was told, and any other one of the clock is a placeholder."""
    now = datetime.now(UTC).replace(microsecond=0)
    result = {"same": int(now.timestamp()), "local": now.strftime("%d.%m.%Y, %H:%M Uhr"), "own": now.timestamp() + 1}
    run = WorkflowRun(ok=True, workflow="w", result=result, inputs={"at": now.isoformat()}, started_at=now)
    assert held(run, run)["result"] == result | {"own": "<epoch>"}
