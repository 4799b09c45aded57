"""What a user behind a proxy reads, and that it leads to a run.

The status of a refusal and its phrase are the proxy's own. Words of httpcore, of its SOCKS client, and of the system
stand in constants; the rest of each message is this package's.
"""

from __future__ import annotations

import socket
import ssl
import sys

import pytest
from company import (
    PASSED,
    WITH_AND_WITHOUT_XDIST,
    Certificates,
    Company,
    Listener,
    Serve,
    answering,
    end,
    failed,
    over_tls,
    relay,
    tunnelling,
)

ORIGIN = "https://wisebot.example"
TO = "wisebot.example:443"

HTTPCORE_SOCKS_PASSWORD = "Requested NO AUTHENTICATION REQUIRED from proxy server, but got USERNAME/PASSWORD"
HTTPCORE_SOCKS_REFUSED = "Proxy Server could not connect: Connection not allowed by ruleset"
H11_STATUS_LINE = "illegal status line: 'SSH-2.0-OpenSSH_9.6'"


def refusing(status: str) -> bytes:
    """An answer to CONNECT."""
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.fixture
def behind(company: Company, certificates: Certificates) -> Listener:
    """Wisebot's host, which a proxy alone can connect to."""
    return company.serve_tls(certificates.valid)


@WITH_AND_WITHOUT_XDIST
def test_an_open_proxy(company: Company, certificates: Certificates, behind: Listener, args: tuple[str, ...]) -> None:
    """It gets the name of the host and no credential; one request arrives."""
    proxy = company.listen(tunnelling(behind.port))
    outcome = company.run(ORIGIN, *args, settings=f'ca-file = "{certificates.ca}"', HTTPS_PROXY=proxy.open)
    assert outcome == PASSED
    (asked,) = proxy.requests
    assert asked.startswith(b"CONNECT wisebot.example:443 HTTP/1.1\r\n")
    assert b"FAKE" not in asked
    assert len(behind.requests) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            "407 Proxy Authentication Required",
            "asked for a password (407); set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT",
        ),
        (
            "403 Forbidden",
            f"refused to connect to {TO} (403 Forbidden); have it allow {TO}, or name the host in NO_PROXY",
        ),
        (
            "503 Service Unavailable",
            f"refused to connect to {TO} (503 Service Unavailable); see whether the host is up",
        ),
    ],
    ids=["407", "403", "503"],
)
def test_a_proxy_that_refuses(
    company: Company, certificates: Certificates, behind: Listener, status: str, reason: str
) -> None:
    """The message has the proxy's host, the variable that names it, its answer, and what to do; nothing was run."""
    proxy = company.listen(tunnelling(behind.port, refusing(status)))
    outcome = company.run(ORIGIN, settings=f'ca-file = "{certificates.ca}"', HTTPS_PROXY=proxy.open)
    assert outcome == failed(f"the proxy {proxy.open} (HTTPS_PROXY) {reason}", ORIGIN)
    assert (proxy.connections, behind.connections) == (1, 0)


def test_a_proxy_that_cannot_be_reached(company: Company) -> None:
    """It is the proxy that is named as not reached, and not Wisebot."""
    dead = company.listen(answering())
    dead.close()
    outcome = company.run(ORIGIN, HTTPS_PROXY=dead.open)
    correct = "correct HTTPS_PROXY, or name wisebot.example in NO_PROXY"
    assert outcome == failed(
        f"the proxy {dead.open} (HTTPS_PROXY) cannot be reached: connection refused; {correct}", ORIGIN
    )


def test_a_proxy_that_hangs(company: Company) -> None:
    """It holds a run for the time of a connection, and not for that of the whole run."""

    def hang(listener: Listener, connection: socket.socket) -> None:
        while piece := connection.recv(65536):
            listener.requests.append(piece)

    proxy = company.listen(hang)
    outcome = company.run(ORIGIN, settings="connect-timeout = 0.5", HTTPS_PROXY=proxy.open)
    named = f"the proxy {proxy.open} (HTTPS_PROXY)"
    assert outcome == failed(f"{named} did not answer within 0.5 s whether it connects to {TO}", ORIGIN)
    assert proxy.connections == 1
    outcome = company.run(ORIGIN, "--wisebot-timeout", "0.5", HTTPS_PROXY=proxy.open)
    assert outcome == failed(f"{named} did not answer within the run's 0.5 s whether it connects to {TO}", ORIGIN)


def test_a_proxy_that_is_none(company: Company) -> None:
    """What answers in the proxy's place is quoted."""
    proxy = company.listen(tunnelling(0, b"SSH-2.0-OpenSSH_9.6\r\n\r\n"))
    outcome = company.run(ORIGIN, HTTPS_PROXY=proxy.open)
    assert outcome == failed(f"the proxy {proxy.open} (HTTPS_PROXY) did not connect to {TO}: {H11_STATUS_LINE}", ORIGIN)


def test_a_certificate_behind_a_proxy(company: Company, certificates: Certificates) -> None:
    """What stands behind the proxy is not called a fault of the proxy."""
    proxy = company.listen(tunnelling(company.serve_tls(certificates.expired).port))
    outcome = company.run(ORIGIN, settings=f'ca-file = "{certificates.ca}"', HTTPS_PROXY=proxy.open)
    assert outcome.message.startswith("TLS failed: certificate has expired; ")


def test_a_proxy_with_a_password(company: Company, certificates: Certificates, behind: Listener) -> None:
    """The message leads to a run; a wrong password is told as such, and never shown."""
    proxy = company.listen(tunnelling(behind.port, password="Proxy-Authorization: Basic Ym9iOkZBS0UtcHJveHktcGFzcw=="))
    trust = f'ca-file = "{certificates.ca}"'
    wrong = proxy.open.replace("//", "//bob:FAKE-wrong-pass@")
    outcome = company.run(ORIGIN, settings=trust, HTTPS_PROXY=wrong)
    named = f"the proxy {proxy.open} (HTTPS_PROXY)"
    assert outcome == failed(f"{named} refused its user and password (407); correct them in HTTPS_PROXY", ORIGIN)
    right = proxy.open.replace("//", "//bob:FAKE-proxy-pass@")
    assert company.run(ORIGIN, settings=trust, HTTPS_PROXY=right) == PASSED


def test_a_proxy_over_tls(company: Company, certificates: Certificates, behind: Listener) -> None:
    """Its certificate is verified as that of a host; a refusal names the proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.valid)
    proxy = company.listen(over_tls(context, tunnelling(behind.port)))
    named = f"the proxy {proxy.secure} (HTTPS_PROXY)"
    outcome = company.run(ORIGIN, HTTPS_PROXY=proxy.secure)
    assert outcome.message.startswith(
        f"{named} cannot be reached: TLS failed: unable to get local issuer certificate; "
    )
    assert company.run(ORIGIN, settings=f'ca-file = "{certificates.ca}"', HTTPS_PROXY=proxy.secure) == PASSED


def test_a_proxy_that_forwards(company: Company) -> None:
    """Without TLS the proxy gets the request itself; its refusal is told with its name."""
    proxy = company.listen(answering(refusing("407 Proxy Authentication Required")))
    outcome = company.run("http://wisebot.example", settings="allow-http = true", http_proxy=proxy.open)
    assert outcome.kind == "RequestRejected"
    assert outcome.message.startswith(
        f"the proxy {proxy.open} (http_proxy) asked for a password (407); "
        "set http_proxy to http://USER:PASSWORD@HOST:PORT (workflow "
    )


def test_no_proxy_leads_past_a_proxy(company: Company, certificates: Certificates) -> None:
    """A host that the message says to name in NO_PROXY is connected to directly."""
    proxy = company.listen(tunnelling(0, refusing("403 Forbidden")))
    outcome = company.run("https://wisebot.invalid", HTTPS_PROXY=proxy.open, NO_PROXY="wisebot.invalid")
    assert outcome == failed("host not found", "https://wisebot.invalid")
    assert proxy.connections == 0


# --- SOCKS


def socks(port: int, method: bytes = b"\x00", reply: bytes = b"\x00") -> Serve:
    """A SOCKS5 proxy that connects every host to one port, or refuses to."""

    def serve(listener: Listener, connection: socket.socket) -> None:
        listener.requests.append(connection.recv(65536))
        connection.sendall(b"\x05" + method)
        if method == b"\x00":
            listener.requests.append(connection.recv(65536))
            connection.sendall(b"\x05" + reply + b"\x00\x01\x00\x00\x00\x00\x00\x00")
            if reply == b"\x00":
                relay(connection, port)
                return
        end(connection)

    return serve


def test_a_socks_proxy(company: Company, certificates: Certificates, behind: Listener) -> None:
    """With the extra installed a run goes through it."""
    proxy = company.listen(socks(behind.port))
    settings = f'ca-file = "{certificates.ca}"'
    outcome = company.run(ORIGIN, settings=settings, ALL_PROXY=f"socks5://127.0.0.1:{proxy.port}")
    assert outcome == PASSED
    assert b"wisebot.example" in proxy.requests[1]


@pytest.mark.parametrize(
    ("method", "reply", "words"),
    [(b"\x02", b"", HTTPCORE_SOCKS_PASSWORD), (b"\x00", b"\x02", HTTPCORE_SOCKS_REFUSED)],
    ids=["password", "ruleset"],
)
def test_a_socks_proxy_that_refuses(company: Company, method: bytes, reply: bytes, words: str) -> None:
    """The message has the proxy, the variable and the words of the library; nothing was run."""
    proxy = company.listen(socks(0, method, reply))
    url = f"socks5://127.0.0.1:{proxy.port}"
    outcome = company.run(ORIGIN, ALL_PROXY=url)
    assert outcome == failed(f"the proxy {url} (ALL_PROXY) did not connect to {TO}: {words}", ORIGIN)


def test_a_socks_proxy_that_closes(company: Company) -> None:
    """What speaks no SOCKS is a connection that failed, and no defect inside."""
    proxy = company.listen(lambda listener, connection: end(connection))
    outcome = company.run(ORIGIN, ALL_PROXY=f"socks5://127.0.0.1:{proxy.port}")
    assert outcome.kind == "ConnectionFailed"
    assert outcome.message.startswith(
        f"the proxy socks5://127.0.0.1:{proxy.port} (ALL_PROXY) did not connect to {TO}: "
    )


@WITH_AND_WITHOUT_XDIST
def test_a_socks_proxy_without_the_extra(
    company: Company, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    outcome = company.run(ORIGIN, *args, ALL_PROXY="socks5://bob:CANARY-password@127.0.0.1:1")
    install = "pip install 'pytest-wisebot[socks]'"
    reason = f"the proxy socks5://127.0.0.1:1 (ALL_PROXY) needs socksio: {install}"
    assert (outcome.kind, outcome.message) == ("ConfigurationError", reason)
