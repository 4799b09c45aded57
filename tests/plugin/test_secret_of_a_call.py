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


SOURCE = """
    SECRET = "CANARY-named-in-the-module"

    def test_call(trigger_workflow):
        trigger_workflow("echo", {"n": 1}, secret="CANARY-of-the-call")

    def test_start(trigger_workflow):
        trigger_workflow.start("no such workflow", secret="CANARY-of-the-start")

    def test_map(trigger_workflow):
        trigger_workflow.map("echo", {"n": 1}, secret="CANARY-of-the-map")

    def test_wrong_inputs(trigger_workflow):
        trigger_workflow("echo", {"n": object()}, secret="CANARY-of-wrong-inputs")

    def test_wrong_timeout(trigger_workflow):
        trigger_workflow("echo", timeout=-1, secret="CANARY-of-a-wrong-timeout")

    def test_wrong_name(trigger_workflow):
        trigger_workflow("echo", input={"n": 1}, secret="CANARY-beside-a-wrong-name")

    def test_wrong_api(trigger_workflow):
        trigger_workflow("echo", api="web", secret="CANARY-beside-a-wrong-api")

    def test_dashboard(trigger_workflow):
        trigger_workflow("echo", api="dashboard", secret="CANARY-beside-the-dashboard")

    def test_not_reached(trigger_workflow):
        if trigger_workflow is None:
            trigger_workflow("echo", secret="CANARY-not-reached")
        raise ValueError("before the call")

    def test_argument_that_raises(trigger_workflow):
        trigger_workflow(
            "echo",
            {"n": 1 // 0},
            secret="CANARY-behind-an-error",
        )

    def test_by_name(trigger_workflow):
        mine = "CANARY-named-in-the-test"
        trigger_workflow("echo", {"n": 1 // 0}, secret=mine)

    def test_by_name_of_the_module(trigger_workflow):
        print("it is", SECRET)
        trigger_workflow("echo", {"n": 1 // 0}, secret=SECRET)

    @pytest.fixture
    def ran(trigger_workflow):
        return trigger_workflow("echo", secret="CANARY-of-a-fixture")

    def test_fixture(ran):
        pass

    @pytest.fixture(scope="module")
    def ran_once(trigger_workflow):
        return trigger_workflow.start("echo", secret="CANARY-of-a-wider-fixture").wait()

    def test_wider_fixture(ran_once):
        pass

    @pytest.mark.wisebot(trials=2, min_passes=1)
    def test_trials(trigger_workflow):
        trigger_workflow("echo", secret="CANARY-of-a-trial")

    @pytest.mark.wisebot(share=True)
    def test_share(trigger_workflow):
        trigger_workflow("echo", secret="CANARY-of-a-shared-run")
"""


@pytest.mark.parametrize("flags", [[], ["-n", "1"]], ids=["one process", "xdist"])
@pytest.mark.parametrize("broken", ["emulator", "nothing"])
def test_a_secret_in_a_tests_source_is_masked_however_its_call_fails(
    outside: Outside, broken: str, flags: list[str]
) -> None:
    """Where the failure's line is shown, the call may never have come to look at its credential, or not at all."""
    if broken == "emulator":
        outside.project.write("wisebot.toml", 'default-environment = "e"\n[environments.e]\nemulator = "nowhere:none"')
    outside.test(SOURCE)
    result = outside.run("-l", "-vv", "--junitxml=junit.xml", "--wisebot-report=report", *flags)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    written = [path.read_text("utf-8") for path in outside.project.path.glob("report/*")]
    said = "\n".join([result.stdout.str(), (outside.project.path / "junit.xml").read_text("utf-8"), *written])
    assert [line for line in said.splitlines() if "CANARY" in line] == []
    assert 'secret="<secret>"' in said
    assert "$WISEBOT_WORKFLOW_SECRET" not in said  # in the user's shell that may be production's
    assert broken == "emulator" or "Authorization: Bearer $FILL_IN_THE_SECRET" in said


@pytest.mark.parametrize("flags", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_a_secret_in_a_marker_is_masked(outside: Outside, flags: list[str]) -> None:
    """A marker takes no secret: the error of collection shows the mark's line, and not what it holds."""
    outside.test("""
        @pytest.mark.wisebot("echo", secret="CANARY-of-a-marker")
        def test_it(workflow_run):
            pass
    """)
    result = outside.run("-l", "-vv", "--junitxml=junit.xml", *flags)
    said = result.stdout.str() + result.stderr.str() + (outside.project.path / "junit.xml").read_text("utf-8")
    assert "CANARY" not in said


def test_what_the_settings_hook_gave_is_masked_in_a_worker_without_an_emulator(outside: Outside) -> None:
    """The worker never gets the settings, and yet masks what the controller knows of them, in its own log as well."""
    outside.project.write("wisebot.toml", 'default-environment = "e"\n[environments.e]\nemulator = "nowhere:none"')
    outside.project.write(
        "conftest.py",
        """
        def pytest_wisebot_settings(settings):
            return settings.replace(secret="-".join(["CANARY", "of", "the", "hook"]))
        """,
    )
    outside.test("""
        import logging

        def test_it(trigger_workflow, wisebot_settings):
            pass

        def test_that(pytestconfig):
            from pytest_wisebot.plugin.session_state import state_of

            given = "-".join(["CANARY", "of", "the", "hook"])
            assert state_of(pytestconfig).redactor.clean(given) == "<secret>"
    """)
    assert outside.run("-n", "1").parseoutcomes() == {"passed": 1, "not": 1}
