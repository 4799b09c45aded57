"""The check of one value, by the kind of its field. A check raises `ValueError`; its caller adds the value's place."""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from ..gate_config import selected
from ..quarantine import FORM, parse
from ..redaction.jsonpath import Pattern
from ..redaction.user_rules import checked_pattern
from ..text import brief
from .fields import Field

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the values of some fields look like.

    Attributes:
        schema: the JSON Schema of such a value.
        check: returns the value in its one form, or raises ValueError. It gets values of the schema's type only.
    """

    schema: Mapping[str, Any]
    check: Callable[[Any], Any] = lambda value: value


def check(field: Field, value: object) -> Any:
    """The value in its one form.

    Raises:
        ValueError: the value is wrong; the message names what is expected, and shows no credential.
    """
    if field.choices and value not in field.choices:
        expected = " or ".join(f'"{choice}"' for choice in field.choices)
        raise ValueError(f"expected {expected}, got {describe(value)}")
    kind = KINDS[field.kind]
    types, expected = _TYPES.get(kind.schema.get("type", ""), (object, ""))
    if not isinstance(value, types) or (isinstance(value, bool) and types in (int, int | float)):
        shown = f"another type ({type(value).__name__})" if field.kind == "reference" else describe(value)
        raise ValueError(f"expected {expected}, got {shown}")
    if field.least is not None and value < field.least:
        raise ValueError(f"expected a whole number, at least {field.least}, got {value}")
    return kind.check(value)


def describe(value: object) -> str:
    """A wrong value in a message, a table or a list by its type alone: a credential may stand in it."""
    if isinstance(value, Mapping | list | tuple):
        return "a table" if isinstance(value, Mapping) else "a list"
    return brief(value)


_TYPES: Final[Mapping[str, tuple[Any, str]]] = {
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "number": (int | float, "a number"),
    "boolean": (bool, "true or false"),
}

# --- strings --------------------------------------------------------------------------------------------------------


def checked_origin(text: str) -> str:
    """Scheme and host (and port) without a trailing slash, in lower case.

    Raises:
        ValueError: it has another form; the message never shows a user name or password.
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
        raise ValueError(f'"{text[:80]}" is not an origin: write scheme and host, as in "https://example.com"')
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


def host_identity(origin: str) -> tuple[str, int | None]:
    """Identifies the host of an origin, whatever its port; on this machine a host is one port, under any name."""
    parts = urlsplit(origin)
    if is_loopback(origin):
        return "loopback", parts.port or (443 if parts.scheme == "https" else 80)
    return (parts.hostname or "").rstrip("."), None  # a final dot leads to the same host


def is_loopback(origin: str) -> bool:
    """Whether an origin is this machine itself: no proxy and no eavesdropper stands before it."""
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def plain_http(origin: str) -> str | None:
    """What is wrong with sending a credential to this origin, when it is neither HTTPS nor this machine."""
    if origin.startswith("https:") or is_loopback(origin):
        return None
    return f"{origin} would carry the credential unencrypted: write https, or set allow-http = true in the environment"


def _checked_reference(text: object) -> str:
    """The message does not show the string: it may be a credential."""
    if not isinstance(text, str):
        raise ValueError(f'expected "env:NAME" or "file:PATH", got {_type(text)}')
    kind, _, name = text.partition(":")
    if kind not in ("env", "file") or not name.strip():
        raise ValueError('write a reference, "env:NAME" or "file:PATH": a credential is never written into this file')
    return text


_RESERVED_HEADERS: Final = re.compile(
    r"authorization|x-workflow-secret|host|content-.*|connection|transfer-encoding|te|trailer|upgrade|expect"
    r"|accept-encoding|traceparent|user-agent",
    re.IGNORECASE,
)
"""Headers that hold another credential, or that the client writes itself."""


def checked_headers(value: object) -> dict[str, Any]:
    """A table of headers whose names a project may choose; its values are not looked at.

    Raises:
        ValueError: it is not a table, or a name in it is not allowed.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f'expected a table of headers, as in {{x-gate = "env:NAME"}}, got {_type(value)}')
    found: dict[str, Any] = {}
    for name, item in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII):
            raise ValueError(f"{brief(name)} is not a name of a header: write letters, digits and hyphens")
        if _RESERVED_HEADERS.fullmatch(name):
            raise ValueError(f"{name} is a header that each request has of its own, and that no setting replaces")
        if name.lower() in map(str.lower, found):
            raise ValueError(f"{name} stands there twice: names of headers differ by more than letter case")
        found[name] = item
    return found


def _checked_header_references(value: object) -> dict[str, str]:
    return _each(checked_headers(value), _checked_reference)


def _checked_emulator(text: str) -> str:
    module, _, attribute = text.partition(":")
    if not attribute.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f'"{text}" is not an emulator: write "module:attribute" of a module beside this file')
    return text


def checked_id(workflow_id: str) -> str:
    """A workflow's id that a URL can carry.

    ``.`` and ``..`` are refused because clients and proxies resolve them, even quoted, to another path.
    """
    if workflow_id in ("", ".", ".."):
        raise ValueError('an id is not empty, "." or ".."')
    if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", workflow_id):
        raise ValueError("an id has no control characters and no lone surrogates")
    return workflow_id


def _link(*placeholders: str) -> Callable[[str], str]:
    """A check for an address with these placeholders, of which it has the first one in its path or its query."""
    known = " and ".join(f"{{{name}}}" for name in placeholders)
    needed = f"{{{placeholders[0]}}}"

    def checked(text: str) -> str:
        example = f'as in "https://example.com/{needed}"'
        if unknown := [name for name in re.findall(r"\{([^{}]*)\}", text) if name not in placeholders]:
            raise ValueError(f'"{{{unknown[0]}}}" stands for nothing here: write {known}, {example}')
        if not text.isascii() or re.search(r"[\s\x00-\x1f\x7f\\<>\"]", text):
            raise ValueError("an address has no spaces, quotes, control or non-ASCII characters")
        found = re.fullmatch(r"https?://([^/?#{}]+)[/?#].*", text)
        if found is None or needed not in text or re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text)):
            raise ValueError(f"expected an address with {needed} after its host, {example}, got {brief(text)}")
        if "@" in found[1]:
            raise ValueError("a user name or password has no place in an address")
        return text

    return checked


def _checked_select(text: str) -> str:
    selected(text)  # whether the expressions are valid, pytest decides
    return text


# --- numbers --------------------------------------------------------------------------------------------------------


def _within(is_valid: Callable[[float], bool], expected: str) -> Callable[[float], float]:
    def checked(value: float) -> float:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not is_valid(number):
            raise ValueError(f"expected {expected}, got {number:g}")
        return number

    return checked


_seconds = _within(lambda value: math.isfinite(value) and value > 0, "a number of seconds above 0")
_share = _within(lambda value: 0 <= value <= 1, "a share from 0 to 1, as in 0.95 for 95%")
_growth = _within(lambda value: math.isfinite(value) and value >= 0, "a share of at least 0, as in 0.25 for 25%")

# --- lists and tables: a check finds every mistake ------------------------------------------------------------------


def _list(item: Callable[[object], str], expected: str) -> Callable[[object], tuple[str, ...]]:
    """A check for a list of which each item passes a check."""

    def checked(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"expected a list {expected}, got {_type(value)}")
        return tuple(_each(dict(enumerate(value)), item).values())

    return checked


def _each(items: Mapping[T, object], check_item: Callable[[object], str]) -> dict[T, str]:
    found: dict[T, str] = {}
    problems: list[str] = []
    for place, item in items.items():
        try:
            found[place] = check_item(item)
        except ValueError as error:
            problems.append(f"{f'[{place}]' if isinstance(place, int) else place}: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def _checked_patterns(value: object) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        return tuple(_each(value, checked_pattern).values())
    return _list(checked_pattern, "of regular expressions, or a table that names them")(value)


def _checked_named_patterns(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        example = 'a table of placeholders and regular expressions, as in {order = "ORD-[0-9]+"}'
        raise ValueError(f"expected {example}, got {_type(value)}")
    for name in value:
        _checked_placeholder(name)
    return _each(value, checked_pattern)


def _checked_placeholders(value: object) -> dict[str, str]:
    """The keys of a table, with the names of their placeholders."""
    if not isinstance(value, Mapping):
        named = [key for key in value if isinstance(key, str) and key] if isinstance(value, list | tuple) else []
        example = ", ".join(f"{json.dumps(key)} = {json.dumps(_placeholder_for(key))}" for key in named[:3])
        write = f"write {{{example}}}" if named else 'as in {orderId = "order-id"}'
        raise ValueError(f"expected a table of keys and the names of their placeholders, got {_type(value)}: {write}")
    return {_checked_key(key): name for key, name in _each(value, _checked_placeholder).items()}


def _placeholder_for(key: str) -> str:
    """A placeholder's name from the characters of a key that can stand in one."""
    return re.sub(r"\A[^A-Za-z]+|[^\w-]+", "-", key, flags=re.ASCII).strip("-_") or "value"


def _checked_key(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise ValueError(f"expected the name of a key, got {'an empty string' if key == '' else _type(key)}")
    return key


def _checked_path(path: object) -> str:
    if not isinstance(path, str):
        raise ValueError(f"expected a JSON path, got {_type(path)}")
    Pattern.parse(path)
    return path


def _checked_placeholder(name: object) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][\w-]*", name):
        example = 'write letters, digits and hyphens, as in "order-id"'
        raise ValueError(f"{name!r} is not a valid name of a placeholder: {example}")
    return name


def _checked_gate_paths(value: object) -> tuple[str, ...]:
    """Whether the folders and files exist, `load` finds out."""
    if not isinstance(value, list | tuple):
        raise ValueError(f'expected a list of folders and files, as in ["tests/e2e"], got {brief(value)}')
    if not value:
        raise ValueError('expected at least one folder or file, as in ["tests/e2e"]: leave the key out for all tests')
    for item in value:
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f'expected folders and files, as in ["tests/e2e"], got {brief(item)} among them')
        if "::" in item:
            raise ValueError(f'"{item}" names a test: write its file or folder, and choose tests by select')
        if PurePosixPath(item).is_absolute() or PureWindowsPath(item).is_absolute():
            raise ValueError(f'"{item}" is absolute: write it relative to this file')
    return tuple(value)


def _checked_quarantines(value: object) -> dict[str, str]:
    """Whether a test of the name exists, the collection finds out."""
    if not isinstance(value, Mapping):
        raise ValueError(f'expected a table of tests, as in {{"{_EXAMPLE_TEST}" = "{FORM}"}}, got {_type(value)}')
    for name in value:
        if "::" not in name.partition("[")[0]:
            raise ValueError(f'"{name}" does not name a test: write its id, as in "{_EXAMPLE_TEST}"')
    return _each(value, _checked_quarantine)


def _checked_quarantine(text: object) -> str:
    parse(text)
    return str(text)


_EXAMPLE_TEST: Final = "tests/test_a.py::test_x"


def _type(value: object) -> str:
    types = {"dict": "a table", "list": "a list", "str": "a string", "bool": "true or false", "int": "a number"}
    return types.get(type(value).__name__, type(value).__name__)


_STRING: Final = {"type": "string"}
_STRINGS: Final = {"items": _STRING, "type": "array"}
_NAMED_STRINGS: Final = {"additionalProperties": _STRING, "type": "object"}
_EITHER: Final = {"anyOf": [_STRINGS, _NAMED_STRINGS]}

KINDS: Final[Mapping[str, Kind]] = {
    "text": Kind(_STRING),
    "folder": Kind(_STRING),
    "file": Kind(_STRING),
    "certificates": Kind(_STRING),
    "choice": Kind(_STRING),
    "origin": Kind(_STRING, checked_origin),
    "reference": Kind(_STRING, _checked_reference),
    "headers": Kind(_NAMED_STRINGS, _checked_header_references),
    "emulator": Kind(_STRING, _checked_emulator),
    "id": Kind(_STRING, checked_id),
    "select": Kind(_STRING, _checked_select),
    "workflow-link": Kind(_STRING, _link("id")),
    "run-link": Kind(_STRING, _link("id", "workflow")),
    "switch": Kind({"type": "boolean"}),
    "whole": Kind({"type": "integer"}),
    "count": Kind({"type": "integer"}),
    "seconds": Kind({"type": "number"}, _seconds),
    "share": Kind({"type": "number"}, _share),
    "growth": Kind({"type": "number"}, _growth),
    "keys": Kind(_STRINGS, _list(_checked_key, "of names of keys")),
    "json-paths": Kind(_STRINGS, _list(_checked_path, 'of JSON paths, as in ["items[*].email"]')),
    "gate-paths": Kind({**_STRINGS, "minItems": 1}, _checked_gate_paths),
    "patterns": Kind(_EITHER, _checked_patterns),
    "named-patterns": Kind(_NAMED_STRINGS, _checked_named_patterns),
    "quarantines": Kind(_NAMED_STRINGS, _checked_quarantines),
    "placeholders": Kind(_NAMED_STRINGS, _checked_placeholders),
}
"""The kinds of values. An option of kind ``count`` is checked at once, ``whole`` when the settings are made."""


# --- what a wrong name may have meant -------------------------------------------------------------------------------


def nearest(word: str, known: Iterable[str]) -> str:
    """The name that a wrong one may have meant, or else every right one."""
    names = list(known)
    return _likely(word, names) or _listed(names)


def nearest_of_all(word: str, known: Iterable[str]) -> str:
    """Every right name, the one that a wrong name may have meant first."""
    names = list(known)
    return f"{_likely(word, names)} {_listed(names)}".lstrip()


def _likely(word: str, names: list[str]) -> str:
    near = difflib.get_close_matches(word, names, n=1)
    return f'did you mean "{near[0]}"?' if near else ""


def _listed(names: list[str]) -> str:
    return f"known: {', '.join(names) or 'none'}"
