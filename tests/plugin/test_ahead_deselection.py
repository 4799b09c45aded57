"""Only what was selected is ahead, and nothing is where pytest only looks."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Outside, Project

TESTS = """
    FAILS = ()

    @pytest.mark.wisebot("echo", {"n": "one"})
    def test_one(workflow_run):
        assert "one" not in FAILS

    @pytest.mark.cheap
    @pytest.mark.wisebot("echo", {"n": "two"})
    def test_two(workflow_run):
        assert "two" not in FAILS

    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", [{"n": "three"}, {"n": "four"}], ids=["three", "four"])
    def test_many(workflow_run, inputs):
        assert inputs["n"] not in FAILS
"""

OTHER = """
    @pytest.mark.wisebot("echo", {"n": "other"})
    def test_other(workflow_run):
        pass
"""

ALONE = ["--wisebot-concurrency", "1"]
"""One run at once: what arrives, arrives in the order in which it was started."""


@pytest.fixture
def selected(outside: Outside) -> Any:
    """A project with tests to choose from."""
    outside.project.write("pytest.ini", "[pytest]\nmarkers = cheap")
    outside.test(TESTS)
    outside.test(OTHER, name="test_other.py")
    return outside


def let_fail(selected: Any, *names: str) -> None:
    selected.project.edit("test_it.py", "FAILS = ()", f"FAILS = {names!r}")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], ["one", "two", "three", "four", "other"]),
        (["-k", "test_two or four"], ["two", "four"]),
        (["-k", "nothing"], []),
        (["-m", "cheap"], ["two"]),
        (["-m", "not cheap"], ["one", "three", "four", "other"]),
        (["--deselect", "test_it.py::test_many"], ["one", "two", "other"]),
        (["--deselect", "test_it.py::test_many[four]"], ["one", "two", "three", "other"]),
        (["--ignore", "test_it.py"], ["other"]),
        (["test_other.py"], ["other"]),
        (["test_it.py::test_many[four]", "test_it.py::test_one"], ["four", "one"]),
    ],
    ids=" ".join,
)
def test_only_what_is_selected_is_sent(selected: Any, args: list[str], expected: list[str]) -> None:
    """By name, by mark, by node id, by what is left out: the others cost nothing, and the order is the tests' own."""
    result = selected.run(*ALONE, *args)
    assert result.parseoutcomes().get("passed", 0) == len(expected)
    assert selected.arrived == expected


def test_the_last_failed_are_sent_alone_or_first(selected: Any) -> None:
    """``--lf`` sends what failed and no more; ``--ff`` sends it before the rest; without failures ``--lf`` is all."""
    let_fail(selected, "two", "four")
    selected.run_with_cache().assert_outcomes(passed=3, failed=2)
    expected = {"--lf": ["two", "four"], "--ff": ["two", "four", "one", "three", "other"]}
    for option, names in expected.items():
        selected.handle.reset(everywhere=True)
        (selected.project.path / ".pytest_cache/v/wisebot/durations").unlink()  # of which the order would follow
        selected.run_with_cache(*ALONE, option)
        assert selected.arrived == names


def test_what_another_plugin_deselects_is_not_sent(selected: Any) -> None:
    """A hook that takes tests out or puts skip marks on them is heard, however late it comes."""
    selected.project.write("conftest.py", """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(config, items):
            config.hook.pytest_deselected(items=items[:1])
            items[:] = items[1:]
            items[0].add_marker(pytest.mark.skip("not today"))
    """)  # fmt: skip
    selected.run(*ALONE).assert_outcomes(passed=3, skipped=1, deselected=1)
    assert selected.arrived == ["three", "four", "other"]


@pytest.mark.parametrize(
    "args",
    [
        ["--collect-only"],
        ["--collect-only", "-qq"],
        ["--setup-plan"],
        ["--fixtures"],
        ["--fixtures-per-test"],
        ["--markers"],
        ["--cache-show"],
        ["--help"],
        ["--wisebot-plan"],
    ],
    ids=" ".join,
)
def test_where_pytest_only_looks_nothing_is_sent(selected: Any, args: list[str]) -> None:
    """Nor is anything said of runs at the end."""
    result = selected.run_with_cache(*args)
    assert result.ret == pytest.ExitCode.OK
    assert selected.arrived == []
    result.stdout.no_re_match_line("=+ wisebot =+|.*sent and not awaited")


@pytest.mark.parametrize("args", [["--collect-only"], ["--setup-plan"], ["-k", "nothing"]], ids=" ".join)
def test_where_nothing_will_run_no_emulator_starts(project: Project, args: list[str]) -> None:
    """The module that declares the workflows is not even loaded."""
    project.write("flows.py", "raise AssertionError('loaded')")
    project.test(TESTS)
    result = project.run(*args)
    result.assert_outcomes(deselected=4 if "nothing" in args else 0)
    assert "did not start" not in result.stdout.str()


def test_setup_only_sends_what_the_fixtures_ask_for(selected: Any) -> None:
    """``--setup-only`` does set fixtures up: each run is sent when ``workflow_run`` asks, and none before."""
    selected.test("""
        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.05} for n in range(3)])
        def test_many(workflow_run, inputs):
            assert False, "never called"
    """)
    selected.run("--setup-only", "test_it.py").assert_outcomes()
    assert selected.arrived == [0, 1, 2]
    assert selected.handle.peak() == 1
