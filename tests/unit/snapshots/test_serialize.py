"""What a snapshot holds of runs, and of parts of them."""

from __future__ import annotations

import json
from typing import Any

from pytest_wisebot.redaction import Redact, Redactor
from pytest_wisebot.runs import WorkflowRun
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
