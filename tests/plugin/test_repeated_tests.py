"""Tests that a plugin repeats until they pass: flaky where they run once, refused where they have trials."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Outside

from pytest_wisebot.event_log import read_events

pytestmark = pytest.mark.usefixtures("wide_terminal")

GATED = ("--wisebot-env", "outside", "--wisebot-gate", "--wisebot-report=out")

SETS_UP_AGAIN = """
    import pytest

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(item, call):
        report = (yield).get_result()
        if call.when == "call" and report.failed:
            other = pytest.Class.from_parent(item.session, name="other")
            item.ihook.pytest_runtest_teardown(item=item, nextitem=other)
            item._initrequest()
            pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_setup(item=item), when="setup")
            again = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
            report.outcome, report.longrepr = ("failed", str(again.excinfo)) if again.excinfo else ("passed", None)
"""
"""As pytest-retry does: the call is repeated before its report is told."""

KEEPS_REPORTS = """
    import pytest
    from _pytest.runner import runtestprotocol

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for _ in range(2):
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            if all(report.passed for report in reports):
                break
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""
"""As flaky does: the reports of an attempt that failed are told to no plugin."""

MARKS_REPORTS = KEEPS_REPORTS.replace(
    "break",
    """break
            for report in reports:
                report.outcome = "again" if report.failed else report.outcome
                item.ihook.pytest_runtest_logreport(report=report)""",
)
"""As pytest-rerunfailures does: an attempt that failed is told with a word of the plugin's own."""

ONCE = """
    seen = []

    def test_it(trigger_workflow):
        seen.append(1)
        assert trigger_workflow("echo", {"n": 1}).ok
        assert len(seen) > 1
"""


@pytest.fixture(params=[SETS_UP_AGAIN, KEEPS_REPORTS, MARKS_REPORTS], ids=["repeats the call", "keeps", "marks"])
def repeated(outside: Outside, request: pytest.FixtureRequest) -> Any:
    """A project in which a plugin repeats tests that fail."""
    outside.project.write("conftest.py", request.param)
    return outside


def outcomes(outside: Outside) -> list[str]:
    """The outcome of each line about a test."""
    return [
        event["outcome"] for event in read_events(outside.project.path / "out/runs.jsonl") if event["event"] == "test"
    ]


def limit(outside: Outside, line: str) -> None:
    """Adds a limit of the gate."""
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(f"{toml.read_text('utf-8').partition('[gate]')[0]}\n[gate]\n{line}\n", "utf-8")


def test_a_test_that_passed_when_it_was_repeated_is_flaky(repeated: Any) -> None:
    """It is named, and ``max-flaky`` decides."""
    repeated.test(ONCE)
    result = repeated.run(*GATED)
    assert (result.ret, outcomes(repeated)[-1]) == (0, "flaky")
    assert "measured 1: test_it.py::test_it" in next(line for line in result.outlines if "flaky tests" in line)
    limit(repeated, "max-flaky = 0")
    assert repeated.run(*GATED).ret == 1


def test_a_test_that_fails_each_time_has_failed(repeated: Any) -> None:
    """By the error of the last attempt, whatever the first one was."""
    repeated.test("""
        seen = []

        def test_it(trigger_workflow):
            seen.append(1)
            assert trigger_workflow("echo" if len(seen) > 1 else "nowhere", {"n": 1}) is None
    """)
    result = repeated.run(*GATED, "--tb=no")
    assert (result.ret, outcomes(repeated)[-1]) == (1, "failed")


def test_a_trial_whose_call_is_repeated_is_refused(outside: Outside) -> None:
    """By what happened, and whichever plugin did it: a retry until it passes is not a pass rate."""
    outside.project.write("conftest.py", SETS_UP_AGAIN)
    outside.test("""
        seen = []

        @pytest.mark.wisebot("echo", {"n": 1}, trials=3)
        def test_it(workflow_run):
            seen.append(1)
            assert len(seen) != 2
    """)
    result = outside.run(*GATED)
    assert (result.ret, outcomes(outside)) == (11, ["not run"])
    text = "\n".join(result.outlines)
    assert "trials=3: trial 2 was called 2 times: something, such as a plugin that retries failed tests" in text
    assert "passed 3/3" not in text


def test_an_attempt_whose_fixture_failed_is_not_forgotten(outside: Outside) -> None:
    """Also where the plugin that repeats the test tells of the last attempt alone."""
    outside.project.write("conftest.py", KEEPS_REPORTS)
    outside.test("""
        seen = []

        @pytest.fixture
        def shaky():
            seen.append(1)
            assert len(seen) > 1

        def test_it(shaky, trigger_workflow):
            assert trigger_workflow("echo", {"n": 1}).ok
    """)
    assert (outside.run(*GATED).ret, outcomes(outside)[-1]) == (0, "flaky")


def test_a_trial_that_failed_is_not_taken_back_by_a_skip(outside: Outside) -> None:
    """It was a verdict against the workflow."""
    outside.test("""
        seen = []

        @pytest.mark.wisebot("echo", {"n": 1}, trials=4, min_passes=3)
        def test_it(workflow_run):
            seen.append(1)
            if len(seen) > 1:
                pytest.skip("rest")
            assert workflow_run.result is None
    """)
    assert (outside.run(*GATED, "--tb=no").ret, outcomes(outside)) == (1, ["failed"])
