"""The meaning of an answer: a verdict only if it is one, and nothing is repeated that may have started a run."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from typing import Any

import pytest

from pytest_wisebot import (
    Api,
    AuthenticationFailed,
    GatewayFailed,
    InfrastructureError,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RequestRejected,
    RunNotFinished,
    ServiceUnavailable,
    UnexpectedResponse,
    WorkflowNotFound,
)

HTML = {"content_type": "text/html; charset=utf-8"}
PAGE = b"<!doctype html><title>Sorry, you have been blocked</title>"
REFUSAL = {"ok": False, "error": "secret revoked"}
RUN = {"ok": True, "runId": "r1", "result": {"a": 1}}

# status, body, headers, the error
NO_RUN: dict[str, tuple[int, object, dict[str, str], type[InfrastructureError]]] = {
    "503": (503, b"", {}, ServiceUnavailable),
    "503 with Retry-After": (503, b"", {"retry_after": "0"}, ServiceUnavailable),
    "503 of Varnish": (503, b"<html>Backend fetch failed", HTML | {"retry_after": "0"}, ServiceUnavailable),
    "503 text": (503, b"no healthy upstream", {"content_type": "text/plain"}, ServiceUnavailable),
    "503 envelope without runId": (503, REFUSAL, {"retry_after": "0"}, ServiceUnavailable),
    "503 that says queued": (503, {"ok": False, "status": "queued"}, {}, ServiceUnavailable),
    "408 of Envoy": (408, b"stream timeout", {"content_type": "text/plain"}, GatewayFailed),
    "408 envelope without runId": (408, REFUSAL, {}, GatewayFailed),
    "499": (499, b"", {}, GatewayFailed),
    "460 of Amazon": (460, b"", {}, GatewayFailed),
    "504": (504, b"", {"retry_after": "0"}, GatewayFailed),
    "511": (511, PAGE, HTML, GatewayFailed),
    "529": (529, {"ok": False, "error": "overloaded"}, {}, GatewayFailed),
    "598": (598, b"", {}, GatewayFailed),
    "599": (599, b"", {}, GatewayFailed),
    "202": (202, {"ok": True, "runId": "r1"}, {"retry_after": "0"}, RunNotFinished),
    "202 with null": (202, {"ok": True, "runId": "r1", "result": None, "error": None}, {}, RunNotFinished),
    "202 not ok": (202, {"ok": False, "runId": "r1"}, {}, RunNotFinished),
    "202 empty": (202, b"", {}, RunNotFinished),
    "202 without ok": (202, {"runId": "r1", "status": "queued"}, {}, RunNotFinished),
    "202 page": (202, PAGE, HTML, RunNotFinished),
    "queued": (200, {"ok": True, "runId": "q1", "status": "queued"}, {}, RunNotFinished),
    "running without runId": (200, {"ok": True, "status": "running"}, {}, RunNotFinished),
    "pending, not ok": (200, {"ok": False, "runId": "q1", "status": "pending", "error": ""}, {}, RunNotFinished),
    "accepted, null": (201, {"ok": True, "runId": "q1", "status": " Accepted ", "result": None}, {}, RunNotFinished),
    "504 that says running": (504, {"ok": False, "runId": "q1", "status": "In-Progress"}, {}, RunNotFinished),
    "429 that says queued": (429, {"ok": False, "runId": "q1", "status": "QUEUED"}, {}, RunNotFinished),
    "429 that says queued, without runId": (429, {"ok": False, "status": "queued"}, {}, RunNotFinished),
    "401 page": (401, PAGE, HTML, Rejected),
    "403 page": (403, PAGE, HTML, Rejected),
    "403 page that calls itself text": (403, b"\n <HTML>no", {"content_type": "text/plain"}, Rejected),
    "403 page without a type": (403, PAGE, {}, Rejected),
    "403 empty page": (403, b"", HTML, Rejected),
    "403 XML of a store": (403, b"<?xml version='1.0'?><Error/>", {"content_type": "application/xml"}, Rejected),
    "403 JSON with Retry-After": (403, REFUSAL, {"retry_after": "30"}, Rejected),
    "401 text with Retry-After": (401, b"slow down", {"retry_after": "soon"}, Rejected),
    "401 JSON": (401, REFUSAL, {}, AuthenticationFailed),
    "401 JSON that calls itself HTML": (401, json.dumps(REFUSAL).encode(), HTML, AuthenticationFailed),
    "403 text": (403, b"Forbidden", {"content_type": "text/plain"}, AuthenticationFailed),
    "403 empty": (403, b"", {}, AuthenticationFailed),
    "404 page": (404, PAGE, HTML, WorkflowNotFound),
    "402": (402, REFUSAL, {}, RequestRejected),
    "405": (405, PAGE, HTML, RequestRejected),
    "407": (407, PAGE, HTML, RequestRejected),
    "420": (420, b"", {"retry_after": "0"}, RequestRejected),
    "425": (425, b"", {}, RequestRejected),
    "451": (451, PAGE, HTML, RequestRejected),
    "500 with an empty runId": (500, {"ok": False, "runId": "", "error": "x"}, {}, GatewayFailed),
    "204": (204, b"", {}, UnexpectedResponse),
    "205": (205, b"", {}, UnexpectedResponse),
    "206": (206, RUN, {"content_range": "bytes 0-9/99"}, UnexpectedResponse),
    "226": (226, RUN, {}, UnexpectedResponse),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_RUN)
def test_an_answer_that_is_no_verdict_is_asked_for_once(gateway: Any, ask: Any, name: str) -> None:
    """Each has an error of its own, and none of them is sent again."""
    status, body, headers, error = NO_RUN[name]
    gateway.answers(status, body, **headers)
    with pytest.raises(InfrastructureError) as caught:
        ask(origin=gateway.origin, secret="FAKE-secret")
    assert type(caught.value) is error
    assert (caught.value.status_code, len(gateway.got)) == (status, 1)


@pytest.mark.parametrize("name", [name for name, row in NO_RUN.items() if issubclass(row[3], OutcomeUnknown)])
def test_what_may_have_run_is_repeated_where_the_workflow_is_idempotent(gateway: Any, ask: Any, name: str) -> None:
    """``idempotent = true`` is the one way to a second request, as often as the retries allow."""
    status, body, headers, error = NO_RUN[name]
    gateway.answers(status, body, **{**headers, "retry_after": "0"})
    with pytest.raises(error, match=r"may have run.* Attempts: 2\.") as caught:
        ask(origin=gateway.origin, secret="FAKE-secret", idempotent=True, retries=1)
    assert len(gateway.got) == 2
    assert gateway.got[-1]["traceparent"] == caught.value.trace


@pytest.mark.parametrize("body", [b"", REFUSAL, {"ok": False, "runId": None}, {"ok": False, "runId": ""}, PAGE])
def test_429_without_a_run_id_is_repeated(gateway: Any, ask: Any, body: object) -> None:
    """By the contract each run has an id: where there is none, none was made."""
    gateway.answers(429, body, retry_after="0")
    with pytest.raises(RateLimited, match=r"did not start\. Attempts: 3\."):
        ask(origin=gateway.origin, secret="FAKE-secret")
    assert len(gateway.got) == 3


RUNS: dict[str, tuple[int, dict[str, Any]]] = {
    "429 with runId": (429, {"ok": False, "runId": "r1", "error": "the model is busy"}),
    "503 with runId": (503, {"ok": False, "runId": "r1", "error": "the model is busy"}),
    "408 with runId": (408, {"ok": False, "runId": "r1", "error": "too slow"}),
    "202 with a result": (202, {"ok": True, "runId": "r1", "result": {}}),
    "202 with an error": (202, {"ok": False, "runId": "r1", "error": "no"}),
    "203": (203, RUN),
    "207": (207, RUN),
    "running, with a result": (200, {**RUN, "status": "running"}),
    "queued, with an error": (200, {"ok": False, "runId": "r1", "error": "no", "status": "queued"}),
    "a status that is no word": (200, {"ok": True, "runId": "r1", "status": {"name": "queued"}}),
    "another status": (200, {"ok": True, "runId": "r1", "status": "succeeded"}),
}


@pytest.mark.parametrize("name", RUNS)
def test_what_says_how_it_ended_is_a_run(gateway: Any, ask: Any, name: str) -> None:
    """A status alone takes no verdict from an envelope that has one."""
    status, body = RUNS[name]
    gateway.answers(status, body)
    run = ask(origin=gateway.origin, secret="FAKE-secret")
    assert (run.ok, run.run_id, run.status_code, run.contradiction) == (body["ok"], "r1", status, "")
    assert len(gateway.got) == 1


def test_a_switch_of_protocols_is_no_answer(ask: Any) -> None:
    """101 ends the exchange before there is an envelope: the outcome is unknown."""
    from tests.faults.test_connections import Listener

    listener = Listener(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
    try:
        with pytest.raises((OutcomeUnknown, UnexpectedResponse)):
            ask(origin=f"http://127.0.0.1:{listener.port}", secret="FAKE-secret")
        assert len(listener.got) == 1
    finally:
        listener.close()


# --- in which words


def test_a_run_that_is_not_finished_shows_its_id(gateway: Any, ask: Any) -> None:
    """The id is all that is left of it: it stands in the words, clean and cut, and beside the answer."""
    gateway.answers(202, {"ok": True, "runId": "exec_77"})
    with pytest.raises(RunNotFinished) as caught:
        ask(origin=gateway.origin, secret="FAKE-secret")
    error = caught.value
    assert str(error).splitlines() == [
        "accepted, and its end is unknown: status 202, without result or error; runId exec_77 "
        f'(workflow "echo" over the webhook API at {gateway.origin})',
        '  answer: status 202 (application/json): {"ok": true, "runId": "exec_77"}',
        "  The workflow may have run; it was not started again.",
        f"  traceparent: {gateway.got[0]['traceparent']}",
    ]
    assert error.answer is not None
    assert error.answer.run_id == "exec_77"
    gateway.answers(200, {"ok": True, "runId": "\x1b[31m" + "x" * 500, "status": "waiting for approval"})
    with pytest.raises(RunNotFinished, match=r'its status is "waiting for approval"; runId \\x1b\[31mx{52}…x{59} \('):
        ask(origin=gateway.origin, secret="FAKE-secret")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("403 page", "refused before Wisebot answered (text/html) (workflow"),
        ("403 page without a type", "refused before Wisebot answered (a page) (workflow"),
        ("403 JSON with Retry-After", "refused before Wisebot answered (with Retry-After) (workflow"),
        ("404 page", "refused before Wisebot answered (text/html): is it Wisebot's host? (workflow"),
        ("407", "a proxy on the way asks for a credential of its own (workflow"),
        ("511", "the network asks for a log-in (workflow"),
        ("408 of Envoy", "a gateway stopped waiting for the answer (workflow"),
        ("202 empty", "accepted, and its end is unknown: status 202, and the answer is empty; no runId (workflow"),
        ("206", "the answer is a part of one alone (status 206) (workflow"),
    ],
)
def test_what_is_not_the_credentials_fault_does_not_blame_it(gateway: Any, ask: Any, name: str, words: str) -> None:
    """The words say who answered, and neither secret nor token."""
    status, body, headers, _ = NO_RUN[name]
    gateway.answers(status, body, **headers)
    with pytest.raises(InfrastructureError) as caught:
        ask(origin=gateway.origin, secret="FAKE-secret")
    assert str(caught.value).startswith(words)
    assert "the webhook secret" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_firewall_before_the_check_of_the_token_does_not_blame_it(gateway: Any, ask: Any, status: int) -> None:
    """No run is started, and the error shows the refusal of the check; JSON still means that the token is wrong."""
    gateway.answers(200, RUN)
    gateway.check = (status, {"Content-Type": "text/html"}, gzip.compress(PAGE))
    gateway.check[1]["Content-Encoding"] = "gzip"
    with pytest.raises(
        Rejected, match=r"^GET /api/v1/status was refused before Wisebot answered \(text/html\)"
    ) as caught:
        ask(Api.DASHBOARD, base_url=gateway.origin, token="FAKE-token")
    assert (type(caught.value), caught.value.attempts, gateway.got) == (Rejected, 0, [])
    assert "Sorry, you have been blocked" in (caught.value.excerpt or "")
    assert caught.value.trace == gateway.checks[0]["traceparent"]
    gateway.check = (status, {"Content-Type": "application/json"}, b"{}")
    with pytest.raises(AuthenticationFailed, match=r"^the token \(.*\) was refused by GET /api/v1/status"):
        ask(Api.DASHBOARD, base_url=gateway.origin, token="FAKE-token")
    assert gateway.got == []


# --- packed


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


SENT = json.dumps(RUN).encode()
HALF = len(SENT) // 2
PACKED: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(SENT)),
    "x-gzip": ("X-GZIP", gzip.compress(SENT)),
    "gzip of several members": ("gzip", gzip.compress(SENT[:HALF]) + gzip.compress(b"") + gzip.compress(SENT[HALF:])),
    "gzip with padding": ("gzip", gzip.compress(SENT) + b"\0" * 512),
    "deflate": ("deflate", zlib.compress(SENT)),
    "deflate without a frame": ("deflate", deflated(SENT)),
    "one within the other": ("deflate, identity, gzip", gzip.compress(zlib.compress(SENT))),
    "an unknown name": ("UTF-8", SENT),
    "an unknown name beside gzip": ("utf-8, gzip", gzip.compress(SENT)),
    "gzip that a proxy has unpacked": ("gzip", SENT),
    "deflate that a proxy has unpacked": ("deflate", SENT),
    "identity": ("identity", SENT),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_packed_answer_is_unpacked(gateway: Any, ask: Any, name: str) -> None:
    """Identity is asked for; what comes packed all the same, or is wrongly called so, is a run."""
    encoding, body = PACKED[name]
    gateway.answers(200, body, content_encoding=encoding)
    assert ask(origin=gateway.origin, secret="FAKE-secret").result == {"a": 1}
    assert gateway.got[0]["accept-encoding"] == "identity"


BOMB = gzip.compress(b'{"ok": true, "result": "' + b"x" * 5_000_000)
UNREADABLE: dict[str, tuple[str, bytes, str]] = {
    "bomb": ("gzip", BOMB, r"is larger than 1 MiB \(gzip, unpacked\)"),
    "bomb within": ("gzip, gzip", gzip.compress(BOMB), r"is larger than 1 MiB \(gzip, unpacked\)"),
    "bomb of deflate": ("deflate", zlib.compress(b"x" * 5_000_000), r"is larger than 1 MiB \(deflate, unpacked\)"),
    "cut": ("gzip", gzip.compress(SENT)[:-12], r"is packed \(gzip\), and cut short"),
    "without its check sum": ("gzip", gzip.compress(SENT)[:-3], r"is packed \(gzip\), and cut short"),
    "damaged": ("gzip", gzip.compress(SENT)[:-8] + b"\xff" * 8, r"is packed \(gzip\), and damaged"),
    "deflate that is none": ("deflate", b"\xff\xfe\x00garbage", r"is packed \(deflate\), and damaged"),
    "many members": ("gzip", gzip.compress(b"") * 1001, r"is packed \(gzip\) in more than 1000 parts"),
    "br": ("br", b"\x8b\x02\x80\x00\xff\x03", r"is packed \(br\), which cannot be unpacked"),
    "zstd": ("zstd", b"\x28\xb5\x2f\xfd\x00\x00", r"is packed \(zstd\), which cannot be unpacked"),
    "unknown, and no JSON": ("utf-8", b"hello", r"is not valid JSON .* \(Content-Encoding: utf-8\)"),
    "unknown, and empty": ("br", b"", "is empty"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_unpacked_says_why(gateway: Any, ask: Any, name: str) -> None:
    """It is reported as such, and called empty only if nothing came."""
    encoding, body, words = UNREADABLE[name]
    gateway.answers(200, body, content_encoding=encoding)
    with pytest.raises(UnexpectedResponse, match=rf"^the answer {words} \(workflow") as caught:
        ask(origin=gateway.origin, secret="FAKE-secret")
    assert (", empty" in str(caught.value)) is (not body)
    assert len(caught.value.excerpt or "") <= 300


def test_an_error_page_is_unpacked_for_its_excerpt(gateway: Any, ask: Any) -> None:
    """A compressed answer is shown unpacked, up to where it is cut; one that cannot be read is not called empty."""
    page = b"<h1>bad gateway</h1>" + bytes(range(32, 127)) * 3
    shown = {
        gzip.compress(page): r"status 502: <h1>bad gateway</h1>",
        gzip.compress(page)[:-30]: r"status 502, its body is packed \(gzip\), and cut short: <h1>bad gateway",
        page: r"status 502: <h1>bad gateway</h1>",
    }
    for body, words in shown.items():
        gateway.answers(502, body, content_encoding="gzip")
        with pytest.raises(GatewayFailed, match=words):
            ask(origin=gateway.origin, secret="FAKE-secret")
    gateway.answers(401, b"\x8b\x02\x80\x00\xff\x03", content_encoding="br")
    with pytest.raises(
        AuthenticationFailed, match=r"status 401, its body is packed \(br\), which cannot be unpacked\n"
    ):
        ask(origin=gateway.origin, secret="FAKE-secret")
    gateway.answers(500, b"\x00\x01\x02")
    with pytest.raises(GatewayFailed, match=r"status 500, its body has no text\n"):
        ask(origin=gateway.origin, secret="FAKE-secret")


# --- the trace


def test_each_attempt_has_a_span_of_one_trace(gateway: Any, ask: Any) -> None:
    """The header has the form of W3C trace context, and an error names the attempt that it is about."""
    gateway.answers(503, b"", retry_after="0")
    with pytest.raises(ServiceUnavailable) as caught:
        ask(origin=gateway.origin, secret="FAKE-secret", idempotent=True)
    found = [re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", got["traceparent"]) for got in gateway.got]
    assert len(found) == 3
    assert len({one[1] for one in found if one}) == 1
    assert len({one[2] for one in found if one}) == 3
    assert caught.value.trace == gateway.got[-1]["traceparent"]
    assert not any("traceparent" in command for command in caught.value.attempted.commands)


def test_no_id_is_sent_where_the_settings_say_so(gateway: Any, ask: Any) -> None:
    """``trace = false`` leaves the header out, of runs and of the check of the token."""
    gateway.answers(502)
    with pytest.raises(GatewayFailed) as caught:
        ask(Api.DASHBOARD, base_url=gateway.origin, token="FAKE-token", trace=False)
    assert "traceparent" not in {*gateway.got[0], *gateway.checks[0]}
    assert (caught.value.trace, "traceparent" in str(caught.value)) == ("", False)


def test_what_was_not_sent_has_no_id(ask: Any) -> None:
    """Where no connection was made, no log has it."""
    with pytest.raises(InfrastructureError) as caught:
        ask(origin="http://127.0.0.1:9", secret="FAKE-secret", retries=0)
    assert caught.value.trace == ""
