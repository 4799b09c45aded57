"""JSON paths are read, shown and found in one way wherever the package has them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.redaction.jsonpath import Path, Pattern, Wild, all_paths
from pytest_wisebot.text import show_path

TEXTS = st.text(st.characters(exclude_categories=()), max_size=6)
# Two lone surrogates side by side are, in JSON, the letter that they make.
KEYS = TEXTS.filter(lambda text: not re.search("[\ud800-\udbff][\udc00-\udfff]", text))
PATHS = st.lists(st.integers(0, 10**6) | KEYS | st.sampled_from(["a", "id", "*", "**", "$", "a.b", "0"])).map(tuple)
STEPS = st.sampled_from(["a", "b", 0, 1, *Wild])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, max_size=3),
    max_leaves=15,
)

VALUE: dict[str, Any] = {
    "items": [{"score": 1, "by": {"score": 2}}, {"score": 3}, "text"],
    "a": {"odd key": [], "b": {}},
    "*": 4,
}

GRAMMAR = 'keys and indices as in items[0].score, odd keys as in a["odd key"], [*], * and ** for any of them'


# --- showing


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "$"),
        (("items", 0, "score"), "items[0].score"),
        (("a", "odd key", "b"), 'a["odd key"].b'),
        ((0, 1, "x-y"), "[0][1].x-y"),
        (("größe", "_id", "2024"), "größe._id.2024"),
        (("",), '[""]'),
        (("$",), '["$"]'),
        (("*", "**"), '["*"]["**"]'),
        (("a.b", 'say "x"', "back\\slash"), '["a.b"]["say \\"x\\""]["back\\\\slash"]'),
        (("a\nb", "\x1b[31m", "\u202e", "\ud800"), '["a\\nb"]["\\u001b[31m"]["\\u202e"]["\\ud800"]'),
    ],
)
def test_a_path_is_shown_as_people_write_it(path: Path, text: str) -> None:
    """Plain keys stand behind dots, all others in quotes, and nothing in them can disturb a terminal."""
    assert show_path(path) == text


@given(PATHS)
def test_a_shown_path_is_read_as_itself(path: Path) -> None:
    """What `show` writes is a pattern that matches this path alone, in one line of printable characters."""
    text = show_path(path)

    assert Pattern.parse(text).steps == path
    assert text.isprintable()


# --- reading


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("$", ()),
        ("$.a", ("a",)),
        ("$[0]", (0,)),
        ("$ref.$id", ("$ref", "$id")),
        ("a.b[0][*].c", ("a", "b", 0, Wild.INDEX, "c")),
        ("*.**.x", (Wild.KEY, Wild.DEPTH, "x")),
        ("**[0]", (Wild.DEPTH, 0)),
        ("**.**.a", (Wild.DEPTH, Wild.DEPTH, "a")),
        ("""a["x.y"]['it''s'].z""".replace("''", "\\'"), ("a", "x.y", "it's", "z")),
        ("a['say \"x\"']", ("a", 'say "x"')),
        ('["\\u00e9"]', ("é",)),
        ("items.0", ("items", "0")),
    ],
)
def test_a_pattern_is_read(text: str, steps: tuple[object, ...]) -> None:
    """Keys, quoted keys in either quotes, indices and wildcards, behind a ``$`` or not."""
    assert Pattern.parse(text).steps == steps


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (".a", ".a"),
        ("a..b", "..b"),
        ("a.", "."),
        ("$.", "."),
        ("a[", "["),
        ("a[-1]", "[-1]"),
        ("a[01]", "[01]"),
        ("a[1:2]", "[1:2]"),
        ("a[b]", "[b]"),
        ("a[0]b", "b"),
        ("a.[0]", ".[0]"),
        ("item_*", "item_*"),
        ("***", "***"),
        ("odd key", "odd key"),
        ('a["b', '["b'),
        ("a\n", "a\n"),
    ],
)
def test_what_is_no_path_is_refused(text: str, rest: str) -> None:
    """The message says where the text stops to be a path, and what paths look like."""
    with pytest.raises(ValueError, match="JSON path") as raised:
        Pattern.parse(text)

    assert (
        str(raised.value) == f"{text!r} is not a valid JSON path: not understood from {rest!r} on; expected {GRAMMAR}"
    )


def test_escapes_are_those_of_json() -> None:
    """A key in quotes with an escape that JSON does not know is refused."""
    with pytest.raises(ValueError, match="JSON path") as raised:
        Pattern.parse(r'a["\x41"]')

    assert str(raised.value) == r'"\x41" is not a key of a JSON path: its escapes are not those of JSON'


def test_only_a_text_is_a_path() -> None:
    """A number or a tuple in the place of a path is refused with its type."""
    with pytest.raises(ValueError, match="JSON path") as raised:
        Pattern.parse(3)  # type: ignore[arg-type]

    assert str(raised.value) == "a JSON path is a string, got int: 3"


# --- finding


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$", ["$"]),
        ("items[*].score", ["items[0].score", "items[1].score"]),
        ("items[1]", ["items[1]"]),
        ("items[3]", []),
        ("items[0].score.x", []),
        ("items.score", []),
        ("**.score", ["items[0].by.score", "items[0].score", "items[1].score"]),
        ("**[0].**.score", ["items[0].by.score", "items[0].score"]),
        ("*", ['["*"]', "a", "items"]),
        ('["*"]', ['["*"]']),
        ("[*]", []),
        ("items.*", []),
        ("a.**", ["a", "a.b", 'a["odd key"]']),
    ],
)
def test_a_pattern_finds_its_paths(text: str, found: list[str]) -> None:
    """``[*]`` stands for indices, ``*`` for keys, ``**`` for any number of both; the order is that of sorted JSON."""
    assert [show_path(path) for path in Pattern.parse(text).found_in(VALUE)] == found


def test_true_is_no_index() -> None:
    """A path is matched by the type of its steps: the key "0" is not the index 0."""
    assert not Pattern.parse("a.0").matches(("a", 0))
    assert Pattern.parse("a[0]").found_in({"a": {"0": 1}}) == []


@given(JSON, st.lists(STEPS, max_size=5).map(tuple))
def test_finding_and_matching_agree(value: Any, steps: tuple[str | int | Wild, ...]) -> None:
    """A pattern finds each path of a value that it matches, once, and no other."""
    pattern = Pattern(steps)
    paths = list(all_paths(value))

    assert pattern.found_in(value) == [path for path in paths if pattern.matches(path)]
    assert len(set(paths)) == len(paths)


@given(st.lists(STEPS, max_size=5).map(tuple), st.lists(st.sampled_from(["a", "b", 0, 1]), max_size=6).map(tuple))
def test_matching_is_that_of_a_plain_search(steps: tuple[str | int | Wild, ...], path: Path) -> None:
    """A pattern matches what a search over all ways to read ``**`` matches."""

    def plainly(steps: tuple[str | int | Wild, ...], path: Path) -> bool:
        if not steps:
            return not path
        if steps[0] is Wild.DEPTH:
            return any(plainly(steps[1:], path[taken:]) for taken in range(len(path) + 1))
        wild = Wild.KEY if path and isinstance(path[0], str) else Wild.INDEX
        return bool(path) and steps[0] in (path[0], wild) and plainly(steps[1:], path[1:])

    assert Pattern(steps).matches(path) is plainly(steps, path)


def test_a_value_deeper_than_python_calls_is_searched() -> None:
    """Nesting of thousands of levels, which a test may bring, is no RecursionError here."""
    value: Any = 1
    for _ in range(5000):
        value = [value]

    assert len(Pattern.parse("**").found_in(value)) == 5001


def test_keys_that_are_no_text_have_no_path() -> None:
    """What JSON could not hold is passed over: the writer of snapshots refuses it in its own words."""
    assert list(all_paths({1: {"a": 2}, "b": 3})) == [(), ("b",)]
