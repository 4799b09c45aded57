"""``wisebot_emulator``: what arrived, and faults on demand, for the asking test alone."""

from __future__ import annotations

from harness import ByHand, Project


def test_it_knows_the_asking_tests_own_calls(project: Project) -> None:
    """``calls`` and ``reset`` concern the asking test, unless it says ``everywhere=True``."""
    project.test("""
        def test_one(trigger_workflow, wisebot_emulator):
            trigger_workflow("echo", {"by": "one"})
            trigger_workflow("refund", {"by": "one"}, api="dashboard")
            assert [call.workflow for call in wisebot_emulator.calls()] == ["echo", "refund"]
            assert [call.inputs for call in wisebot_emulator.calls("echo")] == [{"by": "one"}]

        def test_two(trigger_workflow, wisebot_emulator):
            assert wisebot_emulator.calls() == []
            assert len(wisebot_emulator.calls(everywhere=True)) == 2
            wisebot_emulator.reset()
            assert len(wisebot_emulator.calls(everywhere=True)) == 2
            wisebot_emulator.reset(everywhere=True)
            assert wisebot_emulator.calls(everywhere=True) == []
    """)
    project.run().assert_outcomes(passed=2)


def test_a_fault_meets_the_asking_test_alone(project: Project) -> None:
    """A fault that one test asked for and did not use up does not hit the next one."""
    project.test("""
        from pytest_wisebot.emulator import Fault

        def test_one(trigger_workflow, wisebot_emulator):
            wisebot_emulator.fail_next(Fault.status(500), times=5, workflow="echo")
            assert trigger_workflow("triage").ok
            with pytest.raises(GatewayFailed):
                trigger_workflow("echo")

        def test_two(trigger_workflow, wisebot_emulator):
            assert trigger_workflow("echo").ok
            wisebot_emulator.fail_next(Fault.status(500), everywhere=True)
            with pytest.raises(GatewayFailed):
                trigger_workflow("echo")
    """)
    project.run().assert_outcomes(passed=2)


def test_credentials_are_masked_in_what_arrived(project: Project) -> None:
    """A call's headers show which one carried a credential, and not which credential."""
    project.test("""
        def test_it(trigger_workflow, wisebot_emulator):
            trigger_workflow("echo", {"a": 1})
            (call,) = wisebot_emulator.calls()
            assert call.headers["authorization"] == "Bearer [masked]"
            assert call.headers["content-type"] == "application/json"
            assert "FAKE" not in repr(call)
    """)
    project.run().assert_outcomes(passed=1)


def test_it_is_an_error_without_an_emulator(empty_project: Project, emulator_by_hand: ByHand) -> None:
    """Against a host of one's own the fixture says that there is no emulator."""
    empty_project.test("def test_it(wisebot_emulator): pass")
    result = empty_project.run("--wisebot-origin", emulator_by_hand.origin)
    assert result.parseoutcomes() == {"not": 1}
    result.stdout.re_match_lines(["_+ test_it at setup _+"])
    message = f"wisebot_emulator: this session runs against {emulator_by_hand.origin}, not an emulator"
    assert f"E   pytest_wisebot.errors.ConfigurationError: {message}" in result.outlines


def test_only_an_emulator_is_told_which_test_asks(project: Project, emulator_by_hand: ByHand) -> None:
    """The tag of a test goes to the session's own emulator, and to no other host."""
    project.test("""
        import os

        def test_it(trigger_workflow, wisebot_settings):
            headers = trigger_workflow("headers").result
            assert ("x-wisebot-test" in headers) == (wisebot_settings.emulator is not None)
    """)
    project.write(
        "flows.py",
        """
        from http.server import BaseHTTPRequestHandler
        from pytest_wisebot.emulator import Emulator
        emulator = Emulator()

        @emulator.workflow("headers")
        def headers(inputs):
            return [name for call in emulator.calls() for name in call.headers]
        """,
    )
    project.run().assert_outcomes(passed=1)


def test_an_emulator_that_cannot_start_is_told_with_what_it_said(project: Project) -> None:
    """A mistake in the workflows' file is the user's: one configuration error with the last lines of the traceback."""
    project.write("flows.py", "import not_there_at_all")
    project.test("""
        def test_it(trigger_workflow):
            trigger_workflow("echo")

        def test_without():
            pass
    """)
    result = project.run()
    assert result.parseoutcomes() == {"not": 1, "passed": 1}
    result.stdout.fnmatch_lines(
        ["_* test_it _*", "*ConfigurationError: *flows:emulator*", "*No module named 'not_there_at_all'*"]
    )


def test_an_origin_given_as_an_option_takes_the_emulators_place(project: Project, emulator_by_hand: ByHand) -> None:
    """``--wisebot-origin`` and a secret: the same tests run against another Wisebot, and no emulator is started."""
    project.write("flows.py", "raise RuntimeError('started all the same')")
    project.test("def test_it(trigger_workflow): assert trigger_workflow('echo').source == 'live'")
    secret = project.write("secret.txt", "FAKE-secret-of-echo\n")
    project.run("--wisebot-origin", emulator_by_hand.origin, "--wisebot-secret", f"file:{secret}").assert_outcomes(
        passed=1
    )
