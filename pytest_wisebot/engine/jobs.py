"""What moves through the engine: a request that may be ahead of its test, on its way to an outcome."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..client import AttemptState, Target
from ..runs import RunRequest
from .admission import Ticket
from .values import Ended, Outcome

if TYPE_CHECKING:
    from ..storage.sources import Lookup


@dataclass(slots=True)
class Mark:
    """What remains of a run in the session's numbers once its result is gone.

    Attributes:
        sent: a request has begun to go out, and it is not known that no run came of it.
        ended: it ended by itself, and was not given up.
        awaited: a test waits for it, or has waited to its end.
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
        waiters: how many of them wait for it, or have waited to its end.
        future: what whoever waits for it waits on.
        flight: how far it has come.
        task: what runs it, once it has begun.
        target: whom it asks, once that is known.
        resting: it waits for its next attempt, and none is under way.
        reference: by which the session's event log names it.
        queued: when it was asked for, in seconds since the epoch; likewise ``started``, when it was let in, and
            ``ended``.
        recalled: what its source said before it was asked for.
        yields: its last attempt was told to come back later: until then its place is free for others.
    """

    request: RunRequest
    key: str = ""
    ticket: Ticket = field(default_factory=Ticket)
    claims: int = 1
    waiters: int = 0
    future: Future[Ended] = field(default_factory=Future)
    flight: AttemptState = field(default_factory=AttemptState)
    mark: Mark = field(default_factory=Mark)
    task: asyncio.Task[Outcome] | None = None
    target: Target | None = None
    resting: bool = False
    yields: bool = False
    reference: str = ""
    queued: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    recalled: Lookup | None = None
    begun_at: float | None = None
    sent_at: float | None = None
