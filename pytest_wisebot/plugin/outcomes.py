"""What this plugin writes on a test's report, for the process that shows it: under xdist that is not the test's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pytest

NOT_RUN = "not run"
"""The category of tests whose run was stopped before it was sent: failed, and yet no verdict."""

FLAKY = "flaky"
"""The category of tests that passed although some of their trials failed."""

_NOTES = "wisebot_notes"
_OUTCOME = "wisebot_outcome"
_REASON = "wisebot_reason"
_TRIALS = "wisebot_trials"


@dataclass(frozen=True, slots=True)
class Count:
    """What became of a test's trials.

    Attributes:
        trials: how many there were to be at most.
        min_passes: how many of them had to pass.
        passes: how many did.
        failures: how many did not.
        met: whether the demand was met; None where the trials ended without a verdict.
        ended: how the trial ended that ended them all: "no verdict", "error" or "skipped"; else empty.
        why: of the first trial that failed, what it says.
        doubt: why the demand is more than its trials can show; empty where they can.
    """

    trials: int
    min_passes: int
    passes: int
    failures: int
    met: bool | None
    ended: str = ""
    why: str = ""
    doubt: str = ""

    @property
    def word(self) -> str:
        """What the test is, as far as its trials say."""
        if self.met is None:
            return self.ended
        return (FLAKY if self.failures else "passed") if self.met else "failed"

    def __str__(self) -> str:
        judged = self.passes + self.failures
        rest = self.trials - judged
        if self.met is None:
            before = f" (passed {self.passes}/{judged} before)" if judged else ""
            return f"{self.ended} in trial {judged + 1}{before}"
        not_needed = f" ({rest} not needed)" if rest else ""
        return f"passed {self.passes}/{judged}{not_needed}"


def call_not_run(report: pytest.TestReport, reason: str) -> None:
    """Says of a failed test that its run never was, and why."""
    setattr(report, _OUTCOME, NOT_RUN)
    setattr(report, _REASON, reason)


def not_run_by_reason(terminalreporter: Any) -> dict[str, list[str]]:
    """The tests of the session whose runs never were, by the reason."""
    found: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get(NOT_RUN, ()):
        found.setdefault(getattr(report, _REASON, ""), []).append(report.nodeid)
    return found


def count_trials(report: pytest.TestReport, count: Count) -> None:
    """Says of a test what became of its trials."""
    setattr(report, _TRIALS, asdict(count))


def trials_of(terminalreporter: Any) -> Iterator[tuple[str, Count]]:
    """The tests of the session that had trials, and what became of these."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if (count := _count_on(report)) is not None:
                yield report.nodeid, count


def add_note(report: pytest.TestReport, note: str) -> None:
    """Adds a line to the end of the session."""
    set_notes(report, [*notes_on(report), note])


def notes_on(report: pytest.TestReport) -> list[str]:
    """The lines that a report adds to the end of the session."""
    return list(getattr(report, _NOTES, ()))


def set_notes(report: pytest.TestReport, notes: Iterable[str]) -> None:
    """Has a report add these lines, and no others."""
    setattr(report, _NOTES, list(notes))


def notes_of(terminalreporter: Any) -> Iterator[str]:
    """The lines that were added to the session's reports."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            yield from notes_on(report)


def shown(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Category, letter and word of a report that this plugin has its own for."""
    # Failed still: a plugin that runs the test again makes another outcome of it.
    if report.failed and getattr(report, _OUTCOME, None) == NOT_RUN:
        return NOT_RUN, "n", ("NOT RUN", {"yellow": True})
    count = _count_on(report)
    if count is None or not count.met or not report.passed or report.when != "call" or hasattr(report, "wasxfail"):
        return None
    if count.failures:
        return FLAKY, "~", (f"FLAKY {count}", {"yellow": True})
    return "passed", ".", (str(count).replace("passed", "PASSED", 1), {"green": True})


def _count_on(report: Any) -> Count | None:
    found = getattr(report, _TRIALS, None)
    return Count(**found) if found is not None else None
