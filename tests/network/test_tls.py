"""What a user behind a company's certificates reads, and that it leads to a run.

Words of OpenSSL stand in `OPENSSL`, the rest of each message is this package's.
"""

from __future__ import annotations

import socket
import ssl
import sys
from asyncio import timeout
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from company import (
    PASSED,
    PASSWORD,
    WITH_AND_WITHOUT_XDIST,
    Certificates,
    Company,
    Listener,
    answering,
    end,
    failed,
    over_tls,
    saying,
)

from pytest_wisebot.client import connections

OPENSSL = {
    "expired": "certificate has expired",
    "name": "certificate is not valid for 'localhost'",
    "self-signed": "self-signed certificate",
    "issuer": "unable to get local issuer certificate",
    "handshake": "sslv3 alert handshake failure",
    "required": "tlsv13 alert certificate required",
    "unknown-ca": "tlsv1 alert unknown ca",
    "no-tls": "wrong version number",
    "no-protocol": "tlsv1 alert no application protocol",
}
"""What Python's ssl module shows of OpenSSL 3: `verify_message`, and `reason` in lower case."""

H11_FIRST_BYTE = "illegal request line"
"""What h11 says of an answer whose first byte does not print."""

SET_CA = "set ca-file under [environments.company] in wisebot.toml, or SSL_CERT_FILE, to a PEM file with"
OF_CA = "the certificate of the CA that signed it"
SET_CLIENT = "set client-cert and client-key under [environments.company] in wisebot.toml"


@pytest.mark.parametrize(
    ("certificate", "trusted", "reason"),
    [
        ("valid", False, f"{OPENSSL['issuer']}; {SET_CA} {OF_CA}"),
        ("self_signed", False, f"{OPENSSL['self-signed']}; {SET_CA} this certificate"),
        ("expired", True, f"{OPENSSL['expired']}; renew it on the server, or correct this machine's clock"),
        ("other_name", True, f"{OPENSSL['name']}; correct origin, or the certificate on the server"),
    ],
)
def test_a_certificate_that_is_refused(
    company: Company, certificates: Certificates, certificate: str, trusted: bool, reason: str
) -> None:
    """The message has the library's own reason and what to do; there is one connection, and no request."""
    server = company.serve_tls(getattr(certificates, certificate))
    settings = f'ca-file = "{certificates.ca}"' if trusted else ""
    outcome = company.run(server.secure, settings=settings)
    assert outcome == failed(f"TLS failed: {reason}", server.secure)
    assert (server.connections, server.requests) == (1, [])


@pytest.mark.parametrize(
    ("certificate", "way", "args"),
    [
        *((certificate, way, ()) for certificate in ("valid", "self_signed") for way in ("ca-file", "SSL_CERT_FILE")),
        ("valid", "relative", ()),
        pytest.param("valid", "relative", ("-n", "1"), marks=pytest.mark.slow),
    ],
)
def test_what_the_message_says_leads_to_a_run(
    company: Company, certificates: Certificates, certificate: str, way: str, args: tuple[str, ...]
) -> None:
    """A private CA is trusted by a setting, relative to its file, or by the variable."""
    server = company.serve_tls(getattr(certificates, certificate))
    file = certificates.self_signed if certificate == "self_signed" else certificates.ca
    (company.project.path / "company.pem").write_bytes(file.read_bytes())
    settings = {"ca-file": f'ca-file = "{file}"', "relative": 'ca-file = "company.pem"'}.get(way, "")
    variables = {"SSL_CERT_FILE": str(file)} if way == "SSL_CERT_FILE" else {}
    assert company.run(server.secure, *args, settings=settings, **variables) == PASSED
    assert (server.connections, len(server.requests)) == (1, 1)


def test_an_intermediate_ca_is_trusted_alone(company: Company, certificates: Certificates) -> None:
    """Which CA of a chain stands in ca-file, of an environment or for all, does not matter in any version of Python."""
    server = company.serve_tls(certificates.behind_intermediate)
    for trusted in (certificates.ca, certificates.intermediate):
        assert company.run(server.secure, more=f'[defaults]\nca-file = "{trusted}"') == PASSED


def test_a_refused_certificate_is_tried_as_often_as_any_connection(
    company: Company, certificates: Certificates
) -> None:
    """Each attempt makes one connection, none to look at the certificate again."""
    server = company.serve_tls(certificates.expired)
    company.run(server.secure, "--wisebot-retries", "2", settings=f'ca-file = "{certificates.ca}"')
    assert (server.connections, server.requests) == (3, [])


@pytest.mark.parametrize(
    ("variables", "note"),
    [
        ({"REQUESTS_CA_BUNDLE": "ca.pem"}, "REQUESTS_CA_BUNDLE is set and not used"),
        ({"CURL_CA_BUNDLE": "ca.pem"}, "CURL_CA_BUNDLE is set and not used"),
        (
            {"REQUESTS_CA_BUNDLE": "ca.pem", "SSL_CERT_FILE": "clients"},
            "REQUESTS_CA_BUNDLE is set and not used, SSL_CERT_FILE is set and takes the place of the system's "
            "certificates",
        ),
    ],
    ids=["requests", "curl", "both"],
)
def test_variables_of_other_tools_are_named(
    company: Company, certificates: Certificates, variables: dict[str, str], note: str
) -> None:
    """A variable that helps other tools and not this one is named beside the refusal."""
    server = company.serve_tls(certificates.valid)
    given = {name: str(certificates.clients) if value == "clients" else value for name, value in variables.items()}
    outcome = company.run(server.secure, **given)
    assert outcome == failed(f"TLS failed: {OPENSSL['issuer']}; {SET_CA} {OF_CA} ({note})", server.secure)


def test_a_ca_file_without_the_ca(company: Company, certificates: Certificates) -> None:
    """Where the setting is there already, the message names the file to which a certificate must be added."""
    server = company.serve_tls(certificates.valid)
    outcome = company.run(server.secure, settings=f'ca-file = "{certificates.clients}"')
    reason = f"TLS failed: {OPENSSL['issuer']}; add {OF_CA} to ca-file, {certificates.clients}"
    assert outcome == failed(reason, server.secure)


@WITH_AND_WITHOUT_XDIST
@pytest.mark.parametrize(
    ("version", "wants"),
    [
        ("TLSv1_2", f"the server may want a client certificate ({OPENSSL['handshake']})"),
        ("TLSv1_3", f"the server wants a client certificate ({OPENSSL['required']})"),
    ],
)
def test_a_server_that_wants_a_client_certificate(
    company: Company, certificates: Certificates, version: str, wants: str, args: tuple[str, ...]
) -> None:
    """Nothing was run, under either version of TLS; the settings that the message names lead to a run."""
    server = company.serve_tls(certificates.valid, version=version, clients=certificates.clients)
    trust = f'ca-file = "{certificates.ca}"\n'
    assert company.run(server.secure, *args, settings=trust) == failed(
        f"TLS failed: {wants}; {SET_CLIENT}", server.secure
    )
    assert (server.connections, server.requests) == (1, [])
    shown = f'{trust}client-cert = "{certificates.client_cert}"\nclient-key = "{certificates.client_key}"'
    assert company.run(server.secure, *args, settings=shown) == PASSED
    assert (server.connections, len(server.requests)) == (2, 1)


def test_a_server_that_resets_the_connection_at_once(company: Company, certificates: Certificates) -> None:
    """Its refusal is read before anything is written: a write that meets the reset would lose it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.valid)
    context.verify_mode, context.minimum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_3

    def serve(listener: Listener, connection: socket.socket) -> None:
        with suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    company.project.test("""
        @pytest.mark.parametrize("n", range(5))
        def test_it(trigger_workflow, n):
            with pytest.raises(ConnectionFailed, match="the server wants a client certificate"):
                trigger_workflow("triage", {"n": "x" * 10 ** n})
    """)
    server = company.listen(serve)
    company.session(server.secure, settings=f'ca-file = "{certificates.ca}"')
    company.last.assert_outcomes(passed=5)
    assert server.connections == 5


def test_a_handshake_is_confirmed_once(company: Company, certificates: Certificates, monkeypatch: Any) -> None:
    """A server that sends no session ticket holds up the first connections to a host, and no later one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.valid)
    context.num_tickets = 0
    waits: list[float] = []
    monkeypatch.setattr(connections, "CONFIRMED_WITHIN", 0.1)

    def counted(seconds: float) -> Any:
        waits.append(seconds)
        return timeout(seconds)

    monkeypatch.setattr(connections, "timeout", counted)
    company.project.test("""
        def test_it(trigger_workflow):
            for _ in range(3):
                assert trigger_workflow("triage").ok
    """)
    server = company.listen(over_tls(context, answering()))
    company.session(server.secure, settings=f'ca-file = "{certificates.ca}"')
    company.last.assert_outcomes(passed=1)
    assert 1 <= len(waits) <= 6
    assert len(server.requests) == 3


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_certificate_that_is_refused(company: Company, certificates: Certificates, version: str) -> None:
    """The message names the file that was shown, and nothing was run."""
    server = company.serve_tls(certificates.valid, version=version, clients=certificates.clients)
    shown = certificates.unknown_client
    outcome = company.run(server.secure, settings=f'ca-file = "{certificates.ca}"\nclient-cert = "{shown}"')
    reason = f"TLS failed: the server refused client-cert {shown} ({OPENSSL['unknown-ca']})"
    assert outcome == failed(reason, server.secure)
    assert (server.connections, server.requests) == (1, [])


NGINX = (
    b"<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n"
    b"<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n"
    b"<hr><center>nginx/1.27.0</center>\r\n</body>\r\n</html>\r\n"
)


def test_the_page_of_nginx_about_a_client_certificate(company: Company, certificates: Certificates) -> None:
    """It is refused before Wisebot, so nothing was run, and the message names the setting."""
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    server = company.serve_tls(certificates.valid, head % len(NGINX) + NGINX)
    outcome = company.run(server.secure, settings=f'ca-file = "{certificates.ca}"')
    reason = "the server wants a client certificate (No required SSL certificate was sent)"
    assert outcome.kind == "ConnectionFailed"
    assert outcome.message.startswith(f"{reason}; {SET_CLIENT} (workflow ")
    assert outcome.message.endswith("\n  The run did not start.")
    assert len(server.requests) == 1


def test_forty_tests_without_a_client_certificate_open_the_circuit(
    company: Company, certificates: Certificates
) -> None:
    """After five runs that were refused for want of a certificate, the rest is not tried."""
    company.project.test("""
        @pytest.mark.parametrize("n", range(40))
        def test_it(trigger_workflow, n):
            trigger_workflow("triage", {"n": n})
    """)
    server = company.serve_tls(certificates.valid, version="TLSv1_3", clients=certificates.clients)
    company.session(server.secure, settings=f'ca-file = "{certificates.ca}"')
    assert server.connections == 5
    company.last.stdout.fnmatch_lines(
        ["*5 runs in a row had failed at https://*: TLS failed: the server wants a client*"]
    )


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (
            "no-tls",
            f"TLS failed: {OPENSSL['no-tls']}; the port does not speak TLS: correct the host's scheme or port",
        ),
        (
            "no-http1",
            f"TLS failed: {OPENSSL['no-protocol']}; the server does not speak HTTP/1.1: use a host that does",
        ),
        ("silent", "TLS failed: the server closed the connection in the handshake"),
    ],
)
def test_a_server_that_speaks_no_tls_or_another_protocol(company: Company, server: str, reason: str) -> None:
    """Plain HTTP, HTTP/2 alone, or nothing, on a port that shall speak HTTP/1.1 over TLS."""
    first = {
        "no-tls": b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "no-http1": b"\x15\x03\x03\x00\x02\x02\x78",  # a fatal alert, number 120
        "silent": b"",
    }
    started = company.listen(saying(first[server]))
    assert company.run(started.secure) == failed(reason, started.secure)
    assert started.connections == 1


SETTINGS_FRAME = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def test_a_server_that_speaks_http2_alone(company: Company, certificates: Certificates) -> None:
    """If it speaks first, nothing was sent; if it answers so, the run may have happened, and was sent once."""
    trust = f'ca-file = "{certificates.ca}"'
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.valid)
    context.num_tickets = 0

    def speak(listener: Listener, connection: socket.socket) -> None:
        connection.sendall(SETTINGS_FRAME)
        end(connection)

    early = company.listen(over_tls(context, speak))
    spoke = "the server spoke before it was asked, as one does for HTTP/2 alone: use a host that speaks HTTP/1.1"
    assert company.run(early.secure, settings=trust) == failed(f"no connection ({spoke})", early.secure)
    late = company.serve_tls(certificates.valid, SETTINGS_FRAME)
    outcome = company.run(late.secure, settings=trust)
    assert outcome.kind == "ConnectionLost"
    illegal = f"the answer is not HTTP/1.1 ({H11_FIRST_BYTE}); a server that speaks HTTP/2 alone answers so"
    assert outcome.message.startswith(f"the connection ended before the answer was whole: {illegal} (workflow ")
    assert (early.connections, late.connections, len(late.requests)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            'ca-file = "none.pem"',
            "ca-file: {folder}/none.pem cannot be read: No such file or directory",
        ),
        (
            'ca-file = "empty.pem"',
            "ca-file: {folder}/empty.pem holds no certificate in PEM form",
        ),
        (
            'client-cert = "none.pem"',
            "client-cert: {folder}/none.pem cannot be read: No such file or directory",
        ),
        (
            'client-cert = "empty.pem"',
            "client-cert: {folder}/empty.pem holds no certificate in PEM form and its key (or set client-key)",
        ),
        (
            'client-cert = "{client_cert}"\nclient-key = "{locked_key}"',
            "client-cert: the key of {client_cert} is encrypted: set client-key-password",
        ),
        (
            'client-cert = "{client_cert}"\nclient-key = "{locked_key}"\nclient-key-password = "env:WRONG"',
            "client-key-password: the password does not open the key",
        ),
        (
            'client-cert = "{client_cert}"\nclient-key = "{locked_key}"\nclient-key-password = "env:NOT_SET"',
            "client-key-password: env:NOT_SET: the environment variable NOT_SET is not set",
        ),
        (
            'client-cert = "{client_cert}"\nclient-key = "{valid}"',
            "client-cert: {client_cert}: the key is another certificate's",
        ),
    ],
    ids=["no ca", "empty ca", "no client", "empty client", "locked", "wrong password", "no password", "wrong key"],
)
def test_files_that_cannot_be_used(company: Company, certificates: Certificates, settings: str, message: str) -> None:
    """Setting, file and reason are named, nothing is connected, and nothing asks for a password on the terminal."""
    (company.project.path / "empty.pem").touch()
    server = company.serve_tls(certificates.valid)
    names = {**vars(certificates), "folder": company.project.path}
    outcome = company.run(server.secure, settings=settings.format(**names), WRONG="FAKE-wrong-password")
    place = "wisebot.toml: environments.company."
    assert (outcome.kind, outcome.message) == ("ConfigurationError", place + message.format(**names))
    assert server.connections == 0


def test_a_key_without_its_certificate(company: Company, certificates: Certificates) -> None:
    """It is a mistake in the settings, found before any test."""
    company.session("https://localhost:1", settings='client-key = "key.pem"')
    company.last.stderr.fnmatch_lines(
        ["*wisebot.toml: environments.company.client-key: there is no client-cert that it belongs to"]
    )


@WITH_AND_WITHOUT_XDIST
def test_a_key_under_a_password(company: Company, certificates: Certificates, args: tuple[str, ...]) -> None:
    """The password is given by reference, is masked wherever it would show, and the command names its reference."""
    server = company.serve_tls(certificates.valid, clients=certificates.clients)
    settings = (
        f'ca-file = "{certificates.ca}"\nclient-cert = "{certificates.client_cert}"\n'
        f'client-key = "{certificates.locked_key}"\nclient-key-password = "env:KEY_PASSWORD"'
    )
    outcome = company.run(server.secure, *args, settings=settings, KEY_PASSWORD=PASSWORD)
    assert outcome == PASSED
    options = f"--cacert {certificates.ca} --cert {certificates.client_cert} --key {certificates.locked_key}"
    (command,) = outcome.commands
    assert f'{options} --pass "$KEY_PASSWORD"' in command
    company.project.test(
        f"def test_it(trigger_workflow):\n    assert trigger_workflow('triage').result == '{PASSWORD}'"
    )
    company.session(server.secure, *args, settings=settings)
    assert PASSWORD not in company.last.stdout.str()
    company.last.stdout.fnmatch_lines(["*<secret>*"])


def test_a_host_given_by_an_option_gets_no_client_certificate(company: Company, certificates: Certificates) -> None:
    """The environment's certificate is for its own hosts; the message says why it is not shown."""
    server = company.serve_tls(certificates.valid, version="TLSv1_3", clients=certificates.clients)
    settings = f'ca-file = "{certificates.ca}"\nclient-cert = "{certificates.client}"'
    options = ("--wisebot-origin", server.secure, "--wisebot-secret", "env:TRIAGE_SECRET")
    outcome = company.run("https://localhost:1", *options, settings=settings)
    assert outcome.kind == "ConnectionFailed"
    assert "(that of the environment is not for a host that an option gives)" in outcome.message


def test_the_systems_certificates_are_trusted(
    company: Company, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the system's store holds needs no setting, and a test that sets SSL_CERT_FILE later changes nothing."""
    paths = ssl.get_default_verify_paths()
    server = company.serve_tls(certificates.valid)
    for file, passed in ((certificates.ca, True), (certificates.clients, False)):
        changed = paths._replace(openssl_cafile=str(file), openssl_capath=str(tmp_path / "none"))
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda changed=changed: changed)
        assert (company.run(server.secure) == PASSED) == passed


def test_a_system_that_verifies_by_itself(
    company: Company, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows and macOS truststore asks the system; ca-file and client-cert hold beside it."""
    monkeypatch.setattr(connections, "SYSTEM_VERIFIES", True)
    server = company.serve_tls(certificates.valid, clients=certificates.clients)
    settings = f'ca-file = "{certificates.ca}"\nclient-cert = "{certificates.client}"'
    assert company.run(server.secure, settings=settings) == PASSED
    assert company.run(server.secure) == failed(f"TLS failed: {OPENSSL['issuer']}; {SET_CA} {OF_CA}", server.secure)


def test_plain_http_loads_no_certificates(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads the system's certificates is loaded for HTTPS alone."""
    monkeypatch.setattr(connections, "SYSTEM_VERIFIES", True)
    monkeypatch.setitem(sys.modules, "truststore", None)
    server = company.listen(answering())
    assert company.run(server.open) == PASSED
