"""Structure and types alone: what a result looks like when its values are of no interest.

A scalar becomes the name of its type, a list one element that speaks for all of them, and a key that not all elements
have ends in ``?``. Numbers of both kinds are ``<number>``, since JSON writers give ``1`` and ``1.5`` for one field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .json_codec import dumps

ONE_OF = "<one of>"
"""Begins a list of shapes of which a value has one. Any other list of a shape has one element at most."""


def shape_of(value: Any) -> Any:
    """The shape of a JSON value, as a JSON value.

    ``[{"id": 1}, {"id": "x", "note": null}]`` gives ``[{"id": "<int> | <str>", "note?": "<null>"}]``. An empty list
    stays ``[]``. Where objects or lists stand beside other types, they are a list that begins with `ONE_OF`. A question
    mark at the end of a key's own name is doubled.

    Args:
        value: plain JSON.

    Raises:
        NotJsonError: something in the value is no JSON, which its shape would hide.
    """
    dumps(value)
    return _merged([value])


def _merged(values: list[Any]) -> Any:
    """The one shape of all these values."""
    objects = [value for value in values if isinstance(value, Mapping)]
    lists = [value for value in values if isinstance(value, list | tuple)]
    names = _scalars({_name(value) for value in values if not isinstance(value, Mapping | list | tuple)})
    containers: list[Any] = [_object(objects)] if objects else []
    containers += [_list(lists)] if lists else []
    if not containers:
        return names
    shapes = containers + ([names] if names else [])
    return shapes[0] if len(shapes) == 1 else [ONE_OF, *shapes]


def _object(objects: list[Mapping[str, Any]]) -> dict[str, Any]:
    shape = {}
    for key in sorted(set().union(*objects)):
        values = [item[key] for item in objects if key in item]
        shape[_key(key, optional=len(values) < len(objects))] = _merged(values)
    return shape


def _list(lists: list[Any]) -> list[Any]:
    elements = [element for item in lists for element in item]
    return [_merged(elements)] if elements else []


def _key(key: str, *, optional: bool) -> str:
    """An odd number of question marks at the end says optional; half of the others are the key's own."""
    own = len(key) - len(key.rstrip("?"))
    return key + "?" * own + ("?" if optional else "")


def _name(value: object) -> str:
    if value is None:
        return "<null>"
    for kind in (bool, str, int, float):  # a bool is an int, too
        if isinstance(value, kind):
            return f"<{kind.__name__}>"
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _scalars(names: set[str]) -> str:
    if {"<int>", "<float>"} <= names:
        names = (names - {"<int>", "<float>"}) | {"<number>"}
    return " | ".join(sorted(names))
