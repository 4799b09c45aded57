"""JSON as a snapshot file holds it: exact, so that what is written is what was compared.

syrupy's own writer drops keys that are not strings, cuts what is nested deeper than 99 levels and writes NaN, which is
not JSON. A snapshot that lost a value would agree with a run that lost it too, so here each of them is an error.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any

from ..originals import json
from ..redaction.jsonpath import Path
from ..text import WrittenNumber, json_number, show_path

MAX_DEPTH = 99
"""The deepest nesting of lists and objects in a snapshot, in levels."""

# Lone surrogates are JSON, but no UTF-8 file can hold them as they are; the others a reader of the file would not see,
# or would see in the wrong order.
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


class NotJsonError(ValueError):
    """A value that no JSON text can hold. The message names its path and its type: other values were not cleaned."""


class _Fault(Exception):
    """What is wrong with a value; each container on the way out puts down its step."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.steps: list[str | int] = []

    def path(self) -> Path:
        return tuple(reversed(self.steps))


def dumps(value: Any) -> str:
    """The text of a JSON value: keys sorted, two spaces a level, letters as they are, a newline at the end.

    Tuples count as lists. 1, 1.0 and true are three texts, though they are equal in Python.

    Raises:
        NotJsonError: a part is not JSON: a key that is not a string, NaN or an infinity, nesting beyond
            `MAX_DEPTH` levels (a value that holds itself among them), or an object of another type.
    """
    parts: list[str] = []
    try:
        _write(value, "\n", parts.append)
    except _Fault as fault:
        raise NotJsonError(f"{_place(fault.path())}: {fault}") from None
    text = "".join(parts)
    if not text.isascii() or "\x7f" in text:
        text = _UNSEEN.sub(_escaped, text)
    return text + "\n"


def loads(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: the text is not JSON, or has NaN, an infinity, or a key twice, all of which Python would accept.
    """
    return json.loads(text, parse_constant=_refused, parse_float=json_number, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {json.dumps(twice)} stands twice in an object")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


# --- writing: a walk of our own, since one that checks and then Python's own writer would take twice as long

_quoted = encode_basestring


_TEXT = {str}


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise _Fault(f"{float(value)} is not a JSON number")
    return float.__repr__(value)


def _integer(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:
        raise _Fault(f"an integer of {value.bit_length()} bits is too long to be written") from None


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: _integer,
    float: _float,
    WrittenNumber: lambda value: value.text,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
}


def _write(value: Any, gap: str, put: Callable[[str], None]) -> None:
    """Puts down the text of a value; ``gap`` is the line break and the indentation of the place where it stands."""
    kind = type(value)
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        put(scalar(value))
    elif kind is dict or (kind is not list and isinstance(value, Mapping)):
        _write_object(value, _inner(gap), gap, put)
    elif isinstance(value, list | tuple):
        _write_list(value, _inner(gap), gap, put)
    else:
        put(_of_subclass(value))


def _inner(gap: str) -> str:
    if len(gap) > 2 * MAX_DEPTH:
        raise _Fault(f"nested deeper than {MAX_DEPTH} levels")
    return gap + "  "


def _write_object(value: Mapping[Any, Any], inner: str, gap: str, put: Callable[[str], None]) -> None:
    before, following, find = "{" + inner, "," + inner, _SCALARS.get
    for key in sorted(value) if set(map(type, value)) <= _TEXT else sorted(value, key=_checked_key):
        item = value[key]
        scalar = find(type(item))
        try:
            put(f"{before}{_quoted(key)}: {scalar(item) if scalar is not None else ''}")
            if scalar is None:
                _write(item, inner, put)
        except _Fault as fault:
            fault.steps.append(key)
            raise
        before = following
    put(gap + "}" if value else "{}")


def _write_list(value: list[Any] | tuple[Any, ...], inner: str, gap: str, put: Callable[[str], None]) -> None:
    before, following, find = "[" + inner, "," + inner, _SCALARS.get
    for index, item in enumerate(value):
        put(before)
        scalar = find(type(item))
        try:
            put(scalar(item)) if scalar is not None else _write(item, inner, put)
        except _Fault as fault:
            fault.steps.append(index)
            raise
        before = following
    put(gap + "]" if value else "[]")


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        shown = f" {key!r}" if isinstance(key, int | float) else ""
        raise _Fault(f"a key must be a string, got {_kind(key)}{shown}")
    return key


def _of_subclass(value: object) -> str:
    """The text of a value whose class only derives from a JSON type, as enums' members and numpy's floats do."""
    for kind in (str, int, float):
        if isinstance(value, kind):
            return _SCALARS[kind](value)
    raise _Fault(f"{_kind(value)} is not a JSON value{_hint(value)}")


def _hint(value: object) -> str:
    if hasattr(type(value), "model_dump"):
        return '; compare its .model_dump(mode="json")'
    if dataclasses.is_dataclass(value):
        return "; compare its dataclasses.asdict(...)"
    if isinstance(value, set | frozenset):
        return "; compare it sorted, as a list"
    return ""


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _place(path: Path) -> str:
    """A path for a message; what is nested too deep, or in itself, would fill a screen."""
    return show_path(path) if len(path) <= MAX_DEPTH // 4 else f"{show_path(path[:5])}…"
