"""Which regular expressions of a project are taken, and what is said of the others."""

from __future__ import annotations

import time

import pytest

from pytest_wisebot.redaction.user_rules import checked_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}",
        r"\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b",
        r"(?i)acc-[0-9]+",
        r"(?P<first>\w+) (?P=first)",
        r"[A-Z]{2}[0-9]{2}(?:[ ]?[0-9A-Z]{4}){3,7}(?:[ ]?[0-9A-Z]{1,4})?",
        r"(?:\+|00)[1-9][0-9 \-().]{7,}",
        r"(?s)-----BEGIN.*?END-----",
        r"(?<=id=)\w+",
        r"[^@\s]++@x",
        "é☃+",
        "x|yy",
        r"(?:\d+,){30}",
        r"[0-9a-f]{32,64}",
    ],
)
def test_an_ordinary_expression_is_taken(pattern: str) -> None:
    """What people write for addresses, cards, phone numbers and ids is taken as it is."""
    assert checked_pattern(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (1, "expected a regular expression as a string, got int"),
        ("", "'' matches the empty string, and so everywhere"),
        ("x*", "'x*' matches the empty string, and so everywhere"),
        ("a|", "'a|' matches the empty string, and so everywhere"),
        (r"\b", r"'\\b' matches the empty string, and so everywhere"),
        ("(?=x)", "'(?=x)' matches the empty string, and so everywhere"),
        ("(", "'(' is not a valid regular expression: missing ), unterminated subpattern at position 0"),
        ("[0-9", "'[0-9' is not a valid regular expression: unterminated character set at position 0"),
    ],
)
def test_what_cannot_be_used_is_refused(pattern: object, problem: str) -> None:
    """An expression that is none, or that matches everywhere, is refused in words that show it."""
    with pytest.raises(ValueError, match=r".") as caught:
        checked_pattern(pattern)

    assert str(caught.value) == problem


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a|a)*b", r"(\w+\s?)+!", "(a|aa)+c", "(.*)*x", "x(y+)*z", r"^(\d+)+$", r"(?:a*)*b", "([a-z]+)*X",
     "(a?){40}a{40}", "(a+){60}b", r"(\d+-?)+\."],
)  # fmt: skip
def test_an_expression_that_takes_years_is_refused_at_once(pattern: str) -> None:
    """A repetition inside of a repetition that matches in many ways is found out in moments, by trying."""
    begins = time.perf_counter()

    with pytest.raises(ValueError, match="takes time beyond reason") as caught:
        checked_pattern(pattern)

    assert str(caught.value) == (
        f"{pattern!r} takes time beyond reason: a repetition inside of a repetition matches in many ways"
    )
    assert time.perf_counter() - begins < 10
