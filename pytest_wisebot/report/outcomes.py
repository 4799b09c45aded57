"""What a test that used a run ends as: the words, and what each of them means for a verdict."""

from __future__ import annotations

from typing import Final

PASSED: Final = "passed"
FAILED: Final = "failed"
"""The workflow is wrong."""
FLAKY: Final = "flaky"
"""Passed, although some of its trials failed."""
DRIFT: Final = "drift"
"""Passed, with a run that is not what was recorded."""
INFRASTRUCTURE: Final = "infrastructure"
"""Nobody can say: Wisebot was not reachable, or did not answer as it should."""
NOT_RUN: Final = "not run"
"""Nobody can say: what it needs was never sent."""

SKIPPED: Final = "skipped"
XFAILED: Final = "xfailed"
WITHOUT_RUN: Final = "without a run"
"""Passed or failed as pytest says: no workflow was asked."""

OUTCOMES: Final = (PASSED, FLAKY, FAILED, DRIFT, INFRASTRUCTURE, NOT_RUN)
"""In the order in which they are told."""

GOOD: Final = frozenset({PASSED, FLAKY})
JUDGED: Final = frozenset({PASSED, FLAKY, FAILED, DRIFT})
"""Those that say something of the workflow."""

BAD: Final = frozenset({FAILED, DRIFT, INFRASTRUCTURE, NOT_RUN})
"""Those that pytest calls failed."""
