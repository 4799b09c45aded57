"""What a test sees of an answer is clean, once and from the beginning."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest

from pytest_wisebot import envelope
from pytest_wisebot.client import response
from pytest_wisebot.client.exchange import Received
from pytest_wisebot.client.response import LARGE, AnswerReader
from pytest_wisebot.envelope import Envelope
from pytest_wisebot.errors import Attempted
from pytest_wisebot.redaction import Redact, Redactor, Secret

CANARY = "CANARY-0123456789"
REDACTOR = Redactor([Secret(CANARY)], Redact(keys=("email",), paths=("result.name", "items[*].phone")))


def read(answer: dict[str, Any]) -> Envelope:
    received = Received(200, httpx.Headers(), json.dumps(answer).encode())
    asked = Attempted("echo", "webhook", "https://wisebot.example")
    found = asyncio.run(AnswerReader(REDACTOR).read(received, "the token", asked))
    assert isinstance(found, Envelope)
    return found


def test_result_error_and_what_is_beside_them_are_clean() -> None:
    """A credential that comes back, and what the project redacts, is in no part of a run."""
    found = read(
        {
            "ok": False,
            "runId": f"run-{CANARY}",
            "result": {"echo": f"Bearer {CANARY}", "name": "A", "email": 5, "items": [{"phone": "1"}, {}]},
            "error": {"message": CANARY, "email": "x", "code": 7},
            "trace": [CANARY],
        }
    )

    assert (found.ok, found.run_id, found.has_result) == (False, "run-<secret>", True)
    assert found.result == {
        "echo": "Bearer <secret>", "name": "<redacted>", "email": "<redacted>", "items": [{"phone": "<redacted>"}, {}]
    }  # fmt: skip
    assert found.error == {"message": "<secret>", "email": "<redacted>", "code": 7}
    assert found.extra == {"trace": ["<secret>"]}


@pytest.mark.parametrize(("answer", "has_result"), [({"ok": True}, False), ({"ok": True, "result": None}, True)])
def test_what_did_not_come_does_not_appear(answer: dict[str, Any], has_result: bool) -> None:
    """A result that was absent stays absent, and null stays null."""
    found = read(answer)

    assert (found.result, found.has_result, found.error, found.extra) == (None, has_result, None, {})


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_large_answer_is_cleaned_beside_the_other_runs(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A large result is cleaned in the thread that reads it: other runs' deadlines do not pay for it."""
    seen: list[threading.Thread] = []

    def parse(body: bytes) -> Envelope:
        seen.append(threading.current_thread())
        return envelope.parse(body)

    def clean(answer: dict[str, Any], _: object) -> dict[str, Any]:
        seen.append(threading.current_thread())
        return answer

    monkeypatch.setattr(response, "parse", parse)
    monkeypatch.setattr(REDACTOR, "clean_answer", clean)

    read({"ok": True, "result": "x" * size})

    in_main = size < LARGE
    assert [thread is threading.main_thread() for thread in seen] == [in_main, in_main]


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Sun, 29 Nov 2026 14:03:27 GMT", 0.0),
        ("Sun, 29 Nov 2026 14:03:26 GMT", 0.0),
        ("Sun, 29 Nov 2026 15:03:27 GMT", 3_600.0),
        ("Sun, 29 Nov 2026 13:03:27 GMT", -3_600.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_an_answer_says_how_far_ahead_the_servers_clock_is(date: str, ahead: float) -> None:
    """By its ``Date``, which has whole seconds; where it has none that can be read, both clocks are taken as one."""
    headers = httpx.Headers({"Date": date} if date else {})
    assert response.clock_ahead(Received(200, headers, b"", at=1_795_961_007.4)) == ahead
