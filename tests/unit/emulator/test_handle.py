"""An emulator in a process of its own: how a session starts it, asks it, ends it, and what happens when it cannot."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_wisebot.emulator import EmulatorHandle, Fault
from pytest_wisebot.emulator.handle import EmulatorProcess, Ready
from pytest_wisebot.errors import ConfigurationError

FLOWS = """
import sys
import helper
from pytest_wisebot.emulator import Emulator

print("printed while loading")
emulator = Emulator(token="wb_live_CANARY_token")

@emulator.workflow("echo", secret="whsec_CANARY_secret")
def echo(bag):
    print("printed while running", sys.stdin.read())
    return helper.answer(bag)

@emulator.workflow("broken")
def broken():
    raise RuntimeError("the cause")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(FLOWS)
    (folder / "helper.py").write_text("def answer(bag): return bag\n")
    return folder


@pytest.fixture(scope="module")
def process(folder: Path) -> Iterator[EmulatorProcess]:
    process = EmulatorProcess.start("flows:emulator", folder)
    yield process
    process.stop()


@pytest.fixture
def handle(process: EmulatorProcess) -> Iterator[EmulatorHandle]:
    handle = EmulatorHandle(process.ready)
    yield handle
    handle.reset(everywhere=True)


def run(ready: Ready, workflow: str = "echo", bag: Any = None, test: str = "") -> tuple[int, Any]:
    """Starts a run over the webhook API, tagged with a test."""
    connection = http.client.HTTPConnection(urlsplit(ready.origin).netloc, timeout=10)
    secret = ready.secrets.get(workflow, ready.fallback_secret)
    headers = {"Authorization": f"Bearer {secret}", "X-Wisebot-Test": test}
    connection.request("POST", f"/workflows/trigger?workflowId={workflow}", json.dumps(bag or {}), headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, json.loads(body) if body.startswith(b"{") else body


def until(true: Callable[[], bool]) -> None:
    """Waits, ten seconds at most, for what another process does in its own time."""
    enough = time.monotonic() + 10
    while not true():
        assert time.monotonic() < enough, "it did not happen within 10 s"
        time.sleep(0.01)


def has_ended(process: EmulatorProcess) -> bool:
    return process._process.poll() is not None


def listens(origin: str) -> bool:
    parts = urlsplit(origin)
    try:
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10).close()
    except ConnectionError:
        return False
    return True


def test_a_started_process_answers(process: EmulatorProcess) -> None:
    """What a module prints or reads does not disturb the session, and it finds the modules that lie beside it."""
    assert run(process.ready, bag={"a": 1})[1]["result"] == {"a": 1}


def test_an_unknown_workflow_is_a_404_with_the_fallback_secret(
    process: EmulatorProcess, handle: EmulatorHandle
) -> None:
    """The secret for ids that the emulator does not know opens nothing, and lets a client get its 404."""
    assert run(process.ready, "unknown")[0] == 404
    assert process.ready.fallback_secret not in process.ready.secrets.values()


def test_no_credential_shows(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """Neither the process, nor what it said, nor the handle shows a key, a token or a secret."""
    ready = process.ready
    shown = f"{process!r} {ready!r} {handle!r}"
    for credential in (ready.key, ready.token, ready.fallback_secret, *ready.secrets.values()):
        assert credential not in shown
    assert repr(handle) == f"<EmulatorHandle webhook {ready.origin} dashboard {ready.base_url}>"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux shows a process's variables as files")
def test_the_key_is_in_no_list_of_processes(process: EmulatorProcess) -> None:
    """The key travels through a pipe: neither the command line nor the variables of the process hold it."""
    about = Path(f"/proc/{process.pid}")
    key = process.ready.key.encode()
    assert key not in (about / "cmdline").read_bytes() + (about / "environ").read_bytes()


def test_what_the_process_said_crosses_as_json(process: EmulatorProcess) -> None:
    """Written down as JSON and read again, what the process said is the same."""
    assert Ready.from_dict(json.loads(json.dumps(process.ready.to_dict()))) == process.ready


def test_calls_are_those_of_the_asking_test(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """A handle shows the calls of its own test, and all of them when asked for everywhere."""
    tag = "a"
    mine = EmulatorHandle(process.ready, test=lambda: tag)
    run(process.ready, bag={"n": 1}, test="a")
    run(process.ready, bag={"n": 2}, test="b")
    run(process.ready, "unknown", test="a")
    assert [call.inputs for call in mine.calls()] == [{"n": 1}, None]
    assert [call.status for call in mine.calls("unknown")] == [404]
    assert len(mine.calls(everywhere=True)) == 3
    tag = "b"
    assert [call.inputs for call in mine.calls()] == [{"n": 2}]
    assert handle.calls() == []


def test_faults_are_for_the_asking_test(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """A fault that a test asks for spares the others, unless it is asked for everywhere."""
    mine = EmulatorHandle(process.ready, test=lambda: "a")
    mine.fail_next(Fault.html())
    assert [run(process.ready, test=test)[0] for test in ("b", "", "a", "a")] == [200, 200, 502, 200]
    mine.fail_next(Fault.html(), times=2, workflow="echo", everywhere=True)
    assert [run(process.ready, test=test)[0] for test in ("b", "", "a")] == [502, 502, 200]


def test_reset_is_for_the_asking_test(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """Resetting forgets the own calls and faults and leaves those of other tests."""
    mine, other = (EmulatorHandle(process.ready, test=tag) for tag in (lambda: "a", lambda: "b"))
    run(process.ready, test="a")
    run(process.ready, test="b")
    mine.fail_next(Fault.html())
    mine.reset()
    assert (mine.calls(), len(other.calls())) == ([], 1)
    assert run(process.ready, test="a")[0] == 200


def test_wrong_wishes_are_errors_here(handle: EmulatorHandle) -> None:
    """What the emulator refuses is raised by the handle, in the emulator's words."""
    with pytest.raises(ConfigurationError, match="fail_next: workflow: there is no 'ecco', only 'echo', 'broken'"):
        handle.fail_next(Fault.html(), workflow="ecco")
    with pytest.raises(ConfigurationError, match="fail_next: fault: expected a Fault"):
        handle.fail_next("html")  # type: ignore[arg-type]


def test_the_log_peak_and_tokens_come_across(process: EmulatorProcess, handle: EmulatorHandle) -> None:
    """A handle tells of tracebacks, of how many ran at once, and of status checks; and gets new JWTs."""
    run(process.ready, "broken")
    assert "RuntimeError: the cause" in handle.log()
    assert handle.peak() == 1
    assert (handle.new_jwt(60).count("."), handle.status_checks()) == (2, 0)
    assert (handle.token, handle.origin) == ("wb_live_CANARY_token", process.ready.origin)


def test_proxies_do_not_come_between(
    process: EmulatorProcess, handle: EmulatorHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the variables is not asked about a loopback address."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert handle.peak() == 0


def test_a_wrong_key_is_refused(process: EmulatorProcess) -> None:
    """Who does not have the key of the control address gets nothing from it."""
    with pytest.raises(ConfigurationError, match="The key is wrong or missing"):
        EmulatorHandle(replace(process.ready, key="FAKE")).calls()


def test_stop_ends_the_process(folder: Path) -> None:
    """Stopping ends the process, may be repeated, and later questions are told that it has ended."""
    process = EmulatorProcess.start("flows:emulator", folder)
    process.stop()
    process.stop()
    assert has_ended(process)
    with pytest.raises(ConfigurationError, match=r"^the emulator has ended"):
        EmulatorHandle(process.ready).calls()


def test_stop_ends_a_process_that_has_died(folder: Path) -> None:
    """A process that was killed is stopped without an error."""
    process = EmulatorProcess.start("flows:emulator", folder)
    os.kill(process.pid, signal.SIGTERM)
    until(lambda: has_ended(process))
    process.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals to another process")
def test_ctrl_c_is_left_to_the_session(folder: Path) -> None:
    """Ctrl-C reaches every process of a terminal; the emulator goes on until the session, tidying up, ends it."""
    process = EmulatorProcess.start("flows:emulator", folder)
    os.kill(process.pid, signal.SIGINT)
    assert run(process.ready)[0] == 200
    process.stop()


STARTER = """
import sys, time
from pathlib import Path
from pytest_wisebot.emulator.handle import EmulatorProcess
print(EmulatorProcess.start("flows:emulator", Path(sys.argv[1])).ready.origin, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_the_process_ends_when_its_session_is_killed(folder: Path) -> None:
    """A session that dies by SIGKILL, and can tidy up nothing, leaves no emulator behind."""
    command = [sys.executable, "-c", STARTER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        origin = session.stdout.readline().strip()
        assert listens(origin)
        session.kill()
    until(lambda: not listens(origin))


@pytest.mark.parametrize(
    ("target", "flows", "lines"),
    [
        ("flows:other", FLOWS, ["error: flows: other is not there; the emulators in it: emulator"]),
        ("flows:sys", FLOWS, ["error: flows: sys is not an Emulator but a module; the emulators in it: emulator"]),
        ("nowhere:emulator", FLOWS, ["error: there is no module nowhere in "]),
        ("flows:emulator", "raise RuntimeError('the cause')", ['flows.py", line 1', "RuntimeError: the cause"]),
        ("flows:emulator", "import nowhere", ["ModuleNotFoundError: No module named 'nowhere'"]),
        ("flows:emulator", "import os\nprint('last words')\nos._exit(3)", ["last words"]),
    ],
)
def test_what_does_not_start_says_why(tmp_path: Path, target: str, flows: str, lines: list[str]) -> None:
    """A process that does not start is an error with the target and the last lines that it wrote."""
    (tmp_path / "flows.py").write_text(flows)
    (tmp_path / "helper.py").touch()
    with pytest.raises(ConfigurationError) as caught:
        EmulatorProcess.start(target, tmp_path)
    assert str(caught.value).startswith(f"the emulator {target} did not start: it ended.\n  ")
    for line in lines:
        assert line in str(caught.value)


def test_what_starts_too_slowly_is_ended(tmp_path: Path) -> None:
    """A process that is not ready in time is ended, and the error says how long it had."""
    (tmp_path / "flows.py").write_text("import time\ntime.sleep(60)")
    with pytest.raises(ConfigurationError, match=r"did not start: it was not ready within 0\.01 s"):
        EmulatorProcess.start("flows:emulator", tmp_path, timeout=0.01)
