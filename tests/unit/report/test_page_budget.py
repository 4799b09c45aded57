"""How much is shown of values and texts, so that a page stays within its size."""

from __future__ import annotations

import json
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.report.page_budget import (
    LONGEST,
    SHORTEST,
    Budget,
    json_excerpt,
    longest,
    share_bytes,
    text_excerpt,
)

LENGTHS = st.lists(st.integers(0, 5000), max_size=40)


def test_a_short_string_is_shown_whole() -> None:
    """A string that fits is unchanged, and its length is not shown."""
    shown = text_excerpt("a <b>", 100).cut(1000)
    assert (shown.text, shown.whole, shown.lines) == ("a <b>", 0, 1)


def test_a_long_text_is_cut_and_counted() -> None:
    """Of a string that does not fit, the page shows the beginning and the length of the whole."""
    shown = text_excerpt("x" * 10_000, 50_000).cut(400)
    assert (shown.text, shown.whole) == ("x" * 400, 10_000)


def test_a_text_of_which_only_the_beginning_was_looked_at_tells_its_whole_length() -> None:
    """A megabyte is counted without being copied."""
    shown = text_excerpt("x" * 1_000_000, 1000).cut(100_000)
    assert (len(shown.text), shown.whole) == (1000, 1_000_000)


def test_what_escaping_adds_is_counted() -> None:
    """A string of quotes takes six times its length in a page, and is cut by that size."""
    assert len(escape(text_excerpt('"' * 3000, 50_000).cut(1200).text)) <= 1200


def test_a_value_is_laid_out_for_people() -> None:
    """Letters stay letters, and each member has a line."""
    assert json_excerpt({"b": "é☃", "a": [1]}, 1000).text == '{\n  "b": "é☃",\n  "a": [\n    1\n  ]\n}'


def test_a_value_that_is_cut_is_counted_as_it_stands_in_the_log() -> None:
    """The note tells the length of the value, not of its layout."""
    value = [{"n": n} for n in range(10_000)]
    assert json_excerpt(value, 1000).cut(100_000).whole == len(json.dumps(value))


@pytest.mark.parametrize("runs", [0, 1, 100, 1000, 100_000, 10_000_000])
def test_the_more_runs_the_less_of_each_text_is_looked_at(runs: int) -> None:
    """Memory is bounded, and something is shown of everything."""
    assert SHORTEST <= longest(runs) <= LONGEST


@given(LENGTHS, LENGTHS, st.integers(20_000, 200_000))
def test_all_texts_together_stay_within_the_share_bytes(failing: list[int], passing: list[int], total: int) -> None:
    """No mix of lengths makes the page larger than it may be."""
    first, rest = ([text_excerpt("x" * length, 5000) for length in lengths] for lengths in (failing, passing))
    found = share_bytes(first, rest, total=total)
    used = sum(len(one.cut(found.failing).text) for one in first)
    used += sum(len(one.cut(found.passing).text) for one in rest)
    assert used <= total


def test_what_failed_takes_its_room_first() -> None:
    """Where not all fits, the texts of what failed are cut less; where all fits, none is."""
    long = [text_excerpt("x" * 5000, 5000)] * 10
    assert share_bytes(long, long, total=40_000) == Budget(3000, 1000)
    assert share_bytes(long, long, total=100_000) == Budget(5000, 5000)
    assert share_bytes(long, [], total=40_000) == Budget(4000, SHORTEST)
