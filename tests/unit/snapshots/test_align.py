"""Where two sequences hold the same: in order, as much as there is, and never at a price that grows with the square."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.snapshots.align import Budget, common_head, common_tail, equal_runs

FEW = st.lists(st.integers(0, 4), max_size=14)
MANY = st.lists(st.integers(0, 60), max_size=160)


def kept(left: Sequence[int], right: Sequence[int], effort: Budget | None = None) -> int:
    """How many items the runs keep, once it is sure that they are runs: equal, in order, and apart."""
    end = other_end = -1
    items = 0
    for at, other, size in equal_runs(left, right, effort or Budget()):
        assert size > 0
        assert at >= end
        assert other >= other_end
        assert (at, other) != (end, other_end)  # two runs that touch on both sides are one
        assert left[at : at + size] == right[other : other + size]
        end, other_end, items = at + size, other + size, items + size
    return items


def longest(left: Sequence[int], right: Sequence[int]) -> int:
    """The longest common subsequence, as the textbook has it."""
    row = [0] * (len(right) + 1)
    for item in left:
        before = 0
        for at, other in enumerate(right, 1):
            before, row[at] = row[at], before + 1 if item == other else max(row[at], row[at - 1])
    return row[-1]


@given(FEW, FEW)
def test_as_many_items_as_can_be_are_kept(left: list[int], right: list[int]) -> None:
    """For short lists no other alignment keeps more."""
    assert kept(left, right) == longest(left, right)


@given(MANY, MANY)
def test_what_is_kept_is_equal_and_in_order(left: list[int], right: list[int]) -> None:
    """For longer lists the runs are runs, too, and all that is equal of equal lists is one."""
    kept(left, right)
    assert equal_runs(left, left, Budget()) == ([(0, 0, len(left))] if left else [])


@given(MANY, MANY)
def test_without_effort_the_runs_are_still_true(left: list[int], right: list[int]) -> None:
    """Where no step is left, less is found and nothing wrong."""
    assert kept(left, right, Budget(0)) <= kept(left, right)


@given(st.text("ab", max_size=50), st.text("ab", max_size=50))
def test_common_ends_are_those_of_the_texts(one: str, other: str) -> None:
    """Heads and tails are found exactly, and stop at the bound that is given."""
    most = min(len(one), len(other))
    head, tail = common_head(one, other, 0, 0, most), common_tail(one, other, len(one), len(other), most)
    assert one[:head] == other[:head]
    assert head == most or one[head] != other[head]
    assert one[len(one) - tail :] == other[len(other) - tail :]
    assert tail == most or one[-tail - 1] != other[-tail - 1]
    assert common_head(one, other, 0, 0, head // 2) == head // 2


def test_lists_with_nothing_in_order_cost_a_bounded_effort() -> None:
    """A hundred thousand items drawn from two: the search for the shortest edit ends, and what is in place is kept."""
    chance = random.Random(3)
    left, right = ([chance.randrange(2) for _ in range(100_000)] for _ in range(2))
    effort = Budget()
    assert kept(left, right, effort) >= sum(one == other for one, other in zip(left, right, strict=True))
    assert effort.left > 3_000_000
