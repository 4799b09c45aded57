"""The emulator without a resource: no workflow fails by it, and each client learns which limit to raise."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_wisebot.emulator import Emulator, EmulatorHandle, WorkflowFailure
from pytest_wisebot.emulator import server as server_module
from pytest_wisebot.emulator.handle import EmulatorProcess, Ready
from pytest_wisebot.emulator.server import EmulatorServer
from pytest_wisebot.errors import ConnectionFailed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files to set")

LIMIT = 100
SECRET = "whsec_CANARY_secret"
KEY = "CANARY_control_key"

FLOWS = """
import asyncio, os, resource, threading, time
from pytest_wisebot.emulator import Emulator

LIMIT = 100
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
emulator = Emulator(token="wb_live_CANARY_token")
kept = []
lock = asyncio.Lock()

@emulator.workflow("waits")
async def waits(seconds: float):
    await asyncio.sleep(seconds)
    return "waited"

@emulator.workflow("waits-in-a-thread")
def waits_in_a_thread(seconds: float):
    time.sleep(seconds)
    return "waited"

@emulator.workflow("opens")
async def opens(inputs):
    await asyncio.sleep(0)
    files = []
    while True:
        files.append(open(os.devnull))

@emulator.workflow("keeps")
def keeps(inputs):
    threading.Timer(2, kept.clear).start()
    while True:
        kept.append(open(os.devnull))

@emulator.workflow("shares")
async def shares(seconds: float):
    async with lock:
        await asyncio.sleep(seconds)

@emulator.workflow("blocks")
async def blocks(seconds: float):
    await asyncio.sleep(0)
    time.sleep(seconds)
    return "blocked"
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(FLOWS)
    process = EmulatorProcess.start("flows:emulator", folder)
    yield process
    process.stop()


@pytest.fixture
def handle(process: EmulatorProcess) -> EmulatorHandle:
    handle = EmulatorHandle(process.ready)
    handle.reset(everywhere=True)
    return handle


Answer = tuple[int, str, float]


async def run(ready: Ready, workflow: str, **bag: Any) -> Answer:
    """Starts a run on a connection of its own. Gives the status, the body, and the seconds that it took."""
    begun = time.perf_counter()
    parts, body = urlsplit(ready.origin), json.dumps(bag)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = [f"POST /workflows/trigger?workflowId={workflow} HTTP/1.1", "Host: emulator", "Connection: close"]
    head += [f"Authorization: Bearer {ready.secrets[workflow]}", f"Content-Length: {len(body)}"]
    writer.write("\r\n".join([*head, "", body]).encode())
    answer = (await asyncio.wait_for(reader.read(), 60)).decode()
    writer.close()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2], time.perf_counter() - begun


def at_once(*runs: Any) -> list[Answer]:
    """The answers of runs that are sent at once."""

    async def gathered() -> list[Answer]:
        return list(await asyncio.gather(*runs))

    return asyncio.run(gathered())


def one(ready: Ready, workflow: str, **bag: Any) -> Answer:
    return at_once(run(ready, workflow, **bag))[0]


OUT_OF_FILES = (
    f"The emulator is out of file descriptors: the limit is {LIMIT} open files (ulimit -n). "
    "Raise the limit in the shell that starts pytest or the emulator, or run fewer at once (--wisebot-concurrency)."
)


@pytest.mark.parametrize("workflow", ["waits", "waits-in-a-thread"])
def test_what_lacks_a_descriptor_is_refused_in_words(
    process: EmulatorProcess, handle: EmulatorHandle, workflow: str
) -> None:
    """Of more runs at once than the limit lets in, each gets its result, or a 503 that names the limit, at once."""
    answers = at_once(*(run(process.ready, workflow, seconds=1.5) for _ in range(LIMIT + 50)))
    statuses = Counter(status for status, _, _ in answers)
    assert set(statuses) == {200, 503}
    assert statuses[200] >= LIMIT - 25
    assert {body for status, body, _ in answers if status == 503} == {OUT_OF_FILES}
    assert all(json.loads(body)["result"] == "waited" for status, body, _ in answers if status == 200)
    assert handle.log().count("the emulator refused a request: ") <= 1  # in ten seconds
    assert one(process.ready, workflow, seconds=0)[0] == 200


def test_runs_within_the_limit_take_one_descriptor_each(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """As many async runs at once as there are descriptors but for twenty have their results."""
    answers = at_once(*(run(process.ready, "waits", seconds=1) for _ in range(LIMIT - 20)))
    assert Counter(status for status, _, _ in answers) == {200: LIMIT - 20}
    assert handle.peak() <= LIMIT - 20


def test_a_function_that_opens_too_many_files_is_not_a_failed_run(
    process: EmulatorProcess, handle: EmulatorHandle
) -> None:
    """An exception for want of a descriptor is not a verdict: 503 without an envelope, traceback in the log."""
    assert one(process.ready, "opens")[:2] == (503, OUT_OF_FILES)
    assert one(process.ready, "waits", seconds=0)[0] == 200  # its files are closed at once
    (call,) = handle.calls("opens", everywhere=True)
    assert (call.ran, call.status) == (True, 503)
    assert call.run_id is not None
    assert "Too many open files" in handle.log(call.run_id)


def test_the_control_address_answers_without_descriptors(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """While a function holds every descriptor there is, the calls, the log and the peak can be asked for."""
    assert one(process.ready, "keeps")[0] == 503
    for _ in range(3):
        assert [call.status for call in handle.calls("keeps", everywhere=True)] == [503]
        assert "Too many open files" in handle.log()
        assert handle.peak() >= 1
    deadline = time.monotonic() + 20
    while {status for status, *_ in at_once(*(run(process.ready, "waits", seconds=0) for _ in range(20)))} != {200}:
        assert time.monotonic() < deadline, "the function did not give its files back"
        time.sleep(0.1)


def test_one_that_blocks_holds_up_no_other_and_is_named(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """Runs that began before and after one that blocks its loop end in their own time; the log names the line once."""
    ready = process.ready
    before = [run(ready, "waits", seconds=0.3) for _ in range(10)]
    after = [run(ready, "waits", seconds=0) for _ in range(10)]
    blocking = [run(ready, "blocks", seconds=2.2) for _ in range(3)]
    answers = at_once(*before, *blocking, *after)
    assert {status for status, _, _ in answers} == {200}
    assert max(seconds for _, body, seconds in answers if '"waited"' in body) < 2.0
    named = [line for line in handle.log().splitlines() if "has blocked its event loop" in line]
    assert len(named) == 1
    assert re.search(r"for more than a second at .*flows\.py, line \d+: time\.sleep\(seconds\)$", named[0])
    assert f"workflow 'blocks', {json.loads(answers[10][1])['runId'][:4]}" in handle.log()


def test_asyncio_objects_that_runs_share_are_no_failed_run(process: EmulatorProcess) -> None:
    """A lock that two runs wait for is bound to one loop: the other run has no verdict, and a reason in its answer."""
    answers = at_once(*(run(process.ready, "shares", seconds=0.5) for _ in range(5)))
    assert {status for status, _, _ in answers} == {200, 503}
    for status, body, _ in answers:
        assert json.loads(body)["ok"] if status == 200 else "make locks, queues and clients inside" in body


# --- in this process: what a function raises


def raising(error: BaseException, cause: BaseException | None = None) -> Emulator:
    """An emulator whose one workflow raises this."""
    emulator = Emulator(token="wb_live_CANARY_token")

    @emulator.workflow("w", secret=SECRET)
    def function(inputs: Any) -> None:
        raise error from cause

    return emulator


def posted(server: EmulatorServer) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(server.origin).netloc, timeout=10)
    connection.request("POST", "/workflows/trigger?workflowId=w", b"{}", {"Authorization": f"Bearer {SECRET}"})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


EMFILE = OSError(24, "Too many open files")


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (EMFILE, None, "out of file descriptors: "),
        (OSError(23, "Too many open files in system"), None, "out of file descriptors: "),
        (RuntimeError("no client"), EMFILE, "out of file descriptors: "),
        (ExceptionGroup("several", [ValueError("other"), EMFILE]), None, "out of file descriptors: "),
        (WorkflowFailure("could not read"), EMFILE, "out of file descriptors: "),
        (ImportError("libx.so: cannot open shared object file: Too many open files"), None, "out of file descriptors"),
        (MemoryError(), None, "out of memory"),
        (OSError(12, "Cannot allocate memory"), None, "out of memory"),
        (RuntimeError("can't start new thread"), None, "out of threads: "),
        (RuntimeError("<asyncio.Lock> is bound to a different event loop"), None, "unable to share asyncio objects"),
        (RuntimeError("Task <t> got Future <f> attached to a different loop"), None, "unable to share asyncio objects"),
        (RuntimeError("Event loop is closed"), None, "unable to share asyncio objects"),
    ],
)
def test_what_a_function_lacks_is_no_verdict(error: BaseException, cause: BaseException | None, words: str) -> None:
    """Files, threads and memory that lack are the emulator's affair, wherever in an exception's causes they stand."""
    with EmulatorServer(raising(error, cause)) as server:
        status, body = posted(server)
    assert status == 503
    assert body.startswith(f"The emulator is {words}")
    assert len(body) <= 300  # of which a client's error shows no more


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(2, "No such file or directory"), RuntimeError("can't start"), WorkflowFailure("no"), OSError()],
)
def test_what_a_function_raises_else_stays_its_own(error: Exception) -> None:
    """Any other exception fails the run, as ever."""
    with EmulatorServer(raising(error)) as server:
        status, body = posted(server)
    assert (status, json.loads(body)["ok"]) == (200, False)


# --- in this process: the listeners


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    emulator = Emulator(token="wb_live_CANARY_token")
    emulator.workflow("w", secret=SECRET)(lambda inputs: "ran")
    with EmulatorServer(emulator, key=KEY) as server:
        yield server


def no_thread(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Lets no thread start that serves a request."""

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("pytest_wisebot.emulator.server.start_new_thread", refuse)


@pytest.mark.parametrize(
    ("error", "words"),
    [(RuntimeError("can't start new thread"), "out of threads: the system starts no more"), (MemoryError(), "memory")],
)
def test_what_lacks_a_thread_is_refused_in_words(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """A request for which no thread starts gets a 503 with this reason; the control address answers all the same."""
    with monkeypatch.context() as patched:
        no_thread(patched, error)
        for _ in range(2):
            status, body = posted(server)
            assert status == 503
            assert words in body
        connection = http.client.HTTPConnection(urlsplit(str(server.control)).netloc, timeout=10)
        connection.request("POST", "/peak", b"{}", {"Authorization": f"Bearer {KEY}", "Connection": "close"})
        assert json.loads(connection.getresponse().read()) == {"ok": True, "value": 0}
        connection.close()
    assert posted(server)[0] == 200


def test_a_client_that_sends_slowly_holds_up_the_next_refusal_briefly(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused client that does not end its connection is left after a quarter of a second."""
    no_thread(monkeypatch, RuntimeError("can't start new thread"))
    parts = urlsplit(server.origin)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10):
        begun = time.monotonic()
        assert posted(server)[0] == 503
        assert time.monotonic() - begun < server_module.REFUSE_SECONDS + 2


def test_a_listener_outlives_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """An accept that fails for want of memory is tried again; the listener goes on."""
    failures = [MemoryError(), OSError(12, "Cannot allocate memory")]
    accept = socket.socket.accept

    def fails(self: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", fails)
    with EmulatorServer(raising(WorkflowFailure("no"))) as server:
        assert posted(server)[0] == 200
    assert failures == []


# --- the session's end of it


def test_a_session_without_descriptors_is_told_of_its_own(
    process: EmulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command for which pytest itself lacks a descriptor fails as a connection, and does not blame the emulator."""

    def refuse(*_: Any, **__: Any) -> None:
        raise EMFILE

    with monkeypatch.context() as patched:
        patched.setattr(http.client.HTTPConnection, "request", refuse)
        with pytest.raises(ConnectionFailed, match=r"^out of file descriptors: .*; the emulator was not asked 'calls'"):
            EmulatorHandle(process.ready).calls()
        patched.setattr(subprocess, "Popen", refuse)
        with pytest.raises(ConnectionFailed, match=r"^out of file descriptors: .*; the emulator f:e was not started"):
            EmulatorProcess.start("f:e", Path())
    gc.collect()


# --- the process's own limit

LIMITS = """
import resource
from pytest_wisebot.emulator import Emulator

emulator = Emulator(token="wb_live_CANARY_token")

@emulator.workflow("limit", secret="FAKE-secret-of-limit")
def limit(inputs):
    return resource.getrlimit(resource.RLIMIT_NOFILE)
"""

ASK = """
import json, resource, sys, urllib.request
from pathlib import Path
from pytest_wisebot.emulator.handle import EmulatorProcess

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))
process = EmulatorProcess.start("flows:emulator", Path.cwd())
head = {"Authorization": "Bearer FAKE-secret-of-limit"}
where = f"{process.ready.origin}/workflows/trigger?workflowId=limit"
with urllib.request.urlopen(urllib.request.Request(where, b"{}", head)) as answer:
    print(json.load(answer)["result"], resource.getrlimit(resource.RLIMIT_NOFILE))
process.stop()
"""


def test_the_limit_is_raised_in_the_emulators_process_alone(tmp_path: Path) -> None:
    """For a session the soft limit of open files becomes the hard one in the emulator, and stays what it is here."""
    (tmp_path / "flows.py").write_text(LIMITS)
    command = [sys.executable, "-c", ASK]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.stdout == "[200, 200] (64, 200)\n", ended.stderr


BY_HAND = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))
runpy.run_module("pytest_wisebot.emulator", run_name="__main__", alter_sys=True)
"""


def test_the_limit_is_raised_by_hand_too(tmp_path: Path) -> None:
    """By hand the emulator raises its limit as well."""
    (tmp_path / "flows.py").write_text(LIMITS)
    command = [sys.executable, "-c", BY_HAND, "flows.py", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            shown = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
            (port,) = re.findall(r"webhook API +http://127.0.0.1:(\d+)", shown)
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
            head = {"Authorization": "Bearer FAKE-secret-of-limit"}
            connection.request("POST", "/workflows/trigger?workflowId=limit", b"{}", head)
            assert json.loads(connection.getresponse().read())["result"] == [200, 200]
            connection.close()
        finally:
            process.kill()


heavy = pytest.mark.heavy


@pytest.mark.parametrize(
    ("runs", "limit", "seconds"),
    [(60, 80, 0.5), pytest.param(200, 256, 1, marks=heavy), pytest.param(1000, 1024, 1, marks=heavy)],
)
def test_the_promised_size(runs: int, limit: int, seconds: float) -> None:
    """A thousand async runs at once under a limit of 1,024 open files, and as large a part under less, all succeed."""
    script = Path(__file__).parents[2] / "benchmarks" / "emulator_at_once.py"
    sizes = ["--runs", str(runs), "--descriptors", str(limit), "--seconds", str(seconds)]
    command = [sys.executable, str(script), *sizes, "--workflow", "async", "--rounds", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"round 1: {runs} runs of {seconds:g} s took ")
