"""What ``[redact]`` and ``[snapshots]`` may say. Each check lists every mistake it finds, and shows the wrong value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from ..redaction.jsonpath import Pattern
from ..redaction.user_patterns import checked_pattern

T = TypeVar("T")


def checked_keys(value: object) -> tuple[str, ...]:
    """``value`` if it is a list of names of keys."""
    return _each(_texts(value, "of names of keys"), _checked_key)


def checked_paths(value: object) -> tuple[str, ...]:
    """``value`` if it is a list of JSON paths."""
    return _each(_texts(value, 'of JSON paths, as in ["items[*].email"]'), _checked_path)


def checked_patterns(value: object) -> tuple[str, ...]:
    """The regular expressions of a list, or of a table that names them."""
    if isinstance(value, Mapping):
        return tuple(_each_of(value, checked_pattern).values())
    return _each(_texts(value, "of regular expressions, or a table that names them"), checked_pattern)


def checked_named_patterns(value: object) -> dict[str, str]:
    """``value`` if it is a table of placeholders' names and regular expressions."""
    if not isinstance(value, Mapping):
        raise ValueError(
            f'expected a table of placeholders and regular expressions, as in {{order = "ORD-[0-9]+"}}, '
            f"got {_kind(value)}"
        )
    for name in value:
        _checked_name(name)
    return _each_of(value, checked_pattern)


def checked_placeholders(value: object) -> dict[str, str]:
    """The keys of a table with their placeholders' names, or those of a list, which stand for themselves."""
    if isinstance(value, Mapping):
        return {_checked_key(key): name for key, name in _each_of(value, _checked_name).items()}
    keys = _each(_texts(value, "of names of keys, or a table of them and their placeholders"), _checked_key)
    return {key: _placeholder_for(key) for key in keys}


def _placeholder_for(key: str) -> str:
    """A placeholder's name that says the key's, as far as its characters can stand there."""
    return re.sub(r"\A[^A-Za-z]+|[^\w-]+", "-", key, flags=re.ASCII).strip("-_") or "value"


def _texts(value: object, of_what: str) -> list[object]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list {of_what}, got {_kind(value)}")
    return list(value)


def _each(items: Iterable[object], check: Callable[[object], str]) -> tuple[str, ...]:
    return tuple(_each_of(dict(enumerate(items)), check).values())


def _each_of(items: Mapping[T, object], check: Callable[[object], str]) -> dict[T, str]:
    found: dict[T, str] = {}
    problems: list[str] = []
    for place, item in items.items():
        try:
            found[place] = check(item)
        except ValueError as error:
            problems.append(f"{f'[{place}]' if isinstance(place, int) else place}: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def _checked_key(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise ValueError(
            f"expected the name of a key, got {_kind(key) if not isinstance(key, str) else 'an empty text'}"
        )
    return key


def _checked_path(path: object) -> str:
    if not isinstance(path, str):
        raise ValueError(f"expected a JSON path, got {_kind(path)}")
    Pattern.parse(path)
    return path


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise ValueError(f'{name!r} is no name of a placeholder: write letters, digits and hyphens, as in "order-id"')
    return name


def _kind(value: object) -> str:
    kinds = {"dict": "a table", "list": "a list", "str": "a text", "bool": "true or false", "int": "a number"}
    return kinds.get(type(value).__name__, type(value).__name__)
