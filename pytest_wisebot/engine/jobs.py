"""What moves through the engine: a request that may be ahead of its test, on its way to an outcome."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field

from ..client import Flight, Target
from ..errors import WisebotError
from ..runs import RunRequest, WorkflowRun
from .window import Ticket

Outcome = WorkflowRun | WisebotError


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        outcome: the run, or why there is none.
        lag: seconds that the engine itself may have added to the run's ``elapsed``.
    """

    outcome: Outcome
    lag: float = 0.0


@dataclass(frozen=True, slots=True)
class Ahead:
    """A declared run that may start before its test asks for it.

    Attributes:
        key: by which the test will ask; one for each execution.
        request: what to run.
        seconds: how long it took in the last session; None when nobody knows.
    """

    key: str
    request: RunRequest
    seconds: float | None = None


@dataclass(slots=True)
class Mark:
    """What remains of a run in the session's numbers once its result is gone.

    Attributes:
        sent: a request has begun to go out.
        ended: it ended by itself, and was not given up.
        awaited: a test waited for it.
    """

    sent: bool = False
    ended: bool = False
    awaited: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way through the engine.

    Attributes:
        key: of the declared test that it was made for; empty for one that a test called for.
        claims: how many tests, and keys of tests that have not asked yet, it is for.
        future: what whoever waits for it waits on.
        flight: how far it has come.
        task: what runs it, once it has begun.
        target: whom it asks, once that is known.
        yields: its last attempt was told to come back later: until then its place is free for others.
    """

    request: RunRequest
    key: str = ""
    ticket: Ticket = field(default_factory=Ticket)
    claims: int = 1
    future: Future[Ended] = field(default_factory=Future)
    flight: Flight = field(default_factory=Flight)
    mark: Mark = field(default_factory=Mark)
    task: asyncio.Task[Outcome] | None = None
    target: Target | None = None
    yields: bool = False
    begun_at: float | None = None
    sent_at: float | None = None
