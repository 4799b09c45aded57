"""What stands between: proxies, certificates, and how connections are used."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_wisebot import ConfigurationError, ConnectionFailed, ConnectionLost, RunTimedOut
from pytest_wisebot.emulator import EmulatorHandle
from pytest_wisebot.runs import Api, RunRequest


class Listener:
    """A server that answers each connection's first bytes with fixed ones, and keeps what it got."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.got: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for _ in range(20):
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.got.append(connection.recv(65536))
                connection.sendall(self.answer)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def refusing_proxy() -> Iterator[Listener]:
    """A proxy that asks for a password."""
    listener = Listener(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    yield listener
    listener.close()


def test_a_proxy_that_refuses_is_a_connection_that_failed(
    ask: Any, refusing_proxy: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request that opens a proxy's tunnel is not a run, and holds no credential."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{refusing_proxy.port}")
    with pytest.raises(ConnectionFailed):
        ask(origin="https://wisebot.example", secret="CANARY-secret", retries=1)
    assert len(refusing_proxy.got) == 2
    for request in refusing_proxy.got:
        assert request.startswith(b"CONNECT wisebot.example:443 ")
        assert b"CANARY" not in request


def test_loopback_never_uses_a_proxy(
    ask: Any, emulator: EmulatorHandle, refusing_proxy: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy variables of a company's CI do not stand between a session and its own emulator."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{refusing_proxy.port}")
    assert ask().ok
    assert refusing_proxy.got == []


@pytest.mark.parametrize("proxy", ["socks4://user:CANARY-pw@127.0.0.1:1", "nonsense://CANARY-pw", "http://[CANARY-pw"])
def test_a_proxy_that_cannot_be_used_is_the_users_to_mend(
    ask: Any, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """The message names the variable, and not the proxy, whose URL may hold a password."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigurationError) as caught:
        ask(origin="https://wisebot.example", secret="FAKE-secret", retries=0)
    forms = "http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT"
    assert str(caught.value) == f"the proxy that ALL_PROXY names cannot be used: write {forms}"


def test_certificates_that_cannot_be_read_are_the_users_to_mend(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong ``SSL_CERT_FILE`` is a configuration error, and no defect inside."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match="the certificates that SSL_CERT_FILE or SSL_CERT_DIR names"):
        ask(origin="https://wisebot.example", secret="FAKE-secret", retries=0)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01 this is no HTTP\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["garbage", "nothing", "cut-short", "huge-header", "bad-chunk"],
)
def test_an_answer_that_is_no_http_leaves_the_outcome_unknown(ask: Any, answer: bytes) -> None:
    """The request had been sent, so the workflow may have run, and it is not asked again."""
    listener = Listener(answer)
    try:
        with pytest.raises(ConnectionLost, match="the connection ended before the answer was whole"):
            ask(origin=f"http://127.0.0.1:{listener.port}", secret="FAKE-secret-of-echo")
        assert len(listener.got) == 1
    finally:
        listener.close()


def test_a_token_check_that_hangs_does_not_use_up_the_run(settings: Any, emulator: EmulatorHandle) -> None:
    """The run waits for the check half of its own time at most, and then finds out by itself."""
    from pytest_wisebot.engine.engine import Engine
    from pytest_wisebot.redaction import Redactor

    silent = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    engine = Engine(settings.replace(base_url=base_url, token=emulator.token), Redactor())
    try:
        with pytest.raises(RunTimedOut, match=r"^no whole answer within 1 s"):
            engine.submit(RunRequest("echo", {}, Api.DASHBOARD, 1.0)).wait(10)
    finally:
        engine.close()
        silent.close()


def test_a_run_that_is_given_up_names_its_host(settings: Any, emulator: EmulatorHandle) -> None:
    """The error of a run that was cancelled in flight has its host, attempts, and how to repeat it."""
    from pytest_wisebot.emulator import Fault
    from pytest_wisebot.engine.engine import Engine
    from pytest_wisebot.redaction import Redactor

    emulator.fail_next(Fault.delay(20))
    engine = Engine(settings, Redactor())
    try:
        pending = engine.submit(RunRequest("echo", {"a": 1}))
        until = time.monotonic() + 10
        while not emulator.calls() and time.monotonic() < until:
            time.sleep(0.01)
        pending.cancel()
        with pytest.raises(ConnectionLost) as caught:
            pending.wait(10)
        asked = caught.value.attempted
        assert (asked.host, asked.attempts, len(asked.commands)) == (emulator.origin, 1, 2)
    finally:
        engine.close()


def test_a_handshake_that_is_given_up_leaves_no_connection_open(settings: Any) -> None:
    """The other side sees its end at once, and not only at garbage collection."""
    from pytest_wisebot.engine.engine import Engine
    from pytest_wisebot.redaction import Redactor

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        origin = f"https://127.0.0.1:{silent.getsockname()[1]}"
        patient = dataclasses.replace(settings, timeout=60.0, connect_timeout=60.0)
        engine = Engine(patient.replace(origin=origin, secret="FAKE-secret-of-echo"), Redactor())
        try:
            pending = engine.submit(RunRequest("echo"))
            connection, _ = silent.accept()
            with connection:
                connection.settimeout(5)
                assert connection.recv(65536)
                pending.cancel()
                assert connection.recv(65536) == b""
        finally:
            engine.close()


def test_a_name_server_that_is_slow_holds_nothing_back(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline ends the run, and the engine's end does not wait for the look-up either."""
    from pytest_wisebot.engine.engine import Engine
    from pytest_wisebot.redaction import Redactor

    asked, release, answered = threading.Event(), threading.Event(), threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        release.wait(120)
        answered.set()
        raise socket.gaierror("no")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    changed = dataclasses.replace(settings, origin="https://wisebot.example", connect_timeout=30.0)
    engine = Engine(changed, Redactor())
    with pytest.raises(ConnectionFailed, match=r"no connection within the run's 0\.5 s"):
        engine.submit(RunRequest("echo", {}, Api.WEBHOOK, 0.5)).wait(60)
    engine.close()
    assert asked.is_set()
    assert not answered.is_set()
    release.set()


@pytest.mark.parametrize("workflow", ["id:" + "x" * 70_000])
def test_what_can_never_be_sent_is_the_users_to_mend(ask: Any, settings: Any, workflow: str) -> None:
    """An id that no URL holds is not called a failed connection, and is not tried again."""
    from pytest_wisebot.engine.engine import Engine
    from pytest_wisebot.redaction import Redactor

    engine = Engine(settings, Redactor())
    try:
        with pytest.raises(ConfigurationError, match=r"^workflow .* no request can be made for http://127"):
            engine.submit(RunRequest(workflow)).wait(10)
    finally:
        engine.close()
