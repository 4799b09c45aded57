"""The gate: a pure function from an event log to the verdict whether the tested workflows may be deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..gate_config import Gate, Limits
from ..outcomes import DRIFT, FAILED, FLAKY, INFRASTRUCTURE
from ..shapes import read
from ..text import count
from .baseline import NONE_YET, ROUNDING, Beside, Comparison, compare
from .format import count_named, named, percent, seconds_text
from .history import WINDOW, FlakyRate, History, Past, entry_of, flaky_rate, past_of, tests_of
from .log_reader import model_of
from .model import Model, Run, Test, Workflow, counts_in_words, pass_rate
from .preconditions import lost_events, preconditions
from .quarantines import quarantine_rules
from .verdict import GateRule, GateStatus, Verdict, judged, no_verdict, not_judged, unreachable

RELATIVE_LIMITS: Final = {"max_pass_rate_drop": "max-pass-rate-drop", "max_p95_growth": "max-p95-growth"}
"""Limits that need a baseline."""

FEWEST_SESSIONS: Final = 10
"""Sessions with a verdict on a test from which on its flaky rate is judged."""

_GIVE_BASELINE: Final = f"--wisebot-baseline=FILE, or ={NONE_YET} where there is no earlier session yet"


@dataclass(frozen=True)
class Baseline:
    """An earlier session, and its name."""

    model: Model
    name: str


@dataclass(frozen=True)
class Conclusion:
    """The session, the verdict on it, and how it compares with a baseline: the source of every report."""

    model: Model
    verdict: Verdict
    comparison: Comparison | None = None
    none_yet: bool = False
    """Whether it was stated that there is no earlier session to compare with."""
    past: Past | None = None
    """What the sessions before it show; None without a history."""

    @property
    def trend(self) -> Past | None:
        """What its environment's last sessions show, this one included; None without a history."""
        return self.past.with_session(entry_of(self.model)) if self.past is not None else None

    @property
    def history(self) -> Any:
        """The sessions before it as the log keeps them, so that later reports agree with this one."""
        return self.past.to_dict() if self.past is not None else None

    @property
    def compared(self) -> Any:
        """The comparison as the log keeps it, so that later reports agree with this one."""
        return self.comparison.to_dict() if self.comparison is not None else NONE_YET if self.none_yet else None

    @property
    def headline(self) -> str:
        """The session in one line: outcomes of its tests, and its targets."""
        model = self.model
        killed = f", killed: {count(len(model.unreported), 'test')} never reported;"
        state = ":" if all(one.ended is not None for one in model.begun) else killed
        target = "; ".join(model.targets) or "no target"
        counts = counts_in_words(model.tests)
        beside = f"; beside {model.against_in_words}" if model.second_environments else ""
        return f"{self.verdict.word}{state} {counts}; {count(model.live_runs, 'live run')} against {target}{beside}"


def build(
    events: Iterable[Mapping[str, Any]],
    baseline: Baseline | Literal["none"] | None = None,
    history: History | None = None,
) -> Conclusion:
    """Builds the conclusion of a log.

    Args:
        events: of one session, or of several that were one suite.
        baseline: an earlier session to compare with, or the statement that there is none yet; None for the comparison
            that the log itself has.
        history: the sessions of a file; None for the earlier sessions that the log itself has.
    """
    model = model_of(events)
    given = model.compared if baseline is None else baseline
    comparison = None
    if isinstance(given, Baseline):
        comparison = compare(model, given.model, given.name)
    elif isinstance(given, Mapping):
        comparison = read(Comparison, given)
    none_yet = given == NONE_YET
    past = past_of(history, model) if history is not None else None
    if past is None and isinstance(model.past, Mapping):
        past = Past.from_dict(model.past)
    return Conclusion(model, judge(model, comparison, none_yet=none_yet, past=past), comparison, none_yet, past)


def judge(
    model: Model, baseline: Comparison | None = None, *, none_yet: bool = False, past: Past | None = None
) -> Verdict:
    """The verdict on a session, or on several that were one suite.

    Args:
        model: the session, with the limits.
        baseline: how it compares with an earlier session.
        none_yet: whether it was stated that there is no earlier session to compare with.
        past: what the sessions before it show; None without a history.
    """
    if not model.is_joined and not any(one.gated for one in model.sessions):
        trends = _flaky_rates(model, past) if past is not None else ()
        return Verdict(GateStatus.NOT_GATED, 0, (*_rules(model, baseline), *trends))
    pytest_code = next((status for one in model.sessions if (status := one.exitstatus) not in (None, 0, 1)), None)
    pytest_code = pytest_code if not model.is_joined else None
    if lost := list(lost_events(model)):  # no rule can be applied to a part of what happened
        return Verdict.of(lost, pytest_code)
    compared = _baseline_rules(model, baseline, none_yet=none_yet)
    rows = [*preconditions(model), *compared, *_rules(model, baseline), *_flaky_rates(model, past)]
    return Verdict.of(rows, pytest_code)


# --- rules about the session


def _rules(model: Model, baseline: Comparison | None) -> Iterator[GateRule]:
    gate = model.gate
    if model.counted:
        yield from _overall(model, gate)
    yield from quarantine_rules(model)
    if unused := [test.id for test in model.tests if test.unused_mark]:
        measured = f"{count(len(unused), 'test')} under a wisebot mark used no run: {named(unused)}"
        yield not_judged("wisebot marks", "a run of each test", measured).naming(unused)
    yield from _live_runs(gate.overall, model.runs)
    for name in sorted({*model.workflows, *gate.workflows}):
        workflow = model.workflows.get(name) or Workflow(name, (), ())
        if name in gate.workflows:
            yield from _own_limits(workflow, gate.workflows[name], model)
        yield from _latency(workflow, "p95", 0.95, gate.of(name, "p95_seconds"))
        yield from _latency(workflow, "slowest run", 1.0, gate.of(name, "max_seconds"))
    for one in baseline.workflows if baseline is not None else ():
        yield from _changes(one, gate)


def _overall(model: Model, gate: Gate) -> Iterator[GateRule]:
    overall = gate.overall
    scope, tests = _in_scope(model, gate, "min_pass_rate")
    if tests:
        yield _pass_rate(tests, 1.0 if overall.min_pass_rate is None else overall.min_pass_rate, scope=scope)
    scope, tests = _in_scope(model, gate, "max_infrastructure_errors")
    if tests:
        yield _infrastructure(tests, overall.max_infrastructure_errors or 0, scope=scope)
    if overall.max_flaky is not None or _flaky_of(model.counted):
        yield _flaky(model.counted, overall.max_flaky)


def _in_scope(model: Model, gate: Gate, limit: str) -> tuple[str, Sequence[Test]]:
    """The tests that an overall limit is about: all, or, if the file does not set it, those without an own limit."""
    if getattr(gate.overall, limit) is not None:
        return "", model.counted
    own = {workflow for workflow, limits in gate.workflows.items() if getattr(limits, limit) is not None}
    rest = [test for test in model.counted if own.isdisjoint(test.workflows)]
    return (" of the other tests" if own else ""), rest


def _own_limits(workflow: Workflow, own: Limits, model: Model) -> Iterator[GateRule]:
    name = workflow.name
    if not workflow.runs:
        known = ", ".join(model.workflows) or "none"
        yield no_verdict("runs", "at least 1", f"none; workflows that ran: {known}", name)
        return
    tests = [test for test in workflow.tests if test.counts]
    by_verdicts = (own.min_pass_rate, own.max_flaky, own.max_flaky_rate)
    in_quarantine = any(test.is_quarantined for test in tests) and not pass_rate(tests).judged
    if in_quarantine and any(limit is not None for limit in by_verdicts):
        yield no_verdict("tests outside of quarantine", "at least 1", "none", name)
    if own.min_pass_rate is not None:
        yield _pass_rate(tests, own.min_pass_rate, name)
    if own.max_infrastructure_errors is not None:
        yield _infrastructure(tests, own.max_infrastructure_errors, name)
    if own.max_flaky is not None:
        yield _flaky(tests, own.max_flaky, name)
    yield from _live_runs(own, workflow.runs, name)


def _pass_rate(tests: Sequence[Test], least: float, workflow: str = "", scope: str = "") -> GateRule:
    rate = pass_rate(tests)
    rule, wanted = f"pass rate{scope}", f"at least {percent(least)}"
    if not rate.judged:
        which = " outside of quarantine" if any(test.is_quarantined for test in tests) else ""
        return not_judged(rule, wanted, f"no test{which} has a verdict", workflow)
    failed = [test.id for test in tests if test.outcome in (FAILED, DRIFT) and not test.is_quarantined]
    measured = f"{rate}: {named(failed)}" if failed else str(rate)
    return judged(rate.share >= least - ROUNDING, rule, wanted, measured, workflow).naming(failed)


def _infrastructure(tests: Sequence[Test], most: int, workflow: str = "", scope: str = "") -> GateRule:
    found = [test.id for test in tests if test.is_also(INFRASTRUCTURE) or test.met_outage]
    rule = f"infrastructure errors{scope}"
    return judged(len(found) <= most, rule, f"at most {most}", count_named(found), workflow, unreachable).naming(found)


def _flaky(tests: Sequence[Test], most: int | None, workflow: str = "") -> GateRule:
    found = _flaky_of(tests)
    wanted = f"at most {most}" if most is not None else "any number (no max-flaky)"
    kept = most is None or len(found) <= most
    return judged(kept, "flaky tests", wanted, count_named(found), workflow).naming(found)


def _flaky_of(tests: Sequence[Test]) -> list[str]:
    return [test.id for test in tests if test.outcome == FLAKY and not test.is_quarantined]


def _live_runs(limits: Limits, runs: Iterable[Run], workflow: str = "") -> Iterator[GateRule]:
    least, live = limits.min_runs, sum(run.is_live for run in runs)
    if least is not None:
        yield judged(live >= least, "live runs", f"at least {least}", str(live), workflow, no_verdict)


def _latency(workflow: Workflow, rule: str, share: float, limit: float | None) -> Iterator[GateRule]:
    if limit is None or not workflow.runs:
        return
    wanted = f"at most {seconds_text(limit)}"
    if not workflow.seconds:  # an outage has its own rule
        yield not_judged(rule, wanted, "no live run", workflow.name)
        return
    took, for_certain = workflow.took(share), workflow.took(share, for_certain=True)
    measured = f"{seconds_text(took)} ({count(len(workflow.seconds), 'run')})"
    if for_certain <= limit < took:
        late = f"{measured}; pytest-wisebot itself was up to {seconds_text(took - for_certain)} late"
        yield not_judged(rule, wanted, late, workflow.name)
    else:
        yield judged(took <= limit, rule, wanted, measured, workflow.name)


# --- rules about the session beside a baseline


def _changes(one: Beside, gate: Gate) -> Iterator[GateRule]:
    """The limits of how much worse than the baseline a workflow may be."""
    most_drop, most_growth = gate.of(one.name, "max_pass_rate_drop"), gate.of(one.name, "max_p95_growth")
    if most_drop is not None:
        wanted = f"at most {100 * most_drop:g} points below the baseline's"
        kept, why = one.drop <= most_drop + ROUNDING, one.why_drop_not_judged(most_drop)
        yield _change("pass rate", wanted, one.rates, one.name, why, kept=kept)
    if most_growth is not None:
        wanted = f"at most {percent(most_growth)} above the baseline's"
        kept, why = one.growth <= most_growth + ROUNDING, one.why_growth_not_judged
        yield _change("p95", wanted, one.p95s, one.name, why, kept=kept)


def _change(rule: str, wanted: str, measured: str, workflow: str, why_not_judged: str, *, kept: bool) -> GateRule:
    if why_not_judged:
        return not_judged(rule, wanted, f"{measured}; {why_not_judged}", workflow)
    return judged(kept, rule, wanted, measured, workflow)


def _baseline_rules(model: Model, baseline: Comparison | None, *, none_yet: bool) -> Iterator[GateRule]:
    """What is missing beside a baseline; without one, a row for each limit that needs one."""
    if baseline is not None:
        yield from _missing(model.gate.max_missing_tests or 0, baseline)
        yield from _not_in_both(model, {one.name for one in baseline.workflows})
        return
    measured = f"none yet (--wisebot-baseline={NONE_YET})" if none_yet else "no baseline"
    for workflow, limits in [("", model.gate.overall), *sorted(model.gate.workflows.items())]:
        for limit, rule in RELATIVE_LIMITS.items():
            if getattr(limits, limit) is not None and none_yet:
                yield not_judged(rule, "a baseline", measured, workflow)
            elif getattr(limits, limit) is not None:
                yield no_verdict(rule, _GIVE_BASELINE, measured, workflow)
    if model.gate.max_missing_tests is not None:
        yield not_judged("max-missing-tests", "a baseline", measured)


def _missing(most: int, baseline: Comparison) -> Iterator[GateRule]:
    """What is missing, and whether it is too much. A missing workflow whose tests are there counts as one test."""
    tests, workflows = baseline.missing_in_words, baseline.missing_workflows
    kept = max(len(tests), min(1, len(workflows))) <= most
    if tests:
        wanted = f"at most {most} of the baseline's"
        yield judged(kept, "tests missing", wanted, count_named(tests), broken=no_verdict).naming(tests)
    if workflows:
        allowed = f", or at most {count(most, 'test')} missing" if most else ""
        wanted = f"none of the baseline's{allowed}"
        yield judged(kept, "workflows missing", wanted, count_named(workflows), broken=no_verdict)
    if baseline.outside:
        measured = count_named(baseline.outside, "other")
        yield GateRule("tests not compared", "those that [gate] is about", measured).naming(baseline.outside)


def _not_in_both(model: Model, both: set[str]) -> Iterator[GateRule]:
    """Limits of workflows that the baseline, or this session, did not run."""
    for name in sorted({*model.workflows, *model.gate.workflows} - both):
        missing = "no run of it in the baseline" if name in model.workflows else "no run of it"
        for limit, rule in RELATIVE_LIMITS.items():
            if model.gate.of(name, limit) is not None:
                yield not_judged(rule, "a run of it then and now", missing, name)


# --- rules about the last sessions


def _flaky_rates(model: Model, past: Past | None) -> Iterator[GateRule]:
    """The limits of how often a test is flaky in the last sessions, of all tests and of those of single workflows.

    A test in quarantine is known to be flaky, and left out.
    """
    gate = model.gate
    scopes: list[tuple[str, float | None, Sequence[Test]]] = [("", gate.overall.max_flaky_rate, model.counted)]
    for name, limits in sorted(gate.workflows.items()):
        own = model.workflows[name].tests if name in model.workflows else ()
        scopes.append((name, limits.max_flaky_rate, [test for test in own if test.counts]))
    limited = [(name, most, tests) for name, most, tests in scopes if most is not None]
    trend = past.with_session(entry_of(model)) if past is not None and limited else None
    for name, most, tests in limited:
        wanted = f"at most {percent(most)} of a test's last {WINDOW} sessions"
        if trend is None:
            yield no_verdict("flaky rate", f"{wanted}: --wisebot-history=FILE", "no history", name)
        else:
            judged_here = [test for test in tests if not test.is_quarantined]
            rates = {test: flaky_rate(found, trend.sessions) for test, found in tests_of(trend, judged_here).items()}
            yield from _flaky_rate(rates, most, wanted, name, trend.warning)


def _flaky_rate(
    rates: Mapping[str, FlakyRate], most: float, wanted: str, workflow: str, left_out: str
) -> Iterator[GateRule]:
    """A row for the tests with enough sessions, and one for the others, which are not judged.

    A line that is left out may be the session that they lack: a torn history opens no gate that the whole one closes.
    """
    enough = {test: rate for test, rate in rates.items() if rate.judged >= FEWEST_SESSIONS}
    over = sorted((test for test in enough if enough[test].share > most + ROUNDING), key=lambda one: -enough[one].share)
    if enough:
        worst = max(enough.values(), key=lambda rate: rate.share)
        of = f"{percent(worst.share)} ({worst.flaky} of {count(worst.judged, 'session')})"
        measured = f"up to {of}, {count(len(over), 'test')} above: {named(over)}" if over else f"at most {of}"
        yield judged(not over, "flaky rate", wanted, measured, workflow).naming(over)
    few = [test for test in rates if test not in enough]
    if few or not rates:
        why = f"{count(len(few), 'test')} with a verdict in fewer than {FEWEST_SESSIONS} sessions"
        measured = f"{why}: {named(few)}" if few else "no test to judge"
        if few and left_out:
            yield no_verdict("flaky rate", wanted, f"{measured}; {left_out}", workflow).naming(few)
        else:
            yield not_judged("flaky rate", wanted, measured, workflow).naming(few)
