"""Answers, results and credentials that would do harm: to the terminal, to xdist's channel, to other runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Outside, Project
from raw_server import RawServer

Answering = Callable[[bytes], bytes]


@pytest.fixture
def server() -> Iterator[RawServer]:
    one = RawServer()
    yield one
    one.close()


def answer(body: bytes, status: int = 200, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def envelope(result: Any) -> bytes:
    return answer(json.dumps({"ok": True, "runId": "run_1", "result": result}).encode())


@pytest.mark.parametrize("xdist", [[], ["-n", "2"]], ids=["one-process", "xdist"])
def test_lone_surrogates_survive_in_failing_tests(project: Project, xdist: list[str]) -> None:
    """A text that no channel can carry fails its own test, and neither the worker nor the others."""
    project.write(
        "flows.py",
        r"""
        from pytest_wisebot.emulator import Emulator
        emulator = Emulator()

        @emulator.workflow("odd")
        def odd(inputs):
            return {"key \ud800": "\udfff alone"}
        """,
    )
    project.test(r"""
        import warnings

        def test_message(trigger_workflow):
            pytest.fail("got " + trigger_workflow("odd").result["key \ud800"])

        def test_assert(trigger_workflow):
            assert trigger_workflow("odd").result == {}

        @pytest.mark.filterwarnings("ignore:record_property is incompatible")
        def test_property(trigger_workflow, record_property):
            record_property("odd", trigger_workflow("odd").result["key \ud800"])

        def test_warning(trigger_workflow):
            warnings.warn(trigger_workflow("odd").result["key \ud800"])

        def test_good(trigger_workflow):
            assert trigger_workflow("odd").ok
    """)
    result = project.run_apart("--junitxml=junit.xml", *xdist)
    result.assert_outcomes(failed=2, passed=3)
    assert "INTERNALERROR" not in result.stdout.str()
    assert (project.path / "junit.xml").read_text("utf-8").startswith("<?xml")


LARGE_AND_SMALL = """
    def test_it(trigger_workflow):
        large = [trigger_workflow.start("large", timeout=120) for _ in range(2)]
        READING.wait(60)
        assert all(run.ok for run in trigger_workflow.map("small", [{}] * 5, timeout=30))
        assert not large[0].done and not large[1].done
        GO.set()
        assert [len(run.wait().result) for run in large] == [BRACKETS + 1] * 2
"""

STUCK = """
    import threading
    from pytest_wisebot.redaction import Redactor

    READING, GO, clean = threading.Event(), threading.Event(), Redactor.is_clean_json

    def stuck(self, body):
        if len(body) > 2**17:
            READING.set()
            assert GO.wait(90)
        return clean(self, body)

    @pytest.fixture(autouse=True)
    def reading(monkeypatch):
        monkeypatch.setattr(Redactor, "is_clean_json", stuck)
"""
"""The reading of a large answer, as long as a test wants."""

BUSY = """
    import threading, time

    READING, GO = threading.Event(), threading.Event()
    READING.wait = lambda _: time.sleep(1)  # until both have arrived; to read them takes far longer
"""


@pytest.mark.parametrize(
    ("reading", "brackets"),
    [(STUCK, 2**17), pytest.param(BUSY, 5 * 2**20, marks=pytest.mark.heavy)],
    ids=["384KiB", "15MiB"],
)
def test_a_large_answer_does_not_use_up_another_runs_time(
    empty_project: Project, server: RawServer, reading: str, brackets: int
) -> None:
    """While megabytes of brackets are read, which takes seconds, other runs arrive, start and end."""
    large = answer(b'{"ok": true, "runId": "run_1", "result": [' + b"[]," * brackets + b"[]]}")

    def reply(request: bytes) -> bytes:
        return large if b"workflowId=large" in request else envelope("small")

    server.answer = reply
    empty_project.test(reading + LARGE_AND_SMALL.replace("BRACKETS", str(brackets)))
    empty_project.run("--wisebot-origin", server.origin, "--wisebot-secret", "FAKE-secret").assert_outcomes(passed=1)


def test_brackets_without_end_are_given_up_early(empty_project: Project, server: RawServer) -> None:
    """A deep answer is refused when it is too deep, and not when it has been counted to its end."""
    server.answer = lambda _: answer(b"[" * (15 * 2**20))
    empty_project.test("""
        def test_it(trigger_workflow):
            with pytest.raises(UnexpectedResponse, match="the answer is nested deeper than 200 levels"):
                trigger_workflow("x")
    """)
    empty_project.run("--wisebot-origin", server.origin, "--wisebot-secret", "FAKE-secret").assert_outcomes(passed=1)


LONG = "eyJhbGciOiJIUzI1NiJ9." + "CANARYlongbody" * 40 + ".CANARYsignature0123456789"

LEAKS = """
    import logging, warnings

    def echoed(trigger_workflow):
        return trigger_workflow("x", {"a": 1}).result["got"]

    def test_assert(trigger_workflow):
        got = echoed(trigger_workflow)
        assert got == "something else"

    def test_plain_failure(trigger_workflow):
        pytest.fail("it said " + echoed(trigger_workflow))

    def test_xfail(trigger_workflow):
        pytest.xfail("it said " + echoed(trigger_workflow))

    def test_skip(trigger_workflow):
        pytest.skip("it said " + echoed(trigger_workflow))

    def test_warning(trigger_workflow):
        warnings.warn("it said " + echoed(trigger_workflow))

    def test_logs(trigger_workflow):
        logging.getLogger("mine").error("it said %s", echoed(trigger_workflow))
        raise ValueError(echoed(trigger_workflow))

    def test_prints(trigger_workflow, record_property):
        print(echoed(trigger_workflow))
        record_property("got", echoed(trigger_workflow))
        assert False

    def test_group(trigger_workflow):
        raise ExceptionGroup("it said", [ValueError(echoed(trigger_workflow)), KeyError(echoed(trigger_workflow))])

    def test_chain(trigger_workflow):
        try:
            raise ValueError(echoed(trigger_workflow))
        except ValueError as error:
            raise RuntimeError(echoed(trigger_workflow)) from error
"""


@pytest.mark.parametrize("xdist", [[], ["-n", "1"]], ids=["one-process", "xdist"])
@pytest.mark.parametrize("credential", ["CANARY-short/secret+1", LONG], ids=["short", "long"])
def test_a_server_that_echoes_the_credential_gives_nothing_away(
    empty_project: Project, server: RawServer, monkeypatch: pytest.MonkeyPatch, credential: str, xdist: list[str]
) -> None:
    """What a server sends back in results and headers is masked in everything the session prints and writes."""

    def reply(request: bytes) -> bytes:
        value = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"authorization:")).split(
            b" ", 1
        )[1]
        body = json.dumps({"ok": True, "runId": "run_1", "result": {"got": value.decode()}}).encode()
        return answer(body, 200, f"X-Echo: {value.decode()}")

    server.answer = reply
    monkeypatch.setenv("MY_SECRET", credential)
    empty_project.test(LEAKS)
    flags = ["-vv", "-l", "--setup-show", "--log-level=DEBUG", "--log-cli-level=DEBUG", "--log-file=log.txt", "-rA"]
    given = ["--wisebot-origin", server.origin, "--wisebot-secret", "env:MY_SECRET", "--junitxml=junit.xml"]
    result = empty_project.run_apart(*flags, *given, *xdist)
    assert result.parseoutcomes()["failed"] == 6
    written = [
        path.read_text("utf-8") for path in Path(empty_project.path).iterdir() if path.suffix in (".xml", ".txt")
    ]
    text = "\n".join([result.stdout.str(), result.stderr.str(), *written])
    assert "<secret>" in text
    fragments = {credential, credential[:20], credential[-20:], credential[:12], credential[-12:]}
    assert [fragment for fragment in fragments if fragment in text] == []


def test_what_an_answer_is_cut_to_holds_no_half_a_credential(empty_project: Project, server: RawServer) -> None:
    """An error's excerpt is cleaned before it is cut."""
    server.answer = lambda _: answer(b" " * 4080 + b"Bearer CANARY-secret-of-some-length", 401)
    empty_project.test("def test_it(trigger_workflow): trigger_workflow('x')")
    result = empty_project.run("--wisebot-origin", server.origin, "--wisebot-secret", "CANARY-secret-of-some-length")
    assert result.parseoutcomes() == {"infrastructure": 1}
    result.stdout.fnmatch_lines(["*answer: status 401: Bearer <secret>"])
    assert "CANARY" not in result.stdout.str()


def test_a_retry_after_that_no_date_can_hold_is_none(empty_project: Project, server: RawServer) -> None:
    """A header of the server's cannot break the client."""
    server.answer = lambda _: answer(b"{}", 429, "Retry-After: Mon, 01 Jan 99999999999 00:00:00 GMT")
    empty_project.test("""
        def test_it(trigger_workflow):
            with pytest.raises(RateLimited) as caught:
                trigger_workflow("x")
            assert caught.value.answer.retry_after is None
    """)
    given = ["--wisebot-origin", server.origin, "--wisebot-secret", "FAKE-secret", "--wisebot-retries", "1"]
    empty_project.run(*given).assert_outcomes(passed=1)


def test_a_large_input_does_not_fill_the_screen(outside: Outside) -> None:
    """A failing run of 400 KB shows a bounded section, and no command that was cut in the middle."""
    outside.test("""
        def test_it(trigger_workflow):
            trigger_workflow("echo", {"text": "x" * 400_000})
            pytest.fail("no")
    """)
    result = outside.run()
    result.assert_outcomes(failed=1)
    assert len(result.stdout.str()) < 10_000
    result.stdout.fnmatch_lines(["  repeat:   400??? characters, shown by -vv (and in run.commands)"])


@pytest.mark.parametrize("value", ["b'CANARY-bytes'", "123456789", "True", "['CANARY-list']"])
def test_a_secret_of_another_type_is_refused_and_not_shown(project: Project, value: str) -> None:
    """Bytes from ``os.environb`` are a user's mistake, told without them."""
    project.test(f"""
        def test_it(trigger_workflow):
            import os
            secret = {value}
            try:
                trigger_workflow("echo", secret=secret)
            except ConfigurationError as error:
                assert "CANARY" not in str(error)
                assert str(error).startswith("secret=: expected a string, got a value of type ")
            else:
                pytest.fail("was taken")
    """)
    project.run().assert_outcomes(passed=1)


def test_a_call_behind_anothers_retry_after_ends_at_once_where_it_has_no_time(
    empty_project: Project, server: RawServer
) -> None:
    """A healthy call with ``timeout=2`` does not wait the minute that the answer to another one asks for."""

    def reply(request: bytes) -> bytes:
        return answer(b"{}", 429, "Retry-After: 99999") if b"workflowId=limited" in request else envelope("well")

    server.answer = reply
    empty_project.test("""
        def test_it(trigger_workflow):
            with pytest.raises(RateLimited, match="asks to wait 99999 s"):
                trigger_workflow.start("limited", timeout=5).wait(30)
            with pytest.raises(RateLimited, match="held back 60 s by Wisebot's Retry-After, timeout 2 s") as caught:
                trigger_workflow.start("well", timeout=2).wait(30)
            assert caught.value.attempts == 0 and caught.value.answer is None
    """)
    given = ["--wisebot-origin", server.origin, "--wisebot-secret", "FAKE-secret"]
    empty_project.run(*given).assert_outcomes(passed=1)


NAMES_OF_HEADERS = {
    "header": "x-workflow-secret:",
    "bearer": "authorization:bearer+",
}


def test_an_answer_full_of_headers_is_cleaned_before_its_deadline(empty_project: Project, server: RawServer) -> None:
    """A megabyte of names of headers takes a moment, where each value reaches to the answer's end."""
    text = {name: (unit * 2**20)[: 2**20] for name, unit in NAMES_OF_HEADERS.items()}

    def reply(request: bytes) -> bytes:
        return envelope(next(text[name] for name in text if f"workflowId={name}".encode() in request))

    server.answer = reply
    empty_project.test(f"""
        @pytest.mark.parametrize("name", {list(text)})
        def test_it(trigger_workflow, name):
            result = trigger_workflow(name, timeout=30).result
            assert "<secret>" in result and len(result) < 50
    """)
    given = ["--wisebot-origin", server.origin, "--wisebot-secret", "FAKE-secret"]
    empty_project.run(*given).assert_outcomes(passed=2)


@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_cannot_be_cleaned_in_time_is_unexpected(
    empty_project: Project, server: RawServer, status: int
) -> None:
    """A pattern that searches the rest of the text again after each match costs the run its deadline, and no more."""
    server.answer = lambda _: answer(json.dumps({"ok": True, "result": "x" * 250_000}).encode(), status)
    empty_project.write("wisebot.toml", """[redact]\npatterns = ['x(?:.*y)?']\n""")
    empty_project.test("""
        def test_it(trigger_workflow):
            with pytest.raises(UnexpectedResponse, match="was not read and cleaned of credentials within 1 s"):
                trigger_workflow.start("w", timeout=1).wait(30)
    """)
    given = ["--wisebot-origin", server.origin, "--wisebot-secret", "FAKE-secret"]
    empty_project.run(*given).assert_outcomes(passed=1)
