"""Snapshots under pytest-xdist: what many workers record at once is all there, and as one worker would have it."""

from __future__ import annotations

import pytest
from harness import Recorded

MANY = 300


@pytest.mark.slow
@pytest.mark.heavy
def test_no_snapshot_is_lost_among_eight_workers(recorded: Recorded) -> None:
    """300 snapshots, updated three times from scratch and once more from other values; the next session is green."""
    suite = """
        @pytest.mark.parametrize("n", range({many}))
        def test_it(workflow_snapshot, n):
            assert {{"n": n + {shift}}} == workflow_snapshot
    """
    recorded.test(suite.format(many=MANY, shift=0))
    expected = {
        f"__snapshots__/test_it/test_it[{n}].json": f'{{\n  "n": {n}\n}}\n' for n in range(MANY)
    }  # fmt: skip
    for _ in range(3):
        result = recorded.update("-n", "8")
        assert (result.ret, recorded.said(result)) == (0, [f"{MANY} snapshots generated."])
        assert recorded.files == expected
        for path in (recorded.path / "__snapshots__").rglob("*.json"):
            path.unlink()
    recorded.test(suite.format(many=MANY, shift=1))
    recorded.update()
    recorded.test(suite.format(many=MANY, shift=0))
    result = recorded.update("-n", "8")
    assert (result.ret, recorded.said(result)) == (0, [f"{MANY} snapshots updated."])
    assert recorded.files == expected
    for args in (["-n", "8"], []):
        result = recorded.run(*args)
        assert (result.ret, recorded.said(result)) == (0, [f"{MANY} snapshots passed."])


def test_each_worker_may_run_each_test(recorded: Recorded) -> None:
    """``--dist each`` records what all agree in, and fails where they do not."""
    recorded.test("""
        import os

        def test_same(workflow_snapshot):
            assert 1 == workflow_snapshot

        def test_differs(workflow_snapshot):
            assert os.environ["PYTEST_XDIST_WORKER"] == workflow_snapshot
    """)
    result = recorded.update("--dist", "each", "--tx", "2*popen")
    result.assert_outcomes(passed=3, failed=1)
    assert recorded.files["__snapshots__/test_it/test_same.json"] == "1\n"


def test_nothing_is_left_in_the_temporary_folder(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where workers told each other what they had recorded."""
    folder = recorded.path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    recorded.test("def test_it(workflow_snapshot):\n    assert 1 == workflow_snapshot")
    assert recorded.said(recorded.update("-n", "2")) == ["1 snapshot generated."]
    assert list(folder.iterdir()) == []
