"""The report for programs: one JSON document, described by ``report.schema.json`` in this package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from ..event_log import moment
from .baseline import Comparison
from .conclusion import Conclusion
from .model import Run, Session, Test, Workflow, all_counts, outcome_counts, pass_rate

FORMAT: Final = 1
"""Raised when a reader of an earlier one would misread a later one; a new key is no such thing."""


def json_report(conclusion: Conclusion) -> str:
    """The document as text, ASCII alone. Inputs and results are in ``runs.jsonl``, and not repeated here."""
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
        "unreported": list(model.unreported),
        "runs": [_run(run) for run in model.runs],
    }


def _session(one: Session) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "mode": one.mode,
        "started": moment(one.started),
        "ended": moment(one.ended),
        "environment": one.environment,
        "origin": one.origin,
        "base_url": one.base_url,
        "emulator": one.emulator,
        "exitstatus": one.exitstatus,
        "gate": one.gate.to_dict(),
        "extent": asdict(one.extent) if one.extent is not None else None,
    }


def _workflow(one: Workflow) -> dict[str, Any]:
    passed, judged = pass_rate(one.tests)
    return {
        "tests": outcome_counts(one.tests),
        "passed": passed,
        "judged": judged,
        "runs": len(one.runs),
        "live_runs": len(one.seconds),
        "p50": one.p50,
        "p95": one.p95,
        "slowest": max(one.seconds, default=None),
    }


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "name": comparison.name,
        "newly_failing": list(comparison.newly_failing),
        "still_failing": list(comparison.still_failing),
        "newly_fixed": list(comparison.newly_fixed),
        "new": list(comparison.new),
        "missing": list(comparison.missing),
        "renamed": [list(pair) for pair in comparison.renamed],
        "missing_workflows": list(comparison.missing_workflows),
        "outside": list(comparison.outside),
        "workflows": {one.name: asdict(one) for one in comparison.workflows},
    }


def _test(test: Test) -> dict[str, Any]:
    return {
        "id": test.id,
        "outcome": test.outcome,
        "also": list(test.also),
        "uses_runs": test.uses_runs,
        "workflows": list(test.workflows),
        "runs": _references(test.runs),
        "seconds": test.seconds,
        "executions": test.executions,
        "error": test.problem or None,
        "said": test.said or None,
        "trials": asdict(test.trials) if test.trials is not None else None,
        "worker": test.worker or None,
        "session": test.session,
    }


def _references(runs: Sequence[Run]) -> list[str]:
    return [run.reference for run in runs]


def _run(run: Run) -> dict[str, Any]:
    return {
        "reference": run.reference,
        "workflow": run.workflow,
        "workflow_id": run.workflow_id or None,
        "api": run.api,
        "outcome": run.outcome,
        "runId": run.run_id,
        "trial": run.trial or None,
        "status": run.status,
        "queued": moment(run.queued),
        "started": moment(run.started),
        "ended": moment(run.ended),
        "made": moment(run.made),
        "seconds": run.seconds,
        "attempts": run.attempts,
        "source": run.source or None,
        "error": run.problem or None,
        "message": run.message or None,
        "drift": list(run.diff),
        "contradiction": run.contradiction or None,
        "trace": run.trace or None,
    }
