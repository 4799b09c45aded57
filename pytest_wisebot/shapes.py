"""JSON by the types of a dataclass's fields: what is wrong with it, and the dataclass that it becomes.

What another program, another version, or a full disk has left in a file has any shape. `checker` finds what is wrong
before `read` makes anything of it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from .originals import dates
from .text import brief

T = TypeVar("T")

Moment = Annotated[float, "moment"]
"""Seconds since the epoch. In the log a moment is a string with its zone."""

_UNIONS: Final = (UnionType, Union)
"""``X | None`` is the one or the other, depending on X."""

YEARS: Final = range(1971, 9999)
"""Years of which every system makes seconds, and a time of day again in any zone."""

MOST_SECONDS: Final = 1e15
"""Thirty million years."""

_WORDS: Final[Mapping[Any, str]] = {
    str: "a string", bool: "true or false", int: "a whole number", float: "a number", datetime: "a time with its zone",
    Moment: "a time with its zone",
}  # fmt: skip


@cache
def types_of(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, or of a named tuple's, by name."""
    return get_type_hints(kind, include_extras=True)


def checker(types: Mapping[str, Any], *, allows_null: bool = True) -> Callable[[Mapping[str, Any]], str]:
    """Makes a function that finds the first value of a wrong type.

    It returns words that go on after "line 3 has "; empty ones if nothing is wrong.

    Args:
        types: types by name, as those of a dataclass's fields; values without a type are ignored.
        allows_null: whether null is the same as a missing key.
    """
    tests = {name: _is_a(kind) for name, kind in types.items()}

    def mistake(data: Mapping[str, Any]) -> str:
        for name, value in data.items():
            if name in tests and not tests[name](value) and not (value is None and allows_null):
                return f'a wrong "{name}": expected {_words(types[name])}, got {brief(value, 60)}'
        return ""

    return mistake


def _words(kind: Any) -> str:
    arms, origin = get_args(kind), get_origin(kind)
    if origin in _UNIONS:
        return _words(arms[0])
    if origin is tuple or (isinstance(kind, type) and issubclass(kind, tuple)):
        return "a list"
    return _WORDS.get(kind) or (" or ".join(map(str, kind)) if _is_enum(kind) else "an object")


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


@cache
def _is_a(kind: Any) -> Callable[[Any], bool]:
    """Decides whether a JSON value is one of a field's type, and whether `read` can make it one."""
    arms, origin = get_args(kind), get_origin(kind)
    if origin in _UNIONS:
        tests = [*map(_is_a, arms)]
        return lambda value: any(test(value) for test in tests)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is NoneType:
        return lambda value: value is None
    if origin is tuple:
        return _is_list(arms)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        item = _is_a(arms[1])
        return lambda value: isinstance(value, dict) and all(map(item, value.values()))
    if isinstance(kind, type) and issubclass(kind, tuple):
        return _is_list(tuple(types_of(kind).values()))
    if hasattr(kind, "__dataclass_fields__"):
        return partial(_is_record, kind, checker(types_of(kind)))
    if _is_enum(kind):
        words = [str(one) for one in kind]
        return lambda value: value in words
    return lambda _: True


def _is_list(arms: tuple[Any, ...]) -> Callable[[Any], bool]:
    if arms[-1] is Ellipsis:
        item = _is_a(arms[0])
        return lambda value: isinstance(value, list) and all(map(item, value))
    items = [_is_a(arm) for arm in arms]
    return lambda value: (
        isinstance(value, list)
        and len(value) == len(items)
        and all(test(one) for test, one in zip(items, value, strict=True))
    )


def _is_record(kind: Any, mistake: Callable[[Mapping[str, Any]], str], value: Any) -> bool:
    if not isinstance(value, dict) or mistake(value):
        return False
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    return all(value.get(name) is not None for name in needed)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max and math.isfinite(value)


def _is_time(value: Any) -> bool:
    return _is_moment(value) and dates.read(value).year in YEARS


def _is_moment(value: Any) -> bool:
    """A time of any year: `read` makes seconds of it, and reports show the nearest date there is."""
    try:
        return dates.read(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


_PLAIN: Final[Mapping[Any, Callable[[Any], bool]]] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63,
    float: _is_number,
    datetime: _is_time,
    Moment: _is_moment,
}


# --- dataclasses from JSON


def read(kind: Callable[..., T], data: Mapping[str, Any], **given: Any) -> T:
    """Builds a dataclass from JSON by the types of its fields. The JSON has passed a `checker`.

    Args:
        kind: the dataclass.
        data: values by the names of the fields; other keys are ignored, and None is the same as a missing key.
        given: values of fields as they are; they take precedence.
    """
    known = [(name, value) for name, value in data.items() if value is not None and name not in given]
    readers = _readers(kind)
    found = {name: readers[name](value) for name, value in known if name in readers}
    return kind(**found | {name: value for name, value in given.items() if value is not None})


@cache
def _readers(kind: Hashable) -> dict[str, Callable[[Any], Any]]:
    return {name: _reader(hint) for name, hint in types_of(kind).items()}


def _reader(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of a field's type from JSON."""
    arms, origin = get_args(kind), get_origin(kind)
    if kind == Moment:
        return lambda value: dates.read(value).timestamp()
    if kind is float:
        return _seconds
    if origin in _UNIONS:
        return _reader(arms[0])
    if origin is tuple:
        item = _reader(arms[0])
        return lambda values: tuple(map(item, values))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        value = _reader(arms[1])
        return lambda values: {name: value(one) for name, one in values.items()}
    if isinstance(kind, type) and issubclass(kind, tuple):
        return lambda values: kind(*values)
    if hasattr(kind, "__dataclass_fields__"):
        return partial(read, kind)
    return kind if kind in (str, int, bool) else lambda value: value


def _seconds(value: float) -> float:
    """A number that reports can count with: JSON has larger ones, and a moved clock makes any."""
    return float(max(-MOST_SECONDS, min(MOST_SECONDS, value)))
