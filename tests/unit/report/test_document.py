"""``report.json``: valid by its schema, with no key besides."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema

from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.document import FORMAT, json_report


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("pytest_wisebot") / "report" / "report.schema.json").read_text("utf-8"))
    return found


def test_the_schema_is_one() -> None:
    """It names the format that it describes."""
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["properties"]["format"]["const"] == FORMAT


def test_a_report_is_valid_by_its_schema(log: Any) -> None:
    """For a session with all kinds of tests, a merged one, and an empty one; the schema describes every key."""
    before = log().test("test_a", "failed")
    one = log(gate=Gate(Limits(p95_seconds=5.0), {"triage": Limits(max_flaky=0)}).to_dict())
    one.test("test_a").test("test_out", "infrastructure", run={"outcome": "infrastructure", "class": "RunTimedOut"})
    one.test("test_b", "flaky", trials={"trials": 3, "min_passes": 1, "passes": 1, "failures": 1, "why": "no"})
    one.test("test_c", "drift", run={"diff": ["$.x"], "runId": "run_1", "status": 200}).plain("test_d", "failed")
    for conclusion in (
        one.concluded(before),
        one.concluded(ended=False),
        log(shard="a").concluded(),
        log().concluded(),
    ):
        document = json.loads(json_report(conclusion))
        jsonschema.validate(document, schema())
    told = json.loads(json_report(one.concluded(before)))
    assert (told["verdict"]["word"], told["verdict"]["code"]) == ("GATE CLOSED", 1)
    assert told["counts"] == {"passed": 1, "flaky": 1, "drift": 1, "infrastructure": 1}
    assert told["baseline"]["newly_fixed"] == ["test_it.py::test_a"]


def test_it_is_ascii_whatever_a_workflow_says(log: Any) -> None:
    """Lone surrogates and NUL included."""
    text = json_report(log().test("test_a", "failed", text="E   \ud800\x00\u202e é").concluded())
    assert text.isascii()
    assert json.loads(text)["tests"][0]["said"] == "\ud800\x00\u202e é"
