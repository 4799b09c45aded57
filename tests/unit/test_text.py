"""Text from outside, escaped and shortened for people."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.text import WrittenNumber, escape, json_number, to_json, truncate_middle

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
