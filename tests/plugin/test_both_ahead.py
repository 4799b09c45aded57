"""``api="both"``: two tests, two runs, both ahead."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Outside

WAITS = """
    def test_first():
        until(lambda: len(answered()) == EXPECTED)
"""


def over(outside: Outside) -> list[tuple[Any, str]]:
    """What arrived, and over which API."""
    return sorted(zip(outside.arrived, (str(call.api) for call in outside.calls), strict=True))


def test_a_declared_run_is_ahead_once_over_each_api(outside: Outside) -> None:
    """Each of the two tests gets the run of its own API, and no third one is sent."""
    outside.test("""
        EXPECTED = 4

        @pytest.mark.wisebot("echo", api="both")
        @pytest.mark.parametrize("inputs", [{"n": 1}, {"n": 2}])
        def test_it(workflow_run, wisebot_api, inputs):
            assert (workflow_run.api, workflow_run.result) == (wisebot_api, inputs)
    """, WAITS)  # fmt: skip
    outside.run().assert_outcomes(passed=5)
    assert over(outside) == [(1, "dashboard"), (1, "webhook"), (2, "dashboard"), (2, "webhook")]


def test_both_on_a_class_or_a_module_holds_for_its_tests(outside: Outside) -> None:
    """A closer mark that names an API, or none, takes the place of the wider one."""
    outside.test("""
        EXPECTED = 4
        pytestmark = pytest.mark.wisebot("echo", {"n": "module"}, api="both")

        def test_module(workflow_run, wisebot_api):
            assert workflow_run.api is wisebot_api

        @pytest.mark.wisebot("echo", {"n": "one"}, api="dashboard")
        def test_one(workflow_run):
            assert workflow_run.api is Api.DASHBOARD

        @pytest.mark.wisebot("echo", {"n": "default"})
        def test_default(workflow_run):
            assert workflow_run.api is Api.WEBHOOK
    """, WAITS)  # fmt: skip
    outside.run().assert_outcomes(passed=5)
    assert over(outside) == [
        ("default", "webhook"),
        ("module", "dashboard"),
        ("module", "webhook"),
        ("one", "dashboard"),
    ]


@pytest.mark.parametrize(
    ("args", "apis"),
    [
        (["--wisebot-api", "both"], ["dashboard", "webhook"]),
        (["--wisebot-api", "dashboard"], ["dashboard"]),
        (["--wisebot-api", "both", "-k", "dashboard or first"], ["dashboard"]),
        ([], ["webhook"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_the_option_concerns_the_tests_that_name_no_api(outside: Outside, args: list[str], apis: list[str]) -> None:
    """What is ahead is what the tests will ask for, one API of the two deselected or not."""
    expected = f"\n    EXPECTED = {len(apis)}\n"
    outside.test(expected, WAITS, """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_it(workflow_run, wisebot_api):
        assert workflow_run.api is wisebot_api
    """)  # fmt: skip
    outside.run(*args).assert_outcomes(passed=1 + len(apis), deselected=1 if "-k" in args else 0)
    assert over(outside) == [(1, api) for api in apis]


def test_both_share_no_run_with_each_other(outside: Outside) -> None:
    """With ``share=True`` there is one run over each API, for as many tests as ask."""
    outside.test("""
        EXPECTED = 2
        IDS = {}

        @pytest.mark.wisebot("echo", {"n": 1}, api="both", share=True)
        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_it(workflow_run, wisebot_api, number):
            assert workflow_run.api is wisebot_api
            assert IDS.setdefault(wisebot_api, workflow_run.run_id) == workflow_run.run_id
    """, WAITS)  # fmt: skip
    outside.run().assert_outcomes(passed=7)
    assert over(outside) == [(1, "dashboard"), (1, "webhook")]


def test_the_failure_of_one_api_is_its_own_tests(outside: Outside) -> None:
    """Where one API refuses the credential, the test of the other passes."""
    outside.project.write("token.txt", "FAKE-token-that-is-wrong")
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, api="both")
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    result = outside.run("-v")
    assert result.parseoutcomes() == {"passed": 1, "infrastructure": 1}
    result.stdout.fnmatch_lines(
        ["test_it.py::test_it[[]webhook] PASSED*", "test_it.py::test_it[[]dashboard] INFRASTRUCTURE*",
         "_* test_it[[]dashboard] at setup _*"]
    )  # fmt: skip
    assert over(outside) == [(1, "webhook")]
