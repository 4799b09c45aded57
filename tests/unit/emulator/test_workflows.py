"""Workflows as functions, credentials, refusals and calls, without sockets."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from pytest_wisebot.emulator import Call, Emulator, Fault, WorkflowFailure
from pytest_wisebot.emulator.http import Request
from pytest_wisebot.emulator.workflows import INTERNAL_ERROR
from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.runs import TEST_HEADER, Api

SECRET = "whsec_CANARY_secret"
TOKEN = "wb_live_CANARY_token"
RUN_ID = re.compile("run_[0-9a-f]{24}")
BOTH = pytest.mark.parametrize("api", list(Api))

Answer = tuple[int, dict[str, Any]]


@pytest.fixture
def emulator() -> Emulator:
    emulator = Emulator(token=TOKEN)

    @emulator.workflow("triage", secret=SECRET, inputs=("ticketId", "message"))
    def triage(ticketId: str, message: str = "none") -> dict[str, str]:  # noqa: N803 (an input's name)
        return {"ticket": ticketId, "message": message}

    return emulator


def target(api: Api, workflow: str) -> str:
    """The address that starts a workflow, as a careful client writes it."""
    segment = quote(workflow, safe="")
    return f"/workflows/trigger?workflowId={segment}" if api is Api.WEBHOOK else f"/api/v1/flow/{segment}"


def post(emulator: Emulator, api: Api, workflow: str, bag: Any = None, **headers: str) -> Answer:
    """Sends a run with the right credential, unless headers are given."""
    body = b"" if bag is None else json.dumps(bag if api is Api.WEBHOOK else {"inputs": bag}).encode()
    return send(emulator, api, target(api, workflow), body, **headers)


def send(emulator: Emulator, api: Api, where: str, body: bytes = b"", method: str = "POST", **headers: str) -> Answer:
    right = SECRET if api is Api.WEBHOOK else TOKEN
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = emulator.answer(api, Request(method, where, named or {"authorization": f"Bearer {right}"}, body))
    return reply.status, json.loads(reply.body)


def declared(function: Callable[..., Any], *fields: str) -> Emulator:
    """An emulator with one workflow, "w"."""
    emulator = Emulator(token=TOKEN)
    emulator.workflow("w", secret=SECRET, inputs=fields)(function)
    return emulator


def test_a_webhook_run_answers_ok_run_id_and_result(emulator: Emulator) -> None:
    """The webhook API takes a flat body and answers with exactly the keys that a success has."""
    status, envelope = post(emulator, Api.WEBHOOK, "triage", {"ticketId": "T-1"})
    assert status == 200
    assert RUN_ID.fullmatch(envelope.pop("runId"))
    assert envelope == {"ok": True, "result": {"ticket": "T-1", "message": "none"}}


def test_a_dashboard_run_answers_all_four_keys(emulator: Emulator) -> None:
    """The dashboard API takes the bag under ``inputs`` and always answers with all four documented keys."""
    status, envelope = post(emulator, Api.DASHBOARD, "triage", {"ticketId": "T-1"})
    assert status == 200
    assert RUN_ID.fullmatch(envelope.pop("runId"))
    assert envelope == {"ok": True, "result": {"ticket": "T-1", "message": "none"}, "error": None}


@BOTH
def test_the_body_is_optional(emulator: Emulator, api: Api) -> None:
    """A run without a body has an empty bag, over either API."""
    assert post(emulator, api, "triage")[1]["result"] == {"ticket": None, "message": "none"}


@BOTH
@pytest.mark.parametrize("error", ["unknown ticket", {"code": 7}, ["a"], None, 0])
def test_a_workflow_failure_is_a_run_that_failed(api: Api, error: Any) -> None:
    """A failed run is answered with 200, a runId and the error, whatever JSON value that is."""

    def fail() -> None:
        raise WorkflowFailure(error)

    status, envelope = post(declared(fail), api, "w")
    expected = {"ok": False, "error": error} | ({"result": None} if api is Api.DASHBOARD else {})
    assert RUN_ID.fullmatch(envelope.pop("runId"))
    assert (status, envelope) == (200, expected)


def _raise(error: BaseException) -> Any:
    raise error


@BOTH
@pytest.mark.parametrize(
    "function",
    [
        lambda: _raise(RuntimeError("CANARY inside")),
        lambda: _raise(SystemExit("CANARY inside")),
        lambda: _raise(asyncio.CancelledError("CANARY inside")),
        lambda: _raise(WorkflowFailure({"CANARY"})),
        lambda: float("nan"),
        lambda: {"CANARY": object()},
        lambda: iter(["CANARY"]),
    ],
    ids=["exception", "exit", "cancelled", "failure-not-json", "nan", "object", "iterator"],
)
def test_any_other_exception_is_answered_neutrally_and_logged(function: Callable[[], Any], api: Api) -> None:
    """What a function raises, or returns that is not JSON, shows in the log and never in the answer."""
    emulator = declared(function)
    status, envelope = post(emulator, api, "w")
    assert (status, envelope["ok"], envelope["error"]) == (200, False, INTERNAL_ERROR)
    assert "CANARY" not in json.dumps(envelope)
    log = emulator.log.text()
    assert log.startswith(f"workflow 'w', {envelope['runId']}:\nTraceback (most recent call last):")


def test_the_log_shows_no_credential() -> None:
    """A function that raises with the emulator's own credentials does not bring them into the log."""
    emulator = declared(lambda: _raise(RuntimeError(f"{SECRET} and {TOKEN}")))
    post(emulator, Api.WEBHOOK, "w")
    assert "RuntimeError: [masked] and [masked]" in emulator.log.text()


def test_the_log_is_bounded_and_feeds_its_sink() -> None:
    """The log keeps the last 1,000 lines, and its sink gets every text."""
    emulator, seen = Emulator(), list[str]()
    emulator.log.sink = seen.append
    for number in range(1500):
        emulator.log.write(f"line {number}")
    assert emulator.log.text().splitlines() == [f"line {number}" for number in range(500, 1500)]
    assert len(seen) == 1500


def whole(bag: Any) -> Any:
    return bag


def whole_named_inputs(inputs: Any) -> Any:
    return inputs


def one_keyword_only(*, text: Any = "none") -> Any:
    return {"text": text}


def one_with_a_default(text="none"):  # type: ignore[no-untyped-def]
    return {"text": text}


def one_annotated(text: str) -> Any:
    return {"text": text}


def one_field(message: Any) -> Any:
    return {"message": message}


def two_fields(message: Any, thread: Any = "new") -> Any:
    return {"message": message, "thread": thread}


def field_and_rest(message: Any, /, **rest: Any) -> Any:
    return {"message": message, "rest": rest}


def all_as_rest(**rest: Any) -> Any:
    return rest


async def awaited(message: Any, other: Any) -> Any:
    await asyncio.sleep(0)
    return [message, other]


@pytest.mark.parametrize(
    ("function", "bag", "result"),
    [
        (whole, {"message": 1, "b": 2}, {"message": 1, "b": 2}),
        (whole_named_inputs, {"inputs": 1, "b": 2}, {"inputs": 1, "b": 2}),
        (one_keyword_only, {"text": 1, "b": 2}, {"text": 1}),
        (one_keyword_only, {}, {"text": "none"}),
        (one_with_a_default, {"text": 1, "b": 2}, {"text": 1}),
        (one_with_a_default, {}, {"text": "none"}),
        (one_annotated, {"text": "a"}, {"text": "a"}),
        (one_field, {"message": 1, "b": 2}, {"message": 1}),
        (one_field, {}, {"message": None}),
        (two_fields, {"message": 1}, {"message": 1, "thread": "new"}),
        (two_fields, {"thread": None}, {"message": None, "thread": None}),
        (field_and_rest, {"message": 1, "b": 2}, {"message": 1, "rest": {"b": 2}}),
        (all_as_rest, {"message": 1, "b": 2}, {"message": 1, "b": 2}),
        (awaited, {"message": 1}, [1, None]),
        (lambda: "none", {"message": 1}, "none"),
    ],
)
def test_how_a_function_gets_its_bag(function: Callable[..., Any], bag: dict[str, Any], result: Any) -> None:
    """A sole undeclared parameter gets the whole bag; any other gets its field, its default, or None."""
    assert post(declared(function, "message", "inputs"), Api.WEBHOOK, "w", bag)[1]["result"] == result


def test_the_decorator_returns_the_function() -> None:
    """A declared function can still be called, and so tested, by itself."""
    assert Emulator().workflow("w")(whole) is whole


@BOTH
@pytest.mark.parametrize(
    "workflow", ["a/b", "../x", "..", "%2e", "?", "#", "a b", "a+b", "naïve ☃", "a&b=c", "\n", "%"]
)
def test_ids_of_any_characters(workflow: str, api: Api) -> None:
    """Whatever characters an id has, quoted in an address it names its workflow and no other."""
    emulator = Emulator(token=TOKEN)
    emulator.workflow(workflow, secret=SECRET)(lambda: "ran")
    assert post(emulator, api, workflow)[1].get("result") == "ran"
    assert [call.workflow for call in emulator.calls()] == [workflow]


def test_a_plus_in_the_query_is_a_space() -> None:
    """The query is decoded as a form is, so that a client must write a plus as %2B."""
    emulator = Emulator()
    emulator.workflow("a b", secret=SECRET)(lambda: "ran")
    assert send(emulator, Api.WEBHOOK, "/workflows/trigger?workflowId=a+b")[0] == 200


REFUSALS = [
    (Api.WEBHOOK, "/workflows/trigger?workflowId=no", "POST", b"", 404),
    (Api.WEBHOOK, "/workflows/trigger", "POST", b"", 400),
    (Api.WEBHOOK, "/workflows/trigger/?workflowId=triage", "POST", b"", 404),
    (Api.WEBHOOK, "/api/v1/flow/triage", "POST", b"", 404),
    (Api.WEBHOOK, "/api/v1/status", "GET", b"", 404),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "GET", b"", 405),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "POST", b"[1]", 400),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "POST", b"{", 400),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "POST", b'{"a": NaN}', 400),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "POST", b'{"a": -Infinity}', 400),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "POST", b'{"a": 1e999}', 400),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "POST", b'{"a": "\xff"}', 400),
    (Api.WEBHOOK, "/workflows/trigger?workflowId=triage", "POST", b'{"a": ' + b"[" * 100_000, 400),
    (Api.DASHBOARD, "/api/v1/flow/no", "POST", b"", 404),
    (Api.DASHBOARD, "/api/v1/flow/triage/more", "POST", b"", 404),
    (Api.DASHBOARD, "/api/v1/flow/", "POST", b"", 404),
    (Api.DASHBOARD, "/workflows/trigger?workflowId=triage", "POST", b"", 404),
    (Api.DASHBOARD, "/api/v1/flow/triage", "PUT", b"", 405),
    (Api.DASHBOARD, "/api/v1/status", "POST", b"", 405),
    (Api.DASHBOARD, "/api/v1/flow/triage", "POST", b'{"inputs": [1]}', 400),
    (Api.DASHBOARD, "/api/v1/flow/triage", "POST", b'{"inputs": null}', 400),
    (Api.DASHBOARD, "/api/v1/flow/triage", "POST", b"1", 400),
]


@pytest.mark.parametrize(("api", "where", "method", "body", "status"), REFUSALS)
def test_refusals_are_json_without_a_run(
    emulator: Emulator, api: Api, where: str, method: str, body: bytes, status: int
) -> None:
    """What cannot be run is refused with its status and a reason, and no function runs."""
    answered, envelope = send(emulator, api, where, body, method)
    assert (answered, sorted(envelope), envelope["ok"]) == (status, ["error", "ok"], False)
    assert not any(call.ran for call in emulator.calls())
    assert all(call.inputs is None for call in emulator.calls())


def test_an_unknown_workflow_is_answered_with_the_known_ones(emulator: Emulator) -> None:
    """A mistyped id is answered with the ids that exist, even before the credential is looked at."""
    assert post(emulator, Api.WEBHOOK, "traige", x_workflow_secret="FAKE wrong") == (
        404,
        {"ok": False, "error": "There is no workflow 'traige'. This emulator has 'triage'."},
    )


@pytest.mark.parametrize(
    ("api", "headers", "status"),
    [
        (Api.WEBHOOK, {"authorization": f"Bearer {SECRET}"}, 200),
        (Api.WEBHOOK, {"authorization": f"bearer {SECRET}"}, 200),
        (Api.WEBHOOK, {"x_workflow_secret": SECRET}, 200),
        (Api.WEBHOOK, {"authorization": f"Bearer {TOKEN}"}, 401),
        (Api.WEBHOOK, {"authorization": f"Bearer {TOKEN}", "x_workflow_secret": SECRET}, 401),
        (Api.WEBHOOK, {"authorization": f"Basic {SECRET}"}, 401),
        (Api.WEBHOOK, {"authorization": "Bearer FAKE_é_☃"}, 401),
        (Api.WEBHOOK, {"accept": "*/*"}, 401),
        (Api.DASHBOARD, {"authorization": f"Bearer {TOKEN}"}, 200),
        (Api.DASHBOARD, {"authorization": f"Bearer {SECRET}"}, 401),
        (Api.DASHBOARD, {"x_workflow_secret": SECRET}, 401),
        (Api.DASHBOARD, {"authorization": TOKEN}, 401),
        (Api.DASHBOARD, {"authorization": "Bearer eyJGQUtF.eyJGQUtF.FAKE"}, 401),
        (Api.DASHBOARD, {"accept": "*/*"}, 401),
    ],
)
def test_each_api_takes_its_own_credential_only(
    emulator: Emulator, api: Api, headers: dict[str, str], status: int
) -> None:
    """A secret opens the webhook API and a token the dashboard API, never the other way round."""
    assert post(emulator, api, "triage", {}, **headers)[0] == status


@pytest.mark.parametrize(("expires_in", "status"), [(60.0, 200), (-1.0, 401)])
def test_a_jwt_opens_the_dashboard_api_until_it_expires(emulator: Emulator, expires_in: float, status: int) -> None:
    """The emulator's own JWTs are a second kind of token, and expire."""
    bearer = f"Bearer {emulator.new_jwt(expires_in)}"
    assert post(emulator, Api.DASHBOARD, "triage", {}, authorization=bearer)[0] == status
    assert post(emulator, Api.WEBHOOK, "triage", {}, authorization=bearer)[0] == 401


def test_a_jwt_of_another_process_or_a_changed_one_is_refused(emulator: Emulator) -> None:
    """Only a JWT that this emulator signed, unchanged, is accepted."""
    head, claims, signature = emulator.new_jwt().split(".")
    changed = f"{head}.{claims[:-2]}AA.{signature}"
    for token in (Emulator().new_jwt(), changed, f"{head}.{claims}."):
        assert post(emulator, Api.DASHBOARD, "triage", {}, authorization=f"Bearer {token}")[0] == 401


@pytest.mark.parametrize(("credential", "status"), [(TOKEN, 200), (SECRET, 401)])
def test_the_status_check_starts_nothing(emulator: Emulator, credential: str, status: int) -> None:
    """``GET /api/v1/status`` shows whether a token is right; it is counted, and is not a call."""
    bearer = f"Bearer {credential}"
    assert send(emulator, Api.DASHBOARD, "/api/v1/status", method="GET", authorization=bearer)[0] == status
    assert (emulator.status_checks, emulator.calls()) == (1, [])


def test_a_webhook_that_is_switched_off(emulator: Emulator) -> None:
    """``webhook=False`` leaves the dashboard API as the only way to start a workflow."""
    emulator.workflow("internal", secret=SECRET, webhook=False)(lambda: "ran")
    assert post(emulator, Api.WEBHOOK, "internal")[0] == 403
    assert post(emulator, Api.DASHBOARD, "internal")[0] == 200


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"allow_ips": ["127.0.0.0/8"]}, 200),
        ({"allow_ips": ["10.0.0.0/8", "::1"]}, 403),
        ({"block_ips": ["127.0.0.1"]}, 403),
        ({"allow_ips": ["127.0.0.1"], "block_ips": ["127.0.0.0/8"]}, 403),
    ],
)
def test_ip_rules_hold_for_the_dashboard_api(emulator: Emulator, rules: dict[str, list[str]], status: int) -> None:
    """The allow and block lists are honoured by the dashboard API, which alone is documented to."""
    emulator.workflow("guarded", secret=SECRET, **rules)(lambda: "ran")  # type: ignore[arg-type]
    assert post(emulator, Api.DASHBOARD, "guarded")[0] == status
    assert post(emulator, Api.WEBHOOK, "guarded")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workflow_id": ""}, "workflow id: expected a non-empty string, got ''"),
        ({"workflow_id": 7}, "workflow id: expected a non-empty string, got 7"),
        ({"workflow_id": "\ud800"}, r"workflow id: expected a string without lone surrogates, got '\ud800'"),
        ({"inputs": "message"}, "workflow 'w': inputs: expected a list or tuple of strings, got 'message'"),
        ({"inputs": ["a", ""]}, "workflow 'w': inputs: expected a non-empty string, got ''"),
        ({"latency": -1}, "workflow 'w': latency: expected seconds, 0 or more, got -1"),
        ({"latency": float("nan")}, "workflow 'w': latency: expected seconds, 0 or more, got nan"),
        ({"latency": (2, 1)}, "workflow 'w': latency: expected seconds, or (low, high) in seconds, got (2, 1)"),
        ({"latency": (1,)}, "workflow 'w': latency: expected seconds, or (low, high) in seconds, got (1,)"),
        ({"webhook": "off"}, "workflow 'w': webhook: expected True or False, got 'off'"),
        (
            {"allow_ips": ["10.0.0"]},
            'workflow \'w\': allow_ips: expected IP addresses or networks such as "10.0.0.7" or "10.0.0.0/8", '
            "got '10.0.0'",
        ),
        ({"block_ips": "10.0.0.1"}, "workflow 'w': block_ips: expected a list or tuple of strings, got '10.0.0.1'"),
        (
            {"secret": "FAKE"},
            "workflow 'w': secret: expected at least 8 printable ASCII characters without spaces "
            "(not shown here, 4 characters long)",
        ),
        ({"secret": 7}, "workflow 'w': secret: expected a string, got a value of type int"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    """A wrong argument is an error with the wrong value and the right ones, and shows no secret."""
    workflow_id = arguments.pop("workflow_id", "w")
    with pytest.raises(ConfigurationError) as caught:
        Emulator().workflow(workflow_id, **arguments)
    assert str(caught.value) == message


def test_an_id_is_declared_once(emulator: Emulator) -> None:
    """A second workflow of the same id is an error, since one of the two would never run."""
    with pytest.raises(ConfigurationError, match="workflow 'triage': is declared already"):
        emulator.workflow("triage")


@pytest.mark.parametrize("function", [7, lambda *values: values])
def test_what_cannot_be_called_by_field_is_refused(function: Any) -> None:
    """A value that is not a function, or takes ``*args``, is refused when it is declared."""
    with pytest.raises(ConfigurationError, match="workflow 'w': expected "):
        Emulator().workflow("w")(function)


def test_credentials_are_random_unless_given() -> None:
    """Without a secret or token each emulator makes its own, recognisable by prefix."""
    first, second = Emulator(), Emulator()
    for emulator in (first, second):
        emulator.workflow("w")(whole)
    assert first.token.startswith("wb_live_emulator_")
    assert first.workflows["w"].secret.startswith("whsec_emulator_")
    assert first.token != second.token
    assert first.workflows["w"].secret != second.workflows["w"].secret
    assert first.workflows["w"].secret not in repr(first.workflows["w"])


def test_a_call_is_recorded_whole_and_without_credentials(emulator: Emulator) -> None:
    """A call tells what was sent and what became of it, with its credentials masked."""
    headers = {
        "authorization": f"Bearer {SECRET}",
        "x_workflow_secret": SECRET,
        "cookie": "session=CANARY",
        "proxy_authorization": "CANARYonly",
        TEST_HEADER.lower(): "test_a",
    }
    _, envelope = post(emulator, Api.WEBHOOK, "triage", {"ticketId": "é"}, **headers)
    (call,) = emulator.calls()
    assert call == Call(
        workflow="triage",
        api=Api.WEBHOOK,
        method="POST",
        path="/workflows/trigger?workflowId=triage",
        headers={
            "authorization": "Bearer [masked]",
            "x-workflow-secret": "[masked]",
            "cookie": "[masked]",
            "proxy-authorization": "[masked]",
            "x-wisebot-test": "test_a",
        },
        body='{"ticketId": "\\u00e9"}',
        received_at=call.received_at,
        inputs={"ticketId": "é"},
        status=200,
        ran=True,
        run_id=envelope["runId"],
        fault=None,
        test="test_a",
    )
    assert call.received_at.endswith("+00:00")
    assert Call.from_dict(json.loads(json.dumps(call.to_dict()))) == call


def test_a_call_is_recorded_before_its_answer(emulator: Emulator) -> None:
    """While a workflow function runs, its call is there already, without a status."""
    emulator.workflow("look", secret=SECRET)(lambda: [call.to_dict() for call in emulator.calls("look")])
    (seen,) = post(emulator, Api.WEBHOOK, "look")[1]["result"]
    assert (seen["status"], seen["ran"], seen["inputs"]) == (None, True, {})


def test_a_function_cannot_change_its_record() -> None:
    """What a function does to its bag leaves the recorded inputs as they arrived."""
    emulator = declared(lambda bag: bag["list"].clear())
    post(emulator, Api.WEBHOOK, "w", {"list": [1]})
    assert emulator.calls()[0].inputs == {"list": [1]}


def test_a_large_body_is_cut_in_its_record(emulator: Emulator) -> None:
    """The record keeps 64 KiB of a body; the workflow gets all of it."""
    post(emulator, Api.WEBHOOK, "triage", {"ticketId": "x" * 100_000})
    assert len(emulator.calls()[0].body) == 64 * 1024
    assert len(emulator.calls()[0].inputs["ticketId"]) == 100_000  # type: ignore[index]


def test_deep_bodies_are_refused_before_they_harm() -> None:
    """A body of 500 levels runs; one that is deeper, however deep, is a 400, and the calls can still be told."""
    emulator = declared(whole)
    statuses = [
        send(emulator, Api.WEBHOOK, target(Api.WEBHOOK, "w"), b'{"a":' + b"[" * depth + b"]" * depth + b"}")[0]
        for depth in (499, 500, 2_000, 100_000)
    ]
    assert statuses == [200, 400, 400, 400]
    assert [Call.from_dict(json.loads(json.dumps(call.to_dict()))) for call in emulator.calls()] == emulator.calls()


@BOTH
def test_lone_surrogates_survive(api: Api) -> None:
    """JSON's escape for half a character, which no UTF-8 can carry, comes back as it was sent."""
    assert post(declared(whole), api, "w", {"half": "\ud800"})[1]["result"] == {"half": "\ud800"}


def test_calls_and_reset_choose_by_workflow_and_test(emulator: Emulator) -> None:
    """Calls are found, and forgotten, by workflow and by the tag of their test; no tag is the empty one."""
    for tag in ("a", "b", ""):
        post(emulator, Api.WEBHOOK, "triage", {}, **{TEST_HEADER.lower(): tag})
    post(emulator, Api.WEBHOOK, "other")
    assert [call.test for call in emulator.calls()] == ["a", "b", "", ""]
    assert [call.test for call in emulator.calls("triage")] == ["a", "b", ""]
    assert [call.workflow for call in emulator.calls(test="")] == ["triage", "other"]
    emulator.reset("a")
    assert [call.test for call in emulator.calls()] == ["b", "", ""]
    emulator.reset()
    assert (emulator.calls(), emulator.peak, emulator.status_checks) == ([], 0, 0)


@pytest.fixture
def gathering() -> Iterator[tuple[Emulator, threading.Barrier]]:
    """An emulator whose workflow ends only when ten runs are in progress."""
    barrier = threading.Barrier(10)
    yield declared(lambda: barrier.wait(10) >= 0), barrier
    barrier.abort()


def test_the_peak_counts_what_is_in_progress_at_once(gathering: tuple[Emulator, threading.Barrier]) -> None:
    """Ten runs of which none ends before all have begun are a peak of ten, and every call of them is recorded."""
    emulator, _ = gathering
    threads = [threading.Thread(target=post, args=(emulator, Api.WEBHOOK, "w")) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert emulator.peak == 10
    assert [call.status for call in emulator.calls()] == [200] * 10


def test_a_delayed_request_is_in_progress(emulator: Emulator) -> None:
    """A request that a fault holds up counts among those in progress."""
    emulator.fail_next(Fault.delay(0))
    post(emulator, Api.WEBHOOK, "triage")
    assert emulator.peak == 1


def test_latency_is_waited_for_before_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run takes the declared time, or a random one between the two declared."""
    waited = list[float]()
    monkeypatch.setattr("pytest_wisebot.emulator.functions.time.sleep", waited.append)
    emulator = Emulator(token=TOKEN)
    emulator.workflow("fixed", secret=SECRET, latency=1.5)(lambda: None)
    emulator.workflow("random", secret=SECRET, latency=(2, 3))(lambda: None)
    post(emulator, Api.WEBHOOK, "fixed")
    post(emulator, Api.WEBHOOK, "random")
    assert waited[0] == 1.5
    assert 2 <= waited[1] <= 3
