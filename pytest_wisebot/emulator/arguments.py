"""Checks of what a user gives the emulator: each returns the value, or says which was wrong and which are right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from ..errors import ConfigurationError

Network = IPv4Network | IPv6Network

SHORTEST_CREDENTIAL = 8
"""Characters that a credential has at least: the rest of this package refuses shorter ones, which it could not mask."""


_PRINTABLE_ASCII = re.compile("[!-~]([ -~]*[!-~])?")


def wrong(name: str, expected: str, value: object) -> ConfigurationError:
    """The error for a value that is not what ``name`` takes."""
    return ConfigurationError(f"{name}: expected {expected}, got {value!r}")


def seconds(name: str, value: object) -> float:
    """A finite number of seconds, 0 or more."""
    found = _finite(value)
    if found is None or found < 0:
        raise wrong(name, "seconds, 0 or more", value)
    return found


def number(name: str, value: object) -> float:
    """A finite number, which may be negative."""
    found = _finite(value)
    if found is None:
        raise wrong(name, "a finite number", value)
    return found


def whole_number(name: str, value: object, lowest: int, highest: int) -> int:
    """A whole number between two bounds, both included."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise wrong(name, f"a whole number from {lowest} to {highest}", value)
    return value


def text(name: str, value: object) -> str:
    """A text that UTF-8 can carry; it may be empty."""
    if not isinstance(value, str):
        raise wrong(name, "a text", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise wrong(name, "a text without lone surrogates", value) from None
    return value


def identifier(name: str, value: object) -> str:
    """A text that is not empty and that UTF-8 can carry."""
    if not isinstance(value, str) or not value:
        raise wrong(name, "a non-empty text", value)
    return text(name, value)


def flag(name: str, value: object) -> bool:
    """True or false, and nothing that merely counts as such."""
    if not isinstance(value, bool):
        raise wrong(name, "True or False", value)
    return value


def header(name: str, value: object) -> str:
    """A text that can stand in an HTTP header: printable ASCII, no line break."""
    if not isinstance(value, str) or not _PRINTABLE_ASCII.fullmatch(value):
        raise wrong(name, "a non-empty text of printable ASCII without spaces at its ends", value)
    return value


def credential(name: str, value: object) -> str:
    """A secret or a token. The message does not show it."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a text, got a value of type {type(value).__name__}")
    if len(value) < SHORTEST_CREDENTIAL or not re.fullmatch("[!-~]+", value):
        raise ConfigurationError(
            f"{name}: expected at least {SHORTEST_CREDENTIAL} printable ASCII characters without spaces "
            f"(not shown here, {len(value)} characters long)"
        )
    return value


def texts(name: str, values: object) -> tuple[str, ...]:
    """Several non-empty texts. One text alone is refused: it would be taken letter by letter."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise wrong(name, "a list or tuple of texts", values)
    return tuple(identifier(name, value) for value in values)


def networks(name: str, values: object) -> tuple[Network, ...]:
    """IP addresses and CIDR networks."""
    return tuple(_network(name, value) for value in texts(name, values))


def span(name: str, value: object) -> tuple[float, float]:
    """Seconds, or a pair of seconds of which the first is not the larger."""
    if not isinstance(value, tuple | list):
        exact = seconds(name, value)
        return exact, exact
    if len(value) != 2 or not seconds(name, value[0]) <= seconds(name, value[1]):
        raise wrong(name, "seconds, or (low, high) in seconds", value)
    return float(value[0]), float(value[1])


def _finite(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number beyond every float
        return None


def _network(name: str, value: str) -> Network:
    try:
        return ip_network(value, strict=False)
    except ValueError:
        raise wrong(name, 'IP addresses or networks such as "10.0.0.7" or "10.0.0.0/8"', value) from None
