"""``secret=`` has no effect on the dashboard API: beside it, it is refused before anything is sent."""

from __future__ import annotations

import pytest
from harness import Outside

REFUSED = 'secret=: this call uses the dashboard API, which has no webhook secret: give api="webhook"'


@pytest.mark.parametrize("args", [[], ["--wisebot-api", "dashboard"]], ids=" ".join)
def test_a_secret_beside_the_dashboard_api_is_refused(outside: Outside, args: list[str]) -> None:
    """Whether the call, the marker, the test's parameter or an option names the API; a wider fixture likewise."""
    default = "def test_default(by_default):\n    by_default()\n" if args else ""
    outside.test(default, """
        SECRET = "FAKE-secret-that-is-wrong"

        @pytest.fixture(scope="module")
        def by_default(trigger_workflow):
            return lambda: trigger_workflow("echo", {"n": 1}, secret=SECRET)

        CALLS = [
            lambda run: run("echo", {"n": 1}, api="dashboard", secret=SECRET),
            lambda run: run("echo", {"n": 1}, api=Api.DASHBOARD, secret="env:NOT_SET"),
            lambda run: run.start("echo", {"n": 1}, api="dashboard", secret=SECRET),
            lambda run: run.map("echo", [{"n": 1}], api="dashboard", secret=SECRET),
        ]

        @pytest.mark.parametrize("call", CALLS, ids=str)
        def test_call(trigger_workflow, call):
            call(trigger_workflow)

        @pytest.mark.wisebot(api="dashboard")
        def test_marker(trigger_workflow):
            trigger_workflow("echo", {"n": 1}, secret=SECRET)

        @pytest.mark.parametrize("wisebot_api", ["dashboard"], indirect=True)
        def test_parameter(trigger_workflow, wisebot_api):
            trigger_workflow("echo", {"n": 1}, secret=SECRET)
    """)  # fmt: skip
    result = outside.run(*args)
    assert result.parseoutcomes() == {"not": 6 + bool(args)}
    assert REFUSED in result.stdout.str()
    assert outside.arrived == []


def test_the_dashboard_half_of_a_test_over_both_apis_is_refused(outside: Outside) -> None:
    """The other half expects the refusal that a wrong secret meets; with ``api="webhook"`` both are right."""
    outside.test("""
        @pytest.mark.wisebot(api="both")
        def test_both(trigger_workflow):
            with pytest.raises(AuthenticationFailed):
                trigger_workflow("echo", {"n": 1}, secret="FAKE-secret-that-is-wrong")

        @pytest.mark.wisebot(api="both")
        def test_named(trigger_workflow):
            with pytest.raises(AuthenticationFailed):
                trigger_workflow("echo", {"n": 2}, api="webhook", secret="FAKE-secret-that-is-wrong")
    """)
    result = outside.run("-v")
    assert result.parseoutcomes() == {"passed": 3, "not": 1}
    result.stdout.fnmatch_lines(["test_it.py::test_both[[]dashboard] NOT RUN*", f"E*ConfigurationError: {REFUSED}"])
    assert outside.arrived == [1, 2, 2]
