"""Guards of a whole session against the network: ``--disable-socket`` and ``--allow-hosts`` of pytest-socket.

They hold for runs as well, which are made by sockets that no patch of a test reaches. A guard that one test puts up
concerns the calls of that test alone.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest

from ..errors import WisebotError
from ..runs import RunRequest
from ..settings import Settings
from .options import is_offline
from .session_state import state_of

_LOOK_UP = (OSError, UnicodeError)
"""The errors of a host that is not found, or that no DNS name can be."""


def is_guarded_from_the_start() -> bool:
    """Whether pytest-socket has replaced the class of sockets already, as by a call in ``conftest.py``."""
    return socket.socket.__module__ == "pytest_socket"


def guarded(request: RunRequest, item: pytest.Item | None, config: pytest.Config, settings: Settings) -> RunRequest:
    """A request, and why a guard of the session lets no live run be made for it, if one does not.

    Args:
        request: the request.
        item: the test that issues it; None where none runs.
        config: the session's.
        settings: name the host.
    """
    option, state = config.option, state_of(config)
    disabled = getattr(option, "disable_socket", False) or state.is_guarded
    everywhere = getattr(option, "allow_hosts", None)
    unguarded = not disabled and not everywhere
    if unguarded or getattr(option, "force_enable_socket", False) or is_offline(config) or _enables(item):
        return request
    mark = item.get_closest_marker("allow_hosts") if item is not None else None
    hosts = mark.args[0] if mark is not None and mark.args else everywhere
    name = _host(request, settings)
    if name is None or (hosts and _is_allowed(name, _entries(hosts), cache(state.sockets.getaddrinfo))):
        return request
    guard = f"--allow-hosts={everywhere}" if everywhere else "--disable-socket"
    if state.is_guarded and not everywhere and not getattr(option, "disable_socket", False):
        guard = "pytest-socket, called before the first test,"
    why = (
        f"{guard} lets no run be made to {name}: allow the host (--allow-hosts={name}), or mark the test with "
        "@pytest.mark.enable_socket; --wisebot-runs=replay and last need no network"
    )
    return replace(request, guard=why)


def _enables(item: pytest.Item | None) -> bool:
    """Whether a test is let out of the guard, as pytest-socket decides it."""
    if item is None:
        return False
    by_fixture = "socket_enabled" in getattr(item, "fixturenames", ())
    return by_fixture or item.get_closest_marker("enable_socket") is not None


def _host(request: RunRequest, settings: Settings) -> str | None:
    """The host of a run; None where the settings have none, which the run's own error says."""
    if settings.emulated_by is not None:
        return "127.0.0.1"
    try:
        return urlsplit(settings.host(request.api)).hostname
    except WisebotError:
        return None


def _entries(hosts: Any) -> list[str]:
    entries = hosts.split(",") if isinstance(hosts, str) else hosts
    return [str(entry).strip().lower() for entry in entries]


def _is_allowed(name: str, entries: list[str], look_up: Callable[..., Any]) -> bool:
    """Whether a list of hosts, addresses and networks has a host, by its name or by an address of it."""
    if name in entries:
        return True
    addresses = _addresses(name, look_up)
    for entry in entries:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            if addresses & _addresses(entry, look_up):
                return True
        else:
            if any(address in network for address in addresses):
                return True
    return False


def _addresses(name: str, look_up: Callable[..., Any]) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return {ipaddress.ip_address(name)}
    except ValueError:
        pass
    try:
        return {ipaddress.ip_address(found[4][0]) for found in look_up(name, None)}
    except (*_LOOK_UP, ValueError):
        return set()
