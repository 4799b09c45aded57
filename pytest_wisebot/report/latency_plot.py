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

BOTTOM: Final = 22
"""Pixels below the band, for the axis."""

_GOLDEN_RATIO: Final = 0.618033988749895
"""By this share of the band each dot is lower than the one before: evenly spread, and the same in each report."""

_FAR: Final = 2.5
"""A limit of so many times the slowest run is not drawn: it would press all dots together."""

_MANY_DOTS: Final = 300
"""With more dots, each is fainter."""

_CAPTION_WIDTH: Final = 16.0
"""Per cent of the width of a caption."""


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

    @property
    def y(self) -> int:
        """Pixels from the top to the foot of the caption."""
        return 11 + 14 * self.row


class Figure(NamedTuple):
    """A number of the table beside the strip: measured, allowed, and the baseline's; empty if there is none."""

    name: str
    measured: str
    allowed: str
    then: str
    over: bool


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
    def is_dense(self) -> bool:
        """Whether there are so many dots that each is drawn fainter."""
        return len(self.dots) > _MANY_DOTS

    @property
    def height(self) -> int:
        """Pixels of the strip."""
        return TOP + BAND + BOTTOM

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
    limits = {
        "p95": model.gate.of(workflow.name, "p95_seconds"),
        "each": model.gate.of(workflow.name, "max_seconds"),
        "then": beside.p95_then if beside is not None else None,
    }
    slowest = max(workflow.seconds)
    drawn = [one for one in limits.values() if one is not None and one <= _FAR * slowest]
    axis = Axis(max(slowest, *drawn, 0.0) * 1.06 or 1.0)
    far = [
        f"{name} at most {seconds_text(limit)}"
        for name, limit in limits.items()
        if name != "then" and limit is not None and limit > axis.span
    ]
    captions = [one for one in _captions(workflow, limits) if one.seconds <= axis.span]
    rate = pass_rate(workflow.tests)
    passed, _, numbers = str(rate).partition(" ")
    return Strip(
        workflow.name,
        f"{passed} passed {numbers}" if rate.judged else "no test with a verdict",
        _dots(workflow, axis),
        tuple(_lines(captions, axis, far_is_shown=bool(far))),
        axis.ticks,
        _figures(workflow, limits),
        " and ".join(far),
    )


def _dots(workflow: Workflow, axis: Axis) -> tuple[Dot, ...]:
    """The dots, spread over the band: the more of them the wider, so that none hides behind another."""
    live = [run for run in workflow.runs if run.is_live and run.seconds is not None]
    width = min(BAND - 8.0, 6.0 * (len(live) - 1))
    top = TOP + (BAND - width) / 2
    return tuple(
        Dot(axis.at(run.seconds or 0.0), round(top + width * (index * _GOLDEN_RATIO % 1), 1), run.outcome == "failed")
        for index, run in enumerate(live)
    )


class _Caption(NamedTuple):
    kind: str
    seconds: float
    text: str
    row: int


def _captions(workflow: Workflow, limits: dict[str, float | None]) -> Iterator[_Caption]:
    """The values across the strip, the most important first."""
    for kind, value in (("p95", workflow.p95), ("p50", workflow.p50)):
        yield _Caption(kind, value or 0.0, f"{kind} {seconds_text(value or 0.0)}", 1)
    texts = {"p95": ("limit", "p95 at most"), "each": ("most", "each at most"), "then": ("then", "p95 then")}
    for name, (kind, text) in texts.items():
        if (limit := limits[name]) is not None:
            yield _Caption(kind, limit, f"{text} {seconds_text(limit)}", 0)


def _lines(captions: Iterable[_Caption], axis: Axis, *, far_is_shown: bool) -> Iterator[Line]:
    """The lines. Each caption is on a side that has room, and left out if both sides are taken.

    Args:
        captions: the most important first.
        axis: the axis.
        far_is_shown: whether the right end of the first row is taken by limits beyond the strip.
    """
    taken: list[tuple[int, float, float]] = [(0, 100 - 1.4 * _CAPTION_WIDTH, 100)] if far_is_shown else []
    for kind, seconds, text, row in captions:
        x = axis.at(seconds)
        # The p50 goes left and the p95 right, so that they leave each other room.
        left, right = (row, x - _CAPTION_WIDTH, x), (row, x, x + _CAPTION_WIDTH)
        sides = (left, right) if kind == "p50" else (right, left)
        place = next((one for one in sides if _is_free(one, taken)), None)
        if place is not None:
            taken.append(place)
        yield Line(kind, x, text if place else "", row, to_left=place == left)


def _is_free(place: tuple[int, float, float], taken: Sequence[tuple[int, float, float]]) -> bool:
    """Whether a place in a row of captions is within the strip, and apart from those that are taken."""
    row, left, right = place
    apart = (row != other or right <= start or end <= left for other, start, end in taken)
    return left >= 0 and right <= 100 and all(apart)


def _figures(workflow: Workflow, limits: dict[str, float | None]) -> tuple[Figure, ...]:
    def figure(name: str, share: float, limit: float | None, then: float | None) -> Figure:
        over = limit is not None and workflow.took(share, for_certain=True) > limit
        return Figure(name, seconds_text(workflow.took(share)), seconds_text(limit, ""), seconds_text(then, ""), over)

    return (
        figure("p50", 0.5, None, None),
        figure("p95", 0.95, limits["p95"], limits["then"]),
        figure("slowest", 1.0, limits["each"], None),
    )
