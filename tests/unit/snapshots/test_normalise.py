"""What differs from run to run becomes a placeholder that keeps identity, and what only looks like it stays."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from pytest_wisebot.snapshots import normalise as module
from pytest_wisebot.snapshots.json_codec import dumps
from pytest_wisebot.snapshots.moments import DAY, Nearness, Span
from pytest_wisebot.snapshots.normalise import NormaliserConfig

A = "6f1c2d3e-1111-4222-8333-444455556666"
B = "0b9d8c7a-aaaa-4bbb-9ccc-dddddddddddd"
ULID = "01HWSV8E5RQK8R7T6W5V4N3M2P"
SIGNED = "https://files.example/a.pdf?X-Amz-Signature=abc123&X-Amz-Expires=60"


AT = 1_714_559_400
RUN = Span(AT, AT + 5)
"""A run that began at 2024-05-01T10:30:00Z."""


def normalise(value: Any, spans: Any = (RUN,), **given: Any) -> Any:
    """The normalised value of a run."""
    return module.normalise(value, near=Nearness(spans), **given)


# --- identity


def test_equal_values_get_equal_numbers_in_order_of_appearance() -> None:
    """The order is that of the snapshot's own text: keys sorted, lists as they are."""
    value = {"z": A, "a": [B, A], "m": {"y": "2024-05-01T10:30:00Z", "b": "2024-05-01T10:30:01Z"}}

    assert normalise(value) == {
        "a": ["<uuid:1>", "<uuid:2>"],
        "m": {"b": "<timestamp>", "y": "<timestamp>"},
        "z": "<uuid:2>",
    }


def test_the_case_of_an_id_says_nothing() -> None:
    """A UUID in small and in large letters is one id, and so is a ULID."""
    assert normalise([A, A.upper(), ULID, ULID.lower()]) == ["<uuid:1>", "<uuid:1>", "<ulid:1>", "<ulid:1>"]


def test_parts_of_texts_are_replaced() -> None:
    """Within a text each volatile part gets its placeholder, in any number, with the text around it as it was."""
    text = f"Order {A} (was {B}) shipped 2024-05-01 10:30:00 as order_{A}; see {SIGNED}, or ask."

    assert normalise({"a": A, "text": text}) == {
        "a": "<uuid:1>",
        "text": "Order <uuid:1> (was <uuid:2>) shipped <timestamp> as order_<uuid:1>; see <url:1>, or ask.",
    }


def test_the_value_that_came_is_not_changed() -> None:
    """The test goes on with its own value."""
    value = {"id": A, "rows": [{"id": A}]}

    assert normalise(value)["rows"] == [{"id": "<uuid:1>"}]
    assert value == {"id": A, "rows": [{"id": A}]}


def test_keys_are_replaced_in_the_order_in_which_they_came() -> None:
    """An object keyed by ids: their sorted order would change with each run, the order in which they came does not."""
    assert normalise({A: 1, B: 2, "first": B}) == {"<uuid:1>": 1, "<uuid:2>": 2, "first": "<uuid:2>"}
    assert list(normalise({"x": 1, f"a {B}": 2, f"a {A}": 3})) == ["a <uuid:1>", "a <uuid:2>", "x"]


def test_no_key_is_lost() -> None:
    """Keys that become one, or another key's name, are kept apart."""
    assert normalise({A.upper(): 1, A: 2}) == {"<uuid:1>": 1, "<uuid:2>": 2}
    assert normalise({A: 1, "<uuid:1>": 2}) == {"<uuid:2>": 1, "<uuid:1>": 2}
    assert normalise({"run_abc": 1, "<run-id>": 2}, run_id="run_abc") == {"run_abc": 1, "<run-id>": 2}
    assert normalise({1: A, "1": A}) == {1: "<uuid:1>", "1": "<uuid:1>"}


def test_what_looks_like_a_placeholder_keeps_its_number_to_itself() -> None:
    """A text ``<uuid:1>`` that the workflow wrote is not taken for an id: no id of this value gets that number."""
    assert normalise([A, "<uuid:1>", B, "see <uuid:3>", "<uuid:x>"]) == [
        "<uuid:2>",
        "<uuid:1>",
        "<uuid:4>",
        "see <uuid:3>",
        "<uuid:x>",
    ]


def test_masks_are_left_to_redaction() -> None:
    """What redaction has taken out stays as redaction left it, and a URL with a mask in it is still one URL."""
    value = ["<secret>", "Bearer <secret>", "https://x.example/?token=<secret>&t=1714550400", "<redacted>"]

    assert normalise(value) == ["<secret>", "Bearer <secret>", "<url:1>", "<redacted>"]


@pytest.mark.parametrize("value", [A, f"id {A}", 5, None, True, "", [], {}])
def test_a_value_without_an_object_is_normalised_too(value: Any) -> None:
    """A snapshot of a single text or number is one like any other."""
    expected = value.replace(A, "<uuid:1>") if isinstance(value, str) else value

    assert normalise(value) == expected


def test_tuples_and_mappings_are_read_as_json() -> None:
    """What the writer takes for a list or an object is one here."""
    assert normalise(MappingProxyType({"a": (A, [B])})) == {"a": ["<uuid:1>", ["<uuid:2>"]]}


def test_what_is_too_deep_is_left_to_the_writer() -> None:
    """A value deeper than any snapshot may be is passed on, for the writer to refuse it, and is no RecursionError."""
    value: Any = A
    for _ in range(5000):
        value = [value]

    normalised = normalise(value)
    for _ in range(5000):
        (normalised,) = normalised
    assert normalised == A


# --- what is recognised


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        (A, "<uuid:1>"),
        ("018f33b4-3840-7def-8abc-0123456789ab", "<uuid:1>"),
        (f"urn:uuid:{A}", "urn:uuid:<uuid:1>"),
        (f"{{{A}}}", "{<uuid:1>}"),
        (f"tenant_{A}.json", "tenant_<uuid:1>.json"),
        (f"https://app.example/orders/{A}/items", "https://app.example/orders/<uuid:1>/items"),
        (f"<{A}@mail.example>", "<<uuid:1>@mail.example>"),
        (ULID, "<ulid:1>"),
        (f"order {ULID}.", "order <ulid:1>."),
        (ULID.lower(), "<ulid:1>"),
        ("user_01hwsv8e5rqk8r7t6w5v4n3m2p", "user_<ulid:1>"),
        ("2024-05-01T10:30:00Z", "<timestamp>"),
        ("2024-05-01t10:30:00z", "<timestamp>"),
        ("2024-05-01T12:30:00.123456789+02:00", "<timestamp>"),
        ("2024-05-01T05:00:00,5-0530", "<timestamp>"),
        ("2024-05-01T10:30:00", "<timestamp>"),
        ("2024-05-01T10:30Z", "<timestamp>"),
        ("2024-05-01T10:29:60Z", "<timestamp>"),
        ("2024-05-01T12:30:00+02:00[Europe/Berlin]", "<timestamp>[Europe/Berlin]"),
        ("2024-05-01 10:30:00", "<timestamp>"),
        ("2024-05-01 10:30:00.123456+00:00", "<timestamp>"),
        ("2024-05-01 10:30:00 UTC", "<timestamp>"),
        ("20240501T103000Z", "<timestamp>"),
        ("Wed, 01 May 2024 10:30:00 GMT", "<timestamp>"),
        ("Wed, 1 May 2024 12:30:00 +0200", "<timestamp>"),
        ("01 May 2024 12:30 CEST", "<timestamp>"),
        ("Wednesday, 01-May-24 10:30:00 GMT", "<timestamp>"),
        ("Wed May  1 10:30:00 2024", "<timestamp>"),
        ("Wed May  1 10:30:00 UTC 2024", "<timestamp>"),
        ("Wed May 01 2024 10:30:00 GMT+0000 (Coordinated Universal Time)", "<timestamp>"),
        ("log-2024-05-01T10:30:00Z.txt", "log-<timestamp>.txt"),
        ("from 2024-05-01T10:30:00Z to 2024-05-01T10:31:00Z", "from <timestamp> to <timestamp>"),
        (SIGNED, "<url:1>"),
        (f'<a href="{SIGNED}">', '<a href="<url:1>">'),
        (f"[file]({SIGNED}).", "[file](<url:1>)."),
        ("https://x.blob.example/c/f?sv=2022&sig=a%2Bb", "<url:1>"),
        ("https://x.example/cb#access_token=abc&state=1", "<url:1>"),
        ("https://x.example/reset?resetToken=abc", "<url:1>"),
        ("https://x.example/f?api_key=abc", "<url:1>"),
        ("https://user:word@x.example/f", "<url:1>"),
        ("https://u:p@h/", "<url:1>"),
        ("ws://h/?sig=x", "<url:1>"),
        ("https://FAKE0123456789abcdefgh@git.example/x.git", "<url:1>"),
        ("s3://bucket/key?X-Amz-Security-Token=a", "<url:1>"),
        ("postgres://app:word@db.example/app", "<url:1>"),
        (f"https://x.example/?token={A}&at=2024-05-01T10:30:00Z", "<url:1>"),
    ],
)
def test_what_is_volatile_by_its_shape(text: str, normalised: str) -> None:
    """UUIDs, ULIDs, timestamps of ISO 8601 and the RFCs, and URLs with a signature or a token, within texts too."""
    assert normalise(text) == normalised


@pytest.mark.parametrize(
    "text",
    [
        "12.50",
        "1,299.00 EUR",
        "+49 30 1234567",
        "+1 (555) 123-4567",
        "030-1234-5678-9012-3456",
        "1.2.3",
        "2024.11.1",
        "v2.0.0-rc.1+build.20240501",
        "2024-05-01",
        "May 1, 2024",
        "1 May 2024",
        "2024-05-01/2024-05-31",
        "2024-W18-3",
        "2024-05",
        "10:30",
        "16:45:00",
        "at 10:30:00 sharp",
        "Appointment on 2024-05-01 16:45",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "1985-03-02T00:00:00Z",
        "2024-13-01T10:30:00Z",
        "2024-05-32T10:30:00Z",
        "2024-05-01T25:30:00Z",
        "12024-05-01T10:30:00Z",
        "978-3-16-148410-0",
        "9783161484100",
        "DE89370400440532013000",
        "4111 1111 1111 1111",
        "01234567890123456789012345",
        "1714550400000",
        "#ff8800",
        "deadbee",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "d41d8cd98f00b204e9800998ecf8427e",
        "0123456789ABCDEFGHJKMNPQRS",
        "ABCDEFGHJKMNPQRSTVWXYZABCD",
        "01HWSV8E5RQK8R7T6W5V4N3M2PB",
        "01HWSV8E5RQK8R7T6W5V4N3M2U",
        "05HWSV8E5RQK8R7T6W5V4N3M2P",
        "x01HWSV8E5RQK8R7T6W5V4N3M2P",
        "order 01hwsv8e5rqk8r7t6w5v4n3m2p",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "6f1c2d3e-1111-4222-8333-44445555666",
        "6f1c2d3e-1111-4222-8333-4444555566667",
        "g6f1c2d3e-1111-4222-8333-444455556666",
        "somebody@mail.example",
        "mailto:somebody@mail.example",
        "https://shop.example/?code=SUMMER24&page=2",
        "http://h/?n=1",
        "https://x.example/?tokens=500&design=3&key=value",
        "https://x.example/?token=",
        "https://medium.example/@user/token-signature",
        "ssh://git@host.example/x.git",
        "https://x.example:8443/a?b=1#section",
        "ticket T-1",
        "PT5M",
        "350 ms",
        "<b>bold</b>",
        "<timestamp>",
        "Tuesday",
        "",
    ],
)
def test_what_only_looks_volatile_stays(text: str) -> None:
    """Prices, numbers of all kinds, versions, plain dates, sentinels, hashes and ordinary URLs are the result."""
    assert normalise({"field": text, "list": [text]}) == {"field": text, "list": [text]}


# --- keys that say so


@pytest.mark.parametrize(
    ("key", "value", "normalised"),
    [
        ("createdAt", 1714559400000, "<epoch-ms>"),
        ("created_at", 1714559400, "<epoch>"),
        ("CREATED-AT", 1714559400.25, "<epoch>"),
        ("_creationTime", 1714559400000.125, "<epoch-ms>"),
        ("timestamp", 1714559400000000, "<epoch-us>"),
        ("ts", 1714559400000000000, "<epoch-ns>"),
        ("timestampMs", 1714559400000, "<epoch-ms>"),
        ("whateverMs", 1714559400000, "<epoch-ms>"),
        ("expires", 1714559400, "<epoch>"),
        ("expiresAt", 1714559400, "<epoch>"),
        ("orderDate", 1714559400000, "<epoch-ms>"),
        ("timestamps", [1714559400000, 1714559400001, 1714559400000], ["<epoch-ms>", "<epoch-ms>", "<epoch-ms>"]),
        ("duration", 1.25, "<duration>"),
        ("durationMs", 350, "<duration>"),
        ("duration_in_seconds", 3, "<duration>"),
        ("elapsed", 0, "<duration>"),
        ("elapsedMS", 12, "<duration>"),
        ("latencies_s", [1, 2.5], ["<duration>", "<duration>"]),
        ("took", 17, "<duration>"),
        ("responseTime", 0.25, "<duration>"),
        ("executionTimeMs", 200, "<duration>"),
        ("time_taken_s", 4, "<duration>"),
        ("durationms", 4, "<duration>"),
        ("took", "350ms", "<duration>"),
        ("latency", "1.25 seconds", "<duration>"),
        ("duration", "PT3.2S", "<duration>"),
        ("elapsed", "PT0H0M3S", "<duration>"),
        ("duration", "0m 3s", "<duration>"),
        ("duration", "00:00:03.250", "<duration>"),
        ("x-runtime", "0.042117", "<duration>"),
        ("runTime", "0h 0min 1.5 s", "<duration>"),
        ("duration", {"ms": 12, "seconds": 3.5}, {"ms": "<duration>", "seconds": "<duration>"}),
        ("ts", "1714559400000", "<epoch-ms>"),
        ("createdAt", ["1714559400", "1714559400.5", "1714559400"], ["<epoch>", "<epoch>", "<epoch>"]),
        ("uuid", A.replace("-", "").upper(), "<uuid:1>"),
        ("orderGuid", "0123456789abcdef0123456789abcdef", "<uuid:1>"),
        ("orderId", "0123456789ab4def8123456789abcdef", "<uuid:1>"),
        ("ref", "0123456789ab4def8123456789abcdef", "<uuid:1>"),
        ("anything", 1714559401, "<epoch>"),
        ("n", 1714559401250, "<epoch-ms>"),
        ("slackTs", "1714559401.000200", "<epoch>"),
        ("validTo", 1714559402 + 30 * DAY, "<epoch+30d>"),
        ("csrfToken", "aB3dE5gH7jK9mN1p", "<token:1>"),
        ("sessionId", "sess_aB3dE5gH7jK9mN1p", "<session-id:1>"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c", "<trace-id:1>"),
        ("spanId", "b7ad6b7169203331", "<trace-id:1>"),
        ("x-request-id", "req_8Kd02mLs93Jd", "<request-id:1>"),
        ("set-cookie", "sid=aB3dE5gH7jK9mN1p; Path=/", "<cookie:1>"),
        ("lastSync", "2 minutes ago", "<relative-time>"),
        ("lastSync", "just now", "<relative-time>"),
        ("note", "seen a few seconds ago by Ann", "seen <relative-time> by Ann"),
        ("lastSync", "about 2 minutes ago", "<relative-time>"),
        ("lastSync", "Less than a minute ago", "<relative-time>"),
        ("lastSync", "3 min ago.", "<relative-time>."),
        ("lastSync", "5s ago", "<relative-time>"),
        ("lastSync", "Vor wenigen Sekunden", "<relative-time>"),
        ("lastSync", "il y a 2 minutes", "<relative-time>"),
        ("lastSync", "hace unos segundos", "<relative-time>"),
        ("lastSync", "há 2 minutos", "<relative-time>"),
        ("lastSync", "2 minuti fa", "<relative-time>"),
        ("lastSync", "2 minuten geleden", "<relative-time>"),
        ("photo", "/image/upload/v1714559401/cat.png", "/image/upload/v<epoch>/cat.png"),
        ("runTime", "0,49 s", "<duration>"),
        ("requestId", "4f9c1a7e", "<request-id:1>"),
        ("session_id", 7301928465019283746, "<session-id:1>"),
        ("connect.sid", "s%3AaB3dE5gH7jK9mN1p", "<session-id:1>"),
        ("at", "10:30:03", "<timestamp>"),
        ("note", "synced at 10:30:03, next at 16:45:00", "synced at <timestamp>, next at 16:45:00"),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.FAKE-signature_1", "<token:1>"),
        ("_id", "663219aaaaaaaaaaaaaaaaaa", "<objectid:1>"),
        ("messageId", ((AT * 1000 - 1_420_070_400_000) << 22) + 7, "<snowflake:1>"),
        ("count", ((AT * 1000 - 1_420_070_400_000) << 22) + 7, ((AT * 1000 - 1_420_070_400_000) << 22) + 7),
    ],
)
def test_what_is_volatile_by_its_key(key: str, value: object, normalised: object) -> None:
    """Numbers of the magnitude that their key speaks of, in whatever way its words are joined, and lists of them."""
    assert normalise({key: value}) == {key: normalised}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("createdAt", 1299),
        ("createdAt", 12.5),
        ("createdAt", -1714550400),
        ("createdAt", 978307200000),
        ("createdAt", "soon"),
        ("createdAt", "978307200000"),
        ("phone", "1714550400000"),
        ("uuid", "0" * 32),
        ("uuid", "0123456789abcdef0123456789abcdeF"),
        ("orderId", "0123456789abcdef0123456789abcdef"),
        ("checksum", "0123456789ab4def8123456789abcdef"),
        ("createdAt", True),
        ("createdAt", None),
        ("price", 1714550400),
        ("phone", 1714550400000),
        ("isbn", 9783161484100),
        ("id", 1714550400000),
        ("format", 1714550400),
        ("chat", 1714550400),
        ("items", 1714550400000),
        ("duration", "P3D"),
        ("duration", "3 days"),
        ("duration", "PT1H30M"),
        ("duration", -1),
        ("duration", True),
        ("duration", {"days": 3}),
        ("elapsed", 1e300),
        ("maxDuration", 30),
        ("timeoutMs", 30000),
        ("delayMs", 250),
        ("expiresIn", 3600),
        ("durationLimit", 30),
        ("count", 350),
        ("time", 12),
        ("score", 0.5),
        ("duration", 30),
        ("duration", "30 s"),
        ("durationMs", 30_000),
        ("elapsedSeconds", 30),
        ("uptime", 99.95),
        ("responseTime", 240),
        ("sla", {"responseTimeMs": 240, "latency": 0.25}),
        ("createdAt", 1714550400),
        ("renewal", 1767225600),
        ("createdAt", "1714550400"),
        ("session", "morning"),
        ("session", "internationalization-day"),
        ("session", "ANNUAL_CONFERENCE_2026"),
        ("session", "customersession1"),
        ("session", "Rechtsschutzversicherung"),
        ("session", "Angstschweißtherapie"),
        ("accountSid", "AC0123456789ab4def8123456789abcdef"),
        ("token", 4111111111),
        ("duration", 63.567),
        ("photo", "/image/upload/v1714550400/cat.png"),
        ("lastOrder", "4 weeks ago"),
        ("note", "vor 2 Tagen, il y a 2 ans, 2 anni fa"),
        ("version", "v1714559401b"),
        ("token", "EURO"),
        ("requestId", "request-4711"),
        ("nonce", 4711),
        ("etag", "0123456789ab4def8123456789abcdef"),
    ],
)
def test_numbers_that_no_key_speaks_of_stay(key: str, value: object) -> None:
    """A price under ``createdAt``, a number under a key that says nothing, a bound, true and false: all stay."""
    assert normalise({key: value}) == {key: value}
    assert type(normalise({key: value})[key]) is type(value)


def test_an_object_under_a_key_speaks_for_itself() -> None:
    """What a key says holds for the value and for a list's elements, and of what is deeper for units alone."""
    assert normalise({"duration": {"value": 5, "took": 5, "of": {"ms": 5}}, "price": {"s": 5}}) == {
        "duration": {"value": 5, "took": "<duration>", "of": {"ms": 5}},
        "price": {"s": 5},
    }


# --- the run's own id


def test_the_runs_id_is_replaced_wherever_it_stands() -> None:
    """As a whole, within texts and URLs and in keys, and not where it is a part of a longer word."""
    value = {
        "id": "run_abc123",
        "link": "https://app.example/runs/run_abc123/log",
        "run_abc123": "the run run_abc123, not run_abc1234",
    }

    assert normalise(value, run_id="run_abc123") == {
        "id": "<run-id>",
        "link": "https://app.example/runs/<run-id>/log",
        "<run-id>": "the run <run-id>, not run_abc1234",
    }


def test_a_run_id_that_is_a_uuid_is_known_in_both_cases() -> None:
    """The run's id goes before the ids of other things."""
    assert normalise([B, A, A.upper(), f"run {A}"], run_id=A) == ["<uuid:1>", "<run-id>", "<run-id>", "run <run-id>"]


def test_a_short_run_id_is_known_under_its_key_alone() -> None:
    """An id such as "42" would stand in prices too."""
    value = {"runId": "42", "price": "42", "n": 42, "text": "42 pieces", "run_id": 42}

    assert normalise(value, run_id="42") == {
        "runId": "<run-id>",
        "price": "42",
        "n": 42,
        "text": "42 pieces",
        "run_id": "<run-id>",
    }


@pytest.mark.parametrize("run_id", [None, ""])
def test_a_run_without_an_id(run_id: str | None) -> None:
    """When the answer had no id, nothing is taken for it."""
    value = {"runId": "", "run_id": None, "text": "run"}

    assert normalise(value, run_id=run_id) == value


def test_a_run_id_of_digits_is_known_as_a_number() -> None:
    """Some workflows write the id of a run as a number."""
    assert normalise({"a": 12345678, "b": 12345679}, run_id="12345678") == {"a": "<run-id>", "b": 12345679}


# --- what the run was told


def test_what_equals_an_input_stays() -> None:
    """Texts and numbers anywhere in the inputs are known, and the same values in the result are the result.

    A measured duration may be the same by chance.
    """
    inputs = {"order": A, "window": {"from": "2024-05-01T10:30:00Z", "minutes": [30, 1.52]}, "at": 1714559400000}
    value = {
        "order": A,
        "other": B,
        "from": "2024-05-01T10:30:00Z",
        "until": "2024-05-01T10:31:00Z",
        "took": 30,
        "elapsed": 31,
        "durations": [1.52, 30.0],
        "createdAt": 1714559400000,
        "updatedAt": 1714559400001,
    }

    assert normalise(value, inputs=inputs) == value | {
        "other": "<uuid:1>",
        "until": "<timestamp>",
        "took": "<duration>",
        "elapsed": "<duration>",
        "durations": ["<duration>", 30.0],
        "updatedAt": "<epoch-ms>",
    }


def test_a_part_of_a_text_that_equals_an_input_stays() -> None:
    """Within a text, what the run was asked about stays, whatever the case of an id, and all else is replaced."""
    text = f"Order {A.upper()} of 2024-05-01T10:30:00Z became {B}"

    assert normalise(text, inputs=[A, "2024-05-01T10:30:00Z"]) == (
        f"Order {A.upper()} of 2024-05-01T10:30:00Z became <uuid:1>"
    )


def test_what_stands_within_an_input_stays() -> None:
    """A question in words names ids and dates too, and those are known wherever they come back."""
    inputs = {"message": f"What happened to {A} at 2024-05-01 10:30:00? See {SIGNED}."}

    assert normalise([A, B, "2024-05-01 10:30:00", f"see {SIGNED}"], inputs=inputs) == [
        A,
        "<uuid:1>",
        "2024-05-01 10:30:00",
        f"see {SIGNED}",
    ]


def test_true_is_no_input_one() -> None:
    """An input of true does not make the number 1 known."""
    assert normalise({"took": 1}, inputs={"urgent": True}) == {"took": "<duration>"}
    assert normalise({"count": 1714559, "at": 1714559400}, inputs={"n": True}) == {
        "count": 1714559,
        "at": "<epoch>",
    }


def test_a_duration_may_equal_an_input_by_chance() -> None:
    """It was measured, and stays only where the input stands under the same key: there the workflow says it again."""
    inputs = {"n": 1, "text": "2 s", "trips": [{"duration": 1.25, "waits": {"latenciesMs": [3, 4]}}]}
    value = {"took": 1, "elapsed": "2 s", "tripMs": 30, "duration": 1.25, "durationMs": 30, "latenciesMs": [3, 4, 5]}
    assert normalise(value, inputs=inputs) == value | {
        "took": "<duration>",
        "elapsed": "<duration>",
        "durationMs": "<duration>",
        "latenciesMs": [3, 4, "<duration>"],
    }


# --- the project's habits


def test_keys_of_the_project() -> None:
    """Whatever stands under such a key gets a placeholder, but for null and an empty text, in any case of the key."""
    value = {
        "requestId": ["r-1", 2],
        "rows": [
            {"REQUESTID": "r-1"},
            {"requestid": "r-2"},
            {"requestId": "r-1"},
            {"requestId": 1},
            {"requestId": "1"},
        ],
        "none": {"requestId": None},
        "empty": {"requestId": ""},
    }

    assert normalise(value, habits=NormaliserConfig(keys={"requestId": "request"})) == {
        "requestId": "<request:1>",
        "rows": [
            {"REQUESTID": "<request:2>"},
            {"requestid": "<request:3>"},
            {"requestId": "<request:2>"},
            {"requestId": "<request:4>"},
            {"requestId": "<request:5>"},
        ],
        "none": {"requestId": None},
        "empty": {"requestId": ""},
    }


def test_the_moments_of_a_project_have_no_number() -> None:
    """A key that the project names after a moment is one like any other."""
    value = {"due": ["tomorrow", "2024-05-09"], "at": f"{AT}"}
    assert normalise(value, habits=NormaliserConfig(keys={"due": "timestamp"})) == {
        "due": "<timestamp>",
        "at": "<epoch>",
    }


def test_keys_of_the_project_are_matched_as_a_whole() -> None:
    """``request`` is not ``requestId``, and what equals an input is volatile all the same: the project says so."""
    habits = NormaliserConfig(keys={"request": "request"})

    assert normalise({"requestId": "r-1", "request": "told"}, inputs=["told"], habits=habits) == {
        "requestId": "r-1",
        "request": "<request:1>",
    }


def test_patterns_of_the_project() -> None:
    """A pattern replaces whole texts and parts of them, keeps identity, also where it equals an input."""
    habits = NormaliserConfig(patterns={"ticket": r"\bT-\d+\b", "batch": r"^batch/.*$"})

    assert normalise(
        {"a": "T-7", "b": "T-9 after T-7 and T-1", "c": "batch/x/y", "d": "a batch/x/y", "e": "for T-1", "T-9": 1},
        inputs={"ticketId": "T-1", "message": "for T-1"},
        habits=habits,
    ) == {
        "<ticket:1>": 1,
        "a": "<ticket:2>",
        "b": "<ticket:1> after <ticket:2> and <ticket:3>",
        "c": "<batch:1>",
        "d": "a batch/x/y",
        "e": "for <ticket:3>",
    }


def test_patterns_of_the_project_find_nothing_in_placeholders() -> None:
    """A greedy pattern breaks nothing that stands for something else, in the first pass or in the second."""
    habits = NormaliserConfig(patterns={"number": r"\d+", "word": "[a-z]+"})
    once = normalise({"text": f"7 of {SIGNED} <uuid:12> x7"}, habits=NormaliserConfig(patterns={"number": r"\d+"}))

    assert normalise("7 <uuid:12>", habits=habits) == "<number:1> <uuid:12>"
    assert once["text"].endswith("<uuid:12> x<number:1>")
    assert normalise(once, habits=NormaliserConfig(patterns={"number": r"\d+"})) == once


def test_a_pattern_of_the_project_may_cut_a_word() -> None:
    """What stands alone once a pattern has cut a word in two is recognised at once, not in the second pass."""
    habits = NormaliserConfig(patterns={"ending": "word$"})

    assert normalise("run_abc123word", run_id="run_abc123", habits=habits) == "<run-id><ending:1>"


def test_a_pattern_that_is_none_is_refused() -> None:
    """The error names the pattern and what is wrong with it."""
    with pytest.raises(ValueError, match="pattern") as raised:
        normalise({}, habits=NormaliserConfig(patterns={"ticket": "T-(\\d+"}))

    assert str(raised.value) == (
        "the pattern 'ticket': 'T-(\\\\d+' is not a valid regular expression: missing ), unterminated subpattern at "
        "position 2"
    )


@pytest.mark.parametrize("keep", ["rows[*].id", "id", "**.id", "$.rows[*].id"])
def test_what_the_project_keeps(keep: str) -> None:
    """A JSON path, or the name of a key at any depth, keeps the values there, and no other."""
    value = {"rows": [{"id": A, "by": A}]}

    assert normalise(value, habits=NormaliserConfig(keep=(keep,))) == {"rows": [{"id": A, "by": "<uuid:1>"}]}


def test_what_is_kept_is_kept_with_all_it_holds() -> None:
    """An object that is kept stays to its leaves; a key's name is compared exactly."""
    value = {"raw": {"at": A, A: [B]}, "Raw": A, "rows": [[A], [B]]}

    assert normalise(value, habits=NormaliserConfig(keep=("raw", "rows[1]"))) == {
        "raw": {"at": A, A: [B]},
        "Raw": "<uuid:1>",
        "rows": [["<uuid:1>"], [B]],
    }
    assert normalise(value, habits=NormaliserConfig(keep=("$",))) == value


def test_what_is_skipped_stays() -> None:
    """The text of a rule is not looked into, even where it looks like a volatile value."""
    text = f"IsStr(regex='{A}')"
    value = {"a": text, "rows": [{"a": text, "b": text}]}

    assert normalise(value, skip=frozenset({("a",), ("rows", 0, "b")})) == {
        "a": text,
        "rows": [{"a": "IsStr(regex='<uuid:1>')", "b": text}],
    }
    assert normalise(A, skip=frozenset({()})) == A


# --- together


def test_the_text_of_a_snapshot_numbers_from_the_top() -> None:
    """Read from the top, each kind's numbers begin with 1 and none is met before a smaller one."""
    rows = [{"id": f"{number:08x}-0000-4000-8000-000000000001", "by": A} for number in range(1, 13)]

    text = dumps(normalise({"rows": rows, "last": rows[-1]["id"]}))

    first = list(dict.fromkeys(word.strip('",') for word in text.split() if "uuid" in word))
    assert first == [f"<uuid:{number}>" for number in range(1, 14)]
