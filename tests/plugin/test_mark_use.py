"""A test that declares a run and never uses it proves nothing: it is an error, or at least named at the end."""

from __future__ import annotations

import json

import pytest
from harness import Numbers, Outside, Project

pytestmark = pytest.mark.usefixtures("wide_terminal")

NEVER_USED = "declares a run of echo and never used it: add the argument workflow_run"


def collected_wrong(result: pytest.RunResult) -> list[str]:
    """The messages of the tests whose collection failed."""
    assert result.ret == pytest.ExitCode.INTERRUPTED
    return [line for line in result.outlines if line.startswith("test_it.py::")]


def test_a_run_that_is_declared_and_never_asked_for_is_an_error_of_collection(outside: Outside) -> None:
    """On a function, a parameter or a method, beside ``trigger_workflow`` and fixtures of plugins; nothing is sent."""
    outside.test("""
        import unittest

        @pytest.mark.wisebot("echo", {})
        def test_function():
            pass

        @pytest.mark.wisebot("echo", {})
        def test_call(trigger_workflow):
            trigger_workflow("echo", {"n": 1})

        @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.wisebot("echo", {}))])
        def test_parameter(n, tmp_path, monkeypatch, snapshot):
            pass

        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("n", range(3))
        async def test_all_parameters(n):
            pass

        @pytest.mark.wisebot("nap", {})
        class TestClass:
            @pytest.mark.wisebot("echo", {})
            def test_method(self):
                pass

        class TestOld(unittest.TestCase):
            @pytest.mark.wisebot("echo", {})
            def test_old(self):
                pass

        @pytest.mark.wisebot("echo", {"n": "right"})
        def test_right(workflow_run):
            pass
    """)
    assert collected_wrong(outside.run()) == [
        f"test_it.py::test_function: {NEVER_USED}",
        f"test_it.py::test_call: {NEVER_USED}, or leave the workflow out of the marker: the rest then holds for the "
        "calls of trigger_workflow",
        f"test_it.py::test_parameter[2]: {NEVER_USED}",
        f"test_it.py::test_all_parameters: {NEVER_USED}",
        f"test_it.py::TestClass::test_method: {NEVER_USED}",
        "test_it.py::TestOld::test_old: declares a run of echo and never used it: add an autouse fixture that takes "
        "workflow_run",
    ]
    assert outside.arrived == []


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=" ".join)
def test_only_the_wrong_test_is_left_out(outside: Outside, args: list[str]) -> None:
    """With ``--continue-on-collection-errors`` the others of its module run; what is deselected is no error."""
    outside.test("""
        @pytest.mark.wisebot("echo", {})
        def test_wrong():
            pass

        @pytest.mark.wisebot("echo", {"n": "right"})
        def test_right(workflow_run):
            pass
    """)
    result = outside.run("--continue-on-collection-errors", *args)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*ERROR collecting test_it.py*", f"test_it.py::test_wrong: {NEVER_USED}"])
    assert outside.arrived == ["right"]
    if not args:
        outside.run("-k", "right").assert_outcomes(passed=1, deselected=1)


RIGHT = """
    import unittest

    @pytest.fixture
    def result(workflow_run):
        return workflow_run.result

    @pytest.fixture
    def by_name(request):
        return request.getfixturevalue("workflow_run")

    @pytest.mark.wisebot("echo", {})
    def test_a_fixture_takes_it(result):
        assert result == {}

    @pytest.mark.wisebot("echo", {})
    @pytest.mark.usefixtures("workflow_run")
    def test_usefixtures():
        pass

    @pytest.mark.wisebot("echo", {})
    def test_by_name(request):
        assert request.getfixturevalue("workflow_run").ok

    @pytest.mark.wisebot("echo", {})
    def test_a_fixture_asks_by_name(by_name):
        assert by_name.ok

    class TestAutouse:
        @pytest.fixture(autouse=True)
        def take(self, workflow_run):
            self.declared = workflow_run

        @pytest.mark.wisebot("echo", {})
        def test_autouse(self):
            pass

    class TestOld(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def take(self, workflow_run):
            self.declared = workflow_run

        @pytest.mark.wisebot("echo", {})
        def test_old(self):
            assert self.declared.ok

    @pytest.mark.skip
    @pytest.mark.wisebot("echo", {})
    def test_skipped():
        pass

    @pytest.mark.xfail(run=False)
    @pytest.mark.wisebot("echo", {})
    def test_not_run():
        pass

    @pytest.mark.wisebot("echo", {})
    def test_skips_itself(request):
        pytest.skip("not today")

    @pytest.mark.wisebot(timeout=5)
    def test_without_a_workflow():
        pass

    @pytest.mark.wisebot("echo", {})
    @pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.wisebot(timeout=5))])
    def test_the_mark_on_the_parameter_holds(n):
        pass
"""


def test_a_test_that_asks_in_any_way_is_right(project: Project) -> None:
    """By a fixture, by name, by ``usefixtures``, by an autouse fixture; nor is one wrong that runs no body."""
    project.test(RIGHT)
    project.run().assert_outcomes(passed=8, skipped=2, xfailed=1)


def test_a_hook_of_the_project_may_ask(project: Project) -> None:
    """What a ``conftest.py`` asks for in a test's place is known only when the test runs."""
    project.write(
        "conftest.py",
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if "later" in item.name:
                    item.fixturenames.append("workflow_run")

        @pytest.hookimpl(trylast=True)
        def pytest_runtest_setup(item):
            if "hook" in item.name:
                item._request.getfixturevalue("workflow_run")
        """,
    )
    project.test("""
        @pytest.mark.wisebot("echo", {})
        def test_later():
            pass

        @pytest.mark.wisebot("echo", {})
        def test_hook():
            pass

        @pytest.mark.wisebot("echo", {})
        def test_wrong():
            pass
    """)
    result = project.run()
    assert result.parseoutcomes() == {"passed": 2, "not": 1}
    assert f"E   pytest_wisebot.errors.ConfigurationError: test_it.py::test_wrong: {NEVER_USED}" in result.outlines


def test_what_is_known_only_at_the_end_is_told_there(project: Project) -> None:
    """A test that passed and has not asked by then fails, expected to or not; one that failed keeps its failure."""
    project.test("""
        import unittest

        @pytest.fixture
        def helper(request):
            return request

        @pytest.mark.wisebot("echo", {})
        def test_request(request):
            pass

        @pytest.mark.xfail
        @pytest.mark.wisebot("echo", {})
        def test_expected_to_fail(helper):
            pass

        @pytest.mark.wisebot("echo", {}, trials=3)
        def test_trials(helper):
            pass

        @pytest.mark.wisebot("echo", {})
        def test_wrong(helper):
            assert 1 == 2

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, request):
                pass

            @pytest.mark.wisebot("echo", {})
            def test_old(self):
                pass

            @pytest.mark.wisebot("echo", {})
            def test_old_and_wrong(self):
                assert 1 == 2
    """)
    result = project.run()
    assert result.parseoutcomes() == {"not": 4, "failed": 2}
    error = "E   pytest_wisebot.errors.ConfigurationError: test_it.py::"
    for test in ("test_request", "test_expected_to_fail", "test_trials"):
        assert f"{error}{test}: {NEVER_USED}" in result.outlines
    assert any(line.startswith(f"{error}TestOld::test_old: declares a run of echo") for line in result.outlines)
    assert result.stdout.str().count("assert 1 == 2") >= 2


INHERITED = """
    import unittest

    pytestmark = pytest.mark.wisebot("echo", {})

    def test_module():
        pass

    class TestOld(unittest.TestCase):
        def test_old(self):
            pass

    def test_uses_its_run(workflow_run):
        pass

    def test_uses_another(trigger_workflow):
        trigger_workflow("echo", {})

    @pytest.fixture(scope="module")
    def wide(trigger_workflow):
        return trigger_workflow("echo", {})

    def test_uses_a_run_of_a_fixture(wide):
        pass

    def test_wrong():
        assert 1 == 2

    @pytest.mark.skip
    def test_skipped():
        pass

    @pytest.mark.wisebot(timeout=5)
    def test_of_a_mark_without_a_workflow():
        pass
"""

UNUSED = [
    "2 tests under a wisebot mark used no run:",
    "  test_it.py::test_module",
    "  test_it.py::TestOld::test_old",
]


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=" ".join)
def test_inherited_marks_that_no_run_was_used_under_are_told_and_counted(
    outside: Outside, numbers: Numbers, args: list[str]
) -> None:
    """At the end by name, in the log, and as a row of the gate's block that opens and shuts nothing."""
    outside.test(INHERITED)
    result = outside.run("--wisebot-gate", "--wisebot-report", "out", "--deselect=test_it.py::test_wrong", *args)
    said = numbers(result)
    assert sorted(said[said.index(UNUSED[0]) :][:3]) == sorted(UNUSED)
    (row,) = (line for line in result.outlines if "wisebot marks" in line)
    assert row.split()[:2] == ["not", "judged"]
    assert "measured 2 tests under a wisebot mark used no run: test_it.py::" in row
    events = [json.loads(line) for line in (outside.project.path / "out/runs.jsonl").read_text("utf-8").splitlines()]
    marked = {event["test"] for event in events if event.get("unused_mark")}
    assert marked == {"test_it.py::test_module", "test_it.py::TestOld::test_old"}


@pytest.mark.parametrize("args", [[], ["-n", "1"], ["-q"]], ids=" ".join)
def test_a_session_without_any_run_tells_as_well(empty_project: Project, numbers: Numbers, args: list[str]) -> None:
    """Where no test uses a run there is nothing else to tell, and no setting is read for it."""
    empty_project.write("wisebot.toml", "this is no TOML")
    empty_project.test("""
        @pytest.mark.wisebot("echo", {})
        class TestClass:
            @pytest.mark.parametrize("n", range(12))
            def test_it(self, n):
                pass
    """)
    result = empty_project.run(*args)
    result.assert_outcomes(passed=12)
    before = "wisebot: " if "-q" in args else ""
    lines = [line for line in result.outlines if line.startswith((f"{before}12 tests", f"{before}  and"))]
    assert lines == [f"{before}12 tests under a wisebot mark used no run:", f"{before}  and 2 more, shown by -v"]
    assert bool(numbers(result)) == ("-q" not in args)


def test_a_mark_that_a_hook_adds_is_inherited(project: Project, numbers: Numbers) -> None:
    """A ``conftest.py`` that marks a folder's tests speaks of those that use runs: the others are named."""
    project.write(
        "conftest.py",
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.wisebot("echo", {}))
        """,
    )
    project.test("def test_it(): pass\ndef test_run(workflow_run): pass")
    result = project.run()
    result.assert_outcomes(passed=2)
    assert numbers(result)[-2:] == ["1 test under a wisebot mark used no run:", "  test_it.py::test_it"]


def test_a_gate_does_not_open_over_marks_alone(outside: Outside) -> None:
    """Tests that used no run give no verdict, however many passed."""
    outside.test("""
        pytestmark = pytest.mark.wisebot("echo", {})

        def test_it():
            pass
    """)
    result = outside.run("--wisebot-env", "outside", "--wisebot-gate")
    assert result.ret == 11
    result.stdout.fnmatch_lines(
        ["*no verdict*tests*wanted at least 1 that used a run*", "*1 test under a wisebot mark*"]
    )
