"""Answers that a hostile server may give, at random, over both APIs: a run or a named error, and nothing else happens.

The seed is printed where a test fails; ``FUZZ_SEED=NUMBER`` repeats it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import secrets
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from harness import Project
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from raw_server import RawServer

from pytest_wisebot import (
    Api,
    ConfigurationError,
    InfrastructureError,
    WisebotError,
    WorkflowRun,
    assert_envelope,
    assert_failed,
    assert_ok,
    assert_result,
)
from pytest_wisebot.client import AttemptState, Client
from pytest_wisebot.plugin import runs_section
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.runs import EngineError, RunRequest
from pytest_wisebot.settings import Settings

SEED: Final = int(os.environ.get("FUZZ_SEED") or secrets.randbits(32))
MOST: Final = 5 * settings().max_examples
"""Answers for each API: 100, and 2500 with the profile nightly."""

LIMIT: Final = 1.0
CANARY: Final = "FAKE-CANARY/secret+of the server's"

# --- the answers ----------------------------------------------------------------------------------------------------

UNITS = st.sampled_from(
    [
        "\x1b]0;PWNED\x07\x1b[2J\x1b[H\x1b[32m1 passed\x1b[0m", "\u202e\u2066", "\x9b31m", "\ud800", "\0", "\x85\u2028",
        "x-workflow-secret:", "authorization:bearer+", "eyJ", "wb_live_", "|<b>`]]>", "\r\n", "&#", "\\u", "…", "'\"\\",
        CANARY, CANARY[:9], "@", "a.", "+49 ", "4111 ", "DE89 ", "é", " ",
    ]
)  # fmt: skip
# All that UTF-8 can encode; asked for by that name, hypothesis tries a million characters once in each fresh checkout.
ENCODABLE = st.characters(exclude_categories=["Cs"])
TEXTS = st.one_of(
    st.text(ENCODABLE, max_size=20),
    st.tuples(UNITS, st.integers(1, 3000)).map(lambda pair: pair[0] * pair[1]),
    st.lists(UNITS, max_size=6).map("".join),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={"ok": st.booleans() | VALUES, "runId": TEXTS | VALUES, "result": VALUES, "error": VALUES,
              "status": TEXTS | st.sampled_from(["queued", "failed"])},
)  # fmt: skip
RUNS = st.fixed_dictionaries(
    {"ok": st.booleans(), "runId": TEXTS.filter(bool)}, optional={"result": VALUES, "error": VALUES, "status": TEXTS}
)
JSON = st.tuples(
    RUNS | RUNS | ENVELOPES | st.tuples(RUNS, st.dictionaries(TEXTS, VALUES)).map(lambda two: two[0] | two[1]) | VALUES,
    st.booleans(),
).map(lambda pair: json.dumps(pair[0], ensure_ascii=pair[1]).encode("utf-8", "surrogatepass"))
DAMAGED = st.tuples(JSON, st.integers(0, 60), st.binary(max_size=4)).map(lambda one: one[0][: one[1]] + one[2])
BODIES = st.one_of(
    JSON,
    JSON,
    DAMAGED,
    st.binary(max_size=60),
    TEXTS.map(lambda text: f"<!doctype html>{text}".encode("utf-8", "replace")),
    st.integers(1, 5000).map(lambda depth: b'{"ok":' + b"[" * depth),
    JSON.map(gzip.compress),
    JSON.map(lambda body: body.decode("utf-8", "replace").encode("utf-16")),
    st.just(gzip.compress(b" " * 5_000_000)),
)
HEADER_VALUES = st.one_of(
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass").translate(None, b"\r\n\0")[:3000]),
    st.sampled_from(
        [b"gzip", b"deflate, gzip", b"chunked", b"99999999999999", b"-1", b"text/html", b"application/json"]
    ),
    st.sampled_from([b"0", b"3.5", b"Mon, 01 Jan 99999999999 00:00:00 GMT", b"https://x:y@[::1/", b"//evil.example"]),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Content-Type", b"Retry-After", b"Location", b"Content-Encoding", b"Transfer-Encoding", b"X-Odd"]
        ),
        HEADER_VALUES,
    ),
    max_size=3,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 202, 206, 400, 401, 403, 404, 408, 409, 429, 499, 500, 502, 503, 307])


REASONS = st.sampled_from([b"OK", b"\x1b[2J", b"", b"1 passed"])


def written(status: int, reason: bytes, headers: list[tuple[bytes, bytes]], length: int | None, body: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (status, reason), *(b"%s: %s" % header for header in headers)]
    lines += [b"Content-Length: %d" % length] if length is not None else []
    return b"\r\n".join([*lines, b"", body])


@st.composite
def whole_answers(draw: st.DrawFn) -> bytes:
    """An answer that arrives as it was meant."""
    body = draw(JSON | BODIES)
    headers = draw(
        HEADERS.filter(lambda drawn: not {b"Transfer-Encoding", b"Content-Encoding"} & {name for name, _ in drawn})
    )
    return written(draw(STATUSES), draw(REASONS), headers, len(body), body)


@st.composite
def broken_answers(draw: st.DrawFn) -> bytes:
    """One that is cut, has another length than it says, or is no HTTP at all."""
    body = draw(BODIES)
    length = draw(st.sampled_from([len(body), len(body) + 5, max(0, len(body) - 1), 10**12, -1, None]))
    whole = written(draw(STATUSES | st.integers(100, 999)), draw(REASONS), draw(HEADERS), length, body)
    cut = draw(st.none() | st.integers(0, len(whole)))
    found: bytes = draw(st.sampled_from([whole[:cut], whole[:cut], body]))
    return found


RUN_ANSWERS = st.tuples(RUNS, STATUSES, REASONS).map(
    lambda drawn: written(drawn[1], drawn[2], [], None, json.dumps(drawn[0]).encode())
)
ANSWERS = RUN_ANSWERS | whole_answers() | broken_answers()


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    one = RawServer()
    yield one
    one.close()


class Caller:
    """Runs workflows against the server, each with one attempt."""

    def __init__(self, server: RawServer) -> None:
        self.server = server
        self._runner = asyncio.Runner()
        self._settings = Settings(retries=0, max_response_mib=1).replace(
            origin=server.origin, base_url=server.origin, secret=CANARY, token=CANARY
        )

    def call(self, api: Api, answer: bytes, limit: float = LIMIT) -> WorkflowRun | WisebotError:
        self.server.answer = lambda request: answer if request.startswith(b"POST") else b"HTTP/1.1 200 OK\r\n\r\n"
        return self._runner.run(self._call(RunRequest("triage", api=api, timeout=limit)))

    async def _call(self, request: RunRequest) -> WorkflowRun | WisebotError:
        async with Client(self._settings, Redactor([Secret(CANARY)]), {}) as client:
            try:
                async with asyncio.timeout(60):  # its own deadline is sooner
                    return await client.run(request, AttemptState())
            except WisebotError as error:
                return error

    def close(self) -> None:
        self._runner.close()


@pytest.fixture(scope="module")
def caller(server: RawServer) -> Iterator[Caller]:
    one = Caller(server)
    yield one
    one.close()


# --- the checks -----------------------------------------------------------------------------------------------------


def shown(outcome: WorkflowRun | WisebotError) -> Iterator[str]:
    """What people see of an outcome."""
    if not isinstance(outcome, WorkflowRun):
        yield str(outcome)
        yield "\n".join(runs_section._no_run_lines(RunRequest("triage"), outcome, "{}", 1000))
        return
    yield repr(outcome)
    yield "\n".join(runs_section._run_lines(outcome, None, "{}", 1000))
    for check in (assert_ok, assert_failed, assert_envelope, lambda run: assert_result(run, {"no": 1})):
        yield failure(check, outcome)
    yield failure(lambda run: assert_result(run, dict[str, int]), outcome)


def failure(check: Callable[[WorkflowRun], object], run: WorkflowRun) -> str:
    try:
        check(run)
    except AssertionError as error:
        return str(error)
    return ""


def does_not_print(text: str) -> str:
    return "".join(sorted({char for char in set(text) if not char.isprintable() and char != "\n"}))


@pytest.mark.parametrize("api", list(Api))
def test_a_hostile_answer_ends_as_a_run_or_a_named_error(api: Api, caller: Caller) -> None:
    """One request for each call, within its deadline; what is shown prints, is short, and has no credential."""
    print(f"FUZZ_SEED={SEED}")

    @seed(SEED)
    @settings(max_examples=MOST, suppress_health_check=list(HealthCheck), derandomize=False, database=None)
    @given(answer=ANSWERS)
    def one(answer: bytes) -> None:
        before = caller.server.runs
        outcome = caller.call(api, answer)
        assert caller.server.runs == before + 1
        assert isinstance(outcome, WorkflowRun | InfrastructureError)
        assert not isinstance(outcome, EngineError | ConfigurationError)
        for text in shown(outcome):
            assert does_not_print(text) == "", text
            assert len(text) < 20_000
            assert CANARY not in text
        json.dumps(outcome.to_dict(), allow_nan=False)

    one()


LARGE: Final[dict[str, Callable[[], bytes]]] = {  # made where they are sent: not in each worker that collects
    "bomb": lambda: b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 100_000_000),
    "endless-body": lambda: b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 40_000_000,
    "endless-header": lambda: b"HTTP/1.1 500 X\r\nX-Odd: " + b"x" * 20_000_000,
    "long-id": lambda: b'HTTP/1.1 200 OK\r\n\r\n{"ok": true, "runId": "' + b"\\u001b" * 170_000 + b'"}',
}


@pytest.mark.parametrize("large", LARGE)
def test_a_hostile_answer_takes_little_memory(caller: Caller, large: str) -> None:
    """With a limit of 1 MiB for answers a run takes a few times as much, whatever the server sends."""
    answer = LARGE[large]()
    tracemalloc.start()
    try:
        outcome = caller.call(Api.WEBHOOK, answer, limit=30.0)
        for text in shown(outcome):
            assert len(text) < 20_000
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


EVIL: Final = "\x1b]0;PWNED\x07\x1b[2J\x1b[H\x1b[32m1 passed\x1b[0m\u202e|<b>`\x9b\0\ud800"


@pytest.mark.slow
def test_no_field_of_an_answer_reaches_terminal_and_files_unescaped(
    empty_project: Project, server: RawServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever its field, runId, result, error, status, key or header: on the screen, in JUnit, log, page, summary."""
    fields: dict[str, dict[str, Any]] = {
        "ok": {"ok": True, "runId": EVIL, "result": EVIL},
        "failed": {"ok": False, "runId": EVIL, "error": EVIL},
        "long": {"ok": False, "runId": "i" * 10**5, "error": {EVIL: "e" * 10**5}, "k" * 10**5: 1, EVIL: EVIL},
        "key": {"ok": True, "runId": "r", "result": {"k" * 10**5: {EVIL: [EVIL]}}},
        "contradicted": {"ok": True, "runId": "r", "status": f"failed {EVIL}", "error": EVIL},
        "queued": {"ok": True, "runId": EVIL, "status": "queued"},
        "number": {"ok": False, "runId": {EVIL: 1}, "error": [EVIL]},
    }
    raw = EVIL.encode("utf-8", "replace").translate(None, b"\0")
    answered = {f"w-{name}": (200, json.dumps(body).encode()) for name, body in fields.items()}
    answered |= {"w-page": (502, b"<html>" + raw), "w-plain": (404, raw), "w-moved": (302, raw), "w-auth": (401, raw)}

    def reply(request: bytes) -> bytes:
        status, body = next(answered[name] for name in answered if f"workflowId={name} ".encode() in request)
        odd = b"Content-Type: text/html" + raw + b"\r\nLocation: https://evil" + raw + b".example/"
        return b"HTTP/1.1 %d %s\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (status, raw, odd, len(body), body)

    server.answer = reply
    empty_project.test(f"""
        NAMES = {list(answered)}

        @pytest.mark.parametrize("name", NAMES)
        @pytest.mark.parametrize("check", [assert_ok, assert_failed, assert_envelope])
        def test_check(trigger_workflow, name, check):
            check(trigger_workflow(name))
            assert False

        @pytest.mark.parametrize("name", NAMES)
        @pytest.mark.parametrize("expected", [dict[str, int], {{"no": 1}}, [1]])
        def test_result(trigger_workflow, name, expected):
            assert_result(trigger_workflow(name), expected)

        @pytest.mark.parametrize("name", NAMES)
        def test_repr(trigger_workflow, name):
            assert trigger_workflow(name) is None

        @pytest.mark.parametrize("name", NAMES)
        def test_snapshot(trigger_workflow, workflow_snapshot, name):
            assert trigger_workflow(name) == workflow_snapshot(rules={{"absent": 1}})

        @pytest.mark.parametrize("name", NAMES)
        def test_type_error(trigger_workflow, name):
            trigger_workflow(name).result["no"]["no"]

        @pytest.mark.wisebot("w-failed", {{}}, trials=3, min_passes=3)
        def test_trials(workflow_run):
            assert_ok(workflow_run)

        @pytest.mark.wisebot("w-ok", {{}}, max_seconds=0.000001)
        def test_slow(workflow_run):
            pass
    """)
    out = tmp_path_factory.mktemp("out")
    given = ["--wisebot-origin", server.origin, "--wisebot-secret", CANARY, "--junitxml", str(out / "junit.xml"), "-rA"]
    written = [f"--wisebot-report={out / 'report'}", f"--wisebot-summary={out / 'summary.md'}", "--log-file=log.txt"]
    result = empty_project.run(*given, *written)

    screen = result.stdout.str() + result.stderr.str()
    texts = {"screen": screen, "log.txt": (empty_project.path / "log.txt").read_text("utf-8")}
    texts |= {path.name: path.read_text("utf-8") for path in out.rglob("*") if path.is_file()}
    assert {"junit.xml", "summary.md", "report.html", "runs.jsonl"} <= texts.keys()
    assert "INTERNALERROR" not in screen
    assert {name: does_not_print(text.replace("\t", "")) for name, text in texts.items()} == dict.fromkeys(texts, "")
    assert [line[:100] for line in screen.splitlines() if len(line) > 5000] == []
    assert len(texts["junit.xml"]) < 1_000_000
