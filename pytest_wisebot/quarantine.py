"""The quarantine of a test that is known to fail: who mends it, until which day, and why.

A quarantine is about the gate alone. The test runs, and fails as any other. The day is that of UTC on which the
session began, which the event log has: reports that are made later judge the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from .originals import dates
from .text import brief, truncate

FORM: Final = "OWNER until YYYY-MM-DD: REASON"

WARNED_DAYS: Final = 7
"""From so many days before its end on, the end of a quarantine is announced."""

_LONGEST: Final = {"owner": 80, "reason": 300}
"""Characters that reports show."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A quarantine.

    Attributes:
        owner: a person or team.
        until: its last day, ``YYYY-MM-DD``, included.
        reason: why.
        days_left: days from the session's to the last one: 0 on the last day, negative after it; None if unknown.
    """

    owner: str = ""
    until: str = ""
    reason: str = ""
    days_left: int | None = None

    @property
    def in_force(self) -> bool:
        """Whether its last day was not over when the session began."""
        return self.days_left is not None and self.days_left >= 0

    @property
    def end_in_words(self) -> str:
        """Its end, where the end is near or past; else empty."""
        if self.days_left is None or self.days_left > WARNED_DAYS:
            return ""
        if self.days_left < 0:
            return f"ended on {self.until}"
        days = {0: "today", 1: "tomorrow"}.get(self.days_left, f"in {self.days_left} days")
        return f"ends {days}"

    def to_dict(self) -> dict[str, Any]:
        """Its three parts."""
        return {name: value for name, value in asdict(self).items() if name != "days_left"}

    def __str__(self) -> str:
        owner, reason = (truncate(getattr(self, name), most) for name, most in _LONGEST.items())
        return f"{owner} until {self.until}: {reason}"


def from_dict(parts: Mapping[str, str], now: float | None = None) -> Quarantine:
    """The quarantine of `Quarantine.to_dict`, at a moment in seconds since the epoch."""
    return Quarantine(**parts, days_left=days_left(parts["until"], now))


def parse(text: object) -> Quarantine:
    """The quarantine that a string names.

    Raises:
        ValueError: a part of it is missing or wrong; the message names the part.
    """
    if not isinstance(text, str):
        raise ValueError(f'expected "{FORM}", got {brief(text)}')
    words = " ".join(text.split())
    found = re.match(r"(?P<owner>.*?)(?:^| )until\b ?(?P<until>[^: ]*) ?(?P<colon>:?) ?(?P<reason>.*)", words)
    if found is None:
        raise ValueError(f'expected "{FORM}", got {brief(text)}: it names no end, "until YYYY-MM-DD"')
    owner, until, colon, reason = found.groups()
    if problem := _problem(owner, until, colon, reason):
        raise ValueError(f'expected "{FORM}", got {brief(text)}: {problem}')
    return Quarantine(owner, until, reason)


def _problem(owner: str, until: str, colon: str, reason: str) -> str:
    if not owner:
        return 'it names no owner before "until"'
    if days_left(until, 0.0) is None:
        return f'{brief(until)} is not a day, as in "2026-12-31"' if until else 'it names no day after "until"'
    if not colon:
        return "a colon is missing between the day and the reason"
    return "" if reason else "it names no reason after the day"


def days_left(until: str, now: float | None) -> int | None:
    """The days from a moment, in seconds since the epoch, to the day of the same calendar; None if one is unknown."""
    if now is None or not re.fullmatch(r"\d{4}-\d\d-\d\d", until, re.ASCII):
        return None
    try:
        return (dates.read(until).date() - dates.at(now).date()).days
    except ValueError:
        return None
