"""What a test's arguments are, as far as pytest tells before it makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

import pytest

UNKNOWN: Final[Any] = object()
"""What only a fixture will know."""


def inputs_of(item: pytest.Item) -> Any:
    """The input bag that the parameter ``inputs`` gives; None without one; `UNKNOWN` where a fixture makes it.

    `UNKNOWN`, too, where another plugin puts a value in its place when the test runs, as pytest-lazy-fixtures does.
    """
    name = inputs_name(item)
    if name is None:
        return None
    bag = parameters(item).get(name, UNKNOWN) if is_parameter(item, name) else UNKNOWN
    return bag if bag is UNKNOWN or is_plain(bag) else UNKNOWN


def made_inputs(request: pytest.FixtureRequest) -> Any:
    """The input bag as fixtures and other plugins make it.

    pytest-cases resolves its ``lazy_value`` only when all fixtures of a test are there, which is too late for a run.
    """
    bag = request.getfixturevalue(inputs_name(request.node) or "inputs")
    return bag.get(request.node) if type(bag).__module__.startswith("pytest_cases.") else bag


def inputs_name(item: pytest.Item) -> str | None:
    """The fixture or parameter that gives a test its ``inputs``; None without one.

    With a ``fixture_ref`` pytest-cases puts a fixture in the place of the parameter, and names it after the test.
    """
    if "inputs" in fixture_names(item):
        return "inputs"
    by_cases = f"{getattr(item, 'originalname', item.name)}_inputs"
    definition = _definition(item, by_cases)
    return by_cases if definition is not None and definition.func.__module__.startswith("pytest_cases.") else None


def fixture_names(item: pytest.Item) -> Any:
    """The fixtures that a test uses, those included that it has asked for by ``request.getfixturevalue`` so far."""
    return getattr(getattr(item, "_request", item), "fixturenames", ())


def is_plain(value: object) -> bool:
    """Whether a value is JSON as far as its types tell, and holds nothing that another plugin may resolve."""
    todo, seen = [value], set()
    for one in todo:  # which grows as it is read
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            todo += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            todo += one
        elif not isinstance(one, str | int | float | Enum | None):
            return False
    return True


def parameter_names(item: pytest.Item) -> Iterator[str]:
    """The names that a test itself is parametrised by, and not those of fixtures with ``params``."""
    by_marks = [name for mark in item.iter_markers("parametrize") for name in names_in(mark)]
    by_hooks = [name for name in parameters(item) if is_parameter(item, name)]
    yield from dict.fromkeys([*by_marks, *by_hooks])


def names_in(mark: pytest.Mark) -> list[str]:
    """The names that a ``parametrize`` mark gives values."""
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in (names.split(",") if isinstance(names, str) else names)]


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
