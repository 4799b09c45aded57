"""``--junitxml``: each test says what became of it and of its runs."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from harness import Outside

SUITE = """
    @pytest.mark.wisebot("echo", {"n": 1}, api="dashboard")
    def test_passes(workflow_run):
        assert_ok(workflow_run)

    def test_two(trigger_workflow):
        assert_ok(trigger_workflow("echo", {"n": 2}))
        assert_ok(trigger_workflow("refund", {"n": 3}))

    @pytest.mark.wisebot("echo", {"n": 4}, trials=3, min_passes=1)
    def test_flaky(workflow_run, count=[]):
        count.append(1)
        assert len(count) > 1

    def test_refused(trigger_workflow):
        trigger_workflow("locked", {"n": 5})

    def test_not_run(trigger_workflow):
        trigger_workflow("echo", api="none")

    def test_plain():
        pass
"""


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_each_test_has_its_properties(outside: Outside, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    """Outcome, and of each run workflow, API, runId, attempts, seconds and source; nothing on tests without runs."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.test(SUITE)
    outside.run("--junitxml=junit.xml", *args)
    told = properties(outside)
    echo = ["wisebot_workflow=echo", "wisebot_api=webhook", "wisebot_runId", "wisebot_attempts=1"]
    rest = ["wisebot_seconds", "wisebot_source=live"]
    dashboard = [line.replace("webhook", "dashboard") for line in echo]
    refund = [line.replace("echo", "refund") for line in echo]
    assert told == {
        "test_passes": ["wisebot_outcome=passed", *dashboard, *rest],
        "test_two": ["wisebot_outcome=failed", *echo, *rest, *refund, *rest],
        "test_flaky": ["wisebot_trials=passed 1/2 (1 not needed)", "wisebot_outcome=flaky", *echo, *rest, *echo, *rest],
        "test_refused": ["wisebot_outcome=infrastructure", "wisebot_workflow=locked", "wisebot_api=webhook",
                         "wisebot_attempts=1"],
        "test_not_run": ["wisebot_outcome=not run"],
        "test_plain": [],
    }  # fmt: skip


def properties(outside: Outside) -> dict[str, list[str]]:
    """The properties of each test; without the values that differ from run to run."""
    root = ET.parse(outside.project.path / "junit.xml").getroot()
    found = {}
    for case in root.iter("testcase"):
        pairs = [(one.get("name"), one.get("value")) for one in case.iter("property")]
        varies = ("wisebot_runId", "wisebot_seconds")
        found[str(case.get("name"))] = [str(name) if name in varies else f"{name}={value}" for name, value in pairs]
    return found
