"""What companies put in front of a service, on loopback: certificates of a CA of their own, servers, and a proxy."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    CertificateBuilder,
    DNSName,
    Name,
    NameAttribute,
    SubjectAlternativeName,
    random_serial_number,
)
from cryptography.x509.oid import NameOID
from harness import Project

ANSWER = b'{"ok": true, "runId": "run-1", "result": {"a": 1}, "error": null}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)

PASSWORD = "FAKE-password-of-the-key"


class Certificates:
    """Certificates of a private CA, each a folder of files in PEM form."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca, self._clients = trustme.CA(organization_name="Company"), trustme.CA(organization_name="Clients")
        self.ca, self.clients = self._written("ca", self._ca.cert_pem), self._written("clients", self._clients.cert_pem)
        yesterday, now = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC)
        self.valid = self._pair("valid", self._ca.issue_cert("localhost", "wisebot.example", "127.0.0.1"))
        self.expired = self._pair(
            "expired",
            self._ca.issue_cert(
                "localhost", "wisebot.example", not_before=yesterday, not_after=now - timedelta(hours=1)
            ),
        )
        self.other_name = self._pair("other", self._ca.issue_cert("other.example"))
        self.self_signed = self._alone()
        between = self._ca.create_child_ca()
        self.intermediate = self._written("intermediate", between.cert_pem)
        self.behind_intermediate = self._pair("behind", between.issue_cert("localhost"))
        self.client = self._pair("client", self._clients.issue_cert("tests@company.example"))
        self.unknown_client = self._pair("unknown", self._ca.issue_cert("tests@company.example"))
        self.client_cert, self.client_key, self.locked_key = self._apart()

    def _pair(self, name: str, made: trustme.LeafCert) -> Path:
        return self._written(name, made.private_key_pem, *made.cert_chain_pems)

    def _written(self, name: str, *parts: trustme.Blob) -> Path:
        path = self._folder / f"{name}.pem"
        path.write_bytes(b"".join(part.bytes() for part in parts))
        return path

    def _alone(self) -> Path:
        """A certificate that is its own issuer, for ``localhost``."""
        key, name = generate_private_key(SECP256R1()), Name([NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        made = (
            CertificateBuilder(name, name, key.public_key(), random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(SubjectAlternativeName([DNSName("localhost")]), critical=False)
            .sign(key, SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._folder / "alone.pem"
        path.write_bytes(private + made.public_bytes(Encoding.PEM))
        return path

    def _apart(self) -> tuple[Path, Path, Path]:
        """A client's certificate, its key, and the same key under a password."""
        made = self._clients.issue_cert("tests@company.example")
        key = load_pem_private_key(made.private_key_pem.bytes(), None)
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode()))
        path = self._folder / "locked.pem"
        path.write_bytes(locked)
        certificate = self._written("certificate", *made.cert_chain_pems)
        return certificate, self._written("key", made.private_key_pem), path


Serve = Callable[["Listener", socket.socket], None]
"""What a server does with a connection."""


class Listener:
    """A server with a thread for each connection.

    Attributes:
        connections: how many there were.
        requests: the bytes of each request that was read.
    """

    def __init__(self, serve: Serve) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(30)
            threading.Thread(target=self._served, args=(connection,), daemon=True).start()

    def _served(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._serve(self, connection)

    @property
    def secure(self) -> str:
        """Its origin over TLS."""
        return f"https://localhost:{self.port}"

    @property
    def open(self) -> str:
        """Its origin over plain HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def request_of(connection: socket.socket) -> bytes:
    """One request, whole."""
    got = b""
    while b"\r\n\r\n" not in got:
        if not (piece := connection.recv(65536)):
            return got
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def end(connection: socket.socket) -> None:
    """Ends a connection without a reset: what the other side still sends is read first."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def answering(answer: bytes = OK) -> Serve:
    """Reads one request and sends this answer, over plain HTTP."""

    def serve(listener: Listener, connection: socket.socket) -> None:
        if request := request_of(connection):
            listener.requests.append(request)
            connection.sendall(answer)
        end(connection)

    return serve


def over_tls(context: ssl.SSLContext, behind: Serve) -> Serve:
    """Does the same over TLS."""

    def serve(listener: Listener, connection: socket.socket) -> None:
        secure = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        try:
            secure.do_handshake()
        except ssl.SSLError:
            plain = socket.socket(fileno=secure.detach())
            with plain:
                plain.settimeout(30)
                end(plain)
            return
        with secure:
            behind(listener, secure)

    return serve


def saying(first: bytes) -> Serve:
    """Answers the first bytes with these, whatever they are."""

    def serve(listener: Listener, connection: socket.socket) -> None:
        listener.requests.append(connection.recv(65536))
        connection.sendall(first)
        end(connection)

    return serve


def tunnelling(port: int, refusal: bytes = b"", password: str = "") -> Serve:
    """A proxy that connects every host to one port, or refuses to."""

    def serve(listener: Listener, connection: socket.socket) -> None:
        request = request_of(connection)
        listener.requests.append(request)
        if password and password.encode() not in request:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif refusal:
            connection.sendall(refusal)
        else:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            relay(connection, port)
            return
        end(connection)

    return serve


def relay(connection: socket.socket, port: int) -> None:
    """Passes bytes both ways until both sides have ended."""
    with socket.create_connection(("127.0.0.1", port)) as other:
        back = threading.Thread(target=_pass, args=(other, connection), daemon=True)
        back.start()
        _pass(connection, other)
        back.join(30)


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


WITH_AND_WITHOUT_XDIST = pytest.mark.parametrize(
    "args", [pytest.param((), id="one process"), pytest.param(("-n", "1"), id="xdist", marks=pytest.mark.slow)]
)


@dataclass(frozen=True)
class Outcome:
    """How the one run of a session ended: the error's class and whole message, or ``ok``."""

    kind: str
    message: str
    commands: tuple[str, ...] = field(default=(), compare=False)


def failed(reason: str, origin: str) -> Outcome:
    """A run that did not start, for this reason."""
    return Outcome(
        "ConnectionFailed",
        f'{reason} (workflow "triage" over the webhook API at {origin})\n  The run did not start.',
    )


PASSED = Outcome("ok", "")


TEST = """
    import json
    from pathlib import Path

    def test_it(trigger_workflow):
        try:
            run = trigger_workflow("triage", {"a": 1})
        except WisebotError as error:
            lines = [line for line in str(error).splitlines() if "traceparent: " not in line]
            commands = error.attempted.commands if isinstance(error, InfrastructureError) else ()
            outcome = [type(error).__name__, "\\n".join(lines), commands]
        else:
            outcome = ["ok", "", run.commands]
        Path("outcome.json").write_text(json.dumps(outcome))
"""


class Company:
    """A project behind what a company puts in front of Wisebot."""

    def __init__(self, project: Project, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.certificates = certificates
        self._monkeypatch = monkeypatch
        self._listeners = ExitStack()
        project.test(TEST)
        monkeypatch.setenv("TRIAGE_SECRET", "FAKE-secret-of-triage")

    def listen(self, serve: Serve) -> Listener:
        """Starts a server."""
        listener = Listener(serve)
        self._listeners.callback(listener.close)
        return listener

    def serve_tls(
        self, certificate: Path, answer: bytes = OK, version: str = "", clients: Path | None = None
    ) -> Listener:
        """Starts a TLS server with a certificate; with ``clients`` it wants one of its clients."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if version:
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        return self.listen(over_tls(context, answering(answer)))

    def run(self, origin: str, *args: str, settings: str = "", more: str = "", **variables: str) -> Outcome:
        """Runs the one test against a host."""
        self.session(origin, *args, settings=settings, more=more, **variables)
        kind, message, commands = json.loads((self.project.path / "outcome.json").read_text())
        return Outcome(kind, message, tuple(commands))

    def session(self, origin: str, *args: str, settings: str = "", more: str = "", **variables: str) -> None:
        """Runs pytest against a host."""
        self._write(origin, settings, more, variables)
        (self.project.path / "outcome.json").unlink(missing_ok=True)
        self.last = self.project.run(*args)

    def check(self, origin: str, settings: str = "", **variables: str) -> tuple[int, str]:
        """The exit code of ``pytest-wisebot check``, and what it shows."""
        self._write(origin, settings, "", variables)
        shown = self.project.pytester.run(sys.executable, "-m", "pytest_wisebot", "check")
        return int(shown.ret), shown.stdout.str()

    def _write(self, origin: str, settings: str, more: str, variables: dict[str, str]) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        lines = [f'origin = "{origin}"', 'secret = "env:TRIAGE_SECRET"', "retries = 0"]
        toml = "\n".join(["default-environment = 'company'", "[environments.company]", *lines, settings, more])
        (self.project.path / "wisebot.toml").write_text(toml + "\n")

    def close(self) -> None:
        """Closes every server."""
        self._listeners.close()
