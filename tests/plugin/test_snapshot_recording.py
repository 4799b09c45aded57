"""The life of a snapshot: recorded, matched, missed, renamed, left over."""

from __future__ import annotations

import os

import pytest
from harness import Recorded

SUITE = """
    def test_it(workflow_snapshot):
        assert {"b": [1, "é"], "a": {"x": None}} == workflow_snapshot
"""

TEXT = """\
{
  "a": {
    "x": null
  },
  "b": [
    1,
    "é"
  ]
}
"""


def test_an_update_records(recorded: Recorded) -> None:
    """One file beside the module, JSON with sorted keys, in UTF-8; the next session is green."""
    recorded.test(SUITE)
    result = recorded.update()
    assert result.ret == 0
    assert recorded.said(result) == ["1 snapshot generated."]
    assert recorded.files == {"__snapshots__/test_it/test_it.json": TEXT}
    result = recorded.run()
    assert result.ret == 0
    assert recorded.said(result) == ["1 snapshot passed."]


def test_nothing_is_recorded_unasked(recorded: Recorded) -> None:
    """Without a snapshot the test fails, says what is missing and what would be there, and writes nothing."""
    recorded.test(SUITE)
    result = recorded.run()
    assert result.ret == 1
    assert recorded.shown(result) == [
        "assert [+ received] == [- test_it]",
        "there is no __snapshots__/test_it/test_it.json: --snapshot-update writes it",
        "+ {",
        '+   "a": {',
        '+     "x": null',
        "+   },",
        '+   "b": [',
        '... all 10 lines are below, in the section "snapshot __snapshots__/test_it/test_it.json"',
        "snapshot __snapshots__/test_it/test_it.json",
        "there is no __snapshots__/test_it/test_it.json: --snapshot-update writes it",
        *(f"+ {line}" for line in TEXT.splitlines()),
    ]
    assert recorded.said(result) == ["1 snapshot failed."]
    assert recorded.files == {}


def test_a_difference_is_shown_and_accepted_by_an_update(recorded: Recorded) -> None:
    """The changed path alone; an update says that it has updated, and the next session is green."""
    recorded.test(SUITE)
    recorded.update()
    recorded.test(SUITE.replace("1,", "2,"))
    result = recorded.run()
    assert result.ret == 1
    assert recorded.shown(result) == ["assert [+ received] == [- test_it]", "b[0]", "- 1", "+ 2"]
    assert recorded.said(result) == ["1 snapshot failed."]
    result = recorded.update()
    assert (result.ret, recorded.said(result)) == (0, ["1 snapshot updated."])
    assert recorded.files == {"__snapshots__/test_it/test_it.json": TEXT.replace("1,", "2,")}
    assert recorded.run().ret == 0


def test_a_renamed_test_leaves_an_unused_snapshot(recorded: Recorded) -> None:
    """It fails the session, and an update removes it."""
    recorded.test(SUITE)
    recorded.update()
    recorded.test(SUITE.replace("test_it", "test_that"))
    result = recorded.run()
    assert result.ret == 1
    assert recorded.said(result) == [
        "1 snapshot failed. 1 snapshot unused.",
        "Re-run pytest with --snapshot-update to delete unused snapshots.",
    ]
    result = recorded.update()
    assert result.ret == 0
    assert recorded.said(result) == [
        "1 snapshot generated. 1 unused snapshot deleted.",
        "Deleted test_it (__snapshots__/test_it/test_it.json)",
    ]
    assert recorded.files == {"__snapshots__/test_it/test_that.json": TEXT}


def test_a_removed_module_leaves_unused_snapshots(recorded: Recorded) -> None:
    """Its neighbours' session finds them; an update removes them with their folder."""
    recorded.test(SUITE, "test_stays.py")
    recorded.test(SUITE, "test_goes.py")
    recorded.update()
    (recorded.path / "test_goes.py").unlink()
    result = recorded.run("--snapshot-details")
    assert result.ret == 1
    assert recorded.said(result) == [
        "1 snapshot passed. 1 snapshot unused.",
        "Unused test_it (__snapshots__/test_goes/test_it.json)",
        "Re-run pytest with --snapshot-update to delete unused snapshots.",
    ]
    assert recorded.said(recorded.update())[0] == "1 snapshot passed. 1 unused snapshot deleted."
    assert [path.name for path in (recorded.path / "__snapshots__").iterdir()] == ["test_stays"]


def test_what_is_equal_is_not_written_again(recorded: Recorded) -> None:
    """An update leaves files alone that say the same, also where a formatter or a checkout has been over them."""
    recorded.test(SUITE)
    recorded.update()
    path = recorded.path / "__snapshots__" / "test_it" / "test_it.json"
    path.write_bytes(b'{"b":[1,"\\u00e9"],\r\n"a":{"x":null}}')
    os.utime(path, (1, 1))
    result = recorded.update()
    assert (result.ret, recorded.said(result)) == (0, ["1 snapshot passed."])
    assert path.stat().st_mtime == 1


def test_numbers_are_compared_as_they_are_written(recorded: Recorded) -> None:
    """1, 1.0 and true are equal in Python, and different in a result."""
    recorded.test("def test_it(workflow_snapshot):\n    assert [1, 1, 1] == workflow_snapshot")
    recorded.update()
    recorded.test("def test_it(workflow_snapshot):\n    assert [1, 1.0, True] == workflow_snapshot")
    assert recorded.shown(recorded.run()) == [
        "assert [+ received] == [- test_it]",
        *("[1]   (int, now float)", "- 1", "+ 1.0"),
        *("[2]   (int, now bool)", "- 1", "+ true"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1', "Expecting ',' delimiter: line 1 column 8 (char 7)"),
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("<<<<<<< HEAD\n1\n", "Expecting value: line 1 column 1 (char 0)"),
        ("[NaN]", "NaN is not a JSON number"),
        ("caf\xe9", "it is not UTF-8"),
    ],
)
def test_a_file_that_is_no_json_is_named(recorded: Recorded, text: str, problem: str) -> None:
    """Torn, empty, with a conflict of a merge in it: the failure names file and problem, and an update replaces it."""
    recorded.test("def test_it(workflow_snapshot):\n    assert [1] == workflow_snapshot")
    recorded.update()
    path = recorded.path / "__snapshots__" / "test_it" / "test_it.json"
    path.write_bytes(text.encode("latin-1"))
    result = recorded.run()
    assert result.ret == 1
    assert recorded.shown(result)[:2] == [
        "assert [+ received] == [- test_it]",
        f"__snapshots__/test_it/test_it.json is not valid JSON ({problem}): "
        "mend it, or have --snapshot-update write it anew",
    ]
    assert recorded.said(recorded.update()) == ["1 snapshot updated."]
    assert path.read_text("utf-8") == "[\n  1\n]\n"
