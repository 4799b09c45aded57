"""What is made of a test's runs once it has ended: which limits were missed, and by whose fault."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_wisebot import Api, WorkflowRun
from pytest_wisebot.plugin.item_report import is_too_slow, is_within_lag
from pytest_wisebot.plugin.run_tracker import RequestedRun


def asked(elapsed: float, lag: float, max_seconds: float | None = 1.0, source: Any = "live") -> RequestedRun:
    """A run that took so long, in an engine that was so late."""
    run = WorkflowRun(ok=True, workflow="a", api=Api.WEBHOOK, elapsed=elapsed, source=source)
    pending: Any = SimpleNamespace(outcome=run, lag=lag)
    return RequestedRun(pending, max_seconds)


@pytest.mark.parametrize(
    ("elapsed", "lag", "within"),
    [(1.25, 0.5, True), (1.25, 0.125, False), (1.25, 0.25, False), (1.25, 0.0, False), (9.0, 8.5, True)],
)
def test_a_limit_that_was_missed_by_less_than_the_engine_was_late_is_not_judged(
    elapsed: float, lag: float, within: bool
) -> None:
    """By as much or more, the run itself was too slow."""
    assert is_too_slow(asked(elapsed, lag))
    assert is_within_lag(asked(elapsed, lag)) is within


@pytest.mark.parametrize(
    "one", [asked(1.0, 0.0), asked(0.5, 9.0), asked(9.0, 0.0, None), asked(9.0, 0.0, source="recording")]
)
def test_what_kept_its_limit_or_has_none_is_not_too_slow(one: RequestedRun) -> None:
    """A run that was made earlier has no limit: it is not a measurement of how long runs take now."""
    assert not is_too_slow(one)
