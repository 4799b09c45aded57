"""Which session is the last one, what of it is there, and what its files are called."""

from __future__ import annotations

import pytest
from harness import Outside

from pytest_wisebot.event_log import read_events
from tests.plugin.test_runs_kept import header, sessions


@pytest.mark.parametrize("outage", ["a wrong secret", "no room"])
def test_a_session_that_ran_nothing_is_none(outside: Outside, outage: str) -> None:
    """After an outage that let no run begin the last session is the one before: nothing is paid for twice."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(3)])
        def test_it(workflow_run, inputs):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=3)
    (live,) = sessions(outside)
    if outage == "a wrong secret":
        outside.project.write("secret.txt", "FAKE-secret-of-another")
    else:
        outside.handle.fail_next(outside.rate_limited(0), times=3, everywhere=True)
    assert outside.run("--wisebot-retries", "0").ret == pytest.ExitCode.TESTS_FAILED
    outside.project.write("secret.txt", "FAKE-secret-of-all")
    assert sessions(outside) == [live]
    calls = len(outside.calls)
    outside.run("--wisebot-runs=last").assert_outcomes(passed=3)
    outside.run("--wisebot-runs=resume").assert_outcomes(passed=3)
    assert len(outside.calls) == calls


def test_only_last_goes_back_to_the_runs_of_an_earlier_session(outside: Outside) -> None:
    """What may have run and has no verdict is run anew by ``resume``, and no older run is taken for it."""
    from pytest_wisebot.emulator import Fault

    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    outside.handle.fail_next(Fault.html(502), everywhere=True)
    outside.run("--wisebot-retries", "0")
    assert len(sessions(outside)) == len(outside.calls) == 2
    outside.run("--wisebot-runs=last").assert_outcomes(passed=1)
    assert len(outside.calls) == 2
    outside.run("--wisebot-runs=resume").assert_outcomes(passed=1)
    assert len(outside.calls) == 3


def test_resume_of_a_session_by_its_name(outside: Outside) -> None:
    """And not of the last one: what the named one has is taken, and the rest is run."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
        def test_it(workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    outside.run("-k", "inputs0 or inputs1 or inputs2")
    outside.run("-k", "inputs3")
    first, _ = sessions(outside)
    result = outside.run("--wisebot-runs=resume", "--wisebot-session", first.name)
    result.assert_outcomes(passed=4)
    assert f"runs are those of session {first.name}: 3 runs" in header(result)[-1]
    assert sorted(outside.arrived) == [0, 1, 2, 3, 3]
    assert next(read_events(sessions(outside)[-1] / "events.jsonl"))["carried_from"] == first.name


def test_an_interrupted_session_is_judged_again(outside: Outside) -> None:
    """What had ended is there; the rest is "not run"."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
        def test_it(workflow_run, inputs):
            if inputs == {"n": 1} and not (HERE / "calm").exists():
                raise KeyboardInterrupt
    """)
    assert outside.project.run_apart("--wisebot-no-ahead").ret == pytest.ExitCode.INTERRUPTED
    (outside.project.path / "calm").touch()
    assert outside.run("--wisebot-runs=last").parseoutcomes() == {"passed": 2, "not": 2}
    assert outside.arrived == [0, 1]


def test_a_broken_log_is_named_and_stays(outside: Outside) -> None:
    """Before any test; it is left as it is."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    path = sessions(outside)[0] / "events.jsonl"
    first, _, others = path.read_bytes().partition(b"\n")
    broken = first + b"\n{\n" + others
    path.write_bytes(broken)
    for mode in ("last", "resume"):
        result = outside.run(f"--wisebot-runs={mode}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert f"{path}: line 2 is not valid JSON" in result.stderr.str()
    assert path.read_bytes() == broken
    assert len(outside.calls) == 1


def test_a_session_of_the_format_before_is_refused(outside: Outside) -> None:
    """By its name, and nothing is paid for again unasked."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    path = sessions(outside)[0] / "events.jsonl"
    path.write_text(path.read_text("utf-8").replace('"storage":2,', ""), "utf-8")
    result = outside.run("--wisebot-runs=resume")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"session {path.parent.name} was kept by an earlier version of pytest-wisebot" in result.stderr.str()
    assert len(outside.calls) == 1
