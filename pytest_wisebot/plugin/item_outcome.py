"""From the phases of a test to its outcome. A pure function: it works on plain values, and on no object of pytest.

The outcome is never better than what pytest reports: the worst phase wins, and a test of which pytest counts a failure
has failed, whatever its phases look like.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ..outcomes import BAD, CRASHED, ERROR, FAILED, FLAKY, GOOD, NOT_RUN, PASSED, SKIPPED, WORST_FIRST, XFAILED, XPASSED
from ..outcomes import worst as worst_of


class Step(StrEnum):
    """The part of a test that one report is about."""

    SETUP = "setup"
    CALL = "call"
    SUBTEST = "subtest"
    TEARDOWN = "teardown"
    PROCESS = "process"
    """The process in which the test ran: reported only when it dies."""


class Result(StrEnum):
    """How a step ended, in pytest's words."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    STRICT = "strict"
    """Passed, where ``xfail(strict=True)`` expects a failure."""
    RERUN = "rerun"
    """Failed in an attempt that a plugin repeats."""
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a test, as it was reported.

    Attributes:
        step: the part of the test.
        result: how it ended.
        category: ``infrastructure``, ``not run`` or ``drift`` where an error of a run failed it; else empty.
        error: the class of the error of this package that it ended with; else empty.
    """

    step: Step
    result: Result
    category: str = ""
    error: str = ""

    @property
    def word(self) -> str:
        """The outcome of a test that has no other phase; of a phase that is repeated, of its failure."""
        match self.result:
            case Result.CRASHED:
                return CRASHED
            case Result.FAILED | Result.RERUN | Result.STRICT:
                return self.category or (ERROR if self.step in (Step.SETUP, Step.TEARDOWN) else FAILED)
            case Result.SKIPPED | Result.XFAILED:  # a subtest that is skipped leaves the verdict to the others
                return PASSED if self.step is Step.SUBTEST else str(self.result)
        return str(self.result)

    @property
    def ends(self) -> bool:
        """Whether this phase decides the test: its call, or a phase after which there is no call."""
        return self.result is not Result.RERUN and (self.step is Step.CALL or self.word not in (PASSED, XPASSED))


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """How a test ended.

    Attributes:
        word: one of `outcomes.WORST_FIRST`.
        also: the other outcomes of its failed phases, the worst first: what one rule forgives, another may not.
        error: the class of the error of this package that goes with the word; else empty.
    """

    word: str
    also: tuple[str, ...] = ()
    error: str = ""


def item_outcome(phases: Iterable[Phase], *, flaky_trials: bool = False, failures: int = 0) -> ItemOutcome:
    """The outcome of a test.

    Args:
        phases: every report of the test, those of its subtests and of repeated attempts included, in order.
        flaky_trials: the test has trials, enough of them passed, and some failed.
        failures: how many of its reports pytest counts as failures of the session.
    """
    phases = tuple(phases)
    word = _word(phases)
    if word == PASSED and flaky_trials:
        word = FLAKY
    if failures > 0 and word not in (*BAD, ERROR):
        word = FAILED
    failed = {phase.word for phase in phases if phase.result is not Result.RERUN} & {*BAD, ERROR}
    also = tuple(other for other in WORST_FIRST if other in failed and other != word)
    return ItemOutcome(word, also, _error(phases, word))


def _word(phases: tuple[Phase, ...]) -> str:
    final = [phase.word for phase in phases if phase.result is not Result.RERUN]
    repeated = [phase.word for phase in phases if phase.result is Result.RERUN]
    was_called = any(phase.ends for phase in phases)
    word = worst_of(final) if was_called else NOT_RUN
    if not repeated:
        return word
    if word in (*GOOD, XPASSED):
        return FLAKY
    # No later attempt has passed or failed: the failure of the repeated one stands.
    return worst_of(repeated) if word in (SKIPPED, XFAILED) or not was_called else word


def _error(phases: tuple[Phase, ...], word: str) -> str:
    """The class of the error that goes with an outcome; of a test that ended well there is none."""
    if word not in (*BAD, ERROR):
        return ""
    return next((phase.error for phase in phases if phase.error and phase.word == word), "")
