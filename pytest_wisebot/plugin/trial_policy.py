"""What a test demands of its trials, and which tests cannot have any."""

from __future__ import annotations

from typing import Any

import pytest

from ..errors import ConfigurationError
from .markers import declared
from .passrate import TrialPolicy


def demanded(item: pytest.Item) -> TrialPolicy | None:
    """How many of how many trials of a test must pass; None for a test that simply runs once.

    Raises:
        ConfigurationError: its marker is wrong, or trials and something else about it do not go together.
    """
    __tracebackhide__ = True
    declaration = declared(item)
    if declaration.trials is None:
        return None
    demand = TrialPolicy(declaration.trials, declaration.min_passes or declaration.trials)
    instead: int | None = item.config.option.wisebot_trials
    demand = demand.scaled(instead) if instead is not None else demand
    if demand.trials == 1:
        return None
    if (problem := _problem(item)) is not None:
        raise ConfigurationError(f"{item.nodeid}: trials={demand.trials}: {problem}")
    return demand


def _problem(item: pytest.Item) -> str | None:
    if _reruns(item):
        return (
            "pytest-rerunfailures runs this test again when it fails (--reruns, or the mark flaky), and the pass rate "
            "would be that of the reruns: use one of the two"
        )
    if "subtests" in getattr(item, "fixturenames", ()):
        return NO_SUBTESTS
    return None


NO_SUBTESTS = (
    "subtests are reported one by one, as they end, and those of a single trial are no verdict: "
    "use parameters, or plain assertions"
)


REPEATED = (
    "something, such as a plugin that retries failed tests, repeats the call, and the pass rate would be that of the "
    "repeats: use one of the two"
)


def _reruns(item: pytest.Item) -> int:
    """How often pytest-rerunfailures would run a test again."""
    plugin: Any = item.config.pluginmanager.get_plugin("rerunfailures")
    count = getattr(plugin, "get_reruns_count", None)
    return (count(item) or 0) if count is not None else 0
