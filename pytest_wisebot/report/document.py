"""The report for programs: one JSON document, described by ``report.schema.json`` in this package."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from ..event_log import moment
from .baseline import Comparison
from .gate import Conclusion
from .model import Run, Session, Test, Workflow, all_counts, outcome_counts, pass_rate

FORMAT: Final = 1
"""Raised when a reader of the earlier format would misread the later one; a new key does not raise it."""

_MOMENTS: Final = {"queued", "started", "ended", "made"}

_NULL_IF_EMPTY: Final = {"workflow_id", "trial", "source", "problem", "message", "contradiction", "trace"}

_SESSION: Final = (
    "name", "version", "mode", "started", "ended", "environment", "origin", "base_url", "emulator", "exitstatus",
)  # fmt: skip

_RUN: Final = (
    "reference", "workflow", "workflow_id", "api", "outcome", "run_id", "trial", "status", "queued", "started", "ended",
    "made", "seconds", "attempts", "source", "problem", "message", "diff", "contradiction", "trace",
)  # fmt: skip

_KEYS: Final = {"run_id": "runId", "problem": "error", "diff": "drift"}
"""Attributes of a run whose key has another name."""


def json_report(conclusion: Conclusion) -> str:
    """The document in ASCII. It leaves out inputs and results, which are in ``runs.jsonl``."""
    return json.dumps(document(conclusion), indent=1, allow_nan=False) + "\n"


def document(conclusion: Conclusion) -> dict[str, Any]:
    """The document as plain values."""
    model, verdict = conclusion.model, conclusion.verdict
    return {
        "format": FORMAT,
        "verdict": {
            "word": str(verdict.word),
            "code": verdict.code,
            "rules": [{**asdict(row), "state": str(row.state)} for row in verdict.rows],
        },
        "sessions": [_session(one) for one in model.sessions],
        "counts": outcome_counts(model.tests),
        "all_counts": all_counts(model.tests),
        "workflows": {name: _workflow(one) for name, one in model.workflows.items()},
        "baseline": _comparison(conclusion.comparison),
        "tests": [_test(test) for test in model.tests],
        "unreported": model.unreported,
        "runs": [_run(run) for run in model.runs],
    }


def _value(source: object, attribute: str) -> Any:
    value = getattr(source, attribute)
    if attribute in _MOMENTS:
        return moment(value)
    return value or None if attribute in _NULL_IF_EMPTY else value


def _session(one: Session) -> dict[str, Any]:
    known = {name: _value(one, name) for name in _SESSION}
    return known | {"gate": one.gate.to_dict(), "extent": asdict(one.extent) if one.extent is not None else None}


def _workflow(one: Workflow) -> dict[str, Any]:
    return {
        "tests": outcome_counts(one.tests),
        **pass_rate(one.tests)._asdict(),
        "runs": len(one.runs),
        "live_runs": len(one.seconds),
        "p50": one.p50,
        "p95": one.p95,
        "slowest": max(one.seconds, default=None),
    }


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    known = comparison.to_dict()
    workflows = known.pop("workflows")
    return known | {"workflows": {one["name"]: one for one in workflows}}


def _test(test: Test) -> dict[str, Any]:
    return {
        "id": test.id,
        "outcome": test.outcome,
        "also": test.also,
        "uses_runs": test.uses_runs,
        "workflows": test.workflows,
        "runs": [run.reference for run in test.runs],
        "seconds": test.seconds,
        "executions": test.executions,
        "error": test.problem or None,
        "said": test.said or None,
        "trials": asdict(test.trials) if test.trials is not None else None,
        "worker": test.worker or None,
        "session": test.session,
    }


def _run(run: Run) -> dict[str, Any]:
    return {_KEYS.get(name, name): _value(run, name) for name in _RUN}
