"""What differs from run to run is found by its place, and told as a line that a person can paste."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_wisebot.redaction.jsonpath import Pattern
from pytest_wisebot.snapshots.learning import Course, course_of, courses, patterns

RUNS: list[Any] = [
    {"id": f"cus_{n}", "plan": "pro", "rows": [{"ref": f"r{n}", "sku": "A"}, {"ref": f"s{n}", "sku": "B"}], "n": n % 2}
    for n in range(5)
]


def test_places_that_differ_are_found_and_no_other() -> None:
    """Keys and elements of lists, each with how often it changed."""
    found = courses(RUNS)
    assert found == {
        ("id",): Course(5, 4),
        ("rows", 0, "ref"): Course(5, 4),
        ("rows", 1, "ref"): Course(5, 4),
        ("n",): Course(5, 4),
    }
    assert patterns(found, RUNS[-1]) == ["id", "n", "rows[*].ref"]


def test_what_differs_in_some_elements_alone_keeps_its_index() -> None:
    """A pattern never means a place that was the same in all runs."""
    runs = [{"rows": [{"ref": n}, {"ref": "fixed"}]} for n in range(3)]
    assert patterns(courses(runs), runs[-1]) == ["rows[0].ref"]


def test_a_list_of_another_length_is_one_place() -> None:
    """As is a key that comes and goes, and a value that is of another type now."""
    runs = [{"rows": [1], "a": 1, "b": None}, {"rows": [1, 2], "b": {"c": 1}}, {"rows": [1], "a": 1, "b": None}]
    assert courses(runs) == {("rows",): Course(3, 2), ("a",): Course(3, 2), ("b",): Course(3, 2)}


def test_true_is_not_one_and_one_is_not_a_float() -> None:
    """Values are compared as JSON."""
    assert courses([{"a": 1}, {"a": True}]) == {("a",): Course(2, 1)}
    assert courses([{"a": 1}, {"a": 1.0}]) == {("a",): Course(2, 1)}
    assert courses([{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}]) == {}


def test_the_whole_value_is_a_place_too() -> None:
    """A workflow may answer with a text alone."""
    assert patterns(courses(["a", "b", "a"]), "a") == ["$"]


@pytest.mark.parametrize(
    ("values", "is_volatile"),
    [
        ("abab", True),
        ("abcd", True),
        ("aaaabbbb", False),
        ("aaaa", False),
        ("aabb", False),
        ("ab", True),
        ("a", False),
        ("aabaaa", True),
    ],
)
def test_what_changed_once_may_be_a_change_of_the_workflow(values: str, is_volatile: bool) -> None:
    """Only what changes again, or differs between the only two runs, is called volatile."""
    assert course_of(list(values)).is_volatile is is_volatile


def test_odd_keys_are_written_so_that_they_are_found_again() -> None:
    """The pattern of each place parses, and means that place."""
    runs = [{"a b": [{'"': n, "x.y": n, "": n}]} for n in range(3)]
    found = courses(runs)
    meant = {path for text in patterns(found, runs[0]) for path in Pattern.parse(text).found_in(runs[0])}
    assert meant == set(found)
