"""The tests that the gate judges: ``[gate] select`` in ``wisebot.toml``, in pytest's own selection expressions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .options import asks_for_report
from .session_state import state_of

if TYPE_CHECKING:
    from ..gate_config import Gate


def in_gate(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """A function that decides whether the gate judges a test: without ``select`` and ``paths`` it judges all.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    selected, paths = _selects(config), stated_paths(config)
    return lambda item: _is_inside(item, paths) and selected(item)


def _selects(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    state = state_of(config)
    if state.in_selection is None:
        state.in_selection = _matcher(_expressions(config))
    return state.in_selection


def deselect_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that ``[gate] select`` leaves out, as an option would. Tests outside ``paths`` stay.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    belongs = _selects(config)
    rest = [item for item in items if not belongs(item)]
    if rest:
        items[:] = [item for item in items if belongs(item)]
        config.hook.pytest_deselected(items=rest)


def stated_paths(config: pytest.Config) -> list[Path]:
    """The folders and files of ``[gate] paths``."""
    gate, folder = _gate(config)
    paths = gate.paths if gate is not None else ()
    return [Path(os.path.abspath(folder / path)) for path in paths]  # noqa: PTH100 - symbolic links stay, as in pytest


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


def _expressions(config: pytest.Config) -> dict[str, str]:
    gate, _ = _gate(config)
    if gate is None or gate.select is None:
        return {}
    from ..gate_config import selected

    return selected(gate.select)


def _is_inside(item: pytest.Item, paths: list[Path]) -> bool:
    return not paths or any(path == item.path or path in item.path.parents for path in paths)


def _matcher(expressions: dict[str, str]) -> Callable[[pytest.Item], bool]:
    if not expressions:
        return lambda _: True
    from _pytest.mark import KeywordMatcher, MarkMatcher

    by_mark = _compiled("-m", expressions.get("m"))
    by_keyword = _compiled("-k", expressions.get("k"))

    def belongs(item: pytest.Item) -> bool:
        marked = by_mark is None or by_mark(MarkMatcher.from_markers(item.iter_markers()))
        return marked and (by_keyword is None or by_keyword(KeywordMatcher.from_item(item)))

    return belongs


def _compiled(option: str, expression: str | None) -> Callable[..., bool] | None:
    if expression is None:
        return None
    from _pytest.mark.expression import Expression

    try:
        return Expression.compile(expression).evaluate
    except Exception as error:  # noqa: BLE001 - its class is pytest's own, and another one in each version
        raise pytest.UsageError(f"[gate] select: {option} {expression}: {error}") from None
