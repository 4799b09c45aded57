"""The policy of a test's trials: how many must pass, when a verdict is certain, and what the trials can show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import pytest

from ..errors import ConfigurationError
from ..report.chance import Z, interval
from .markers import declared

NO_SUBTESTS: Final = (
    "subtests are reported one by one, as they end, and those of a single trial are no verdict: "
    "use parameters, or plain assertions"
)

REPEATED: Final = (
    "something, such as a plugin that retries failed tests, repeats the call, and the pass rate would be that of the "
    "repeats: use one of the two"
)


@dataclass(frozen=True, slots=True)
class TrialPolicy:
    """A number of trials, of which another number must pass.

    Attributes:
        trials: how many trials there are at most.
        min_passes: how many of them must pass.
        rate: the pass rate that the test names, where `scaled` had to round it up; else it is that of the two numbers.
    """

    trials: int
    min_passes: int
    rate: float = 0.0

    def __post_init__(self) -> None:
        if not self.rate:
            object.__setattr__(self, "rate", self.min_passes / self.trials)

    def __str__(self) -> str:
        return f"{self.min_passes} of {self.trials}"

    def scaled(self, trials: int) -> TrialPolicy:
        """The same rate of another number of trials; passes are whole, and rounded up."""
        return TrialPolicy(trials, -(-trials * self.min_passes // self.trials), self.rate)

    def verdict(self, passes: int, failures: int) -> bool | None:
        """Whether the policy is met; None as long as further trials can still decide either way."""
        if passes >= self.min_passes:
            return True
        return False if failures > self.trials - self.min_passes else None

    def may_be_open(self, passes: int, cap: int) -> int:
        """How many trials may be sent and not judged yet: one that cannot count any more is not paid for.

        Args:
            passes: how many have passed so far.
            cap: how many runs may be in flight at once.
        """
        return max(0, min(cap, self.min_passes - passes))

    @property
    def can_be_shown(self) -> bool:
        """Whether passing in every trial would show, with 95 % confidence, that the rate is as high as the policy's.

        A rate of 1 always counts as shown: no number of trials shows that a workflow never fails.
        """
        return self.rate >= 1 or shown_at_best(self.trials) >= self.rate


def shown_at_best(trials: int) -> float:
    """The lowest rate that is compatible with passing in every trial."""
    return interval(trials, trials)[0]


def trials_to_show(rate: float) -> int:
    """How many trials it takes, all of them passed, to show a rate below 1."""
    enough = max(1, math.floor(Z * Z * rate / (1 - rate)))
    while shown_at_best(enough) < rate:
        enough += 1
    return enough


def policy_of(item: pytest.Item) -> TrialPolicy | None:
    """How many of how many trials of a test must pass; None for a test that runs once.

    Raises:
        ConfigurationError: the test's marker is wrong, or something about the test does not go together with trials.
    """
    __tracebackhide__ = True
    declaration = declared(item)
    if declaration.trials is None:
        return None
    policy = TrialPolicy(declaration.trials, declaration.min_passes or declaration.trials)
    other: int | None = item.config.option.wisebot_trials
    policy = policy.scaled(other) if other is not None else policy
    if policy.trials == 1:
        return None
    if (problem := _problem(item)) is not None:
        raise ConfigurationError(f"{item.nodeid}: trials={policy.trials}: {problem}")
    return policy


def _problem(item: pytest.Item) -> str | None:
    plugin: Any = item.config.pluginmanager.get_plugin("rerunfailures")
    if plugin is not None and hasattr(plugin, "get_reruns_count") and plugin.get_reruns_count(item):
        return (
            "pytest-rerunfailures runs this test again when it fails (--reruns, or the mark flaky), and the pass rate "
            "would be that of the reruns: use one of the two"
        )
    return NO_SUBTESTS if "subtests" in getattr(item, "fixturenames", ()) else None
