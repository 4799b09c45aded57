"""Through which proxy a host is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from pytest_wisebot.client.connections import Proxies
from pytest_wisebot.settings import Settings

HOST = "https://run.wisebot.example:8443"


def proxy_of(variables: Mapping[str, str], host: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The proxy that a connection is made with."""
    given: list[Any] = []
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "__init__", lambda self, **options: given.append(options["proxy"]))
    Proxies(Settings(), variables).transport(host)
    return str(given[0].url) if given[0] is not None else None


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://a.example:1"}, "http://a.example:1"),
        ({"https_proxy": "http://b.example:1", "HTTPS_PROXY": "http://a.example:1"}, "http://b.example:1"),
        ({"HTTP_PROXY": "http://a.example:1"}, None),
        ({"ALL_PROXY": "a.example:1"}, "http://a.example:1"),
        ({"ALL_PROXY": "http://a.example:1", "HTTPS_PROXY": "http://b.example:1"}, "http://b.example:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://a.example:1"}, None),
        ({"https_proxy": "", "HTTPS_PROXY": "http://a.example:1", "ALL_PROXY": "b.example:1"}, "http://b.example:1"),
        ({"HTTPS_PROXY": " http://a.example:1 "}, "http://a.example:1"),
        ({"ALL_PROXY": "a.example:1", "NO_PROXY": "*", "no_proxy": ""}, "http://a.example:1"),
    ],
    ids=str,
)
def test_the_standard_variables_name_the_proxy(
    variables: Mapping[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the host's own scheme before the one for all; lower case before upper case, also if it is empty."""
    assert proxy_of(variables, HOST, monkeypatch) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("run.wisebot.example", True),
        ("RUN.wisebot.example", True),
        ("run.wisebot.example:8443", True),
        ("run.wisebot.example:443", False),
        ("other.example, .wisebot.example", True),
        ("wisebot.example", True),
        ("*.wisebot.example", True),
        ("bot.example", False),
        ("*", True),
        ("*:8443", True),
        ("*:443", False),
        ("other.example run.wisebot.example", True),
        ("other.example,\trun.wisebot.example.", True),
        (".run.wisebot.example:8443", True),
        ("wisebot.example:443", False),
        ("10.0.0.0/8", False),
        (" , ", False),
    ],
)
def test_no_proxy_names_hosts_that_are_reached_directly(
    no_proxy: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host, a host with its port, a domain, or all."""
    variables = {"ALL_PROXY": "http://a.example:1", "NO_PROXY": no_proxy}
    assert (proxy_of(variables, HOST, monkeypatch) is None) == direct


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3/8", "https://10.9.9.9:8443", True),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:443", "https://10.1.2.3", True),
        ("10.1.2.3:80", "https://10.1.2.3", False),
        ("10.1.2.3:80", "http://10.1.2.3", True),
        ("0.0.0.0/0", "https://run.wisebot.example", False),
        ("fd00::/8", "https://[fd12::1]", True),
        ("fd12::1", "https://[fd12:0::1]:8443", True),
        ("[fd12::1]:8443", "https://[fd12::1]:8443", True),
        ("[fd12::1]:443", "https://[fd12::1]:8443", False),
        ("[fd12::1]", "https://[fd12::2]", False),
        ("run.wisebot.example:443", "https://run.wisebot.example", True),
    ],
)
def test_no_proxy_names_addresses_networks_and_ports(
    no_proxy: str, host: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks in CIDR form, addresses in any form, and the port that a scheme has by default."""
    variables = {"ALL_PROXY": "http://a.example:1", "NO_PROXY": no_proxy}
    assert (proxy_of(variables, host, monkeypatch) is None) == direct


@pytest.mark.parametrize("host", ["http://127.0.0.1:8000", "https://localhost", "http://[::1]:1"])
def test_loopback_is_reached_directly(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the variables say."""
    assert proxy_of({"ALL_PROXY": "http://a.example:1"}, host, monkeypatch) is None
