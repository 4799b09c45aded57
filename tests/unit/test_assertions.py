"""The assertion helpers: what passes, and the whole message of each failure."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Annotated, Any, Literal, NewType, Optional

import pytest
from annotated_types import Ge
from dirty_equals import IsInt, IsList, IsPartialDict, IsPositiveInt, IsStr
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from pytest_wisebot.assertions import assert_envelope, assert_failed, assert_ok, assert_result
from pytest_wisebot.engine.pending import EngineCallbacks, PendingRun, Promise
from pytest_wisebot.errors import DIFFERENCE, ConfigurationError
from pytest_wisebot.runs import Api, RunRequest, WorkflowRun

COMMANDS = ("curl one", "wisebot two")
RUN = WorkflowRun(
    ok=True,
    workflow="triage",
    api=Api.WEBHOOK,
    run_id="r-1",
    result={"category": "billing", "priority": 2, "tags": ["a", "b"], "deep": {"x": {"y": True}}},
    inputs={"ticketId": "T-1"},
    commands=COMMANDS,
)
TAIL = '\n  runId: r-1, inputs: {"ticketId": "T-1"}\n  repeat: curl one\n  or: wisebot two'
HEAD = 'workflow "triage" over the webhook API: '


def run(**changes: Any) -> WorkflowRun:
    return dataclasses.replace(RUN, **changes)


def answering(result: Any) -> WorkflowRun:
    return run(result=result, has_result=True)


def failing(error: Any, **changes: Any) -> WorkflowRun:
    return run(**{"ok": False, "error": error, "result": None, "has_result": False, **changes})


def told(check: Any, *arguments: Any) -> str:
    """The whole message of a check that fails."""
    with pytest.raises(AssertionError) as caught:
        check(*arguments)
    return str(caught.value)


def differing(result: Any, expected: Any) -> list[str]:
    """The lines of the differences, without what stands around them."""
    head, *lines = told(assert_result, answering(result), expected).removesuffix(TAIL).splitlines()
    assert head == f"{HEAD}the result differs at {len(lines)} path{'s' if len(lines) > 1 else ''}"
    assert all(line.startswith("  ") for line in lines)
    return [line[2:] for line in lines]


# --- ok and failed ------------------------------------------------------------------------------------------------


def test_a_run_that_succeeded_is_ok() -> None:
    """A run that succeeded passes, with a result or without one."""
    assert_ok(RUN)
    assert_ok(run(result=None, has_result=False))


AGAINST: list[tuple[dict[str, Any], str]] = [
    ({"error": "step 3 failed"}, 'error "step 3 failed"'),
    ({"error": {"code": 0}}, 'error {"code": 0}'),
    ({"extra": {"status": "Partially_Completed"}}, 'status "Partially_Completed"'),
    ({"status_code": 500}, "HTTP status 500"),
    ({"error": True, "extra": {"status": "failed"}}, 'error true; status "failed"'),
]


@pytest.mark.parametrize(("changes", "against"), AGAINST)
def test_a_run_that_contradicts_its_own_ok_satisfies_nothing(changes: dict[str, Any], against: str) -> None:
    """Neither that it succeeded nor that it failed; ``ok`` stays what was sent."""
    odd = run(**changes)
    said = f"its answer contradicts itself: ok: true, beside {against}"
    assert odd.ok
    assert told(assert_ok, odd).splitlines()[0] == f"{HEAD}expected it to succeed, {said}"
    assert told(assert_result, odd, {"category": "billing"}).splitlines()[0] == f"{HEAD}expected it to succeed, {said}"
    assert told(assert_failed, odd).splitlines()[0] == f"{HEAD}expected it to fail, {said}"
    shown = json.dumps(changes.get("error", changes.get("extra", {}).get("status", changes.get("status_code"))))
    assert shown in told(assert_envelope, odd)


def test_a_run_that_failed_is_not_ok() -> None:
    """The message says which workflow, over which API, with which error, and how to repeat the run."""
    assert told(assert_ok, failing("unknown ticket")) == (
        f'{HEAD}expected it to succeed, it failed\n  error: "unknown ticket"{TAIL}'
    )


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"error": {"code": "é\n"}}, '\n  error: {"code": "é\\n"}\n  runId: r-1, inputs: {"ticketId": "T-1"}'),
        ({"run_id": None}, '\n  error: "no"\n  runId: none, inputs: {"ticketId": "T-1"}'),
        ({"inputs": {}}, '\n  error: "no"\n  runId: r-1, inputs: {}'),
        ({"error": None}, '\n  result: none\n  runId: r-1, inputs: {"ticketId": "T-1"}'),
        (
            {"error": None, "result": [1], "has_result": True},
            '\n  result: [1]\n  runId: r-1, inputs: {"ticketId": "T-1"}',
        ),
        (
            {"error": "x" * 2000},
            f'\n  error: "{"x" * 974} … {"x" * 19}"\n  runId: r-1, inputs: {{"ticketId": "T-1"}}',
        ),
        (
            {"inputs": {"a": "x" * 2000}},
            f'\n  error: "no"\n  runId: r-1, inputs: {{"a": "{"x" * 968} … {"x" * 18}"}}',
        ),
    ],
)
def test_a_failure_shows_what_there_is(changes: dict[str, Any], lines: str) -> None:
    """A failure shows error, result, runId and inputs as far as there are any, long ones with the middle left out."""
    assert told(assert_ok, failing(**{"error": "no", "commands": (), **changes})) == (
        f"{HEAD}expected it to succeed, it failed{lines}"
    )


@pytest.mark.parametrize(
    ("error", "match"),
    [
        ("unknown ticket", None),
        ("unknown ticket", ""),
        ("unknown ticket", "ticket"),
        ("unknown ticket", "^unknown .*t$"),
        ("one\ntwo", "(?m)^two$"),
        ({"code": 404, "text": "é"}, '"code": 404'),
        ({"code": 404, "text": "é"}, "é"),
        (["x" * 5000 + "here" + "x" * 5000], "here"),
        (None, None),
    ],
)
def test_a_run_that_failed_with_this_error_passes(error: object, match: str | None) -> None:
    """The pattern is found anywhere in the error, in its JSON where it is no text."""
    assert_failed(failing(error), match)


def test_a_run_that_succeeded_did_not_fail() -> None:
    """A run that succeeded where a failure was expected shows its result."""
    assert told(assert_failed, run(result={"a": 1}), "ticket") == (
        f'{HEAD}expected it to fail, it succeeded\n  result: {{"a": 1}}{TAIL}'
    )


@pytest.mark.parametrize(
    ("error", "match", "shown"),
    [
        ("unknown ticket", "refund", '\n  error: "unknown ticket"'),
        ("unknown ticket", "Unknown", '\n  error: "unknown ticket"'),
        ({"code": 404}, "405", '\n  error: {"code": 404}'),
        (None, "ticket", "\n  result: none"),
        (None, ".", "\n  result: none"),
    ],
)
def test_another_error_than_expected_is_shown(error: object, match: str, shown: str) -> None:
    """A failure with another error shows the pattern and the error; no error at all matches no pattern."""
    assert told(assert_failed, failing(error), match) == (
        f"{HEAD}it failed, but not with an error that matches {match!r}{shown}{TAIL}"
    )


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ("(", "match='(' is not a valid regular expression: missing ), unterminated subpattern at position 0"),
        ("*", "match='*' is not a valid regular expression: nothing to repeat at position 0"),
        ("[z-a]", "match='[z-a]' is not a valid regular expression: bad character range z-a at position 1"),
    ],
)
def test_a_pattern_that_is_none_is_the_users_mistake(match: str, message: str) -> None:
    """A pattern that is not a valid regular expression is told as such, and is not a verdict on the workflow."""
    with pytest.raises(ConfigurationError) as caught:
        assert_failed(failing("unknown ticket"), match)

    assert str(caught.value) == message


# --- results: mappings, lists, values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"category": "billing"},
        {"priority": 2, "category": "billing"},
        {"deep": {}},
        {"deep": {"x": {"y": True}}},
        {"tags": ["a", "b"]},
        {"tags": ("a", "b")},
        {"category": IsStr(regex="bill.*"), "priority": IsPositiveInt},
        {"tags": [IsStr, IsStr(max_length=1)]},
        {"tags": IsList("b", "a", check_order=False)},
        {"deep": IsPartialDict(x=IsPartialDict(y=True))},
        {"priority": 2.0},
        IsPartialDict(category="billing"),
        RUN.result,
    ],
)
def test_a_part_of_the_result_is_enough(expected: object) -> None:
    """The keys that are expected must be there and match, at every depth; the result comes back as it is."""
    assert assert_result(RUN, expected) is RUN.result


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, None),
        (1, 1),
        (1.0, 1),
        ("x", "x"),
        ([], []),
        ([{"a": 1, "b": 2}], [{"a": 1}]),
        (True, True),
        ("x", IsStr),
        (3, IsInt(ge=3)),
    ],
)
def test_a_result_of_any_type_may_be_expected(result: object, expected: object) -> None:
    """A result need not be an object."""
    assert assert_result(answering(result), expected) is result


@pytest.mark.parametrize(
    ("result", "expected", "lines"),
    [
        ({"a": 1}, {"a": 2}, ["$.a: expected 2, got 1"]),
        ({"a": 1}, {"b": 2}, ["$.b: expected 2, is missing"]),
        ({"a": None}, {"a": 1}, ["$.a: expected 1, got null"]),
        ({}, {"a": None}, ["$.a: expected null, is missing"]),
        (
            {"a": {"b": {"c": 1}}},
            {"a": {"b": {"c": 2, "d": 3}}},
            ["$.a.b.c: expected 2, got 1", "$.a.b.d: expected 3, is missing"],
        ),
        ({"a": 1}, {"a": {"b": 2}}, ['$.a: expected {"b": 2}, got 1']),
        ({"a": {"b": 2}}, {"a": 1}, ['$.a: expected 1, got {"b": 2}']),
        ({"a": [1, 2, 3]}, {"a": [1, 5, 3]}, ["$.a[1]: expected 5, got 2"]),
        ({"a": [1]}, {"a": [1, 2]}, ["$.a: expected 2 items, got 1"]),
        ([1, 2], [0], ["$: expected 1 items, got 2", "$[0]: expected 0, got 1"]),
        ([[{"a": 1}]], [[{"a": 2}]], ["$[0][0].a: expected 2, got 1"]),
        ({"a": "x"}, {"a": ["x"]}, ['$.a: expected ["x"], got "x"']),
        (
            {"a b": 1, "é": 1, "": 1},
            {"a b": 2, "é": 2, "": 2},
            ['$["a b"]: expected 2, got 1', "$.é: expected 2, got 1", '$[""]: expected 2, got 1'],
        ),
        ({"1": "x"}, {1: "x"}, ['$[1]: expected "x", is missing']),
        ({"a": True}, {"a": 1}, ["$.a: expected 1, got true"]),
        ({"a": 1}, {"a": True}, ["$.a: expected true, got 1"]),
        ({"a": 0}, {"a": False}, ["$.a: expected false, got 0"]),
        ({"a": [False]}, {"a": [0.0]}, ["$.a[0]: expected 0.0, got false"]),
        ({"a": "1"}, {"a": 1}, ['$.a: expected 1, got "1"']),
        ({"a": "x"}, {"a": "X"}, ['$.a: expected "X", got "x"']),
        ({"a": "é\n\u202e"}, {"a": "é"}, ['$.a: expected "é", got "é\\n\\u202e"']),
        ({"a": 1}, {"a": IsStr}, ["$.a: expected IsStr, got 1"]),
        ({"a": 1}, {"a": IsStr(min_length=40)}, ["$.a: expected IsStr(min_length=40), got 1"]),
        ({"a": 1}, {"b": IsStr()}, ["$.b: expected IsStr(), is missing"]),
        ({"a": {"b": 1}}, {"a": IsPartialDict(b=2)}, ['$.a: expected IsPartialDict(b=2), got {"b": 1}']),
        ({"a": 1, "b": 2}, {"a": IsInt, "b": IsStr}, ["$.b: expected IsStr, got 2"]),
        ({"a": [1, "x"]}, {"a": [IsInt(gt=5), IsStr]}, ["$.a[0]: expected IsInt(gt=5), got 1"]),
        (1, {"a": 1}, ['$: expected {"a": 1}, got 1']),
        (None, {}, ["$: expected {}, got null"]),
        ({"a": 1}, [1], ['$: expected [1], got {"a": 1}']),
        (1, {"a": IsStr}, ["$: expected {'a': IsStr}, got 1"]),
        (
            {"a": "x" * 200},
            {"a": "y" * 200},
            [f'$.a: expected "{"y" * 94} … {"y" * 19}", got "{"x" * 94} … {"x" * 19}"'],
        ),
    ],
)
def test_only_what_differs_is_shown(result: Any, expected: Any, lines: list[str]) -> None:
    """Each difference is a line: its path in the result, what was expected there and what came."""
    assert differing(result, expected) == lines


def test_one_difference_makes_a_whole_message() -> None:
    """A failure is complete: the workflow, the API, the difference, the run, its inputs and the commands."""
    assert told(assert_result, RUN, {"category": "shipping"}) == (
        f'{HEAD}the result differs at 1 path\n  $.category: expected "shipping", got "billing"{TAIL}'
    )


def test_a_dashboard_run_says_so() -> None:
    """The API that was asked stands in the message."""
    assert told(assert_result, run(api=Api.DASHBOARD, result=1), 2) == (
        'workflow "triage" over the dashboard API: the result differs at 1 path\n  $: expected 2, got 1' + TAIL
    )


def test_an_expected_value_that_matched_before_is_shown_as_it_was_written() -> None:
    """A dirty_equals value that several comparisons share is shown as it was written, and not as what it matched."""
    shared = IsInt(lt=5)
    assert_result(answering({"a": 1}), {"a": shared})

    assert differing({"a": 9}, {"a": shared}) == ["$.a: expected IsInt(lt=5), got 9"]
    assert differing([1, 9], [shared, shared]) == ["$[1]: expected IsInt(lt=5), got 9"]


@pytest.mark.parametrize(("count", "more"), [(59, None), (60, None), (61, "  … and 1 more"), (500, "  … and 440 more")])
def test_beyond_sixty_differences_are_counted(count: int, more: str | None) -> None:
    """Sixty differences are shown; of more it is said how many there are."""
    message = told(assert_result, answering([0] * count), [1] * count)

    shown = [f"  $[{index}]: expected 1, got 0" for index in range(min(count, 60))]
    assert (
        message == "\n".join([f"{HEAD}the result differs at {count} paths", *shown, *([more] if more else [])]) + TAIL
    )


def test_a_run_that_failed_has_no_expected_result() -> None:
    """A run that failed is told as a failure, with its error, and not as a difference."""
    assert told(assert_result, failing("unknown ticket"), {"a": 1}) == (
        f'{HEAD}expected it to succeed, it failed\n  error: "unknown ticket"{TAIL}'
    )


@pytest.mark.parametrize(
    ("expected", "shown"), [({"a": 1}, '{"a": 1}'), (None, "null"), ({"a": IsStr}, "{'a': IsStr}")]
)
def test_an_answer_without_a_result_is_told(expected: object, shown: str) -> None:
    """An answer without a result is not one whose result is null."""
    assert told(assert_result, run(result=None, has_result=False), expected) == (
        f"{HEAD}expected the result {shown}, the answer has none\n  result: none{TAIL}"
    )


# --- results: types -----------------------------------------------------------------------------------------------


class Inner(BaseModel):
    y: bool


class Triage(BaseModel):
    model_config = ConfigDict(extra="ignore")

    category: str
    priority: int
    deep: dict[str, Inner]


class Ticket(TypedDict):
    category: str


@dataclasses.dataclass
class Point:
    category: str
    priority: int


class Color(enum.Enum):
    RED = "red"


UserId = NewType("UserId", int)


def test_a_model_gives_the_parsed_result() -> None:
    """A model validates the result and comes back filled, so that the test goes on with its attributes."""
    triage = assert_result(RUN, Triage)

    assert triage == Triage(category="billing", priority=2, deep={"x": Inner(y=True)})
    assert triage.category == "billing"


@pytest.mark.parametrize(
    ("result", "kind", "value"),
    [
        ([1, "2"], list[int], [1, 2]),
        ({"a": "1"}, dict[str, int], {"a": 1}),
        (None, Optional[int], None),  # noqa: UP045 - the older form is in suites, too
        (None, int | None, None),
        ("red", Color, Color.RED),
        ("a", Literal["a", "b"], "a"),
        (3, Annotated[int, Ge(3)], 3),
        ({"category": "x"}, Ticket, {"category": "x"}),
        ({"category": "x", "priority": 1}, Point, Point("x", 1)),
        ("x", str, "x"),
        ({"a": 1}, dict, {"a": 1}),
        ([1], list, [1]),
        ("x", Any, "x"),
        ("7", UserId, 7),
    ],
)
def test_any_type_that_pydantic_knows_gives_its_value(result: object, kind: Any, value: object) -> None:
    """Not only models: any type that pydantic knows validates the result and gives the parsed value."""
    assert assert_result(answering(result), kind) == value


@pytest.mark.parametrize(
    ("result", "kind", "what", "lines"),
    [
        ({"category": 1}, Ticket, "Ticket", ["$.category: Input should be a valid string, got 1"]),
        ({}, Ticket, "Ticket", ["$.category: Field required, got {}"]),
        (
            {"category": "x", "priority": "high", "deep": {"a b": {"y": "?"}}},
            Triage,
            "Triage",
            [
                '$.priority: Input should be a valid integer, unable to parse string as an integer, got "high"',
                '$.deep["a b"].y: Input should be a valid boolean, unable to interpret input, got "?"',
            ],
        ),
        (
            [1, "x", None],
            list[int],
            "list[int]",
            [
                '$[1]: Input should be a valid integer, unable to parse string as an integer, got "x"',
                "$[2]: Input should be a valid integer, got null",
            ],
        ),
        ("c", Literal["a", "b"], "typing.Literal['a', 'b']", ["$: Input should be 'a' or 'b', got \"c\""]),
        ("blue", Color, "Color", ["$: Input should be 'red', got \"blue\""]),
        (1, str, "str", ["$: Input should be a valid string, got 1"]),
        (
            "x" * 500,
            int,
            "int",
            [
                "$: Input should be a valid integer, unable to parse string as an integer, got "
                f'"{"x" * 94} … {"x" * 19}"'
            ],
        ),
    ],
)
def test_a_result_of_another_type_shows_each_place(result: Any, kind: Any, what: str, lines: list[str]) -> None:
    """A result that is not of the type is told with every place that is wrong, why, and what came there."""
    assert (
        told(assert_result, answering(result), kind)
        == "\n".join([f"{HEAD}the result is no {what}", *(f"  {line}" for line in lines)]) + TAIL
    )


@pytest.mark.parametrize(
    ("result", "kind", "place"),
    [([], int | str, "$: "), ({"a": []}, dict[str, int | str], "$.a: "), ([1, None], list[int | str], "$[1]: ")],
)
def test_the_place_of_a_wrong_type_is_one_in_the_result(result: Any, kind: Any, place: str) -> None:
    """A path leads to a place in the result, also where several types were tried on it."""
    _, *lines = told(assert_result, answering(result), kind).removesuffix(TAIL).splitlines()

    assert lines
    assert all(line.startswith(f"  {place}") for line in lines)


@pytest.mark.parametrize(("count", "more"), [(10, ""), (11, "  … and 1 more\n"), (5000, "  … and 4990 more\n")])
def test_beyond_ten_errors_of_a_type_are_counted(count: int, more: str) -> None:
    """Ten errors of a type are shown, and the number of all: a list of rows has one for each."""
    message = told(assert_result, answering(["x"] * count), list[int])

    shown = "".join(f"  $[{index}]: {NO_INTEGER}\n" for index in range(10))
    number = f": {count} errors" if more else ""
    assert message == f"{HEAD}the result is no list[int]{number}\n{shown}{more.rstrip()}{TAIL}".replace("\n\n", "\n")


NO_INTEGER = 'Input should be a valid integer, unable to parse string as an integer, got "x"'


@pytest.mark.parametrize(
    ("check", "first"),
    [
        (lambda: assert_result(RUN, {"category": "other"}), '$.category: expected "other", got "billing"'),
        (
            lambda: assert_result(RUN, {"category": "other", "priority": 1, "x": 1}),
            '$.category: expected "other", got "billing" (and 2 more)',
        ),
        (lambda: assert_result(answering(["x"] * 30), list[int]), f"$[0]: {NO_INTEGER} (and 29 more)"),
        (lambda: assert_ok(failing("unknown ticket")), 'expected it to succeed, it failed: "unknown ticket"'),
        (lambda: assert_failed(RUN), "expected it to fail, it succeeded"),
        (
            lambda: assert_failed(failing("no"), match="ticket"),
            "it failed, but not with an error that matches 'ticket': \"no\"",
        ),
        (lambda: assert_envelope(run(extra={"cost": 1})), "cost: is not documented, got 1"),
    ],
)
def test_what_differs_first_is_known_by_itself(check: Any, first: str) -> None:
    """Where a line alone is shown, as in a short summary, it is the first difference, and how many more there are."""
    with pytest.raises(AssertionError) as caught:
        check()
    assert getattr(caught.value, DIFFERENCE) == first


# --- the envelope -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "right",
    [
        RUN,
        answering(None),
        failing("unknown ticket"),
        failing({"code": 1}),
        failing("unknown ticket", result={"partial": 1}, has_result=True),
    ],
)
def test_the_documented_envelope_passes(right: WorkflowRun) -> None:
    """The documented shape passes, of a run that succeeded and of one that failed."""
    assert_envelope(right)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (run(run_id=None), "runId: expected a string, got none"),
        (run(run_id=""), "runId: expected a string, got an empty one"),
        (run(run_id="7", extra={"runId": 7}), "runId: expected a string, got 7"),
        (run(result=None, has_result=False), "result: is missing, though the run succeeded"),
        (run(error="no"), 'error: the run succeeded, got "no"'),
        (failing(None), "error: expected a string or an object, got none"),
        (failing(404), "error: expected a string or an object, got 404"),
        (failing(["x"]), 'error: expected a string or an object, got ["x"]'),
        (run(extra={"cost": 1}), "cost: is not documented, got 1"),
        (run(extra={"cost": "x" * 200}), f'cost: is not documented, got "{"x" * 94} … {"x" * 19}"'),
    ],
)
def test_each_deviation_from_the_envelope_is_told(wrong: WorkflowRun, line: str) -> None:
    """Each drift of the API's own shape is told by the key and what came."""
    run_id = wrong.run_id or "none"
    error = "" if wrong.error is None else f"\n  error: {json.dumps(wrong.error)}"

    assert told(assert_envelope, wrong) == (
        f"{HEAD}the answer is not the documented envelope\n  {line}{error}{TAIL.replace('r-1', run_id)}"
    )


def test_all_deviations_are_told_at_once() -> None:
    """Several drifts make one message, a line for each."""
    wrong = run(run_id="7", error="no", result=None, has_result=False, extra={"runId": 7, "cost": 1, "trace": {}})

    assert told(assert_envelope, wrong) == (
        f"{HEAD}the answer is not the documented envelope\n"
        "  runId: expected a string, got 7\n"
        "  result: is missing, though the run succeeded\n"
        '  error: the run succeeded, got "no"\n'
        "  cost: is not documented, got 1\n"
        "  trace: is not documented, got {}\n"
        '  error: "no"' + TAIL.replace("r-1", "7")
    )


# --- what is no run -----------------------------------------------------------------------------------------------

CHECKS = [assert_ok, assert_failed, lambda run: assert_result(run, {}), assert_envelope]


@pytest.mark.parametrize("check", CHECKS, ids=["ok", "failed", "result", "envelope"])
def test_a_pending_run_is_to_be_waited_for(check: Any) -> None:
    """Who forgets to wait is told so, and gets no verdict."""
    pending = PendingRun(RunRequest("triage"), Promise(), EngineCallbacks(lambda: None, lambda: None))

    with pytest.raises(TypeError) as caught:
        check(pending)

    assert str(caught.value) == "expected a WorkflowRun, got PendingRun: wait() for it first"


@pytest.mark.parametrize("check", CHECKS, ids=["ok", "failed", "result", "envelope"])
@pytest.mark.parametrize(("wrong", "kind"), [(None, "NoneType"), ({"ok": True}, "dict"), ([RUN], "list")])
def test_anything_else_is_no_run(check: Any, wrong: object, kind: str) -> None:
    """What is no run at all is told by its type."""
    with pytest.raises(TypeError) as caught:
        check(wrong)

    assert str(caught.value) == f"expected a WorkflowRun, got {kind}"
