"""The values that cross the rooms: input bags, runs, and how they are shown."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections import OrderedDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.runs import (
    MAX_DEPTH,
    Api,
    RunRequest,
    WorkflowRun,
    json_inputs,
    says_failed,
    says_unfinished,
)
from pytest_wisebot.text import brief, readable_json

LONE = "\ud800"

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Plain(enum.Enum):
    RED = "red"
    PAIR = ("a", 1)


class Mixed(str, enum.Enum):  # noqa: UP042 - what suites older than StrEnum have
    RED = "red"


class Text(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Masked(str):
    """A text that shows itself otherwise than it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "***"


class Opaque:
    def __repr__(self) -> str:
        return "<opaque>"


class Tall:
    def __repr__(self) -> str:
        return "   a  b\n0  1  2"


def nested(levels: int, inside: object = 1) -> dict[str, Any]:
    """An input bag of so many levels, ``inside`` not counted; the bag itself is the first."""
    value: Any = inside
    for _ in range(levels - 1):
        value = [value]
    return {"a": value}


def refusal(inputs: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        json_inputs(inputs)
    return str(caught.value)


# --- input bags: what is accepted ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "plain"),
    [
        (None, {}),
        ({}, {}),
        ({"a": None, "b": True, "c": 1, "d": 1.5, "e": "x"}, {"a": None, "b": True, "c": 1, "d": 1.5, "e": "x"}),
        ({"list": [1, [2]], "tuple": (1, (2,))}, {"list": [1, [2]], "tuple": [1, [2]]}),
        ({"empty": {}, "none": []}, {"empty": {}, "none": []}),
        (MappingProxyType({"a": MappingProxyType({"b": 1})}), {"a": {"b": 1}}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ({"": "empty key", " ": "space", "é": "ü", LONE: LONE}, {"": "empty key", " ": "space", "é": "ü", LONE: LONE}),
        ({"plain": Plain.RED, "mixed": Mixed.RED, "text": Text.RED}, {"plain": "red", "mixed": "red", "text": "red"}),
        ({"number": Number.ONE, "pair": Plain.PAIR}, {"number": 1, "pair": ["a", 1]}),
        ({Text.RED: 1}, {"red": 1}),
        ({"small": 5e-324, "large": 1.7976931348623157e308}, {"small": 5e-324, "large": 1.7976931348623157e308}),
    ],
)
def test_inputs_become_plain_json(inputs: object, plain: dict[str, Any]) -> None:
    """Whatever is JSON in spirit (tuples, mappings, enums) is sent as the plain JSON value it stands for."""
    assert json_inputs(inputs) == plain
    assert list(json_inputs(inputs)) == list(plain)


def types_in(value: object) -> set[type]:
    if isinstance(value, dict):
        return {dict}.union(*(types_in(key) | types_in(item) for key, item in value.items()))
    if isinstance(value, list):
        return {list}.union(*map(types_in, value))
    return {type(value)}


@pytest.mark.parametrize("value", [Text.RED, Mixed.RED, Number.ONE, Plain.PAIR, Masked("real"), (1,), OrderedDict(a=1)])
def test_inputs_hold_no_type_of_the_test(value: object) -> None:
    """A copied bag consists of JSON's own types, so that no class of the test travels with a run."""
    copied = json_inputs({"value": value, "list": [value]})

    assert types_in(copied) <= {dict, list, str, int, float, bool, type(None)}


def test_a_key_that_is_an_enum_with_text_is_its_value() -> None:
    """An enum member that is a text stands for its value as a key, as it does as a value."""
    assert json_inputs({Mixed.RED: 1}) == {"red": 1}


def test_a_text_is_sent_as_it_is_and_not_as_it_shows_itself() -> None:
    """A text whose class shows it otherwise (masked, say) is still sent as the text it is, as a value and as a key."""
    assert json_inputs({Masked("key"): Masked("value")}) == {"key": "value"}


def test_later_changes_of_the_tests_objects_do_not_reach_the_bag() -> None:
    """A bag is what it was when it was given: the test may go on changing its own lists and mappings."""
    inner, items = {"x": 1}, [1]
    inputs = {"inner": inner, "items": items}
    copied = json_inputs(inputs)

    inner["x"] = 2
    items.append(2)
    inputs["new"] = {}

    assert copied == {"inner": {"x": 1}, "items": [1]}


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_plain_json_comes_through_unchanged(inputs: dict[str, Any]) -> None:
    """Any plain JSON object is accepted and equal to its copy."""
    assert json_inputs(inputs) == inputs


# --- input bags: what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([1], "inputs: expected a mapping of field names to values, got list: [1]"),
        ("text", 'inputs: expected a mapping of field names to values, got str: "text"'),
        (0, "inputs: expected a mapping of field names to values, got int: 0"),
        (Opaque(), "inputs: expected a mapping of field names to values, got Opaque: <opaque>"),
        ({"a": math.nan}, "inputs.a: nan is not a JSON number"),
        ({"a": [math.inf]}, "inputs.a[0]: inf is not a JSON number"),
        ({"a": {"b c": -math.inf}}, "inputs.a['b c']: -inf is not a JSON number"),
        ({"a": {1}}, "inputs.a: set is not a JSON value: {1}"),
        ({"a": b"x"}, "inputs.a: bytes is not a JSON value: b'x'"),
        ({"a": bytearray(b"x")}, "inputs.a: bytearray is not a JSON value: bytearray(b'x')"),
        ({"a": Decimal("1.5")}, "inputs.a: Decimal is not a JSON value: Decimal('1.5')"),
        ({"a": 1j}, "inputs.a: complex is not a JSON value: 1j"),
        ({"a": dt.date(2026, 1, 2)}, "inputs.a: date is not a JSON value: datetime.date(2026, 1, 2)"),
        (
            {"a": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)},
            "inputs.a: datetime is not a JSON value: datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)",
        ),
        ({"a": [0, {"b": Opaque()}]}, "inputs.a[1].b: Opaque is not a JSON value: <opaque>"),
        ({1: "x"}, "inputs: a key must be a string, got int: 1"),
        ({"a": {None: "x"}}, "inputs.a: a key must be a string, got NoneType: null"),
        ({"a": [{(1, 2): "x"}]}, "inputs.a[0]: a key must be a string, got tuple: [1, 2]"),
        ({Plain.RED: 1}, "inputs: a key must be a string, got Plain: <Plain.RED: 'red'>"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(inputs: object, message: str) -> None:
    """A value that no JSON can carry is refused before anything is sent, with the path to it and what it is."""
    assert refusal(inputs) == message


def test_a_long_wrong_value_is_shown_in_part() -> None:
    """A wrong value of any size makes a message of one readable line."""
    assert refusal(["x" * 500]) == (
        f'inputs: expected a mapping of field names to values, got list: ["{"x" * 93} … {"x" * 18}"]'
    )


def test_a_value_that_shows_itself_on_several_lines_is_told_in_one() -> None:
    """A table or an array as an input does not tear the message apart."""
    message = refusal({"frame": Tall()})

    assert message.startswith("inputs.frame: Tall is not a JSON value: ")
    assert len(message.splitlines()) == 1


def test_an_integer_that_cannot_be_written_is_refused() -> None:
    """A number of more digits than Python writes out is refused as an input, and not with a traceback at sending."""
    message = refusal({"n": 10**5000})

    assert message.startswith("inputs.n: ")
    assert "\n" not in message


@pytest.mark.parametrize("inside", [1, "x", None], ids=["number", "text", "null"])
def test_two_hundred_levels_are_the_deepest(inside: object) -> None:
    """An input bag of 200 levels is sent, one of 201 is refused."""
    assert json_inputs(nested(MAX_DEPTH, inside)) == nested(MAX_DEPTH, inside)
    assert refusal(nested(MAX_DEPTH + 1, inside)) == "inputs: nested deeper than 200 levels"


@pytest.mark.parametrize("inside", [[], {}, ()], ids=["list", "mapping", "tuple"])
def test_an_empty_container_is_a_level_too(inside: object) -> None:
    """A level counts whether something is in it or not."""
    assert json_inputs(nested(MAX_DEPTH - 1, inside)) == nested(MAX_DEPTH - 1, [] if inside == () else inside)
    assert refusal(nested(MAX_DEPTH, inside)) == "inputs: nested deeper than 200 levels"


def test_a_bag_that_holds_itself_is_refused() -> None:
    """A cycle, through a mapping or a list, ends in a message and not in an endless walk."""
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    items: list[Any] = []
    items.extend([items, items])

    assert refusal(mapping) == "inputs: nested deeper than 200 levels"
    assert refusal({"items": items}) == "inputs: nested deeper than 200 levels"


# --- runs ---------------------------------------------------------------------------------------------------------

STARTED = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)


def full_run(**changes: Any) -> WorkflowRun:
    values: dict[str, Any] = {
        "ok": False,
        "workflow": "triage",
        "api": Api.DASHBOARD,
        "run_id": "r-1",
        "result": {"a": [1, None, LONE]},
        "has_result": True,
        "error": {"code": LONE},
        "extra": {LONE: 1},
        "workflow_id": "k57",
        "inputs": {"message": f"a{LONE}b", "\udfff": [1.5]},
        "status_code": 500,
        "started_at": STARTED,
        "elapsed": 1.25,
        "attempts": 3,
        "source": "emulator",
        "trial": 4,
        "environment": "staging",
        "commands": ("curl one", "wisebot two"),
    }
    return WorkflowRun(**{**values, **changes})


@pytest.mark.parametrize(
    "run",
    [
        full_run(),
        full_run(result=None, has_result=True),
        full_run(result=None, has_result=False),
        full_run(error=None, run_id=None, environment=None, commands=()),
        WorkflowRun(ok=True, workflow="w", api=Api.WEBHOOK),
        WorkflowRun(ok=True, workflow="w", api=Api.WEBHOOK, result=False),
    ],
)
def test_a_run_survives_being_written_down(run: WorkflowRun) -> None:
    """A run that is written as ASCII JSON and read again is equal to the first, lone surrogates and all."""
    written = json.dumps(run.to_dict(), ensure_ascii=True, allow_nan=False)

    read = WorkflowRun.from_dict(json.loads(written))

    assert read == run
    assert isinstance(read.api, Api)
    assert read.started_at.tzinfo is not None
    assert read.has_result == run.has_result


@given(result=JSON_VALUES, error=JSON_VALUES, inputs=st.dictionaries(st.text(), JSON_VALUES, max_size=3))
def test_any_json_in_a_run_survives_being_written_down(result: Any, error: Any, inputs: dict[str, Any]) -> None:
    """Whatever JSON a workflow answers, the run that was written down is equal to the one that was read."""
    run = full_run(result=result, error=error, inputs=inputs)

    assert WorkflowRun.from_dict(json.loads(json.dumps(run.to_dict(), ensure_ascii=True))) == run


def test_a_run_is_written_with_every_field() -> None:
    """What is written down is every attribute of the run, in JSON's own types."""
    written = full_run(inputs=MappingProxyType({"a": 1}), extra=MappingProxyType({LONE: 1})).to_dict()

    assert json.loads(json.dumps(written)) == written
    assert written == {
        "ok": False,
        "workflow": "triage",
        "api": "dashboard",
        "run_id": "r-1",
        "result": {"a": [1, None, LONE]},
        "has_result": True,
        "error": {"code": LONE},
        "extra": {LONE: 1},
        "workflow_id": "k57",
        "inputs": {"a": 1},
        "status_code": 500,
        "started_at": "2026-01-02T03:04:05.678901+00:00",
        "elapsed": 1.25,
        "clock_ahead": 0.0,
        "attempts": 3,
        "source": "emulator",
        "trial": 4,
        "environment": "staging",
        "first_source": None,
        "commands": ["curl one", "wisebot two"],
    }


@pytest.mark.parametrize("name", [field for field in WorkflowRun.__slots__ if field != "started_at"])
def test_no_attribute_of_a_run_can_be_set(name: str) -> None:
    """A run is what came back: no test can change it for the next."""
    with pytest.raises(AttributeError):
        setattr(full_run(), name, "changed")


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        ({}, False),
        ({"result": None}, False),
        ({"result": None, "has_result": True}, True),
        ({"result": 0}, True),
        ({"result": ""}, True),
        ({"result": []}, True),
        ({"result": {"a": 1}}, True),
    ],
)
def test_a_result_of_null_is_told_from_none(given_values: dict[str, Any], expected: bool) -> None:
    """``has_result`` tells a result that is null from an answer without one, and never contradicts a result."""
    assert WorkflowRun(ok=True, workflow="w", api=Api.WEBHOOK, **given_values).has_result is expected


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        (
            WorkflowRun(ok=True, workflow="triage", api=Api.WEBHOOK, run_id="r-1", elapsed=1.234),
            "<WorkflowRun triage (webhook, r-1, 1.23 s) ok>",
        ),
        (
            WorkflowRun(ok=False, workflow="triage", api=Api.DASHBOARD, error="unknown ticket"),
            '<WorkflowRun triage (dashboard, no runId, 0.00 s) failed: "unknown ticket">',
        ),
        (
            WorkflowRun(ok=False, workflow="w", api=Api.WEBHOOK, run_id="r", error={"a": "é\n\u202e"}),
            '<WorkflowRun w (webhook, r, 0.00 s) failed: {"a": "é\\n\\u202e"}>',
        ),
        (
            WorkflowRun(ok=False, workflow="w", api=Api.WEBHOOK, run_id="r", error="x" * 1000),
            f'<WorkflowRun w (webhook, r, 0.00 s) failed: "{"x" * 94} … {"x" * 19}">',
        ),
    ],
    ids=["ok", "failed", "control", "long"],
)
def test_a_run_shows_itself_in_one_short_line(run: WorkflowRun, shown: str) -> None:
    """In a failure's locals a run is one line: which workflow, which API, which run, how long, and how it ended."""
    assert repr(run) == shown


NO_ERROR: list[Any] = [None, False, 0, "", "  ", [], {}]
AGAINST: list[Any] = ["no", "false", True, 1, [None], {"message": ""}]


@pytest.mark.parametrize("error", [*NO_ERROR, *AGAINST], ids=repr)
def test_an_error_beside_ok_contradicts_it_unless_it_is_empty(error: Any) -> None:
    """Null, false, 0 and what is empty say that there is no error; a run that failed contradicts nothing."""
    run = full_run(ok=True, error=error, extra={}, status_code=200)

    assert run.contradiction == ("" if any(error is one for one in NO_ERROR) else f"error {json.dumps(error)}")
    assert WorkflowRun.from_dict(run.to_dict()).contradiction == run.contradiction
    assert repr(run).endswith(f"ok, contradicted by {run.contradiction}>" if run.contradiction else "ok>")
    assert full_run(ok=False, error=error).contradiction == ""


FAILED = (
    "failed FAILURE error errored partial Partial-Success partially_completed CompletedWithErrors cancelled canceled"
)
FAILED += " step_failed has-failed payment_error aborted timed_out timeout TimedOut crashed killed rejected expired"
FAILED += " incomplete"
UNFINISHED = (
    "queued Pending RUNNING accepted in_progress in-progress inprogress InProgress processing started scheduled"
)
UNFINISHED += " waiting submitted NotStarted not_started retrying paused"
NEITHER: list[Any] = [
    "",
    "ok",
    "succeeded",
    "completed",
    "done",
    "success",
    "200",
    "unfailing",
    "errorless",
    "not failed",
    "completed without error",
    "0 failed",
    None,
    500,
    ["failed"],
    {},
]


def test_a_status_is_read_in_any_spelling() -> None:
    """Case, and what stands between words, says nothing; what is no string says nothing either."""
    failed = [*FAILED.split(), " partial success ", "failed: step 3", "completed with errors", "Timed out"]
    unfinished = [*UNFINISHED.split(), " in progress ", "waiting for approval", "queued (3rd)"]
    found = {repr(said): (says_failed(said), says_unfinished(said)) for said in [*failed, *unfinished, *NEITHER]}

    expected = dict.fromkeys(map(repr, failed), (True, False)) | dict.fromkeys(map(repr, unfinished), (False, True))
    assert found == expected | dict.fromkeys(map(repr, NEITHER), (False, False))
    assert (
        full_run(ok=True, error=None, status_code=200, extra={"status": "partial"}).contradiction == 'status "partial"'
    )
    assert full_run(ok=True, error=None, status_code=200, extra={"status": "running"}).contradiction == ""


def test_a_run_does_not_show_its_inputs_or_commands() -> None:
    """The short form leaves out what may be large or private."""
    run = full_run(inputs={"a": "CANARY-input"}, commands=("CANARY-command",), result="CANARY-result")

    assert "CANARY" not in repr(run) + str(run)


class Triage(BaseModel):
    category: str
    priority: int


def test_a_result_is_read_as_a_type() -> None:
    """``result_as`` gives the result as a model, or as any type that pydantic knows."""
    run = full_run(ok=True, result={"category": "billing", "priority": "2"})

    assert run.result_as(Triage) == Triage(category="billing", priority=2)
    assert run.result_as(dict[str, str]) == {"category": "billing", "priority": "2"}


def test_a_result_of_another_shape_is_pydantics_error() -> None:
    """``result_as`` does not guess: a result of another shape raises pydantic's own error."""
    with pytest.raises(ValidationError) as caught:
        full_run(ok=True, result={"category": "billing"}).result_as(Triage)

    assert [(item["loc"], item["type"]) for item in caught.value.errors()] == [(("priority",), "missing")]


def test_a_request_has_no_inputs_unless_given() -> None:
    """A request for a workflow alone sends nothing but the request, over the webhook API."""
    request = RunRequest("triage")

    assert (request.inputs, request.api, request.timeout, request.secret, request.test) == (
        {},
        "webhook",
        None,
        None,
        "",
    )


# --- how values are shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ("é 語 🎉", '"é 語 🎉"'),
        ("a\nb\t\0\x7f\x9f", r'"a\nb\t\u0000\u007f\u009f"'),
        ("ascii\x7f", r'"ascii\u007f"'),
        ("\u202eabc\u2066", r'"\u202eabc\u2066"'),
        ("\u2028\u00a0\ufeff", r'"\u2028\u00a0\ufeff"'),
        (f"é{LONE}", r'"é\ud800"'),
        (LONE, r'"\ud800"'),
        ("\U000e0001", r'"\udb40\udc01"'),
        ({"é\x7f": ['"', "\\"]}, r'{"é\u007f": ["\"", "\\"]}'),
    ],
)
def test_json_for_people_keeps_letters_and_escapes_the_rest(value: object, text: str) -> None:
    """Letters of any script and emoji stay, what does not print or breaks UTF-8 is escaped, and it is still JSON."""
    assert readable_json(value) == text
    assert json.loads(text) == value
    text.encode()


@given(JSON_VALUES)
def test_json_for_people_is_json(value: Any) -> None:
    """Whatever the value, what people are shown is the same value as JSON, on one line and printable."""
    text = readable_json(value)

    assert json.loads(text) == value
    assert text.isprintable()


def test_json_for_people_may_be_indented() -> None:
    """Indented JSON keeps its own newlines, and escapes those of the texts in it."""
    assert readable_json({"é": "a\nb"}, indent=2) == '{\n  "é": "a\\nb"\n}'


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (None, 120, "null"),
        ({"a": 1}, 120, '{"a": 1}'),
        (Opaque(), 120, "<opaque>"),
        ([Opaque()], 120, "[<opaque>]"),
        ("x" * 118, 120, f'"{"x" * 118}"'),
        ("x" * 119, 120, f'"{"x" * 94} … {"x" * 19}"'),
        ("x" * 60, 40, f'"{"x" * 14} … {"x" * 19}"'),
    ],
)
def test_a_brief_value_is_json_within_its_limit(value: object, limit: int, text: str) -> None:
    """A short value is shown whole, a long one with its middle left out, never beyond the limit."""
    assert brief(value, limit) == text
    assert len(brief(value, limit)) <= limit


def test_a_brief_value_is_one_line() -> None:
    """A value is shown in one line, also when its own form has several."""
    assert len(brief(Tall()).splitlines()) == 1


def test_a_brief_value_may_hold_itself() -> None:
    """A value that holds itself is shown as Python shows it."""
    items: list[Any] = [1]
    items.append(items)

    assert brief(items) == "[1, [...]]"


def test_a_run_made_by_hand_is_as_one_that_came() -> None:
    """A test of one's own helpers can make a run of a few fields, with the API as plain text, and put it into a set."""
    run = WorkflowRun(ok=True, workflow="triage", api="dashboard", result={"a": 1})  # type: ignore[arg-type]

    assert run.api is Api.DASHBOARD
    assert run.has_result
    assert len({run, WorkflowRun.from_dict(run.to_dict())}) == 1


def test_a_run_from_another_version_is_read_as_far_as_it_is_known() -> None:
    """Keys that a later version added are left out, keys that an earlier one did not have take their defaults."""
    run = WorkflowRun.from_dict({"ok": False, "workflow": "triage", "api": "webhook", "cost": 3, "error": "no"})

    assert (run.ok, run.error, run.commands, run.attempts) == (False, "no", (), 1)


def test_the_result_of_a_failed_run_is_not_read() -> None:
    """``result_as`` of a failed run raises with the workflow's error, whatever its result is."""
    run = full_run(ok=False, error={"reason": "unknown\nticket"}, result={"category": "billing", "priority": 2})
    with pytest.raises(AssertionError) as caught:
        run.result_as(Triage)

    assert str(caught.value) == r'workflow "triage" failed: {"reason": "unknown\nticket"}, runId r-1'


@pytest.mark.parametrize("ok", [True, False])
def test_a_run_is_neither_true_nor_false(ok: bool) -> None:
    """``assert run`` would hold for a run that failed: it is refused, with what to write."""
    with pytest.raises(TypeError, match=r"^a run is neither true nor false: write assert_ok\(run\), or run\.ok$"):
        bool(full_run(ok=ok))
