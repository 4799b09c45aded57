"""What a test may say of a comparison, and what it is told when that cannot be."""

from __future__ import annotations

import textwrap

import pytest
from harness import Recorded

WHOLE = '{"id": 7, "items": [{"score": 0.5}, {"score": 0.6}], "note": "n"}'


def compared(recorded: Recorded, call: str, value: str = WHOLE) -> None:
    recorded.test(f"""
        from dirty_equals import IsFloat, IsStr

        def test_it(workflow_snapshot):
            assert {value} == workflow_snapshot({call})
    """)


WRONG = [
    ("rule={}", "rule= is none of its arguments; they are name=, rules=, exclude=, shape= and failed="),
    (
        "matcher=1, include=2",
        "include=, matcher= is none of its arguments; they are name=, rules=, exclude=, shape= and failed=",
    ),
    ("name=''", "name= is a string that is not empty, got ''"),
    ("name=1", "name= is a string that is not empty, got 1"),
    ("shape=1", "shape= is True or False, got 1"),
    ("failed='yes'", "failed= is True or False, got 'yes'"),
    ("rules='id'", "rules= maps paths to what the values there must equal, got 'id'"),
    ("rules={0: 1}", "a path in rules= is a string such as 'items[*].score', got 0"),
    ("exclude=1", "exclude= is a path such as 'items[*].id', or a list of them, got 1"),
    ("exclude=['id', 1]", "exclude= is a path such as 'items[*].id', or a list of them, got ['id', 1]"),
    ("rules={'id': 7}, shape=True", "shape=True compares no values, so that rules= has nothing to judge"),
]
"""What a comparison is called with, and what is told of it."""


def test_a_wrong_argument_is_named(recorded: Recorded) -> None:
    """With what it may be; nothing is recorded."""
    test = "def test_{}(workflow_snapshot):\n    assert {} == workflow_snapshot({})\n"
    recorded.test("\n".join(test.format(number, WHOLE, call) for number, (call, _) in enumerate(WRONG)))
    result = recorded.update()
    result.assert_outcomes(failed=len(WRONG))
    shown = [line for line in recorded.shown(result) if line.startswith("TypeError: ")]
    assert shown == [f"TypeError: workflow_snapshot: {message}" for _, message in WRONG]
    assert recorded.files == {}


NOT_JSON = [
    ('{"a": [1, float("nan")]}', "a[1]: nan is not a JSON number"),
    ("{1: 2}", "$: a key must be a string, got int 1"),
    ('{"a": object()}', "a: object is not a JSON value"),
    ("deep(99)", None),
    ("deep(100)", "[0][0][0][0][0]…: nested deeper than 99 levels"),
    ("deep(50_000)", "[0][0][0][0][0]…: nested deeper than 99 levels"),
]
"""Values, and what is told of them; None of the one that JSON can just hold."""


def test_what_no_json_can_hold_is_an_error(recorded: Recorded) -> None:
    """With its path, where syrupy's own extension drops it, or cuts it, in silence."""
    deep = """
        def deep(levels):
            value = []
            for _ in range(levels - 1):
                value = [value]
            return value
    """
    tests = (
        f"\ndef test_{number}(workflow_snapshot):\n    assert {value} == workflow_snapshot\n"
        for number, (value, _) in enumerate(NOT_JSON)
    )
    recorded.test(textwrap.dedent(deep) + "".join(tests))
    result = recorded.update()
    result.assert_outcomes(passed=1, failed=len(NOT_JSON) - 1)
    kind = "pytest_wisebot.snapshots.json_codec.NotJsonError: "
    shown = [line.removeprefix(kind) for line in recorded.shown(result) if line.startswith(kind)]
    assert shown == [message for _, message in NOT_JSON if message is not None]
    (held,) = (number for number, (_, message) in enumerate(NOT_JSON) if message is None)
    assert recorded.names == [f"test_it/test_{held}.json"]


def test_what_is_excluded_is_no_part_of_it(recorded: Recorded) -> None:
    """One path or several; what is there besides is compared."""
    compared(recorded, "exclude=['id', 'items[*].score']")
    recorded.update()
    assert recorded.files == {
        "__snapshots__/test_it/test_it.json": '{\n  "items": [\n    {},\n    {}\n  ],\n  "note": "n"\n}\n'
    }
    compared(recorded, "exclude=('id', 'items[*].score')", WHOLE.replace("7", "8").replace("0.6", "0.7"))
    assert recorded.run().ret == 0
    compared(recorded, "exclude='id'")
    assert recorded.run().ret == 1


def test_a_shape_is_structure_and_types(recorded: Recorded) -> None:
    """Other values of the same types match, another type does not."""
    compared(recorded, "shape=True")
    recorded.update()
    compared(recorded, "shape=True", WHOLE.replace("7", "8").replace('"n"', '"other"'))
    assert recorded.run().ret == 0
    compared(recorded, "shape=True", WHOLE.replace("7", '"7"'))
    assert recorded.shown(recorded.run()) == [
        "assert [+ received] == [- test_it]",
        *("id", '- "<int>"', '+ "<str>"'),
    ]


def test_what_was_said_is_said_of_one_comparison(recorded: Recorded) -> None:
    """Not of the next one, also where the first was no comparison after all."""
    recorded.test("""
        def test_it(workflow_snapshot):
            with pytest.raises(ValueError, match="nan"):
                assert {"a": float("nan")} == workflow_snapshot(name="n", shape=True)
            assert {"a": 1} == workflow_snapshot(shape=True)
            assert {"a": 1} == workflow_snapshot
    """)
    recorded.update()
    assert recorded.files == {
        "__snapshots__/test_it/test_it.json": '{\n  "a": "<int>"\n}\n',
        "__snapshots__/test_it/test_it.1.json": '{\n  "a": 1\n}\n',
    }


@pytest.mark.parametrize("way", ["with_defaults(matcher=1)", "use_extension()"])
def test_it_keeps_its_extension(recorded: Recorded, way: str) -> None:
    """Syrupy's own ways to make another assertion of one are refused in words."""
    recorded.test(f"""
        def test_it(workflow_snapshot):
            workflow_snapshot.{way}
    """)
    assert recorded.shown(recorded.run())[-1] == (
        "TypeError: workflow_snapshot has its own extension; for one comparison call it with name=, rules=, exclude=, "
        "shape= and failed="
    )


def test_it_says_what_it_is(recorded: Recorded) -> None:
    """It is syrupy's assertion, shows itself in a word, and ``--fixtures`` explains it."""
    recorded.test("""
        from syrupy.assertion import SnapshotAssertion
        from pytest_wisebot import WorkflowSnapshot

        def test_it(workflow_snapshot):
            assert isinstance(workflow_snapshot, SnapshotAssertion)
            assert isinstance(workflow_snapshot, WorkflowSnapshot)
            assert repr(workflow_snapshot) == "<workflow_snapshot of test_it>"
    """)
    assert recorded.run().ret == 0
    lines = recorded.run("--fixtures").outlines
    at = next(number for number, line in enumerate(lines) if line.startswith("workflow_snapshot -- "))
    assert lines[at + 1].strip() == (
        "What was recorded: ``assert run == workflow_snapshot`` compares a run, or any JSON value, with its snapshot."
    )


def test_a_name_that_holds_a_credential_is_refused(recorded: Recorded) -> None:
    """It would be the name of a file; nothing is written, and the message shows none of it."""
    recorded.test("""
        def test_it(workflow_snapshot):
            assert 1 == workflow_snapshot(name="wb_live_FAKEFAKEFAKEFAKE")
    """)
    result = recorded.update()
    result.assert_outcomes(failed=1)
    assert recorded.names == []
    assert recorded.shown(result)[0] == (
        "ValueError: workflow_snapshot: name= holds a credential, and would be a file's name: <secret>"
    )
