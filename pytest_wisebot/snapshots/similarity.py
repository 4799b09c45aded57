"""How much two JSON values have in common: whether they are the same, and whether one may have become the other."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from .align import common_head, common_tail
from .placeholder_numbers import is_numbered, without_numbers

CONTAINERS = (dict, list)
"""What holds other values. A tuple: to ask for a union takes three times as long, and this is asked for every value."""

LONG_TEXT = 60
"""Characters from which on a text is compared by its parts."""

IDENTITIES = ("id", "_id", "uuid", "key", "slug", "name", "title")
"""The keys that tell which row a row is, if it has one of them; the first one counts."""

_ALIKE = 1 / 3
_ALIKE_UNDER_ANOTHER_NAME = 0.6
_DEEPEST = 3

_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def same_scalar(one: Any, other: Any) -> bool:
    """Whether two values that hold no others are the same JSON: 1, 1.0, true and "1" are four."""
    if type(one) is not type(other):
        return False
    return repr(one) == repr(other) if type(one) is float else bool(one == other)  # NaN is NaN here, and -0.0 not 0.0


def canonical(value: Any) -> str:
    """A text that equal values have in common, and no others."""
    if isinstance(value, str):
        return f'"{value}'
    return _encode(value) if isinstance(value, CONTAINERS) else repr(value)


def belong(one: Any, other: Any, *, in_place: bool = False) -> bool:
    """Whether two different rows are one row that has changed."""
    if isinstance(one, CONTAINERS) != isinstance(other, CONTAINERS):
        return False
    if not isinstance(one, CONTAINERS):
        return in_place or likeness(one, other) >= _ALIKE
    if isinstance(one, dict) != isinstance(other, dict):
        return False
    least = _ALIKE if identity(one, other) is None else _ALIKE_UNDER_ANOTHER_NAME
    return same_name(one, other) or likeness(one, other) >= least


def same_name(one: Any, other: Any) -> bool:
    """Whether two rows say that they are the same row."""
    key = identity(one, other)
    return key is not None and same_scalar(one[key], other[key])


def identity(one: Any, other: Any) -> str | None:
    """The key by which two rows say which row they are, if both have one with a plain value.

    The number of a placeholder says nothing: ``<uuid:1>`` is whichever came first.
    """
    if not isinstance(one, dict) or not isinstance(other, dict):
        return None
    for key in IDENTITIES:
        if key in one and key in other and _names(one[key]) and _names(other[key]):
            return key
    return None


def _names(value: Any) -> bool:
    return isinstance(value, str | int) and not is_numbered(value)


def likeness(one: Any, other: Any, depth: int = 0) -> float:
    """How much two values have in common, from 0 to 1. Large ones are judged by samples."""
    if isinstance(one, dict) and isinstance(other, dict):
        return _likeness_of_objects(one, other, depth)
    if isinstance(one, list) and isinstance(other, list):
        return _likeness_of_lists(one, other, depth)
    if isinstance(one, str) and isinstance(other, str):
        return _likeness_of_texts(one, other)
    if isinstance(one, CONTAINERS) or isinstance(other, CONTAINERS):
        return 0.0
    if float in (type(one), type(other)) and {type(one), type(other)} <= {int, float}:
        return _likeness_of_numbers(one, other)
    return float(same_scalar(one, other))


def _likeness_of_objects(one: dict[str, Any], other: dict[str, Any], depth: int) -> float:
    if depth == _DEEPEST or not one or not other:
        return 0.5 if one and other else float(one == other)
    shared = [key for key in islice(one, 64) if key in other]
    parts = min(len(one), 64) + min(len(other), 64) - len(shared)
    return sum(likeness(one[key], other[key], depth + 1) for key in shared) / max(parts, 1)


def _likeness_of_lists(one: list[Any], other: list[Any], depth: int) -> float:
    if depth == _DEEPEST or not one or not other:
        return 0.5 if one and other else float(one == other)
    # Both ends, so that an item more in front does not make all the others differ.
    count = min(len(one), len(other), 16)
    heads = sum(likeness(mine, its, depth + 1) for mine, its in zip(one[:count], other[:count], strict=True))
    tails = sum(likeness(mine, its, depth + 1) for mine, its in zip(one[-count:], other[-count:], strict=True))
    return max(heads, tails) / min(max(len(one), len(other)), 16)


def _likeness_of_texts(one: str, other: str) -> float:
    one, other = without_numbers(one), without_numbers(other)
    if one == other:
        return 1.0
    words, others = set(one[:2000].split()), set(other[:2000].split())
    shared = 2 * len(words & others) / max(len(words) + len(others), 1)
    if max(len(one), len(other)) <= LONG_TEXT:
        return shared
    most = min(len(one), len(other))
    head = common_head(one, other, 0, 0, most)
    return max(shared, (head + common_tail(one, other, len(one), len(other), most - head)) / max(len(one), len(other)))


def _likeness_of_numbers(one: float, other: float) -> float:
    try:
        apart = abs(one - other) / max(abs(one), abs(other))
    except (ZeroDivisionError, OverflowError):
        return float(one == other)
    return max(0.0, 1 - apart) if apart == apart else 0.0  # not a number is like nothing
