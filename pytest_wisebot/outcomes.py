"""How a test ends: one table of outcomes, the worst first, with what each means for a verdict and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

PASSED: Final = "passed"
FAILED: Final = "failed"
ERROR: Final = "error"
DRIFT: Final = "drift"
INFRASTRUCTURE: Final = "infrastructure"
CRASHED: Final = "crashed"
NOT_RUN: Final = "not run"
XFAILED: Final = "xfailed"
SKIPPED: Final = "skipped"
FLAKY: Final = "flaky"
XPASSED: Final = "xpassed"
WITHOUT_RUN: Final = "without a run"
"""In counts: tests that passed or failed in pytest's terms, and used no run."""

_GOOD: Final = "good"
_WRONG: Final = "wrong"
_NONE: Final = "none"


class Outcome(NamedTuple):
    """A row of the table.

    Attributes:
        verdict: on the workflow: ``good``, ``wrong``, or ``none`` for a failed test that is not a verdict; empty for an
            outcome that a test with runs does not have in reports.
        sign: on the page, beside the word.
        letter: in histories, and in pytest's line of progress where the outcome is not one of pytest's.
        colour: in the terminal.
    """

    verdict: str = ""
    sign: str = "·"
    letter: str = ""
    colour: str = ""


TABLE: Final = {
    # The workflow is wrong.
    FAILED: Outcome(_WRONG, "✗", "F"),
    # The test is broken around its call. Reports make it ``failed`` if the test used runs.
    ERROR: Outcome(sign="!", letter="E"),
    # Passed, with a run that differs from its recording.
    DRIFT: Outcome(_WRONG, "Δ", "d", "red"),
    # Wisebot was not reachable, or did not answer as it should.
    INFRASTRUCTURE: Outcome(_NONE, "!", "i", "yellow"),
    # The process that ran the test died.
    CRASHED: Outcome(_NONE, "†", "c"),
    # What the test needs was never sent, or its call was never made.
    NOT_RUN: Outcome(_NONE, "∅", "n", "yellow"),
    # Failed, as its mark expects.
    XFAILED: Outcome(letter="x"),
    # Not called, or not to its end.
    SKIPPED: Outcome(letter="s"),
    # Passed, although some of its trials, or an earlier attempt of it, failed.
    FLAKY: Outcome(_GOOD, "~", "~", "yellow"),
    # Passed, although its mark expects a failure. Reports make it ``passed`` if the test used runs.
    XPASSED: Outcome(letter="X"),
    PASSED: Outcome(_GOOD, "✓", ".", "green"),
}


def _words(*verdicts: str) -> tuple[str, ...]:
    return tuple(word for word, outcome in TABLE.items() if outcome.verdict in verdicts)


WORST_FIRST: Final = tuple(TABLE)
"""The order in which the phases of one test decide its outcome."""

REPORT_ORDER: Final = (*(word for word in TABLE if word not in (XFAILED, SKIPPED)), XFAILED, SKIPPED)
"""The order of tests in reports. Several tests of one id decide in this order: a skipped one leaves it to the other."""

GOOD: Final = frozenset(_words(_GOOD))
JUDGED: Final = frozenset(_words(_GOOD, _WRONG))
"""The outcomes that are a verdict on the workflow."""

NO_VERDICT: Final = frozenset(_words(_NONE))
"""The outcomes of failed tests that are not a verdict on the workflow."""

BAD: Final = frozenset(_words(_WRONG, _NONE))
"""The outcomes of tests that pytest reports as failed."""

OUTCOMES: Final = (PASSED, FLAKY, *_words(_WRONG, _NONE))
"""The outcomes of tests that used runs, in the order of counts."""


def rank(word: str, order: Sequence[str] = WORST_FIRST) -> int:
    """The place of an outcome in an order; a word that is not in the table counts as a failure."""
    return order.index(word) if word in order else 0


def worst(words: Iterable[str]) -> str:
    """The outcome of several that decides the outcome of a test."""
    return min(words, key=rank)
