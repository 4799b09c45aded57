"""The gate: may this be deployed? A function of what a session was and of what it is held to, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..gate_config import Gate, Limits
from ..outcomes import DRIFT, FAILED, FLAKY, INFRASTRUCTURE
from ..text import count
from .baseline import ROUNDING, Comparison
from .format import named, percent, seconds_text
from .model import Model, Test, Workflow, counts_in_words, pass_rate
from .preconditions import conditions
from .relative import relative_rows
from .verdict import (
    CLOSED_CODE,
    INFRASTRUCTURE_CODE,
    NOT_RUN_CODE,
    OPEN_CODE,
    GateRule,
    GateStatus,
    RuleState,
    Verdict,
    closed,
    no_verdict,
)

_WORST_FIRST = (CLOSED_CODE, INFRASTRUCTURE_CODE, NOT_RUN_CODE, OPEN_CODE)


def judge(model: Model, baseline: Comparison | None = None, *, none_yet: bool = False) -> Verdict:
    """The verdict on a session, or on several that were one suite.

    Args:
        model: what happened, and the limits.
        baseline: how it compares with an earlier session.
        none_yet: it was stated that there is no earlier session to compare with.
    """
    if not model.is_joined and not any(one.gated for one in model.sessions):
        return Verdict(GateStatus.NOT_GATED, OPEN_CODE, tuple(_rules(model, baseline)))
    rows = [*conditions(model), *relative_rows(model, baseline, none_yet=none_yet), *_rules(model, baseline)]
    rows.sort(key=lambda row: _WORST_FIRST.index(row.code))
    pytest_code = next((code for one in model.sessions if (code := one.exitstatus) not in (None, 0, 1)), None)
    if pytest_code is not None and pytest_code % 256 == 0:  # the system would make it 0, which says something else
        pytest_code = None
    codes = {row.code for row in rows}
    code = next((code for code in _WORST_FIRST if code in codes), OPEN_CODE)
    word = {OPEN_CODE: GateStatus.OPEN, CLOSED_CODE: GateStatus.CLOSED}.get(code, GateStatus.NO_VERDICT)
    return Verdict(word, pytest_code if pytest_code is not None and not model.is_joined else code, tuple(rows))


def _rules(model: Model, baseline: Comparison | None) -> Iterator[GateRule]:
    gate = model.gate
    if model.counted:
        yield from _of_rates(model, gate)
    if unused := [test.id for test in model.tests if test.unused_mark]:
        yield _unused_marks_row(unused)
    if (least := gate.overall.min_runs) is not None:
        yield _at_least_runs(least, sum(run.is_live for run in model.runs), "")
    for name in sorted({*model.workflows, *gate.workflows}):
        own = gate.workflows.get(name)
        workflow = model.workflows.get(name) or Workflow(name, (), ())
        if own is not None:
            yield from _of_workflow(workflow, own, model)
        yield from _of_latency(workflow, gate)
    if baseline is not None:
        yield from _of_baseline(model, baseline)


def _of_rates(model: Model, gate: Gate) -> Iterator[GateRule]:
    overall = gate.overall
    scope, tests = _in_question(model, gate, "min_pass_rate")
    if tests:
        yield _rate_row(tests, 1.0 if overall.min_pass_rate is None else overall.min_pass_rate, "", scope)
    scope, tests = _in_question(model, gate, "max_infrastructure_errors")
    if tests:
        yield _infrastructure_row(tests, overall.max_infrastructure_errors or 0, "", scope)
    if overall.max_flaky is not None or any(test.outcome == FLAKY for test in model.counted):
        yield _flaky_row(model.counted, overall.max_flaky, "")


def _in_question(model: Model, gate: Gate, name: str) -> tuple[str, Sequence[Test]]:
    """What an overall limit is about: all tests, or, where the file sets none, those without one of their own."""
    if getattr(gate.overall, name) is not None:
        return "", model.counted
    own = {workflow for workflow, limits in gate.workflows.items() if getattr(limits, name) is not None}
    rest = [test for test in model.counted if own.isdisjoint(test.workflows)]
    return (" of the other tests" if own else ""), rest


def _of_workflow(workflow: Workflow, own: Limits, model: Model) -> Iterator[GateRule]:
    name = workflow.name
    tests = [test for test in workflow.tests if test.counts]
    live = sum(run.is_live for run in workflow.runs)
    if not workflow.runs:
        known = ", ".join(model.workflows) or "none"
        yield no_verdict("runs", "at least 1", f"none; workflows that ran: {known}", name)
        return
    if own.min_pass_rate is not None:
        yield _rate_row(tests, own.min_pass_rate, name)
    if own.max_infrastructure_errors is not None:
        yield _infrastructure_row(tests, own.max_infrastructure_errors, name)
    if own.max_flaky is not None:
        yield _flaky_row(tests, own.max_flaky, name)
    if own.min_runs is not None:
        yield _at_least_runs(own.min_runs, live, name)


def _rate_row(tests: Sequence[Test], wanted: float, workflow: str, scope: str = "") -> GateRule:
    passed, judged = pass_rate(tests)
    rule, asked = f"pass rate{scope}", f"at least {percent(wanted)}"
    if not judged:
        return GateRule(rule, asked, "no test has a verdict", RuleState.NOT_JUDGED, workflow=workflow)
    wrong = [test.id for test in tests if test.outcome in (FAILED, DRIFT)]
    measured = f"{percent(passed / judged)} ({passed} of {judged})" + _naming(wrong)
    if passed / judged >= wanted - ROUNDING:
        return GateRule(rule, asked, measured, workflow=workflow)
    return closed(rule, asked, measured, workflow)


def _infrastructure_row(tests: Sequence[Test], most: int, workflow: str, scope: str = "") -> GateRule:
    found = [test.id for test in tests if test.is_also(INFRASTRUCTURE)]
    rule, wanted, measured = f"infrastructure errors{scope}", f"at most {most}", f"{len(found)}{_naming(found)}"
    if len(found) <= most:
        return GateRule(rule, wanted, measured, workflow=workflow)
    return no_verdict(rule, wanted, measured, workflow, INFRASTRUCTURE_CODE)


def _flaky_row(tests: Sequence[Test], most: int | None, workflow: str) -> GateRule:
    found = [test.id for test in tests if test.outcome == FLAKY]
    wanted = f"at most {most}" if most is not None else "any number (no max-flaky)"
    measured = f"{len(found)}{_naming(found)}"
    if most is None or len(found) <= most:
        return GateRule("flaky tests", wanted, measured, workflow=workflow)
    return closed("flaky tests", wanted, measured, workflow)


def _naming(tests: Sequence[str]) -> str:
    """The tests that a rule has counted: also where it forgives them."""
    return f": {named(tests)}" if tests else ""


def _unused_marks_row(tests: Sequence[str]) -> GateRule:
    measured = f"{count(len(tests), 'test')} under a wisebot mark used no run: {named(tests)}"
    return GateRule("wisebot marks", "a run of each test", measured, RuleState.NOT_JUDGED)


def _at_least_runs(least: int, live: int, workflow: str) -> GateRule:
    if live >= least:
        return GateRule("live runs", f"at least {least}", str(live), workflow=workflow)
    return no_verdict("live runs", f"at least {least}", str(live), workflow)


def _of_latency(workflow: Workflow, gate: Gate) -> Iterator[GateRule]:
    limits = {"p95": gate.of(workflow.name, "p95_seconds"), "slowest run": gate.of(workflow.name, "max_seconds")}
    for rule, limit in limits.items():
        if limit is None or not workflow.runs:
            continue
        wanted = f"at most {seconds_text(limit)}"
        if not workflow.seconds:
            # An outage has its own rule: what nobody answered took no time.
            yield GateRule(rule, wanted, "no live run", RuleState.NOT_JUDGED, workflow=workflow.name)
            continue
        share = 0.95 if rule == "p95" else 1.0
        took, for_certain = workflow.took(share), workflow.took(share, for_certain=True)
        measured = f"{seconds_text(took)} ({count(len(workflow.seconds), 'run')})"
        if took <= limit:
            yield GateRule(rule, wanted, measured, workflow=workflow.name)
        elif for_certain <= limit:
            late = f"{measured}; pytest-wisebot itself was up to {seconds_text(took - for_certain)} late"
            yield GateRule(rule, wanted, late, RuleState.NOT_JUDGED, workflow=workflow.name)
        else:
            yield closed(rule, wanted, measured, workflow.name)


def _of_baseline(model: Model, baseline: Comparison) -> Iterator[GateRule]:
    for one in baseline.workflows:
        drop = model.gate.of(one.name, "max_pass_rate_drop")
        if drop is not None:
            wanted = f"at most {100 * drop:g} points below the baseline's"
            doubt, bad = one.doubt_of_drop(drop), one.drop > drop + ROUNDING
            yield _compared("pass rate", wanted, one.rates, one.name, doubt=doubt, bad=bad)
        growth = model.gate.of(one.name, "max_p95_growth")
        if growth is not None:
            wanted = f"at most {percent(growth)} above the baseline's"
            yield _compared(
                "p95", wanted, one.p95s, one.name, doubt=one.doubt_of_growth, bad=one.growth > growth + ROUNDING
            )


def _compared(rule: str, wanted: str, measured: str, workflow: str, *, doubt: str, bad: bool) -> GateRule:
    if doubt:
        return GateRule(rule, wanted, f"{measured}; {doubt}", RuleState.NOT_JUDGED, workflow=workflow)
    return closed(rule, wanted, measured, workflow) if bad else GateRule(rule, wanted, measured, workflow=workflow)


def headline(model: Model, verdict: Verdict) -> str:
    """The session in one line: how its tests ended, and against whom."""
    counts = counts_in_words(model.tests)
    live = sum(run.is_live for run in model.runs)
    target = "; ".join(model.targets) or "no target"
    return f"{verdict.word}{_killed(model)} {counts}; {count(live, 'live run')} against {target}"


def _killed(model: Model) -> str:
    """That the session, or one of its shards, was ended before it could write its last line."""
    if all(one.ended is not None for one in model.begun):
        return ":"
    return f", killed: {count(len(model.unreported), 'test')} never reported;"
