"""Snapshots of plain values: without a Wisebot, and without syrupy not at all."""

from __future__ import annotations

import sys

import pytest
from harness import Recorded

SUITE = """
    def test_it(workflow_snapshot):
        assert {"a": 1} == workflow_snapshot
"""


@pytest.mark.parametrize("toml", [None, "this is no TOML", '[environments.staging]\norigin = "https://example.com"\n'])
def test_a_plain_value_needs_no_settings(recorded: Recorded, toml: str | None) -> None:
    """No ``wisebot.toml``, or one that is of no use: nothing is said about it, no engine begins, and no emulator."""
    if toml is not None:
        recorded.project.write("wisebot.toml", toml)
    recorded.test(
        SUITE
        + """
        def test_nothing_began(request):
            from pytest_wisebot.plugin.runtime import local_runtime
            owner = local_runtime(request.config)
            assert (owner.begun, owner.emulator) == (None, None)
        """
    )
    result = recorded.update()
    assert result.ret == 0
    assert "wisebot" not in result.stdout.str()
    assert recorded.run("-n", "1").ret == 0


def test_the_projects_habits_hold_for_plain_values(recorded: Recorded) -> None:
    """What ``[snapshots]`` in ``wisebot.toml`` says holds for a value that no run has brought."""
    recorded.project.write("wisebot.toml", '[snapshots]\nkeys = { number = "number" }\n')
    recorded.test('def test_it(workflow_snapshot):\n    assert {"number": 7, "n": 7} == workflow_snapshot')
    recorded.update()
    assert recorded.files == {"__snapshots__/test_it/test_it.json": '{\n  "n": 7,\n  "number": "<number:1>"\n}\n'}


def test_without_syrupy_it_says_so(recorded: Recorded) -> None:
    """An error in words, for the tests that use it alone."""
    recorded.test(SUITE + "\n    def test_other(): pass\n")
    result = recorded.run("-p", "no:syrupy")
    result.assert_outcomes(passed=1, errors=1)
    assert recorded.shown(result) == [
        "pytest_wisebot.errors.ConfigurationError: workflow_snapshot needs the plugin syrupy, which is switched off "
        "(by -p no:syrupy, or by PYTEST_DISABLE_PLUGIN_AUTOLOAD without -p syrupy)"
    ]


def test_plugins_may_be_named_one_by_one(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without autoloading, with both plugins named."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    recorded.test(SUITE)
    result = recorded.project.pytester.runpytest_subprocess(
        "-p", "syrupy", "-p", "pytest_wisebot.plugin", "-q", "--snapshot-update"
    )
    assert (result.ret, recorded.said(result)) == (0, ["1 snapshot generated."])


def test_other_values_are_compared_as_ever(recorded: Recorded) -> None:
    """The fixture of syrupy beside ours, in one test, keeps its files and its ways."""
    recorded.test("""
        def test_it(snapshot, workflow_snapshot):
            assert {"a": {1, 2}} == snapshot
            assert {"a": [1, 2]} == workflow_snapshot
    """)
    assert recorded.said(recorded.update()) == ["2 snapshots generated."]
    assert sorted(recorded.names) == ["test_it.ambr", "test_it/test_it.json"]
    assert recorded.said(recorded.run()) == ["2 snapshots passed."]
    assert recorded.said(recorded.run("-n", "2")) == ["2 snapshots passed."]


@pytest.mark.usefixtures("real_processes")
def test_a_session_without_snapshots_loads_none_of_it(recorded: Recorded) -> None:
    """The rooms of snapshots are loaded by the first test that uses one."""
    recorded.test("""
        import sys

        def test_it():
            assert [name for name in sys.modules if name.startswith("pytest_wisebot.snapshots")] == []
    """)
    recorded.project.pytester.runpytest_subprocess("-q", "--snapshot-update").assert_outcomes(passed=1)
    assert "syrupy" in sys.modules
