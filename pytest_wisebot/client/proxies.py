"""The connection to a host: its proxy and its trusted certificates.

The variables are those of the session's beginning. A test that sets a proxy for its own code does not affect the
runs of other tests, which are in flight at the same time.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import httpx

from ..errors import ConfigurationError
from ..exhaustion import shortage
from ..settings.checks import is_loopback
from ..settings.credentials import PROXY_VARIABLES

_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=0)


class Transport(httpx.AsyncHTTPTransport):
    """One connection. It keeps the method of httpx itself, also where a test has replaced it by a mock."""

    handle_async_request = httpx.AsyncHTTPTransport.handle_async_request


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
