"""syrupy's options mean here what they mean everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Recorded

DETAILS = [
    "Unused test_old (__snapshots__/test_it/test_old.json)",
    "Re-run pytest with --snapshot-update to delete unused snapshots.",
]


@pytest.fixture
def suite(recorded: Recorded) -> Any:
    """One snapshot matches, one differs, one is missing and one is unused."""
    recorded.test("""
        def test_same(workflow_snapshot):
            assert 1 == workflow_snapshot

        def test_differs(workflow_snapshot):
            assert 1 == workflow_snapshot

        def test_old(workflow_snapshot):
            assert 1 == workflow_snapshot
    """)
    recorded.update()
    recorded.test("""
        def test_same(workflow_snapshot):
            assert 1 == workflow_snapshot

        def test_differs(workflow_snapshot):
            assert 2 == workflow_snapshot

        def test_new(workflow_snapshot):
            assert 1 == workflow_snapshot
    """)
    return recorded


def files(suite: Any) -> dict[str, str]:
    return {path.rpartition("/")[2].removesuffix(".json"): text.strip() for path, text in suite.files.items()}


def test_details_name_what_is_unused(suite: Any) -> None:
    """``--snapshot-details``."""
    result = suite.run("--snapshot-details")
    assert result.ret == 1
    assert suite.said(result) == ["2 snapshots failed. 1 snapshot passed. 1 snapshot unused.", *DETAILS]


def test_details_name_what_an_update_has_done(suite: Any) -> None:
    """``--snapshot-update --snapshot-details``."""
    result = suite.update("--snapshot-details")
    assert result.ret == 0
    assert suite.said(result) == [
        "1 snapshot passed. 1 snapshot generated. 1 snapshot updated. 1 unused snapshot deleted.",
        "Deleted test_old (__snapshots__/test_it/test_old.json)",
        "Generated test_new (__snapshots__/test_it/test_new.json)",
        "Updated test_differs (__snapshots__/test_it/test_differs.json)",
    ]
    assert files(suite) == {"test_differs": "2", "test_new": "1", "test_same": "1"}


@pytest.mark.parametrize("option", ["--snapshot-warn-unused", "--snapshot-disable-unused"])
def test_unused_snapshots_can_be_tolerated(suite: Any, option: str) -> None:
    """They fail nothing then."""
    assert suite.run("-k", "same", option).ret == 0
    suite.test("def test_same(workflow_snapshot):\n    assert 1 == workflow_snapshot")
    assert suite.run().ret == 1
    assert suite.run(option).ret == 0
    suite.update("--snapshot-disable-unused")
    assert set(files(suite)) == {"test_differs", "test_old", "test_same"}


def test_only_what_is_new_can_be_recorded(suite: Any) -> None:
    """``--snapshot-update-new-only`` changes no snapshot that is there."""
    result = suite.run("--snapshot-update-new-only")
    result.assert_outcomes(passed=2, failed=1)
    assert files(suite) == {"test_differs": "1", "test_new": "1", "test_old": "1", "test_same": "1"}


def test_an_update_can_leave_what_is_unused(suite: Any) -> None:
    """``--snapshot-no-cleanup``."""
    result = suite.update("--snapshot-no-cleanup")
    assert suite.said(result)[0] == "1 snapshot passed. 1 snapshot generated. 1 snapshot updated. 1 snapshot unused."
    assert files(suite) == {"test_differs": "2", "test_new": "1", "test_old": "1", "test_same": "1"}


def test_differences_can_be_left_out(suite: Any) -> None:
    """``--snapshot-diff-mode=disabled``: that it differs, and not in what."""
    result = suite.run("--snapshot-diff-mode=disabled")
    assert suite.shown(result) == [
        "assert [+ received] == [- test_differs]",
        "assert [+ received] == [- test_new]",
        "there is no __snapshots__/test_it/test_new.json: --snapshot-update writes it",
    ]


def test_the_end_is_the_same_with_workers(suite: Any) -> None:
    """Counts and names of a whole session, whoever has run its tests."""
    alone = suite.run("--snapshot-details")
    spread = suite.run("--snapshot-details", "-n", "2")
    assert suite.said(spread) == suite.said(alone)
    assert spread.ret == alone.ret == 1
