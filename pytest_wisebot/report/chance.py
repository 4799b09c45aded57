"""Whether two sessions differ by more than chance: intervals, and tests with a level of 5 % each.

Pass rates are compared by Fisher's exact test, quantiles of durations by a permutation test: how often does the
difference come out as large, or larger, when the same durations are dealt to two sessions by lot? Neither supposes a
distribution, and equal input gives an equal answer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from .format import percentile

Z: Final = 1.959963984540054
"""How many standard deviations around the mean hold 95 % of a normal distribution."""

LEVEL: Final = 0.05
"""A difference that chance alone makes less often than this is more than chance."""

DEALS: Final = 2000
"""How often durations are dealt by lot."""

MOST_DEALT: Final = 250
"""Durations of each session that are dealt; of more, so many are drawn by lot."""

FEWEST_FOR_P50: Final = 6
"""Runs of each session from which on medians that lie apart in every way are more than chance."""

FEWEST_FOR_P95: Final = 20
"""Runs from which on a p95 differs from the slowest run."""

_ROUNDING: Final = 1e-9


class Chance(StrEnum):
    """What a difference between two sessions is."""

    MORE = "more than chance"
    WITHIN = "within chance"
    FEW = "too few to say"
    """Even the largest difference that so few values can have would be within chance."""


def interval(passes: int, trials: int) -> tuple[float, float]:
    """The rates with which a number of passes is compatible: Wilson's 95 % interval."""
    if not trials:
        return 0.0, 1.0
    share, square = passes / trials, Z * Z
    middle = share + square / (2 * trials)
    width = Z * math.sqrt((share * (1 - share) + square / (4 * trials)) / trials)
    low, high = ((middle + sign * width) / (1 + square / trials) for sign in (-1, 1))
    # Where the mathematics gives exactly 0 or 1, floating point gives its neighbours.
    return (0.0 if passes == 0 else low), (1.0 if passes == trials else high)


def of_rates(passes: int, trials: int, other_passes: int, other_trials: int) -> Chance:
    """Whether two pass rates differ by more than chance."""
    if fisher(trials, trials, 0, other_trials) >= LEVEL:
        return Chance.FEW
    return Chance.MORE if fisher(passes, trials, other_passes, other_trials) < LEVEL else Chance.WITHIN


def fisher(passes: int, trials: int, other_passes: int, other_trials: int) -> float:
    """The two-sided p of Fisher's exact test; 1 without trials on one of the sides."""
    both, wanted = trials + other_trials, passes + other_passes

    def likelihood(one: int) -> float:
        ways = _log_ways(trials, one) + _log_ways(other_trials, wanted - one) - _log_ways(both, wanted)
        return math.exp(ways)

    possible = range(max(0, wanted - other_trials), min(trials, wanted) + 1)
    seen = likelihood(passes) * (1 + 1e-7)  # equal ones differ by rounding
    return min(1.0, sum(one for one in map(likelihood, possible) if one <= seen))


def _log_ways(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)


def of_p50(seconds: Sequence[float], other: Sequence[float]) -> Chance:
    """Whether the medians of two sessions' durations differ by more than chance."""
    return _of_quantiles(seconds, other, 0.5, FEWEST_FOR_P50)


def of_p95(seconds: Sequence[float], other: Sequence[float]) -> Chance:
    """Whether the 95th percentiles of two sessions' durations differ by more than chance."""
    return _of_quantiles(seconds, other, 0.95, FEWEST_FOR_P95)


def _of_quantiles(seconds: Sequence[float], other: Sequence[float], share: float, fewest: int) -> Chance:
    if min(len(seconds), len(other)) < fewest:
        return Chance.FEW
    lot = random.Random(0)
    one, two = (lot.sample(list(each), min(MOST_DEALT, len(each))) for each in (seconds, other))
    return Chance.MORE if _is_more(one, two, share, lot) else Chance.WITHIN


def _is_more(one: list[float], two: list[float], share: float, lot: random.Random) -> bool:
    """Whether less than a share of `LEVEL` of all deals differs as much as the two sessions do."""
    pool, seen = one + two, _apart(one, two, share) - _ROUNDING
    allowed = LEVEL * (DEALS + 1) - 1  # the deal that happened counts, too
    for _ in range(DEALS):
        lot.shuffle(pool)
        allowed -= _apart(pool[: len(one)], pool[len(one) :], share) >= seen
        if allowed <= 0:
            return False
    return True


def _apart(one: Sequence[float], two: Sequence[float], share: float) -> float:
    return abs((percentile(one, share) or 0.0) - (percentile(two, share) or 0.0))
