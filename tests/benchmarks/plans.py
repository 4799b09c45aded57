"""The suites: which runs, the ways to have them, and what the project promises of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

DEFAULT_CAP: Final = 8
"""How many runs this plugin has in flight where nobody says otherwise."""

RETURNED: Final = 16
"""KiB that each run returns where it is measured whether memory grows by more than that.

With a thousand of them what the store keeps of files in memory is as large as it gets.
"""


class Way(Enum):
    """A way to have runs."""

    GATHER = auto()
    """``asyncio.gather`` over httpx, without tests: the limit."""
    OURS = auto()
    """Tests with this plugin."""
    SERIES = auto()
    """Tests with plain httpx, one after the other."""
    XDIST = auto()
    """The same under pytest-xdist."""
    EMPTY = auto()
    """The same tests without runs."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One line of the table.

    Attributes:
        name: what the table calls it.
        cap: how many runs at once; of `Way.XDIST`, how many workers.
        limit: the names of the variants whose run loops, added, this one is held against.
        part: one of so many tests is run, and the rest is extrapolated.
        many: so many times the suite's tests.
        returns: KiB that each run returns beyond its input bag.
        cache: pytest's: None for none, False for an empty one, True for what the variant before has left there.
    """

    name: str
    way: Way
    cap: int = DEFAULT_CAP
    limit: tuple[str, ...] = ()
    part: int = 1
    many: int = 1
    returns: int = 0
    cache: bool | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What a variant may take at most.

    Attributes:
        figure: ``limit``: times its limit; ``best``: times the best possible; ``peak``: MiB of memory;
            ``growth``: KiB of memory for each run that has ended.
    """

    variant: Variant
    figure: str
    most: float


@dataclass(frozen=True, slots=True)
class Suite:
    """Runs that are had in several ways, each once in a round.

    Attributes:
        name: for ``--suite``.
        title: for the table.
        seconds: how long each run takes.
    """

    name: str
    title: str
    seconds: Sequence[float]
    variants: Sequence[Variant]
    promises: Sequence[Promise]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        second: how long a run takes that takes a second.
        hundred: how many runs there are where a hundred are meant; ``thousand`` and ``crowd`` likewise.
        at_once: the concurrency of the crowd.
        workers: of pytest-xdist.
        part: one of so many of the tests that would take minutes is run.
    """

    second: float = 1.0
    hundred: int = 100
    thousand: int = 1000
    crowd: int = 2000
    at_once: int = 500
    workers: int = 8
    part: int = 10


SMALL: Final = Size(second=0.1, hundred=20, thousand=40, crowd=60, at_once=30, workers=1, part=5)


def suites(size: Size) -> list[Suite]:
    """All of them."""
    return [_equal(size), _mixed(size), _nothing(size), _crowd(size)]


def spread(count: int, shortest: float, longest: float) -> list[float]:
    """Seconds in equal steps of their logarithm, in an order of which every tenth is a fair sample."""
    ranks = [(number * 37 + 5) % count for number in range(count)]
    return [round(shortest * (longest / shortest) ** (rank / (count - 1)), 3) for rank in ranks]


def best(seconds: Sequence[float], cap: int) -> float:
    """Seconds that no schedule can do without; where all runs are equal, those of the best schedule."""
    if len(set(seconds)) == 1:
        return -(-len(seconds) // cap) * seconds[0]
    return max(*seconds, sum(seconds) / cap)


def _equal(size: Size) -> Suite:
    seconds = [size.second] * size.hundred
    fast, slow = _gather(size.hundred), _gather(DEFAULT_CAP)
    ours, default = _ours(size.hundred, fast), _ours(DEFAULT_CAP, slow)
    return Suite(
        "equal",
        f"{len(seconds)} of {size.second:g} s",
        seconds,
        [fast, ours, slow, default, _xdist(size, slow), _series(size, slow)],
        [Promise(ours, "limit", 1.25), Promise(default, "best", 1.05)],
    )


def _mixed(size: Size) -> Suite:
    shortest, longest = 0.2 * size.second, 5 * size.second
    gather = _gather(16)
    first, second = (
        replace(_ours(16, gather), name=f"pytest-wisebot, 16 at once, {which} session", cache=which == "second")
        for which in ("first", "second")
    )
    return Suite(
        "mixed",
        f"{size.hundred} of {shortest:g} to {longest:g} s",
        spread(size.hundred, shortest, longest),
        [gather, first, second, _xdist(size, gather), _series(size, gather)],
        [Promise(second, "best", 1.15)],
    )


def _nothing(size: Size) -> Suite:
    gather, empty = _gather(DEFAULT_CAP), Variant("the tests, empty", Way.EMPTY)
    ours = _ours(DEFAULT_CAP, gather, empty)
    returning = replace(ours, name=f"{ours.name}, {RETURNED} KiB returned", returns=RETURNED, limit=())
    four_times = [replace(one, name=f"four times as many: {one.name}", many=4) for one in (empty, returning)]
    workers, series = _xdist(size, gather, empty), _series(size, gather, empty)
    return Suite(
        "nothing",
        f"{size.thousand} of 0 s",
        [0.0] * size.thousand,
        [gather, empty, ours, workers, series, returning, *four_times],
        [Promise(ours, "limit", 1.5), Promise(returning, "growth", RETURNED)],
    )


def _crowd(size: Size) -> Suite:
    seconds = [size.second] * size.crowd
    gather = _gather(size.at_once)
    ours = _ours(size.at_once, gather)
    workers = replace(_xdist(size, gather), part=size.part)
    return Suite(
        "crowd",
        f"{len(seconds)} of {size.second:g} s",
        seconds,
        [gather, ours, workers, _series(size, gather)],
        [Promise(ours, "limit", 1.3), Promise(ours, "peak", 300)],
    )


def _gather(cap: int) -> Variant:
    return Variant(f"bare gather, {cap} at once", Way.GATHER, cap)


def _ours(cap: int, *limit: Variant) -> Variant:
    many = f"default ({cap})" if cap == DEFAULT_CAP else f"{cap} at once"
    return Variant(f"pytest-wisebot, {many}", Way.OURS, cap, _names(limit))


def _xdist(size: Size, *limit: Variant) -> Variant:
    return Variant(f"pytest-xdist -n {size.workers}, plain httpx", Way.XDIST, size.workers, _names(limit))


def _series(size: Size, *limit: Variant) -> Variant:
    return Variant("in series, plain httpx", Way.SERIES, 1, _names(limit), part=size.part)


def _names(variants: Sequence[Variant]) -> tuple[str, ...]:
    return tuple(variant.name for variant in variants)
