"""How a host is reached: the certificates that a connection trusts and shows, and the proxy that it goes through.

On Windows and macOS the system verifies by itself, through ``truststore``. Elsewhere the system's store is a folder or
a file of OpenSSL's, and is loaded once: ``truststore`` loads the file again for each connection, which takes 40 ms.

The variables are those of the session's beginning. A test that sets a proxy for its own code does not affect the
runs of other tests, which are in flight at the same time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import platform
import re
import ssl
import sys
from asyncio import timeout
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import anyio
import anyio._backends._asyncio  # else loaded with the first connection, within any test
import httpcore
import httpx

from ..errors import ConfigurationError
from ..exhaustion import shortage
from ..files import entries_of, is_there, open_to_read
from ..originals import Held, pinned, time
from ..settings import Settings
from ..settings.checks import is_loopback

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


_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=0)
_FORM: Final = "http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT"


def _pinned_pools() -> Mapping[type[Any], type[Any]]:
    """The connection pools of httpcore, and the connections that they make, as they are now: respx patches both."""
    http11 = {"AsyncHTTP11Connection": pinned(httpcore.AsyncHTTP11Connection, time=time)}
    one = {"AsyncHTTPConnection": pinned(httpcore.AsyncHTTPConnection, **http11)}
    of_proxies = vars(sys.modules[httpcore.AsyncHTTPProxy.__module__])
    names = ("AsyncForwardHTTPConnection", "AsyncTunnelHTTPConnection")
    through = {name: pinned(of_proxies[name], **one, **http11) for name in names if name in of_proxies}
    kinds = (httpcore.AsyncConnectionPool, httpcore.AsyncHTTPProxy, httpcore.AsyncSOCKSProxy)
    return {kind: pinned(kind, **one, **through) for kind in kinds}


_POOLS: Final = _pinned_pools()

_ANYIO: Final = Held(anyio, connect_tcp=anyio.connect_tcp, fail_after=anyio.fail_after, sleep=anyio.sleep)

_BACKEND: Final = pinned(httpcore.AnyIOBackend, anyio=_ANYIO)()
"""Connects, and within asyncio alone. httpcore's own choice imports a module with the first connection."""


class Transport(httpx.AsyncHTTPTransport):
    """One connection. It keeps the methods of httpx and httpcore, also where a test has replaced them by a mock."""

    handle_async_request = httpx.AsyncHTTPTransport.handle_async_request
    __aenter__ = httpx.AsyncHTTPTransport.__aenter__
    __aexit__ = httpx.AsyncHTTPTransport.__aexit__

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        pool: Any = getattr(self, "_pool", None)
        if (kind := _POOLS.get(type(pool))) is not None:
            pool.__class__ = kind
            pool._network_backend = _BACKEND  # noqa: SLF001 - httpx hands none over


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it. As a string it has no user and no password.

    Attributes:
        url: its address, with user and password.
        variable: the variable's name.
    """

    url: str
    variable: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        if "@" in parts.path:  # a password with a slash in it
            return f"the proxy of {self.variable}"
        return f"the proxy {parts.scheme}://{parts.netloc.rpartition('@')[2]} ({self.variable})"

    @property
    def has_password(self) -> bool:
        """Whether its address has a user or a password."""
        return "@" in urlsplit(self.url).netloc


class Proxies:
    """Opens connections to hosts.

    Args:
        settings: the environment's certificates.
        variables: the environment variables of the session's beginning.
    """

    def __init__(self, settings: Settings, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._tls = TlsContexts(settings, variables)
        self.proxy = cache(self._proxy_to)

    def transport(self, host: str) -> Transport:
        """A connection to this host that nothing else uses.

        Raises:
            ConfigurationError: the proxy or the certificates cannot be used.
        """
        proxy = self.proxy(host)
        try:
            route = self._route(proxy) if proxy else None
            return Transport(verify=self._tls.of(host), trust_env=False, limits=_LIMITS, proxy=route)
        except ImportError as error:
            if proxy is None or shortage(error) is not None:
                raise
            raise ConfigurationError(f"{proxy} needs socksio: pip install 'pytest-wisebot[socks]'") from None
        except (ValueError, httpx.InvalidURL):  # not shown: a proxy's URL may hold its password
            variable = proxy.variable if proxy else ""
            raise ConfigurationError(f"the proxy that {variable} names cannot be used: write {_FORM}") from None

    def _route(self, proxy: Proxy) -> httpx.Proxy:
        _ = str(proxy)  # raises where it cannot be shown
        tls = self._tls.of_proxy() if proxy.url.startswith("https:") else None
        return httpx.Proxy(proxy.url, ssl_context=tls)

    def _proxy_to(self, host: str) -> Proxy | None:
        """The proxy for a host, of its own scheme's variable before that for all."""
        parts = urlsplit(host)
        if is_loopback(host) or _is_direct(parts, self._variable("no_proxy")[0]):
            return None
        for name in (f"{parts.scheme}_proxy", "all_proxy"):
            url, variable = self._variable(name)
            if url:
                return Proxy(url if "://" in url else f"http://{url}", variable)
        return None

    def _variable(self, name: str) -> tuple[str, str]:
        """A variable's value and name. One in lower case takes the place of the other, also if it is empty."""
        name = name if name in self._variables else name.upper()
        return self._variables.get(name, "").strip(), name


def _is_direct(host: SplitResult, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` names a host: by name, domain, address or network, with its port or without, or by ``*``."""
    name, port = (host.hostname or "").rstrip("."), host.port or (443 if host.scheme == "https" else 80)
    for entry in re.split(r"[\s,]+", no_proxy.lower()):
        named, its_port = _without_port(entry)
        if its_port in ("", str(port)) and (named == "*" or _is_in_network(name, named) or _is_in_domain(name, named)):
            return True
    return False


def _without_port(entry: str) -> tuple[str, str]:
    """An entry's name or address, and its port. An address of IPv6 with a port stands in brackets."""
    if found := re.fullmatch(r"\[(.*)\](?::(\d+))?", entry):
        return found[1], found[2] or ""
    name, _, port = entry.partition(":")
    return (entry, "") if ":" in port else (name, port)


def _is_in_domain(name: str, entry: str) -> bool:
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def _is_in_network(name: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(entry, strict=False)
    except ValueError:  # one of the two is a name
        return False
