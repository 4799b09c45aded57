"""What a test ends as: the words, in the order of their weight, and what each of them means for a verdict.

================== =========================================================================================
``failed``         the workflow is wrong
``error``          the test is broken around its call; of a test that used runs reports make it ``failed``
``drift``          passed, with a run that differs from its recording
``infrastructure`` no verdict: Wisebot was not reachable, or did not answer as it should
``crashed``        no verdict: the process that ran the test died
``not run``        no verdict: what the test needs was never sent, or its call was never made
``xfailed``        failed, as its mark expects
``skipped``        not called, or not to its end
``flaky``          passed, although some of its trials, or an earlier attempt of it, failed
``xpassed``        passed, although its mark expects a failure; reports make it ``passed``
``passed``         passed
================== =========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
"""In counts: tests that passed or failed as pytest says, and asked no workflow."""

WORST_FIRST: Final = (FAILED, ERROR, DRIFT, INFRASTRUCTURE, CRASHED, NOT_RUN, XFAILED, SKIPPED, FLAKY, XPASSED, PASSED)
"""The order in which the phases of one test decide its outcome."""

OUTCOMES: Final = (PASSED, FLAKY, FAILED, DRIFT, INFRASTRUCTURE, CRASHED, NOT_RUN)
"""The outcomes of tests that used runs, in the order of reports."""

GOOD: Final = frozenset({PASSED, FLAKY})
JUDGED: Final = frozenset({PASSED, FLAKY, FAILED, DRIFT})
"""The outcomes that are a verdict on the workflow."""

NO_VERDICT: Final = frozenset({INFRASTRUCTURE, CRASHED, NOT_RUN})
"""The outcomes of failed tests that are no verdict on the workflow."""

BAD: Final = frozenset({FAILED, DRIFT, *NO_VERDICT})
"""The outcomes of tests that pytest reports as failed."""


def worst(words: Iterable[str]) -> str:
    """The outcome that counts of several of one test; a word that is not in the table counts as a failure."""
    return min(words, key=lambda word: WORST_FIRST.index(word) if word in WORST_FIRST else 0)
