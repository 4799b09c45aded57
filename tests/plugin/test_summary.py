"""The block "wisebot" at a session's end: what the runs took, and what became of those that nobody waited for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from harness import Numbers, Outside

from pytest_wisebot.emulator import Fault

SUITE = """
    @pytest.mark.wisebot("nap")
    @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.3} for n in range(7)])
    def test_nap(workflow_run, inputs):
        pass

    @pytest.mark.wisebot("refund")
    def test_refund(workflow_run):
        assert_failed(workflow_run)

    def test_calls(trigger_workflow):
        trigger_workflow("echo"), trigger_workflow("echo", api="dashboard")

    def test_without_a_verdict(trigger_workflow):
        with pytest.raises(RunTimedOut):
            trigger_workflow("gate", {"until": GATE}, timeout=0.2)

    def test_forgetful(trigger_workflow):
        pending = [trigger_workflow.start("echo"), trigger_workflow.start("echo")]
        until(lambda: all(one.done for one in pending))
"""

TOOK = [
    "12 runs, S s of run time in S s of wall time, S s saved",
    "  echo    4 runs, p50 S s, p95 S s",
    "  nap     7 runs, p50 S s, p95 S s",
    "  refund  1 run, p50 S s, p95 S s",
    "1 retry, S s of back-off",
]

MISSING = [
    "1 run without a verdict",
    "2 runs were sent and not awaited: they may have happened",
]


@pytest.fixture
def suite(outside: Outside) -> Any:
    """Thirteen runs: one is refused for a moment, one has no verdict, and two are forgotten."""
    outside.handle.fail_next(Fault.rate_limited(retry_after=0.05), everywhere=True, workflow="refund")
    outside.test(SUITE)
    return outside


@pytest.mark.parametrize("args", [[], ["-v"], ["-vv"]], ids=str)
def test_the_whole_block(suite: Any, numbers: Numbers, args: list[str]) -> None:
    """Runs, seconds, percentiles by workflow, retries; then what has no verdict and what nobody waited for."""
    result = suite.run(*args)
    result.assert_outcomes(passed=11)
    assert numbers(result) == TOOK + MISSING


def test_quiet_is_what_is_missing_alone(suite: Any) -> None:
    """With ``-q`` there is no block, and a run that may have happened is told all the same."""
    lines = suite.run("-q").outlines
    start = next(index for index, line in enumerate(lines) if line.startswith("..........."))
    assert lines[start + 1 :][: len(MISSING) + 1] == [*(f"wisebot: {line}" for line in MISSING), lines[-1]]
    assert re.fullmatch(r"11 passed in \d+\.\d\ds", lines[-1])


def test_the_block_stands_before_pytests_own_summary(outside: Outside) -> None:
    """Failures first, then the numbers, then what pytest counts."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        def test_it(workflow_run):
            assert not workflow_run.ok
    """)
    heads = [match[1] for line in outside.run().outlines if (match := re.fullmatch(r"=+ ([^=]+?) =+", line))]
    assert heads[1:4] == ["FAILURES", "wisebot", "short test summary info"]


def test_the_seconds_are_those_of_the_runs(outside: Outside) -> None:
    """Four runs of a fifth of a second at once: their time is added, and what is saved is what was not waited for."""
    outside.test("""
        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.2} for n in range(4)])
        def test_nap(workflow_run, inputs):
            pass
    """)
    text = outside.run().stdout.str()
    line = r"^4 runs, (.+?) s of run time in (.+?) s of wall time(?:, (.+?) s saved)?$"
    ((run_time, wall, saved),) = re.findall(line, text, re.MULTILINE)
    assert float(run_time) >= 0.8
    assert float(wall) >= 0.2
    assert float(saved or 0) == pytest.approx(max(0, float(run_time) - float(wall)), abs=0.11)
    p50, p95 = map(float, re.findall(r"p50 (.+?) s, p95 (.+?) s", text)[0])
    assert 0.2 <= p50 <= p95 <= float(run_time)


def test_one_after_the_other_nothing_is_saved(outside: Outside, numbers: Numbers) -> None:
    """Then the line says nothing of it."""
    outside.test("""
        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("number", range(3))
        def test_it(workflow_run, number):
            pass
    """)
    result = outside.run("--wisebot-no-ahead")
    assert numbers(result) == ["3 runs, S s of run time in S s of wall time", "  echo  3 runs, p50 S s, p95 S s"]


WITHOUT_A_RUN = """
    def test_unrelated(): pass

    def test_settings(trigger_workflow, wisebot_settings):
        assert wisebot_settings.concurrency == 8

    def test_an_empty_map(trigger_workflow):
        assert trigger_workflow.map("echo", []) == []

    def test_a_request_that_cannot_be_made(trigger_workflow):
        with pytest.raises(ConfigurationError):
            trigger_workflow("..")

    @pytest.mark.skip
    @pytest.mark.wisebot("echo")
    def test_skipped(workflow_run): pass
"""


@pytest.mark.parametrize("verbose", ["-q", "-v"])
def test_without_a_run_nothing_is_said(outside: Outside, numbers: Numbers, verbose: str) -> None:
    """No block, no line: a session in which nothing was sent ends as pytest ends it."""
    outside.test(WITHOUT_A_RUN)
    result = outside.run(verbose)
    result.assert_outcomes(passed=4, skipped=1)
    assert numbers(result) == []
    result.stdout.no_re_match_line(r"\d+ runs?\b.*")


def test_infrastructure_errors_are_counted_apart_from_failures(outside: Outside, numbers: Numbers) -> None:
    """A gate can tell "the workflow is wrong" from "Wisebot did not answer"."""
    outside.handle.fail_next(Fault.html(502), times=2, everywhere=True)
    outside.handle.fail_next(Fault.reset_after(), everywhere=True)
    outside.handle.fail_next(Fault.raw("no envelope"), everywhere=True)
    outside.test("""
        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("number", range(4))
        def test_infrastructure(workflow_run, number):
            pass

        @pytest.mark.wisebot("refund")
        def test_wrong(workflow_run):
            assert_ok(workflow_run)
    """)
    result = outside.run("-vv", "--wisebot-no-ahead")
    assert result.parseoutcomes() == {"failed": 1, "infrastructure": 4}
    assert result.stdout.str().count(" at setup __") == 4
    assert numbers(result) == [
        "1 run, S s of run time in S s of wall time",
        "  refund  1 run, p50 S s, p95 S s",
        "4 runs without a verdict",
    ]


def test_one_that_nobody_waits_for_is_one(outside: Outside, numbers: Numbers) -> None:
    """A run that is started and left alone is named as such, whether it has ended or not when the session ends."""
    outside.test("""
        def test_it(trigger_workflow):
            trigger_workflow.start("gate", {"n": 1, "until": GATE})
            until(lambda: arrived() == [1])
    """)
    assert numbers(outside.run()) == ["1 run was sent and not awaited: it may have happened"]


@pytest.mark.parametrize("end", ["an exit code of one's own", "a broken hook"])
def test_runs_that_were_cut_off_are_told_whatever_the_exit_code(outside: Outside, end: str) -> None:
    """Pytest gives no summary then; what may have happened at Wisebot is said all the same."""
    outside.test("""
        def test_it(trigger_workflow):
            trigger_workflow.start("gate", {"n": 1, "until": GATE})
            until(lambda: arrived() == [1])
            BROKEN or pytest.exit("enough", returncode=7)

        BROKEN = pathlib.Path("conftest.py").exists()
    """)
    if end == "a broken hook":
        outside.project.write("conftest.py", "def pytest_runtest_logreport(report): assert report.when != 'call'")
    result = outside.run()
    assert result.ret == (3 if end == "a broken hook" else 7)
    assert "1 run was sent and not awaited: it may have happened" in result.outlines


def test_what_wisebot_refused_has_not_happened(outside: Outside, numbers: Numbers) -> None:
    """A run that was refused before its test could ask for it is without a verdict, and nothing more."""
    outside.test("""
        @pytest.fixture
        def late():
            until(lambda: len(arrived()) == 1)
            time.sleep(0.2)
            raise OSError("no database")

        @pytest.mark.wisebot("locked")
        def test_it(late, workflow_run):
            pass
    """)
    assert numbers(outside.run()) == ["1 run without a verdict"]


def test_a_run_that_a_test_cancelled_is_counted_once(outside: Outside, numbers: Numbers) -> None:
    """Whether the test looks at it afterwards or not."""
    outside.test("""
        def test_it(trigger_workflow):
            flying = trigger_workflow.start("gate", {"until": GATE})
            queued = trigger_workflow.start("echo")
            queued.cancel()
            open_gate()
            assert flying.wait().ok
            queued.wait()
    """)
    assert numbers(outside.run("--wisebot-concurrency", "1"))[-2:] == [
        "1 run not run: given up before being sent",
        "  test_it.py::test_it",
    ]


def test_a_credential_with_blanks_is_not_put_together_in_a_summary(outside: Outside) -> None:
    """What stood in several lines stands in one, in Markdown and in a browser: it is masked before and after."""
    outside.project.write("secret.txt", "FAKE CANARY of many words")
    outside.test("""
        def test_it(trigger_workflow):
            run = trigger_workflow("refund", secret="file:nowhere")

        def test_that(trigger_workflow):
            raise ValueError("FAKE CANARY\\\\n   of many\\\\twords")

        @pytest.mark.skip(reason="FAKE  CANARY\\\\nof many words")
        def test_skipped(trigger_workflow):
            pass

        @pytest.mark.parametrize("n", [1], ids=["FAKE"])
        def test_exit(n):
            pytest.exit("FAKE CANARY\\\\nof many words")
    """)
    outside.run("--wisebot-gate", "--wisebot-report=report", "--wisebot-summary=summary.md")
    written = [outside.project.path / "summary.md", *outside.project.path.glob("report/*")]
    assert len(written) == 6  # report.css among them
    assert [path.name for path in written if "CANARY" in " ".join(path.read_text("utf-8").split())] == []
    assert "<secret>" in written[0].read_text("utf-8")
