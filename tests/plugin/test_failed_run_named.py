"""A test that reads a failed run as if it had succeeded ends in an error that names the run."""

from __future__ import annotations

import re

import pytest
from harness import Outside, Project

NOTE = 'workflow "refund" had failed: {"reason": "unknown ticket"}'

SUITE = """
    import unittest

    @pytest.fixture
    def price(trigger_workflow):
        return trigger_workflow("refund", {"n": 1}).result["price"]

    @pytest.fixture(scope="module")
    def wide(trigger_workflow):
        return trigger_workflow("refund", {"n": 2})

    def test_type(trigger_workflow):
        trigger_workflow("echo", {"n": 3})
        assert trigger_workflow("refund", {"n": 3}).result["price"] == 1

    def test_attribute(trigger_workflow):
        trigger_workflow("refund", {"n": 4}).result.get("price")

    def test_key(wide):
        (wide.result or {})["price"]

    def test_setup(price):
        pass

    def test_truth(trigger_workflow):
        assert trigger_workflow("refund", {"n": 5})

    def test_pending(trigger_workflow):
        run = trigger_workflow.start("refund", {"n": 5})
        run.wait()
        assert run

    def test_group(trigger_workflow):
        runs = trigger_workflow.map("refund", [{"n": 6}, {"n": 7}])
        errors = []
        for run in runs:
            try:
                run.result["price"]
            except TypeError as error:
                errors.append(error)
        raise ExceptionGroup("both", errors)

    @pytest.mark.wisebot("refund", {"n": 8}, trials=2, min_passes=1)
    def test_trials(workflow_run):
        workflow_run.result["price"]

    def test_subtest(trigger_workflow, subtests):
        with subtests.test():
            trigger_workflow("refund", {"n": 9}).result["price"]

    class TestOld(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def take(self, trigger_workflow):
            self.trigger = trigger_workflow

        def test_old(self):
            self.trigger("refund", {"n": 10}).result["price"]
"""


def notes(result: pytest.RunResult) -> list[str]:
    """The notes of failures, each the last line of its error."""
    lines = [line.removeprefix("E") for line in result.outlines]
    found = [(re.sub(r"^[\s|]+", "", line), lines[at + 1]) for at, line in enumerate(lines) if "had failed" in line]
    assert not any(following.startswith("   ") and following.strip() for _, following in found[:6])
    return [line for line, _ in found]


def test_the_last_line_of_the_failure_names_the_failed_run(outside: Outside) -> None:
    """After a `TypeError`, an `AttributeError` or a `KeyError`, wherever the error and the run come from."""
    outside.test(SUITE)
    result = outside.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert notes(result) == [NOTE] * 6 + [f"{NOTE} (and 1 more had failed)"] * 2 + [NOTE] * 3


def test_nothing_is_added_where_no_run_of_the_test_failed(outside: Outside) -> None:
    """Nor to an assertion, which shows what it compares."""
    outside.test("""
        def test_good(trigger_workflow):
            trigger_workflow("echo", {}).result["price"]

        def test_assertion(trigger_workflow):
            assert trigger_workflow("refund", {}).result == {"price": 1}

        def test_another():
            {}["price"]
    """)
    result = outside.run()
    result.assert_outcomes(failed=3)
    result.stdout.no_fnmatch_line("*had failed*")


def test_the_note_is_one_short_line_without_credentials(project: Project) -> None:
    """Whatever the workflow's error is."""
    project.edit(
        "flows.py",
        'raise WorkflowFailure("unknown ticket")',
        'raise WorkflowFailure("one\\ntwo FAKE-secret-of-refund " + "x" * 500)',
    )
    project.test("""
        def test_it(trigger_workflow):
            trigger_workflow("refund", {}).result["price"]
    """)
    result = project.run()
    (line,) = (line for line in result.outlines if "had failed" in line)
    assert line.startswith(r'E       workflow "refund" had failed: "one\ntwo <secret> xxx')
    assert len(line) < 180


def test_a_result_that_is_read_as_a_type_names_the_error(project: Project) -> None:
    """``result_as`` of a failed run fails the test, which is no error of the infrastructure."""
    project.test("""
        def test_it(trigger_workflow):
            trigger_workflow("refund", {}).result_as(dict)
    """)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*trigger_workflow(*).result_as(dict)",
            'E*AssertionError: workflow "refund" failed: "unknown ticket", runId run_*',
        ]
    )
