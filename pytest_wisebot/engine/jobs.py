"""A request on its way through the engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ..client import AttemptState, Target
from ..originals import time
from ..runs import Ended, Outcome, RunRequest
from ..storage.sources import NOT_FOUND, Lookup
from .admission import Ticket
from .pending import Promise


@dataclass(slots=True)
class Delivery:
    """The part of a run in the session's numbers, which stays when its result is gone.

    Attributes:
        sent: a request has begun to go out, and a run may have come of it.
        ended: the run ended by itself, and was not cancelled.
        awaited: a test waits for it, or has waited to its end.
    """

    sent: bool = False
    ended: bool = False
    awaited: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way through the engine.

    Attributes:
        key: the key of its declared test; empty for a run that a test called for.
        subscribers: how many tests, and keys of tests that have not asked yet, it is for.
        waiters: how many of them wait for it, or have waited to its end.
        future: its end, for the tests that wait.
        flight: the state of its attempts.
        task: the running task, once it has begun.
        target: the host, API and credential, once they are known.
        backing_off: it waits for its next attempt, and none is under way.
        slot_released: its last attempt was told to come back later: until then its slot is free for others.
        reference: its name in the session's event log.
        queued: when it was asked for, in seconds since the epoch; likewise ``started``, when it was admitted.
        found: the answer of the source before it was started.
        held_back: why it is not sent at all, where a pause is longer than its timeout.
        begun_at: when it was admitted, on the loop's clock; likewise ``sent_at``, when its attempt began to go out.
    """

    request: RunRequest
    key: str = ""
    ticket: Ticket = field(default_factory=Ticket)
    subscribers: int = 1
    waiters: int = 0
    future: Promise[Ended] = field(default_factory=Promise)
    flight: AttemptState = field(default_factory=AttemptState)
    delivery: Delivery = field(default_factory=Delivery)
    task: asyncio.Task[Outcome] | None = None
    target: Target | None = None
    backing_off: bool = False
    slot_released: bool = False
    reference: str = ""
    queued: float = field(default_factory=time.time)
    started: float | None = None
    found: Lookup = NOT_FOUND
    held_back: str = ""
    begun_at: float | None = None
    sent_at: float | None = None
