"""What a session shows of answers that are no verdict or contradict themselves, and by which id servers name a run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import Numbers, Outside

from pytest_wisebot.emulator import Fault

pytestmark = pytest.mark.usefixtures("wide_terminal")

ODD = {"ok": True, "runId": "p1", "result": {"n": 1}, "error": "step 3 failed"}
PARTIAL = {"ok": True, "runId": "p2", "result": {"n": 1}, "status": "partial"}
SPAN = r"00-[0-9a-f]{32}-[0-9a-f]{16}-01"

ODD_TESTS = """
    @pytest.fixture(scope="module")
    def made(trigger_workflow):
        return trigger_workflow("refund", {"n": 1})

    def test_says_nothing_of_it(made, trigger_workflow):
        assert trigger_workflow("echo", {"n": 2}).result == {"n": 1}

    def test_asks(trigger_workflow):
        assert_ok(trigger_workflow("nap", {"n": 3}))

    @pytest.mark.xfail(reason="a known fault")
    def test_expects(trigger_workflow):
        assert_result(trigger_workflow("gate", {"n": 4}), {"n": 1})
"""
SUMMARY = [
    "4 runs contradict themselves (ok: true, beside an error or a status that says failed):",
    "  test_it.py::test_says_nothing_of_it",
    "  test_it.py::test_asks",
    "  test_it.py::test_expects",
]


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def runs_of(path: Path) -> list[dict[str, Any]]:
    return [event for event in events(path) if event["event"] == "run"]


@pytest.fixture
def odd(outside: Outside) -> Any:
    """A project in which each run contradicts its own ``ok``."""
    for workflow in ("refund", "nap", "gate"):
        outside.handle.fail_next(Fault.status(200, envelope=ODD), times=9, workflow=workflow, everywhere=True)
    outside.handle.fail_next(Fault.status(200, envelope=PARTIAL), times=9, workflow="echo", everywhere=True)
    outside.test(ODD_TESTS)
    return outside


def test_runs_that_contradict_themselves_are_counted_and_keep_the_gate_shut(odd: Any, numbers: Numbers) -> None:
    """The session's end names their tests; the gate's block those that passed; log and reports what contradicts."""
    gated = ["--wisebot-env", "outside", "--wisebot-gate", "--wisebot-report", "out"]
    result = odd.run(*gated, "-k", "not asks")
    assert (result.ret, result.parseoutcomes()) == (11, {"passed": 1, "xfailed": 1, "deselected": 1})
    result.stdout.fnmatch_lines(
        ["  no verdict  contradictory answers *measured 2 runs: test_it.py::test_says_nothing_of_it"]
    )
    logged = {run["workflow"]: run.get("contradiction") for run in runs_of(odd.project.path / "out/runs.jsonl")}
    assert logged == {"refund": 'error "step 3 failed"', "gate": 'error "step 3 failed"', "echo": 'status "partial"'}
    report = json.loads((odd.project.path / "out/report.json").read_text("utf-8"))
    assert {run["workflow"]: run["contradiction"] for run in report["runs"]} == logged
    page = (odd.project.path / "out/report.html").read_text("utf-8")
    assert page.count("webhook, contradicts itself") == 3

    result = odd.run("-q")
    assert (result.ret, result.parseoutcomes()) == (1, {"passed": 1, "failed": 1, "xfailed": 1})
    said = [line.removeprefix("wisebot: ") for line in result.outlines if line.startswith("wisebot: ")]
    assert [line for line in said if line in SUMMARY] == SUMMARY
    result.stdout.fnmatch_lines(
        [
            'E   *AssertionError: workflow "nap" over the webhook API: expected it to succeed, its answer contradicts '
            'itself: ok: true, beside error "step 3 failed"',
            "nap over the webhook API, environment outside: ok (live)",
            '  but:      ok: true, beside error "step 3 failed"',
        ]
    )


def test_a_run_that_was_kept_contradicts_itself_as_it_did(odd: Any, numbers: Numbers) -> None:
    """Judged again, under xdist, and replayed: by what was kept, and not by what was thought of it."""
    odd.run("--wisebot-runs=record", "-n", "2")
    for mode in ("last", "replay"):
        result = odd.run(f"--wisebot-runs={mode}")
        assert result.parseoutcomes() == {"passed": 1, "failed": 1, "xfailed": 1}
        assert numbers(result)[-4:] == SUMMARY
    assert len(odd.calls) == 4


def test_a_snapshot_is_not_made_of_a_run_that_contradicts_itself(odd: Any) -> None:
    """It is no expectation; and one that was made of a good run shows what is new."""
    odd.test("""
        def test_error(trigger_workflow, workflow_snapshot):
            assert trigger_workflow("nap") == workflow_snapshot

        def test_status(trigger_workflow, workflow_snapshot):
            assert trigger_workflow("echo") == workflow_snapshot
    """)
    result = odd.run("--snapshot-update")
    assert result.parseoutcomes()["failed"] == 2
    result.stdout.fnmatch_lines(['*the run contradicts itself (runId p2, ok: true beside status "partial")*'])
    assert not list(odd.project.path.rglob("__snapshots__"))


LOST = """
    def test_lost(trigger_workflow):
        trigger_workflow("echo", {"n": 1})

    def test_well(trigger_workflow):
        assert_ok(trigger_workflow("nap", {"n": 2, "seconds": 0}))
"""


def test_a_run_without_an_id_is_found_by_its_trace(outside: Outside) -> None:
    """The failing test's section, its error, the log and all reports name the attempt as the server got it."""
    outside.handle.fail_next(Fault.status(503, retry_after=0), everywhere=True)
    outside.test(LOST)
    result = outside.run("--wisebot-report", "out", "--wisebot-runs=record")
    assert result.parseoutcomes() == {"passed": 1, "infrastructure": 1}
    sent = {call.workflow: call.headers["traceparent"] for call in outside.calls}
    assert all(re.fullmatch(SPAN, header) for header in sent.values())
    assert len({header[:36] for header in sent.values()}) == 1
    result.stdout.fnmatch_lines([f"E*  traceparent: {sent['echo']}", f"  trace:    {sent['echo']}"])
    assert not [line for line in result.outlines if line.lstrip().startswith("repeat:") and sent["echo"][3:35] in line]
    folder = outside.project.path / "out"
    assert {run["workflow"]: run["trace"] for run in runs_of(folder / "runs.jsonl")} == sent
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert {run["workflow"]: run["trace"] for run in report["runs"]} == sent
    for name in ("summary.md", "report.html"):
        text = (folder / name).read_text("utf-8")
        assert (sent["echo"] in text, sent["nap"] in text) == (True, False)
    recorded = "".join(path.read_text("utf-8") for path in (outside.project.path / "recordings").rglob("*.json"))
    assert "trace" not in recorded
    assert recorded

    assert outside.run("--wisebot-runs=verify", "-k", "well").parseoutcomes() == {"passed": 1, "deselected": 1}
    result = outside.run("--wisebot-runs=last", "-k", "well", "--wisebot-report", "again")
    assert result.parseoutcomes() == {"passed": 1, "deselected": 1}
    assert "trace" not in runs_of(outside.project.path / "again/runs.jsonl")[0]


def test_all_workers_are_of_one_trace_and_one_session_is_not_another(outside: Outside) -> None:
    """The engine is one, and so is its trace; a rerun of the suite has another."""
    outside.test("""
        @pytest.mark.parametrize("n", range(4))
        def test_it(trigger_workflow, n):
            assert trigger_workflow("echo", {"n": n}).ok
    """)
    outside.run("-n", "2")
    outside.run("-k", "0")
    headers = [call.headers["traceparent"] for call in outside.calls]
    assert len({header[3:35] for header in headers[:4]}) == 1
    assert len(set(headers)) == 5
    assert headers[4][3:35] != headers[0][3:35]


@pytest.mark.parametrize("way", ["option", "file"])
def test_no_trace_is_sent_where_none_is_wanted(outside: Outside, way: str) -> None:
    """By the option, and by the environment: no header, and nothing of it on the screen."""
    if way == "file":
        outside.setting("trace = false")
    outside.handle.fail_next(Fault.status(503), everywhere=True)
    outside.test(LOST)
    result = outside.run(*(["--wisebot-no-trace"] if way == "option" else []), "--wisebot-report", "out")
    assert result.parseoutcomes() == {"passed": 1, "infrastructure": 1}
    assert not any("traceparent" in call.headers for call in outside.calls)
    assert "trace:" not in result.stdout.str()
    assert "traceparent" not in result.stdout.str()
    assert not any("trace" in run for run in runs_of(outside.project.path / "out/runs.jsonl"))


def test_a_snapshot_of_an_error_holds_no_trace(outside: Outside) -> None:
    """Its words name the attempt, which differs each time: a placeholder stands there."""
    outside.handle.fail_next(Fault.status(502), times=2, everywhere=True)
    outside.test("""
        def test_it(trigger_workflow, workflow_snapshot):
            with pytest.raises(GatewayFailed) as caught:
                trigger_workflow("echo")
            assert str(caught.value).splitlines()[2:] == workflow_snapshot
    """)
    outside.run("--snapshot-update").assert_outcomes(passed=1)
    outside.run().assert_outcomes(passed=1)
    (path,) = outside.project.path.rglob("__snapshots__/**/*.json")
    assert "traceparent: <traceparent:1>" in path.read_text("utf-8")


def test_a_firewall_stops_the_session_after_five_runs(outside: Outside, numbers: Numbers) -> None:
    """Its page is no fault of the credential, and of every workflow of the host."""
    outside.handle.fail_next(Fault.html(403), times=20, everywhere=True)
    outside.test("""
        @pytest.mark.parametrize("workflow", ["echo", "nap", "refund", "gate", "dice", "echo", "nap"])
        def test_it(trigger_workflow, workflow):
            trigger_workflow(workflow)
    """)
    result = outside.run("--wisebot-concurrency", "1")
    assert result.parseoutcomes() == {"infrastructure": 5, "not": 2}
    reason = f"5 runs in a row had failed at {outside.handle.origin}: refused before Wisebot answered (text/html)"
    assert f"2 runs not run: {reason}" in numbers(result)
    assert "webhook secret" not in result.stdout.str()


def test_a_run_that_is_not_finished_opens_no_gate(outside: Outside) -> None:
    """Neither 202 nor "queued" is a verdict; the run's id stands where reports name it."""
    outside.handle.fail_next(Fault.status(202, envelope={"ok": True, "runId": "exec_77"}), everywhere=True)
    queued = {"ok": True, "runId": "q1", "status": "queued"}
    outside.handle.fail_next(Fault.status(200, envelope=queued), everywhere=True)
    outside.test("""
        @pytest.mark.parametrize("n", range(2))
        def test_it(trigger_workflow, n):
            assert_ok(trigger_workflow("echo", {"n": n}))
    """)
    result = outside.run("--wisebot-env", "outside", "--wisebot-gate", "--wisebot-report", "out")
    assert (result.ret, result.parseoutcomes()) == (10, {"infrastructure": 2})
    assert len(outside.calls) == 2
    folder = outside.project.path / "out"
    assert [run["runId"] for run in runs_of(folder / "runs.jsonl")] == ["exec_77", "q1"]
    assert "RunNotFinished, runId `exec_77`" in (folder / "summary.md").read_text("utf-8")
