"""The tests that the gate is about: ``[gate] select`` in ``wisebot.toml``, in pytest's own language of selection."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from .options import asks_for_report

_KEY = pytest.StashKey[Callable[[pytest.Item], bool]]()


def in_gate(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """Says of a test whether the gate is about it: without a selection it is about all.

    Raises:
        pytest.UsageError: the selection is none.
    """
    known = config.stash.get(_KEY, None)
    if known is None:
        known = config.stash[_KEY] = _matcher(_expressions(config))
    return known


def keep_to_gate(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that the gate is not about, as an option would.

    Raises:
        pytest.UsageError: the selection is none.
    """
    belongs = in_gate(config)
    rest = [item for item in items if not belongs(item)]
    if rest:
        items[:] = [item for item in items if belongs(item)]
        config.hook.pytest_deselected(items=rest)


def _expressions(config: pytest.Config) -> dict[str, str]:
    """From the file: a worker of xdist collects before its controller has told it the settings."""
    if not asks_for_report(config):
        return {}
    from ..errors import ConfigurationError
    from ..limits import selected
    from .owner import resolved

    try:
        select = resolved(config, os.environ).gate.select
    except ConfigurationError:  # whoever asks for the settings will be told
        return {}
    return selected(select) if select is not None else {}


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
