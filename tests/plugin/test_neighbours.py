"""The plugin beside others, and without them."""

from __future__ import annotations

import pytest
from harness import Project

SUITE = """
    @pytest.fixture(scope="module")
    def wide(trigger_workflow):
        return trigger_workflow("echo", {"from": "wide"})

    @pytest.mark.wisebot("echo", api="both")
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
    def test_declared(workflow_run, inputs, wide):
        assert workflow_run.result == inputs
        assert wide.ok

    def test_called(trigger_workflow, wisebot_emulator):
        assert trigger_workflow("triage").ok
        assert len(wisebot_emulator.calls()) == 1
"""


@pytest.mark.usefixtures("every_plugin")
@pytest.mark.parametrize(
    "args",
    [
        [],
        ["-p", "no:xdist"],
        ["-p", "no:syrupy"],
        ["-p", "no:cacheprovider"],
        ["-p", "no:terminal"],
        ["-p", "no:anyio", "-p", "no:randomly"],
        ["-n", "2", "-p", "no:syrupy"],
        ["--import-mode=importlib"],
        ["-W", "error"],
        ["-s"],
    ],
    ids=" ".join,
)
def test_it_works_beside_and_without_each_neighbour(project: Project, args: list[str]) -> None:
    """The same suite passes whichever plugin is missing, in one process and over xdist's workers."""
    project.test(SUITE)
    result = project.run_apart(*args)
    assert result.ret == 0
    if "no:terminal" not in args:
        result.assert_outcomes(passed=9)


def test_it_works_when_nothing_else_is_loaded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With plugin autoload off, ``-p pytest_wisebot.plugin`` is enough."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    project.test(SUITE)
    project.run_apart("-p", "pytest_wisebot.plugin").assert_outcomes(passed=9)


def test_wrong_settings_end_the_session_under_xdist_too(project: Project) -> None:
    """The controller looks at them before the first test: one message, pytest's exit code for a wrong call, no test."""
    project.write("wisebot.toml", 'default-environment = "nowhere"')
    project.test(SUITE + "\n    def test_other(): pass")
    result = project.run_apart("-n", "2", "-p", "no:syrupy")  # which warns of workers that ended early
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [
        'ERROR: wisebot.toml: default-environment: unknown environment "nowhere", known: none',
        "",
    ]
    assert result.parseoutcomes() == {}


@pytest.mark.usefixtures("every_plugin")
def test_the_lines_are_there_under_xdist_too(project: Project) -> None:
    """The suite passes, and where the runs will go is told once, by the controller, before the first test."""
    project.test(SUITE)
    result = project.run_apart("-n", "2")
    result.assert_outcomes(passed=9)
    assert [line for line in result.outlines if line.startswith("wisebot: environment")] == [
        "wisebot: environment local (wisebot.toml: default-environment)"
    ]


def test_the_workers_share_the_cap(project: Project) -> None:
    """Two workers with a cap of four keep four runs in flight between them, and the lines say so."""
    project.test("""
        @pytest.mark.parametrize("n", range(2))
        def test_it(trigger_workflow, wisebot_emulator, n):
            assert len(trigger_workflow.map("slow", [{}] * 8)) == 8
            assert wisebot_emulator.peak() == 4
    """)
    result = project.run_apart("-n", "2", "--wisebot-concurrency", "4")
    result.assert_outcomes(passed=2)
    assert "wisebot: 4 runs at once (--wisebot-concurrency)" in result.outlines


def test_setup_plan_and_collect_only_run_nothing(project: Project) -> None:
    """Looking at a suite costs nothing: no emulator is started, no run."""
    project.write("flows.py", "raise RuntimeError('started')")
    project.test(SUITE)
    for flag in ("--collect-only", "--setup-plan"):
        result = project.run_apart(flag)
        assert result.ret == 0
        assert "started'" not in result.stdout.str()
