"""What the page of a session shows, as variables of its templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..gate_config import Gate
from ..outcomes import PASSED, SKIPPED, WITHOUT_RUN, XFAILED, XPASSED
from .baseline import ROUNDING, Beside, Comparison
from .format import duration, time_of_day
from .latency_plot import strips
from .model import Model, all_counts, outcome_counts
from .page_budget import Budget, longest, share_bytes
from .rows import Rows, RunRow, TestRow, outcome, outcome_kind
from .timeline import timeline
from .verdict import GateRule, GateStatus, RuleState, Verdict

MOST_LISTED: Final = 500
"""Tests of a list of names."""

LONGEST_CELL: Final = 1200
"""Characters of a cell in the table of rules: it may name tests, whose names may be long."""

NOTABLE_DROP: Final = 0.01
"""A drop of the pass rate that stands out, if the gate has no limit for it."""

NOTABLE_GROWTH: Final = 0.1
"""A growth of the p95 that stands out, if the gate has no limit for it."""

GATE_KINDS: Final = {
    GateStatus.OPEN: "open",
    GateStatus.CLOSED: "closed",
    GateStatus.NO_VERDICT: "none",
    GateStatus.NOT_GATED: "plain",
}
"""How a verdict is drawn."""

RULE_STATES: Final = {
    RuleState.OK: ("✓", "kept", "passed"),
    RuleState.CLOSED: ("✗", "broken", "failed"),
    RuleState.NO_VERDICT: ("?", "no verdict", "infrastructure"),
    RuleState.NOT_JUDGED: ("·", "not judged", "not-run"),
}
"""A rule's sign, its word, and how it is drawn."""


class Names(NamedTuple):
    """Tests of which the page shows only the names."""

    title: str
    kind: str
    sign: str
    tests: Sequence[str]


class Change(NamedTuple):
    """A workflow beside its baseline.

    Attributes:
        beside: the figures.
        why_rate_not_judged: why the drop of the pass rate is not judged; empty if it is.
        rate_worse: whether the drop stands out.
        p95_worse: whether the growth of the p95 stands out.
    """

    beside: Beside
    why_rate_not_judged: str
    rate_worse: bool
    p95_worse: bool


def page(model: Model, verdict: Verdict, baseline: Comparison | None) -> Mapping[str, Any]:
    """The variables of the templates."""
    rows = Rows(longest(len(model.runs)), baseline)
    groups, others = rows.groups(test for test in model.tests if test.uses_runs), rows.others(model.runs)
    counts = outcome_counts(model.tests)
    reasons = verdict.reasons
    other_rules = [row for row in verdict.rows if row not in reasons]
    return {
        "version": model.sessions[0].version,
        "gated": verdict.is_gated,
        "kind": GATE_KINDS[verdict.word],
        "title": _title(verdict, counts),
        "code": verdict.code,
        "targets": model.targets,
        "counts": counts,
        "facts": list(_facts(model, verdict, baseline)),
        "shards": model.sessions if len(model.sessions) > 1 else (),
        "reasons": reasons,
        "other_rules": other_rules,
        "rules_title": _rules_title(verdict, other_rules),
        "baseline": baseline,
        "compared": list(_compared(baseline)) if baseline is not None else [],
        "changes": [_change(one, model.gate) for one in baseline.workflows] if baseline is not None else [],
        "timeline": timeline(model),
        "strips": strips(model, baseline),
        "groups": groups,
        "others": others,
        "unreported": model.unreported,
        "without_run": list(_without_run(model)),
        "budget": _budget(groups, others),
        "run_anchors": {run.reference: f"run-{number}" for number, run in enumerate(model.runs, 1)},
        "test_anchors": rows.anchors,
    }


def _title(verdict: Verdict, counts: Mapping[str, int]) -> str:
    """The verdict; of a session that is not gated, the outcomes of its tests."""
    if verdict.is_gated:
        return str(verdict.word)
    return ", ".join(f"{number:,} {word}" for word, number in counts.items()) or "No test used a run"


def _rules_title(verdict: Verdict, others: Sequence[GateRule]) -> str:
    if verdict.reasons:
        return "What keeps the gate shut" if verdict.is_gated else "What would keep a gate shut"
    all_kept = all(row.state is RuleState.OK for row in others)
    return "The rules, all kept" if all_kept else "The rules, none broken"


def _budget(groups: Sequence[tuple[str, Sequence[TestRow]]], others: Sequence[RunRow]) -> Budget:
    rows = [row for _, several in groups for row in several]
    passing = [excerpt for row in rows if not row.failing for excerpt in row.excerpts]
    passing += [block.excerpt for row in others for block in row.blocks]
    return share_bytes((excerpt for row in rows if row.failing for excerpt in row.excerpts), passing)


def _facts(model: Model, verdict: Verdict, baseline: Comparison | None) -> Iterator[tuple[str, str]]:
    first, shards = model.sessions[0], len(model.sessions)
    started = [one.started for one in model.begun if one.started is not None]
    if started:
        yield "Started", time_of_day(min(started))
    yield "Took", _took(model)
    yield "Mode", ", ".join(sorted({one.mode for one in model.sessions}))
    yield "Runs", _runs(model)
    if baseline is not None:
        failing, fixed, gone = (len(one) for one in (baseline.newly_failing, baseline.newly_fixed, baseline.missing))
        missing = f", {gone} missing" if gone else ""
        yield "Beside the baseline", f"{failing} newly failing, {fixed} newly fixed{missing}"
    found = all_counts(model.tests)
    others = [f"{found[word]:,} {word}" for word in (SKIPPED, XFAILED, WITHOUT_RUN) if word in found]
    if others and verdict.is_gated:
        yield "Other tests", ", ".join(others)
    if first.gate.select:
        yield "Tests selected by", first.gate.select
    if shards > 1:
        yield "Shards", str(shards)
    elif first.split is not None:
        yield "Shard", f"{first.split[0]} of {first.split[1]}"


def _took(model: Model) -> str:
    spans = [one.ended - one.started for one in model.sessions if one.ended is not None and one.started is not None]
    if len(spans) < len(model.sessions):
        return "unknown: ended before its end"
    return f"{duration(max(0.0, *spans, 0.0))}{' (the longest shard)' if len(spans) > 1 else ''}"


def _runs(model: Model) -> str:
    """How many runs there are, and of which kinds, if there are several kinds."""
    live, kept = model.live_runs, sum(run.is_kept for run in model.runs)
    again = sum(run.attempts > 1 for run in model.runs)
    if live == len(model.runs) and live:
        return f"{live:,} live" + (f" ({again:,} retried)" if again else "")
    unanswered = len(model.runs) - live - kept
    parts = [(live, "live"), (kept, "made earlier"), (unanswered, "without an answer"), (again, "retried")]
    kinds = ", ".join(f"{number:,} {word}" for number, word in parts if number)
    return f"{len(model.runs):,}" + (f" ({kinds})" if kinds else "")


def _compared(baseline: Comparison) -> Iterator[Names]:
    yield Names("newly failing", "failed", "✗", baseline.newly_failing)
    yield Names("failed before, too", "failed", "✗", baseline.still_failing)
    yield Names("newly fixed", "passed", "✓", baseline.newly_fixed)
    yield Names("not in the baseline", "beside", "+", baseline.new)
    if baseline.missing:
        yield Names("missing", "failed", "-", baseline.missing_in_words)
    if baseline.missing_workflows:
        yield Names("workflows missing", "failed", "-", baseline.missing_workflows)


def _change(one: Beside, gate: Gate) -> Change:
    most_drop, most_growth = gate.of(one.name, "max_pass_rate_drop"), gate.of(one.name, "max_p95_growth")
    why_rate_not_judged = one.why_drop_not_judged(most_drop) if most_drop is not None else ""
    drop = NOTABLE_DROP if most_drop is None else most_drop
    growth = NOTABLE_GROWTH if most_growth is None else most_growth
    return Change(
        one,
        why_rate_not_judged,
        not why_rate_not_judged and one.drop > drop + ROUNDING,
        not one.why_growth_not_judged and one.growth > growth + ROUNDING,
    )


def _without_run(model: Model) -> Iterator[Names]:
    """The tests that used no run, by outcome; those that failed first."""
    tests = [test for test in model.tests if not test.uses_runs]
    well = (PASSED, SKIPPED, XFAILED, XPASSED)
    for word in sorted({test.outcome for test in tests}, key=lambda word: (word in well, word)):
        yield Names(word, outcome_kind(word), outcome(word).sign, [test.id for test in tests if test.outcome == word])
