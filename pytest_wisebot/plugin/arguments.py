"""What a test's arguments are, as far as pytest tells before it makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

UNKNOWN: Final[Any] = object()
"""What only a fixture will know."""


def inputs_of(item: pytest.Item) -> Any:
    """The input bag that the parameter ``inputs`` gives; None without one; `UNKNOWN` where a fixture makes it."""
    if "inputs" not in getattr(item, "fixturenames", ()):
        return None
    return parameters(item).get("inputs", UNKNOWN) if is_parameter(item, "inputs") else UNKNOWN


def is_parameter(item: pytest.Item, name: str) -> bool:
    """Whether an argument is a parameter's value as it stands, and not what a fixture makes of it (``indirect``)."""
    definition = _definition(item, name)
    return definition is None or definition.func.__module__.startswith("_pytest.")


def uses_ours(item: pytest.Item, name: str) -> bool:
    """Whether a test uses this plugin's fixture of that name, and none that a project put in its place."""
    definition = _definition(item, name)
    return definition is not None and definition.func.__module__ == f"{__package__}.fixtures"


def parameters(item: pytest.Item) -> Mapping[str, Any]:
    """The values of a test's parameters, those of its fixtures included."""
    found: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return found


def _definition(item: pytest.Item, name: str) -> Any:
    """The definition of a fixture that holds for a test, where pytest tells."""
    if name not in getattr(item, "fixturenames", ()):
        return None
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return next(iter(definitions.get(name, ())[-1:]), None)
