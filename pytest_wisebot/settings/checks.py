"""One value at a time: what is right, and what a wrong one is told.

Checks of what a table or an option says raise `ValueError`; who calls them puts the value's place before the message.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from ..gate_config import selected
from ..runs import Api


def checked_origin(text: str) -> str:
    """``text`` as scheme and host (and port) alone, without a trailing slash.

    Raises:
        ValueError: it is no such thing; the message says what to write, and never shows a user name or password.
    """
    if not text.isascii() or re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise ValueError("a host has no spaces, control or non-ASCII characters")
    if "@" in text:  # anywhere: without a scheme, or with a slash in the password, it is not where a parser looks
        raise ValueError("a user name or password has no place in it: write scheme and host only")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("has a bracket too few or too many around its address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'"{text[:80]}" is no origin: write scheme and host, as in "https://example.com"')
    origin = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.path.strip("/"):
        raise ValueError(f'has the path "{parts.path}": write scheme and host only, "{origin}"')
    if parts.query or parts.fragment:  # not shown: some put a credential there
        raise ValueError(f'has a query or a fragment: write scheme and host only, "{origin}"')
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f'"{parts.netloc}" has no valid port') from None
    return origin


def is_loopback(origin: str) -> bool:
    """Whether an origin is this machine itself, which no proxy and no eavesdropper stands before."""
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_reference(text: str) -> str:
    """``text`` if it names a credential and is none. The message never shows it: it might be one."""
    kind, _, name = text.partition(":")
    if kind not in ("env", "file") or not name.strip():
        raise ValueError('write a reference, "env:NAME" or "file:PATH": a credential is never written into this file')
    return text


def checked_seconds(value: float) -> float:
    """``value`` if it is a number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number of seconds above 0, got {value!r}")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"expected a number of seconds above 0, got {value:g}")
    return value


def checked_share(value: float) -> float:
    """``value`` if it is a share, from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"expected a share from 0 to 1, as in 0.95 for 95%, got {value:g}")
    return value


def checked_growth(value: float) -> float:
    """``value`` if something can grow by this share of it."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"expected a share of at least 0, as in 0.25 for 25%, got {value:g}")
    return value


def checked_select(text: str) -> str:
    """``text`` if it says which tests a gate is about. What its expressions mean, pytest knows."""
    selected(text)
    return text


def checked_gate_paths(value: object) -> tuple[str, ...]:
    """``value`` if it lists folders and files relative to ``wisebot.toml``. Whether they exist, `resolve` looks up."""
    if not isinstance(value, list | tuple):
        raise ValueError(f'expected a list of folders and files, as in ["tests/e2e"], got {_shown(value)}')
    if not value:
        raise ValueError('expected at least one folder or file, as in ["tests/e2e"]: leave the key out for all tests')
    for item in value:
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f'expected folders and files, as in ["tests/e2e"], got {_shown(item)} among them')
        if "::" in item:
            raise ValueError(f'"{item}" names a test: write its file or folder, and choose tests by select')
        if PurePosixPath(item).is_absolute() or PureWindowsPath(item).is_absolute():
            raise ValueError(f'"{item}" is absolute: write it relative to wisebot.toml')
    return tuple(value)


def _shown(value: object) -> str:
    return json.dumps(value, default=str)[:80]


def checked_emulator(text: str) -> str:
    """``text`` if it is ``module:attribute``."""
    module, _, attribute = text.partition(":")
    if not attribute.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f'"{text}" is no emulator: write "module:attribute" of a module beside this file')
    return text


def checked_id(workflow_id: str) -> str:
    """``workflow_id`` if a URL can carry it.

    ``.`` and ``..`` are refused because clients and proxies resolve them, even quoted, to another path.
    """
    if workflow_id in ("", ".", ".."):
        raise ValueError('an id is not empty, "." or ".."')
    if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", workflow_id):
        raise ValueError("an id has no control characters and no lone surrogates")
    return workflow_id


def checked_api(value: object) -> Api:
    """``value`` as one of the two APIs."""
    if value not in (Api.WEBHOOK, Api.DASHBOARD):
        raise ValueError(f'expected "webhook" or "dashboard", got {value!r}')
    return Api(str(value))


def checked_switch(value: object) -> bool:
    """``value`` if it is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"expected True or False, got {value!r}")
    return value


def checked_header(value: object) -> str:
    """``value`` if it is a header that the webhook API takes the secret from."""
    if value not in ("authorization", "x-workflow-secret"):
        raise ValueError(f'expected "authorization" or "x-workflow-secret", got {value!r}')
    return str(value)


def at_least(lowest: int) -> Callable[[int], int]:
    """A check for a whole number that is not below ``lowest``."""

    def check(value: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise ValueError(f"expected a whole number, at least {lowest}, got {value}")
        return value

    return check


def unless_none(check: Callable[[int], int]) -> Callable[[int | None], int | None]:
    """The same check for a value that may be left out."""
    return lambda value: None if value is None else check(value)


def plain_http(origin: str) -> str | None:
    """What is wrong with sending a credential to this origin, when it is neither HTTPS nor this machine."""
    if origin.startswith("https:") or is_loopback(origin):
        return None
    return f"{origin} would carry the credential unencrypted: write https, or set allow-http = true in the environment"


def nearest(word: object, known: Iterable[str]) -> str:
    """What a wrong key may have meant, or else every right one."""
    names = list(known)
    near = difflib.get_close_matches(str(word), names, n=1)
    return f'did you mean "{near[0]}"?' if near else _listed(names)


def nearest_of_all(word: object, known: Iterable[str]) -> str:
    """Every right name, the one that a wrong name may have meant first."""
    names = list(known)
    near = difflib.get_close_matches(str(word), names, n=1)
    return (f'did you mean "{near[0]}"? ' if near else "") + _listed(names)


def _listed(names: list[str]) -> str:
    return f"known: {', '.join(names) or 'none'}"
