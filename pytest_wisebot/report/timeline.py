"""The timeline: a bar for each run, in lanes, by workflow. This module computes places; a template draws them.

A run that was sent is a bar from its start to its end. The time that it waited before is drawn light, if there is room
for a lane of its own for each waiting run. If there is not, because a thousand runs may be requested at once, lanes
hold the runs that were in flight at the same time, and an area above the lanes shows how many waited. Runs that were
never sent, and runs that were made earlier, took no time in this session: they are marks in rows below the lanes.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from ..outcomes import DRIFT, ERROR, FAILED
from ..text import count
from .format import Axis, Tick, seconds_text
from .model import Model, Run
from .rows import RUN_KINDS

HIGHEST: Final = 520
"""Pixels of all lanes together."""

LANE: Final = 13
"""Pixels of a lane if there are few."""

THINNEST: Final = 4
"""Fewest pixels of a lane of its own for each waiting run; below, an area shows how many waited."""

AREA: Final = 26
"""Pixels of the area that shows how many waited."""

MARK: Final = 9
"""Pixels of a mark, and of the space below it."""

MARKS_A_ROW: Final = 100

_FAILED: Final = (FAILED, DRIFT, ERROR)

_LEAST_WIDTH: Final = 0.15
"""Per cent of the width that a bar has at least, to be visible."""

_LEAST_END: Final = 0.8
"""Per cent of the width that shows the outcome of a run, if the start of its last attempt is unknown."""


class Stretch(NamedTuple):
    """A part of a bar, in per cent of the width."""

    x: float
    width: float


class Bar(NamedTuple):
    """A run that was sent.

    Attributes:
        run: the run.
        y: pixels from the top of its workflow's lanes.
        height: pixels.
        waited: from its request until it was admitted; None if that is not drawn.
        repeated: the attempts before the last, and the back-off between them.
        last: its last attempt.
    """

    run: Run
    y: float
    height: float
    waited: Stretch | None
    repeated: Stretch | None
    last: Stretch


class Mark(NamedTuple):
    """A run that took no time in this session, or whose time is unknown."""

    run: Run
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one workflow.

    Attributes:
        workflow: its name.
        bars: the runs that were sent.
        marks: the other runs.
        area: outline of the number of waiting runs, in a box of 1,000 by 100; empty if bars show the waiting.
        waited_most: most runs that waited at once, if an area shows them.
        height: pixels of the group.
    """

    workflow: str
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    area: str
    waited_most: int
    height: float

    @property
    def counts(self) -> str:
        """The number of runs by outcome, in words."""
        found = Counter([bar.run.outcome for bar in self.bars] + [mark.run.outcome for mark in self.marks])
        words = (*RUN_KINDS, *sorted(found.keys() - RUN_KINDS.keys()))
        return ", ".join(f"{found[word]:,} {word}" for word in words if found[word])


class Timeline(NamedTuple):
    """The groups of all workflows on one axis.

    Attributes:
        groups: one for each workflow.
        ticks: of the axis.
        span: seconds of the axis.
        failed_in_test: references of the runs that are fine and whose test, or of several trials whose trial, failed.
    """

    groups: tuple[Group, ...]
    ticks: tuple[Tick, ...]
    span: float
    failed_in_test: frozenset[str]


class _Times(NamedTuple):
    """The times of a run, in seconds from the start of its session."""

    run: Run
    queued: float
    started: float
    ended: float


class _Lanes(NamedTuple):
    """The lane of each run by its reference, and the number of lanes."""

    of: dict[str, int]
    total: int


def timeline(model: Model) -> Timeline:
    """The place of each run of a session; of several sessions, each from its own start."""
    starts = _session_starts(model)
    times = {name: _times(one.runs, starts) for name, one in model.workflows.items()}
    span = max((one.ended for several in times.values() for one in several), default=0.0) or 1.0
    lanes = {name: _lanes(several, lambda one: one.queued) for name, several in times.items()}
    shows_waiting = THINNEST * sum(one.total for one in lanes.values()) <= HIGHEST
    if not shows_waiting:
        lanes = {name: _lanes(several, lambda one: one.started) for name, several in times.items()}
    height = min(LANE, HIGHEST / max(1, sum(one.total for one in lanes.values())))
    failed = [test for test in model.tests if test.outcome in (FAILED, DRIFT)]
    of_tests = {run.reference for test in failed for run in test.runs if run.outcome == "ok"}
    trials = model.trial_outcomes
    failed_in_test = frozenset(
        {one for one in of_tests if one not in trials} | {one for one, word in trials.items() if word in _FAILED}
    )
    drawing = _Drawing(Axis(span), height, shows_waiting)
    groups = [drawing.group(name, one.runs, times[name], lanes[name]) for name, one in model.workflows.items()]
    return Timeline(tuple(groups), drawing.axis.ticks if any(times.values()) else (), span, failed_in_test)


def _session_starts(model: Model) -> list[float]:
    """The start of each session; if its log has none, of its first run."""
    first: dict[int, float] = {}
    for run in model.runs:
        start = run.queued if run.queued is not None else run.started
        if start is not None:
            first[run.session] = min(start, first.get(run.session, start))
    starts = (one.started for one in model.sessions)
    return [first.get(index, 0.0) if start is None else start for index, start in enumerate(starts)]


def _times(runs: Iterable[Run], starts: Sequence[float]) -> list[_Times]:
    """The times of the runs that took time in this session, in the order of their requests."""
    found = []
    for run in runs:
        if run.started is None or run.ended is None or run.is_kept:
            continue
        queued = run.started if run.queued is None else min(run.queued, run.started)
        moments = (queued, run.started, max(run.started, run.ended))
        found.append(_Times(run, *(max(0.0, moment - starts[run.session]) for moment in moments)))
    return sorted(found, key=lambda one: (one.queued, one.started))


def _lanes(times: Sequence[_Times], start: Callable[[_Times], float]) -> _Lanes:
    """Gives each run the uppermost lane that is free at its start."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    found: dict[str, int] = {}
    for one in sorted(times, key=start):
        while busy and busy[0][0] <= start(one):
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (one.ended, lane))
        found[one.run.reference] = lane
    return _Lanes(found, len(busy) + len(free))


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What all groups have in common.

    Attributes:
        axis: of time.
        lane: pixels of a lane.
        shows_waiting: whether each bar shows how long its run waited.
    """

    axis: Axis
    lane: float
    shows_waiting: bool

    def group(self, name: str, runs: Sequence[Run], times: Sequence[_Times], lanes: _Lanes) -> Group:
        area, most = ("", 0) if self.shows_waiting else self._waiting(times)
        top = AREA if area else 0
        bars = tuple(self._bar(one, top + lanes.of[one.run.reference] * self.lane) for one in times)
        below = top + lanes.total * self.lane
        rest = [run for run in runs if run.reference not in lanes.of]
        marks = tuple(self._mark(run, index, below) for index, run in enumerate(rest))
        rows = -(-len(rest) // MARKS_A_ROW)
        return Group(name, bars, marks, area, most, below + rows * MARK)

    def _bar(self, times: _Times, y: float) -> Bar:
        run = times.run
        last, least = times.started, _LEAST_WIDTH
        if run.attempts > 1 and run.seconds is not None:
            last = max(times.started, times.ended - run.seconds)
        elif run.attempts > 1:
            last, least = times.ended, _LEAST_END
        gap = 1 if self.lane >= THINNEST else 0
        end = self.axis.at(times.ended)
        width = round(max(least, end - self.axis.at(last)), 3)
        height = round(max(0.5, self.lane - gap), 2)
        waited = self._stretch(times.queued, times.started) if self.shows_waiting else None
        last_attempt = Stretch(round(max(0.0, end - width), 3), width)
        return Bar(run, round(y, 2), height, waited, self._stretch(times.started, last), last_attempt)

    def _stretch(self, start: float, end: float) -> Stretch | None:
        x, right = self.axis.at(start), self.axis.at(end)
        return Stretch(x, round(right - x, 3)) if right > x else None

    def _mark(self, run: Run, index: int, top: float) -> Mark:
        row, column = divmod(index, MARKS_A_ROW)
        return Mark(run, column * 100 / MARKS_A_ROW, round(top + row * MARK + 1, 2))

    def _waiting(self, times: Sequence[_Times]) -> tuple[str, int]:
        """The outline of the number of waiting runs, and the most that waited at once."""
        changes: Counter[float] = Counter()
        for one in times:
            queued, started = self.axis.at(one.queued), self.axis.at(one.started)
            if started > queued:
                changes[queued] += 1
                changes[started] -= 1
        levels = list(accumulate(change for _, change in sorted(changes.items())))
        if not levels:
            return "", 0
        most = max(levels)
        steps = (
            f"H{10 * x:.5g}V{100 - 100 * level / most:.4g}" for x, level in zip(sorted(changes), levels, strict=True)
        )
        return f"M0 100{''.join(steps)}H1000V100Z", most


def bar_title(run: Run, trial: str = "") -> str:
    """A run in one line, for the tooltip of its bar; with the outcome of its trial."""
    waited = run.started - run.queued if run.queued is not None and run.started is not None else 0.0
    parts = [
        run.workflow,
        run.api,
        run.outcome,
        f"trial {run.trial} {trial}" if trial else "",
        f"made earlier ({run.source})" if run.is_kept else "",
        seconds_text(run.seconds, ""),
        f"waited {seconds_text(waited)}" if waited >= 0.05 else "",
        count(run.attempts, "attempt") if run.attempts > 1 else "",
        run.test,
    ]
    return " · ".join(filter(None, parts))
