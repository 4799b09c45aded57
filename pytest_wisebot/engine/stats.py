"""The numbers of a session: durations, attempts, outcomes, and the runs that no test waited for."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain

from ..errors import ConfigurationError, NotRun, NotStarted, RecordingNotFound, Rejected
from ..runs import Ended, WorkflowRun
from .jobs import Delivery, Job


@dataclass(slots=True)
class StatsSnapshot:
    """The numbers that a session ends with.

    Attributes:
        seconds: by workflow, the durations of its runs that ended with a verdict.
        durations: by the key of a declared test, its workflow and the duration of its run.
        wall: seconds in which at least one run was asked for and had not ended.
        without_verdict: runs that ended with an infrastructure error.
        retries: attempts beyond the first of each run.
        back_off: seconds that runs waited between their attempts, all added.
        not_run: runs that were stopped before they were sent, by the reason.
        kept: runs that were made earlier and kept, by their source.
        not_awaited: runs that were sent and that no test waited for to their end. They may have happened.
        not_needed: runs of trials that were sent ahead, and without which their tests ended.
        unfinished: how many of these had not ended.
        repeated: repetitions that ended, which are in none of the numbers above.
        drifted: the tests whose runs differ from their recordings, by the runs' references.
        contradictory: likewise the tests of answers that contradict their own ``ok: true``.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    durations: dict[str, tuple[str, float]] = field(default_factory=dict)
    wall: float = 0.0
    without_verdict: int = 0
    retries: int = 0
    back_off: float = 0.0
    not_run: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    not_awaited: int = 0
    not_needed: int = 0
    unfinished: int = 0
    repeated: int = 0
    drifted: dict[str, str] = field(default_factory=dict)
    contradictory: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """Runs that ended with a verdict."""
        return sum(map(len, self.seconds.values()))

    @property
    def run_time(self) -> float:
        """Seconds that all runs took, added."""
        return sum(chain.from_iterable(self.seconds.values()))


@dataclass(frozen=True, slots=True)
class Status:
    """The progress of a session's runs at one moment.

    Attributes:
        done: runs that have ended, in whatever way.
        running: runs of which an attempt is under way.
        waiting: runs that have not begun, and those between two attempts.
        cap: how many attempts may be under way at once, just now.
        resumes_in: seconds until back-off lets the next run begin; None when no run is held back.
        oldest: workflow of the run that has been under way longest.
        age: seconds since that run began.
        awaited: how many unfinished runs a test waits for.
        held: by workflow, the waiting runs that its own limit holds up.
        left: seconds until all runs have ended, by the durations of earlier ones; None where one of them is not known.
    """

    done: int = 0
    running: int = 0
    waiting: int = 0
    cap: int = 0
    resumes_in: float | None = None
    oldest: str | None = None
    age: float = 0.0
    awaited: int = 0
    held: dict[str, int] = field(default_factory=dict)
    left: float | None = None


class Stats:
    """Counts the ends of runs, and keeps no result."""

    def __init__(self) -> None:
        self.done = 0
        self.back_off = 0.0
        self._open = 0
        self._since = 0.0
        self._deliveries: list[Delivery] = []
        self._numbers = StatsSnapshot()
        self._took: dict[str, tuple[int, float]] = {}
        """By workflow, how many of its runs had a verdict, and the seconds that they took, added."""

    def expected(self, job: Job) -> float | None:
        """Seconds that a run will take: as the last time, or as the runs of its workflow so far; None if unknown."""
        if job.ticket.seconds is not None:
            return job.ticket.seconds
        runs, seconds = self._took.get(job.request.workflow, (0, 0.0))
        return seconds / runs if runs else None

    def begin(self, now: float, runs: int = 1) -> None:
        """So many runs are asked for."""
        if not self._open:
            self._since = now
        self._open += runs

    def leave(self, now: float) -> None:
        """One of them has ended, or is not asked for any more. Time in which no run is open does not count."""
        self._open -= 1
        if not self._open:
            self._numbers.wall += now - self._since

    def sent(self, job: Job) -> None:
        """A request has begun to go out."""
        if not job.delivery.sent:
            job.delivery.sent = True
            if not job.request.is_repetition:
                self._deliveries.append(job.delivery)

    def end(self, job: Job, ended: Ended, now: float, *, cancelled: bool) -> None:
        """A run ended."""
        self.leave(now)
        self.done += 1
        if job.request.is_repetition:
            self._numbers.repeated += isinstance(ended.outcome, WorkflowRun)
            return
        numbers, outcome = self._numbers, ended.outcome
        test = f"{job.request.workflow}: {job.request.occurrence}"
        numbers.retries += max(0, job.flight.attempts - 1)
        job.delivery.ended = not cancelled
        if ended.drift:
            numbers.drifted[ended.reference] = test
        if isinstance(outcome, WorkflowRun) and outcome.contradiction:
            numbers.contradictory[ended.reference] = test
        if isinstance(outcome, NotStarted | Rejected | NotRun):
            job.delivery.sent = False  # by the contract no run came of it
        if isinstance(outcome, WorkflowRun) and outcome.is_kept:
            numbers.kept[outcome.source] += 1
        elif isinstance(outcome, WorkflowRun):
            numbers.seconds.setdefault(outcome.workflow, []).append(outcome.elapsed)
            runs, seconds = self._took.get(outcome.workflow, (0, 0.0))
            self._took[outcome.workflow] = runs + 1, seconds + outcome.elapsed
            if job.key:
                numbers.durations[job.key] = (outcome.workflow, outcome.elapsed)
        elif isinstance(outcome, NotRun):
            numbers.not_run[outcome.reason] += 1
        elif not isinstance(outcome, ConfigurationError | RecordingNotFound) and not cancelled:
            numbers.without_verdict += 1

    def numbers(self, now: float) -> StatsSnapshot:
        """A copy of all numbers at this moment."""
        missed = [one for one in self._deliveries if one.sent and not (one.awaited and one.ended)]
        not_needed = [one for one in missed if one.not_needed]
        return replace(
            copy.deepcopy(self._numbers),
            wall=self._numbers.wall + (now - self._since if self._open else 0.0),
            back_off=self.back_off,
            not_awaited=len(missed) - len(not_needed),
            not_needed=len(not_needed),
            unfinished=sum(not one.ended for one in not_needed),
        )
