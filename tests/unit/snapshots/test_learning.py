"""What differs from run to run is found by its place, and told as a line that a person can paste."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from pytest_wisebot.redaction.jsonpath import Pattern, Wild
from pytest_wisebot.snapshots.learning import (
    Course,
    course_of,
    courses,
    learn,
    path_text,
    patterns,
    toml_lines,
    without_places,
)
from pytest_wisebot.text import show_path


def shown(value: Any, runs: list[Any]) -> list[str]:
    """The paths of all that differs between these runs."""
    return [show_path(steps) for steps in patterns(courses(runs), value)]


RUNS: list[Any] = [
    {"id": f"cus_{n}", "plan": "pro", "rows": [{"ref": f"r{n}", "sku": "A"}, {"ref": f"s{n}", "sku": "B"}], "n": n % 2}
    for n in range(5)
]


def test_places_that_differ_are_found_and_no_other() -> None:
    """Keys and elements of lists, each with how often it changed."""
    found = courses(RUNS)
    assert found == {
        ("id",): Course(5, 4, 5, steady=1),
        ("rows", 0, "ref"): Course(5, 4, 5, steady=1),
        ("rows", 1, "ref"): Course(5, 4, 5, steady=1),
        ("n",): Course(5, 4, 2, steady=1),
    }
    assert shown(RUNS[-1], RUNS) == ["id", "n", "rows[*].ref"]


def test_what_differs_in_some_elements_alone_keeps_its_index() -> None:
    """A pattern never means a place that was the same in all runs."""
    runs = [{"rows": [{"ref": n}, {"ref": "fixed"}]} for n in range(3)]
    assert shown(runs[-1], runs) == ["rows[0].ref"]


def test_a_list_of_another_length_is_one_place() -> None:
    """As is a key that comes and goes, and a value that is of another type now."""
    runs = [{"rows": [1], "a": 1, "b": None}, {"rows": [1, 2], "b": {"c": 1}}, {"rows": [1], "a": 1, "b": None}]
    assert courses(runs) == {
        ("rows",): Course(3, 2, 2),
        ("a",): Course(3, 2, 2, absent=1),
        ("b",): Course(3, 2, 2, absent=2),
    }


def test_true_is_not_one_and_one_is_not_a_float() -> None:
    """Values are compared as JSON."""
    assert courses([{"a": 1}, {"a": True}]) == {("a",): Course(2, 1, 2)}
    assert courses([{"a": 1}, {"a": 1.0}]) == {("a",): Course(2, 1, 2)}
    assert courses([{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}]) == {}


def test_the_whole_value_is_a_place_too() -> None:
    """A workflow may answer with a text alone."""
    assert shown("a", ["a", "b", "a"]) == ["$"]


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
        ("aaaabbbbbc", False),
        ("aabbaa", True),
        ("aaaaaabcd", True),
        ("abc", True),
    ],
)
def test_what_changed_once_may_be_a_change_of_the_workflow(values: str, is_volatile: bool) -> None:
    """Only what changes again, or differs between the only two runs, is called volatile."""
    assert course_of(list(values)).is_volatile is is_volatile


def test_odd_keys_are_written_so_that_they_are_found_again() -> None:
    """The pattern of each place parses, and means that place."""
    runs = [{"a b": [{'"': n, "x.y": n, "": n}]} for n in range(3)]
    found = courses(runs)
    texts = map(path_text, patterns(found, runs[0]))
    meant = {path for text in texts for path in Pattern.parse(text).found_in(runs[0])}
    assert meant == set(found)


def test_an_object_whose_keys_are_ids_is_one_place() -> None:
    """No path could mean what stands under a key that the next run does not have."""
    runs = [{"by": {f"cus_{n}": 1}, "all": {"x": n, f"y{n}": 1}} for n in range(3)]
    assert shown(runs[0], runs) == ["all.x", "all.y0", "all.y1", "all.y2", "by"]


def test_elements_are_general_as_far_as_all_of_them_are_meant() -> None:
    """Each index of a path by itself."""
    runs = [{"a": [{"b": [{"id": n}, {"id": -n}]}, {"b": [{"id": 0}]}]} for n in range(1, 4)]
    assert shown(runs[0], runs) == ["a[0].b[*].id"]


@pytest.mark.parametrize(
    ("values", "remark"),
    [
        ([1, 2, 3, 4, 5], "differed in 4 of the last 5 runs of these inputs: volatile?"),
        ([1, 1, 1, 2], "has been the same in the last 3 runs of these inputs: a real change"),
        ([1, 1, 2, 2, 2], "has been the same in the last 3 runs of these inputs: a real change"),
        (
            [1, None, 1, None],
            "was missing or null in 2 of the last 4 runs of these inputs, which volatile does not hide",
        ),
    ],
)
def test_what_is_remarked_of_a_path(values: list[Any], remark: str) -> None:
    """A value that changed once and stayed is a real change."""
    assert str(course_of(values)) == remark


def test_what_is_learned_of_several_inputs_is_one_list() -> None:
    """A path that another one means as well is left out, and what changed once is told."""
    first = [{"result": {"rows": [{"id": n}, {"id": -n}], "plan": "pro" if n < 3 else "max"}} for n in range(1, 6)]
    other = [{"result": {"rows": [{"id": n}, {"id": 0}], "plan": "pro"}} for n in range(3)]
    found = learn([first, other])
    assert found.volatile == {"result.rows[*].id": "differed in 4 of 5 runs"}
    assert found.others == ["result.plan changed once in 5 runs, and stayed"]


def test_what_comes_and_goes_is_told_and_not_listed() -> None:
    """Null stays null, so that no line could hide it; a value that differs besides has its line."""
    runs = [{"result": {"a": None if n % 2 else 1, "b": None if n % 2 else n}} for n in range(6)]
    found = learn([runs])
    assert found.volatile == {"result.b": "differed in 5 of 6 runs"}
    assert [line.split(",")[0] for line in found.others] == [
        "result.a was missing or null in 3 of 6 runs",
        "result.b was missing or null in 3 of 6 runs",
    ]


def test_lines_are_toml_that_means_these_paths() -> None:
    """Whatever the names of workflow and keys are; a table that is there already is not written twice."""
    steps = [("result", 'a "b"', "it's"), ("result",), ("result", "é\x00", None, "x"), ("result", "back\\slash")]
    paths = dict.fromkeys(map(path_text, steps), "differs")
    for place, comments in (
        (("snapshots", "workflows", 'my "flow" é'), paths),
        (("tool", "a.b"), dict.fromkeys(paths, "")),
    ):
        table: Any = tomllib.loads("\n".join(toml_lines(place, comments, ["$.id"])))
        for name in place:
            table = table[name]
        assert table == {"volatile": ["$.id", *paths]}
    assert [Pattern.parse(path).steps for path in paths] == [
        tuple(Wild.INDEX if step is None else step for step in one) for one in steps
    ]
    assert toml_lines(("a",), {"b": ""}, [])[0] == "[a]  # is there already: give it this line in place of its volatile"


@pytest.mark.parametrize(
    ("one", "again", "other"),
    [
        ({"id": 1, "at": 2}, {"id": 3, "at": 2}, {"id": 4, "at": 2}),
        ({"rows": [1, 2]}, {"rows": [1, 2, 3]}, {"rows": []}),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 1}}, {"a": {"b": 1, "c": 5}}),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"rows": [{"n": 1, "x": 1}, {"n": 2, "x": 1}]}, {"rows": [{"n": 3, "x": 1}, {"n": 2, "x": 1}]},
         {"rows": [{"n": 4, "x": 1}, {"n": 2, "x": 1}]}),
    ],
)  # fmt: skip
def test_what_differs_by_itself_is_equal_to_anything(one: Any, again: Any, other: Any) -> None:
    """Be it a value, the length of a list, or a key that comes and goes; the values themselves stay as they were."""
    noise = list(courses([one, again]))
    before = repr((one, other))
    assert without_places(one, noise) == without_places(other, noise)
    assert repr((one, other)) == before
    assert without_places(one, noise) != without_places({**other, "more": 1}, noise)
