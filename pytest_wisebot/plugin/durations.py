"""How long declared runs took in the last session, kept in pytest's cache: an order, and no more, is lost with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

Durations = Mapping[str, tuple[str, float]]
"""By a test's tag: its workflow, and the seconds that its run took."""

MOST_KEPT = 20_000
"""Tests whose durations are kept; those that have not run for longest go first."""

_WHERE = "wisebot/durations"


def read(config: pytest.Config) -> Durations:
    """What is known; nothing without a cache, or when something else wrote there."""
    cache = getattr(config, "cache", None)
    found: Any = cache.get(_WHERE, {}) if cache is not None else {}
    try:
        return {str(tag): (str(workflow), float(seconds)) for tag, (workflow, seconds) in found.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def write(config: pytest.Config, durations: Durations) -> None:
    """Keeps these; what tests that did not run took before stays."""
    cache = getattr(config, "cache", None)
    if cache is not None and durations:
        before = {tag: one for tag, one in read(config).items() if tag not in durations}
        newest_last = [*before.items(), *durations.items()]
        cache.set(_WHERE, {tag: list(one) for tag, one in newest_last[-MOST_KEPT:]})
