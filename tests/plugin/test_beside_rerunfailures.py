"""Beside pytest-rerunfailures: each execution of a test has a run of its own, and answers for that one alone."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from harness import Numbers, Outside

AT_THE_THIRD = """
    COUNT = HERE / "executions"

    def executions():
        with COUNT.open("a") as file:
            file.write(".")
        return COUNT.stat().st_size
"""


@pytest.fixture
def rerun(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Runs the project of `outside` with two reruns of each failed test."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    ours = ["-p", "xdist", "-p", "rerunfailures", "-p", "wisebot", "--reruns", "2"]
    return lambda *args: outside.project.run_apart(*ours, *args)


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_each_execution_has_a_run_of_its_own(outside: Outside, rerun: Any, numbers: Numbers, args: list[str]) -> None:
    """A declared test that fails twice is paid for three times, a called one likewise; the others once."""
    outside.test(
        AT_THE_THIRD,
        """
        @pytest.mark.wisebot("echo", {"n": "declared"})
        def test_declared(workflow_run, seen=[]):
            assert workflow_run.run_id not in seen
            seen.append(workflow_run.run_id)
            assert len(seen) == 3

        def test_called(trigger_workflow, seen=[]):
            seen.append(trigger_workflow("echo", {"n": "called"}).run_id)
            assert len(set(seen)) == 3

        @pytest.mark.wisebot("echo", {"n": "once"})
        def test_once(workflow_run):
            assert workflow_run.ok
        """,
    )
    result = rerun(*args)
    assert result.parseoutcomes() == {"passed": 3, "rerun": 4}
    assert sorted(outside.arrived) == ["called"] * 3 + ["declared"] * 3 + ["once"]
    assert numbers(result)[0].startswith("7 runs, ")


def test_a_run_that_was_too_slow_does_not_fail_the_next_execution(outside: Outside, rerun: Any) -> None:
    """``max_seconds`` is a limit for the runs of this execution; those of an earlier one are over."""
    outside.test(
        AT_THE_THIRD,
        """
        @pytest.fixture
        def inputs():
            return {"n": 1, "seconds": 0.9 if executions() < 3 else 0}

        @pytest.mark.wisebot("nap", max_seconds=0.6)
        def test_declared(inputs, workflow_run):
            assert workflow_run.ok

        @pytest.mark.wisebot(max_seconds=0.6)
        def test_called(trigger_workflow, seen=[]):
            seen.append(1)
            trigger_workflow("nap", {"n": 2, "seconds": 0.9 if len(seen) < 3 else 0})
        """,
    )
    assert rerun().parseoutcomes() == {"passed": 2, "rerun": 4}


def test_a_failure_shows_the_runs_of_its_own_execution(outside: Outside, rerun: Any) -> None:
    """The section of the last execution has its one run, and none of those before."""
    outside.test("""
        def test_it(trigger_workflow):
            run = trigger_workflow("refund")
            print("mine:", run.run_id)
            assert_ok(run)
    """)
    result = rerun()
    assert result.parseoutcomes() == {"failed": 1, "rerun": 2}
    text = result.stdout.str()
    assert re.findall(r"runId:\s+(run_\w+) \(", text)[-1:] == re.findall(r"mine: (run_\w+)", text)[-1:]
    assert text.count("over the webhook API, environment outside: failed (live)") == 1


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_what_was_not_run_is_told_once_for_each_test(
    outside: Outside, rerun: Any, numbers: Numbers, args: list[str]
) -> None:
    """A rerun is a rerun, in the counts too: a test whose run never was is one test not run, however often tried."""
    outside.test("""
        @pytest.mark.parametrize("n", range(2))
        def test_it(trigger_workflow, n):
            trigger_workflow("echo")
    """)
    result = rerun("--wisebot-max-runs", "0", *args)
    assert result.parseoutcomes() == {"not": 2, "rerun": 4}
    assert sorted(line for line in numbers(result) if line.startswith("  test_it.py")) == [
        "  test_it.py::test_it[0]",
        "  test_it.py::test_it[1]",
    ]


def test_only_what_is_no_verdict_may_be_rerun(outside: Outside, rerun: Any) -> None:
    """``--only-rerun`` with the name of an error: what a workflow got wrong is not tried again, at no cost."""
    outside.test("""
        def test_wrong(trigger_workflow):
            assert_ok(trigger_workflow("refund", {"n": "wrong"}))

        def test_late(trigger_workflow):
            trigger_workflow("nap", {"n": "late", "seconds": 2}, timeout=0.7)
    """)
    result = rerun("--only-rerun", "RunTimedOut")
    assert result.parseoutcomes() == {"failed": 1, "infrastructure": 1, "rerun": 2}
    assert sorted(outside.arrived) == ["late", "late", "late", "wrong"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_test_that_lost_its_worker_is_rerun_with_a_new_run(outside: Outside, rerun: Any, numbers: Numbers) -> None:
    """The run that was under way may have happened, and says so; the next execution has one of its own."""
    outside.test(
        AT_THE_THIRD,
        """
        import os, signal

        def test_killed(trigger_workflow):
            pending = trigger_workflow.start("nap", {"n": "killed", "seconds": 0.3})
            until(lambda: "killed" in arrived())
            if executions() < 2:
                os.kill(os.getpid(), signal.SIGKILL)
            assert pending.wait().ok

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
        def test_other(workflow_run, inputs):
            assert workflow_run.ok
        """,
    )
    result = rerun("-n", "2")
    assert result.parseoutcomes() == {"passed": 5, "rerun": 1}
    assert sorted(map(str, outside.arrived)) == ["0", "1", "2", "3", "killed", "killed"]
    assert numbers(result)[-1] == "1 run was sent and not awaited: it may have happened"
