"""What a process lacks: read from an error, and the limit of open files."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pytest_wisebot import ConfigurationError, ConnectionFailed
from pytest_wisebot import exhaustion as exhaustion_module
from pytest_wisebot.client.connections import Proxies
from pytest_wisebot.client.exchange import AttemptState, Exchanger, is_of_the_network
from pytest_wisebot.engine import engine as engine_module
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.engine.loop import DaemonThreads
from pytest_wisebot.exhaustion import OUT_OF, raise_file_limit, shortage
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.settings import Settings

EMFILE = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EMFILE, "file descriptors"),
        (OSError(errno.ENFILE, "in system"), "file descriptors"),
        (chained(httpx.ConnectError("All connection attempts failed"), EMFILE), "file descriptors"),
        (chained(OSError("several"), ExceptionGroup("", [OSError(111, "refused"), EMFILE])), "file descriptors"),
        (OSError(errno.ENOMEM, ""), "memory"),
        (MemoryError(), "memory"),
        (RuntimeError("can't start new thread"), "threads"),
    ],
)
def test_a_shortage_is_found_at_the_bottom(error: Exception, words: str) -> None:
    """Whatever an error was turned into on its way, what the system lacked is named."""
    assert (shortage(error) or "").startswith(f"{OUT_OF}{words}")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "refused"),
        socket.gaierror(socket.EAI_NONAME, "not found"),
        RuntimeError("x"),
        ImportError("no module"),
        OSError(),
    ],
)
def test_another_reason_is_no_shortage(error: Exception) -> None:
    """A host that refuses or is not found is what it is, as long as descriptors are left."""
    assert shortage(error) is None


def test_a_host_that_cannot_be_looked_up_for_want_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's error does not tell what it lacked: while no file can be opened, the host is not blamed."""

    def refuse(*_: Any) -> int:
        raise EMFILE

    monkeypatch.setattr("pytest_wisebot.exhaustion.os.open", refuse)
    assert (shortage(socket.gaierror(socket.EAI_AGAIN, "Temporary failure")) or "").startswith("out of file descrip")


def limits(soft: int, hard: int, granted: int) -> Any:
    """The module ``resource`` of a system that grants so many open files; its limits are those in ``now``."""
    fake = SimpleNamespace(RLIMIT_NOFILE=7, RLIM_INFINITY=-1, now=[soft, hard])

    def change(_: int, wanted: tuple[int, int]) -> None:
        if wanted[0] > granted:
            raise ValueError("not allowed to raise maximum limit")
        fake.now[:] = wanted

    fake.getrlimit = lambda _: tuple(fake.now)
    fake.setrlimit = change
    return fake


@pytest.mark.parametrize(
    ("soft", "hard", "granted", "raised"),
    [
        (256, 4096, 4096, 4096),
        (256, 256, 256, 256),
        (1024, 1_073_741_816, 1_073_741_816, 65536),
        (256, -1, 10240, 10240),  # macOS
        (256, -1, 10**9, 65536),
        (20480, -1, 10240, 20480),
        (-1, -1, 10**9, -1),
        (100_000, 200_000, 200_000, 100_000),
        (256, 4096, 0, 256),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_is_granted(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, granted: int, raised: int
) -> None:
    """It becomes the hard limit, 65,536 at most, or what macOS grants; it is never lowered, and the hard one stays."""
    fake = limits(soft, hard, granted)
    monkeypatch.setattr(exhaustion_module, "resource", fake)
    raise_file_limit()
    assert fake.now == [raised, hard]


def test_a_system_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows nothing is raised, and a shortage names no number."""
    monkeypatch.setattr(exhaustion_module, "resource", None)
    raise_file_limit()
    assert shortage(EMFILE) == "out of file descriptors: too many are open"


# --- the client


def test_a_connection_names_the_limit_and_what_to_set() -> None:
    """Without a descriptor for a connection the reason is this process's limit, and no host's."""
    exchanger = Exchanger(Settings(), {}, Redactor())
    reason = exchanger.why_not_run(
        chained(httpx.ConnectError("failed"), EMFILE), "https://wisebot.example", AttemptState()
    )
    assert reason.startswith("out of file descriptors: ")
    assert reason.endswith("(ulimit -n); raise the limit for pytest, or run fewer at once (--wisebot-concurrency)")


def test_certificates_that_cannot_be_opened_for_want_of_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not called unreadable: it is a connection that failed, which may be tried again."""
    error = EMFILE

    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    routes = Proxies(Settings(), {"SSL_CERT_FILE": "certificates.pem"})
    with pytest.raises(OSError, match="Too many open files") as caught:
        routes.transport("https://wisebot.example")
    assert is_of_the_network(caught.value)
    error = FileNotFoundError(errno.ENOENT, "No such file")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        routes.transport("https://wisebot.example")


def test_a_host_that_no_thread_can_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a thread the look-up fails as a connection does, and names threads."""

    def refuse(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    with pytest.raises(OSError, match="can't start new thread") as caught:
        DaemonThreads().submit(print)
    assert is_of_the_network(caught.value)
    assert (shortage(caught.value) or "").startswith("out of threads")


@pytest.mark.parametrize("error", [EMFILE, RuntimeError("can't start new thread")])
def test_an_engine_that_cannot_begin(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """An event loop for which a descriptor or a thread lacks is an infrastructure error, and no traceback."""

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(engine_module, "start_blocking_portal", refuse)
    with pytest.raises(ConnectionFailed, match=r"^out of (file descriptors|threads): .*; no run can be started; raise"):
        Engine(Settings(), Redactor())


RUNS = """
import resource
from pytest_wisebot import ConnectionFailed, Settings
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.runs import RunRequest

settings = Settings(retries=0, concurrency=50).replace(origin="http://127.0.0.1:9", secret="FAKE-secret")
engine = Engine(settings, Redactor(), variables={})
kept, limit = [], 64
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
try:
    while True:
        kept.append(open("/dev/null"))
except OSError:
    pass
reasons = set()
for pending in engine.submit_all([RunRequest("w", {"n": n}) for n in range(12)]):
    try:
        pending.wait(20)
    except Exception as error:
        reasons.add((type(error).__name__, str(error).partition(";")[0]))
kept.clear()
try:
    engine.submit(RunRequest("w", {})).wait(20)
except Exception as error:
    reasons.add((type(error).__name__, str(error).partition(" (")[0]))
engine.close()
for reason in sorted(reasons):
    print(*reason)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files to set")
def test_a_session_without_descriptors_does_not_blame_the_host() -> None:
    """Twelve runs without a descriptor name the limit and open no circuit: the next one is tried at the host."""
    ended = subprocess.run([sys.executable, "-c", RUNS], capture_output=True, text=True, check=False, timeout=60)
    assert ended.stdout.splitlines() == [
        "ConnectionFailed connection refused",
        "ConnectionFailed out of file descriptors: the limit is 64 open files (ulimit -n)",
    ], ended.stderr
