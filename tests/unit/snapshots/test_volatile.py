"""What a project calls volatile is replaced wherever a run, its result or a part of it is compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_wisebot import WorkflowRun
from pytest_wisebot.redaction.jsonpath import Pattern
from pytest_wisebot.snapshots.normalise import NormaliserConfig
from pytest_wisebot.snapshots.serialize import ComparisonContext, ComparisonOptions, receive

RESULT = {"charge": {"id": "ch_1", "total": 5}, "rows": [{"id": 7, "sku": "A"}, {"id": [8], "sku": "B"}], "none": None}


def stored(
    value: object, *volatile: str, runs: Sequence[WorkflowRun] = (), keep: tuple[str, ...] = (), **options: Any
) -> Any:
    """What the snapshot of a value holds, where the project calls these paths volatile."""
    habits = NormaliserConfig(volatile=volatile, keep=keep)
    around = ComparisonContext(lambda data: data, str, habits, lambda: runs)
    return json.loads(receive(value, ComparisonOptions(**options), around))


def run(result: Any = RESULT) -> WorkflowRun:
    return WorkflowRun(ok=True, workflow="triage", result=result)


@pytest.mark.parametrize("path", ["result.rows[*].id", "rows[*].id", "**.rows[*].id"])
def test_a_path_holds_for_the_result_and_for_its_parts(path: str) -> None:
    """Behind `result.` it holds for a run, for its result, and for what is taken out of the result."""
    one, masked = run(), [{"id": "<volatile>", "sku": "A"}, {"id": "<volatile>", "sku": "B"}]
    assert stored(one.result, path, runs=[one])["rows"] == masked
    if path != "rows[*].id":
        assert stored(one, path)["result"]["rows"] == masked
        assert stored([one, one], path)[1]["result"]["rows"] == masked
        assert stored(one.result["rows"], path, runs=[one]) == masked
        assert stored(one.result["rows"][1]["id"], path, runs=[one]) == "<volatile>"


def test_a_model_s_fields_are_those_of_the_result() -> None:
    """A copy, as a model gives one, is not known as a part of a run."""
    assert stored({"charge": {"id": "ch_1"}}, "result.charge.id", runs=[run()]) == {"charge": {"id": "<volatile>"}}


def test_null_stays_and_what_is_missing_stays_missing() -> None:
    """That there is nothing is an answer; a list, an object and a number are replaced whole."""
    assert stored(run({"a": None, "b": {"c": 1}, "d": [1], "e": 0}), *(f"result.{key}" for key in "abdef"))[
        "result"
    ] == {
        "a": None,
        "b": "<volatile>",
        "d": "<volatile>",
        "e": "<volatile>",
    }


def test_a_name_alone_is_a_key_at_any_depth() -> None:
    """As it is for `keep`; behind `$` it is that of the outermost object."""
    assert stored(run({"id": 1, "in": {"id": 2}}), "id")["result"] == {"id": "<volatile>", "in": {"id": "<volatile>"}}
    assert stored({"id": 1, "in": {"id": 2}}, "$.id") == {"id": "<volatile>", "in": {"id": 2}}


def test_the_whole_result_may_be_volatile() -> None:
    """Of a workflow that answers with a sentence."""
    one = run("Thanks, we will look into it.")
    assert stored(one, "$.result") == {"ok": True, "result": "<volatile>"}
    assert stored(one.result, "$.result", runs=[one]) == "<volatile>"


def test_a_rule_of_the_test_is_closer_than_the_project() -> None:
    """Its text is stored, and a broken rule is shown with its value."""
    assert stored(run({"a": 1}), "result.a", rules={"a": 1})["result"] == {"a": "1"}
    assert stored(run({"a": 2}), "result.a", rules={"a": 1})["result"] == {"a": 2}


def test_volatile_goes_before_keep_and_holds_for_shapes() -> None:
    """Of a whole that stays a part may be volatile."""
    assert stored(run({"a": {"b": 1, "c": 2}}), "result.a.b", keep=("a",))["result"]["a"] == {"b": "<volatile>", "c": 2}
    assert stored(run({"a": 1}), "result.a", shape=True)["result"] == {"a": "<str>"}


def test_true_and_small_numbers_are_no_part_of_any_run() -> None:
    """They stand everywhere; they are compared as they are."""
    one = run({"paid": True, "n": 5})
    assert stored(True, "result.paid", runs=[one]) is True
    assert stored(5, "result.n", runs=[one]) == 5


@pytest.mark.parametrize(
    ("pattern", "path", "below"),
    [
        ("result.a.b", ("result",), ["a.b"]),
        ("result.a", ("result", "a", "x"), ["$"]),
        ("result.a", ("error",), []),
        ("**.id", ("result", 0), ["**.id", "id"]),
        ("result[*].id", ("result", 3), ["id"]),
    ],
)
def test_a_pattern_is_seen_from_below(pattern: str, path: tuple[str | int, ...], below: list[str]) -> None:
    """The same places, by the paths that lead to them from inside."""
    assert Pattern.parse(pattern).below(path) == [Pattern.parse(text) for text in below]
