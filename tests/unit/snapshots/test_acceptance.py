"""What a stored snapshot accepts beyond its own text: placeholders of earlier versions, and the stored value itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pytest_wisebot.runs import WorkflowRun
from pytest_wisebot.snapshots.assertion import is_same
from pytest_wisebot.snapshots.failure import differences
from pytest_wisebot.snapshots.serialize import ComparisonContext, ComparisonOptions, SerializedValue, receive

NOON = datetime(2026, 11, 29, 14, 3, 27, tzinfo=UTC)
A = "6f1c2d3e-1111-4222-8333-444455556666"
B = "0b9d8c7a-aaaa-4bbb-9ccc-dddddddddddd"
OLD_UUID = "018f3a5e-7c1b-7def-8abc-0123456789ab"
OLD_ULID = "01HX5JZ9QK8R7T6W5V4N3M2P1A"
DUE = "2026-12-24T10:05:00Z"


def received(result: Any, at: datetime = NOON, **options: Any) -> SerializedValue:
    run = WorkflowRun(ok=True, workflow="w", result=result, started_at=at, elapsed=0.4)
    around = ComparisonContext(lambda data: data, str, runs=lambda: [run])
    return receive(run, ComparisonOptions(**options), around)


def compared(stored: Any, result: Any, at: datetime = NOON) -> tuple[bool, bool]:
    """Whether a snapshot accepts a result, and whether by placeholders of an earlier version."""
    value = received(result, at)
    same = is_same(value, json.dumps({"ok": True, "result": stored}))
    return same, value.is_earlier


@pytest.mark.parametrize(
    ("stored", "result"),
    [
        ("<timestamp:1>", NOON.isoformat()),
        ("<timestamp:7>", DUE),
        ("<timestamp:1>", (NOON + timedelta(days=7)).isoformat()),
        ("at <timestamp:1> until <timestamp:2>.", f"at {NOON.isoformat()} until {DUE}."),
        (["<timestamp:1>", "<timestamp:1>"], [NOON.isoformat(), DUE]),
        ("<epoch:1>", int(NOON.timestamp())),
        ("<epoch:1>", 1_767_225_600),
        ("<epoch-ms:3>", 1_767_225_600_000.25),
        ("<epoch:1>", "1767225600"),
        ({"duration": "<duration>"}, {"duration": 30}),
        ({"uptime": "<duration>"}, {"uptime": 99.95}),
        ({"took": "<duration>"}, {"took": "2h 5min 1.5 s"}),
        ({"took": "<duration:1>"}, {"took": 0.1}),
        ("<ulid:1>", OLD_ULID),
        (["<uuid:1>", "<uuid:2>", "<uuid:1>"], [OLD_UUID, A, OLD_UUID]),
        ({"<timestamp:1>": 1, "x": 2}, {DUE: 1, "x": 2}),
        ({"<timestamp:1>": 1, "x": 2}, {NOON.isoformat(): 1, "x": 2}),
    ],
)
def test_placeholders_of_earlier_versions_stay_green(stored: Any, result: Any) -> None:
    """Each accepts what it stood for: the clock, and what is an answer now."""
    assert compared(stored, result) == (True, True)


@pytest.mark.parametrize(
    ("stored", "result"),
    [
        ("<timestamp:1>", "soon"),
        ("<timestamp:1>", "2026-12-24"),
        ("<epoch:1>", "soon"),
        ("<duration>", "soon"),
        ("at <timestamp:1>.", f"by {DUE}."),
        (["<uuid:1>", "<uuid:1>"], [OLD_UUID, A]),
        (["<uuid:1>", "<uuid:2>"], [A, A]),
        ("<ulid:1>", A),
        ("<timestamp>", DUE),
        ("<timestamp+7d>", DUE),
        ("<epoch>", 1_767_225_600),
        ({"<timestamp:1>": 1}, {"other": 1}),
        (["<timestamp:1>"], [DUE, DUE]),
    ],
)
def test_nothing_else_is_accepted(stored: Any, result: Any) -> None:
    """Another kind of value, ids that are no longer the same or no longer different, and a moment for the clock."""
    assert compared(stored, result) == (False, False)


def test_the_stored_value_stays_equal_when_it_is_near_the_run() -> None:
    """An appointment at the very time of the test, and an input that was equal when it was recorded."""
    at_ten = datetime(2026, 12, 24, 10, 5, 1, tzinfo=UTC)
    assert compared({"due": DUE, "n": 1}, {"due": DUE, "n": 1}, at_ten) == (True, False)
    assert compared({"due": DUE, "n": 1}, {"due": "2026-12-24T10:06:00Z", "n": 1}, at_ten) == (False, False)
    assert compared(1_767_225_600, 1_767_225_600, datetime.fromtimestamp(1_767_225_601, UTC)) == (True, False)


def test_a_run_at_second_zero_is_like_any_other() -> None:
    """Zero seconds say that a moment was set by people: what was a clock or an expiry in another run is one here."""
    nightly = datetime(2026, 11, 29, 2, tzinfo=UTC)
    india = timezone(timedelta(hours=5, minutes=30))
    local = nightly.astimezone(india).strftime("%Y-%m-%d %H:%M:%S")
    assert compared("<timestamp+7d>", (nightly + timedelta(days=7)).isoformat(), nightly) == (True, False)
    assert compared("<timestamp+8d>", (nightly + timedelta(days=7)).isoformat(), nightly) == (False, False)
    assert compared("<timestamp>", local, nightly) == (True, False)


def test_a_difference_shows_what_changed_alone() -> None:
    """Not the numbers of earlier placeholders, whether the lists around them are as long as they were or not."""
    stored = {"at": "<timestamp:1>", "due": "<timestamp:2>", "rows": [{"at": "<timestamp:1>", "n": 1}], "price": 1}
    result = {
        "at": NOON.isoformat(),
        "due": DUE,
        "rows": [{"at": NOON.isoformat(), "n": 1}, {"at": NOON.isoformat(), "n": 2}],
        "price": 2,
    }
    value = received(result)
    text = json.dumps({"ok": True, "result": stored})
    assert not is_same(value, text)
    assert differences(text, value, whole=False) == [
        "result.price",
        "  - 1",
        "  + 2",
        "result.rows: 1 row added",
        '  + [1] {"at": "<timestamp>", "n": 2}',
    ]


def test_shapes_and_failed_rules_are_compared_as_ever() -> None:
    """A shape with a moment in a key is accepted; a broken rule never is."""
    value = received({NOON.isoformat(): 1}, shape=True)
    assert is_same(value, json.dumps({"ok": "<bool>", "result": {"<timestamp:1>": "<int>"}}))
    value = received({"n": 1}, rules={"n": 2})
    assert not is_same(value, json.dumps({"ok": True, "result": {"n": 1}}))


def test_numbers_are_their_digits() -> None:
    """Two numbers that are one float are two numbers."""
    from pytest_wisebot.envelope import parse

    def answered(number: str) -> Any:
        return parse(b'{"ok": true, "result": %s}' % number.encode()).result

    stored = str(received(answered("12345678901234567.89")))
    assert "12345678901234567.89" in stored
    assert is_same(received(answered("12345678901234567.89")), stored)
    assert not is_same(received(answered("12345678901234568.12")), stored)
    assert not is_same(received(answered("1e-400")), str(received(0.0)))
    assert is_same(received(answered("1.50")), str(received(1.5)))
    assert is_same(received(answered("0.10000000000000001")), str(received(0.1)))
