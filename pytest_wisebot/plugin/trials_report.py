"""The trials of a test in words: a table, the interval of the pass rate, and what a policy cannot show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ..report.chance import interval
from ..runs import WorkflowRun
from ..text import column, escape, truncate, without_colours
from .report_facts import TrialCount
from .trial_policy import TrialPolicy, shown_at_best, trials_to_show

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
