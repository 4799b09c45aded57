"""Rules hold while snapshots are compared and while they are recorded."""

from __future__ import annotations

import os
from typing import Any

from harness import Recorded

STORED = '{\n  "n": 1,\n  "text": "IsStr(min_length=5)"\n}\n'


def suite(recorded: Recorded, text: str, n: int = 1, rules: str = "{'text': IsStr(min_length=5)}") -> None:
    recorded.test(f"""
        from dirty_equals import IsStr

        def test_it(workflow_snapshot):
            assert {{"text": {text!r}, "n": {n}}} == workflow_snapshot(rules={rules})
    """)


def test_a_value_that_satisfies_its_rule_is_never_written_again(recorded: Recorded) -> None:
    """Other words match, and an update has nothing to do."""
    suite(recorded, "some words")
    recorded.update()
    path = recorded.path / "__snapshots__" / "test_it" / "test_it.json"
    assert path.read_text("utf-8") == STORED
    os.utime(path, (1, 1))
    suite(recorded, "other words")
    assert recorded.said(recorded.run()) == ["1 snapshot passed."]
    assert recorded.said(recorded.update()) == ["1 snapshot passed."]
    assert path.stat().st_mtime == 1


def test_an_update_accepts_no_broken_rule(recorded: Recorded) -> None:
    """The test fails with the rule beside the value, and the file keeps the rule, whatever else has changed."""
    suite(recorded, "some words")
    recorded.update()
    suite(recorded, "few", n=2)
    for result in (recorded.run(), recorded.update()):
        assert result.ret == 1
        assert recorded.shown(result) == [
            "assert [+ received] == [- test_it]",
            *("n", "- 1", "+ 2"),
            *("text", "- IsStr(min_length=5)", '+ "few"   (breaks IsStr(min_length=5))'),
        ]
        assert recorded.said(result) == ["1 snapshot failed."]
        assert recorded.files == {"__snapshots__/test_it/test_it.json": STORED}


def test_nothing_is_recorded_that_breaks_its_rule(recorded: Recorded) -> None:
    """Not for the first time either."""
    suite(recorded, "few")
    result = recorded.update()
    assert result.ret == 1
    assert recorded.shown(result) == [
        "assert [+ received] == [- test_it]",
        "there is no __snapshots__/test_it/test_it.json, and nothing is recorded that breaks its rule",
        "text breaks IsStr(min_length=5)",
        *("+ {", '+   "n": 1,', '+   "text": "few"', "+ }"),
    ]
    assert recorded.files == {}


def test_a_rule_holds_for_what_was_recorded_without_it(recorded: Recorded) -> None:
    """The same value as before fails if the rule is new and broken; one that satisfies it is an update."""
    suite(recorded, "few", rules="None")
    recorded.update()
    suite(recorded, "few")
    result = recorded.run()
    assert result.ret == 1
    assert any("breaks IsStr(min_length=5)" in line for line in recorded.shown(result))
    suite(recorded, "some words")
    assert recorded.shown(recorded.run()) == [
        "assert [+ received] == [- test_it]",
        *("text", '- "few"', '+ "IsStr(min_length=5)"'),
    ]
    assert recorded.said(recorded.update()) == ["1 snapshot updated."]
    assert recorded.files == {"__snapshots__/test_it/test_it.json": STORED}


def test_a_credential_in_a_rule_is_stored_masked(recorded: Recorded, monkeypatch: Any) -> None:
    """What a test has written as a rule is no more to be committed than what a workflow answers."""
    monkeypatch.setenv("WISEBOT_WORKFLOW_SECRET", "FAKE-secret-in-a-rule")
    suite(recorded, "FAKE-secret-in-a-rule", rules="{'text': IsStr(regex='<secret>|FAKE-secret-in-a-rule')}")
    recorded.update("--wisebot-origin", "http://127.0.0.1:9")
    assert "FAKE" not in "".join(recorded.files.values())
