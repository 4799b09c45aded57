"""The latencies of a workflow as a strip of dots, with lines at p50, p95, their limits and the baseline's p95."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from .baseline import Beside, Comparison
from .format import Axis, Tick, seconds_text
from .model import Model, Workflow, pass_rate

TOP: Final = 32
"""Pixels above the band of dots, for the captions."""

BAND: Final = 44
"""Pixels of the band of dots."""

_GOLDEN_RATIO: Final = 0.618033988749895
"""By this share of the band each dot is lower than the one before: evenly spread, and the same in each report."""

_FAR: Final = 2.5
"""A limit of so many times the slowest run is not drawn: it would press all dots together."""

_CAPTION_WIDTH: Final = 16.0
"""Per cent of the width of a caption."""

_RIGHT_PART: Final = 65.0
"""From here on a caption goes left of its line: on a telephone a third of the strip is as wide as a caption."""


class Dot(NamedTuple):
    """A live run: per cent from the left, pixels from the top."""

    x: float
    y: float
    failed: bool


class Line(NamedTuple):
    """A value across the strip.

    Attributes:
        kind: ``p50``, ``p95``, ``then`` (the baseline's p95), ``limit`` (of the p95) or ``most`` (of each run).
        x: per cent from the left.
        caption: empty if another caption has its place.
        row: row of the caption, from 0.
        to_left: whether the caption is left of its line.
    """

    kind: str
    x: float
    caption: str
    row: int
    to_left: bool


class Figure(NamedTuple):
    """A number of the table beside the strip: measured, allowed, and the baseline's; empty if there is none."""

    name: str
    measured: str
    allowed: str
    then: str
    over: bool


_Value = tuple[str, float | None, str, int]
"""A value to be marked: kind, seconds, text and row."""


@dataclass(frozen=True, slots=True)
class Strip:
    """One workflow.

    Attributes:
        workflow: its name.
        rate: its pass rate, in words.
        dots: its live runs.
        lines: its p50 and p95, and what they are compared with.
        ticks: of the axis.
        figures: the numbers beside the strip.
        far: limits that are beyond the strip, in words.
    """

    workflow: str
    rate: str
    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    figures: tuple[Figure, ...]
    far: str

    @property
    def description(self) -> str:
        """The figures in a sentence."""
        figures = (
            f"{one.name} {one.measured}" + (f", at most {one.allowed}" if one.allowed else "") for one in self.figures
        )
        return f"{self.workflow}: {'; '.join(figures)}"


def strips(model: Model, baseline: Comparison | None) -> tuple[Strip, ...]:
    """A strip for each workflow that has live runs."""
    beside = {one.name: one for one in baseline.workflows} if baseline is not None else {}
    return tuple(_strip(one, model, beside.get(name)) for name, one in model.workflows.items() if one.seconds)


def _strip(workflow: Workflow, model: Model, beside: Beside | None) -> Strip:
    limit, most = model.gate.of(workflow.name, "p95_seconds"), model.gate.of(workflow.name, "max_seconds")
    then = beside.p95_then if beside is not None else None
    slowest = max(workflow.seconds)
    drawn = [one for one in (limit, most, then) if one is not None and one <= _FAR * slowest]
    axis = Axis(max(slowest, *drawn, 0.0) * 1.06 or 1.0)
    values: list[_Value] = [  # the most important first
        ("p95", workflow.p95, "p95", 1),
        ("p50", workflow.p50, "p50", 1),
        ("limit", limit, "p95 at most", 0),
        ("most", most, "each at most", 0),
        ("then", then, "p95 then", 0),
    ]
    limits = [(seconds, text) for kind, seconds, text, _ in values if seconds is not None and kind != "then"]
    far = [f"{text} {seconds_text(seconds)}" for seconds, text in limits if seconds > axis.span]
    figures = (
        _figure("p50", workflow, 0.5),
        _figure("p95", workflow, 0.95, limit, then),
        _figure("slowest", workflow, 1.0, most),
    )
    passed = pass_rate(workflow.tests)
    rate = str(passed).replace(" ", " passed ", 1) if passed.judged else "no test with a verdict"
    lines = tuple(_lines(values, axis, far_is_shown=bool(far)))
    return Strip(workflow.name, rate, _dots(workflow, axis), lines, axis.ticks, figures, " and ".join(far))


def _dots(workflow: Workflow, axis: Axis) -> tuple[Dot, ...]:
    """The dots, spread over the band: the more of them the wider, so that none hides behind another."""
    live = [run for run in workflow.runs if run.is_live and run.seconds is not None]
    width = min(BAND - 8.0, 6.0 * (len(live) - 1))
    top = TOP + (BAND - width) / 2
    return tuple(
        Dot(axis.at(run.seconds or 0.0), round(top + width * (index * _GOLDEN_RATIO % 1), 1), run.outcome == "failed")
        for index, run in enumerate(live)
    )


def _lines(values: Iterable[_Value], axis: Axis, *, far_is_shown: bool) -> Iterator[Line]:
    """The lines. Each caption is on a side that has room, and left out if both sides are taken.

    Args:
        values: the most important first.
        axis: the axis.
        far_is_shown: whether the right end of the first row is taken by limits beyond the strip.
    """
    taken: list[tuple[int, float, float]] = [(0, 100 - 1.4 * _CAPTION_WIDTH, 100)] if far_is_shown else []
    for kind, seconds, text, row in values:
        if seconds is None or seconds > axis.span:
            continue
        x = axis.at(seconds)
        # The p50 goes left and the p95 right, so that they leave each other room.
        left, right = (row, x - _CAPTION_WIDTH, x), (row, x, x + _CAPTION_WIDTH)
        sides = (left, right) if kind == "p50" or x > _RIGHT_PART else (right, left)
        place = next((one for one in sides if _is_free(one, taken)), None)
        if place is not None:
            taken.append(place)
        caption = f"{text} {seconds_text(seconds)}" if place else ""
        yield Line(kind, x, caption, row, to_left=place == left)


def _is_free(place: tuple[int, float, float], taken: Sequence[tuple[int, float, float]]) -> bool:
    """Whether a place in a row of captions is within the strip, and apart from those that are taken."""
    row, left, right = place
    apart = (row != other or right <= start or end <= left for other, start, end in taken)
    return left >= 0 and right <= 100 and all(apart)


def _figure(
    name: str, workflow: Workflow, share: float, limit: float | None = None, then: float | None = None
) -> Figure:
    """A figure. It is over its limit only if the delay of this package cannot be the reason."""
    over = limit is not None and workflow.took(share, for_certain=True) > limit
    return Figure(name, seconds_text(workflow.took(share)), seconds_text(limit, ""), seconds_text(then, ""), over)
