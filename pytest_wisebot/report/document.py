"""The report for programs: one JSON document, described by ``report.schema.json`` in this package."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any, Final

from ..event_log import moment
from ..originals import json
from .baseline import Comparison
from .gate import Conclusion
from .history import Past
from .model import Compared, Model, Run, Test, Workflow, all_counts, outcome_counts, pass_rate
from .trends import WORDS, Trend, trends_of_tests, trends_of_workflows
from .verdict import GateRule

FORMAT: Final = 1
"""Raised when a reader of the earlier format would misread the later one; a new key does not raise it."""

_MOMENTS: Final = {"queued", "started", "ended", "made"}
_NULL_IF_EMPTY: Final = {"workflow_id", "source", "problem", "message", "contradiction", "trace", "said", "worker"}
_KEYS: Final = {"run_id": "runId", "problem": "error", "diff": "drift"}
"""Attributes whose key has another name."""

_SESSION: Final = (
    "name", "version", "mode", "started", "ended", "environment", "origin", "base_url", "emulator", "exitstatus",
    "gate", "extent", "build", "report", "against",
)  # fmt: skip
_RUN: Final = (
    "reference", "workflow", "workflow_id", "api", "outcome", "run_id", "trial", "status", "queued", "started", "ended",
    "made", "seconds", "attempts", "source", "problem", "message", "diff", "contradiction", "trace",
)  # fmt: skip
_BESIDE: Final = ("side", "environment", "test")


def json_report(conclusion: Conclusion) -> str:
    """The document in ASCII. It leaves out inputs and results, which are in ``runs.jsonl``."""
    model, verdict = conclusion.model, conclusion.verdict
    document = {
        "format": FORMAT,
        "verdict": {
            "word": str(verdict.word),
            "code": verdict.code,
            "rules": [_rule(row) for row in verdict.rows],
        },
        "sessions": [_values(one, *_SESSION) for one in model.sessions],
        "counts": outcome_counts(model.tests),
        "all_counts": all_counts(model.tests),
        "workflows": {name: _workflow(one, model) for name, one in model.workflows.items()},
        "baseline": _comparison(conclusion.comparison) if conclusion.comparison is not None else None,
        "tests": [_test(test) for test in model.tests],
        "unreported": model.unreported,
        "runs": [_run(run, model) for run in model.runs],
        "beside": [{**_run(run, model), **_values(run, *_BESIDE)} for run in model.beside],
        "history": _history(conclusion.trend) if conclusion.trend is not None else None,
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _rule(row: GateRule) -> dict[str, Any]:
    """A rule without the list of its tests, which are those of the outcomes that it is about."""
    known = {**asdict(row), "state": str(row.state)}
    del known["names"]
    return known


def _values(source: object, *attributes: str) -> dict[str, Any]:
    """These attributes as JSON, by their keys."""
    return {_KEYS.get(name, name): _value(name, getattr(source, name)) for name in attributes}


def _value(name: str, value: Any) -> Any:
    if name in _MOMENTS:
        return moment(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value or None if name in _NULL_IF_EMPTY else value


def _workflow(one: Workflow, model: Model) -> dict[str, Any]:
    return {
        "url": model.link_of_workflow(one.name) or None,
        "tests": outcome_counts(one.tests),
        **pass_rate(one.tests)._asdict(),
        "runs": len(one.runs),
        "live_runs": len(one.seconds),
        "p50": one.p50,
        "p95": one.p95,
        "slowest": max(one.seconds, default=None),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    known = comparison.to_dict()
    workflows = {one["name"]: one for one in known.pop("workflows")}
    return {**known, "workflows": workflows}


def _test(test: Test) -> dict[str, Any]:
    return {
        **_values(test, "id", "outcome", "also", "uses_runs", "workflows"),
        "runs": [run.reference for run in test.runs],
        "compared": [_compared(one) for one in test.compared],
        **_values(test, "seconds", "executions", "problem", "said", "trials", "worker", "session"),
        "quarantine": _quarantine(test),
    }


def _compared(one: Compared) -> dict[str, Any]:
    known = asdict(one)
    return {**known, "drift": known.pop("diff"), "why_not": one.why_not or None, "beside": one.beside or None}


def _quarantine(test: Test) -> dict[str, Any] | None:
    one = test.quarantine
    return {**one.to_dict(), "in_force": one.in_force, "days_left": one.days_left} if one is not None else None


def _run(run: Run, model: Model) -> dict[str, Any]:
    trial, url = run.trial or None, model.link_of_run(run) or None
    return {**_values(run, *_RUN), "trial": trial, "trial_outcome": model.trial_outcomes.get(run.reference), "url": url}


def _history(trend: Past) -> dict[str, Any]:
    """The last sessions, this one included, each with its outcome of each test and workflow; null where it has none."""
    sessions = [{**asdict(one), "started": moment(one.started)} for one in trend.sessions]
    workflows = trends_of_workflows(trend, {})
    return {
        "file": trend.file,
        "sessions": sessions,
        "tests": {one.name: _trend(one) for one in trends_of_tests(trend)},
        "workflows": {one.name: {**_trend(one), "p95": one.p95} for one in workflows},
        "left_out": trend.left_out,
    }


def _trend(one: Trend) -> dict[str, Any]:
    since = one.since.session if one.since is not None else None
    return {
        "outcomes": [WORDS.get(letter) for letter in one.letters],
        "flaky": one.rate.flaky,
        "judged": one.rate.judged,
        "failing_since": {"commit": since.build.commit, "started": moment(since.started)} if since else None,
    }
