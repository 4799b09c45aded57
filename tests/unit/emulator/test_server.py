"""The emulator on real sockets: keep-alive, bodies of all kinds, faults on the wire, ports."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_wisebot.emulator import Emulator, Fault, WorkflowFailure
from pytest_wisebot.emulator import server as server_module
from pytest_wisebot.emulator.server import EmulatorServer
from pytest_wisebot.errors import ConfigurationError

SECRET = "whsec_CANARY_secret"
TOKEN = "wb_live_CANARY_token"
KEY = "CANARY_control_key"
RUN = "/workflows/trigger?workflowId=echo"
HEAD = f"POST {RUN} HTTP/1.1\r\nHost: emulator\r\nAuthorization: Bearer {SECRET}\r\n"


@pytest.fixture
def emulator() -> Emulator:
    emulator = Emulator(token=TOKEN)

    @emulator.workflow("echo", secret=SECRET)
    def echo(bag: dict[str, Any]) -> dict[str, Any]:
        if "fail" in bag:
            raise WorkflowFailure(bag["fail"])
        return bag

    return emulator


@pytest.fixture
def server(emulator: Emulator) -> Iterator[EmulatorServer]:
    with EmulatorServer(emulator, key=KEY) as server:
        yield server


@pytest.fixture
def webhook(server: EmulatorServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(urlsplit(server.origin).netloc, timeout=10)
    yield connection
    connection.close()


def address(url: str) -> tuple[str, int]:
    """The host and port of an origin."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def post(connection: http.client.HTTPConnection, bag: Any, **more: Any) -> tuple[int, Any]:
    connection.request("POST", RUN, json.dumps(bag), {"Authorization": f"Bearer {SECRET}"}, **more)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def exchange(server: EmulatorServer, sent: bytes) -> bytes:
    """Sends these bytes over a connection of their own, ends the sending, and returns all that comes back."""
    with socket.create_connection(address(server.origin), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_two_origins_and_a_control_address(server: EmulatorServer) -> None:
    """Each API has an origin of its own, as at Wisebot, and all are on the loopback interface."""
    urls = [server.origin, server.base_url, str(server.control)]
    assert len(set(urls)) == 3
    assert {address(url)[0] for url in urls} == {"127.0.0.1"}


def test_no_key_no_control(emulator: Emulator) -> None:
    """Without a key there is no control address."""
    with EmulatorServer(emulator) as server:
        assert server.control is None


def test_one_connection_serves_many_runs(webhook: http.client.HTTPConnection) -> None:
    """Connections are kept alive, over ok runs, failed runs and refusals."""
    assert post(webhook, {"a": 1})[0] == 200
    first = webhook.sock
    assert post(webhook, {"fail": "no"})[1]["error"] == "no"
    assert post(webhook, [1])[0] == 400
    assert post(webhook, {"é": "☃"})[1]["result"] == {"é": "☃"}
    assert webhook.sock is first


def test_a_chunked_body_is_read_whole(webhook: http.client.HTTPConnection) -> None:
    """A request may come in chunks, and the next on its connection is understood."""
    chunks = iter([b'{"a"', b": ", b"1}"])
    webhook.request("POST", RUN, chunks, {"X-Workflow-Secret": SECRET}, encode_chunked=True)
    assert json.loads(webhook.getresponse().read())["result"] == {"a": 1}
    assert post(webhook, {"b": 2})[1]["result"] == {"b": 2}


def test_chunk_extensions_and_trailers_are_passed_over(server: EmulatorServer) -> None:
    """What may stand around chunks does not get into the body."""
    body = b'8;note=x\r\n{"a": 1}\r\n0\r\nX-Trailer: x\r\n\r\n'
    answer = exchange(server, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + body)
    assert answer.endswith(b'"result": {"a": 1}}')


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ("Content-Length: many\r\n", b"{}", 400),
        ("Content-Length: -1\r\n", b"{}", 400),
        ("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: gzip\r\n", b"{}", 501),
        (f"Content-Length: {server_module.LARGEST_BODY + 1}\r\n", b"{}", 413),
        (f"Content-Length: {'9' * 5000}\r\n", b"{}", 413),
        ("Transfer-Encoding: chunked\r\n", b"fffffffff\r\n{}", 413),
    ],
)
def test_bodies_that_cannot_be_read(
    server: EmulatorServer, emulator: Emulator, headers: str, body: bytes, status: int
) -> None:
    """A body without a proper length, or beyond the bound, is refused in JSON, and its connection ends."""
    head, _, answer = exchange(server, f"{HEAD}{headers}\r\n".encode() + body).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in head
    assert json.loads(answer)["ok"] is False
    assert not any(call.ran for call in emulator.calls())


def test_a_client_that_sends_too_much_sees_its_answer(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that writes its whole body before it reads still gets to read the 413, not a reset connection."""
    monkeypatch.setattr(server_module, "LARGEST_BODY", 1000)
    size = 8_000_000
    answer = exchange(server, f"{HEAD}Content-Length: {size}\r\n\r\n".encode() + b"x" * size)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_malformed_request_is_refused_in_json(server: EmulatorServer) -> None:
    """A request that is not HTTP gets the emulator's usual refusal."""
    answer = exchange(server, b"POST two words HTTP/1.1\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["ok"] is False


def test_a_raw_utf8_address_is_understood(server: EmulatorServer, emulator: Emulator) -> None:
    """A client that does not quote letters beyond ASCII, as curl does not, reaches the workflow all the same."""
    emulator.workflow("naïve", secret=SECRET)(lambda: "ran")
    answer = exchange(server, HEAD.replace("echo", "naïve").encode() + b"Connection: close\r\n\r\n")
    assert b'"result": "ran"' in answer


def test_a_client_that_leaves_is_no_traceback(server: EmulatorServer, emulator: Emulator) -> None:
    """A connection that ends in the middle of a body, or before its answer, leaves no trace in the log."""
    exchange(server, f"{HEAD}Content-Length: 50\r\n\r\n".encode() + b"{")
    emulator.fail_next(Fault.endless())
    with socket.create_connection(address(server.origin), timeout=10) as connection:
        connection.sendall(f"{HEAD}\r\n".encode())
        connection.recv(1000)
    assert exchange(server, f"{HEAD}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 200 ")
    assert emulator.log.text() == ""


@pytest.mark.parametrize("fault", [Fault.reset_before(), Fault.reset_after()], ids=lambda fault: fault.kind)
def test_a_reset_reaches_the_client(webhook: http.client.HTTPConnection, emulator: Emulator, fault: Fault) -> None:
    """A reset is a real one (RST): the client's system reports it as such, and no answer was sent."""
    emulator.fail_next(fault)
    with pytest.raises(ConnectionResetError):
        post(webhook, {})
    assert emulator.calls()[0].status is None


def test_a_body_is_cut_short(webhook: http.client.HTTPConnection, emulator: Emulator) -> None:
    """The body ends before the length that was announced for it."""
    emulator.fail_next(Fault.cut_short())
    with pytest.raises(http.client.IncompleteRead):
        post(webhook, {})


def test_a_dripping_answer_arrives_whole(webhook: http.client.HTTPConnection, emulator: Emulator) -> None:
    """An answer that drips is slow, and otherwise as usual: its connection is kept."""
    emulator.fail_next(Fault.drip(0))
    assert post(webhook, {"a": 1})[1]["result"] == {"a": 1}
    assert post(webhook, {"a": 2})[1]["result"] == {"a": 2}


def test_an_endless_answer_ends_with_its_bound(
    webhook: http.client.HTTPConnection, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that never ends does end at a bound, for readers that have none."""
    monkeypatch.setattr(server_module, "ENDLESS_BODY", 1024 * 1024)
    emulator.fail_next(Fault.endless())
    webhook.request("POST", RUN, b"{}", {"X-Workflow-Secret": SECRET})
    response = webhook.getresponse()
    assert response.getheader("Content-Length") is None
    assert len(response.read()) == 1024 * 1024 + len(b'{"ok": true, "result": "')


def test_answers_without_a_body_keep_the_connection(webhook: http.client.HTTPConnection, emulator: Emulator) -> None:
    """A 204 has no body, and the next answer on its connection is understood."""
    emulator.fail_next(Fault.status(204))
    webhook.request("POST", RUN, b"{}")
    response = webhook.getresponse()
    assert (response.status, response.read()) == (204, b"")
    assert post(webhook, {"a": 1})[0] == 200


def test_a_redirect_names_its_target(webhook: http.client.HTTPConnection, emulator: Emulator) -> None:
    """A redirect's address arrives as it was given."""
    emulator.fail_next(Fault.redirect("https://login.example.com/?a=b", 302))
    webhook.request("POST", RUN, b"{}")
    response = webhook.getresponse()
    assert (response.status, response.getheader("Location")) == (302, "https://login.example.com/?a=b")


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("POST", "/peak", KEY, 200),
        ("POST", "/peak", "FAKE", 401),
        ("POST", "/peak", TOKEN, 401),
        ("GET", "/peak", KEY, 405),
        ("POST", "/quit", KEY, 404),
    ],
)
def test_the_control_address_hears_who_has_its_key(
    server: EmulatorServer, method: str, path: str, key: str, status: int
) -> None:
    """Commands need the key, which is neither the token nor a secret."""
    connection = http.client.HTTPConnection(urlsplit(str(server.control)).netloc, timeout=10)
    connection.request(method, path, b"{}", {"Authorization": f"Bearer {key}"})
    assert connection.getresponse().status == status
    connection.close()


@pytest.mark.parametrize("name", ["webhook", "dashboard"])
def test_a_port_in_use_is_named(emulator: Emulator, name: str) -> None:
    """A port that another program has is an error that names the port, and nothing goes on listening."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"^{name} port: cannot listen on 127.0.0.1:{port}: "):
            EmulatorServer(emulator, **{name: port})


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_named(emulator: Emulator, port: int) -> None:
    """A number that is not a valid port is an error that names it."""
    with pytest.raises(ConfigurationError, match=f"^webhook port: cannot listen on 127.0.0.1:{port}: "):
        EmulatorServer(emulator, webhook=port)


def test_a_stopped_server_listens_no_more(emulator: Emulator) -> None:
    """After ``close`` the ports are free again; a second ``close`` has no effect."""
    server = EmulatorServer(emulator)
    server.close()
    server.close()
    with EmulatorServer(emulator, webhook=address(server.origin)[1]) as again:
        assert again.origin == server.origin
