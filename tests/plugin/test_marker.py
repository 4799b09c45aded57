"""The ``wisebot`` marker and ``workflow_run``: what is declared, and which declaration holds."""

from __future__ import annotations

import dataclasses
import re
from itertools import takewhile

from harness import Project

from pytest_wisebot.plugin.markers import Declared


def test_the_marker_declares_the_run_of_workflow_run(project: Project) -> None:
    """``workflow_run`` is the run of the marker's workflow with the marker's inputs."""
    project.test("""
        @pytest.mark.wisebot("triage", {"ticketId": "T-1", "message": "charged"})
        def test_it(workflow_run):
            assert assert_result(workflow_run, {"category": "billing"})["ticketId"] == "T-1"
    """)
    project.run().assert_outcomes(passed=1)


def test_the_parameter_named_inputs_is_the_input_bag(project: Project) -> None:
    """Without inputs in the marker, a test's ``inputs`` is the bag: a parameter, an indirect one, or a fixture."""
    project.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"a": 1}, {"a": 2}])
        def test_direct(workflow_run, inputs):
            assert workflow_run.result == inputs

        @pytest.fixture
        def inputs(request):
            return {"from": getattr(request, "param", "the fixture")}

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", ["a parameter"], indirect=True)
        def test_indirect(workflow_run, inputs):
            assert workflow_run.result == {"from": "a parameter"}

        @pytest.mark.wisebot("echo")
        def test_fixture(workflow_run, inputs):
            assert workflow_run.result == {"from": "the fixture"}

        @pytest.mark.wisebot("echo", {"from": "the marker"})
        def test_the_marker_wins(workflow_run, inputs):
            assert workflow_run.result == {"from": "the marker"}
    """)
    project.run().assert_outcomes(passed=5)


def test_the_closest_marker_holds(project: Project) -> None:
    """A parameter's marker beats the function's, that the class's, that the module's."""
    project.test("""
        pytestmark = pytest.mark.wisebot("echo", {"by": "module"})

        def test_module(workflow_run):
            assert workflow_run.result == {"by": "module"}

        @pytest.mark.wisebot("echo", {"by": "class"})
        class TestClass:
            def test_class(self, workflow_run):
                assert workflow_run.result == {"by": "class"}

            @pytest.mark.wisebot("echo", {"by": "function"})
            @pytest.mark.parametrize("by", [
                "function", pytest.param("parameter", marks=pytest.mark.wisebot("echo", {"by": "parameter"}))
            ])
            def test_function(self, workflow_run, by):
                assert workflow_run.result == {"by": by}
    """)
    project.run().assert_outcomes(passed=4)


def test_both_apis_are_two_tests_whose_runs_are_their_own(project: Project) -> None:
    """``api="both"`` runs a test once over each API, and says so in its name."""
    project.test("""
        @pytest.mark.wisebot("echo", {"a": 1}, api="both")
        def test_declared(workflow_run, wisebot_api):
            assert workflow_run.api is wisebot_api

        @pytest.mark.wisebot(api="both")
        @pytest.mark.parametrize("n", [1, 2])
        def test_called(trigger_workflow, n, wisebot_emulator):
            trigger_workflow("echo", {"n": n})
            (call,) = wisebot_emulator.calls()
            assert call.inputs == {"n": n}

        @pytest.mark.wisebot("echo", api="dashboard")
        def test_one(workflow_run):
            assert workflow_run.api is Api.DASHBOARD
    """)
    result = project.run("-v")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines_random(
        [
            "test_it.py::test_declared[[]webhook] PASSED*",
            "test_it.py::test_declared[[]dashboard] PASSED*",
            "test_it.py::test_called[[]webhook-1] PASSED*",
            "test_it.py::test_called[[]dashboard-2] PASSED*",
            "test_it.py::test_one PASSED*",
        ]
    )


def test_both_by_option_concerns_the_tests_that_name_no_api(project: Project) -> None:
    """``--wisebot-api both`` doubles a test that starts runs and names no API, and no other."""
    project.test("""
        def test_unnamed(trigger_workflow):
            assert trigger_workflow("echo").ok

        @pytest.mark.wisebot("echo", api="dashboard")
        def test_named(workflow_run):
            assert workflow_run.api is Api.DASHBOARD

        @pytest.fixture
        def helper(trigger_workflow):
            return trigger_workflow

        def test_by_a_fixture_of_its_own(helper, wisebot_api):
            assert helper("echo").api is wisebot_api

        def test_unrelated():
            pass
    """)
    project.run("--wisebot-api", "both").assert_outcomes(passed=6)


def test_a_marker_without_a_workflow_speaks_of_the_calls(project: Project) -> None:
    """API, timeout, inputs and limit of such a marker hold for what the test calls itself."""
    project.test("""
        @pytest.mark.wisebot(api="dashboard", inputs={"a": 1}, timeout=1)
        def test_it(trigger_workflow):
            run = trigger_workflow("echo")
            assert (run.api, run.result) == (Api.DASHBOARD, {"a": 1})
            assert trigger_workflow("echo", {"b": 2}, api="webhook").api is Api.WEBHOOK
            with pytest.raises(RunTimedOut, match="no whole answer within 1 s"):
                trigger_workflow("endless")
            with pytest.raises(RunTimedOut, match="no whole answer within 0.5 s"):
                trigger_workflow("endless", timeout=0.5)
    """)
    project.run().assert_outcomes(passed=1)


def test_a_run_over_its_limit_fails_the_test(project: Project) -> None:
    """``max_seconds`` fails a test that passed otherwise, says by how much, and leaves another failure alone."""
    project.test("""
        @pytest.mark.wisebot("slow", max_seconds=0.1)
        def test_slow(workflow_run):
            pass

        @pytest.mark.wisebot(max_seconds=0.1)
        def test_slow_call(trigger_workflow):
            trigger_workflow("echo"), trigger_workflow("slow")

        @pytest.mark.wisebot("slow", max_seconds=0.1)
        def test_wrong(workflow_run):
            assert workflow_run.result == "fast"

        @pytest.mark.wisebot("slow", max_seconds=10)
        def test_in_time(workflow_run, trigger_workflow):
            pass
    """)
    result = project.run()
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "slow (webhook) took 0.?? s, more than max_seconds=0.1, runId run_*",
            "E*AssertionError: assert 'slow' == 'fast'",
        ]
    )


def test_a_marker_alone_starts_no_run(project: Project) -> None:
    """Only a test that uses ``workflow_run`` pays for a run."""
    project.test("""
        @pytest.mark.wisebot("echo")
        class TestMarked:
            def test_marked(self):
                pass

        def test_count(wisebot_emulator):
            assert wisebot_emulator.calls(everywhere=True) == []
    """)
    project.run().assert_outcomes(passed=2)


def test_a_wrong_marker_is_told_in_one_message(project: Project) -> None:
    """An unknown argument, a wrong value, a missing workflow: each names the test, the wrong and the right."""
    project.test("""
        @pytest.mark.wisebot()
        def test_none(workflow_run):
            pass

        def test_no_marker(workflow_run):
            pass

        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.wisebot("echo", api="both"))])
        def test_both(workflow_run, n):
            pass

        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.wisebot("echo", timeout="5"))])
        def test_parameter(workflow_run, n):
            pass

        def test_that_needs_no_run():
            pass
    """)
    result = project.run()
    assert result.parseoutcomes() == {"passed": 1, "not": 4}
    assert result.stdout.str().count(" at setup __") == 4
    needs = 'workflow_run needs a marker that names a workflow: @pytest.mark.wisebot("NAME", {...})'
    signature = (
        "it is wisebot(workflow=None, inputs=None, *, api=None, timeout=None, max_seconds=None, trials=1, "
        "min_passes=None, share=False, cases=None, quarantine=None)"
    )
    for message in [
        f"test_it.py::test_none: {needs}",
        f"test_it.py::test_no_marker: {needs}",
        "test_it.py::test_both[1]: the wisebot marker: api='both' on one parameter alone: "
        "put it on the function, the class or the module",
        "test_it.py::test_parameter[1]: the wisebot marker: timeout: expected a number of seconds above 0, got '5'; "
        + signature,
    ]:
        assert f"E   pytest_wisebot.errors.ConfigurationError: {message}" in result.outlines


def test_a_wrong_marker_on_a_function_is_told_at_collection(project: Project) -> None:
    """Where Python refuses the arguments, its own words are kept, and pytest points at the module."""
    project.test("""
        @pytest.mark.wisebot("echo", max_second=3)
        def test_it(workflow_run):
            pass
    """)
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting test_it.py*",
            "test_it.py::test_it: the wisebot marker: wisebot() got an unexpected keyword argument 'max_second'*; "
            "did you mean max_seconds?; it is wisebot(workflow=None, *",
        ]
    )


def test_the_marker_is_explained(project: Project) -> None:
    """``pytest --markers`` shows the signature, and each argument in a line of its own."""
    lines = project.run("--markers").outlines
    start = next(at for at, line in enumerate(lines) if line.startswith("@pytest.mark.wisebot("))
    assert lines[start].endswith("quarantine=None): the run that the fixture workflow_run gives")
    explained = dict(line.strip().split(": ", 1) for line in takewhile(str.strip, lines[start + 1 :]))
    held = [one.name for one in dataclasses.fields(Declared)]
    assert [*explained] == re.findall(r"(\w+)=", lines[start]) == [*held, "quarantine"]
    assert all(explained.values())


def test_both_apis_are_never_silently_one(project: Project) -> None:
    """Where pytest cannot make two tests of one, the marker is refused in place of running over one API."""
    project.test("""
        import unittest

        @pytest.mark.wisebot(api="both")
        def test_by_name(request):
            request.getfixturevalue("trigger_workflow")("echo")

        @pytest.mark.wisebot("echo", api="both")
        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def run_it(self, workflow_run):
                pass

            def test_it(self):
                pass
    """)
    result = project.run()
    assert result.parseoutcomes() == {"not": 2}
    result.stdout.re_match_lines(["_+ test_by_name _+", "_+ TestOld.test_it at setup _+"])
    assert result.stdout.str().count("api='both' needs a test function with trigger_workflow, workflow_run or") >= 2


def test_a_project_may_choose_the_apis_itself(project: Project) -> None:
    """A ``wisebot_api`` of the project's own, or a parametrize mark with it, is what holds."""
    project.test("""
        @pytest.mark.parametrize("wisebot_api", ["dashboard"], indirect=True)
        def test_parametrized(trigger_workflow, wisebot_api):
            assert trigger_workflow("echo").api is wisebot_api is Api.DASHBOARD

        class TestOwn:
            @pytest.fixture
            def wisebot_api(self):
                return "dashboard"

            @pytest.mark.wisebot("echo")
            def test_own(self, workflow_run, trigger_workflow):
                assert workflow_run.api is trigger_workflow("echo").api is Api.DASHBOARD
    """)
    project.run("--wisebot-api", "both").assert_outcomes(passed=2)
