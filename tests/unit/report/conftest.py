"""Shared by the files of this folder: made-up sessions as event logs."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_wisebot.event_log import moment
from pytest_wisebot.report.gate import Baseline, Conclusion, build
from pytest_wisebot.report.log_reader import model_of
from pytest_wisebot.report.model import Model

NOON = 1_764_331_200.0  # 2025-11-28 12:00 UTC


class Log:
    """An event log that grows by calls; a session against staging that asked for a verdict, unless told otherwise."""

    def __init__(self, **facts: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self._facts = facts
        self._now = NOON
        self._runs = 0

    def run(self, workflow: str = "triage", outcome: str = "ok", seconds: float = 1.0, **more: Any) -> str:
        """A run has ended; gives its name."""
        self._runs += 1
        name = f"r{self._runs}"
        said: dict[str, Any] = {"source": "live", "seconds": seconds} if outcome in ("ok", "failed") else {}
        self._now += 1
        times = {"queued": moment(self._now), "started": moment(self._now), "ended": moment(self._now + seconds)}
        event = {"event": "run", "run": name, "workflow": workflow, "api": "webhook", "outcome": outcome, "attempts": 1}
        self.events.append(event | times | said | more)
        return name

    def test(self, name: str, outcome: str = "passed", *runs: str, **more: Any) -> Log:
        """A test has ended; with a run of its own, unless it is said which ones."""
        used = list(runs) or [self.run(test=f"test_it.py::{name}", **more.pop("run", {}))]
        event = {"event": "test", "test": f"test_it.py::{name}", "outcome": outcome, "runs": used, "seconds": 0.5}
        self.events.append(event | more)
        return self

    def plain(self, name: str, outcome: str = "passed", **more: Any) -> Log:
        """A test has ended that used no run."""
        self.events.append({"event": "test", "test": f"test_it.py::{name}", "outcome": outcome, "runs": [], **more})
        return self

    def all(self, *, ended: bool = True, **end: Any) -> list[dict[str, Any]]:
        """The whole log."""
        tests = list(dict.fromkeys(event["test"] for event in self.events if event["event"] == "test"))
        first = {
            "event": "session",
            "format": 1,
            "session": "s",
            "version": "1",
            "started": moment(NOON),
            "gated": True,
        }
        first |= {"environment": "staging", "origin": "https://a.example", "named": True, "selected": tests}
        last = {"event": "end", "ended": moment(self._now + 60), "exitstatus": 0, "without_gate": 0, **end}
        return [first | self._facts, *self.events, *([last] if ended else [])]

    def model(self, **end: Any) -> Model:
        """The model of the log."""
        return model_of(self.all(**end))

    def concluded(self, baseline: Log | None = None, **end: Any) -> Conclusion:
        """The conclusion of the log."""
        beside = Baseline(baseline.model(), "before.jsonl") if baseline is not None else None
        return build(self.all(**end), beside)


@pytest.fixture
def log() -> type[Log]:
    """Makes the log of a session."""
    return Log
