"""Everything this package raises, as one tree whose branches say who must act.

::

    WisebotError
    ├─ ConfigurationError       the user: an option, wisebot.toml, a marker, a credential
    ├─ InfrastructureError      no verdict on the workflow is possible
    │  ├─ NotStarted            by the contract no run: retried, then raised
    │  │  ├─ ConnectionFailed      no connection: name, route, TLS, or no listener
    │  │  └─ RateLimited           429 without a runId, or held back by one for longer than the timeout
    │  ├─ Rejected              refused, never retried; itself: 401 or 403 of what stands before Wisebot
    │  │  ├─ AuthenticationFailed  401 or 403 of Wisebot: JSON, plain text, or empty
    │  │  ├─ WorkflowNotFound      404
    │  │  ├─ Redirected            3xx: followed, it would carry the credential to another host
    │  │  └─ RequestRejected       any other 4xx
    │  ├─ OutcomeUnknown        may have run: retried only if the workflow is idempotent
    │  │  ├─ RunTimedOut           the deadline passed after the request had been sent
    │  │  ├─ ConnectionLost        the connection ended before the answer was whole
    │  │  ├─ GatewayFailed         408, 460, 499, and any other 5xx without an envelope
    │  │  ├─ ServiceUnavailable    503, with Retry-After or without
    │  │  └─ RunNotFinished        202, or an envelope whose status says queued or running, and no result
    │  └─ UnexpectedResponse    a 2xx answer that is not an envelope: not JSON, too large, too deep; or not read in time
    ├─ NotRun                   stopped before it was sent
    │  ├─ BudgetExhausted          the session may not start as many runs
    │  ├─ Cancelled                the session, or the test, gave it up
    │  └─ CircuitOpen              refused so often that the rest was not tried
    └─ RecordingNotFound        no recorded run answers this request

A workflow that ran and failed is not an error: it is a `WorkflowRun` with ``ok`` false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

DIFFERENCE: Final = "wisebot_difference"
"""The attribute of an `AssertionError` that has what differs, for a line that shows nothing else."""


class WisebotError(Exception):
    """The base of every error that this package raises."""

    def to_dict(self) -> dict[str, Any]:
        """This error as plain JSON values, of which `from_dict` makes one of the same class and words."""
        return {"class": type(self).__name__, "message": str(self)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> WisebotError:
        """The error that `to_dict` wrote down; of a class that is not known here it keeps the words."""
        kind = next((one for one in _tree(WisebotError) if one.__name__ == data["class"]), WisebotError)
        if issubclass(kind, InfrastructureError) and "reason" in data:
            attempted = data["attempted"]
            answer = Answer(**data["answer"]) if data["answer"] else None
            asked = Attempted(**{**attempted, "commands": tuple(attempted["commands"])}) if attempted else NO_REQUEST
            return kind(data["reason"], asked, answer)
        if issubclass(kind, RecordingNotFound):
            return kind(data["message"], data.get("why", ""))
        return kind(data["message"])


def _tree(root: type[WisebotError]) -> Iterator[type[WisebotError]]:
    yield root
    for branch in root.__subclasses__():
        yield from _tree(branch)


class ConfigurationError(WisebotError):
    """Something the user wrote or left out: an option, ``wisebot.toml``, a marker, a credential, an input.

    Nothing was sent.

    Who must act: you. Sent again: never.
    """


@dataclass(frozen=True, slots=True)
class Attempted:
    """The request that an error is about. It holds no credential.

    Attributes:
        host: the origin that was asked.
        attempts: how many attempts were made.
        environment: the environment of ``wisebot.toml`` that was in force, if any.
        commands: what repeats the request by hand, with the credential named by its reference.
        trace: the header ``traceparent`` of the attempt that the error is about; empty where none went out.
    """

    workflow: str
    api: str
    host: str
    attempts: int = 0
    environment: str | None = None
    commands: tuple[str, ...] = ()
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, as far as an error shows it."""

    status_code: int
    content_type: str = ""
    excerpt: str = ""
    """The first 300 characters of the body, cleaned of credentials and control characters."""
    retry_after: float | None = None
    """Seconds that the server asked us to wait, when it did."""
    unread: str = ""
    """Why the body, or the rest of it, could not be read, in words that go on after "the body …"."""
    run_id: str | None = None
    """The ``runId`` of a run that was accepted and whose end is unknown, cleaned and cut; else None."""

    def __str__(self) -> str:
        kind = f" ({self.content_type})" if self.content_type else ""
        wait = f", asks to wait {self.retry_after:g} s" if self.retry_after is not None else ""
        unread = f", its body {self.unread}" if self.unread else ""
        text = f": {self.excerpt}" if self.excerpt else "" if self.unread else ", empty"
        return f"status {self.status_code}{kind}{wait}{unread}{text}"


NO_REQUEST = Attempted(workflow="", api="", host="")
"""For an error that code makes by hand, such as a test of the user's own code."""


class InfrastructureError(WisebotError):
    """No verdict on the workflow is possible.

    Attributes:
        reason: what happened, in a few words.
        attempted: the request, and how often it was sent.
        answer: what came back, or None when nothing did.
    """

    outcome = "No verdict on the workflow is possible."

    def __init__(self, reason: str, attempted: Attempted = NO_REQUEST, answer: Answer | None = None) -> None:
        super().__init__(reason, attempted, answer)
        self.reason = reason
        self.attempted = attempted
        self.answer = answer

    @property
    def workflow(self) -> str:
        """The workflow, as the test named it."""
        return self.attempted.workflow

    @property
    def api(self) -> str:
        """The API that was asked: ``webhook`` or ``dashboard``."""
        return self.attempted.api

    @property
    def host(self) -> str:
        """The origin that was asked."""
        return self.attempted.host

    @property
    def attempts(self) -> int:
        """How many attempts were made."""
        return self.attempted.attempts

    @property
    def trace(self) -> str:
        """The header ``traceparent`` of the attempt, by which a server's logs name it; empty where none went out."""
        return self.attempted.trace

    @property
    def status_code(self) -> int | None:
        """The answer's HTTP status; None when nothing was answered."""
        return self.answer.status_code if self.answer else None

    @property
    def content_type(self) -> str | None:
        """The answer's content type; None when nothing was answered."""
        return self.answer.content_type if self.answer else None

    @property
    def excerpt(self) -> str | None:
        """The first 300 cleaned characters of the answer's body; None when nothing was answered."""
        return self.answer.excerpt if self.answer else None

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait; None when it did not."""
        return self.answer.retry_after if self.answer else None

    def to_dict(self) -> dict[str, Any]:
        """This error as plain JSON values, of which `from_dict` makes an equal one."""
        attempted = asdict(self.attempted) if self.attempted is not NO_REQUEST else None
        answer = asdict(self.answer) if self.answer else None
        return {"class": type(self).__name__, "reason": self.reason, "attempted": attempted, "answer": answer}

    def __str__(self) -> str:
        asked = self.attempted
        if asked is NO_REQUEST:
            return self.reason
        lines = [f'{self.reason} (workflow "{asked.workflow}" over the {asked.api} API at {asked.host})']
        if self.answer is not None:
            lines.append(f"  answer: {self.answer}")
        lines.append(f"  {self.outcome}{_attempts_in_words(asked.attempts)}")
        if asked.trace:
            lines.append(f"  traceparent: {asked.trace}")
        return "\n".join(lines)


class NotStarted(InfrastructureError):
    """By the contract no run was made. It was tried again as often as ``--wisebot-retries`` allows.

    Each run has a ``runId``. An answer "too many requests" without one stands for no run.

    Who must act: the maintainer of the network, or of Wisebot's limits. Sent again: as often as ``--wisebot-retries``
    allows.
    """

    outcome = "The run did not start."


class ConnectionFailed(NotStarted):
    """No connection was made: unknown host, no listener, a proxy that refuses, TLS refused, or no answer in time.

    A server that wants a client certificate refuses under TLS 1.3 after the request has been written, and before it
    reads any of it.
    """


class RateLimited(NotStarted):
    """429 without a ``runId``; or the pause that another run's ``Retry-After`` imposes is longer than the timeout.

    In the second case nothing was sent.
    """


class Rejected(InfrastructureError):
    """The request was refused, and was not tried again.

    Itself, and none of its branches: 401 or 403 as an HTML page, or with ``Retry-After``. So do firewalls answer that
    stand before Wisebot. It is not a verdict on the credential.

    Who must act: you, or the maintainer of the firewall. Sent again: never.
    """

    outcome = "The run was refused."


class AuthenticationFailed(Rejected):
    """401 or 403 of Wisebot: the credential is wrong, has expired, or may not start this workflow from here."""


class WorkflowNotFound(Rejected):
    """404: no workflow with this id at this host, or not Wisebot's host at all."""


class Redirected(Rejected):
    """A redirect. It is never followed: a redirect would carry the credential to another host."""


class RequestRejected(Rejected):
    """Any other 4xx answer."""


class OutcomeUnknown(InfrastructureError):
    """The workflow may have run, with its cost and its side effects.

    It is not repeated, unless ``wisebot.toml`` calls the workflow ``idempotent``.

    Who must act: the maintainer of Wisebot or its gateways. Sent again: only with ``idempotent = true``.
    """

    outcome = "The workflow may have run; it was not started again."


class RunTimedOut(OutcomeUnknown):
    """The deadline of the run passed after the request had been sent."""


class ConnectionLost(OutcomeUnknown):
    """The connection ended after the request had been sent and before the answer was whole."""


class GatewayFailed(OutcomeUnknown):
    """A 5xx answer without an envelope, or 408, 460 or 499: a gateway stopped waiting, and not the workflow."""


class ServiceUnavailable(OutcomeUnknown):
    """503, with ``Retry-After`` or without.

    Gateways answer so after a time-out of their own, when the run has happened.
    """


class RunNotFinished(OutcomeUnknown):
    """The run was accepted, and its end is unknown: Wisebot has no documented way to ask for it later.

    An answer with status 202, or an envelope whose ``status`` says queued or running, without result and error.
    """


class UnexpectedResponse(InfrastructureError):
    """A 2xx answer that is not an envelope: not JSON, too large, too deep, or another shape.

    Or any answer that could not be read and cleaned of credentials within the run's deadline.

    Who must act: the maintainer of the host that answered. Sent again: never.
    """

    outcome = "The workflow may have run, but its answer cannot be read."


class NotRun(WisebotError):
    """The run was stopped before it was sent.

    Who must act: you, by the reason that the message names. Sent again: never.
    """

    @property
    def reason(self) -> str:
        """Why, in words that all runs have in common that were stopped for it."""
        return str(self)


class BudgetExhausted(NotRun):
    """The session has started as many runs as ``--wisebot-max-runs`` allows."""


class CircuitOpen(NotRun):
    """So many runs in a row were refused, all for one reason, that the rest was not tried.

    Those that were under way by then, and were refused like the others, belong to the rest.
    """


class Cancelled(NotRun):
    """The run was given up: by `PendingRun.cancel`, or because the session ended."""

    @property
    def reason(self) -> str:
        """Why, in words that all runs have in common that were stopped for it."""
        return "given up before being sent"


class RecordingNotFound(WisebotError):
    """No recorded run answers this request, or the one that does is older than ``max-age-days`` allows.

    Who must act: you, by ``--wisebot-runs=record``. Sent again: never.

    Attributes:
        reason: why, in words that all requests have in common which lack a recording for it.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message

    def to_dict(self) -> dict[str, Any]:
        """This error as plain JSON values."""
        return {**super().to_dict(), "why": self.reason}


def _attempts_in_words(attempts: int) -> str:
    return "" if attempts <= 1 else f" Attempts: {attempts}."
