"""How long declared runs took in the last session, kept in pytest's cache: an order, and no more, is lost with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

Durations = Mapping[str, tuple[str, float]]
"""By a test's tag: its workflow, and the seconds that its run took."""

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
        cache.set(_WHERE, {tag: list(one) for tag, one in {**read(config), **durations}.items()})
