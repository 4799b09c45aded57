"""What this plugin writes on a test's report, for the process that shows it: under xdist that is not the test's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ..outcomes import DRIFT, FAILED, FLAKY, INFRASTRUCTURE, NOT_RUN, PASSED, TABLE

if TYPE_CHECKING:
    from .run_tracker import RequestedRun

OWN = (INFRASTRUCTURE, NOT_RUN, DRIFT)
"""The categories of failed reports that are this plugin's own."""

_STOPS_ALL = frozenset({"BudgetExhausted", "Cancelled", "CircuitOpen", "NotRun"})
"""The classes of errors that stop many runs at once; others that are "not run" are about their own test."""

_CLASS = "wisebot_class"
_RUNS = "wisebot_runs"
_UNLIMITED = "wisebot_unlimited"
_NOTES = "wisebot_notes"
_OUTCOME = "wisebot_outcome"
_REASON = "wisebot_reason"
_TRIALS = "wisebot_trials"
_UNUSED_MARK = "wisebot_unused_mark"


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
        drifted: how many of the trials had a run that is not what was recorded.
    """

    trials: int
    min_passes: int
    passes: int
    failures: int
    met: bool | None
    ended: str = ""
    why: str = ""
    doubt: str = ""
    drifted: int = 0

    @property
    def word(self) -> str:
        """What the test is, as far as its trials say."""
        if self.met is None:
            return self.ended
        if self.met and self.drifted:
            return DRIFT
        return (FLAKY if self.failures else PASSED) if self.met else FAILED

    def __str__(self) -> str:
        judged = self.passes + self.failures
        rest = self.trials - judged
        if self.met is None:
            before = f" (passed {self.passes}/{judged} before)" if judged else ""
            return f"{self.ended} in trial {judged + 1}{before}"
        not_needed = f" ({rest} not needed)" if rest else ""
        return f"passed {self.passes}/{judged}{not_needed}"


def call(report: pytest.TestReport, outcome: str, reason: str = "") -> None:
    """Gives a failed report one of the categories that are this plugin's own.

    Args:
        report: the report.
        outcome: the category.
        reason: why, in words that other tests may have in common.
    """
    setattr(report, _OUTCOME, outcome)
    setattr(report, _REASON, reason)


def reason_of(report: pytest.TestReport) -> str:
    """Why a report has its category."""
    reason: str = getattr(report, _REASON, "")
    return reason


def has_drifted(report: pytest.TestReport) -> bool:
    """Whether nothing but drift failed a test."""
    return report.failed and getattr(report, _OUTCOME, None) == DRIFT


def name_error(report: pytest.TestReport, name: str) -> None:
    """Says of a failed test with which of our errors it ended."""
    setattr(report, _CLASS, name)


def error_of(report: pytest.TestReport) -> str | None:
    """The class of our error that a test ended with; None where it was another."""
    name: str | None = getattr(report, _CLASS, None)
    return name


def category_of(report: pytest.TestReport) -> str:
    """The category of this plugin's own that a failed report has; empty where it has none."""
    own: str = getattr(report, _OUTCOME, "")
    return own


def references(asked: Iterable[RequestedRun]) -> list[str]:
    """The names that the session's event log has for runs which have ended."""
    return [ended.reference for one in asked if (ended := one.pending.ended)]


def name_runs(report: pytest.TestReport, references: list[str]) -> None:
    """Says which runs a test used, by their names in the session's event log."""
    setattr(report, _RUNS, references)


def runs_of(report: pytest.TestReport) -> list[str]:
    """The runs that a test used."""
    references: list[str] = getattr(report, _RUNS, [])
    return references


def leave_unlimited(report: pytest.TestReport) -> None:
    """Says of a test that its ``max_seconds`` was not judged, because its run was made earlier."""
    setattr(report, _UNLIMITED, True)


def is_unlimited(report: object) -> bool:
    """Whether the ``max_seconds`` of a test was not judged."""
    return hasattr(report, _UNLIMITED)


def unlimited(terminalreporter: Any) -> int:
    """The tests of the session whose ``max_seconds`` was not judged."""
    return sum(is_unlimited(report) for reports in terminalreporter.stats.values() for report in reports)


def leave_mark_unused(report: pytest.TestReport) -> None:
    """Says of a test under a wisebot mark that it passed without a run."""
    setattr(report, _UNUSED_MARK, True)


def has_unused_mark(report: object) -> bool:
    """Whether a test under a wisebot mark passed without a run."""
    return hasattr(report, _UNUSED_MARK)


def unused_marks(terminalreporter: Any) -> list[str]:
    """The tests of the session under a wisebot mark that passed without a run."""
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    return list(dict.fromkeys(report.nodeid for report in reports if has_unused_mark(report)))


def drifted(terminalreporter: Any) -> list[pytest.TestReport]:
    """The reports of the tests that nothing but drift failed."""
    return list(terminalreporter.stats.get(DRIFT, ()))


def is_told_at_end(report: pytest.TestReport) -> bool:
    """Whether the end of the session says of all such tests at once what stopped them."""
    return getattr(report, _OUTCOME, None) == NOT_RUN and error_of(report) in _STOPS_ALL


def answered_for(terminalreporter: Any) -> set[str]:
    """The runs of the tests that failed, in whatever way."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    failed = [report for report in reports if getattr(report, "outcome", None) in ("failed", "rerun")]
    return {reference for report in failed for reference in runs_of(report)}


def users_of(terminalreporter: Any) -> dict[str, list[str]]:
    """The tests of the session that used each run, by the runs' references."""
    found: dict[str, list[str]] = {}
    for report in [report for reports in terminalreporter.stats.values() for report in reports]:
        for reference in runs_of(report):
            if report.nodeid not in found.setdefault(reference, []):
                found[reference].append(report.nodeid)
    return found


def not_run_by_reason(terminalreporter: Any) -> dict[str, list[str]]:
    """The tests of the session whose runs were stopped like others, by the reason."""
    found: dict[str, list[str]] = {}
    for report in filter(is_told_at_end, terminalreporter.stats.get(NOT_RUN, ())):
        found.setdefault(reason_of(report), []).append(report.nodeid)
    return found


def count_trials(report: pytest.TestReport, count: Count) -> None:
    """Says of a test what became of its trials."""
    setattr(report, _TRIALS, asdict(count))


def count_on(report: Any) -> Count | None:
    """What became of a test's trials, if this report says so."""
    found = getattr(report, _TRIALS, None)
    return Count(**found) if found is not None else None


def trials_of(terminalreporter: Any) -> Iterator[tuple[str, Count]]:
    """The tests of the session that had trials, and what became of these."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if (count := count_on(report)) is not None:
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
    own: str | None = getattr(report, _OUTCOME, None)
    if report.failed and own in OWN:  # failed still: a plugin that runs the test again makes another outcome of it
        return own, TABLE[own].letter, (own.upper(), {TABLE[own].colour: True})
    count = count_on(report)
    if count is None or not count.met or not report.passed or report.when != "call" or hasattr(report, "wasxfail"):
        return None
    if count.failures:
        return FLAKY, TABLE[FLAKY].letter, (f"FLAKY {count}", {TABLE[FLAKY].colour: True})
    passed = TABLE[PASSED]
    return PASSED, passed.letter, (str(count).replace("passed", "PASSED", 1), {passed.colour: True})
