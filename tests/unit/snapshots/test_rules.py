"""What differs from run to run is held to a rule, and the rule's text is what the snapshot keeps."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from dirty_equals import DirtyEquals, FunctionCheck, IsApprox, IsInt, IsList, IsPartialDict, IsStr

from pytest_wisebot.snapshots.rules import RuleError, exclude, replaced_at
from pytest_wisebot.snapshots.rules import apply_rules as held

RESULT: dict[str, Any] = {
    "summary": "The customer was charged twice and asks for the money back.",
    "items": [{"score": 0.78, "id": "a"}, {"score": 0.85, "id": "b"}],
    "tags": ["urgent", "billing"],
}


class Remembers:
    """A rule that pickle can copy, as those of dirty_equals are."""

    met = ""

    def __eq__(self, other: object) -> bool:
        before, self.met = self.met, str(other)
        return not before

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Remembers({self.met!r})"


def broken(value: object, rules: Mapping[str, object]) -> dict[Any, str]:
    return dict(held(value, rules).broken)


# --- one rule


def test_a_value_that_satisfies_its_rule_becomes_the_rules_text() -> None:
    """The rules of the documentation hold, and their texts, as written, stand in the place of the values."""
    ruled = held(
        RESULT,
        {
            "summary": IsStr(min_length=40),
            "items[*].score": IsApprox(0.8, delta=0.1),
            "tags": IsList("billing", "urgent", check_order=False),
        },
    )

    assert ruled.value == {
        "summary": "IsStr(min_length=40)",
        "items": [
            {"score": "IsApprox(approx=0.8, delta=0.1)", "id": "a"},
            {"score": "IsApprox(approx=0.8, delta=0.1)", "id": "b"},
        ],
        "tags": "IsList('billing', 'urgent', check_order=False)",
    }
    assert ruled.kept == {("summary",), ("items", 0, "score"), ("items", 1, "score"), ("tags",)}
    assert ruled.broken == {}


def test_a_value_that_breaks_its_rule_stands_as_it_came() -> None:
    """Of two rows under one rule, the one that breaks it is named with the rule, and the other has its text."""
    ruled = held(RESULT, {"items[*].score": IsApprox(0.8, delta=0.03)})

    assert ruled.value["items"] == [
        {"score": "IsApprox(approx=0.8, delta=0.03)", "id": "a"},
        {"score": 0.85, "id": "b"},
    ]
    assert ruled.kept == {("items", 0, "score")}
    assert ruled.broken == {("items", 1, "score"): "IsApprox(approx=0.8, delta=0.03)"}


def test_a_rule_that_was_used_before_has_the_same_text() -> None:
    """dirty_equals shows in its repr what it matched; one rule object for many values and runs keeps its own text."""
    rule = IsStr(min_length=3)

    first = held({"a": "abc", "b": "defg"}, {"*": rule})
    second = held({"a": "abc", "b": "defg"}, {"*": rule})

    assert first.value == second.value == {"a": "IsStr(min_length=3)", "b": "IsStr(min_length=3)"}
    assert repr(rule) == "IsStr(min_length=3)"


def test_what_was_received_is_not_changed() -> None:
    """The test goes on with its own value: rules and exclusions make copies."""
    value = copy.deepcopy(RESULT)
    before = copy.deepcopy(value)

    ruled = held(value, {"items[*].score": IsApprox(0.8, delta=0.1)})
    left = exclude(value, "items[0].score")

    assert value == before
    assert ruled.value["items"][0] is not value["items"][0]
    assert "score" not in left["items"][0]


def test_any_object_with_equality_is_a_rule() -> None:
    """Plain values, classes of dirty_equals and objects of one's own are compared by ``==`` and no other way."""

    class Even:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, int) and other % 2 == 0

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "Even()"

    ruled = held({"a": 2, "b": "x", "c": 5, "d": 3}, {"a": Even(), "b": IsStr, "c": 5, "d": Even()})

    assert ruled.value == {"a": "Even()", "b": "IsStr", "c": "5", "d": 3}
    assert ruled.broken == {("d",): "Even()"}


def test_a_type_is_no_rule_for_its_instances() -> None:
    """``str`` equals no text: there is no magic behind ``==``, and the text says what was compared."""
    assert broken({"a": "x"}, {"a": str}) == {("a",): "<class 'str'>"}


def test_the_text_of_a_rule_holds_no_address() -> None:
    """A rule with no repr of its own, or with a function in it, has the same text in each session."""

    class Even:
        def __eq__(self, other: object) -> bool:
            return other == 2

        __hash__ = None  # type: ignore[assignment]

    name = "test_the_text_of_a_rule_holds_no_address.<locals>.Even"
    assert held([2], {"[0]": Even()}).value == [f"<{__name__}.{name} object>"]
    assert held([2], {"[0]": FunctionCheck(callable)}).broken == {(0,): "FunctionCheck(callable)"}


def test_a_rule_that_raises_is_broken() -> None:
    """An error in ``==`` is shown beside the rule's text, and does not end the comparison."""

    class Strict:
        def __eq__(self, other: object) -> bool:
            raise TypeError(f"cannot compare {other!r}")

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "Strict()"

    ruled = held({"a": 1, "b": "x"}, {"a": Strict(), "b": IsStr()})

    assert ruled.broken == {("a",): "Strict() (== raised TypeError: cannot compare 1)"}
    assert ruled.value == {"a": 1, "b": "IsStr()"}


def test_a_rule_without_a_truth_value_is_broken() -> None:
    """What ``==`` gives must be true or false; where that is an error, the rule is broken."""

    class Array:
        def __bool__(self) -> bool:
            raise ValueError("ambiguous")

        def __eq__(self, other: object) -> Any:
            return self

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "Array()"

    assert broken([1], {"[0]": Array()}) == {(0,): "Array() (== raised ValueError: ambiguous)"}


def test_a_rule_that_cannot_be_copied_is_compared_itself() -> None:
    """Some objects refuse to be copied; they are rules all the same."""

    class Single:
        def __deepcopy__(self, memo: object) -> None:
            raise TypeError("one is enough")

        def __eq__(self, other: object) -> bool:
            return other == 1

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "Single()"

    assert held([1], {"[0]": Single()}).value == ["Single()"]


def test_each_value_meets_a_fresh_copy() -> None:
    """A rule that remembers what it met judges each value for itself."""

    class Once:
        def __init__(self) -> None:
            self.met: list[object] = []

        def __eq__(self, other: object) -> bool:
            self.met.append(other)
            return len(self.met) == 1

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return f"Once({self.met})"

    assert held([1, 2, 3], {"[*]": Once()}).value == ["Once([])"] * 3
    assert held(["a", "b"], {"[*]": Remembers()}).value == ["Remembers('')"] * 2


def test_a_repr_that_raises_is_an_error_that_names_the_path() -> None:
    """A rule without a text cannot stand in a snapshot."""

    class Nameless(DirtyEquals[Any]):
        def __repr__(self) -> str:
            raise RuntimeError("no name")

    with pytest.raises(RuleError) as raised:
        held({"a": 1}, {"a": Nameless()})

    assert str(raised.value) == "rules: the repr of the rule for 'a' raised RuntimeError: no name"


@pytest.mark.parametrize("path", ["$", ""])
def test_a_rule_for_the_whole_value(path: str) -> None:
    """At the root the text stands for everything, or everything is shown beside the rule that it breaks."""
    assert held({"a": 1, "b": 2}, {path: IsPartialDict(a=1)}).value == "IsPartialDict(a=1)"
    assert broken({"a": 2}, {path: IsPartialDict(a=1)}) == {(): "IsPartialDict(a=1)"}


def test_no_rules_change_nothing() -> None:
    """Without rules the value is the one that came."""
    ruled = held(RESULT, {})

    assert (ruled.value, ruled.kept, ruled.broken) == (RESULT, frozenset(), {})


def test_what_is_no_json_can_be_held_to_a_rule() -> None:
    """A value that no snapshot could hold may stand where a rule's text takes its place."""
    value = MappingProxyType({"a": (object(), b"x")})

    assert held(value, {"a[0]": IsInt(), "a[1]": b"x"}).value["a"][1] == "b'x'"


# --- several rules


def test_all_rules_for_one_path_must_hold() -> None:
    """Where a pattern and a path meet, both are judged; the snapshot keeps both texts, in the order of the rules."""
    rules = {"[*]": IsInt(ge=0), "[0]": IsInt(lt=10)}

    assert held([5, 50], rules).value == ["IsInt(ge=0) & IsInt(lt=10)", "IsInt(ge=0)"]
    assert broken([50, -1], rules) == {(0,): "IsInt(lt=10)", (1,): "IsInt(ge=0)"}
    assert broken([-1], {"[*]": IsInt(ge=0), "[0]": IsInt(gt=10)}) == {(0,): "IsInt(ge=0) & IsInt(gt=10)"}


def test_an_outer_rule_stands_for_what_is_inside() -> None:
    """A rule for a list and one for its elements: both are judged, and the list's text is what stands there."""
    ruled = held({"t": [1, 2]}, {"t[*]": IsInt(), "t": IsList(length=2)})

    assert ruled.value == {"t": "IsList(length=2)"}
    assert ruled.kept == {("t",)}
    assert ruled.broken == {}


def test_an_outer_rule_does_not_hide_what_is_broken_inside() -> None:
    """The list satisfies its rule and an element breaks its own: the list stays, so that the element can be shown."""
    ruled = held({"t": [1, "x"], "u": 1}, {"t": IsList(length=2), "t[*]": IsInt(), "u": IsInt()})

    assert ruled.value == {"t": ["IsInt()", "x"], "u": "IsInt()"}
    assert ruled.kept == {("t", 0), ("u",)}
    assert ruled.broken == {("t", 1): "IsInt()"}


def test_an_outer_rule_that_is_broken_is_named() -> None:
    """A list that breaks its rule stays, with the texts of those of its elements that satisfy theirs."""
    ruled = held({"t": [1, 2]}, {"t": IsList(length=3), "t[*]": IsInt()})

    assert ruled.value == {"t": ["IsInt()", "IsInt()"]}
    assert ruled.broken == {("t",): "IsList(length=3)"}


# --- paths


def test_a_path_that_matches_nothing_lists_the_paths_there_are() -> None:
    """The message names the nearest path and all others, rows once."""
    with pytest.raises(RuleError) as raised:
        held(RESULT, {"items[*].scores": IsInt()})

    assert str(raised.value) == (
        "rules: 'items[*].scores' matches nothing; did you mean 'items[*].score'? The paths there are:\n"
        "  $\n  items\n  items[*]\n  items[*].id\n  items[*].score\n  summary\n  tags\n  tags[*]"
    )


def test_many_paths_are_listed_up_to_a_bound() -> None:
    """Of many paths twenty are listed and the rest is counted."""
    with pytest.raises(RuleError) as raised:
        exclude({f"key{number:03}": 1 for number in range(500)}, "nothing.like.it")

    lines = str(raised.value).splitlines()
    assert lines[0] == "exclude: 'nothing.like.it' matches nothing. The paths there are:"
    assert lines[1:3] == ["  $", "  key000"]
    assert lines[-1] == "  … and 481 more"
    assert len(lines) == 22


def test_a_path_that_is_none_is_an_error() -> None:
    """A mistake in a path is reported as one, with what paths look like."""
    with pytest.raises(RuleError) as raised:
        held(RESULT, {"items[].score": IsInt()})

    assert str(raised.value).startswith(
        "rules: 'items[].score' is not a valid JSON path: not understood from '[].score' on; "
    )


# --- exclusions


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("a", {"rows": [{"id": 1, "n": 2}, {"id": 3, "n": 4}, {"n": 5}]}),
        ("rows[*].id", {"a": 0, "rows": [{"n": 2}, {"n": 4}, {"n": 5}]}),
        (["a", "**.n"], {"rows": [{"id": 1}, {"id": 3}, {}]}),
        ("rows[0]", {"a": 0, "rows": [{"id": 3, "n": 4}, {"n": 5}]}),
        (["rows[0]", "rows[2]", "rows[*].n"], {"a": 0, "rows": [{"id": 3}]}),
        ("rows[*]", {"a": 0, "rows": []}),
        (("rows", "rows[1].id"), {"a": 0}),
        ([], {"a": 0, "rows": [{"id": 1, "n": 2}, {"id": 3, "n": 4}, {"n": 5}]}),
    ],
)
def test_what_is_excluded_is_gone(patterns: str | list[str], left: dict[str, Any]) -> None:
    """One path or several, keys and elements, one within another; what stays is as it was."""
    assert exclude({"a": 0, "rows": [{"id": 1, "n": 2}, {"id": 3, "n": 4}, {"n": 5}]}, patterns) == left


@pytest.mark.parametrize("patterns", ["$", ["a", "**"]])
def test_the_whole_value_is_not_excluded(patterns: str | list[str]) -> None:
    """A snapshot of nothing would compare nothing."""
    with pytest.raises(RuleError) as raised:
        exclude({"a": 1}, patterns)

    assert str(raised.value) == "exclude: the whole value would be excluded, and nothing be compared"


def test_an_exclusion_that_matches_nothing_is_an_error() -> None:
    """An excluded path that is not there is a mistake, or a result that has changed."""
    with pytest.raises(RuleError) as raised:
        exclude({"summary": 1}, ["summary", "sumary"])

    assert str(raised.value) == (
        "exclude: 'sumary' matches nothing; did you mean 'summary'? The paths there are:\n  $\n  summary"
    )


def test_only_what_is_on_a_path_is_copied() -> None:
    """A large result with one rule is not copied as a whole."""
    value = {"a": [1], "b": {"c": 2}}

    assert replaced_at(value, {("b", "c"): 3}) == {"a": [1], "b": {"c": 3}}
    assert replaced_at(value, {("b", "c"): 3})["a"] is value["a"]
