"""What travels between an engine and its workers arrives as it was, in lines of plain ASCII."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot import Api, ConfigurationError, ConnectionFailed, InfrastructureError, WisebotError, WorkflowRun
from pytest_wisebot.errors import NO_REQUEST, Answer, Attempted
from pytest_wisebot.redaction import Redact, Secret
from pytest_wisebot.runs import MAX_DEPTH, Ended, Occurrence, RunRequest
from pytest_wisebot.settings import Credential, Settings, Snapshots, Workflow
from pytest_wisebot.workers import protocol
from pytest_wisebot.workers.server import encoded

LONE = ["\ud800", "\udfff"]

TEXTS = st.text(max_size=20) | st.builds(
    "{}{}{}".format, st.text(max_size=5), st.sampled_from(LONE), st.text(max_size=5)
)
MANY = st.lists(TEXTS, max_size=2).map(tuple)
NUMBERS = st.integers() | st.sampled_from([-(2**31) - 1, -(2**63) - 1, -(10**400), 2**64, 10**400])
NUMBERS_WITH_FRACTIONS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | NUMBERS_WITH_FRACTIONS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)
BAGS = st.dictionaries(TEXTS, VALUES, max_size=4)
SECRETS = st.builds(Secret, st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30))
SECONDS = st.floats(0.0, 1e6)

REQUESTS = st.builds(
    RunRequest,
    workflow=TEXTS,
    inputs=BAGS,
    api=st.sampled_from(Api),
    timeout=st.none() | SECONDS,
    secret=st.none() | SECRETS,
    secret_reference=st.none() | TEXTS,
    test=TEXTS,
    share=st.booleans(),
    occurrence=st.builds(Occurrence, TEXTS, TEXTS, st.integers(0, 9), st.integers(0, 9)),
)

RUNS = st.builds(
    WorkflowRun,
    ok=st.booleans(),
    workflow=TEXTS,
    api=st.sampled_from(Api),
    run_id=st.none() | TEXTS,
    result=VALUES,
    has_result=st.booleans(),
    error=VALUES,
    extra=BAGS,
    workflow_id=TEXTS,
    inputs=BAGS,
    status_code=st.integers(100, 599),
    started_at=st.datetimes(timezones=st.just(UTC)),
    elapsed=SECONDS,
    attempts=st.integers(1, 9),
    source=st.sampled_from(["live", "emulator"]),
    trial=st.integers(1, 10),
    environment=st.none() | TEXTS,
    commands=st.lists(TEXTS, max_size=2).map(tuple),
)

ATTEMPTED = st.builds(
    Attempted,
    workflow=TEXTS,
    api=st.sampled_from(["webhook", "dashboard"]),
    host=TEXTS,
    attempts=st.integers(0, 9),
    environment=st.none() | TEXTS,
    commands=st.lists(TEXTS, max_size=2).map(tuple),
)
ANSWERS = st.builds(
    Answer,
    status_code=st.integers(100, 599),
    content_type=TEXTS,
    excerpt=TEXTS,
    retry_after=st.none() | SECONDS,
)

CREDENTIALS = st.none() | st.builds(
    Credential, given_by=TEXTS, reference=st.none() | TEXTS, secret=st.none() | SECRETS, problem=st.none() | TEXTS
)
SETTINGS = st.builds(
    Settings,
    environment=st.none() | TEXTS,
    environments=st.lists(TEXTS, max_size=3).map(tuple),
    file=st.none() | st.sampled_from([Path("/somewhere/wisebot.toml"), Path("a b/wisebot.toml")]),
    emulator=st.none() | TEXTS,
    origin=st.none() | TEXTS,
    base_url=st.none() | TEXTS,
    secret=CREDENTIALS,
    token=CREDENTIALS,
    api=st.sampled_from(Api),
    timeout=SECONDS,
    connect_timeout=SECONDS,
    concurrency=st.integers(1, 1000),
    retries=st.integers(0, 9),
    max_runs=st.none() | st.integers(0, 1000),
    max_response_mib=st.integers(1, 100),
    secret_header=st.sampled_from(["authorization", "x-workflow-secret"]),
    allow_http=st.booleans(),
    trace=st.booleans(),
    protected=st.booleans(),
    protected_hosts=st.dictionaries(TEXTS, TEXTS, max_size=2),
    allow_protected=st.booleans(),
    workflows=st.dictionaries(
        TEXTS, st.builds(Workflow, name=TEXTS, id=TEXTS, secret=CREDENTIALS, idempotent=st.booleans()), max_size=2
    ),
    emulated=st.dictionaries(TEXTS, CREDENTIALS.filter(bool), max_size=2),
    emulated_fallback=CREDENTIALS,
    redact=st.builds(Redact, keys=MANY, patterns=MANY, paths=MANY),
    snapshots=st.builds(
        Snapshots,
        keys=st.dictionaries(TEXTS, TEXTS, max_size=2),
        patterns=st.dictionaries(TEXTS, TEXTS, max_size=2),
        keep=MANY,
    ),
    sources=st.dictionaries(TEXTS, TEXTS, max_size=3),
)


def tree(root: type[WisebotError] = WisebotError) -> Iterator[type[WisebotError]]:
    """Every error that the package tells users of."""
    if root.__module__ == WisebotError.__module__:
        yield root
    for branch in root.__subclasses__():
        yield from tree(branch)


def arrived(message: Mapping[str, Any]) -> Any:
    """The message at the other end of a channel."""
    line = encoded(message)
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
    return json.loads(line)


def come_home(ended: Ended) -> Ended:
    return Ended.from_dict(arrived(ended.to_dict()))


@given(request=REQUESTS)
def test_requests_arrive_as_they_were(request: RunRequest) -> None:
    """Their credentials, too: it is the controller that sends them."""
    there = protocol.request_from_dict(arrived(protocol.request_to_dict(request)))
    assert there == request
    assert there.equals(request)
    assert type(there.api) is Api


@given(run=RUNS, lag=SECONDS)
def test_runs_arrive_as_they_were(run: WorkflowRun, lag: float) -> None:
    """Every field of them, and how much of their time may be the engine's own."""
    there = come_home(Ended(run, lag))
    assert there == Ended(run, lag)
    assert isinstance(there.outcome, WorkflowRun)
    assert type(there.outcome.api) is Api
    assert there.outcome.started_at.tzinfo is not None


@pytest.mark.parametrize("kind", list(tree()))
@given(message=TEXTS, attempted=ATTEMPTED | st.just(NO_REQUEST), answer=st.none() | ANSWERS, lag=SECONDS)
def test_errors_arrive_as_they_were(
    kind: type[WisebotError], message: str, attempted: Attempted, answer: Answer | None, lag: float
) -> None:
    """Of the same class, with the same words and the same facts."""
    if issubclass(kind, InfrastructureError):
        error: WisebotError = kind(message, attempted, answer)
    else:
        error = kind(message)
    ended = come_home(Ended(error, lag))
    there = ended.outcome
    assert type(there) is kind
    assert (str(there), ended.lag) == (str(error), lag)
    assert there.to_dict() == error.to_dict()
    if isinstance(there, InfrastructureError):
        assert (there.attempted, there.answer) == (attempted, answer)


def test_an_error_of_a_class_that_is_not_known_there_keeps_its_words() -> None:
    """A project's own hook may raise what only the controller has loaded."""
    data = {"error": {"class": "VaultIsSealed", "message": "no credential today"}, "lag": 0.0}
    there = Ended.from_dict(data).outcome
    assert type(there) is WisebotError
    assert str(there) == "no credential today"


@given(one=SETTINGS)
def test_settings_arrive_as_they_were(one: Settings) -> None:
    """Credentials open, so that a worker masks them; texts that look like a message's own marks stay texts."""
    there = protocol.settings_from_dict(arrived(protocol.settings_to_dict(one)))
    assert there == one
    assert there.credentials() == one.credentials()
    assert [type(getattr(there, item.name)) for item in fields(one)] == [
        type(getattr(one, item.name)) for item in fields(one)
    ]


def test_what_no_other_channel_carries_arrives() -> None:
    """Lone surrogates, integers beyond any machine's, and nesting as deep as is ever sent or accepted."""
    deep: Any = None
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    bag = {"\ud800": "\udfff\x00\x7f\u2028", "number": -(10**4000), "deep": deep, "$": "Secret", "": {"$": "tuple"}}
    request = RunRequest("a", bag)
    assert protocol.request_from_dict(arrived(protocol.request_to_dict(request))) == request
    run = WorkflowRun(ok=True, workflow="a", result=bag, error=bag, extra=bag, inputs=bag)
    assert come_home(Ended(run)).outcome == run


def test_a_credential_does_not_show_in_what_has_arrived() -> None:
    """It is a credential again, and no text."""
    one = Settings(token=Credential("--wisebot-token", "env:T", Secret("wb_live_FAKE_token")))
    there = protocol.settings_from_dict(arrived(protocol.settings_to_dict(one)))
    assert "wb_live_FAKE_token" not in repr(there)
    assert [secret.reveal() for secret in there.credentials()] == ["wb_live_FAKE_token"]
    request = RunRequest("a", secret=Secret("FAKE-secret-of-a"))
    assert "FAKE-secret-of-a" not in repr(protocol.request_from_dict(arrived(protocol.request_to_dict(request))))


def test_a_refusal_arrives_in_the_words_that_a_user_reads() -> None:
    """Whole, with what was asked of whom and what came back."""
    asked = Attempted("triage", "webhook", "https://a.example", 3, "staging", ("curl …",))
    for error in (ConfigurationError("wisebot.toml: no such key"), ConnectionFailed("host not found", asked)):
        assert str(come_home(Ended(error)).outcome) == str(error)
