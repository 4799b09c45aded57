"""The last sessions of an environment as they are shown: a strip for each test and each workflow, worst first."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..outcomes import TABLE
from ..text import count
from .build_info import web_address
from .format import percent, seconds_text
from .history import ABSENT, LETTERS, WRONG, FailingSince, FlakyRate, Past, failing_since, flaky_rate

CELL: Final = 8
"""Pixels of a session in a strip."""

CHART_HEIGHT: Final = 40
_FAR: Final = 2.5
"""A limit of so many times the largest p95 is not drawn: it would press the line to the ground."""

WORDS: Final = {letter: word for word, letter in LETTERS.items()}


class Cells(NamedTuple):
    """Sessions that follow each other and ended alike.

    Attributes:
        kind: how they are drawn.
        x: pixels from the left.
        width: pixels.
    """

    kind: str
    x: int
    width: int


@dataclass(frozen=True)
class Trend:
    """A test, or a workflow, in the last sessions.

    Attributes:
        letters: one for each session, oldest first.
        rate: in how many sessions it was flaky.
        since: since when it fails; None if it does not.
    """

    name: str
    letters: str
    rate: FlakyRate
    since: FailingSince | None

    @property
    def cells(self) -> Iterator[Cells]:
        """The strip."""
        x = 0
        for letter, same in itertools.groupby(self.letters):
            width = CELL * len(list(same))
            if letter != ABSENT:
                yield Cells(_kind(letter), x, width)
            x += width

    @property
    def counts(self) -> str:
        """The outcomes in words: ``25 passed, 2 failed``."""
        found = Counter(self.letters.replace(ABSENT, ""))
        return ", ".join(f"{number} {WORDS.get(letter, 'unknown')}" for letter, number in found.most_common()) or "none"

    @property
    def flaky(self) -> str:
        """The flaky rate in words; empty if it was never flaky."""
        if not self.rate.flaky:
            return ""
        return f"flaky {percent(self.rate.share)} ({self.rate.flaky} of {count(self.rate.judged, 'session')})"

    @property
    def failing(self) -> str:
        """Since when it fails, in words; empty if it does not."""
        return f"failing {self.since}" if self.since is not None else ""

    @property
    def job_url(self) -> str:
        """The page of the job since which it fails; empty without one."""
        return web_address(self.since.session.build.job_url) if self.since is not None else ""

    @property
    def is_steady(self) -> bool:
        """Whether it passed in each of its sessions."""
        return {*self.letters} <= {ABSENT, LETTERS["passed"]} and not self.rate.flaky

    @property
    def rank(self) -> Any:
        """The worst come first: those that fail, those that are flaky, those that failed."""
        return self.since is None, -self.rate.share, not WRONG & {*self.letters}, self.is_steady, self.name


@dataclass(frozen=True)
class WorkflowTrend(Trend):
    """The same of a workflow, with its p95.

    Attributes:
        p95: seconds in each session; None without a live run.
        limit: seconds that the p95 may be at most; None without a limit.
    """

    p95: tuple[float | None, ...] = ()
    limit: float | None = None

    @property
    def known(self) -> list[float]:
        """The p95 of the sessions that have one."""
        return [one for one in self.p95 if one is not None]

    @property
    def p95_words(self) -> str:
        """The last p95, its limit, and the span of all."""
        if not self.known:
            return "no live run"
        limit = f", at most {seconds_text(self.limit)}" if self.limit is not None else ""
        low, high = seconds_text(min(self.known)), seconds_text(max(self.known))
        span = f"; from {low} to {high}" if low != high else ""
        return f"p95 {seconds_text(self.known[-1])}{limit}{span}"

    @property
    def lines(self) -> list[str]:
        """The p95 over the sessions as points of lines, each a piece without a gap."""
        pieces = itertools.groupby(enumerate(self.p95), lambda one: one[1] is not None)
        points = [[(number, value or 0.0) for number, value in piece] for is_known, piece in pieces if is_known]
        return [" ".join(f"{CELL * number + 3},{self._y(value)}" for number, value in piece) for piece in points]

    @property
    def limit_y(self) -> float | None:
        """Where the limit is drawn; None if it is not."""
        is_near = self.limit is not None and bool(self.known) and self.limit <= _FAR * max(self.known)
        return self._y(self.limit) if is_near and self.limit is not None else None

    def _y(self, seconds: float) -> float:
        near = [self.limit] if self.limit is not None and self.limit <= _FAR * max(self.known) else []
        top = max([*self.known, *near]) or 1.0
        return round(2 + (CHART_HEIGHT - 4) * (1 - seconds / top), 1)


def _kind(letter: str) -> str:
    """How the letter of an outcome is drawn."""
    word = WORDS.get(letter, "")
    return word.replace(" ", "-") if word in TABLE and TABLE[word].verdict else "beside"


def trends_of_tests(past: Past) -> list[Trend]:
    """The tests, worst first."""
    rated = [(one, flaky_rate(one.letters, past.sessions)) for one in past.tests]
    found = [Trend(*one, rate, failing_since(one.letters, past.sessions)) for one, rate in rated]
    return sorted(found, key=lambda one: one.rank)


def trends_of_workflows(past: Past, limits: dict[str, float | None]) -> list[WorkflowTrend]:
    """The workflows by name.

    Args:
        past: the sessions.
        limits: seconds that the p95 of a workflow may be at most, by name.
    """
    return [
        WorkflowTrend(
            one.name,
            one.letters,
            flaky_rate(one.letters, past.sessions),
            failing_since(one.letters, past.sessions),
            tuple(one.p95),
            limits.get(one.name),
        )
        for one in past.workflows
    ]


def notes_of_tests(past: Past | None) -> dict[str, str]:
    """What the last sessions tell of each test that is not steady: since when it fails, and how often it is flaky."""
    trends: Sequence[Trend] = trends_of_tests(past) if past is not None else ()
    return {one.name: note for one in trends if (note := "; ".join(filter(None, (one.failing, one.flaky))))}
