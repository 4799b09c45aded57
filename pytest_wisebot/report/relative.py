"""What a session is held to beside a baseline: nothing of it is gone, and each limit that takes one has its row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..text import count
from .baseline import NONE_YET, Comparison
from .format import named
from .model import Model
from .verdict import GateRule, RuleState, no_verdict

LIMITS: Final = {"max_pass_rate_drop": "max-pass-rate-drop", "max_p95_growth": "max-p95-growth"}
"""Limits that are relative to a baseline."""

TO_GIVE: Final = f"--wisebot-baseline=FILE, or ={NONE_YET} where there is no earlier session yet"
"""What a session without a baseline lacks."""


def relative_rows(model: Model, baseline: Comparison | None, *, none_yet: bool) -> Iterator[GateRule]:
    """What is missing beside a baseline; without one, the limits that cannot be judged.

    Args:
        model: the session.
        baseline: how it compares with an earlier one; None without.
        none_yet: it was stated that there is no earlier one.
    """
    if baseline is not None:
        yield from _missing(model, baseline)
        yield from _not_in_baseline(model, baseline)
        return
    measured = f"none yet (--wisebot-baseline={NONE_YET})" if none_yet else "no baseline"
    for workflow, limit in _stated(model):
        if none_yet:
            yield GateRule(limit, "a baseline", measured, RuleState.NOT_JUDGED, workflow=workflow)
        else:
            yield no_verdict(limit, TO_GIVE, measured, workflow)
    if model.gate.max_missing_tests is not None:
        yield GateRule("max-missing-tests", "a baseline", measured, RuleState.NOT_JUDGED)


def _missing(model: Model, baseline: Comparison) -> Iterator[GateRule]:
    """What is missing, and whether it is too much. A workflow whose tests are there counts as one test."""
    most = model.gate.max_missing_tests or 0
    tests, workflows, outside = baseline.missing_in_words, baseline.missing_workflows, baseline.outside
    row = no_verdict if max(len(tests), min(1, len(workflows))) > most else GateRule
    if tests:
        yield row("tests missing", f"at most {most} of the baseline's", f"{len(tests)}: {named(tests)}")
    if workflows:
        wanted = (
            f"none of the baseline's, or at most {count(most, 'test')} missing" if most else "none of the baseline's"
        )
        yield row("workflows missing", wanted, f"{len(workflows)}: {named(workflows)}")
    if outside:
        others = f"{count(len(outside), 'other')}: {named(outside)}"
        yield GateRule("tests not compared", "those that [gate] is about", others)


def _not_in_baseline(model: Model, baseline: Comparison) -> Iterator[GateRule]:
    """Limits of workflows that the baseline did not run, or this session did not."""
    both = {one.name for one in baseline.workflows}
    for name in sorted({*model.workflows, *model.gate.workflows} - both):
        missing = "no run of it in the baseline" if name in model.workflows else "no run of it"
        for limit, words in LIMITS.items():
            if model.gate.of(name, limit) is not None:
                yield GateRule(words, "a run of it then and now", missing, RuleState.NOT_JUDGED, workflow=name)


def _stated(model: Model) -> Iterator[tuple[str, str]]:
    """The relative limits that the file names, each with the workflow that it is for; empty for all workflows."""
    for workflow, limits in [("", model.gate.overall), *sorted(model.gate.workflows.items())]:
        for limit, words in LIMITS.items():
            if getattr(limits, limit) is not None:
                yield workflow, words
