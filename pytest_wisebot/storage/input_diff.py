"""The differences of two input bags, for the message that a request has no recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..text import brief, show_path

MOST_LINES: Final = 20
"""Differences that a message names one by one."""

_MISSING: Final = object()


def input_diff(recorded: Any, asked: Any) -> float:
    """The distance of two bags: 0 for equal ones, 1 for two that have nothing in common."""
    there, here = dict(_leaves(recorded)), dict(_leaves(asked))
    paths = there.keys() | here.keys()
    if not paths:
        return 0.0
    # A value that differs is nearer than one that is missing: the shape is the same.
    apart = sum(_apart(there.get(path, _MISSING), here.get(path, _MISSING)) for path in paths)
    return apart / len(paths)


def differences(recorded: Any, asked: Any) -> list[str]:
    """The differences, by their paths in the inputs; the same in a message as in a file."""
    there, here = dict(_leaves(recorded)), dict(_leaves(asked))
    lines = [
        f"{path}: recorded {_shown(there.get(path, _MISSING))}, asked {_shown(here.get(path, _MISSING))}"
        for path in sorted(there.keys() | here.keys())
        if _apart(there.get(path, _MISSING), here.get(path, _MISSING))
    ]
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more"] if more > 0 else lines


def _apart(one: Any, other: Any) -> float:
    if one is _MISSING or other is _MISSING:
        return 1.0
    return 0.0 if type(one) is type(other) and one == other else 0.5


def _shown(value: Any) -> str:
    return "nothing" if value is _MISSING else brief(value)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif path or not isinstance(value, Mapping):
        yield show_path(path), value
