"""The one codec of a run: a field that is added is in the event log, on the wire and in a session by construction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot import ConnectionLost, NotRun, WisebotError, WorkflowRun
from pytest_wisebot.errors import Answer, Attempted
from pytest_wisebot.event_log import event_at, event_line, run_event
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.runs import Api, Ended, Occurrence, RunRequest
from pytest_wisebot.text import json_number
from pytest_wisebot.workers.server import encoded


@dataclass(frozen=True, slots=True, repr=False)
class WiderRun(WorkflowRun):
    """A run of a later version, with two fields more."""

    tokens: int = 0
    model: Any = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class WiderRequest(RunRequest):
    """A request of a later version, with one field more."""

    region: str = ""


REQUEST = WiderRequest(
    "triage", {"n": 1}, Api.DASHBOARD, 7.0, test="tag", share=True, occurrence=Occurrence("a::b", trial=2), region="eu"
)

RUN = WiderRun(
    ok=False,
    workflow="triage",
    api=Api.DASHBOARD,
    run_id="run-1",
    result=None,
    has_result=True,
    error="no",
    extra={"took": 3},
    workflow_id="k57",
    inputs={"n": 1},
    status_code=422,
    started_at=datetime(2027, 1, 15, 8, 0, 0, 123000, UTC),
    elapsed=1.25,
    attempts=2,
    source="recording",
    first_source="live",
    trial=2,
    environment="staging",
    commands=("curl",),
    tokens=120,
    model={"name": "m"},
)


def written(event: dict[str, Any]) -> dict[str, Any]:
    """The event, as it is read from a log."""
    read: dict[str, Any] = json.loads(event_line(event))
    return read


def test_a_new_field_is_in_the_event() -> None:
    """Of a run and of a request, and all that is known of them comes back."""
    event = written(run_event(REQUEST, Ended(RUN, reference="r1")))
    assert (event["tokens"], event["model"], event["region"]) == (120, {"name": "m"}, "eu")
    assert WiderRun.from_event(event) == RUN
    assert WiderRequest.from_event(event) == replace(REQUEST, timeout=None, test="")


def test_a_new_field_is_on_the_wire() -> None:
    """To a worker and back."""
    assert WiderRun.from_dict(json.loads(json.dumps(RUN.to_dict()))) == RUN
    assert WiderRequest.from_dict(json.loads(json.dumps(REQUEST.to_dict()))) == REQUEST


def test_an_older_version_reads_a_later_one() -> None:
    """Fields that it does not have are left out."""
    event = written(run_event(REQUEST, Ended(RUN)))
    run = WorkflowRun.from_event(event)
    assert {item.name: getattr(run, item.name) for item in fields(run)} == {
        item.name: getattr(RUN, item.name) for item in fields(run)
    }


def test_an_event_has_the_names_of_the_log() -> None:
    """The names that users, reports and baselines read."""
    ended = Ended(RUN, 0.5, "r1", "recordings/a.json", "a note", ("a diff",), "00-1", 1.0, 2.0, 3.0, 2)
    assert written(run_event(RunRequest("triage", occurrence=Occurrence("a", timeout=5.0)), ended)) == {
        "event": "run",
        "run": "r1",
        "test": "a",
        "fixture": "",
        "call": 0,
        "trial": 0,
        "timeout": 5.0,
        "shared": False,
        "workflow": "triage",
        "api": "webhook",
        "inputs": {},
        "outcome": "failed",
        "ok": False,
        "queued": "1970-01-01T00:00:01.000+00:00",
        "started": "1970-01-01T00:00:02.000+00:00",
        "ended": "1970-01-01T00:00:03.000+00:00",
        "made": "2027-01-15T08:00:00.123+00:00",
        "seconds": 1.25,
        "workflow_id": "k57",
        "runId": "run-1",
        "attempts": 2,
        "status": 422,
        "source": "recording",
        "first_source": "live",
        "environment": "staging",
        "commands": ["curl"],
        "error": "no",
        "result": None,
        "extra": {"took": 3},
        "tokens": 120,
        "model": {"name": "m"},
        "kept_in": "recordings/a.json",
        "note": "a note",
        "diff": ["a diff"],
        "lag": 0.5,
        "trace": "00-1",
    }


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (NotRun("stopped"), {"outcome": "not run", "class": "NotRun", "message": "stopped", "attempts": 0}),
        (
            ConnectionLost("lost", Attempted("triage", "webhook", "https://a", 1, "staging"), Answer(200)),
            {"outcome": "infrastructure", "class": "ConnectionLost", "host": "https://a", "status": 200, "attempts": 1},
        ),
    ],
)
def test_an_error_has_its_class_and_its_facts(error: WisebotError, facts: dict[str, Any]) -> None:
    """And nothing of a run."""
    event = written(run_event(RunRequest("triage"), Ended(error, attempts=facts["attempts"])))
    assert facts.items() <= event.items()
    assert "ok" not in event


def test_a_number_keeps_its_digits_in_log_and_wire(tmp_path: Path) -> None:
    """What a workflow answered is read again as it was written, by a later session or on the other side of xdist."""
    number = json_number("12345678901234567.89")
    run = WorkflowRun(ok=True, workflow="w", result=Redactor([Secret("FAKE-secret-1")]).clean_json({"n": number}))
    line = event_line(run_event(RunRequest("w"), Ended(run)))
    (tmp_path / "log").write_bytes(line)
    sent = encoded({"run": run.to_dict()})
    for found in (
        WorkflowRun.from_event(event_at(tmp_path / "log", 0)),
        WorkflowRun.from_dict(json.loads(sent, parse_float=json_number)["run"]),
    ):
        assert repr(found.result) == "{'n': 12345678901234567.89}"
