"""What a failing snapshot shows: the changed paths, all of them, and no credential."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from harness import Outside, Project, Recorded

ROWS = """
    SHIFT = {shift}

    def test_it(workflow_snapshot):
        value = {{"rows": [{{"id": n, "text": "word " * 40 + str(n + SHIFT)}} for n in range(10)]}}
        assert value == workflow_snapshot
"""


@pytest.fixture
def changed(recorded: Recorded) -> Any:
    """A suite in which ten long texts have changed."""
    recorded.test(ROWS.format(shift=0))
    recorded.update()
    recorded.test(ROWS.format(shift=100))
    return recorded


def test_what_does_not_fit_is_in_a_section(changed: Any) -> None:
    """An assertion is cut by pytest after a few lines: the rest is below, whole, and the assertion says where."""
    result = changed.run()
    shown = changed.shown(result)
    at = shown.index("snapshot __snapshots__/test_it/test_it.json")
    inline, section = shown[:at], shown[at + 1 :]
    assert inline[0] == "assert [+ received] == [- test_it]"
    assert inline[-1] == (
        f'... all {len(section)} lines are below, in the section "snapshot __snapshots__/test_it/test_it.json"'
    )
    assert [line.strip() for line in section[: len(inline) - 2]] == inline[1:-1]
    assert [line for line in section if line.startswith("rows[")] == [
        f"rows[{n}].text   (id {n}; 1 of 41 words differ)" for n in range(10)
    ]
    assert "truncated" not in result.stdout.str()
    assert max(map(len, section)) <= 210


def test_very_verbose_shows_values_whole(changed: Any) -> None:
    """``-vv``."""
    result = changed.run("-vv", "-vv")
    text = "word " * 40
    assert any(text + "9" in line and line.lstrip().startswith("-") for line in changed.shown(result))
    assert any(text + "109" in line and line.lstrip().startswith("+") for line in changed.shown(result))


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=" ".join)
def test_the_section_is_part_of_the_failure(changed: Any, args: list[str]) -> None:
    """It is in the JUnit file, where captured output is not, and comes from workers."""
    changed.run("--junitxml=junit.xml", *args)
    failure = ET.parse(changed.path / "junit.xml").find(".//failure")
    assert failure is not None
    assert "rows[9].text" in (failure.text or "")


def test_a_section_belongs_to_one_test(changed: Any) -> None:
    """What one test was expected to show is not shown by the next."""
    changed.test(
        ROWS.format(shift=100).replace(
            "assert value == workflow_snapshot", "assert not compared(value, workflow_snapshot)"
        )
        + """
    def compared(value, workflow_snapshot):
        with pytest.raises(AssertionError):
            assert value == workflow_snapshot

    def test_other():
        assert 1 == 2
        """
    )
    result = changed.run()
    result.assert_outcomes(passed=1, failed=1)
    assert changed.shown(result) == ["assert 1 == 2"]


def test_no_credential_is_shown_or_written(recorded: Recorded, project: Project) -> None:
    """Whatever a workflow answers: neither in a file nor in a difference, at any verbosity."""
    del project
    recorded.project.write(
        "flows.py",
        """
        from pytest_wisebot.emulator import Emulator

        emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")

        @emulator.workflow("echo", secret="FAKE-secret-of-echo")
        def echo(inputs):
            return {**inputs, "FAKE-secret-of-echo": "Bearer FAKE-secret-of-echo", "n": "FAKE-secret-of-echo" * 9}
    """,
    )
    recorded.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot

        @pytest.mark.wisebot("echo", {"n": 1})
        def test_text(workflow_run, workflow_snapshot):
            assert "FAKE-secret-of-echo" * 3 == workflow_snapshot
    """)
    outputs = [recorded.run().stdout.str(), recorded.update().stdout.str(), "".join(recorded.files.values())]
    for path in (recorded.path / "__snapshots__").rglob("*.json"):
        path.write_text('{"ok": true}')
    outputs.append(recorded.run("-vv", "-vv", "--showlocals").stdout.str())
    assert ["FAKE-secret" in output for output in outputs] == [False] * 4
    assert ["<secret>" in output for output in outputs] == [True, False, True, True]


def test_a_credential_in_a_stored_snapshot_that_matches_is_found(recorded: Recorded, outside: Outside) -> None:
    """It was committed by hand: the value equals it, and yet the session fails and names the file."""
    del outside
    recorded.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run, workflow_snapshot):
            assert "FAKE-secret-of-all" == workflow_snapshot
    """)
    recorded.update()
    (path,) = (recorded.path / "__snapshots__").rglob("*.json")
    path.write_text('"FAKE-secret-of-all"\n')
    result = recorded.run()
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*test_it.json*<secret>*"])
    assert "FAKE-secret-of-all" not in result.stdout.str()


def test_a_comparison_is_true_or_false(recorded: Recorded) -> None:
    """Where it is no assertion, nothing is raised."""
    recorded.test("""
        def test_it(workflow_snapshot):
            assert (1 == workflow_snapshot) is False
            assert 2 != workflow_snapshot
            assert [1, 2] != [workflow_snapshot, 2]
    """)
    recorded.run().assert_outcomes(passed=1)
