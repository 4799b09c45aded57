"""What this plugin writes on a test's report. Under xdist another process than the test's reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest

from ..outcomes import DRIFT, FAILED, FLAKY, INFRASTRUCTURE, NOT_RUN, PASSED, TABLE

OWN_CATEGORIES = (INFRASTRUCTURE, NOT_RUN, DRIFT)
"""The categories of failed reports that are this plugin's own."""

_STOPS_ALL = frozenset({"BudgetExhausted", "Cancelled", "CircuitOpen", "NotRun"})
"""The classes of errors that stop many runs at once; others that are "not run" concern their own test."""

_ATTRIBUTE = "wisebot_facts"


@dataclass(frozen=True, slots=True)
class TrialCount:
    """The results of a test's trials.

    Attributes:
        trials: the most trials that there may be.
        min_passes: how many of them must pass.
        passes: how many passed.
        failures: how many failed.
        met: whether the policy was met; None where the trials ended without a verdict.
        ended: how the trial ended that ended them all: "no verdict", "error" or "skipped"; else empty.
        why: the message of the first trial that failed.
        doubt: why the policy is more than its trials can show; empty where they can.
        drifted: how many of the trials had a run that differs from its recording.
        each: of each trial its outcome, and why it did not pass, if it did not.
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
    each: list[dict[str, str]] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The test's outcome, as far as its trials decide it."""
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


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What this plugin adds to a report.

    Attributes:
        item: the number of the test in its process; None on a report that was made for a process that has died.
        nodeid: the test's own id, where another plugin has given the report another one; else empty.
        category: the category of a failure that is this plugin's own; else empty.
        reason: why, in words that tests have in common.
        error: the class of this package's error that failed the test; else empty.
        runs: the runs that the test used, by their names in the event log.
        compared: how these runs compare with those of a second environment (see `against.Compared`).
        notes: lines for the end of the session.
        unlimited: ``max_seconds`` was not judged, because the run was made earlier.
        snapshot: a comparison with a snapshot has failed it.
        unused_mark: the test passed under a wisebot mark without a run.
        trials: the results of the test's trials.
        broke: the test itself has an error: an exception that is not a judgement, or one in the teardown of a trial.
        quarantine: owner, last day and reason of the test's quarantine; empty without one.
        unreported: the outcomes of earlier calls that no report has.
        written: what a worker has written since its last report.
    """

    item: int | None = None
    nodeid: str = ""
    category: str = ""
    reason: str = ""
    error: str = ""
    runs: list[str] = field(default_factory=list)
    compared: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unlimited: bool = False
    snapshot: bool = False
    unused_mark: bool = False
    trials: TrialCount | None = None
    broke: bool = False
    quarantine: dict[str, str] = field(default_factory=dict)
    unreported: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    @property
    def is_told_at_end(self) -> bool:
        """Whether the end of the session names the reason once, for all tests that it stopped."""
        return self.category == NOT_RUN and self.error in _STOPS_ALL


_NONE = ReportFacts()

_last_read: tuple[object, ReportFacts] = (None, _NONE)
"""What was read last: a report is read many times, and `add_facts` makes another dict."""


def facts_of(report: object) -> ReportFacts:
    """What was added to a report."""
    found = getattr(report, _ATTRIBUTE, None)
    if found is None:
        return _NONE
    global _last_read
    if (last := _last_read)[0] is not found:
        facts = ReportFacts(**found)
        last = found, facts if facts.trials is None else replace(facts, trials=TrialCount(**found["trials"]))
        _last_read = last
    return last[1]


def add_facts(report: pytest.TestReport, **facts: Any) -> None:
    """Adds to a report: fields of `ReportFacts`, of which a later value replaces an earlier one."""
    if isinstance(facts.get("trials"), TrialCount):
        facts["trials"] = asdict(facts["trials"])
    setattr(report, _ATTRIBUTE, {**getattr(report, _ATTRIBUTE, {}), **facts})  # a dict goes through xdist's channel


def add_note(report: pytest.TestReport, note: str) -> None:
    """Adds a line to the end of the session."""
    add_facts(report, notes=[*facts_of(report).notes, note])


def has_drifted(report: pytest.TestReport) -> bool:
    """Whether nothing but drift failed a test."""
    return report.failed and facts_of(report).category == DRIFT


def reports_with_facts(terminalreporter: Any) -> Iterator[tuple[Any, ReportFacts]]:
    """The reports of the session to which this plugin has added something."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, _ATTRIBUTE):
                yield report, facts_of(report)


def status_of(report: pytest.TestReport, began: float) -> _Status | None:
    """Category, letter and word of a report for which this plugin has its own.

    Args:
        report: the report.
        began: when the session began, by which a quarantine is in force or not.
    """
    facts, own = facts_of(report), _own_status(report)
    if not facts.quarantine or report.when != "call" or hasattr(report, "context") or hasattr(report, "wasxfail"):
        return own
    from ..quarantine import from_dict

    if not from_dict(facts.quarantine, began).in_force:
        return own
    if report.passed:
        category, letter, (word, colours) = own or _PASSED
        return category, letter, (f"{word} (quarantined)", colours)
    if report.failed and facts.category in ("", DRIFT):
        category, _, (word, _) = own or _FAILED
        return category, "q", (f"{word} (quarantined)", {"yellow": True})
    return own


_Status = tuple[str, str, tuple[str, dict[str, bool]]]

_PASSED: _Status = (PASSED, ".", ("PASSED", {"green": True}))
_FAILED: _Status = (FAILED, "F", ("FAILED", {"red": True}))


def _own_status(report: pytest.TestReport) -> _Status | None:
    facts = facts_of(report)
    own = facts.category
    if report.failed and own in OWN_CATEGORIES:  # failed still: a plugin that repeats the test changes the outcome
        return own, TABLE[own].letter, (own.upper(), {TABLE[own].colour: True})
    count = facts.trials
    if count is None or not count.met or not report.passed or report.when != "call" or hasattr(report, "wasxfail"):
        return None
    if count.failures:
        return FLAKY, TABLE[FLAKY].letter, (f"FLAKY {count}", {TABLE[FLAKY].colour: True})
    passed = TABLE[PASSED]
    return PASSED, passed.letter, (str(count).replace("passed", "PASSED", 1), {passed.colour: True})
