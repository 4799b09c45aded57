"""The certificates that connections trust and show: of the system, of variables, and of the environment.

On Windows and macOS the system verifies by itself, through ``truststore``. Elsewhere the system's store is a folder or
a file of OpenSSL's, and is loaded once: ``truststore`` loads the file again for each connection, which takes 40 ms.
"""

from __future__ import annotations

import asyncio
import platform
import ssl
from asyncio import timeout
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx

from ..errors import ConfigurationError
from ..exhaustion import shortage
from ..files import entries_of, is_there, open_to_read
from ..settings import Settings

CONFIRMED_WITHIN: Final = 1.0
"""Seconds after which a server that sends no session ticket is taken to have accepted a handshake."""

_STEP: Final = 0.02

_SPOKE: Final = "the server spoke before it was asked, as one does for HTTP/2 alone: use a host that speaks HTTP/1.1"
_CLOSED: Final = "the server closed the connection after the TLS handshake"

SYSTEM_VERIFIES: Final = platform.system() in ("Windows", "Darwin")


class TlsContexts:
    """The TLS contexts of a session, each made when it is first needed: one that httpx made costs tens of milliseconds.

    Args:
        settings: the environment's certificates.
        variables: the environment variables of the session's beginning.
    """

    def __init__(self, settings: Settings, variables: Mapping[str, str]) -> None:
        self._settings = settings
        self._file = variables.get("SSL_CERT_FILE") or None
        self._folder = variables.get("SSL_CERT_DIR") or None
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        self._unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def of(self, host: str) -> ssl.SSLContext:
        """The context for connections to a host; for plain HTTP one that is not used.

        Raises:
            ConfigurationError: certificates cannot be used.
        """
        return self._made(self._settings.certificate_for(host)) if host.startswith("https:") else self._unused

    def of_proxy(self) -> ssl.SSLContext:
        """The context for connections to a proxy, which gets no client certificate.

        Raises:
            ConfigurationError: certificates cannot be used.
        """
        return self._made(None)

    def _made(self, certificate: Path | None) -> ssl.SSLContext:
        if certificate not in self._contexts:
            context = self._trusting()
            if certificate is not None:
                self._identify(context, certificate)
            self._contexts[certificate] = context
        return self._contexts[certificate]

    def _trusting(self) -> ssl.SSLContext:
        context = self._of_variables() if self._file or self._folder else _of_system()
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Python 3.13 does, and curl
        if (file := self._settings.ca_file) is not None:
            source = self._settings.source("ca_file")
            _check_readable(file, source)
            try:
                context.load_verify_locations(file)
            except ssl.SSLError:
                raise ConfigurationError(f"{source}: {file} holds no certificate in PEM form") from None
        return context

    def _of_variables(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(self._file, self._folder)
        except OSError as error:
            if shortage(error) is not None:
                raise
            raise ConfigurationError(
                f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error.strerror}"
            ) from None
        return context

    def _identify(self, context: ssl.SSLContext, certificate: Path) -> None:
        """Makes a context show the client certificate."""
        settings = self._settings
        source, key = settings.source("client_cert"), settings.client_key
        _check_readable(certificate, source)
        if key is not None:
            _check_readable(key, settings.source("client_key"))
        password = settings.client_key_password
        asked = False

        def open_key() -> str:
            nonlocal asked
            asked = True
            if password is None:
                raise ConfigurationError(f"{source}: the key of {certificate} is encrypted: set client-key-password")
            if password.secret is None:
                raise ConfigurationError(f"{password.given_by}: {password.reference}: {password.problem}")
            return password.secret.reveal()

        try:
            context.load_cert_chain(certificate, key, open_key)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ConfigurationError(f"{source}: {certificate}: the key is another certificate's") from None
            if asked and password is not None:
                raise ConfigurationError(f"{password.given_by}: the password does not open the key") from None
            where = f"with its key in {key}" if key else "and its key (or set client-key)"
            raise ConfigurationError(f"{source}: {certificate} holds no certificate in PEM form {where}") from None


class Handshakes:
    """Which servers have accepted the client's side of a handshake.

    Under TLS 1.3 the client's handshake is over before the server has read the client's certificate. A server that
    refuses it closes the connection, and its alert is lost if the client writes then: so nothing is written before the
    server has answered, by a session ticket, to the first connections to a host.
    """

    def __init__(self) -> None:
        self._accepted: set[str] = set()

    async def confirm(self, host: str, stream: Any) -> None:
        """Returns when a server has accepted a handshake, or says nothing of it.

        Args:
            host: the origin.
            stream: httpcore's, after its handshake.

        Raises:
            httpx.RemoteProtocolError: the server spoke before it was asked, or ended the connection.
            Exception: what the network did, such as an alert.
        """
        connection: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
        if host in self._accepted or connection is None or connection.version() != "TLSv1.3":
            return
        clock = asyncio.get_running_loop().time
        ends_at = clock() + CONFIRMED_WITHIN
        while clock() < ends_at and not (connection.session is not None and connection.session.has_ticket):
            with suppress(TimeoutError):
                async with timeout(_STEP):
                    spoken = await stream.read(1)
                raise httpx.RemoteProtocolError(_SPOKE if spoken else _CLOSED)
        self._accepted.add(host)


def _of_system() -> ssl.SSLContext:
    """What the system trusts; what httpx trusts where the system has nothing, as in a small container."""
    if SYSTEM_VERIFIES:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()  # those of OpenSSL itself: the others follow variables that a test may set
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    folder = entries_of(Path(paths.openssl_capath))
    if any(path.match("*.[0-9]") for path in folder):  # certificates are looked up there one by one
        context.load_verify_locations(capath=paths.openssl_capath)
    elif is_there(Path(paths.openssl_cafile)):
        context.load_verify_locations(cafile=paths.openssl_cafile)
    else:
        context = httpx.create_ssl_context(trust_env=False)
    return context


def _check_readable(path: Path, source: str) -> None:
    try:
        open_to_read(path).close()
    except OSError as error:
        if shortage(error) is not None:
            raise
        raise ConfigurationError(f"{source}: {path} cannot be read: {error.strerror}") from None
