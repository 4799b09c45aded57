"""Structure and types alone: what a result looks like when its values are of no interest."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.snapshots.json_codec import NotJsonError, dumps
from pytest_wisebot.snapshots.shape import shape_of

KEYS = st.sampled_from(["a", "b", "b?", "c??", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("ab<", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("x", "<str>"),
        ("", "<str>"),
        (1, "<int>"),
        (1.0, "<float>"),
        (True, "<bool>"),
        (None, "<null>"),
        ([], []),
        ({}, {}),
        ([[]], [[]]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": ["<int>"]}}),
        ((1, "x"), ["<int> | <str>"]),
    ],
)
def test_scalars_are_types_and_containers_stay(value: object, shape: object) -> None:
    """Each scalar is the name of its type; objects keep their keys, an empty list stays empty."""
    assert shape_of(value) == shape


def test_the_elements_of_a_list_have_one_shape() -> None:
    """Shapes are merged over all elements at every depth, and a key that not all of them have is optional."""
    rows = [
        {"id": 1, "by": {"name": "x"}, "tags": []},
        {"id": 2, "by": {"name": "y", "team": 3}, "tags": ["a"], "note": None},
        {"id": 3, "by": {"name": "z"}, "tags": ["b", "c"], "note": "late"},
    ]

    assert shape_of({"rows": rows}) == {
        "rows": [
            {"by": {"name": "<str>", "team?": "<int>"}, "id": "<int>", "note?": "<null> | <str>", "tags": ["<str>"]}
        ]
    }


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([1, "x"], "<int> | <str>"),
        (["x", 1, None, True], "<bool> | <int> | <null> | <str>"),
        ([1, 1.5], "<number>"),
        ([1.5, None, 1], "<null> | <number>"),
        ([True, 1], "<bool> | <int>"),
        ([{"a": 1}, "x", None], ["<one of>", {"a": "<int>"}, "<null> | <str>"]),
        ([{"a": 1}, [1], []], ["<one of>", {"a": "<int>"}, ["<int>"]]),
        ([[1], ["x"], []], ["<int> | <str>"]),
        ([[], []], []),
        ([{}, {"a": 1}], {"a?": "<int>"}),
    ],
)
def test_differing_types_stand_side_by_side(values: list[Any], shape: object) -> None:
    """Types are listed in a fixed order, whole and broken numbers are one, and containers keep their shape."""
    assert shape_of(values) == [shape]
    assert shape_of(values[::-1]) == [shape]


@pytest.mark.parametrize(
    ("rows", "shape"),
    [
        ([{"why": 1}, {}], {"why?": "<int>"}),
        ([{"why?": 1}], {"why??": "<int>"}),
        ([{"why?": 1}, {}], {"why???": "<int>"}),
        ([{"why??": 1}, {"why?": 1, "why??": 1}], {"why????": "<int>", "why???": "<int>"}),
        ([{"": 1}, {}], {"?": "<int>"}),
        ([{"?": 1}], {"??": "<int>"}),
        ([{"a?b": 1}], {"a?b": "<int>"}),
    ],
)
def test_a_question_mark_of_the_key_itself_is_doubled(rows: list[Any], shape: object) -> None:
    """An odd number of question marks says optional, and half of the others belong to the key's name."""
    assert shape_of(rows) == [shape]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [math.nan]}, "a[0]: nan is not a JSON number"),
        ({"a": {1: 2}}, "a: a key must be a string, got int 1"),
        ([b"x"], "[0]: bytes is not a JSON value"),
    ],
)
def test_what_is_no_json_has_no_shape(value: object, message: str) -> None:
    """A shape would hide NaN, a key that is no text, an object of another type: they are errors here too."""
    with pytest.raises(NotJsonError) as raised:
        shape_of(value)

    assert str(raised.value) == message


@given(JSON)
def test_a_shape_is_json(value: Any) -> None:
    """Every JSON value has a shape that a snapshot can hold."""
    assert dumps(shape_of(value))


@given(st.lists(JSON, min_size=1, max_size=4))
def test_elements_that_come_again_change_no_shape(values: list[Any]) -> None:
    """Neither the order of the elements nor how often one comes says anything."""
    assert shape_of([*values, *values]) == shape_of(values) == shape_of(values[::-1])


@given(JSON)
def test_a_key_reads_back(value: Any) -> None:
    """No two keys of an object have one name in the shape."""
    if isinstance(value, dict):
        assert len(shape_of(value)) == len(value)
        assert len(shape_of([value, {}])[0]) == len(value)
