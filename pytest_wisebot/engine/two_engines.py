"""The engines of two environments as one: each has its own cap, budget, pauses, circuit breaker and numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..runs import AGAINST, RunRequest
from .engine import Engine
from .pending import PendingRun
from .stats import StatsSnapshot, Status
from .values import Ahead


class TwoEngines:
    """Hands each request to the engine of its environment.

    Args:
        first: runs what tests judge, and its repetitions.
        second: runs the same over the second environment.
    """

    def __init__(self, first: Engine, second: Engine) -> None:
        self._first = first
        self.second = second

    def ahead(self, runs: Iterable[Ahead], *, confirmations: int | None = None) -> None:
        """Starts declared runs before their tests ask. See `Engine.ahead`."""
        runs = list(runs)
        for engine in (self._first, self.second):
            engine.ahead([one for one in runs if self._of(one.request) is engine], confirmations=confirmations)

    def submit(self, request: RunRequest, key: str = "") -> PendingRun:
        """Starts a run, or takes the one started ahead for this key. See `Engine.submit`."""
        return self._of(request).submit(request, key)

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs, those of each environment handed over at once; the results are in the same order."""
        requests = list(requests)
        started = {
            id(request): pending
            for engine in (self._first, self.second)
            for own in [[one for one in requests if self._of(one) is engine]]
            for request, pending in zip(own, engine.submit_all(own), strict=True)
        }
        return [started[id(request)] for request in requests]

    def forget(self, key: str) -> None:
        """The test of this key is over and has not asked."""
        self._first.forget(key)
        self.second.forget(key)

    def take_back_refusals(self, references: Collection[str]) -> None:
        """The refusals of these runs were what their test expected: they open no circuit."""
        self._first.take_back_refusals(references)
        self.second.take_back_refusals(references)

    def numbers(self) -> StatsSnapshot:
        """The numbers of the first environment: those of the second one are never among them."""
        return self._first.numbers()

    def status(self) -> Status:
        """The progress of the runs over both."""
        one, other = self._first.status(), self.second.status()
        oldest = max(one, other, key=lambda status: status.age)
        resumes = [status.resumes_in for status in (one, other) if status.resumes_in is not None]
        lefts = [status.left for status in (one, other) if status.running or status.waiting]
        known = [left for left in lefts if left is not None]
        return Status(
            done=one.done + other.done,
            running=one.running + other.running,
            waiting=one.waiting + other.waiting,
            cap=one.cap + other.cap,
            resumes_in=min(resumes, default=None),
            oldest=oldest.oldest,
            age=oldest.age,
            awaited=one.awaited + other.awaited,
            held=other.held | one.held,
            left=max(known) if known and len(known) == len(lefts) else None,
        )

    def cancel_all(self) -> None:
        """Cancels every run over both. New runs may still be started."""
        self._first.cancel_all()
        self.second.cancel_all()

    def close(self) -> None:
        """Cancels every run, and ends both engines, also where one of them fails to."""
        try:
            self._first.close()
        finally:
            self.second.close()

    def _of(self, request: RunRequest) -> Engine:
        return self.second if request.side == AGAINST else self._first
