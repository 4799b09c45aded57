"""Numbers in words: the few figures that are told of many, and how each kind is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

MOST_NAMED: Final = 5
"""Names that one line lists."""


def percentile(seconds: Sequence[float], share: float) -> float | None:
    """The smallest of the values that so large a share of them does not exceed; None of none."""
    return sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)] if seconds else None


def counted(number: int, what: str) -> str:
    """A number of things."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def percent(share: float) -> str:
    """A share in per cent, never rounded up to all, nor down to none."""
    text = f"{100 * share:.4g}"
    if text == "100" and share < 1:
        return "99.99%"
    return "0.01%" if text == "0" and share > 0 else f"{float(text):g}%"


def seconds_text(seconds: float) -> str:
    """Seconds, to about three figures, and to the millisecond at most."""
    digits = 3 if seconds < 0.1 else 2 if seconds < 10 else 1 if seconds < 100 else 0
    text = f"{seconds:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} s"


def named(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Some of these names, and how many are left."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
