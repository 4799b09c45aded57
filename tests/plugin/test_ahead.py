"""Declared runs start before their tests: which of them, in which order, and what each test then waits for."""

from __future__ import annotations

import json

import pytest
from harness import Outside, Project


def test_declared_runs_are_under_way_before_the_first_test(outside: Outside) -> None:
    """All of them fly at once while the first test has not ended, and each is sent once."""
    outside.test("""
        def test_first():
            until(lambda: set(arrived()) == {1, 2, 3})
            open_gate()

        @pytest.mark.wisebot("gate")
        @pytest.mark.parametrize("inputs", [{"n": n, "until": GATE} for n in (1, 2, 3)])
        def test_declared(workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    outside.run().assert_outcomes(passed=4)
    assert sorted(outside.arrived) == [1, 2, 3]
    assert outside.handle.peak() == 3


@pytest.mark.parametrize("given_by", ["option", "wisebot.toml"])
def test_no_more_fly_ahead_than_the_cap_allows(outside: Outside, given_by: str) -> None:
    """The cap, by option or by ``wisebot.toml``, holds for what is ahead as for all else."""
    outside.test("""
        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.05} for n in range(7)])
        def test_declared(workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    if given_by == "wisebot.toml":
        outside.setting("concurrency = 3")
    outside.run(*(["--wisebot-concurrency", "3"] if given_by == "option" else [])).assert_outcomes(passed=7)
    assert outside.handle.peak() == 3
    assert sorted(outside.arrived) == list(range(7))


def test_without_a_last_session_the_order_is_that_of_the_tests(outside: Outside) -> None:
    """It is the order in which the tests will run, whatever another plugin made of it."""
    outside.project.write("conftest.py", "def pytest_collection_modifyitems(items): items.reverse()")
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(5)])
        def test_declared(workflow_run, inputs):
            pass

        def test_first():
            until(lambda: len(answered()) == 5)
    """)
    outside.run("--wisebot-concurrency", "1").assert_outcomes(passed=6)
    assert outside.arrived == [4, 3, 2, 1, 0]


def test_the_longest_of_the_last_session_goes_first(outside: Outside) -> None:
    """From the second session on; those that nobody has seen run keep their order behind it."""
    outside.test("""
        def test_first():
            until(lambda: len(answered()) == TESTS)

        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.01} for n in (1, 3, 2)])
        def test_declared(workflow_run, inputs):
            pass

        TESTS = 3
    """)
    alone = ["--wisebot-concurrency", "1"]
    outside.run_with_cache(*alone).assert_outcomes(passed=4)
    assert outside.arrived == [1, 3, 2]
    # As if each had taken its own number of seconds: what was measured depends on the machine.
    durations = outside.project.path / ".pytest_cache/v/wisebot/durations"
    kept = sorted(json.loads(durations.read_text("utf-8")))
    assert len(kept) == 3
    durations.write_text(json.dumps({test: ("nap", n) for test, n in zip(kept, (1, 3, 2), strict=True)}), "utf-8")
    outside.handle.reset(everywhere=True)
    outside.project.test("""
        from outside import *

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": "new"}, {"n": "newer"}])
        def test_new(workflow_run, inputs):
            pass
    """, name="test_new.py")  # fmt: skip
    outside.project.write("test_it.py", (outside.project.path / "test_it.py").read_text().replace("= 3", "= 5"))
    outside.run_with_cache(*alone).assert_outcomes(passed=6)
    assert outside.arrived == [3, 2, 1, "new", "newer"]


def test_what_a_test_waits_for_goes_before_what_is_merely_ahead(outside: Outside) -> None:
    """A call overtakes the queue, and so does the declared run of the test whose turn it is."""
    outside.test("""
        def test_call(trigger_workflow):
            until(lambda: arrived() == ["flying"])
            pending = trigger_workflow.start("echo", {"n": "called"})
            open_gate()
            assert pending.wait().ok
            until(lambda: len(answered()) == 4)

        @pytest.mark.wisebot("gate", {"n": "flying", "until": GATE})
        def test_flying(workflow_run):
            pass

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": "queued"}, {"n": "queued, too"}])
        def test_queued(workflow_run, inputs):
            pass
    """)
    outside.run("--wisebot-concurrency", "1").assert_outcomes(passed=4)
    assert outside.arrived == ["flying", "called", "queued", "queued, too"]


def test_a_declared_run_is_hurried_once_its_test_asks(outside: Outside) -> None:
    """The longest of the last session goes first, but not before the run for which the session stands still."""
    outside.test("""
        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", [{"n": n, "seconds": (0, 0.05, 0.1, 0.3)[n]} for n in (1, 2, 3)])
        def test_declared(workflow_run, inputs):
            pass
    """)
    outside.run_with_cache("--wisebot-concurrency", "1").assert_outcomes(passed=3)
    outside.handle.reset(everywhere=True)
    outside.run_with_cache("--wisebot-concurrency", "1").assert_outcomes(passed=3)
    assert outside.arrived == [3, 1, 2]


def test_a_test_waits_for_its_own_run_alone(outside: Outside) -> None:
    """A test whose run has ended goes on while those of later tests are under way."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": "quick"})
        def test_quick(workflow_run):
            assert answered() == ["quick"]
            open_gate()

        @pytest.mark.wisebot("gate", {"n": "slow", "until": GATE})
        def test_slow(workflow_run):
            assert workflow_run.result["n"] == "slow"
    """)
    outside.run().assert_outcomes(passed=2)
    assert sorted(outside.arrived) == ["quick", "slow"]


def test_a_marker_without_workflow_run_costs_nothing(outside: Outside) -> None:
    """A marked test that uses another fixture of this plugin, or none, has no run of its own."""
    outside.test("""
        pytestmark = pytest.mark.wisebot("echo", {"n": "marker"})

        def test_marked():
            pass

        def test_settings(wisebot_settings):
            pass

        def test_called(trigger_workflow):
            trigger_workflow("echo", {"n": "call"})
    """)
    outside.run().assert_outcomes(passed=3)
    assert outside.arrived == ["call"]


def test_whatever_can_be_known_is_ahead(outside: Outside) -> None:
    """Marks of modules, classes, functions and parameters (which win), parametrised inputs, fixtures in between."""
    outside.test("""
        pytestmark = pytest.mark.wisebot("echo", {"n": "module"})

        def test_first():
            until(lambda: sorted(answered()) == sorted(
                ["module", "class", "function", "parameter", "inputs", "fixture", "autouse", "usefixtures", "dashboard"]
            ))

        def test_module(workflow_run):
            assert workflow_run.result == {"n": "module"}

        @pytest.mark.wisebot("echo", {"n": "class"})
        class TestClass:
            def test_class(self, workflow_run):
                assert workflow_run.result == {"n": "class"}

            @pytest.mark.wisebot("echo", {"n": "function"})
            @pytest.mark.parametrize("by", [
                "function", pytest.param("parameter", marks=pytest.mark.wisebot("echo", {"n": "parameter"}))
            ])
            def test_function(self, workflow_run, by):
                assert workflow_run.result == {"n": by}

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("other", [1])
        @pytest.mark.parametrize("inputs", [{"n": "inputs"}])
        def test_inputs(other, workflow_run, inputs):
            assert workflow_run.result == inputs

        @pytest.fixture
        def result(workflow_run):
            return workflow_run.result

        @pytest.mark.wisebot("echo", {"n": "fixture"})
        def test_fixture(result):
            assert result == {"n": "fixture"}

        class TestAutouse:
            @pytest.fixture(autouse=True)
            def run_it(self, workflow_run):
                self.result = workflow_run.result

            @pytest.mark.wisebot("echo", {"n": "autouse"})
            def test_autouse(self):
                assert self.result == {"n": "autouse"}

        @pytest.mark.usefixtures("workflow_run")
        @pytest.mark.wisebot("echo", {"n": "usefixtures"})
        def test_usefixtures():
            pass

        @pytest.mark.parametrize("wisebot_api", ["dashboard"], indirect=True)
        @pytest.mark.wisebot("echo", {"n": "dashboard"})
        def test_api(workflow_run, wisebot_api):
            assert workflow_run.api is wisebot_api is Api.DASHBOARD
    """)
    outside.run().assert_outcomes(passed=10)
    assert len(outside.arrived) == 9


def test_what_only_fixtures_know_is_not_ahead_and_still_right(outside: Outside) -> None:
    """Inputs that a fixture makes, and fixtures of this plugin that a project put in their place, are asked for."""
    outside.test("""
        def test_first():
            until(lambda: answered() == ["witness"])

        class TestFixture:
            @pytest.fixture
            def inputs(self):
                return {"n": "fixture"}

            @pytest.mark.wisebot("echo")
            def test_it(self, workflow_run, inputs):
                assert workflow_run.result == {"n": "fixture"}

        class TestIndirect:
            @pytest.fixture
            def inputs(self, request):
                return {"n": request.param}

            @pytest.mark.wisebot("echo")
            @pytest.mark.parametrize("inputs", ["indirect"], indirect=True)
            def test_it(self, workflow_run, inputs):
                assert workflow_run.result == {"n": "indirect"}

        class TestParams:
            @pytest.fixture(params=["params"])
            def inputs(self, request):
                return {"n": request.param}

            @pytest.mark.wisebot("echo")
            def test_it(self, workflow_run, inputs):
                assert workflow_run.result == {"n": "params"}

        class TestOwnRun:
            @pytest.fixture
            def workflow_run(self, trigger_workflow):
                return trigger_workflow("echo", {"n": "own run"})

            @pytest.mark.wisebot("echo", {"n": "marker"})
            def test_it(self, workflow_run):
                assert workflow_run.result == {"n": "own run"}

        class TestWrappedRun:
            @pytest.fixture
            def workflow_run(self, workflow_run):
                return workflow_run.result

            @pytest.mark.wisebot("echo", {"n": "wrapped run"})
            def test_it(self, workflow_run):
                assert workflow_run == {"n": "wrapped run"}

        class TestOwnApi:
            @pytest.fixture
            def wisebot_api(self):
                return "dashboard"

            @pytest.mark.wisebot("echo", {"n": "own API"})
            def test_it(self, workflow_run):
                assert (workflow_run.api, workflow_run.result) == (Api.DASHBOARD, {"n": "own API"})

        @pytest.mark.wisebot("echo", {"n": "by name"})
        def test_by_name(request):
            assert request.getfixturevalue("workflow_run").result == {"n": "by name"}

        @pytest.mark.wisebot("echo", {"n": "witness"})
        def test_witness(workflow_run):
            assert workflow_run.result == {"n": "witness"}
    """)
    outside.run("--wisebot-concurrency", "1").assert_outcomes(passed=9)
    others = ["fixture", "indirect", "params", "own run", "wrapped run", "own API", "by name"]
    assert outside.arrived == ["witness", *others]


def test_inputs_in_the_marker_are_ahead_whatever_the_fixtures_say(outside: Outside) -> None:
    """The marker wins over the parameter and the fixture, and so there is nothing to wait for."""
    outside.test("""
        def test_first():
            until(lambda: answered() == ["marker"])

        @pytest.fixture
        def inputs():
            return {"n": "fixture"}

        @pytest.mark.wisebot("echo", {"n": "marker"})
        def test_it(workflow_run, inputs):
            assert workflow_run.result == {"n": "marker"}
    """)
    outside.run().assert_outcomes(passed=2)


def test_a_test_with_the_emulators_handle_is_never_ahead(project: Project) -> None:
    """It may have to set up a fault for its run first, even where only one of its fixtures uses the handle."""
    project.test("""
        from pytest_wisebot.emulator import Fault

        @pytest.fixture
        def in_vain(wisebot_emulator):
            assert [call.inputs for call in wisebot_emulator.calls(everywhere=True)] in ([], [{"n": "witness"}])
            wisebot_emulator.fail_next(Fault.rate_limited(retry_after=0.01))

        @pytest.mark.wisebot("echo", {"n": "faulty"})
        def test_faulty(in_vain, workflow_run):
            assert workflow_run.attempts == 2

        @pytest.mark.wisebot("echo", {"n": "witness"})
        def test_witness(workflow_run):
            assert workflow_run.attempts == 1
    """)
    project.run().assert_outcomes(passed=2)


def test_inputs_that_a_fixture_changes_are_run_as_changed(outside: Outside) -> None:
    """The run that was ahead is then another one: the test gets its own, and the summary counts the other."""
    outside.test("""
        @pytest.fixture
        def changed(inputs):
            until(lambda: answered() == ["declared"])
            inputs["n"] = "changed"

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": "declared"}])
        def test_it(changed, workflow_run, inputs):
            assert workflow_run.result == workflow_run.inputs == {"n": "changed"}
    """)
    result = outside.run()
    result.assert_outcomes(passed=1)
    assert outside.arrived == ["declared", "changed"]
    assert "1 run was sent and not awaited: it may have happened" in result.outlines


def test_a_result_belongs_to_its_test_even_where_tests_declare_the_same(outside: Outside) -> None:
    """Equal declarations are two runs with two ids, unless they say that they share one."""
    outside.test("""
        SEEN = set()

        @pytest.mark.wisebot("echo", {"n": 1})
        @pytest.mark.parametrize("number", [1, 2])
        def test_it(workflow_run, number):
            assert workflow_run.run_id not in SEEN
            SEEN.add(workflow_run.run_id)
            workflow_run.result["n"] = workflow_run.inputs["n"] = "spoilt"
    """)
    outside.run().assert_outcomes(passed=2)
    assert outside.arrived == [1, 1]


def test_what_is_wrong_with_one_declaration_is_told_by_its_test_alone(outside: Outside) -> None:
    """Inputs that are no JSON, a wrong marker, an unknown workflow: the other runs are ahead all the same."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": {1, 2}}])
        def test_no_json(workflow_run, inputs):
            pass

        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.wisebot("echo", timeout=-1))])
        def test_wrong_marker(workflow_run, n):
            pass

        @pytest.mark.wisebot("nowhere", {"n": "nowhere"})
        def test_unknown(workflow_run):
            pass

        @pytest.mark.wisebot("echo", {"n": "right"})
        def test_right(workflow_run):
            pass

        def test_first():
            assert sorted(filter(None, arrived())) == ["right"]
    """)
    result = outside.run()
    assert result.parseoutcomes() == {"passed": 2, "not": 2, "infrastructure": 1}
    assert result.stdout.str().count(" at setup __") == 3
    start = "E   pytest_wisebot.errors."
    assert f"{start}ConfigurationError: inputs.n: set is not a JSON value: {{1, 2}}" in result.outlines
    assert any(line.startswith(f"{start}WorkflowNotFound: no such workflow at this host") for line in result.outlines)
    assert any("timeout: expected a number of seconds above 0, got -1" in line for line in result.outlines)
    assert sorted(outside.arrived) == ["nowhere", "right"]


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_module_that_cannot_be_imported_ends_the_session_before_anything_is_sent(
    outside: Outside, goes_on: bool
) -> None:
    """Pytest runs no test then; with ``--continue-on-collection-errors`` it does, and the runs are ahead."""
    outside.project.write("test_broken.py", "import nothing_that_is_there")
    outside.test("""
        def test_first():
            until(lambda: answered() == [1])

        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            pass
    """)
    result = outside.run(*(["--continue-on-collection-errors"] if goes_on else []))
    result.assert_outcomes(passed=2 if goes_on else 0, errors=1)
    assert outside.arrived == ([1] if goes_on else [])


@pytest.mark.parametrize("args", [[], ["--wisebot-plan"]], ids=["run", "plan"])
def test_items_that_are_no_functions_are_passed_over(outside: Outside, args: list[str]) -> None:
    """A project may collect other things than Python tests."""
    outside.project.write(
        "conftest.py",
        """
        import pytest

        class Item(pytest.Item):
            def runtest(self):
                pass

        class File(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="one")

        def pytest_collect_file(parent, file_path):
            return File.from_parent(parent, path=file_path) if file_path.suffix == ".other" else None
        """,
    )
    outside.project.write("test_it.other", "")
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            pass
    """)
    assert outside.run(*args, ".").ret == 0
    assert outside.arrived == ([] if args else [1])
