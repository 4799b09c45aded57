"""The text of a rule is the same in each session, whatever its `repr` shows."""

from __future__ import annotations

import enum
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from dirty_equals import IsDate, IsDatetime, IsNow, IsOneOf, IsPartialDict, IsStr, IsToday

from pytest_wisebot.snapshots.rules import steady


def test_the_time_at_which_a_rule_was_made_is_left_out() -> None:
    """Of rules for now and today; a moment that a test names stays."""
    zone = timezone(timedelta(hours=1))
    delta = "delta=datetime.timedelta"
    moment, day = IsDatetime(approx=datetime(2026, 5, 1, tzinfo=zone)), IsDate(approx=date(2026, 5, 1))
    rules: list[tuple[Any, str]] = [
        (IsNow(), f"IsNow({delta}(seconds=2))"),
        (IsNow(iso_string=True, delta=5), f"IsNow({delta}(seconds=5), iso_string=True)"),
        (IsNow(tz=zone) | IsStr(), f"IsNow({delta}(seconds=2), tz={zone!r}) | IsStr()"),
        (IsToday(), f"IsToday({delta}(0))"),
        (moment, repr(moment)),
        (day, repr(day)),
    ]
    assert [steady(repr(rule)) for rule, _ in rules] == [text for _, text in rules]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'b', 'a'}", "{'a', 'b'}"),
        ("OneOf(v=frozenset({'x, y', \"z}\", 'a'}))", "OneOf(v=frozenset({\"z}\", 'a', 'x, y'}))"),
        ("{'b': {2, 1}, 'a': [3, 1]}", "{'b': {1, 2}, 'a': [3, 1]}"),
        ("{(2, {'d', 'c'}), (1, {})}", "{(1, {}), (2, {'c', 'd'})}"),
        (repr({Colour.RED: 1}), "{<Colour.RED: 1>: 1}"),
        ("{<Colour.RED: 1>, <Colour.BLUE: 2>}", "{<Colour.BLUE: 2>, <Colour.RED: 1>}"),
        ("a } of {'b', 'a", "a } of {'b', 'a"),
        (r"IsStr(regex='{b, a}\'{2,1}')", r"IsStr(regex='{b, a}\'{2,1}')"),
    ],
)
def test_sets_are_put_in_order(text: str, expected: str) -> None:
    """Python shows them in another one in each process; dicts, lists and texts stay as they are."""
    assert steady(text) == expected


def test_addresses_are_left_out() -> None:
    """Functions show theirs."""
    assert steady(repr(steady)) == "<function steady>"


def test_sets_inside_of_rules() -> None:
    """Wherever they stand."""
    assert steady(repr(IsPartialDict(a=IsOneOf({"b", "a"}, 1)))) == "IsPartialDict(a=IsOneOf({'a', 'b'}, 1))"
