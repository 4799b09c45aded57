"""A workflow with a limit of its own: started one at a time, and no other workflow waits for it."""

from __future__ import annotations

import re

import pytest
from harness import Project

FLOWS = """
    import threading
    import time
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator()
    lock, active = threading.Lock(), []
    other_came = threading.Event()

    @emulator.workflow("state")
    def state(inputs):
        with lock:
            active.append(inputs)
            together = len(active)
        time.sleep(0.1)
        with lock:
            active.pop()
        return together

    @emulator.workflow("patient")
    def patient(inputs):
        return other_came.wait(20)

    @emulator.workflow("other")
    def other(inputs):
        other_came.set()
        return inputs

    @emulator.workflow("slow", latency=30)
    def slow(inputs):
        return inputs
"""

TOML = """
    default-environment = "local"

    [environments.local]
    emulator = "flows:emulator"
    concurrency = 6

    [workflows.state]
    concurrency = 1

    [environments.local.workflows.patient]
    concurrency = 1
"""

SUITE = """
    @pytest.mark.wisebot("patient")
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(8)])
    def test_patient(workflow_run, inputs):
        assert workflow_run.result is True

    @pytest.mark.wisebot("state", api="both")
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(3)])
    def test_declared(workflow_run, inputs):
        assert workflow_run.result == 1

    def test_called(trigger_workflow):
        assert [run.result for run in trigger_workflow.map("state", [{}, {}, {}])] == [1, 1, 1]
        assert trigger_workflow("id:state").result == 1

    @pytest.mark.wisebot("other")
    def test_other(workflow_run):
        assert workflow_run.ok
"""


@pytest.fixture
def limited(empty_project: Project) -> Project:
    """A project with limits for two of its workflows."""
    empty_project.write("flows.py", FLOWS)
    empty_project.write("wisebot.toml", TOML)
    return empty_project


@pytest.mark.parametrize("args", [(), ("-n", "2"), ("--wisebot-no-ahead",)], ids=" ".join)
def test_a_workflow_with_a_limit_of_one_is_started_one_at_a_time(
    limited: Project, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """Over both APIs, by name or id, called or declared, over all workers; what is not limited passes it."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    limited.test(SUITE)
    deselected = ("-k", "not patient") if "--wisebot-no-ahead" in args else ()
    result = limited.run(*args, *deselected)
    result.assert_outcomes(passed=8 if deselected else 16, deselected=8 if deselected else 0)
    assert "wisebot:   1 run of state at once (wisebot.toml: workflows.state.concurrency)" in result.outlines


def test_an_option_puts_the_limits_out_of_force_and_the_header_says_so(limited: Project) -> None:
    """The option is closer than the file."""
    limited.test("def test_it(wisebot_settings):\n    pass")
    lines = limited.run("--wisebot-concurrency", "4").outlines
    assert "wisebot: 4 runs at once (--wisebot-concurrency)" in lines
    assert "wisebot:   1 run of state at once (out of force by --wisebot-concurrency)" in lines


def test_a_workflow_has_a_timeout_of_its_own(limited: Project) -> None:
    """A call and a marker are closer than the workflow's, which is closer than the environment's."""
    toml = limited.path / "wisebot.toml"
    toml.write_text(toml.read_text("utf-8") + "\n[workflows.slow]\ntimeout = 0.3\n", "utf-8")
    limited.test("""
        def took(call):
            with pytest.raises(RunTimedOut) as caught:
                call()
            return str(caught.value).partition(" s")[0].rpartition(" ")[2]

        def test_call(trigger_workflow):
            assert took(lambda: trigger_workflow("slow")) == "0.3"
            assert took(lambda: trigger_workflow("slow", timeout=0.2)) == "0.2"

        @pytest.mark.wisebot(timeout=0.1)
        def test_marker(trigger_workflow):
            assert took(lambda: trigger_workflow("slow")) == "0.1"
            assert took(lambda: trigger_workflow("slow", timeout=0.2)) == "0.2"
    """)
    limited.run().assert_outcomes(passed=2)


def test_the_plan_says_what_waits_for_a_limit(limited: Project) -> None:
    """As long as an option does not put it out of force, and as far as runs are ahead."""
    limited.test(SUITE)

    def plan(*args: str) -> list[str]:
        result = limited.run("--wisebot-plan", *args)
        return [line for line in result.outlines if re.search("wait for their turn", line)]

    assert plan() == [
        "wisebot plan: 1 run of patient at once (wisebot.toml: environments.local.workflows.patient.concurrency): "
        "7 wait for their turn",
        "wisebot plan: 1 run of state at once (wisebot.toml: workflows.state.concurrency): 5 wait for their turn",
    ]
    assert plan("--wisebot-concurrency", "4") == plan("--wisebot-no-ahead") == []
