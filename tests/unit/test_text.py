"""Text from outside, escaped and shortened for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.text import escape, truncate_middle

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
