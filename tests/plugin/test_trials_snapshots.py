"""Snapshots in trials: one name, one value, and each trial compared with it."""

from __future__ import annotations

import pytest
from harness import Recorded

SUITE = """
    import itertools
    SEEN = itertools.count(1)

    @pytest.mark.wisebot(trials=5, min_passes=3)
    def test_it(workflow_snapshot):
        number = next(SEEN)
        assert {"odd": number in ODD, "number": 1} == workflow_snapshot
        assert [1] == workflow_snapshot(name="named")

    ODD = ()
"""
ONE = '{\n  "number": 1,\n  "odd": false\n}\n'
NAMES = ["test_it/test_it.json", "test_it/test_it[named].json"]


def odd(recorded: Recorded, numbers: str) -> None:
    """Has the trials of these numbers give another value."""
    text = (recorded.path / "test_it.py").read_text("utf-8")
    recorded.project.write("test_it.py", f"{text[: text.index('ODD = ')]}ODD = {numbers}\n")


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_all_trials_have_one_snapshot(recorded: Recorded, args: list[str]) -> None:
    """Its name is that of a test without trials, and none is left over."""
    recorded.test(SUITE)
    assert recorded.update(*args).ret == 0
    assert recorded.names == NAMES
    assert recorded.files["__snapshots__/test_it/test_it.json"] == ONE
    result = recorded.run(*args)
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 1})


def test_a_trial_that_differs_has_failed(recorded: Recorded) -> None:
    """Two of five may; the third makes the test fail, with the difference of the first."""
    recorded.test(SUITE)
    recorded.update()
    odd(recorded, "(1, 3)")
    result = recorded.run()
    assert (result.ret, result.parseoutcomes()) == (0, {"flaky": 1})
    odd(recorded, "(2, 3, 4)")
    result = recorded.run()
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1})
    assert "the failure that is shown is that of trial 2" in result.outlines
    assert recorded.files["__snapshots__/test_it/test_it.json"] == ONE


def test_an_update_takes_the_first_trial_and_holds_the_others_to_it(recorded: Recorded) -> None:
    """The last one does not win in silence: what an update accepts, the next session accepts, too."""
    recorded.test(SUITE)
    odd(recorded, "(2, 4)")
    result = recorded.update()
    assert (result.ret, result.parseoutcomes()) == (0, {"flaky": 1})
    assert recorded.files["__snapshots__/test_it/test_it.json"] == ONE
    odd(recorded, "(2, 3, 4, 5)")
    result = recorded.update()
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1})
    odd(recorded, "range(9)")
    assert recorded.update().ret == 0
    assert recorded.files["__snapshots__/test_it/test_it.json"] == ONE.replace("false", "true")
