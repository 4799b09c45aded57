"""Faults as values, and which request gets which, without sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_wisebot.emulator import Emulator, Fault
from pytest_wisebot.emulator.http import Manner, Reply, Request
from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.runs import Api

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
TEXT = "text/plain; charset=utf-8"

INSTEAD = [
    (Fault.status(503), 503, {"Content-Type": TEXT}, b"503 Service Unavailable"),
    (Fault.status(520), 520, {"Content-Type": TEXT}, b"520 Error"),
    (Fault.status(503, retry_after=2), 503, {"Content-Type": TEXT, "Retry-After": "2"}, b"503 Service Unavailable"),
    (Fault.status(503, retry_after=0.5, body=""), 503, {"Content-Type": TEXT, "Retry-After": "0.5"}, b""),
    (Fault.status(422, envelope={"ok": False}), 422, {"Content-Type": "application/json"}, b'{"ok": false}'),
    (Fault.status(500, body="né", content_type="text/css"), 500, {"Content-Type": "text/css"}, "né".encode()),
    (Fault.rate_limited(), 429, {"Content-Type": TEXT}, b"429 Too Many Requests"),
    (Fault.rate_limited(DATE), 429, {"Content-Type": TEXT, "Retry-After": DATE}, b"429 Too Many Requests"),
    (
        Fault.redirect(),
        307,
        {"Content-Type": TEXT, "Location": "https://login.example.com/"},
        b"307 Temporary Redirect",
    ),
]

ALL = [
    *(fault for fault, *_ in INSTEAD),
    *(Fault.html(), Fault.delay(0), Fault.reset_before(), Fault.reset_after(), Fault.cut_short()),
    *(Fault.invalid_utf8(), Fault.endless(), Fault.drip(), Fault.raw("NaN")),
]


@pytest.fixture
def emulator() -> Emulator:
    emulator = Emulator()
    for workflow in ("triage", "refund"):
        emulator.workflow(workflow, secret="whsec_CANARY")(lambda: "ran")
    return emulator


def ask(emulator: Emulator, workflow: str = "triage", test: str = "", method: str = "POST") -> Reply:
    headers = {"authorization": "Bearer whsec_CANARY", "x-wisebot-test": test}
    return emulator.answer(Api.WEBHOOK, Request(method, f"/workflows/trigger?workflowId={workflow}", headers))


def kinds(emulator: Emulator) -> list[str | None]:
    """The kind of fault that each call was given, in their order."""
    return [call.fault for call in emulator.calls()]


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.kind)
def test_a_fault_crosses_processes_as_json(fault: Fault) -> None:
    """Written down as JSON and read again, a fault is the same."""
    assert Fault.from_dict(json.loads(json.dumps(fault.to_dict()))) == fault


def test_every_kind_has_its_class_method() -> None:
    """The kinds are the names of the class methods, and all of them are tested here."""
    methods = {name for name, value in vars(Fault).items() if isinstance(value, classmethod)}
    assert {fault.kind for fault in ALL} == methods - {"_answer", "from_dict"}


@pytest.mark.parametrize(("fault", "status", "headers", "body"), INSTEAD)
def test_an_answer_in_place_of_the_run(
    emulator: Emulator, fault: Fault, status: int, headers: dict[str, str], body: bytes
) -> None:
    """These faults answer as they say, and the workflow does not run."""
    emulator.fail_next(fault)
    assert ask(emulator) == Reply(status, body, headers)
    (call,) = emulator.calls()
    assert (call.status, call.ran, call.run_id, call.inputs, call.fault) == (status, False, None, None, fault.kind)


def test_an_html_page_in_place_of_the_run(emulator: Emulator) -> None:
    """``Fault.html`` answers with a gateway's page."""
    emulator.fail_next(Fault.html())
    reply = ask(emulator)
    assert (reply.status, reply.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert b"<h1>502 Bad Gateway</h1>" in reply.body


@pytest.mark.parametrize(
    ("fault", "ran", "manner", "status"),
    [
        (Fault.reset_before(), False, Manner.RESET, None),
        (Fault.reset_after(), True, Manner.RESET, None),
        (Fault.delay(0), True, Manner.WHOLE, 200),
        (Fault.cut_short(), True, Manner.CUT_SHORT, 200),
        (Fault.drip(0), True, Manner.DRIP, 200),
        (Fault.endless(), True, Manner.ENDLESS, 200),
        (Fault.invalid_utf8(), True, Manner.WHOLE, 200),
        (Fault.raw("[", status=201), True, Manner.WHOLE, 201),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_whether_the_workflow_runs(
    emulator: Emulator, fault: Fault, ran: bool, manner: Manner, status: int | None
) -> None:
    """A call tells of each fault whether the workflow ran and which status was sent, if any."""
    emulator.fail_next(fault)
    assert ask(emulator).manner is manner
    (call,) = emulator.calls()
    assert (call.ran, call.run_id is not None, call.status) == (ran, ran, status)


def test_a_raw_body_is_sent_as_it_is(emulator: Emulator) -> None:
    """``Fault.raw`` sends exactly its text, be it JSON or not."""
    emulator.fail_next(Fault.raw('{"ok": NaN} é'))
    assert ask(emulator) == Reply(200, '{"ok": NaN} é'.encode(), {"Content-Type": "application/json"})


def test_invalid_utf8_is_no_utf8(emulator: Emulator) -> None:
    """``Fault.invalid_utf8`` sends bytes that no UTF-8 has."""
    emulator.fail_next(Fault.invalid_utf8())
    with pytest.raises(UnicodeDecodeError):
        ask(emulator).body.decode()


def test_a_delay_waits_as_long_as_it_says(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """``Fault.delay`` waits before the run, then all is as usual."""
    waited = list[float]()
    monkeypatch.setattr("pytest_wisebot.emulator.faults.time.sleep", waited.append)
    emulator.fail_next(Fault.delay(7))
    assert ask(emulator).status == 200
    assert waited[0] == 7.0


def test_a_fault_comes_before_the_credential(emulator: Emulator) -> None:
    """As a gateway would, a fault answers requests that Wisebot itself would refuse."""
    emulator.fail_next(Fault.html())
    request = Request("POST", "/workflows/trigger?workflowId=unknown", {"authorization": "Bearer FAKE"})
    assert emulator.answer(Api.WEBHOOK, request).status == 502


def test_a_fault_that_runs_spoils_a_refusal_as_well(emulator: Emulator) -> None:
    """A refusal is an answer like another: it, too, can be lost on its way."""
    emulator.fail_next(Fault.reset_after())
    assert emulator.answer(Api.WEBHOOK, Request("POST", "/workflows/trigger?workflowId=triage")).manner is Manner.RESET
    assert (emulator.calls()[0].ran, emulator.calls()[0].status) == (False, None)


def test_faults_are_used_up_in_their_order(emulator: Emulator) -> None:
    """Each fault is given as often as it was asked for, those asked for first come first."""
    emulator.fail_next(Fault.html(), times=2)
    emulator.fail_next(Fault.rate_limited())
    for _ in range(4):
        ask(emulator)
    assert kinds(emulator) == ["html", "html", "rate_limited", None]


def test_a_fault_waits_for_its_workflow_and_its_test(emulator: Emulator) -> None:
    """A fault for one workflow or one test passes all others by; the empty tag is a request without one."""
    emulator.fail_next(Fault.html(), workflow="refund")
    emulator.fail_next(Fault.rate_limited(), test="a")
    emulator.fail_next(Fault.redirect(), test="")
    for workflow, test in (("triage", "b"), ("triage", "a"), ("refund", "b"), ("triage", ""), ("refund", "a")):
        ask(emulator, workflow, test)
    assert kinds(emulator) == [None, "rate_limited", "html", "redirect", None]


def test_only_requests_for_a_run_use_up_a_fault(emulator: Emulator) -> None:
    """A status check or another method than POST starts no run and leaves the fault to the next that does."""
    emulator.fail_next(Fault.html())
    ask(emulator, method="GET")
    emulator.answer(Api.DASHBOARD, Request("GET", "/api/v1/status"))
    ask(emulator)
    assert kinds(emulator) == [None, "html"]


@pytest.mark.parametrize(("test", "left"), [("a", ["redirect"]), ("b", ["html"]), (None, [None])])
def test_reset_forgets_the_faults_of_a_test(emulator: Emulator, test: str | None, left: list[str | None]) -> None:
    """``reset`` drops what was asked for one test alone, or all."""
    emulator.fail_next(Fault.html(), test="a")
    emulator.fail_next(Fault.redirect(), test=None)
    emulator.reset(test)
    ask(emulator, test="a")
    assert kinds(emulator) == left


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fault.status(99), "Fault.status: code: expected a whole number from 200 to 599, got 99"),
        (lambda: Fault.status(True), "Fault.status: code: expected a whole number from 200 to 599, got True"),
        (lambda: Fault.status(500, {}, body=""), "Fault.status: expected an envelope or a body, got 'both'"),
        (
            lambda: Fault.status(204, body="x"),
            "Fault.status: expected neither envelope nor body, since an answer of 204 has none, got 'one'",
        ),
        (lambda: Fault.status(500, envelope=[1]), "Fault.status: envelope: expected a dict, got [1]"),  # type: ignore[arg-type]
        (
            lambda: Fault.status(500, envelope={"a": float("inf")}),
            "Fault.status: envelope: expected JSON values (Out of range float values are not JSON compliant), "
            "got {'a': inf}",
        ),
        (lambda: Fault.rate_limited(-1), "Fault.rate_limited: retry_after: expected seconds, 0 or more, got -1"),
        (
            lambda: Fault.rate_limited("a\r\nb"),
            "Fault.rate_limited: retry_after: expected a non-empty string of printable ASCII without spaces at its "
            "ends, got 'a\\r\\nb'",
        ),
        (lambda: Fault.redirect(code=200), "Fault.redirect: code: expected a whole number from 300 to 399, got 200"),
        (lambda: Fault.delay(float("inf")), "Fault.delay: seconds: expected seconds, 0 or more, got inf"),
        (lambda: Fault.delay(10**400), f"Fault.delay: seconds: expected seconds, 0 or more, got {10**400}"),
        (lambda: Fault.drip("fast"), "Fault.drip: interval: expected seconds, 0 or more, got 'fast'"),  # type: ignore[arg-type]
        (lambda: Fault.raw(b"{}"), "Fault.raw: body: expected a string, got b'{}'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], Any], message: str) -> None:
    """A fault that cannot be made is an error at once, with the wrong value, and not in the middle of a run."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    # Python words the reason of the JSON encoder differently from version to version.
    assert str(caught.value).replace("compliant: inf)", "compliant)") == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fault": "html"}, "fail_next: fault: expected a Fault, such as Fault.html(), got 'html'"),
        (
            {"fault": Fault.html(), "times": 0},
            "fail_next: times: expected a whole number from 1 to 1000000000, got 0",
        ),
        (
            {"fault": Fault.html(), "workflow": "traige"},
            "fail_next: workflow: there is no 'traige', only 'triage', 'refund'",
        ),
    ],
)
def test_wrong_wishes_are_named(emulator: Emulator, arguments: dict[str, Any], message: str) -> None:
    """A fault that could never come is an error where it is asked for."""
    with pytest.raises(ConfigurationError) as caught:
        emulator.fail_next(**arguments)
    assert str(caught.value) == message


def test_a_status_may_come_with_or_without_an_envelope() -> None:
    """True sends a refusal's envelope, which has no ``runId``; false is as if nothing had been said."""
    assert Fault.status(500, envelope=False) == Fault.status(500)
    body = json.loads(Fault.status(500, envelope=True).reply(lambda: pytest.fail("ran")).body)
    assert body == {"ok": False, "error": "500 Internal Server Error."}
