"""``--wisebot-workflow NAME`` and ``-m "wisebot(workflow='NAME')"``: the tests of a workflow."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Outside

pytestmark = pytest.mark.usefixtures("wide_terminal")

SUITE = """
    @pytest.mark.wisebot("echo", {})
    def test_position(workflow_run):
        pass

    @pytest.mark.wisebot(workflow="echo", inputs={})
    def test_keyword(workflow_run):
        pass

    @pytest.mark.wisebot("echo", {})
    class TestClass:
        def test_inherits(self, workflow_run):
            pass

        @pytest.mark.wisebot("nap", {})
        def test_has_its_own(self, workflow_run):
            pass

    @pytest.mark.parametrize("inputs", [
        pytest.param({"n": 1}, marks=pytest.mark.wisebot("echo"), id="echo"),
        pytest.param({"n": 2}, marks=pytest.mark.wisebot("nap"), id="nap"),
    ])
    def test_parameter(workflow_run, inputs):
        pass

    @pytest.mark.wisebot(max_seconds=60)
    def test_calls(trigger_workflow):
        trigger_workflow("echo")

    def test_starts(trigger_workflow):
        runs = [pending.wait() for pending in [trigger_workflow.start(workflow="echo"), trigger_workflow.start("nap")]]

    def test_maps(trigger_workflow):
        trigger_workflow.map("echo", [{}])

    @pytest.mark.parametrize("name", ["echo", "nap"])
    def test_name(trigger_workflow, name):
        trigger_workflow(name)

    @pytest.fixture
    def made(trigger_workflow):
        return trigger_workflow("echo")

    def test_fixture(made):
        pass

    def test_computed(trigger_workflow):
        trigger_workflow("ec" + "ho")

    def test_other_call(capsys):
        print("echo")
"""

MODULE = """
    pytestmark = pytest.mark.wisebot("echo", {})

    def test_module(workflow_run):
        pass
"""

DECLARED = {"test_position", "test_keyword", "test_inherits", "test_parameter[echo]", "test_module"}
CALLED = {"test_calls", "test_starts", "test_maps", "test_name[echo]", "test_fixture"}
OF_NAP = {"test_has_its_own", "test_parameter[nap]", "test_starts", "test_name[nap]"}


@pytest.fixture
def suite(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A suite with every way to name a workflow."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.test(SUITE)
    outside.test(MODULE, name="test_module.py")
    return outside


def chosen(result: pytest.RunResult) -> set[str]:
    """The names of the tests that ran, seen to have passed."""
    passed = [line for line in result.outlines if " PASSED" in line or line.startswith("PASSED ")]
    names = {word.rpartition("::")[2] for line in passed for word in line.split() if "::" in word}
    assert result.parseoutcomes().get("passed", 0) == len(names)
    return names


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_the_tests_of_a_workflow_are_run(suite: Any, workers: tuple[str, ...]) -> None:
    """By marks on function, class, module and parameter, and by calls whose name stands in the code."""
    result = suite.run("-v", "--wisebot-workflow", "echo", *workers)
    assert chosen(result) == DECLARED | CALLED
    if not workers:
        assert result.parseoutcomes()["deselected"] == 5
        assert chosen(suite.run("-v", "--wisebot-workflow=nap")) == OF_NAP
        both = suite.run("-v", "--wisebot-workflow", "nap", "--wisebot-workflow", "echo", "-k", "not Class")
        assert chosen(both) == (DECLARED | CALLED | OF_NAP) - {"test_inherits", "test_has_its_own"}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_name_that_no_test_has_is_an_error_that_names_the_right_ones(suite: Any, workers: tuple[str, ...]) -> None:
    """Nothing is run, also beside a right name."""
    result = suite.run("--wisebot-workflow", "echo", "--wisebot-workflow", "ecko", "-k", "nothing", *workers)
    expected = (
        '--wisebot-workflow: no collected test is marked with workflow "ecko", or calls it by that name, '
        'did you mean "echo"? known: echo, nap'
    )
    assert result.ret == 4
    assert f"ERROR: {expected}" in result.errlines
    assert suite.calls == []


def test_a_name_whose_tests_other_options_leave_out_is_no_error(suite: Any) -> None:
    """There is simply nothing to run."""
    assert suite.run("--wisebot-workflow", "nap", "-k", "test_position").ret == 5


def test_a_session_that_it_narrows_opens_no_gate(suite: Any) -> None:
    """It is named like ``-k``; where it leaves out nothing the gate may open."""
    args = ("--wisebot-gate", "--wisebot-env", "outside")
    result = suite.run(*args, "--wisebot-workflow", "echo")
    assert result.ret == 11
    assert any(
        "narrowed by --wisebot-workflow" in line and "measured --wisebot-workflow echo (command line)" in line
        for line in result.outlines
    )
    suite.project.write("test_it.py", "")
    assert suite.run(*args, "--wisebot-workflow", "echo").ret == 0


@pytest.mark.parametrize("quote", ["'", '"'])
def test_an_expression_of_pytest_finds_workflows_by_position_and_keyword(suite: Any, quote: str) -> None:
    """Every mark that a test has counts, as pytest counts marks; a marker's arguments stay what they were."""
    suite.project.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            for item in items:
                for mark in item.iter_markers("wisebot"):
                    assert "workflow" not in {**mark.kwargs} or not mark.args
        """,
    )
    marked = DECLARED | {"test_has_its_own"}
    assert chosen(suite.run("-v", "-m", f"wisebot(workflow={quote}echo{quote})")) == marked
    not_nap = f"wisebot and not wisebot(workflow={quote}nap{quote})"
    assert chosen(suite.run("-v", "-m", not_nap)) == DECLARED | {"test_calls"}
    assert suite.run("-m", "wisebot(workflow='ecko')").ret == 5


def test_the_gate_may_be_about_one_workflow(suite: Any) -> None:
    """``[gate] select`` finds marks as ``-m`` does."""
    toml = suite.project.path / "wisebot.toml"
    select = """select = "-m \\"wisebot(workflow='nap')\\"" """
    toml.write_text(f"{toml.read_text('utf-8')}\n[gate]\n{select}\n", "utf-8")
    result = suite.run("-v", "--wisebot-gate", "--wisebot-env", "outside")
    assert (chosen(result), result.ret) == ({"test_has_its_own", "test_parameter[nap]"}, 0)
