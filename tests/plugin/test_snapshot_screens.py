"""The life of snapshots as a screen shows it, whole: recorded, matched, differing, updated, renamed and unused."""

from __future__ import annotations

import re
import textwrap

import pytest
from harness import Recorded

SUITE = """
@pytest.mark.parametrize("n", [1, 2])
def test_number(workflow_snapshot, n):
    assert {"n": n, "same": "text"} == workflow_snapshot

def test_named(workflow_snapshot):
    assert [1, 2] == workflow_snapshot(name="of its own")
"""

RECORDED = """
    ...                                                                      [100%]
    --------------------------- snapshot report summary ----------------------------
    3 snapshots generated.
    3 passed in TIME
"""
MATCHED = """
    ...                                                                      [100%]
    --------------------------- snapshot report summary ----------------------------
    3 snapshots passed.
    3 passed in TIME
"""
DIFFERS = """
    F..                                                                      [100%]
    =================================== FAILURES ===================================
    ________________________________ test_number[1] ________________________________

    workflow_snapshot = <workflow_snapshot of test_number[1]>, n = 1

        @pytest.mark.parametrize("n", [1, 2])
        def test_number(workflow_snapshot, n):
    >       assert {"n": n, "same": "text" if n > 1 else "other"} == workflow_snapshot
    E       assert [+ received] == [- test_number[1]]
    E         same
    E           - "text"
    E           + "other"

    test_it.py:5: AssertionError
    --------------------------- snapshot report summary ----------------------------
    1 snapshot failed. 2 snapshots passed.
    =========================== short test summary info ============================
    FAILED test_it.py::test_number[1] - same: expected "text", got "other"
    1 failed, 2 passed in TIME
"""
UPDATED = """
    ...                                                                      [100%]
    --------------------------- snapshot report summary ----------------------------
    2 snapshots passed. 1 snapshot updated.
    3 passed in TIME
"""
RENAMED = """
    ..F                                                                      [100%]
    =================================== FAILURES ===================================
    _________________________________ test_renamed _________________________________

    workflow_snapshot = <workflow_snapshot of test_renamed>

        def test_renamed(workflow_snapshot):
    >       assert [1, 2] == workflow_snapshot(name="of its own")
    E       assert [+ received] == [- test_renamed[of its own]]
    E         there is no __snapshots__/test_it/test_renamed[of its own].json: --snapshot-update writes it
    E         + [
    E         +   1,
    E         +   2
    E         + ]

    test_it.py:8: AssertionError
    --------------------------- snapshot report summary ----------------------------
    1 snapshot failed. 2 snapshots passed. 1 snapshot unused.

    Unused test_named[of its own] (__snapshots__/test_it/test_named[of its own].json)
    Re-run pytest with --snapshot-update to delete unused snapshots.
    =========================== short test summary info ============================
    FAILED test_it.py::test_renamed - there is no __snapshots__/test_it/test_rena...
    1 failed, 2 passed in TIME
"""
REMOVED = """
    ...                                                                      [100%]
    --------------------------- snapshot report summary ----------------------------
    2 snapshots passed. 1 snapshot generated. 1 unused snapshot deleted.

    Deleted test_named[of its own] (__snapshots__/test_it/test_named[of its own].json)

    Generated test_renamed[of its own] (__snapshots__/test_it/test_renamed[of its own].json)
    3 passed in TIME
"""


@pytest.mark.parametrize("workers", [(), ("-n", "4")], ids=["one process", "xdist"])
def test_the_life_of_a_snapshot(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]) -> None:
    """What each step shows, line by line, and what it exits with."""
    for variable in ("CI", "BUILD_NUMBER"):  # by which pytest knows not to cut its short summary
        monkeypatch.delenv(variable, raising=False)

    def step(shown: str, code: int, *args: str) -> None:
        result = recorded.run(*args, *workers)
        assert screen(result) == textwrap.dedent(shown).strip().splitlines()
        assert result.ret == code

    recorded.test(SUITE)
    step(RECORDED, 0, "--snapshot-update")
    step(MATCHED, 0)
    recorded.project.edit("test_it.py", '"same": "text"', '"same": "text" if n > 1 else "other"')
    step(DIFFERS, 1)
    step(UPDATED, 0, "--snapshot-update")
    recorded.project.edit("test_it.py", "def test_named", "def test_renamed")
    step(RENAMED, 1, "--snapshot-details")
    step(REMOVED, 0, "--snapshot-update", "--snapshot-details")


def screen(result: pytest.RunResult) -> list[str]:
    """The lines of the screen, but for what is no session's own: how long it took, and which worker did what when."""
    lines = [re.sub(r" in \d+\.\d+s$", " in TIME", line.rstrip()) for line in result.outlines]
    lines = [line for line in lines if not line.startswith(("bringing up nodes", "[gw"))]
    dots = next(at for at, line in enumerate(lines) if "[100%]" in line)
    lines[dots] = re.sub(r"^[.F]+", lambda found: _in_order(found[0], result), lines[dots])
    return lines[dots:]


def _in_order(dots: str, result: pytest.RunResult) -> str:
    """The letters in the order of the tests: workers give them in that of their ends."""
    if "F" not in dots:
        return dots
    return "F.." if "test_number[1] _" in result.stdout.str() else "..F"
