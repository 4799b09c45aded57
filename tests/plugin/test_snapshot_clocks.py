"""Snapshots of clocks: an unchanged workflow stays green, a changed moment turns red, earlier snapshots stay green."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import Project, Recorded

FLOWS = """
    from datetime import datetime, timedelta, timezone
    from pathlib import Path

    from pytest_wisebot.emulator import Emulator

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")
    calls = Path(__file__).with_name("calls.txt")

    @emulator.workflow("charge", secret="FAKE-secret-of-charge")
    def charge(inputs):
        count = len(calls.read_text()) if calls.exists() else 0
        calls.write_text("x" * (count + 1))
        now = datetime.now(timezone.utc).replace(microsecond=0)
        later = now + timedelta(seconds=count % 3)
        due = "2026-12-24T10:05:00Z" if inputs.get("n") != 2 or count < 1 else "2027-12-24T10:05:00Z"
        return {
            "startedAt": now.isoformat(), "endedAt": later.strftime("%Y-%m-%d %H:%M:%S"), "at": int(later.timestamp()),
            "due": due, "duration": 30,
        }
"""
TEST = """
    @pytest.mark.wisebot("charge", {"n": 1})
    def test_it(workflow_run, workflow_snapshot):
        assert workflow_run == workflow_snapshot
"""


@pytest.fixture
def charge(recorded: Recorded, project: Project) -> Any:
    """A project whose workflow reads its clock twice: in the same second at first, and then in others."""
    project.write("flows.py", FLOWS)
    return recorded


def test_two_readings_of_a_clock_are_the_same_in_every_session(charge: Any) -> None:
    """Whether they fall into one second or not, in snapshots and under verify; what is no clock stands as it is."""
    charge.test(TEST)
    charge.update("--wisebot-runs=record")
    assert json.loads(charge.files["__snapshots__/test_it/test_it.json"])["result"] == {
        "startedAt": "<timestamp>",
        "endedAt": "<timestamp>",
        "at": "<epoch>",
        "due": "2026-12-24T10:05:00Z",
        "duration": 30,
    }
    for _ in range(2):
        assert charge.run("--wisebot-runs=verify").parseoutcomes() == {"passed": 1}
    assert charge.run("--wisebot-runs=replay").parseoutcomes() == {"passed": 1}


def test_an_appointment_that_moves_is_red(charge: Any) -> None:
    """A moment that is far from the run is an answer, in a snapshot as in a recording."""
    charge.test(TEST.replace('"n": 1', '"n": 2'))
    charge.update("--wisebot-runs=record")
    result = charge.run("--wisebot-runs=verify")
    assert result.parseoutcomes() == {"failed": 1}
    shown = [line.strip("E ") for line in charge.shown(result)]
    at = shown.index('- "2026-12-24T10:05:00Z"')
    assert shown[at + 1] == '+ "2027-12-24T10:05:00Z"'


def test_snapshots_of_an_earlier_version_stay_green_and_are_counted(charge: Any) -> None:
    """Their numbered moments accept what they stood for; an update writes the moment itself, or the new form."""
    charge.test(TEST)
    charge.update()
    name = "__snapshots__/test_it/test_it.json"
    written = charge.files[name]
    earlier = json.loads(written)
    earlier["result"] |= {"startedAt": "<timestamp:1>", "endedAt": "<timestamp:1>", "at": "<epoch:1>"}
    earlier["result"] |= {"due": "<timestamp:2>", "duration": "<duration>"}
    (charge.path / name).write_text(json.dumps(earlier), "utf-8")
    line = "1 snapshot has placeholders of an earlier version: --snapshot-update writes those of this one"
    for args in ((), ("-n", "2")):
        result = charge.run(*args)
        assert result.parseoutcomes()["passed"] == 1
        assert any(shown.endswith(line) for shown in result.outlines)
    result = charge.update()
    assert charge.files[name] == written
    assert not any(line in shown for shown in result.outlines)


def test_a_value_without_a_run_is_held_against_the_test(recorded: Recorded) -> None:
    """The test's own clock is a clock, and a moment of long ago stays."""
    recorded.test("""
        import time

        @pytest.fixture(scope="module")
        def made():
            return time.time()

        def test_it(workflow_snapshot, made):
            assert {"at": time.time(), "made": made, "born": 1714559400} == workflow_snapshot
    """)
    recorded.update()
    stored = {"at": "<epoch>", "made": "<epoch>", "born": 1714559400}
    assert json.loads(recorded.files["__snapshots__/test_it/test_it.json"]) == stored
    assert recorded.run().parseoutcomes() == {"passed": 1}
