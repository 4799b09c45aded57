"""The policy of a test's trials: how many must pass, when a verdict is certain, and what the trials can show.

What they show is put in words here too: a table, the interval of the pass rate, and what a policy cannot show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest

from ..errors import ConfigurationError
from ..report.chance import Z, interval
from ..runs import WorkflowRun
from ..text import column, escape, truncate, without_colours
from .markers import declared
from .report_facts import TrialCount

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


SECTION = "wisebot trials"

MOST_ROWS = 50
"""Trials that the table shows, those that did not pass first; ``-vv`` shows all."""

LONGEST_WHY = 120
"""Characters of the reason that a row shows."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial, as the table shows it."""

    number: int
    word: str
    why: str
    runs: tuple[str, ...]
    seconds: float

    @classmethod
    def of(cls, number: int, word: str, why: str, runs: Sequence[WorkflowRun]) -> TrialRow:
        """The row of a trial, with those of its runs that have ended."""
        ids = tuple(column(run.run_id) if run.run_id else "no runId" for run in runs)
        return cls(number, word, why, ids, sum(run.elapsed for run in runs))


def table(count: TrialCount, rows: Sequence[TrialRow], shown: int | None, *, whole: bool) -> Iterator[str]:
    """The table of a test's trials, line by line.

    Args:
        count: the numbers.
        rows: the trials, in order.
        shown: the number of the trial whose output is shown; None where it is the only candidate.
        whole: show all rows.
    """
    judged = count.passes + count.failures
    yield f"{count}; {count.min_passes} of {count.trials} must pass"
    if judged:
        low, high = interval(count.passes, judged)
        yield f"pass rate {_percent(count.passes / judged)}, 95% interval {_percent(low)} to {_percent(high)} (Wilson)"
    if count.doubt:
        yield f"warning: {count.doubt}"
    listed = rows if whole or len(rows) <= MOST_ROWS else _most_telling(rows)
    cells = [(str(row.number), row.word, _runs(row), f"{row.seconds:.2f} s") for row in listed]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, (number, word, runs, seconds) in zip(listed, cells, strict=True):
        line = f"{number:>{widths[0]}}  {word:<{widths[1]}}  {seconds:>{widths[3]}}  {runs:<{widths[2]}}  {row.why}"
        yield f"  {line.rstrip()}"
    if len(listed) < len(rows):
        yield f"  and {len(rows) - len(listed)} more trials, shown by -vv"
    if shown is not None:
        yield f"the failure that is shown is that of trial {shown}"


def _most_telling(rows: Sequence[TrialRow]) -> list[TrialRow]:
    first = sorted(rows, key=lambda row: (row.word == "passed", row.number))[:MOST_ROWS]
    return sorted(first, key=lambda row: row.number)


def _runs(row: TrialRow) -> str:
    if len(row.runs) <= 1:
        return row.runs[0] if row.runs else "no run"
    return f"{row.runs[0]} and {len(row.runs) - 1} more"


def add_to(report: pytest.TestReport, text: str, count: TrialCount, trial: int) -> None:
    """Adds the table to the failure itself, so that JUnit XML has it, too, and the numbers to its short line."""
    longrepr: Any = report.longrepr
    crash = getattr(longrepr, "reprcrash", None)
    if not hasattr(longrepr, "addsection"):
        report.longrepr = f"{longrepr}\n\n{text}"
        return
    longrepr.addsection(SECTION, text)
    if crash is not None and count.met is False:
        crash.message = f"{count}, {count.min_passes} must; trial {trial}: {crash.message}"


def doubt_about(policy: TrialPolicy) -> str:
    """Why a policy is more than its trials can show; empty where they can."""
    if policy.can_be_shown:
        return ""
    return (
        f"{_percent(policy.rate)} is demanded, and {policy.trials} passes in {policy.trials} trials "
        f"show no more than {_percent(shown_at_best(policy.trials))} (95% confidence); "
        f"it takes {trials_to_show(policy.rate)} trials"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def first_line(report: pytest.TestReport) -> str:
    """The first line of a failure's message."""
    longrepr: Any = report.longrepr
    crash = getattr(longrepr, "reprcrash", None)
    text = crash.message if crash is not None else longrepr[2] if isinstance(longrepr, tuple) else str(longrepr or "")
    line = escape(next((line.strip() for line in without_colours(text).splitlines() if line.strip()), ""))
    return truncate(line, LONGEST_WHY)
