"""The tests that the gate judges: ``[gate] select`` in ``wisebot.toml``, in pytest's own selection expressions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..originals import os
from .markers import name_workflows
from .options import asks_for_report
from .session_state import state_of

if TYPE_CHECKING:
    from ..gate_config import Gate


def in_gate(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """A function that decides whether the gate judges a test: without ``select`` and ``paths`` it judges all.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    selects, paths = in_select(config), stated_paths(config)

    def is_inside(item: pytest.Item) -> bool:
        return not paths or any(path == item.path or path in item.path.parents for path in paths)

    return lambda item: is_inside(item) and selects(item)


def deselect_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that ``[gate] select`` leaves out, as an option would. Tests outside ``paths`` stay.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    selects = in_select(config)
    rest = [item for item in items if not selects(item)]
    if rest:
        items[:] = [item for item in items if selects(item)]
        config.hook.pytest_deselected(items=rest)


def stated_paths(config: pytest.Config) -> list[Path]:
    """The folders and files of ``[gate] paths``."""
    gate, folder = _gate(config)
    paths = gate.paths if gate is not None else ()
    return [Path(os.path.abspath(folder / path)) for path in paths]


def _gate(config: pytest.Config) -> tuple[Gate | None, Path]:
    """From the file: a worker of xdist collects before it has the controller's settings."""
    if not asks_for_report(config):
        return None, config.rootpath
    from ..errors import ConfigurationError
    from .settings_source import resolved

    try:
        settings = resolved(config)
    except ConfigurationError:  # every session that runs tests reports it, at the header
        return None, config.rootpath
    return settings.gate, settings.file.parent if settings.file is not None else config.rootpath


def in_select(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """A function that decides by ``[gate] select`` alone; compiled once in a session.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    state = state_of(config)
    if state.in_selection is None:
        gate, _ = _gate(config)
        state.in_selection = _compiled(gate.select) if gate is not None and gate.select is not None else lambda _: True
    return state.in_selection


def _compiled(select: str) -> Callable[[pytest.Item], bool]:
    from _pytest.mark import KeywordMatcher, MarkMatcher
    from _pytest.mark.expression import Expression

    from ..gate_config import selected

    compiled: dict[str, Callable[..., bool]] = {}
    for option, expression in selected(select).items():
        try:
            compiled[option] = Expression.compile(expression).evaluate
        except Exception as error:  # noqa: BLE001 - its class is pytest's own, and another one in each version
            raise pytest.UsageError(f"[gate] select: -{option} {expression}: {error}") from None

    def selects(item: pytest.Item) -> bool:
        name_workflows([item])
        marked = "m" not in compiled or compiled["m"](MarkMatcher.from_markers(item.iter_markers()))
        return marked and ("k" not in compiled or compiled["k"](KeywordMatcher.from_item(item)))

    return selects
