"""The client's own arithmetic: pauses, and what an answer asks for. How it treats a server is in ``tests/faults``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from pytest_wisebot import ConnectionFailed, NotStarted, RateLimited
from pytest_wisebot.client import AttemptState, Client, NoGate
from pytest_wisebot.client.response import retry_after
from pytest_wisebot.errors import Answer, Attempted, ConnectionLost, InfrastructureError
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.runs import RunRequest, WorkflowRun
from pytest_wisebot.settings import Settings, Workflow

ASKED = Attempted("echo", "webhook", "https://wisebot.example")


class Scripted(Client):
    """A client whose attempts end as a script says, and whose pauses are only noted."""

    def __init__(self, script: list[InfrastructureError], *, jitter: float = 1.0, **changes: Any) -> None:
        self.pauses: list[float] = []
        self.script = script
        workflows = {"echo": Workflow("echo", "echo", idempotent=changes.pop("idempotent", False))}
        settings = Settings(workflows=workflows, **changes).replace(origin="https://wisebot.example")
        settings = settings.replace(secret="FAKE-secret")
        super().__init__(settings, Redactor(), {}, jitter=lambda: jitter)

    async def _attempt(self, prepared: Any, flight: AttemptState) -> WorkflowRun:
        if self.script:
            raise self.script.pop(0)
        return WorkflowRun(ok=True, workflow="echo", api=prepared.request.api, attempts=flight.attempts)

    def outcome(self) -> WorkflowRun:
        return asyncio.run(self.run(RunRequest("echo"), AttemptState(Noted(self.pauses))))


class Noted(NoGate):
    """AttemptGate that come at once; the pauses before them are only noted."""

    def __init__(self, pauses: list[float]) -> None:
        self.pauses = pauses

    async def again(self, seconds: float) -> None:
        self.pauses.append(seconds)


def limited(seconds: float | None) -> RateLimited:
    return RateLimited("too many requests", ASKED, Answer(429, retry_after=seconds))


@pytest.mark.parametrize(
    ("jitter", "pauses"), [(1.0, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]), (0.0, [0.25, 0.5, 1.0, 2.0, 4.0, 4.0])]
)
def test_pauses_double_up_to_a_limit_and_differ_by_jitter(jitter: float, pauses: list[float]) -> None:
    """Each pause is up to twice the last, at most 8 s, and shortened by chance to no less than half."""
    client = Scripted([ConnectionFailed("refused", ASKED) for _ in range(6)], jitter=jitter, retries=6)
    assert client.outcome().attempts == 7
    assert client.pauses == pauses


@pytest.mark.parametrize(("asked", "pause"), [(0.0, 0.0), (3.0, 3.0), (60.0, 60.0), (3600.0, 60.0)])
def test_a_retry_after_is_waited_for_but_never_longer_than_a_minute(asked: float, pause: float) -> None:
    """What the server asks for replaces the pause of our own."""
    client = Scripted([limited(asked)])
    assert client.outcome().ok
    assert client.pauses == [pause]


def test_a_pause_that_would_pass_the_deadline_is_not_begun() -> None:
    """Where waiting cannot help any more, the error is raised at once."""
    client = Scripted([limited(30.0)], timeout=10.0)
    with pytest.raises(RateLimited):
        client.outcome()
    assert client.pauses == []


@pytest.mark.parametrize("idempotent", [False, True])
def test_an_unknown_outcome_outlives_a_later_error(idempotent: bool) -> None:
    """Once a run may have happened, no later error says that it did not start."""
    client = Scripted(
        [ConnectionLost("lost", ASKED), ConnectionFailed("refused", ASKED), ConnectionFailed("refused", ASKED)],
        idempotent=idempotent,
    )
    with pytest.raises(ConnectionLost):
        client.outcome()
    assert len(client.pauses) == (2 if idempotent else 0)


def test_no_retries_means_one_attempt() -> None:
    """``retries = 0`` raises the first error."""
    client = Scripted([ConnectionFailed("refused", ASKED)], retries=0)
    with pytest.raises(NotStarted):
        client.outcome()
    assert client.pauses == []


def test_seconds_and_dates_are_both_understood() -> None:
    """``Retry-After`` comes in seconds or as an HTTP date; what cannot be read asks for nothing."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    found = [retry_after(httpx.Headers({"retry-after": text})) for text in ("7", " 2.5 ", past, "soon", "-3", "")]
    assert found == [7.0, 2.5, 0.0, None, None, None]
    assert retry_after(httpx.Headers({"Retry-After": "9" * 400})) == 365 * 86400  # a finite number of seconds
    until = retry_after(httpx.Headers({"Retry-After": soon}))
    assert until is not None
    assert 28 < until <= 30
    assert retry_after(httpx.Headers({})) is None
