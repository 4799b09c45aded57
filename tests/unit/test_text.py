"""Text from outside, escaped and shortened for people."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.text import LONGEST_SCALAR, WrittenNumber, escape, json_number, laid_out, to_json, truncate_middle

EVERY_CHARACTER = st.text(st.characters(codec=None, exclude_categories=[]))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("naïve ☃ 日本 עברית", "naïve ☃ 日本 עברית"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\r\nb\0\x7f\x85", "a\\r\nb\\x00\\x7f\\x85"),
        ("\u202egnp.exe\u2066\u200b\ufeff", r"\u202egnp.exe\u2066\u200b\ufeff"),
        ("\ud800 \u2028 \U000e0041", r"\ud800 \u2028 \U000e0041"),
    ],
)
def test_what_does_not_show_is_written_as_its_escape(text: str, shown: str) -> None:
    """Letters of every script stay; what a reader cannot see, or is misled by, becomes visible."""
    assert escape(text, keep="\n\t") == shown


@given(EVERY_CHARACTER)
def test_every_text_becomes_one_of_characters_that_show(text: str) -> None:
    """Whatever a workflow answers: valid UTF-8, every character visible, and the same when it is done twice."""
    shown = escape(text, keep="\n\t")
    shown.encode("utf-8")
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert escape(shown, keep="\n\t") == shown


@given(EVERY_CHARACTER, st.integers(1, 30))
def test_a_brief_name_is_no_longer_than_was_asked_for(text: str, most: int) -> None:
    """Head and tail of a name stay, and its length is bounded."""
    assert len(truncate_middle(text, most)) <= most
    assert truncate_middle(text, len(text)) == text


@pytest.mark.parametrize(
    "text", ["12345678901234567.89", "1e-400", "0.30000000000000000001", "1.2345678901234567890E5"]
)
def test_a_number_that_no_float_is_keeps_its_digits(text: str) -> None:
    """Through copies, pickles and JSON; it counts and compares as a float."""
    number = json_number(text)
    assert isinstance(number, WrittenNumber)
    (read,) = json.loads(to_json([number]), parse_float=json_number)
    for again in (copy.deepcopy(number), pickle.loads(pickle.dumps(number)), read):
        assert again == float(text)
    assert to_json({"a": [number, 0.5, '"']}) == f'{{"a": [{text}, 0.5, "\\""]}}'
    assert repr(copy.deepcopy(number)) == repr(pickle.loads(pickle.dumps(number))) == text
    assert number + 1 == float(text) + 1
    assert number != json_number(f"{text[0]}9{text[1:]}")


@pytest.mark.parametrize(
    "text",
    ["1.50", "1e2", "0.1", "0.10000000000000001", "0.1000000000000000055511151231257827", "1.7976931348623157e308"],
)
def test_other_numbers_are_floats(text: str) -> None:
    """Those that are written with more or fewer digits of the same float, too."""
    assert type(json_number(text)) is float


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_one(value: float) -> None:
    """As Python, C and others write it."""
    for text in (repr(value), f"{value:.17g}", f"{value:.20e}"):
        assert type(json_number(text)) is float


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({}, ["{}"]),
        ([], ["[]"]),
        ("text", ['"text"']),
        ({"a": [1, 2.5, None, True]}, ['{"a": [1, 2.5, null, true]}']),
        ({"a": "x" * 20, "b": []}, ["{", f'  "a": "{"x" * 20}",', '  "b": []', "}"]),
        ([[1], ["é" * 24, {}]], ["[", "  [1],", "  [", f'    "{"é" * 24}",', "    {}", "  ]", "]"]),
        ({"odd\nkey": ["y" * 30]}, ["{", '  "odd\\nkey": [', f'    "{"y" * 30}"', "  ]", "}"]),
    ],
)
def test_json_goes_over_as_many_lines_as_it_needs(value: object, lines: list[str]) -> None:
    """What fits on a line is not divided; the lines together are the same JSON."""
    assert list(laid_out(value, 30)) == lines
    assert json.loads("\n".join(laid_out(value, 30))) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab\n\x1bé", max_size=9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\n", max_size=4), inner, max_size=4),
        max_leaves=20,
    ),
    st.integers(1, 60),
)
def test_any_json_is_the_same_over_several_lines(value: object, width: int) -> None:
    """Each line prints, and what could have stood on one line does."""
    lines = list(laid_out(value, width))
    assert json.loads("\n".join(lines)) == value
    assert all(line.isprintable() for line in lines)
    whole = json.dumps(value, ensure_ascii=False)
    if len(whole) <= width and whole.isprintable():
        assert lines == [whole]


def test_large_json_is_laid_out_as_far_as_it_is_asked_for() -> None:
    """A value of a million rows costs no more than the lines that are shown; a long string is cut."""

    class Counted(list[object]):
        asked = 0

        def __iter__(self) -> Iterator[object]:
            for item in super().__iter__():
                Counted.asked += 1
                yield item

    lines = list(itertools.islice(laid_out({"rows": Counted([{"n": "x" * 2000}] * 1_000_000)}, 60), 10))
    assert lines[:3] == ["{", '  "rows": [', "    {"]
    assert len(lines[3]) <= LONGEST_SCALAR + 20
    assert Counted.asked < 200
