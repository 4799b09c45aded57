"""The mathematics of trials: exact verdicts as early as they can be, and what a pass rate says."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.plugin.trial_policy import TrialPolicy, shown_at_best, trials_to_show
from pytest_wisebot.report.chance import interval

DEMANDS = st.integers(1, 9).flatmap(lambda trials: st.builds(TrialPolicy, st.just(trials), st.integers(1, trials)))


def verdicts_that_are_left(demand: TrialPolicy, judged: tuple[bool, ...]) -> set[bool]:
    """What every possible rest of the trials would make of it, tried out one by one."""
    rests = itertools.product([True, False], repeat=demand.trials - len(judged))
    return {sum(judged + rest) >= demand.min_passes for rest in rests}


@given(DEMANDS, st.lists(st.booleans(), min_size=9, max_size=9))
def test_there_is_a_verdict_as_soon_as_nothing_can_change_it(demand: TrialPolicy, outcomes: list[bool]) -> None:
    """Neither earlier nor later, and it is the one that all trials would have given."""
    for count in range(demand.trials + 1):
        judged = tuple(outcomes[:count])
        left = verdicts_that_are_left(demand, judged)
        passes = sum(judged)
        assert demand.verdict(passes, count - passes) == (left.pop() if len(left) == 1 else None)


@given(DEMANDS, st.integers(1, 30))
def test_another_number_of_trials_keeps_the_rate_and_never_lowers_it(demand: TrialPolicy, trials: int) -> None:
    """The fewest whole passes that are at least the same share."""
    scaled = demand.scaled(trials)
    rate = Fraction(demand.min_passes, demand.trials)
    assert (scaled.trials, scaled.rate) == (trials, demand.rate)
    assert Fraction(scaled.min_passes, trials) >= rate
    assert scaled.min_passes == 1 or Fraction(scaled.min_passes - 1, trials) < rate


@given(DEMANDS, st.integers(0, 9), st.integers(1, 12))
def test_no_more_are_under_way_than_can_still_count(demand: TrialPolicy, passes: int, cap: int) -> None:
    """As many as the cap allows and as passes are still needed, whichever is less."""
    needed = max(0, demand.min_passes - passes)
    assert demand.may_be_open(passes, cap) == min(needed, cap)


@pytest.mark.parametrize(
    ("passes", "trials", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (5, 5, 0.5655, 1.0), (10, 10, 0.7225, 1.0), (0, 5, 0, 0.4345), (50, 100, 0.4038, 0.5962)],
)
def test_the_interval_is_wilson_s(passes: int, trials: int, low: float, high: float) -> None:
    """As the tables of statistics have it, with both ends where they belong when all trials agree."""
    assert list(interval(passes, trials)) == pytest.approx([low, high], abs=5e-5)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_rates_that_a_score_test_does_not_refuse(passes: int, failures: int) -> None:
    """Its ends are the rates from which what was seen lies 1.96 standard deviations away."""
    trials = passes + failures
    low, high = interval(passes, trials)
    if not trials:
        assert (low, high) == (0.0, 1.0)
        return
    assert 0 <= low <= passes / trials <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            away = abs(passes / trials - end) / math.sqrt(end * (1 - end) / trials)
            assert away == pytest.approx(1.959964, abs=1e-5)


@given(st.floats(0.01, 0.99))
def test_how_many_trials_it_takes_to_show_a_rate(rate: float) -> None:
    """The fewest of which, all passed, the interval does not reach below the rate."""
    enough = trials_to_show(rate)
    assert shown_at_best(enough) >= rate
    assert enough == 1 or shown_at_best(enough - 1) < rate


@pytest.mark.parametrize(
    ("demand", "can"),
    [
        (TrialPolicy(10, 7), True),
        (TrialPolicy(10, 8), False),
        (TrialPolicy(16, 13), False),
        (TrialPolicy(16, 12), True),
        (TrialPolicy(5, 5), True),
        (TrialPolicy(10, 8).scaled(3), False),
        (TrialPolicy(10, 8).scaled(20), True),
    ],
    ids=str,
)
def test_a_rate_that_the_trials_cannot_show(demand: TrialPolicy, can: bool) -> None:
    """It is that which was asked for, also where whole passes are more; that all pass is shown by no number."""
    assert demand.can_be_shown is can
