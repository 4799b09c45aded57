"""One run's way through its attempts: whom it asks, how far it is, and who says when it may go on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from ..errors import Attempted, InfrastructureError, OutcomeUnknown
from ..redaction import Secret
from ..runs import Api


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a run asks, and as whom.

    Attributes:
        host: the origin.
        workflow: the workflow's id.
        credential: what an error calls the credential.
        secret: the credential itself, closed: by it two are told apart that are called the same.
    """

    api: Api
    host: str
    workflow: str
    credential: str
    secret: Secret | None = None


class AttemptGate(Protocol):
    """Who says when a run may make its attempts: the engine, for which each is one of many."""

    def begin(self, target: Target) -> None:
        """The first attempt is about to be made. Raises `NotRun` when it must not be."""
        ...

    def sent(self) -> None:
        """The attempt has begun to go out."""
        ...

    def failed(self, error: InfrastructureError) -> None:
        """The attempt ended without a run."""
        ...

    async def again(self, seconds: float) -> None:
        """Returns when the next attempt may be made, after so many seconds at least. Raises `NotRun`."""
        ...


class NoGate:
    """The turns of a run that is alone: all of them at once."""

    def begin(self, target: Target) -> None:
        """It may."""

    def sent(self) -> None:
        """Nobody counts."""

    def failed(self, error: InfrastructureError) -> None:
        """Nobody minds."""

    async def again(self, seconds: float) -> None:
        """Waits as long as the client asks."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class AttemptState:
    """How far a run has come: what its result says of itself, and whether giving up now leaves the outcome unknown."""

    turns: AttemptGate = field(default_factory=NoGate)
    attempts: int = 0
    sent_at: float | None = None
    started_at: datetime | None = None
    received: int = 0
    """Bytes of the answer."""
    trace: str = ""
    """The header ``traceparent`` of the attempt that is under way, or that was the last; empty without one."""
    asked: Attempted | None = None
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
        self.trace = ""

    def keep(self, failure: InfrastructureError) -> None:
        """Remembers why an attempt failed; that a run may have happened is not forgotten over a later error."""
        self.sent_at = None
        if isinstance(failure, OutcomeUnknown) or not isinstance(self.failure, OutcomeUnknown):
            self.failure = failure

    def begin_to_send(self) -> None:
        """The first byte of the attempt is about to go out: from now on it may have happened."""
        self.sent_at = time.perf_counter()
        self.started_at = datetime.now(UTC)
        self.turns.sent()
