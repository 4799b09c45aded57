"""Axes of time: where their marks stand, and how these are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MOST_TICKS: Final = 7

_ROUND: Final = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Steps of ten seconds and more that people count by."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: where, in per cent of its length, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from 0 to so many seconds."""

    span: float

    def at(self, seconds: float) -> float:
        """Where a moment is, in per cent; within the axis."""
        return round(100 * min(1.0, max(0.0, seconds / self.span)), 3)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Its marks, at round numbers."""
        step = _step(self.span)
        return tuple(
            Tick(self.at(n * step), _label(n * step, step, self.span)) for n in range(int(self.span / step + 1e-9) + 1)
        )


def _step(span: float) -> float:
    """The smallest round step that makes no more marks than an axis bears."""
    least = span / MOST_TICKS
    if least > _ROUND[-1]:
        return math.ceil(least / _ROUND[-1]) * float(_ROUND[-1])
    if least > 5:
        return float(next(step for step in _ROUND if step >= least))
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * one for one in (1, 2, 5, 10) if power * one >= least * (1 - 1e-9))


def _label(seconds: float, step: float, span: float) -> str:
    if seconds == 0:
        return "0"
    if span < 120:
        return f"{seconds:.6g} s"
    if step >= 3600:
        return f"{seconds / 3600:g} h"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if step < 60 else f"{minutes} min"
