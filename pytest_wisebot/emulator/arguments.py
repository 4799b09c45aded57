"""Checks of the emulator's arguments: each returns the value, or raises an error with the wrong and the right ones."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar

from ..errors import ConfigurationError

Network = IPv4Network | IPv6Network
T = TypeVar("T")

SHORTEST_CREDENTIAL = 8
"""Minimum length of a credential in characters. The rest of this package refuses shorter ones: it cannot mask them."""

_PRINTABLE_ASCII = re.compile("[!-~]([ -~]*[!-~])?")


def check(name: str, value: T, expected: str, *, is_right: object) -> T:
    """Returns the value, or raises an error with the value and the expected ones if it is not right."""
    if not is_right:
        raise ConfigurationError(f"{name}: expected {expected}, got {value!r}")
    return value


def seconds(name: str, value: Any) -> float:
    """A finite number of seconds, 0 or more."""
    return float(check(name, value, "seconds, 0 or more", is_right=is_finite(value) and value >= 0))


def whole_number(name: str, value: Any, lowest: int, highest: int) -> int:
    """A whole number between two bounds, both included."""
    is_right = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
    return int(check(name, value, f"a whole number from {lowest} to {highest}", is_right=is_right))


def string(name: str, value: Any) -> str:
    """A string that UTF-8 can encode; it may be empty."""
    text: str = check(name, value, "a string", is_right=isinstance(value, str))
    return check(name, text, "a string without lone surrogates", is_right=not re.search("[\ud800-\udfff]", text))


def identifier(name: str, value: Any) -> str:
    """A non-empty string that UTF-8 can encode."""
    return string(name, check(name, value, "a non-empty string", is_right=isinstance(value, str) and value))


def header(name: str, value: Any) -> str:
    """A valid value of an HTTP header: printable ASCII without line breaks."""
    expected = "a non-empty string of printable ASCII without spaces at its ends"
    text: str = check(name, value, expected, is_right=isinstance(value, str) and _PRINTABLE_ASCII.fullmatch(value))
    return text


def credential(name: str, value: Any, prefix: str) -> str:
    """A secret or a token; None makes a random one with this prefix. The error does not show it."""
    if value is None:
        return f"{prefix}_emulator_{secrets.token_urlsafe(24)}"
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a string, got a value of type {type(value).__name__}")
    if len(value) < SHORTEST_CREDENTIAL or not re.fullmatch("[!-~]+", value):
        raise ConfigurationError(
            f"{name}: expected at least {SHORTEST_CREDENTIAL} printable ASCII characters without spaces "
            f"(not shown here, {len(value)} characters long)"
        )
    return value


def strings(name: str, values: Any) -> tuple[str, ...]:
    """Several non-empty strings. A single string is refused: it would be split into its letters."""
    is_right = isinstance(values, Iterable) and not isinstance(values, str | bytes)
    return tuple(
        identifier(name, value) for value in check(name, values, "a list or tuple of strings", is_right=is_right)
    )


def networks(name: str, values: Any) -> tuple[Network, ...]:
    """IP addresses and CIDR networks."""
    return tuple(_network(name, value) for value in strings(name, values))


def span(name: str, value: Any) -> tuple[float, float]:
    """Seconds, or a pair of seconds in ascending order."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    is_right = len(pair) == 2 and seconds(name, pair[0]) <= seconds(name, pair[1])
    low, high = check(name, pair, "seconds, or (low, high) in seconds", is_right=is_right)
    return float(low), float(high)


def is_finite(value: Any) -> bool:
    """Whether a value is a finite number. True and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _network(name: str, value: str) -> Network:
    try:
        return ip_network(value, strict=False)
    except ValueError:
        expected = 'IP addresses or networks such as "10.0.0.7" or "10.0.0.0/8"'
        raise ConfigurationError(f"{name}: expected {expected}, got {value!r}") from None
