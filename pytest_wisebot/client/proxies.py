"""The connection to a host: its proxy and its trusted certificates.

The variables are those of the session's beginning. A test that sets a proxy for its own code does not affect the
runs of other tests, which are in flight at the same time.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import anyio._backends._asyncio  # else loaded with the first connection, within any test
import httpcore
import httpx

from ..errors import ConfigurationError
from ..exhaustion import shortage
from ..originals import Held, pinned, time
from ..settings.checks import is_loopback
from ..settings.credentials import PROXY_VARIABLES

_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=0)


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


class Proxies:
    """Opens connections to hosts.

    Args:
        variables: the environment variables of the session's beginning.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        names = (*PROXY_VARIABLES, "no_proxy")
        self._proxies = {name: variables.get(name) or variables.get(name.upper()) or "" for name in names}
        self._certificates = variables.get("SSL_CERT_FILE") or None, variables.get("SSL_CERT_DIR") or None
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._proxy = cache(self._proxy_to)

    def transport(self, host: str) -> Transport:
        """A connection to this host that nothing else uses.

        Raises:
            ConfigurationError: the proxy or the certificates that the variables name cannot be used.
        """
        secure = host.startswith("https:")
        proxy = self._proxy(host)
        try:
            route = httpx.Proxy(proxy) if proxy else None
            return Transport(verify=self._context(secure=secure), trust_env=False, limits=_LIMITS, proxy=route)
        except (ImportError, ValueError, httpx.InvalidURL):  # not shown: a proxy's URL may hold its password
            raise ConfigurationError(
                "the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names cannot be used: write http://HOST:PORT"
            ) from None

    def _proxy_to(self, host: str) -> str:
        parts = urlsplit(host)
        if is_loopback(host) or _is_direct(parts.hostname or "", parts.netloc, self._proxies["no_proxy"]):
            return ""
        proxy = self._proxies[f"{parts.scheme}_proxy"] or self._proxies["all_proxy"]
        return f"http://{proxy}" if proxy and "://" not in proxy else proxy

    def _context(self, *, secure: bool) -> ssl.SSLContext:
        """One TLS context for all connections: each that httpx made by itself would cost tens of milliseconds."""
        if secure not in self._contexts:
            self._contexts[secure] = self._trusting() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return self._contexts[secure]

    def _trusting(self) -> ssl.SSLContext:
        file, folder = self._certificates
        try:
            if file or folder:
                return ssl.create_default_context(cafile=file, capath=folder)
            return httpx.create_ssl_context(trust_env=False)
        except OSError as error:
            if shortage(error) is not None:
                raise
            raise ConfigurationError(
                f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error.strerror}"
            ) from None


def _is_direct(name: str, with_port: str, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` names a host: as it stands, with its port, by a domain that it is in, or all by ``*``."""
    entries = [entry.strip().lower().removeprefix("*").lstrip(".") for entry in no_proxy.split(",")]
    if any(entry.strip() == "*" for entry in no_proxy.split(",")):
        return True
    return any(entry and (entry in (name, with_port) or name.endswith(f".{entry}")) for entry in entries)
