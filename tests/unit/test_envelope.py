"""The answer on the wire: what is an envelope, what is none, and why."""

from __future__ import annotations

import json
import math
import tracemalloc
from contextlib import suppress
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.envelope import KEYS, Envelope, NoEnvelopeError, parse
from pytest_wisebot.runs import MAX_DEPTH

LONE = "\ud800"

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def parts(envelope: Envelope) -> dict[str, Any]:
    names = ("ok", "run_id", "result", "error", "has_result", "extra")
    return {name: getattr(envelope, name) for name in names}


def refusal(body: bytes) -> str:
    with pytest.raises(NoEnvelopeError) as caught:
        parse(body)
    return str(caught.value)


NOTHING: dict[str, Any] = {"run_id": None, "result": None, "error": None, "has_result": False, "extra": {}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"ok": true}', {"ok": True}),
        (b'{"ok": false}', {"ok": False}),
        (b' \r\n\t{"ok": true}\n ', {"ok": True}),
        (b'\xef\xbb\xbf{"ok": true}', {"ok": True}),
        (b'{"ok": true, "runId": "r-1"}', {"ok": True, "run_id": "r-1"}),
        (b'{"ok": true, "runId": ""}', {"ok": True, "run_id": ""}),
        (b'{"ok": true, "runId": null}', {"ok": True}),
        (b'{"ok": true, "runId": 7}', {"ok": True, "run_id": "7", "extra": {"runId": 7}}),
        (b'{"ok": true, "runId": false}', {"ok": True, "run_id": "false", "extra": {"runId": False}}),
        (b'{"ok": true, "runId": {"a": 1}}', {"ok": True, "run_id": '{"a": 1}', "extra": {"runId": {"a": 1}}}),
        (b'{"ok": true, "result": null}', {"ok": True, "has_result": True}),
        (b'{"ok": true, "result": 0}', {"ok": True, "result": 0, "has_result": True}),
        (b'{"ok": true, "result": [1, {"a": null}]}', {"ok": True, "result": [1, {"a": None}], "has_result": True}),
        (b'{"ok": false, "error": "no"}', {"ok": False, "error": "no"}),
        (b'{"ok": false, "error": {"code": 1}}', {"ok": False, "error": {"code": 1}}),
        (b'{"ok": false, "error": null}', {"ok": False}),
        (
            b'{"ok": false, "error": "no", "result": 1}',
            {"ok": False, "error": "no", "result": 1, "has_result": True},
        ),
        (b'{"ok": true, "cost": 1, "Ok": 2}', {"ok": True, "extra": {"cost": 1, "Ok": 2}}),
        (
            b'{"ok": true, "run_id": 1, "has_result": 2, "extra": 3}',
            {"ok": True, "extra": {"run_id": 1, "has_result": 2, "extra": 3}},
        ),
        ('{"ok": true, "result": "é 語 🎉"}'.encode(), {"ok": True, "result": "é 語 🎉", "has_result": True}),
        (b'{"ok": true, "result": "\\ud800"}', {"ok": True, "result": LONE, "has_result": True}),
        (b'{"ok": true, "\\ud800": {"\\udfff": 1}}', {"ok": True, "extra": {LONE: {"\udfff": 1}}}),
        (b'{"ok": true, "runId": "\\ud800"}', {"ok": True, "run_id": LONE}),
        (b'{"ok": true, "result": 1e308}', {"ok": True, "result": 1e308, "has_result": True}),
        (b'{"ok": true, "result": 1e-999}', {"ok": True, "result": 0.0, "has_result": True}),
        (b'{"ok": true, "result": "[[[{{{"}', {"ok": True, "result": "[[[{{{", "has_result": True}),
    ],
)
def test_an_object_with_a_boolean_ok_is_an_envelope(body: bytes, expected: dict[str, Any]) -> None:
    """Whatever else an answer holds, an object with a boolean ``ok`` is read, and nothing in it is lost."""
    assert parts(parse(body)) == NOTHING | expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b" \r\n\t", "is empty"),
        (b"\xff", "is not UTF-8 text (byte 0)"),
        (b'{"ok": true, "a": "\xe9"}', "is not UTF-8 text (byte 19)"),
        ('{"ok": true}'.encode("utf-16"), "is not UTF-8 text (byte 0)"),
        (b'{"ok": true, "a": "\xed\xa0\x80"}', "is not UTF-8 text (byte 19)"),
        (b"<html></html>", "is not valid JSON (Expecting value, line 1 column 1)"),
        (b"ok", "is not valid JSON (Expecting value, line 1 column 1)"),
        (b'{"ok": tru', "is not valid JSON (Expecting value, line 1 column 8)"),
        (b'{"ok": true', "is not valid JSON (Expecting ',' delimiter, line 1 column 12)"),
        (b'{"ok": true}\n{"ok": true}', "is not valid JSON (Extra data, line 2 column 1)"),
        (b"{'ok': true}", "is not valid JSON (Expecting property name enclosed in double quotes, line 1 column 2)"),
        (b'{"ok": true, "a": "\n"}', "is not valid JSON (Invalid control character at, line 1 column 20)"),
        (b'{"ok": true, "result": NaN}', "is not valid JSON: NaN is not a JSON number"),
        (b'{"ok": true, "result": [Infinity]}', "is not valid JSON: Infinity is not a JSON number"),
        (b'{"ok": true, "result": -Infinity}', "is not valid JSON: -Infinity is not a JSON number"),
        (b'{"ok": true, "a": 1e400}', "has the number 1e400, which is beyond what a float holds"),
        (b'{"ok": true, "a": -1e400}', "has the number -1e400, which is beyond what a float holds"),
        (
            b'{"ok": true, "a": ' + b"9" * 400 + b".5}",
            "has the number 99999999999999999999, which is beyond what a float holds",
        ),
        (b'{"ok": true, "a": ' + b"9" * 5000 + b"}", "has a number that is too long"),
        (b"null", "is JSON, but no object: NoneType"),
        (b"true", "is JSON, but no object: bool"),
        (b'"ok"', "is JSON, but no object: str"),
        (b"1", "is JSON, but no object: int"),
        (b'[{"ok": true}]', "is JSON, but no object: list"),
        (b"{}", 'is a JSON object without a boolean "ok"'),
        (b'{"runId": "r-1", "result": 1}', 'is a JSON object without a boolean "ok"'),
        (b'{"ok": "true"}', 'is a JSON object without a boolean "ok"'),
        (b'{"ok": 1}', 'is a JSON object without a boolean "ok"'),
        (b'{"ok": null}', 'is a JSON object without a boolean "ok"'),
        (b'{"OK": true}', 'is a JSON object without a boolean "ok"'),
    ],
)
def test_anything_else_is_none_and_the_reason_is_told(body: bytes, reason: str) -> None:
    """An answer that is no envelope is refused, with the reason in words that go on after "the answer …"."""
    assert refusal(body) == reason


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"ok": true, "ok": false}', 'the key "ok"'),
        (b'{"ok": true, "result": [{"n": 1, "m": 2, "n": 1}]}', 'the key "n"'),
        (b'{"ok": true, "result": {"%s": 1, "%s": 2}}' % (b"k" * 61, b"k" * 61), "a key"),
    ],
)
def test_a_key_that_is_given_twice_is_no_answer(body: bytes, key: str) -> None:
    """At any depth, also with equal values; the message names a short key."""
    assert refusal(body) == f"gives {key} twice in one object, of which a reader would see one value alone"


def test_a_refusal_has_no_chain_that_shows_the_answer() -> None:
    """A refusal does not drag along the parser's error, whose text may hold the whole answer."""
    with pytest.raises(NoEnvelopeError) as caught:
        parse(b'{"ok": CANARY}')

    assert caught.value.__suppress_context__
    assert "CANARY" not in str(caught.value)


# --- depth --------------------------------------------------------------------------------------------------------


def nested(levels: int, open_: bytes, close: bytes, inside: bytes) -> bytes:
    """An envelope of so many levels in all, its own object counted."""
    around = levels - 1
    return b'{"ok": true, "result": ' + open_ * around + inside + close * around + b"}"


@pytest.mark.parametrize(
    "inside", [b"", b'"[[[[{{{{"', b'"\\"[[["', b'"]]]]"'], ids=["empty", "open", "quote", "close"]
)
def test_two_hundred_levels_are_the_deepest(inside: bytes) -> None:
    """An answer of 200 levels is read, one of 201 is refused; brackets within texts do not count."""
    assert parse(nested(MAX_DEPTH, b"[", b"]", inside)).ok
    assert refusal(nested(MAX_DEPTH + 1, b"[", b"]", inside)) == "is nested deeper than 200 levels"


def test_objects_count_as_lists_do() -> None:
    """Levels of objects, or of objects and lists by turns, are counted alike."""
    assert parse(nested(MAX_DEPTH, b'{"a":', b"}", b"1")).ok
    assert refusal(nested(MAX_DEPTH + 1, b'{"a":', b"}", b"1")) == "is nested deeper than 200 levels"
    assert parse(nested(1, b"", b"", b'[{"a":[' * 66 + b"]}]" * 66)).ok
    assert refusal(nested(1, b"", b"", b'[{"a":[' * 67 + b"]}]" * 67)) == "is nested deeper than 200 levels"


def test_many_brackets_side_by_side_are_no_depth() -> None:
    """An answer may hold any number of lists and objects beside each other."""
    assert len(parse(b'{"ok": true, "result": [' + b"[{}]," * 5000 + b"1]}").result) == 5001


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * 1_000_000, "is nested deeper than 200 levels"),
        (b'{"a":' * 1_000_000, "is nested deeper than 200 levels"),
        (b'{"ok": true, "a": "' + b"[" * 300, "is not valid JSON (Unterminated string starting at, line 1 column 19)"),
        (
            b'{"ok": true, "a": "' + b"[" * 300 + b"\\",
            "is not valid JSON (Unterminated string starting at, line 1 column 19)",
        ),
        (b"]" * 1000 + b"[" * 150, "is not valid JSON (Expecting value, line 1 column 1)"),
    ],
    ids=["lists", "objects", "open-text", "open-escape", "closed-first"],
)
def test_a_hostile_text_ends_in_a_reason(body: bytes, reason: str) -> None:
    """Neither a million brackets nor a text that never ends exhausts the parser."""
    assert refusal(body) == reason


@pytest.mark.parametrize("filling", [b"x" * 500_000, b"\\n" * 250_000, b'","' * 125_000], ids=["x", "escape", "many"])
def test_counting_levels_takes_no_more_memory_than_the_answer(filling: bytes) -> None:
    """A large answer with many brackets is read in a small multiple of its own size."""
    body = b'{"ok": true, "a": [' + b"[]," * 300 + b'"' + filling + b'"]}'
    tracemalloc.start()
    try:
        assert parse(body).ok
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 40 * len(body)


# --- for any answer -----------------------------------------------------------------------------------------------


@given(
    data=st.fixed_dictionaries(
        {"ok": st.booleans()},
        optional={"runId": st.none() | st.text(), "result": JSON_VALUES, "error": JSON_VALUES},
    ),
    extra=st.dictionaries(st.text().filter(lambda key: key not in KEYS), JSON_VALUES, max_size=4),
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 3),
)
def test_any_object_with_a_boolean_ok_is_taken_apart(
    data: dict[str, Any], extra: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    """Any JSON object with a boolean ``ok``, written in any way, is parsed to its parts."""
    body = json.dumps(extra | data, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "backslashreplace")

    assert parts(parse(body)) == {
        "ok": data["ok"],
        "run_id": data.get("runId"),
        "result": data.get("result"),
        "error": data.get("error"),
        "has_result": "result" in data,
        "extra": extra,
    }


@given(st.binary(max_size=60))
def test_any_bytes_are_an_envelope_or_none(body: bytes) -> None:
    """Whatever a server answers, the outcome is an envelope or a reason, and never another error."""
    with suppress(NoEnvelopeError):
        assert isinstance(parse(body).ok, bool)


@given(JSON_VALUES.filter(lambda value: not isinstance(value, dict)))
def test_any_json_but_an_object_is_none(value: Any) -> None:
    """JSON of any other type is no envelope."""
    assert refusal(json.dumps(value).encode()) == f"is JSON, but no object: {type(value).__name__}"


def test_an_envelope_cannot_be_changed() -> None:
    """What came is what came."""
    envelope = parse(b'{"ok": true, "result": 1.5}')

    with pytest.raises(FrozenInstanceError):
        envelope.ok = False  # type: ignore[misc]
    assert math.isclose(envelope.result, 1.5)
