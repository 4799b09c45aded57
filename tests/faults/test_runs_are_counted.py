"""Under every fault: the named error, and never two runs for one call, unless the workflow is idempotent."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest

from pytest_wisebot import (
    Api,
    AuthenticationFailed,
    ConnectionLost,
    GatewayFailed,
    InfrastructureError,
    NotStarted,
    RateLimited,
    Redirected,
    RequestRejected,
    RunTimedOut,
    UnexpectedResponse,
    WorkflowNotFound,
)
from pytest_wisebot.emulator import EmulatorHandle, Fault

BOTH = pytest.mark.parametrize("api", list(Api))

# fault, the error that its first request gives, whether the workflow ran then
FINAL: list[Any] = [
    pytest.param(Fault.status(401), AuthenticationFailed, 0, id="401"),
    pytest.param(Fault.status(403), AuthenticationFailed, 0, id="403"),
    pytest.param(Fault.status(404), WorkflowNotFound, 0, id="404"),
    pytest.param(Fault.status(409), RequestRejected, 0, id="409"),
    pytest.param(Fault.status(422, envelope={"ok": False, "error": "no"}), RequestRejected, 0, id="422-without-runId"),
    pytest.param(Fault.redirect(), Redirected, 0, id="redirect"),
    pytest.param(Fault.redirect(code=302), Redirected, 0, id="redirect-302"),
    pytest.param(Fault.status(500), GatewayFailed, 0, id="500"),
    pytest.param(Fault.html(502), GatewayFailed, 0, id="html-502"),
    pytest.param(Fault.html(524), GatewayFailed, 0, id="html-524"),
    pytest.param(Fault.status(500, envelope={"ok": False, "error": "no"}), GatewayFailed, 0, id="500-without-runId"),
    pytest.param(Fault.reset_before(), ConnectionLost, 0, id="reset-before"),
    pytest.param(Fault.reset_after(), ConnectionLost, 1, id="reset-after"),
    pytest.param(Fault.cut_short(), ConnectionLost, 1, id="cut-short"),
    pytest.param(Fault.invalid_utf8(), UnexpectedResponse, 1, id="invalid-utf8"),
    pytest.param(Fault.endless(), UnexpectedResponse, 1, id="endless"),
    pytest.param(Fault.raw("<html>log in</html>", content_type="text/html"), UnexpectedResponse, 1, id="200-html"),
    pytest.param(Fault.raw(""), UnexpectedResponse, 1, id="200-empty"),
    pytest.param(Fault.raw('{"ok": "yes"}'), UnexpectedResponse, 1, id="200-no-envelope"),
    pytest.param(Fault.raw('{"ok": true, "result": NaN}'), UnexpectedResponse, 1, id="200-nan"),
    pytest.param(Fault.raw('{"ok": true, "result": 1e400}'), UnexpectedResponse, 1, id="200-1e400"),
    pytest.param(
        Fault.raw('{"ok": true, "result": ' + "[" * 300 + "]" * 300 + "}"), UnexpectedResponse, 1, id="200-deep"
    ),
]


@BOTH
@pytest.mark.parametrize(("fault", "error", "runs"), FINAL)
def test_one_call_is_one_request(
    emulator: EmulatorHandle, ask: Any, api: Api, fault: Fault, error: type[InfrastructureError], runs: int
) -> None:
    """What may have run, and what was refused, is asked for once."""
    emulator.fail_next(fault, times=5)
    with pytest.raises(InfrastructureError) as caught:
        ask(api)
    assert type(caught.value) is error
    assert caught.value.attempted.attempts == 1
    assert [call.ran for call in emulator.calls()] == [bool(runs)]


NOT_STARTED: list[Any] = [
    pytest.param(Fault.rate_limited(), RateLimited, id="429"),
    pytest.param(Fault.rate_limited(retry_after=0.05), RateLimited, id="429-seconds"),
    pytest.param(Fault.rate_limited(email.utils.formatdate(time.time() - 5, usegmt=True)), RateLimited, id="429-date"),
]


@BOTH
@pytest.mark.parametrize(("fault", "error"), NOT_STARTED)
def test_what_did_not_start_is_tried_again_and_runs_once(
    emulator: EmulatorHandle, ask: Any, api: Api, fault: Fault, error: type[NotStarted]
) -> None:
    """After a fault before the run there is exactly one run, with the number of its attempts."""
    emulator.fail_next(fault, times=2)
    run = ask(api)
    assert (run.ok, run.attempts) == (True, 3)
    assert [call.ran for call in emulator.calls()] == [False, False, True]


@pytest.mark.parametrize(("fault", "error"), NOT_STARTED)
@pytest.mark.parametrize("retries", [0, 1])
def test_retries_are_as_many_as_the_settings_say(
    emulator: EmulatorHandle, ask: Any, fault: Fault, error: type[NotStarted], retries: int
) -> None:
    """When they are used up, the named error is raised and nothing has run."""
    emulator.fail_next(fault, times=9)
    with pytest.raises(NotStarted) as caught:
        ask(retries=retries)
    assert type(caught.value) is error
    assert caught.value.attempted.attempts == retries + 1
    assert [call.ran for call in emulator.calls()] == [False] * (retries + 1)


@BOTH
@pytest.mark.parametrize(
    "fault",
    [Fault.reset_after(), Fault.cut_short(), Fault.html(502), Fault.reset_before()],
    ids=lambda fault: str(fault.kind),
)
def test_an_idempotent_workflow_may_run_twice(emulator: EmulatorHandle, ask: Any, api: Api, fault: Fault) -> None:
    """Where ``wisebot.toml`` allows it, an unknown outcome is followed by another attempt."""
    emulator.fail_next(fault)
    run = ask(api, idempotent=True)
    assert (run.ok, run.attempts) == (True, 2)
    assert len(emulator.calls()) == 2


def test_that_a_run_may_have_happened_is_not_forgotten_over_a_later_refusal(emulator: EmulatorHandle, ask: Any) -> None:
    """A lost answer, then a refused second attempt: the error still means that the workflow may have run."""
    emulator.fail_next(Fault.reset_after())
    emulator.fail_next(Fault.status(401))
    with pytest.raises(ConnectionLost, match="may have run"):
        ask(idempotent=True)
    assert [call.ran for call in emulator.calls()] == [True, False]


@BOTH
@pytest.mark.parametrize("fault", [Fault.delay(3), Fault.drip(0.05)], ids=["delay", "drip"])
def test_the_deadline_holds_for_the_whole_run(emulator: EmulatorHandle, ask: Any, api: Api, fault: Fault) -> None:
    """Neither a late answer nor one that drips passes the deadline, and it is not asked for again."""
    emulator.fail_next(fault, times=5)
    with pytest.raises(RunTimedOut, match=r"^no whole answer within 1 s"):
        ask(api, timeout=1)
    assert len(emulator.calls()) == 1


def test_the_deadline_covers_the_back_off(emulator: EmulatorHandle, ask: Any) -> None:
    """A ``Retry-After`` beyond the deadline is not waited for: the error comes at once, and the run did not start."""
    emulator.fail_next(Fault.rate_limited(retry_after=30), times=5)
    with pytest.raises(RateLimited) as caught:
        ask(timeout=2)
    assert caught.value.answer is not None
    assert caught.value.answer.retry_after == 30
    assert len(emulator.calls()) == 1


@pytest.mark.parametrize("status", [200, 400, 422, 500, 503])
def test_an_envelope_with_a_run_id_is_a_run_at_any_status(emulator: EmulatorHandle, ask: Any, status: int) -> None:
    """How Wisebot answers a failed run is not documented: a ``runId`` makes it one."""
    envelope = {"ok": False, "runId": "run_1", "error": {"code": 7}, "cost": 3}
    emulator.fail_next(Fault.status(status, envelope=envelope))
    run = ask()
    assert (run.ok, run.run_id, run.error, run.extra, run.status_code) == (
        False,
        "run_1",
        {"code": 7},
        {"cost": 3},
        status,
    )


def test_a_redirect_is_shown_without_its_query(emulator: EmulatorHandle, ask: Any) -> None:
    """The address of a redirect may hold a token in its query, which is not shown."""
    emulator.fail_next(Fault.redirect(to="https://login.example.com/path?token=CANARY-token"))
    with pytest.raises(Redirected) as caught:
        ask()
    to = "https://login.example.com/path, which is not followed (workflow"
    assert str(caught.value).startswith(f"redirected from {emulator.origin}/workflows/trigger to {to}")
    assert "CANARY" not in str(caught.value)


def test_an_answers_excerpt_is_short_and_printable(emulator: EmulatorHandle, ask: Any) -> None:
    """An error shows status, content type and at most 300 characters, none of which a terminal obeys."""
    emulator.fail_next(Fault.status(500, body="\x1b[31m" + "wörds \u202e\n" * 200, content_type="text/plain"))
    with pytest.raises(GatewayFailed) as caught:
        ask()
    answer = caught.value.answer
    assert answer is not None
    assert (answer.status_code, answer.content_type, len(answer.excerpt)) == (500, "text/plain", 300)
    assert answer.excerpt.startswith("[31mwörds wörds")
    assert answer.excerpt.isprintable()


def test_a_closed_port_is_a_connection_that_failed(emulator: EmulatorHandle, ask: Any) -> None:
    """A refused connection is provably no run: it is tried again, and then told in plain words."""
    with pytest.raises(InfrastructureError, match=r"^connection refused \(workflow") as caught:
        ask(origin="http://127.0.0.1:9", secret="FAKE-secret-of-echo", retries=1)
    assert type(caught.value).__name__ == "ConnectionFailed"
    assert caught.value.attempted.attempts == 2


def test_an_unknown_host_is_told(emulator: EmulatorHandle, ask: Any) -> None:
    """A host that cannot be resolved is named as such."""
    with pytest.raises(InfrastructureError, match=r"^(host not found|no connection)"):
        ask(origin="https://no-such-host.invalid", secret="FAKE-secret-of-echo", retries=0)


def test_a_plain_server_where_tls_is_asked_for(emulator: EmulatorHandle, ask: Any) -> None:
    """TLS that fails is a connection that failed, since no request can have been sent."""
    with pytest.raises(InfrastructureError, match=r"^TLS failed: wrong version number; the port does not speak"):
        ask(origin=emulator.origin.replace("http:", "https:"), secret="FAKE-secret-of-echo", retries=0)


def test_the_status_check_is_made_once_and_only_for_the_dashboard(emulator: EmulatorHandle, settings: Any) -> None:
    """Ten runs over the dashboard API: one check of the token; over the webhook API: none."""
    from pytest_wisebot.engine.engine import Engine
    from pytest_wisebot.redaction import Redactor
    from pytest_wisebot.runs import RunRequest

    engine = Engine(settings, Redactor())
    try:
        for pending in engine.submit_all([RunRequest("echo", {}, Api.WEBHOOK)] * 3):
            assert pending.wait(10).ok
        assert emulator.status_checks() == 0
        for pending in engine.submit_all([RunRequest("echo", {}, Api.DASHBOARD)] * 10):
            assert pending.wait(10).ok
        assert emulator.status_checks() == 1
    finally:
        engine.close()
