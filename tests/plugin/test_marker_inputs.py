"""The input bag of a declared run: never ``{}`` by oversight, never a value that another plugin was to resolve."""

from __future__ import annotations

import pytest
from harness import Outside, Project

TAKE = "take the argument inputs, or write {} for none"


def messages(result: pytest.RunResult) -> list[str]:
    """The messages of the tests whose collection failed."""
    assert result.ret == pytest.ExitCode.INTERRUPTED
    return [line.removeprefix("test_it.py::") for line in result.outlines if line.startswith("test_it.py::")]


def test_inputs_that_are_left_out_by_oversight_are_an_error_of_collection(outside: Outside) -> None:
    """A fixture ``inputs`` is in reach and not asked for, or the parameters have other names: nothing is sent."""
    outside.test("""
        import unittest

        class TestFixture:
            @pytest.fixture
            def inputs(self):
                return {"n": 1}

            @pytest.mark.wisebot("echo")
            def test_fixture(self, workflow_run):
                pass

        @pytest.mark.wisebot("echo")
        class TestOld(unittest.TestCase):
            @pytest.fixture
            def inputs(self):
                return {"n": 1}

            @pytest.fixture(autouse=True)
            def take(self, workflow_run):
                pass

            def test_old(self):
                pass

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("ticket", [{"n": 1}, {"n": 2}])
        def test_parameter(workflow_run, ticket):
            pass

        @pytest.fixture
        def indirect(request):
            return request.param

        @pytest.mark.wisebot("echo", None, timeout=5)
        @pytest.mark.parametrize(("indirect", "expected"), [(1, 2)], indirect=["indirect"])
        def test_indirect(workflow_run, indirect, expected):
            pass
    """)
    left_out = 'the wisebot marker names no inputs for "echo", and'
    assert messages(outside.run()) == [
        f"TestFixture::test_fixture: {left_out} there is a fixture inputs: {TAKE}",
        f"TestOld::test_old: {left_out} there is a fixture inputs: let the autouse fixture take inputs, or write {{}} "
        "for none",
        f"test_parameter: {left_out} the test is parametrised by ticket: {TAKE}",
        f"test_indirect[1-2]: {left_out} the test is parametrised by indirect, expected: {TAKE}",
    ]
    assert outside.arrived == []


def test_a_test_that_asks_by_name_is_told_before_anything_is_sent(outside: Outside) -> None:
    """What it asks for is known only then; one that has asked for ``inputs`` before gets a run with these."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("ticket", [1])
        def test_wrong(request, ticket):
            request.getfixturevalue("workflow_run")

        class TestFixture:
            @pytest.fixture
            def inputs(self):
                return {"n": "asked for"}

            @pytest.mark.wisebot("echo")
            def test_right(self, request):
                request.getfixturevalue("inputs")
                assert request.getfixturevalue("workflow_run").result == {"n": "asked for"}
    """)
    result = outside.run()
    assert result.parseoutcomes() == {"not": 1, "passed": 1}
    result.stdout.fnmatch_lines([f"*ConfigurationError: test_it.py::test_wrong[[]1]: *parametrised by ticket: {TAKE}"])
    assert outside.arrived == ["asked for"]


def test_an_empty_bag_is_what_a_marker_says_where_there_is_nothing_else(project: Project) -> None:
    """Without a fixture and parameters, with ``{}``, and where fixtures, APIs or the event loop have parameters."""
    project.test("""
        @pytest.fixture(params=["a", "b"])
        def tenant(request):
            return request.param

        @pytest.mark.wisebot("echo")
        def test_neither(workflow_run):
            assert workflow_run.inputs == {}

        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("ticket", [1, 2])
        def test_written(workflow_run, ticket):
            assert workflow_run.inputs == {}

        @pytest.mark.wisebot("echo", api="both")
        def test_apis(workflow_run):
            assert workflow_run.inputs == {}

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("wisebot_api", ["dashboard"], indirect=True)
        def test_one_api(workflow_run):
            assert workflow_run.inputs == {}

        @pytest.mark.wisebot("echo")
        def test_a_fixture_with_parameters(workflow_run, tenant):
            assert workflow_run.inputs == {}

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        @pytest.mark.anyio
        async def test_loop(workflow_run, anyio_backend):
            assert workflow_run.inputs == {}

        @pytest.mark.skip
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("ticket", [1, 2])
        def test_skipped(workflow_run, ticket):
            pass

        class TestFixture:
            @pytest.fixture
            def inputs(self):
                return {"n": 1}

            @pytest.fixture
            def takes_it(self, inputs):
                pass

            @pytest.mark.wisebot("echo", {})
            def test_written(self, workflow_run):
                assert workflow_run.inputs == {}

            @pytest.mark.wisebot("echo")
            def test_a_fixture_takes_it(self, workflow_run, takes_it):
                assert workflow_run.inputs == {"n": 1}
    """)
    project.run().assert_outcomes(passed=11, skipped=2)


def test_wrong_inputs_in_a_marker_are_an_error_of_collection(outside: Outside) -> None:
    """On a function, a parameter, a class, with a workflow or without: each names the path and the value."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"a": [0.5, float("nan")]})
        def test_nan(workflow_run):
            pass

        @pytest.mark.wisebot("echo", ["a"])
        def test_list(workflow_run):
            pass

        @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.wisebot("echo", {"a": {1}}))])
        def test_parameter(trigger_workflow, n):
            pass

        @pytest.mark.wisebot("echo", inputs={1: 2})
        class TestClass:
            def test_method(self, workflow_run):
                pass

        @pytest.mark.wisebot(inputs={"a": object})
        def test_calls(trigger_workflow):
            pass
    """)
    assert messages(outside.run()) == [
        "test_nan: the wisebot marker: inputs.a[1]: nan is not a JSON number",
        'test_list: the wisebot marker: inputs: expected a mapping of field names to values, got list: ["a"]',
        "test_parameter[2]: the wisebot marker: inputs.a: set is not a JSON value: {1}",
        "TestClass::test_method: the wisebot marker: inputs: a key must be a string, got int: 1",
        "test_calls: the wisebot marker: inputs.a: type is not a JSON value: <class 'object'>",
    ]
    assert outside.arrived == []


LAZY = """
    import pytest

    class Lazy:
        def __init__(self, name):
            self.name = name

    def resolved(value, request):
        if isinstance(value, Lazy):
            return request.getfixturevalue(value.name)
        if isinstance(value, dict):
            return {key: resolved(one, request) for key, one in value.items()}
        return [resolved(one, request) for one in value] if isinstance(value, list) else value

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(fixturedef, request):
        if hasattr(request, "param"):
            request.param = resolved(request.param, request)
"""

LAZY_SUITE = """
    @pytest.fixture
    def bag():
        return {"n": "whole"}

    @pytest.fixture
    def number():
        return "part"

    def test_nothing_is_ahead():
        assert arrived() == []

    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", [Lazy("bag"), {"n": Lazy("number")}, {"n": [{"m": Lazy("bag")}]}], ids=str)
    def test_lazy(workflow_run, inputs):
        assert workflow_run.inputs == inputs

    @pytest.mark.wisebot("echo", {"n": "declared"})
    @pytest.mark.parametrize("run", [Lazy("workflow_run")], ids=str)
    def test_the_run_itself(run):
        assert run.inputs == {"n": "declared"}
"""

SENT = ["whole", "part", [{"m": {"n": "whole"}}], "declared"]


def test_what_another_plugin_resolves_is_asked_for(outside: Outside) -> None:
    """A parameter, or a part of one, that is no JSON yet: its run waits for its test, and has what it then is."""
    outside.project.write("lazy.py", LAZY)
    outside.project.write("conftest.py", "from lazy import pytest_fixture_setup")
    outside.test("from lazy import Lazy\n", LAZY_SUITE)
    outside.run().assert_outcomes(passed=5)
    assert outside.arrived == SENT


def test_pytest_lazy_fixtures(outside: Outside) -> None:
    """Its values are asked for by ``getfixturevalue``."""
    pytest.importorskip("pytest_lazy_fixtures")
    outside.test("from pytest_lazy_fixtures import lf as Lazy\n", LAZY_SUITE)
    outside.run().assert_outcomes(passed=5)
    assert outside.arrived == SENT


CASES = """
    import pytest

    class LazyValue:
        def __init__(self, get_value):
            self.get_value = get_value

        def get(self, node):
            assert isinstance(node, pytest.Function)
            return self.get_value()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(item):
        yield
        found = item.funcargs.items()
        item.funcargs = {name: value.get(item) if isinstance(value, LazyValue) else value for name, value in found}

    @pytest.fixture
    def test_union_inputs():
        return {"n": "union"}
"""


def test_pytest_cases(outside: Outside) -> None:
    """A ``lazy_value``, which it resolves after all fixtures, and the fixture that it makes of a ``fixture_ref``."""
    # As it does both: itself it does not load under pytest 9.2.
    outside.project.write("pytest_cases/__init__.py", "")
    outside.project.write("pytest_cases/plugin.py", CASES)
    outside.project.write("conftest.py", "from pytest_cases.plugin import pytest_runtest_setup, test_union_inputs")
    outside.test("""
        from pytest_cases.plugin import LazyValue

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [LazyValue(lambda: {"n": "lazy"})], ids=["lazy"])
        def test_lazy(workflow_run, inputs):
            assert workflow_run.inputs == inputs

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("other", [1])
        def test_union(workflow_run, test_union_inputs, other):
            assert workflow_run.inputs == test_union_inputs
    """)
    outside.run().assert_outcomes(passed=2)
    assert outside.arrived == ["lazy", "union"]
