"""Beside plugins that choose, order or watch the tests: what is selected is run, once, and nothing else."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Outside

pytestmark = pytest.mark.usefixtures("wide_terminal")

NEIGHBOURS = "anyio pytest-asyncio pytest-cov pytest-randomly pytest-rerunfailures pytest-split pytest-timeout"

DECLARED = """
    @pytest.mark.wisebot("nap")
    @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.05} for n in range(8)])
    def test_declared(workflow_run, inputs):
        assert workflow_run.result == inputs
"""

CALLED = """
    def test_called(trigger_workflow):
        assert trigger_workflow("echo", {"n": 8}).ok
"""


@pytest.fixture
def run(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Runs the project of `outside` with the plugins that are named, and no others."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    return lambda *args: outside.project.run_apart("-p", "xdist", "-p", "wisebot", *args)


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_pytest_randomly(outside: Outside, run: Any, args: list[str]) -> None:
    """Shuffled tests have their runs, which go ahead in the order of the shuffled tests."""
    outside.test(DECLARED, CALLED)
    orders = []
    for seed in ("1", "2"):
        outside.handle.reset(everywhere=True)
        result = run("-p", "randomly", f"--randomly-seed={seed}", "--wisebot-concurrency", "1", *args)
        assert result.parseoutcomes() == {"passed": 9}
        assert sorted(outside.arrived) == [*range(9)]
        orders.append(outside.arrived)
    assert orders[0] != orders[1]


def test_pytest_split(outside: Outside, run: Any) -> None:
    """Each group starts the runs of its own tests, and all groups together start each once."""
    outside.test(DECLARED, CALLED)
    run("-p", "pytest-split", "--store-durations", "--wisebot-no-ahead").assert_outcomes(passed=9)
    groups = []
    for group in ("1", "2", "3"):
        outside.handle.reset(everywhere=True)
        result = run("-p", "pytest-split", "--splits", "3", "--group", group)
        groups.append(outside.arrived)
        assert result.parseoutcomes() == {"passed": len(groups[-1]), "deselected": 9 - len(groups[-1])}
    assert all(groups)
    assert sorted(n for group in groups for n in group) == [*range(9)]


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_pytest_cov(outside: Outside, run: Any, args: list[str]) -> None:
    """The project's own code is measured as without us, in one process and in workers, and no warning comes of it."""
    outside.project.write(
        "mine.py",
        """
        def judge(run):
            if run.ok:
                return "good"
            return "bad"
        """,
    )
    outside.test(DECLARED.replace("assert", "from mine import judge; assert judge(workflow_run) == 'good' and"))
    result = run("-p", "pytest_cov", "--cov=mine", "--cov-report=term-missing", "-W", "error", *args)
    assert result.parseoutcomes() == {"passed": 8}
    assert [line.split() for line in result.outlines if line.startswith("mine.py")] == [
        ["mine.py", "4", "1", "75%", "5"]
    ]
    assert sorted(outside.arrived) == [*range(8)]


@pytest.mark.parametrize("name", NEIGHBOURS.split())
def test_what_users_have_beside_it_is_pinned(name: str) -> None:
    """That the two work together is known of one version, which a new one does not change behind anybody's back."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = [one.partition("==")[0] for one in project["optional-dependencies"]["dev"] if "==" in one]
    assert name in pinned
