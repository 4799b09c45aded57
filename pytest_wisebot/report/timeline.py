"""All runs beside each other in time: a bar for each, in lanes, by workflow. Here are the numbers; a template draws.

A run that was sent is a bar from its start to its end, and what it waited before is drawn light where there is room for
a lane of its own for each that waits. Where there is not, since a thousand runs may have been asked for at once, lanes
hold what was on its way at the same time, and an area above them shows how many waited. Runs that were never sent, and
those made earlier, took no time here: they are marks in a strip of their own.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..outcomes import DRIFT, FAILED
from ..text import count
from .axis import Axis, Tick
from .format import seconds_text
from .model import Model, Run

HIGHEST: Final = 520
"""Pixels of all lanes together."""

LANE: Final = 13
"""Pixels of a lane where there are few."""

THINNEST: Final = 4
"""Pixels of a lane of its own for each that waits: below, an area shows the waiting."""

AREA: Final = 26
"""Pixels of the area that shows how many waited."""

MARK: Final = 9
"""Pixels of a mark, and of the space below it."""

MARKS_A_ROW: Final = 100

_LEAST_WIDTH: Final = 0.15
"""Per cent of the width that a bar has at least, to be seen."""

_LEAST_END: Final = 0.8
"""Per cent of the width that shows how a run ended of whose attempts nobody knows when the last one began."""

KINDS: Final = {
    "ok": "ok",
    "failed": "failed",
    "infrastructure": "infrastructure",
    "not run": "not-run",
    "not recorded": "not-run",
    "configuration": "error",
    "error": "error",
}
"""How a run is drawn, by its outcome."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a bar, in per cent of the width."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A run that was sent.

    Attributes:
        run: whose bar it is.
        kind: how it is drawn.
        blamed: the run is fine, and its test is not.
        y: pixels from the top of its workflow's lanes; ``height``: pixels.
        waited: from when it was asked for until it was let in; None where that is not drawn.
        repeated: the attempts before the last, and the back-off between them.
        last: its last attempt.
    """

    run: Run
    kind: str
    blamed: bool
    y: float
    height: float
    waited: Stretch | None
    repeated: Stretch | None
    last: Stretch


@dataclass(frozen=True, slots=True)
class Mark:
    """A run that took no time here: never sent, made earlier, or nobody knows when. ``hollow``: made earlier."""

    run: Run
    kind: str
    blamed: bool
    hollow: bool
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one workflow.

    Attributes:
        workflow: its name.
        counts: how many runs ended how.
        kept: how many of them were made earlier; ``unsent``: how many have no time.
        area: the outline of how many waited, in a box of 1,000 by 100; empty where bars show it.
        waited_most: how many waited at once at most, where an area shows it.
        height: pixels of it all.
    """

    workflow: str
    counts: tuple[tuple[str, int], ...]
    kept: int
    unsent: int
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    area: str
    waited_most: int
    height: float

    @property
    def said(self) -> str:
        """Its counts in words."""
        return ", ".join(f"{many:,} {word}" for word, many in self.counts)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of it."""

    groups: tuple[Group, ...]
    ticks: tuple[Tick, ...]
    span: float


@dataclass(frozen=True, slots=True)
class _Times:
    """When a run was, in seconds from the beginning of its session."""

    run: Run
    queued: float
    started: float
    ended: float


def timeline(model: Model) -> Timeline:
    """Where each run of a session is drawn; of several sessions, each from its own beginning."""
    zeros = _beginnings(model)
    times = {name: _timed(one.runs, zeros) for name, one in model.workflows.items()}
    span = max((one.ended for several in times.values() for one in several), default=0.0) or 1.0
    scale = Axis(span)
    lanes = {name: _lanes(several, lambda one: one.queued) for name, several in times.items()}
    alone = THINNEST * sum(many for _, many in lanes.values()) <= HIGHEST
    if not alone:
        lanes = {name: _lanes(several, lambda one: one.started) for name, several in times.items()}
    height = min(LANE, HIGHEST / max(1, sum(many for _, many in lanes.values())))
    blamed = _blamed(model)
    groups = [
        _group(name, model.workflows[name].runs, (times[name], *lanes[name]), _Drawing(scale, height, alone, blamed))
        for name in model.workflows
    ]
    return Timeline(tuple(groups), scale.ticks if any(times.values()) else (), span)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What all groups have in common."""

    scale: Axis
    lane: float
    alone: bool
    blamed: frozenset[str]


def _beginnings(model: Model) -> list[float]:
    """When each session began: where its log does not say, with its first run."""
    first: dict[int, float] = {}
    for run in model.runs:
        begun = run.queued if run.queued is not None else run.started
        if begun is not None:
            first[run.session] = min(begun, first.get(run.session, begun))
    return [
        one.started if one.started is not None else first.get(index, 0.0) for index, one in enumerate(model.sessions)
    ]


def _timed(runs: Iterable[Run], zeros: Sequence[float]) -> list[_Times]:
    """When each run was, of those that took their time in this session, in the order in which they were asked for."""
    found = []
    for run in runs:
        if run.started is None or run.ended is None or run.is_kept:
            continue
        zero = zeros[run.session]
        queued = run.started if run.queued is None else min(run.queued, run.started)
        moments = (max(0.0, moment - zero) for moment in (queued, run.started, max(run.started, run.ended)))
        found.append(_Times(run, *moments))
    return sorted(found, key=lambda one: (one.queued, one.started))


def _lanes(times: Sequence[_Times], begins: Callable[[_Times], float]) -> tuple[dict[str, int], int]:
    """In which lane each run is, and how many there are: the uppermost that is free, as they come."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    found: dict[str, int] = {}
    many = 0
    for one in sorted(times, key=begins):
        while busy and busy[0][0] <= begins(one):
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, many = many, many + 1
        heapq.heappush(busy, (one.ended, lane))
        found[one.run.reference] = lane
    return found, many


def _blamed(model: Model) -> frozenset[str]:
    """The runs of tests that say the workflow is wrong."""
    wrong = [test for test in model.tests if test.outcome in (FAILED, DRIFT)]
    return frozenset(run.reference for test in wrong for run in test.runs)


def _group(
    name: str, runs: Sequence[Run], placed: tuple[Sequence[_Times], dict[str, int], int], drawing: _Drawing
) -> Group:
    times, lanes, many = placed
    top, area, most = (0, "", 0) if drawing.alone else _waiting(times, drawing.scale)
    bars = tuple(_bar(one, top + lanes[one.run.reference] * drawing.lane, drawing) for one in times)
    timed = {one.run.reference for one in times}
    rest = [run for run in runs if run.reference not in timed]
    below = top + many * drawing.lane
    rows = -(-len(rest) // MARKS_A_ROW)
    return Group(
        name,
        _counts(runs),
        sum(run.is_kept for run in rest),
        sum(not run.is_kept for run in rest),
        bars,
        tuple(_mark(run, index, below, drawing.blamed) for index, run in enumerate(rest)),
        area,
        most,
        below + rows * MARK,
    )


def kind_of(run: Run) -> str:
    """How a run is drawn; one of an outcome that only a later version knows, as an error."""
    return KINDS.get(run.outcome, "error")


def _counts(runs: Iterable[Run]) -> tuple[tuple[str, int], ...]:
    """How many runs ended how, in the order of `KINDS`."""
    found = Counter(run.outcome for run in runs)
    return tuple((word, found[word]) for word in (*KINDS, *sorted(found.keys() - KINDS.keys())) if found[word])


def _bar(times: _Times, y: float, drawing: _Drawing) -> Bar:
    run = times.run
    last, least = times.started, _LEAST_WIDTH
    if run.attempts > 1 and run.seconds is not None:
        last = max(times.started, times.ended - run.seconds)
    elif run.attempts > 1:
        last, least = times.ended, _LEAST_END
    stretch = drawing.scale
    gap = 1 if drawing.lane >= THINNEST else 0
    return Bar(
        run,
        kind_of(run),
        run.outcome == "ok" and run.reference in drawing.blamed,
        round(y, 2),
        round(max(0.5, drawing.lane - gap), 2),
        _stretch(stretch, times.queued, times.started) if drawing.alone else None,
        _stretch(stretch, times.started, last),
        _at_least(stretch, last, times.ended, least),
    )


def _stretch(scale: Axis, begin: float, end: float) -> Stretch | None:
    x, right = scale.at(begin), scale.at(end)
    return Stretch(x, round(right - x, 3)) if right > x else None


def _at_least(scale: Axis, begin: float, end: float, least: float) -> Stretch:
    """What is seen, however short it is, and stays within the picture."""
    width = round(max(least, scale.at(end) - scale.at(begin)), 3)
    return Stretch(round(max(0.0, scale.at(end) - width), 3), width)


def _mark(run: Run, index: int, top: float, blamed: frozenset[str]) -> Mark:
    row, column = divmod(index, MARKS_A_ROW)
    wrong = run.outcome == "ok" and run.reference in blamed
    return Mark(run, kind_of(run), wrong, run.is_kept, column * 100 / MARKS_A_ROW, round(top + row * MARK + 1, 2))


def _waiting(times: Sequence[_Times], scale: Axis) -> tuple[int, str, int]:
    """The height of the area of how many waited, its outline, and how many they were at most."""
    changes: Counter[float] = Counter()
    for one in times:
        if scale.at(one.started) > scale.at(one.queued):
            changes[scale.at(one.queued)] += 1
            changes[scale.at(one.started)] -= 1
    levels, level = [], 0
    for x, change in sorted(changes.items()):
        level += change
        levels.append((x, level))
    most = max((level for _, level in levels), default=0)
    if not most:
        return 0, "", 0
    steps = "".join(f"H{10 * x:.5g}V{100 - 100 * level / most:.4g}" for x, level in levels)
    return AREA, f"M0 100{steps}H1000V100Z", most


def bar_title(run: Run) -> str:
    """A run in one line, for whoever points at its bar."""
    said = [run.workflow, run.api, run.outcome]
    if run.is_kept:
        said.append(f"made earlier ({run.source})")
    if run.seconds is not None:
        said.append(seconds_text(run.seconds))
    if run.queued is not None and run.started is not None and run.started - run.queued >= 0.05:
        said.append(f"waited {seconds_text(run.started - run.queued)}")
    if run.attempts > 1:
        said.append(count(run.attempts, "attempt"))
    if run.test:
        said.append(run.test)
    return " · ".join(filter(None, said))
