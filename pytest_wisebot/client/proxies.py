"""The connection to a host, and the proxy that it goes through.

The variables are those of the session's beginning. A test that sets a proxy for its own code does not affect the
runs of other tests, which are in flight at the same time.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import anyio
import anyio._backends._asyncio  # else loaded with the first connection, within any test
import httpcore
import httpx

from ..errors import ConfigurationError
from ..exhaustion import shortage
from ..originals import Held, pinned, time
from ..settings import Settings
from ..settings.checks import is_loopback
from .tls import TlsContexts

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
