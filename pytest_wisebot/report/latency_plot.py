"""Latencies of a workflow as a strip of dots: what half and 95 % of the runs kept within, and what they may take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .axis import Axis, Tick
from .baseline import Beside, Comparison
from .format import percent, seconds_text
from .model import Model, Workflow, pass_rate

TOP: Final = 32
"""Pixels above the band of dots, for what the marks say."""

BAND: Final = 44
"""Pixels of the band of dots."""

BOTTOM: Final = 22
"""Pixels below it, for the axis."""

_GOLDEN: Final = 0.618033988749895
"""By this share of the band each dot is lower than the one before: evenly spread, and the same in each report."""

_FAR: Final = 2.5
"""A limit that is so many times as far as the slowest run is not drawn: it would press all dots together."""

_MANY: Final = 300
"""From so many dots on, each is fainter."""

_NEAR: Final = 16.0
"""Per cent of the width within which two captions would stand on each other."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A live run: per cent from the left, pixels from the top."""

    x: float
    y: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A value that is marked across the strip.

    Attributes:
        kind: ``p50``, ``p95``, ``then`` (the baseline's p95), ``limit`` (of the p95) or ``most`` (of each run).
        x: per cent from the left.
        caption: what it says; empty where another caption has that place.
        row: in which row the caption stands, from 0.
        to_left: whether the caption stands left of its line.
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


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the table beside the strip: measured, allowed, and the baseline's; empty where there is none."""

    name: str
    measured: str
    allowed: str
    then: str
    over: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """One workflow.

    Attributes:
        rate: how many of its tests passed, in words.
        far: limits that are beyond the strip, in words.
        said: all of it in a sentence.
    """

    workflow: str
    rate: str
    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    figures: tuple[Figure, ...]
    far: str
    live: int

    @property
    def is_dense(self) -> bool:
        """Whether there are so many dots that each is drawn fainter."""
        return self.live > _MANY

    @property
    def height(self) -> int:
        """Pixels of it all."""
        return TOP + BAND + BOTTOM

    @property
    def said(self) -> str:
        """Its numbers in a sentence."""
        said = [
            f"{one.name} {one.measured}" + (f", at most {one.allowed}" if one.allowed else "") for one in self.figures
        ]
        return f"{self.workflow}: " + "; ".join(said)

    @property
    def has_limits(self) -> bool:
        """Whether anything is demanded of it."""
        return any(one.allowed for one in self.figures)

    @property
    def has_then(self) -> bool:
        """Whether the baseline has anything to say."""
        return any(one.then for one in self.figures)


def strips(model: Model, baseline: Comparison | None) -> tuple[Strip, ...]:
    """The strip of each workflow that answered in this session."""
    beside = {one.name: one for one in baseline.workflows} if baseline is not None else {}
    return tuple(_strip(one, model, beside.get(name)) for name, one in model.workflows.items() if one.seconds)


def _strip(workflow: Workflow, model: Model, beside: Beside | None) -> Strip:
    limit = model.gate.of(workflow.name, "p95_seconds")
    most = model.gate.of(workflow.name, "max_seconds")
    then = beside.p95_then if beside is not None else None
    slowest = max(workflow.seconds)
    limits = [one for one in (limit, most, then) if one is not None]
    scale = Axis(max([slowest, *(one for one in limits if one <= _FAR * slowest)], default=1.0) * 1.06 or 1.0)
    passed, judged = pass_rate(workflow.tests)
    captions = _captions(workflow, {"p95": limit, "each": most}, then)
    far = [
        f"{kind} at most {seconds_text(one)}" for kind, one in (("p95", limit), ("each", most)) if _beyond(one, scale)
    ]
    return Strip(
        workflow.name,
        f"{percent(passed / judged)} passed ({passed} of {judged})" if judged else "no test with a verdict",
        _dots(workflow, scale),
        tuple(_lines([one for one in captions if one[1] <= scale.span], scale, reserved=bool(far))),
        scale.ticks,
        _figures(workflow, limit, most, then),
        " and ".join(far),
        len(workflow.seconds),
    )


def _beyond(limit: float | None, scale: Axis) -> bool:
    return limit is not None and limit > scale.span


def _dots(workflow: Workflow, scale: Axis) -> tuple[Dot, ...]:
    """Spread over the band, the more of them the wider, so that none hides behind another."""
    live = [run for run in workflow.runs if run.is_live and run.seconds is not None]
    width = min(BAND - 8.0, 6.0 * (len(live) - 1))
    top = TOP + (BAND - width) / 2
    return tuple(
        Dot(scale.at(run.seconds or 0.0), round(top + width * (index * _GOLDEN % 1), 1), run.outcome == "failed")
        for index, run in enumerate(live)
    )


def _captions(
    workflow: Workflow, limits: dict[str, float | None], then: float | None
) -> list[tuple[str, float, str, int]]:
    """Kind, seconds, caption and row of each line, the most important first."""
    p50, p95 = workflow.p50 or 0.0, workflow.p95 or 0.0
    found = [("p95", p95, f"p95 {seconds_text(p95)}", 1), ("p50", p50, f"p50 {seconds_text(p50)}", 1)]
    for name, limit in limits.items():
        if limit is not None:
            found.append(("most" if name == "each" else "limit", limit, f"{name} at most {seconds_text(limit)}", 0))
    if then is not None:
        found.append(("then", then, f"p95 then {seconds_text(then)}", 0))
    return found


def _lines(captions: Sequence[tuple[str, float, str, int]], scale: Axis, *, reserved: bool) -> Iterator[Line]:
    """The lines, each caption on the side that has room, unless another one has the place already.

    Args:
        captions: see `_captions`.
        scale: the axis.
        reserved: the right end of the first row is taken by what is beyond the strip.
    """
    taken: list[tuple[int, float, float]] = [(0, 100 - 1.4 * _NEAR, 100)] if reserved else []
    for kind, seconds, caption, row in captions:
        x = scale.at(seconds)
        # The p50 goes left and the p95 right, so that they leave each other room.
        places = [(row, x - _NEAR, x), (row, x, x + _NEAR)]
        places = [one for one in (places if kind == "p50" else places[::-1]) if _is_free(one, taken)]
        taken += places[:1]
        yield Line(kind, x, caption if places else "", row, to_left=bool(places) and places[0][2] == x)


def _is_free(place: tuple[int, float, float], taken: Sequence[tuple[int, float, float]]) -> bool:
    """Whether a place in a row of captions is within the strip, and nobody else's."""
    row, left, right = place
    apart = (row != other or right <= begin or end <= left for other, begin, end in taken)
    return left >= 0 and right <= 100 and all(apart)


def _figures(workflow: Workflow, limit: float | None, most: float | None, then: float | None) -> tuple[Figure, ...]:
    p50, p95, slowest = workflow.p50 or 0.0, workflow.p95 or 0.0, max(workflow.seconds)
    return (
        Figure("p50", seconds_text(p50), "", "", over=False),
        Figure("p95", seconds_text(p95), _words(limit), _words(then), over=_is_over(workflow, 0.95, limit)),
        Figure("slowest", seconds_text(slowest), _words(most), "", over=_is_over(workflow, 1.0, most)),
    )


def _is_over(workflow: Workflow, share: float, limit: float | None) -> bool:
    """Whether a limit is exceeded for certain, as the gate has it."""
    return limit is not None and workflow.took(share, for_certain=True) > limit


def _words(seconds: float | None) -> str:
    return seconds_text(seconds) if seconds is not None else ""
