"""Numbers for people: shares, seconds, lists of names, and the ticks of a time axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..originals import dates
from ..text import count

MOST_NAMED: Final = 5
"""Names that one line lists."""

MOST_TICKS: Final = 7

_DAY: Final = 86400.0

_STEPS: Final = (
    *(digit * 10.0**power for power in range(-6, 1) for digit in (1, 2, 5)),
    *(10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0, 21600.0, 43200.0, _DAY),
)
"""Steps that people count by."""


def percentile(seconds: Sequence[float], share: float) -> float | None:
    """The smallest value that is not exceeded by this share of the values; None without any."""
    return sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)] if seconds else None


def percent(share: float) -> str:
    """A share in per cent, never rounded up to all, nor down to none."""
    text = f"{100 * share:.4g}"
    if text == "100" and share < 1:
        return "99.99%"
    return "0.01%" if text == "0" and share > 0 else f"{float(text):g}%"


def seconds_text(seconds: float | None, missing: str = "none") -> str:
    """Seconds with about three digits, and at most milliseconds; another string if there are none."""
    if seconds is None:
        return missing
    digits = 3 if seconds < 0.1 else 2 if seconds < 10 else 1 if seconds < 100 else 0
    text = f"{seconds:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} s"


def duration(seconds: float) -> str:
    """How long something took, in hours and minutes if it was long."""
    if seconds < 120:
        return seconds_text(seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def time_of_day(seconds: float) -> str:
    """Date and time of seconds since the epoch."""
    return f"{dates.at(seconds):%Y-%m-%d %H:%M:%S} UTC"


def named(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first of these names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def count_named(names: Sequence[str], noun: str = "") -> str:
    """How many names there are, and the first of them: ``0``, ``2: a, b``, ``1 test: a``."""
    number = count(len(names), noun) if noun else str(len(names))
    return f"{number}: {named(names)}" if names else number


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an axis: its place in per cent of the length, and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from 0 to this many seconds."""

    span: float

    def at(self, seconds: float) -> float:
        """The place of a moment in per cent, between 0 and 100."""
        return round(100 * min(1.0, max(0.0, seconds / self.span)), 3)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Ticks at round numbers."""
        step = self._step()
        return tuple(
            Tick(self.at(n * step), self._label(n * step, step)) for n in range(int(self.span / step + 1e-9) + 1)
        )

    def _step(self) -> float:
        """The smallest round step that makes at most `MOST_TICKS` ticks besides the one at 0."""
        least = self.span / MOST_TICKS
        return next((step for step in _STEPS if step >= least * (1 - 1e-9)), math.ceil(least / _DAY) * _DAY)

    def _label(self, seconds: float, step: float) -> str:
        if seconds == 0:
            return "0"
        if self.span < 120:
            return f"{seconds:.6g} s"
        if step >= 3600:
            return f"{seconds / 3600:g} h"
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02d}" if step < 60 else f"{minutes} min"
