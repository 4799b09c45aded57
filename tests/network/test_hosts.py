"""What stands before a host beside TLS and proxies: headers that it wants, redirects, and broken answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from company import PASSED, WITH_AND_WITHOUT_XDIST, Certificates, Company, Listener, answering

from pytest_wisebot import __version__
from pytest_wisebot.cli.main import main
from pytest_wisebot.client.exchange import KEEPALIVE

H11 = {
    "status line": "illegal status line: '!\\x00\\x01 this is no HTTP'",
    "chunk": "illegal chunk header: 'zz\\r\\n'",
    "header": "illegal header line: 'no colon in it'",
    "length": "peer closed connection without sending complete message body (received 2 bytes, expected 10)",
}
"""Words of h11, which reads answers for httpx; those that it quotes of an answer without the Python around them."""

HTTPCORE_SILENT = "Server disconnected without sending a response"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\x21\x00\x01 this is no HTTP\r\n\r\n", H11["status line"]),
        (b"HTTP/1.1 200 OK\r\nno colon in it\r\n\r\n", H11["header"]),
        (b"", HTTPCORE_SILENT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", f"status 200, {H11['length']}"),
        (b"HTTP/1.1 502 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", f"status 502, {H11['chunk']}"),
    ],
    ids=["garbage", "header", "nothing", "cut short", "chunk"],
)
def test_a_broken_answer(company: Company, answer: bytes, reason: str) -> None:
    """The message has the status, what was illegal, and an excerpt; the request is sent once."""
    server = company.listen(answering(answer))
    outcome = company.run(server.open)
    assert outcome.kind == "ConnectionLost"
    assert outcome.message == (
        f'the connection ended before the answer was whole: {reason} (workflow "triage" over the webhook API at '
        f"{server.open})\n  The workflow may have run; it was not started again."
    )
    assert len(server.requests) == 1


def test_a_broken_answer_shows_no_credential(company: Company) -> None:
    """What the excerpt quotes is masked, and printable."""
    server = company.listen(answering(b"!\x1b[2J FAKE-secret-of-triage\r\n\r\n"))
    outcome = company.run(server.open)
    assert "FAKE-secret" not in outcome.message
    assert "<secret>" in outcome.message
    assert "\x1b" not in outcome.message


@pytest.mark.parametrize(
    ("location", "to"),
    [
        (
            "https://login.example:8443/sso?next=FAKE-token#top",
            "to https://login.example:8443/sso, which is not followed",
        ),
        ("/login", "to {origin}/login, which is not followed"),
        ("//other.example/x", "to http://other.example/x, which is not followed"),
        ("https://bob:FAKE-pass@other.example/x", "to https://other.example/x, which is not followed"),
        (
            "https://wisebot.example/workflows/trigger?workflowId=triage",
            "to https://wisebot.example/workflows/trigger, which is not followed; if that is Wisebot, set the host to "
            "https://wisebot.example",
        ),
        ("", "to another place, which is not followed"),
        ("http://[", "to another place, which is not followed"),
    ],
    ids=["login", "relative", "scheme", "password", "moved", "none", "bracket"],
)
def test_a_redirect(company: Company, location: str, to: str) -> None:
    """From where to where: scheme, host, port and path, and neither query nor password."""
    where = f"Location: {location}\r\n" if location else ""
    server = company.listen(answering(f"HTTP/1.1 307 -\r\n{where}Content-Length: 0\r\n\r\n".encode()))
    outcome = company.run(server.open)
    assert outcome.kind == "Redirected"
    reason = f"redirected from {server.open}/workflows/trigger {to.format(origin=server.open)}"
    assert outcome.message.startswith(f"{reason} (workflow ")
    assert len(server.requests) == 1


# --- headers for a host alone

HEADERS = """
[environments.company.headers]
"x-vercel-protection-bypass" = "env:BYPASS"
x-gate = "file:gate.txt"
"""


@WITH_AND_WITHOUT_XDIST
def test_headers_of_a_host(company: Company, args: tuple[str, ...]) -> None:
    """A protected preview gets its headers with each run, masked everywhere, by reference in the command."""
    server = company.listen(answering())
    company.project.write("gate.txt", "CANARY-of-the-gate\n")
    outcome = company.run(server.open, *args, more=HEADERS, BYPASS="CANARY-of-the-bypass")
    assert outcome == PASSED
    (request,) = server.requests
    assert b"x-vercel-protection-bypass: CANARY-of-the-bypass\r\n" in request
    assert b"x-gate: CANARY-of-the-gate\r\n" in request
    assert b"Authorization: Bearer FAKE-secret-of-triage\r\n" in request
    (command,) = outcome.commands
    assert '-H "x-vercel-protection-bypass: $BYPASS"' in command
    assert f'-H "x-gate: $(cat {company.project.path / "gate.txt"})"' in command
    assert "CANARY" not in command
    if not args:
        company.last.stdout.fnmatch_lines(["wisebot:   header x-gate: file:*gate.txt, set (*headers.x-gate)"])
    company.project.test("def test_it(trigger_workflow):\n    assert 0, 'CANARY-of-the-bypass and CANARY-of-the-gate'")
    company.session(server.open, *args, more=HEADERS, BYPASS="CANARY-of-the-bypass")
    company.last.stdout.fnmatch_lines(["*<secret> and <secret>*"])
    assert "CANARY" not in company.last.stdout.str()


def test_the_command_sends_the_headers(company: Company) -> None:
    """What repeats a run, typed into a shell, sends the same headers."""
    server = company.listen(answering())
    company.project.write("gate.txt", "CANARY-of-the-gate\n")
    outcome = company.run(server.open, more=HEADERS, BYPASS="CANARY-of-the-bypass")
    subprocess.run(["bash", "-c", outcome.commands[0]], check=True, capture_output=True, timeout=60)
    ours, by_hand = server.requests
    for line in (b"x-vercel-protection-bypass: CANARY-of-the-bypass", b"x-gate: CANARY-of-the-gate"):
        assert line in ours.split(b"\r\n")
        assert line in by_hand.split(b"\r\n")


def test_each_host_gets_its_own_headers_alone(company: Company) -> None:
    """Those of the dashboard's host go with its runs and with the check of its token, and to no other host."""
    webhook, dashboard = company.listen(answering()), company.listen(answering())
    company.project.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow("triage").ok
            assert trigger_workflow("triage", api="dashboard").ok
    """)
    settings = f'base-url = "{dashboard.open}"\ntoken = "env:TRIAGE_SECRET"'
    more = """
        [environments.company.headers]
        x-webhook = "env:WEBHOOK"
        [environments.company.dashboard-headers]
        x-dashboard = "env:DASHBOARD"
    """
    company.session(webhook.open, settings=settings, more=more, WEBHOOK="CANARY-webhook", DASHBOARD="CANARY-dashboard")
    company.last.assert_outcomes(passed=1)
    assert len(webhook.requests) == 1
    assert [request.split(b" ")[0] for request in dashboard.requests] == [b"GET", b"POST"]
    assert all(b"CANARY-webhook" in one and b"CANARY-dashboard" not in one for one in webhook.requests)
    assert all(b"CANARY-dashboard" in one and b"CANARY-webhook" not in one for one in dashboard.requests)


HOOKS = {
    "replace": "settings.replace(origin='{origin}', secret='env:TRIAGE_SECRET')",
    "dataclasses": "dataclasses.replace(settings, origin='{origin}', secret='FAKE-secret-of-triage')",
    "keep": "settings.replace(origin='{origin}', keep_credentials=True)",
}


@pytest.mark.parametrize("way", ["option", *HOOKS])
def test_another_host_gets_no_headers(company: Company, way: str) -> None:
    """A host in the place of the environment's, by an option or the hook, gets none unless the hook keeps them."""
    server = company.listen(answering())
    options: tuple[str, ...] = ()
    if way == "option":
        options = ("--wisebot-origin", server.open, "--wisebot-secret", "env:TRIAGE_SECRET")
    else:
        changed = HOOKS[way].format(origin=server.open)
        hook = f"import dataclasses\ndef pytest_wisebot_settings(settings):\n    return {changed}\n"
        company.project.write("conftest.py", hook)
    more = '[environments.company.headers]\nx-gate = "env:BYPASS"'
    outcome = company.run("http://127.0.0.1:1", *options, more=more, BYPASS="CANARY-of-the-bypass")
    assert outcome == PASSED
    assert (b"CANARY" in server.requests[0]) == ("$BYPASS" in outcome.commands[0]) == (way == "keep")


def test_a_hook_gives_headers_for_its_host(company: Company) -> None:
    """They go to the host of the same call, by reference or by value, which the command then leaves to fill in."""
    server = company.listen(answering())
    company.project.write(
        "conftest.py",
        f"def pytest_wisebot_settings(settings):\n"
        f"    headers = {{'x-gate': 'env:BYPASS', 'x-value': 'CANARY-value'}}\n"
        f"    return settings.replace(origin='{server.open}', secret='env:TRIAGE_SECRET', headers=headers)\n",
    )
    outcome = company.run("http://127.0.0.1:1", BYPASS="CANARY-of-the-bypass")
    assert b"x-gate: CANARY-of-the-bypass\r\n" in server.requests[0]
    assert b"x-value: CANARY-value\r\n" in server.requests[0]
    assert '-H "x-gate: $BYPASS" -H "x-value: $FILL_IN_THE_HEADER"' in outcome.commands[0]


def test_a_header_without_a_value(company: Company) -> None:
    """A reference that leads nowhere is named, and nothing is sent."""
    server = company.listen(answering())
    outcome = company.run(server.open, more='[environments.company.headers]\nx-gate = "env:NOT_SET"')
    place = "wisebot.toml: environments.company.headers.x-gate"
    reason = f"{place}: env:NOT_SET: the environment variable NOT_SET is not set"
    assert (outcome.kind, outcome.message) == ("ConfigurationError", reason)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        *(
            (
                f'{name} = "env:BYPASS"',
                f"{name} is a header that each request has of its own, and that no setting replaces",
            )
            for name in ("Authorization", "x-workflow-secret", "HOST", "Content-Type", "content-length", "Connection")
        ),
        ('"x gate" = "env:BYPASS"', '"x gate" is not a name of a header: write letters, digits and hyphens'),
        (
            'x-gate = "env:BYPASS"\nX-Gate = "env:BYPASS"',
            "X-Gate stands there twice: names of headers differ by more than letter case",
        ),
        (
            'x-gate = "CANARY-value"',
            'x-gate: write a reference, "env:NAME" or "file:PATH": a credential is never written into this file',
        ),
        ("x-gate = 1", 'x-gate: expected "env:NAME" or "file:PATH", got a number'),
    ],
)
def test_headers_that_cannot_be_given(company: Company, line: str, mistake: str) -> None:
    """None replaces a header that carries another credential, or that belongs to the request; values are references."""
    company.session("http://127.0.0.1:1", more=f"[environments.company.headers]\n{line}")
    assert f"wisebot.toml: environments.company.headers: {mistake}" in company.last.stderr.str()
    assert "CANARY" not in company.last.stderr.str()


def test_the_user_agent(company: Company) -> None:
    """Servers' logs show this package's version, and that of httpx."""
    server = company.listen(answering())
    company.run(server.open)
    assert f"User-Agent: pytest-wisebot/{__version__} httpx/{httpx.__version__}\r\n".encode() in server.requests[0]


# --- the check before the first run


def test_the_check_finds_what_stands_in_the_way(
    company: Company, certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the reasons and the advice of a run, sends no credential, and passes once the advice is followed."""
    server = company.serve_tls(certificates.valid, clients=certificates.clients)
    trust, shown = f'ca-file = "{certificates.ca}"', f'client-cert = "{certificates.client}"'
    gate = '[environments.company.headers]\nx-gate = "env:BYPASS"'
    found = []
    for settings, variables in (
        ("", {}),
        (trust, {}),
        (f"{trust}\n{shown}\n{gate}", {}),
        (f"{trust}\n{shown}\n{gate}", {"BYPASS": "CANARY-of-the-bypass"}),
    ):
        company._write(server.secure, settings, "", variables)
        capsys.readouterr()
        found.append((main(["check"]), capsys.readouterr().out))
    assert [code for code, _ in found] == [10, 10, 4, 0]
    assert (
        "TLS failed: unable to get local issuer certificate; set ca-file under [environments.company] in wisebot.toml"
        in found[0][1]
    )
    assert "TLS failed: the server wants a client certificate" in found[1][1]
    assert "env:BYPASS: the environment variable BYPASS is not set" in found[2][1]
    assert b"FAKE" not in b"".join(server.requests)
    assert all(request.startswith(b"HEAD / ") for request in server.requests)


# --- connections that are silent for long


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the open sockets of this process in /proc")
@pytest.mark.parametrize("proxy", ["", "http", "socks5"])
def test_a_silent_connection_is_kept_alive(company: Company, proxy: str) -> None:
    """The system probes it each minute, so that no gateway takes it for dead while a run takes its time."""
    found: list[tuple[int, ...]] = []

    def look(listener: Listener, connection: socket.socket) -> None:
        connection.recv(1, socket.MSG_PEEK)  # by then the client has set them
        found.append(options_towards(connection))
        answering()(listener, connection)

    server = company.listen(look)
    variables = {"ALL_PROXY": f"{proxy}://127.0.0.1:{server.port}"} if proxy else {}
    origin = "https://wisebot.example" if proxy else server.open
    assert (company.run(origin, settings="connect-timeout = 1", **variables) == PASSED) == (not proxy)
    assert found == [(1, KEEPALIVE, KEEPALIVE)]


def options_towards(connection: socket.socket) -> tuple[int, ...]:
    """The options of the other end of a connection, which this process has open, too."""
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it is closed by now, or not connected
            if not path.is_socket():
                continue
            other = socket.socket(fileno=os.dup(int(path.name)))
            with other:
                if (other.getsockname(), other.getpeername()) == (connection.getpeername(), connection.getsockname()):
                    idle, interval = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL
                    options = [other.getsockopt(socket.IPPROTO_TCP, option) for option in (idle, interval)]
                    return (other.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), *options)
    return ()
