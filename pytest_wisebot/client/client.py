"""Runs one workflow over HTTP. The result is a `WorkflowRun`, or an error whose class names who must act.

Each step has one task: `Client.run` holds the deadline, then the retries, then one attempt, which is one exchange of
bytes (`exchange`) and the reading of its answer (`response`). The client never repeats a run that may have happened,
unless the settings declare the workflow idempotent. The deadline is the client's own: the limits of httpx are per read,
and a slow drip passes them.
"""

from __future__ import annotations

import asyncio
import random
from asyncio import timeout, wait
from collections.abc import Callable, Mapping
from typing import Final, Self

import httpx

from ..apis import Prepared, prepare, status_check
from ..envelope import Envelope
from ..errors import (
    Answer,
    Attempted,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    InfrastructureError,
    NotRun,
    NotStarted,
    OutcomeUnknown,
    RateLimited,
    RunTimedOut,
    UnexpectedResponse,
)
from ..originals import dates, time
from ..redaction import Redactor
from ..runs import Api, RunRequest, WorkflowRun
from ..settings import Settings
from ..text import brief, count
from .exchange import AttemptState, Exchanger, MockedError, Received, Target, Trace, is_of_the_network
from .reasons import certificate_help
from .response import AnswerReader, clock_ahead

LONGEST_PAUSE: Final = 60.0
"""Seconds that a ``Retry-After`` makes one wait at most."""

STATUS_LIMIT: Final = 10.0
"""Seconds that checking a dashboard token may take; after them the run itself finds out."""


class Client:
    """Runs workflows of Wisebot, within one event loop.

    Args:
        settings: the hosts, credentials and limits.
        redactor: cleans what errors quote of answers.
        variables: the environment variables of the session's beginning, for proxies and certificates.
        jitter: a number from 0 to 1, by which pauses differ; for tests.
    """

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor,
        variables: Mapping[str, str],
        *,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._settings = settings
        self._redactor = redactor
        self._jitter = jitter or random.Random().random  # and not the shared one, whose numbers a test may count on
        self._exchanger = Exchanger(settings, variables, redactor)
        self._reader = AnswerReader(redactor, settings.max_response_mib * 2**20, certificate_help(settings))
        self._trace = Trace(sends=settings.trace)
        self._check = AttemptState()
        self._token_check: asyncio.Task[Received | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._token_check is not None:
            self._token_check.cancel()
            await wait([self._token_check])  # not for its result, whose error each run has raised
            if not self._token_check.cancelled():
                self._token_check.exception()  # seen, so that asyncio does not complain

    async def run(self, request: RunRequest, state: AttemptState) -> WorkflowRun:
        """Runs a workflow and waits for its end; ``state`` shows how far it is.

        Raises:
            ConfigurationError: nothing can be sent.
            InfrastructureError: no verdict is possible, and why.
            NotRun, RateLimited: ``state.gate`` did not let it be sent.
        """
        prepared = prepare(request, self._settings, self._redactor.clean_inputs)
        if request.guard:
            raise ConfigurationError(request.guard)
        state.attempted = self._attempted(prepared, state)
        state.gate.begin(_target(prepared))
        seconds = self._seconds(prepared)
        try:
            async with timeout(seconds - state.held) as deadline:
                state.ends_at = deadline.when()
                await self._check_token(prepared)
                return await self._attempts(prepared, state, deadline)
        except TimeoutError:
            raise self._overdue(prepared, state, seconds) from None

    def _seconds(self, prepared: Prepared) -> float:
        """The deadline of a whole run: that of its call or marker, else the settings'."""
        own = prepared.request.timeout
        return own if own is not None else self._settings.timeout_of(prepared.workflow)

    def _overdue(self, prepared: Prepared, state: AttemptState, seconds: float) -> InfrastructureError:
        if isinstance(state.failure, OutcomeUnknown):
            return state.failure
        asked = self._attempted(prepared, state)
        limit = f"{seconds:g} s"
        if state.held >= 0.1:
            limit = f"{limit}, of which Wisebot's Retry-After held it back for {state.held:.1f} s"
        if state.answered is not None:
            what = f"the answer of {count(state.received, 'byte')} was not read and cleaned of credentials"
            answer = Answer(state.answered, unread="was not read in time")
            return UnexpectedResponse(f"{what} within {limit}", asked, answer)
        if state.sent:
            return RunTimedOut(f"no whole answer within {limit}", asked)
        late = self._exchanger.no_connection_within(f"the run's {limit}", prepared.outgoing.host, state)
        return state.failure or ConnectionFailed(late, asked)

    async def _attempts(self, prepared: Prepared, state: AttemptState, deadline: asyncio.Timeout) -> WorkflowRun:
        while True:
            state.begin()
            try:
                return await self._attempt(prepared, state)
            except InfrastructureError as error:
                state.keep(error)
                state.gate.failed(error)
                pause = self._pause(error, prepared, state, deadline)
            assert state.failure is not None
            if pause is None:
                raise state.failure
            await self._wait_for_gate(pause, state, state.failure)

    async def _wait_for_gate(self, pause: float, state: AttemptState, failure: InfrastructureError) -> None:
        try:
            await state.gate.again(pause)
        except RateLimited:
            raise failure from None
        except NotRun as stopped:
            # A run that did not start, and may not be retried, was not run. One that may have happened stays so.
            if isinstance(failure, NotStarted):
                raise stopped from None
            raise failure from None

    def _pause(
        self, error: InfrastructureError, prepared: Prepared, state: AttemptState, deadline: asyncio.Timeout
    ) -> float | None:
        """Seconds until the next attempt; None when there must not be one."""
        may_repeat = isinstance(error, NotStarted) or (
            isinstance(error, OutcomeUnknown) and prepared.workflow.idempotent
        )
        if not may_repeat or state.attempts > self._settings.retries:
            return None
        pause = self._back_off(error, state.attempts)
        ends_at = deadline.when()
        in_time = ends_at is None or asyncio.get_running_loop().time() + pause < ends_at
        return pause if in_time else None

    def _back_off(self, error: InfrastructureError, attempts: int) -> float:
        asked = error.answer.retry_after if error.answer else None
        if asked is not None:
            return min(asked, LONGEST_PAUSE)
        return float(min(0.5 * 2 ** (attempts - 1), 8.0) * (0.5 + self._jitter() / 2))

    async def _attempt(self, prepared: Prepared, state: AttemptState) -> WorkflowRun:
        state.trace = self._trace.span()
        try:
            received = await self._exchanger.exchange(prepared.outgoing, state)
        except (httpx.InvalidURL, UnicodeError) as error:  # an id that is too long, a host that no DNS name can be
            raise ConfigurationError(
                f"workflow {brief(prepared.request.workflow)}: no request can be made for {prepared.outgoing.host} "
                f"({type(error).__name__})"
            ) from None
        except MockedError:
            raise ConfigurationError(
                f"workflow {brief(prepared.request.workflow)}: no request was sent to {prepared.outgoing.host}, and "
                "yet an answer came: something in this process, such as a mock of httpx or httpcore, answers in the "
                "network's place; where it is another test's, --wisebot-no-ahead keeps this run out of it"
            ) from None
        except Exception as error:
            if not is_of_the_network(error):
                raise
            raise self._broken(error, prepared, state) from None
        assert state.sent_at is not None
        elapsed = time.perf_counter() - state.sent_at
        response = await self._reader.read(received, prepared.credential, self._attempted(prepared, state))
        if isinstance(response, InfrastructureError):
            raise response
        return self._run(response, received, prepared, state, elapsed)

    def _broken(self, error: Exception, prepared: Prepared, state: AttemptState) -> InfrastructureError:
        """The error of an exchange that broke off. It depends on whether the request had begun to go out."""
        asked = self._attempted(prepared, state)
        if reason := self._exchanger.why_not_run(error, prepared.outgoing.host, state):
            return ConnectionFailed(reason, asked)
        lost = self._exchanger.why_lost(error, state)
        return ConnectionLost(f"the connection ended before the answer was whole: {lost}", asked)

    def _run(
        self, envelope: Envelope, received: Received, prepared: Prepared, state: AttemptState, elapsed: float
    ) -> WorkflowRun:
        settings = self._settings
        return WorkflowRun(
            ok=envelope.ok,
            run_id=envelope.run_id,
            result=envelope.result,
            has_result=envelope.has_result,
            error=envelope.error,
            extra=envelope.extra,
            workflow=prepared.request.workflow,
            workflow_id=prepared.workflow.id,
            api=prepared.request.api,
            inputs=prepared.request.inputs,
            status_code=received.status_code,
            started_at=state.started_at or dates.now(),
            elapsed=elapsed,
            clock_ahead=clock_ahead(received),
            attempts=state.attempts,
            source="emulator" if settings.emulated_fallback is not None else "live",
            trial=prepared.request.trial,
            environment=settings.environment_of(prepared.request.api),
            commands=prepared.commands,
        )

    def _attempted(self, prepared: Prepared, state: AttemptState) -> Attempted:
        request = prepared.request
        return Attempted(
            workflow=request.workflow,
            api=str(request.api),
            host=prepared.outgoing.host,
            attempts=state.attempts,
            environment=self._settings.environment_of(request.api),
            commands=prepared.commands,
            trace=state.trace if state.sent else "",
        )

    # --- the dashboard token, checked once before the first run

    async def _check_token(self, prepared: Prepared) -> None:
        if prepared.request.api is not Api.DASHBOARD:
            return
        if self._token_check is None:
            self._token_check = asyncio.create_task(self._refused_token())
        # All runs share the check, so that no run cancels it. The wait has a limit: a server that leaves the check
        # hanging must not use up the time of a run.
        seconds = self._seconds(prepared)
        done, _ = await wait([self._token_check], timeout=min(STATUS_LIMIT, seconds / 2))
        received = self._token_check.result() if done else None
        if received is not None:
            raise await self._reader.refused_token(
                received, prepared.credential, self._attempted(prepared, self._check)
            )

    async def _refused_token(self) -> Received | None:
        """The answer that refuses the token; None when the token is valid or the check is inconclusive."""
        outgoing = status_check(self._settings)
        if outgoing is None:
            return None
        self._check.trace = self._trace.span()
        try:
            async with timeout(STATUS_LIMIT):
                received = await self._exchanger.exchange(outgoing, self._check)
        except MockedError:
            return None
        except Exception as error:
            if not is_of_the_network(error):
                raise
            return None
        return received if received.status_code in (401, 403) else None


def _target(prepared: Prepared) -> Target:
    outgoing = prepared.outgoing
    return Target(prepared.request.api, outgoing.host, prepared.workflow.id, prepared.credential, outgoing.secret)
