"""The attempts of one run: its target, its state, and the gate that admits each attempt."""

from __future__ import annotations

from asyncio import sleep
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ..errors import Attempted, InfrastructureError, OutcomeUnknown
from ..originals import dates, time
from ..redaction import Secret
from ..runs import Api
from .reasons import Reached


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a run: API, host, workflow and credential.

    Attributes:
        host: the origin.
        workflow: the workflow's id.
        credential: what an error calls the credential.
        secret: the credential itself, hidden; it distinguishes two credentials of the same name.
    """

    api: Api
    host: str
    workflow: str
    credential: str
    secret: Secret | None = None


class AttemptGate(Protocol):
    """Decides when a run may make its attempts. The engine has one, since each run is one of many."""

    def begin(self, target: Target) -> None:
        """The first attempt is about to be made. Raises `NotRun` or `RateLimited` when it must not be."""
        ...

    def sent(self) -> None:
        """The attempt has begun to go out."""
        ...

    def failed(self, error: InfrastructureError) -> None:
        """The attempt ended without a run."""
        ...

    async def again(self, seconds: float) -> None:
        """Returns when the next attempt may be made, after that many seconds at least.

        Raises:
            NotRun: it must not be made.
            RateLimited: the pause that another run's answer imposes is longer than this run has time.
        """
        ...


class NoGate:
    """The gate of a run that is alone: always open."""

    def begin(self, target: Target) -> None:
        """Always allowed."""

    def sent(self) -> None:
        """Not counted."""

    def failed(self, error: InfrastructureError) -> None:
        """Not recorded."""

    async def again(self, seconds: float) -> None:
        """Waits for that many seconds."""
        await sleep(seconds)


@dataclass(slots=True)
class AttemptState:
    """The progress of a run: attempts, times, and whether to give up now leaves the outcome unknown."""

    gate: AttemptGate = field(default_factory=NoGate)
    attempts: int = 0
    held: float = 0.0
    """Seconds of the run's timeout that a pause for other runs has used up before it began."""
    ends_at: float | None = None
    """When the run's time is over, on the loop's clock; None before it has begun."""
    sent_at: float | None = None
    started_at: datetime | None = None
    received: int = 0
    """Bytes of the answer."""
    reached: Reached = Reached.NOTHING
    """How far the connection of the attempt came, where there is a proxy."""
    status: int | None = None
    """The status of the answer to the attempt; None before it has come."""
    answered: int | None = None
    """Status of the attempt's answer once it is whole; None before."""
    trace: str = ""
    """The header ``traceparent`` of the attempt that is under way, or that was the last; empty without one."""
    attempted: Attempted | None = None
    failure: InfrastructureError | None = None
    """The last attempt's error, or that of the last one after which the run may have happened."""

    @property
    def sent(self) -> bool:
        """Whether the attempt that is under way has begun to send."""
        return self.sent_at is not None

    def begin(self) -> None:
        """A new attempt."""
        self.attempts += 1
        self.sent_at = None
        self.reached = Reached.NOTHING
        self.status = None
        self.answered = None
        self.trace = ""

    def keep(self, failure: InfrastructureError) -> None:
        """Keeps the error of an attempt. A later error does not replace one after which the run may have happened."""
        self.sent_at = self.answered = None
        if isinstance(failure, OutcomeUnknown) or not isinstance(self.failure, OutcomeUnknown):
            self.failure = failure

    def begin_to_send(self) -> None:
        """The first byte of the attempt is about to go out: from now on it may have happened."""
        self.sent_at = time.perf_counter()
        self.started_at = dates.now()
        self.gate.sent()
