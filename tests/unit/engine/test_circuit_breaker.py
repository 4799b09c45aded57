"""The circuit: what counts as one row of refusals, what breaks it, and whom an open one stops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_wisebot import (
    Api,
    AuthenticationFailed,
    BudgetExhausted,
    Cancelled,
    CircuitOpen,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    RateLimited,
    Rejected,
    RequestRejected,
    WisebotError,
    WorkflowRun,
)
from pytest_wisebot.client import Target
from pytest_wisebot.engine.admission import MOST_REFUSALS, CircuitBreaker
from pytest_wisebot.errors import NO_REQUEST, Answer
from pytest_wisebot.exhaustion import shortage
from pytest_wisebot.redaction import Secret
from pytest_wisebot.runs import Outcome

HOOK = Target(Api.WEBHOOK, "https://a.example", "triage", "the webhook secret env:A (wisebot.toml)")
BOARD = Target(Api.DASHBOARD, "https://b.example", "triage", "the token env:B (wisebot.toml)")

NOT_FOUND = ConnectionFailed("host not found")
NOT_LISTENING = ConnectionFailed("connection refused")
OK = WorkflowRun(ok=True, workflow="triage")


def refused(status: int, reason: str = "the credential was refused", attempts: int = 1) -> AuthenticationFailed:
    return AuthenticationFailed(reason, replace(NO_REQUEST, attempts=attempts), Answer(status))


def after(*outcomes: Outcome, target: Target = HOOK) -> CircuitBreaker:
    """A circuit that has seen these runs of one target end."""
    circuit = CircuitBreaker()
    for outcome in outcomes:
        circuit.judge(target, outcome)
    return circuit


def stops(circuit: CircuitBreaker, target: Target = HOOK) -> str | None:
    """What a run of this target would be told; None when it may pass."""
    try:
        circuit.check(target)
    except CircuitOpen as error:
        return str(error)
    return None


@pytest.mark.parametrize("outcome", [NOT_FOUND, NOT_LISTENING, refused(401), refused(403)])
def test_five_refusals_in_a_row_are_enough(outcome: Outcome) -> None:
    """The fifth one's own run is still told what happened; the next one is not tried."""
    circuit = after(*[outcome] * 4)
    assert stops(circuit) is None
    assert circuit.judge(HOOK, outcome) is outcome
    assert stops(circuit) is not None
    assert MOST_REFUSALS == 5


def test_what_this_machine_lacks_neither_counts_nor_breaks_a_row() -> None:
    """Runs that had no connection for want of descriptors here tell nothing of the host."""
    lacking = [ConnectionFailed(shortage(error) or "") for error in (OSError(24, ""), OSError(23, ""), MemoryError())]
    assert stops(after(*lacking * 10)) is None
    assert stops(after(*[NOT_LISTENING] * 4, *lacking)) is None
    assert stops(after(*[NOT_LISTENING] * 4, *lacking, NOT_LISTENING)) is not None


def test_an_open_circuit_says_who_refused_and_why() -> None:
    """In one and the same words to all, with which a summary can count them."""
    circuit = after(*[NOT_LISTENING] * 5)
    words = "5 runs in a row had failed at https://a.example: connection refused"
    assert stops(circuit) == words
    late = circuit.judge(HOOK, NOT_LISTENING)
    assert isinstance(late, CircuitOpen)
    assert str(late) == words
    assert stops(circuit, replace(HOOK, workflow="other")) == words


@pytest.mark.parametrize(
    "outcome",
    [OK, WorkflowRun(ok=False, workflow="triage"), ConnectionLost("x"), RateLimited("x"), RequestRejected("x")],
)
def test_whatever_is_no_refusal_breaks_the_row(outcome: Outcome) -> None:
    """The host was there and took the credential, or at least nothing says that it did not."""
    for refusal in (NOT_LISTENING, refused(401)):
        circuit = after(*[refusal] * 4, outcome, *[refusal] * 4)
        assert stops(circuit) is None
        circuit.judge(HOOK, refusal)
        assert stops(circuit) is not None


def test_an_open_circuit_closes_when_a_run_that_was_under_way_gets_through() -> None:
    """It was sent before the row was long enough, and shows that the reason is gone."""
    circuit = after(*[NOT_LISTENING] * 5)
    assert circuit.judge(HOOK, OK) is OK
    assert stops(circuit) is None


@pytest.mark.parametrize("outcome", [CircuitOpen("x"), BudgetExhausted("x"), Cancelled("x")])
def test_what_was_not_run_says_nothing(outcome: WisebotError) -> None:
    """It neither lengthens a row nor breaks it."""
    circuit = after(*[NOT_LISTENING] * 4, outcome)
    assert circuit.judge(HOOK, outcome) is outcome
    assert stops(circuit) is None
    circuit.judge(HOOK, NOT_LISTENING)
    assert stops(circuit) is not None


def test_another_reason_begins_another_row() -> None:
    """Four of one kind and four of another are no row of five."""
    circuit = after(*[NOT_LISTENING] * 4, *[NOT_FOUND] * 4)
    assert stops(circuit) is None
    circuit.judge(HOOK, NOT_FOUND)
    assert stops(circuit) == "5 runs in a row had failed at https://a.example: host not found"


def test_a_host_that_is_not_there_stops_all_its_workflows_and_credentials() -> None:
    """Refusals of different workflows make one row; another host goes on."""
    circuit = CircuitBreaker()
    for name in "abcde":
        circuit.judge(replace(HOOK, workflow=name), NOT_LISTENING)
    assert stops(circuit, replace(HOOK, workflow="f", credential="another", api=Api.DASHBOARD)) is not None
    assert stops(circuit, BOARD) is None


def test_a_refused_secret_stops_its_own_workflow_alone() -> None:
    """One of another workflow at the same host, or another secret for the same workflow, goes on."""
    circuit = after(*[refused(401)] * 5)
    assert stops(circuit) is not None
    assert stops(circuit, replace(HOOK, workflow="other")) is None
    assert stops(circuit, replace(HOOK, credential="the webhook secret env:C (secret=)")) is None


def test_secrets_that_are_called_the_same_are_told_apart() -> None:
    """Two calls that each bring one of their own: a refused one does not stop the other."""
    mine, other = (replace(HOOK, secret=Secret(f"FAKE-secret-{name}")) for name in "ab")
    circuit = after(*[refused(401)] * 5, target=mine)
    assert stops(circuit, replace(mine, secret=Secret("FAKE-secret-a"))) is not None
    assert stops(circuit, other) is None


def test_a_refused_token_stops_all_workflows_that_use_it() -> None:
    """The dashboard has one for all; refusals of different workflows make one row."""
    circuit = CircuitBreaker()
    for name in "abcde":
        circuit.judge(replace(BOARD, workflow=name), refused(401))
    assert stops(circuit, BOARD) is not None
    assert stops(circuit, replace(BOARD, credential="another")) is None
    assert stops(circuit, HOOK) is None


def test_a_token_that_may_not_start_one_workflow_stops_that_one_alone() -> None:
    """403 is about the two together."""
    circuit = after(*[refused(403)] * 5, target=BOARD)
    assert stops(circuit, BOARD) is not None
    assert stops(circuit, replace(BOARD, workflow="other")) is None


def test_a_token_that_is_refused_before_the_first_run_stops_all_workflows() -> None:
    """A 403 to the check of the token, which asks for no workflow, is about the token alone."""
    circuit = CircuitBreaker()
    for name in "abcde":
        circuit.judge(replace(BOARD, workflow=name), refused(403, attempts=0))
    assert stops(circuit, BOARD) is not None


def test_a_host_that_refuses_a_credential_is_there() -> None:
    """The row of the host is broken by it, and the other way round."""
    circuit = after(*[NOT_LISTENING] * 4, refused(401), NOT_LISTENING)
    assert stops(circuit) is None
    circuit = after(*[refused(401)] * 4, NOT_LISTENING, refused(401))
    assert stops(circuit) is None


def test_what_stands_before_a_host_is_counted_by_the_host() -> None:
    """A firewall's refusals stop all workflows and all credentials of its host, and no other host."""
    blocked = Rejected("refused before Wisebot answered (text/html)", NO_REQUEST, Answer(403, "text/html"))
    circuit = CircuitBreaker()
    for number in range(5):
        circuit.judge(replace(HOOK, workflow=f"w{number}", credential=f"secret {number}"), blocked)
    reason = "5 runs in a row had failed at https://a.example: refused before Wisebot answered (text/html)"
    assert stops(circuit, replace(HOOK, workflow="another", credential="another")) == reason
    assert stops(circuit, BOARD) is None


def test_a_mistake_in_the_request_is_no_refusal() -> None:
    """It is the user's, and says nothing about host or credential."""
    mistake = ConfigurationError("an id that no URL can carry")
    assert after().judge(HOOK, mistake) is mistake
    assert stops(after(*[mistake] * 9)) is None
