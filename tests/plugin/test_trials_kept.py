"""Trials and ``--wisebot-runs``: the runs of trials are kept, replayed, resumed and compared like any others."""

from __future__ import annotations

import json

from harness import Numbers, Outside

from tests.plugin.test_trials import lines_of

TWO_OF_FOUR = """
    @pytest.mark.wisebot("echo", {"n": 1}, trials=4, min_passes=2)
    def test_it(workflow_run):
        assert workflow_run.ok
"""


def change(outside: Outside, *trials: int) -> None:
    """Makes another result of what was recorded of these trials."""
    for path in (outside.project.path / "recordings").rglob("*.json"):
        data = json.loads(path.read_text("utf-8"))
        for one in data["occurrences"]:
            if one["trial"] in trials:
                one["envelope"]["result"]["n"] = 99
        path.write_text(json.dumps(data), "utf-8")


def test_a_trial_that_drifted_is_no_failed_trial(outside: Outside, numbers: Numbers) -> None:
    """The test has drift, with that trial's difference; and no trial is wanted that was never recorded."""
    outside.test(TWO_OF_FOUR)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=1)
    change(outside, 1)
    result = outside.run("--wisebot-runs=verify", "--wisebot-concurrency", "1")
    assert (result.ret, result.parseoutcomes()) == (1, {"drift": 1})
    assert len(outside.calls) == 4
    shown = lines_of(result, "wisebot trials")
    assert shown[0] == "passed 2/2 (2 not needed); 2 of 4 must pass"
    assert shown[2:] == [
        "  1  drift   S s  RUN  result.n: expected 99, got 1",
        "  2  passed  S s  RUN",
        "the failure that is shown is that of trial 1",
    ]
    assert result.outlines.count("    - 99") == result.outlines.count("    + 1") == 1
    assert "1 test with trials: 1 drift; 2 trials judged" in numbers(result)


def test_drift_in_a_trial_hides_behind_no_failed_one(outside: Outside, numbers: Numbers) -> None:
    """A test that would be flaky has drift; one that fails has failed, and its table says which trials drifted."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=4, min_passes=2)
        def test_it(workflow_run):
            assert workflow_run.trial not in FAILS

        FAILS = (1,)
    """)
    assert outside.run("--wisebot-runs=record").parseoutcomes() == {"flaky": 1}
    change(outside, 1)
    result = outside.run("--wisebot-runs=verify")
    assert (result.ret, result.parseoutcomes()) == (1, {"flaky": 1})
    assert numbers(result)[-2:] == [
        "1 run drifted, and no test failed by it:", "  echo: test_it.py::test_it, trial 1"
    ]  # fmt: skip
    change(outside, 2)
    assert outside.run("--wisebot-runs=verify").parseoutcomes() == {"drift": 1}
    outside.project.edit("test_it.py", "(1,)", "(1, 3, 4)")
    outside.run("--wisebot-runs=record").assert_outcomes(failed=1)
    change(outside, 2)
    result = outside.run("--wisebot-runs=verify")
    result.assert_outcomes(failed=1)
    assert [line.split()[:2] for line in lines_of(result, "wisebot trials")[2:-1]] == [
        ["1", "failed"], ["2", "drift"], ["3", "failed"], ["4", "failed"],
    ]  # fmt: skip


def test_one_trial_of_many_is_the_first(outside: Outside) -> None:
    """With ``--wisebot-trials 1`` a test with trials has a run of its own among those that were kept, at no cost."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=4, min_passes=2)
        def test_declares(workflow_run):
            print("declared", workflow_run.run_id)

        @pytest.mark.wisebot(trials=4, min_passes=2)
        def test_calls(trigger_workflow):
            print("called", trigger_workflow("echo", {"n": 1}).run_id)
    """)
    many = outside.run("--wisebot-runs=record", "-s")
    firsts = [next(line for line in many.outlines if word in line) for word in ("declared run_", "called run_")]
    for mode in ("replay", "last", "resume"):
        result = outside.run(f"--wisebot-runs={mode}", "--wisebot-trials", "1", "-s")
        result.assert_outcomes(passed=2)
        assert [line for line in result.outlines if " run_" in line] == firsts
        assert "was given that of" not in result.stdout.str()
    assert len(outside.calls) == 4


def test_a_test_that_gets_trials_keeps_what_it_has(outside: Outside) -> None:
    """``resume`` pays for the further trials alone; and the other way round for none."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    outside.project.edit("test_it.py", '{"n": 1}', '{"n": 1}, trials=3')
    result = outside.run("--wisebot-runs=resume")
    result.assert_outcomes(passed=1)
    note = "echo: test_it.py::test_it, trial 1 has no run of its own and was given that of test_it.py::test_it"
    assert note in result.outlines
    assert len(outside.calls) == 3
    outside.project.edit("test_it.py", ", trials=3", "")
    outside.run("--wisebot-runs=last").assert_outcomes(passed=1)
    assert len(outside.calls) == 3


def test_a_limit_that_one_trial_could_not_be_held_to_is_told(outside: Outside, numbers: Numbers) -> None:
    """Also where the last trial's run is a new one."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=2, max_seconds=60)
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    outside.project.edit("test_it.py", "trials=2", "trials=3")
    result = outside.run("--wisebot-runs=resume")
    result.assert_outcomes(passed=1)
    assert len(outside.calls) == 3
    assert "not judged: max_seconds of 1 test, whose run was made earlier" in numbers(result)


def test_a_replay_of_ten_trials_gives_ten_runs(outside: Outside) -> None:
    """Each trial its own, in every process that may run it; and the verdict is the one that was recorded."""
    outside.test("""
        @pytest.mark.wisebot("dice", {"whose": "ten", "seed": 4, "chance": 0.3}, trials=10, min_passes=4)
        def test_declares(workflow_run):
            told("declares", workflow_run)
            assert_ok(workflow_run)

        @pytest.mark.wisebot(trials=10)
        def test_calls(trigger_workflow):
            told("calls", trigger_workflow("echo", {"n": 1}))

        def told(name, run):
            with (HERE / "told.txt").open("a") as file:
                file.write(f"{name} {run.trial} {run.run_id}\\n")
    """)
    told = outside.project.path / "told.txt"

    def run(*args: str) -> tuple[dict[str, int], list[str]]:
        counts = outside.run("-p", "no:xdist" if "-n" not in args else "xdist", *args).parseoutcomes()
        lines = sorted(told.read_text("utf-8").splitlines())
        told.unlink()
        return counts, lines

    counts, recorded = run("--wisebot-runs=record")
    assert counts == {"flaky": 1, "passed": 1}
    assert len({line.split()[-1] for line in recorded}) == len(recorded) >= 10 + 8
    calls = len(outside.calls)
    for args in (["replay"], ["replay", "-n", "2"], ["last"], ["resume"]):
        assert run(f"--wisebot-runs={args[0]}", *args[1:]) == (counts, recorded)
    assert len(outside.calls) == calls


def test_a_trial_without_a_verdict_is_resumed(outside: Outside) -> None:
    """The trials before it are those that were paid for; it and the rest are run."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=5)
        def test_it(workflow_run):
            print("trial", workflow_run.trial, workflow_run.source)

        @pytest.fixture(autouse=True)
        def outage(request, seen=[]):
            seen.append(1)
            if len(seen) == 3 and not (HERE / "over").exists():
                emulator.fail_next(FAULT, everywhere=True)

        from pytest_wisebot.emulator import Fault
        FAULT = Fault.html(502)
    """)
    outside.run("--wisebot-concurrency", "1", "--wisebot-no-ahead")
    paid = len(outside.calls)
    assert paid == 3
    (outside.project.path / "over").touch()
    result = outside.run("--wisebot-runs=resume", "-s")
    result.assert_outcomes(passed=1)
    sources = [
        line.split("trial ")[1] for line in result.outlines if "trial " in line and line[-4:] in ("last", "live")
    ]
    assert sources == ["1 last", "2 last", "3 live", "4 live", "5 live"]
    assert len(outside.calls) == paid + 3
