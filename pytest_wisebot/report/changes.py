"""Two sessions beside each other, A and B: which tests changed, how results differ, and what is more than chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from ..originals import json
from ..outcomes import DRIFT, ERROR, FAILED, GOOD, SKIPPED, XFAILED, XPASSED
from ..text import brief, count
from .baseline import renamed
from .chance import Chance, interval, of_p50, of_p95, of_rates
from .format import named, percent, seconds_text
from .model import Model, PassRate, Run, Test, Workflow, counts_in_words, file_of, pass_rate

PASSES: Final = "passes"
FAILS: Final = "fails"
UNKNOWN: Final = "unknown"
"""Without a verdict: crashed, not run, never reported, or Wisebot was not reachable."""

LEFT_OUT: Final = "left out"
"""Skipped, expected to fail, or deselected."""

NOT_THERE: Final = "not there"

NEWLY_FAILING: Final = "newly failing"
LOST: Final = "no verdict any more"
FAILING: Final = "failing, unknown before"
NEW: Final = "new"
GONE: Final = "gone"

HEADINGS: Final[Mapping[str, str]] = {
    NEWLY_FAILING: "passed in A, fail in B",
    LOST: "a verdict in A, none in B",
    FAILING: "no verdict in A, fail in B",
    "still failing": "fail in both",
    "fixed": "failed in A, pass in B",
    "passing, unknown before": "no verdict in A, pass in B",
    GONE: "not collected in B",
    "left out": "skipped, deselected or expected to fail in B",
    NEW: "not collected in A",
}
"""What changed about a test, the worst first, and what it means."""

LEVEL_NOTE: Final = "Each figure has a test of its own at 5%: of 20 figures, chance alone moves about one that far"

_CHANGES: Final[Mapping[tuple[str, str], str]] = {
    (PASSES, FAILS): NEWLY_FAILING,
    **{(before, UNKNOWN): LOST for before in (PASSES, FAILS)},
    **{(before, FAILS): FAILING for before in (UNKNOWN, LEFT_OUT)},
    (FAILS, FAILS): "still failing",
    (FAILS, PASSES): "fixed",
    **{(before, PASSES): "passing, unknown before" for before in (UNKNOWN, LEFT_OUT)},
    **{(before, NOT_THERE): GONE for before in (PASSES, FAILS, UNKNOWN, LEFT_OUT)},
    **{(before, LEFT_OUT): "left out" for before in (PASSES, FAILS, UNKNOWN)},
    **{(NOT_THERE, after): NEW for after in (PASSES, FAILS, UNKNOWN, LEFT_OUT)},
}
"""By what a test does in A and in B; any other pair is not a change."""

Difference = Callable[[Run, Run], list[str]]
"""The lines of what differs between two runs, after values that differ each time are made alike."""


class State(NamedTuple):
    """What a test does in a session, the word for it, and the test, if it has ended."""

    kind: str
    word: str
    test: Test | None = None

    @property
    def has_runs(self) -> bool:
        """Whether the test has ended, and used runs."""
        return self.test is not None and bool(self.test.runs)


@dataclass(frozen=True, slots=True)
class TestChange:
    """A test in both sessions.

    Attributes:
        id: its node id.
        before: what it does in A.
        after: what it does in B.
        results: what differs between its results, each under a line that names the run.
        maybe: the new test that a test that is gone may be now.
    """

    __test__ = False  # for pytest, which would collect a class of this name

    id: str
    before: State
    after: State
    results: tuple[tuple[str, tuple[str, ...]], ...] = ()
    maybe: str = ""

    @property
    def kind(self) -> str:
        """A key of `HEADINGS`; empty if nothing changed."""
        return _CHANGES.get((self.before.kind, self.after.kind), "")

    @property
    def words(self) -> str:
        """Both outcomes."""
        return f"A {self.before.word} -> B {self.after.word}"

    @property
    def why(self) -> str:
        """The first line of why it failed in B, with a mark where more lines follow."""
        test = self.after.test
        lines = test.said.strip().splitlines() if test is not None and self.after.kind in (FAILS, UNKNOWN) else []
        return lines[0].strip() + (" …" if lines[1:] else "") if lines else ""


class Measure(NamedTuple):
    """A figure of a workflow in both sessions, in words, and whether its change is more than chance."""

    name: str
    before: str
    after: str
    chance: Chance


class WorkflowChange(NamedTuple):
    """The figures of a workflow that ran in both sessions."""

    name: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sessions, and its name as it was given."""

    letter: str
    name: str
    model: Model

    @property
    def target(self) -> str:
        """Environments and hosts."""
        return "; ".join(self.model.targets) or "no target"

    @property
    def started(self) -> float | None:
        """When it began, in seconds since the epoch."""
        return min((one.started for one in self.model.begun if one.started is not None), default=None)

    @property
    def counts(self) -> str:
        """Its tests by outcome, and its live runs, those of an emulator apart."""
        emulated = sum(run.is_live and run.source == "emulator" for run in self.model.runs)
        live = self.model.live_runs - emulated
        runs = [count(live, "live run")] if live or not emulated else []
        runs += [f"{count(emulated, 'run')} of an emulator"] if emulated else []
        return f"{counts_in_words(self.model.tests)}; {', '.join(runs)}"

    @property
    def gaps(self) -> Iterator[str]:
        """Why tests may be missing that cannot be named, in words."""
        if lost := sum(one.lost_events for one in self.model.sessions):
            yield f"{self.letter}: {count(lost, 'line')} of its log could not be written: tests may be missing"
        if unknown := [one.name for one in self.model.sessions if one.selected is None]:
            yield f"{self.letter}: it is not known which tests {named(unknown)} was to run: tests may be missing"

    @property
    def doubts(self) -> Iterator[str]:
        """Why it is not whole, in words."""
        yield from self.gaps
        if any(one.ended is None for one in self.model.begun):
            yield f"{self.letter}: ended before its end: {count(len(self.model.unreported), 'test')} never reported"
        yield from (f"{self.letter}: ended early: {one.interrupted}" for one in self.model.begun if one.interrupted)


@dataclass(frozen=True)
class Changes:
    """Two sessions beside each other.

    Attributes:
        a: the earlier one.
        b: the later one.
        tests: all tests of both.
        workflows: those that ran in both.
        remarks: what makes the comparison doubtful, in words.
    """

    a: Side
    b: Side
    tests: tuple[TestChange, ...]
    workflows: tuple[WorkflowChange, ...]
    remarks: tuple[str, ...] = ()

    @cached_property
    def lists(self) -> Mapping[str, tuple[TestChange, ...]]:
        """The tests that changed, by a key of `HEADINGS`, in their order, empty ones included."""
        return {kind: tuple(test for test in self.tests if test.kind == kind) for kind in HEADINGS}

    @cached_property
    def differing(self) -> tuple[TestChange, ...]:
        """The tests whose results differ; those that changed first, the worst before the others."""
        order = [*HEADINGS, ""]
        return tuple(sorted((one for one in self.tests if one.results), key=lambda one: order.index(one.kind)))

    @property
    def compared(self) -> int:
        """How many tests ended in both sessions with runs that can be compared."""
        return sum(one.before.has_runs and one.after.has_runs for one in self.tests)

    @property
    def title(self) -> str:
        """What matters most, in a line."""
        found = {kind: len(self.lists[kind]) for kind in (NEWLY_FAILING, LOST, FAILING, "fixed")}
        words = [f"{number:,} {kind}" for kind, number in found.items() if number]
        return ", ".join(words if found[NEWLY_FAILING] else ["Nothing newly failing", *words])

    @property
    def regressions(self) -> tuple[str, ...]:
        """What fails a comparison that must not have a regression, in words; empty if nothing does."""
        lost = [one for one in self.lists[LOST] if one.before.kind == PASSES]
        found = {
            "newly failing": len(self.lists[NEWLY_FAILING]),
            "passed in A and without a verdict in B": len(lost),
            "failing in B and without a verdict in A": len(self.lists[FAILING]),
        }
        words = [f"{count(number, 'test')} {what}" for what, number in found.items() if number]
        return (*words, *self.b.gaps)


def compare_sessions(a: Side, b: Side, difference: Difference) -> Changes:
    """Compares two sessions.

    Args:
        a: the earlier one.
        b: the later one.
        difference: what differs between two runs of one request.
    """
    before, after = _states(a.model), _states(b.model)
    errors = [entry for one in b.model.sessions for entry in one.not_collected]
    pairs: list[TestChange] = []
    for test in {**after, **before}:
        nothing = State(NOT_THERE, "not collected")
        if any(entry.startswith(f"{file_of(test)}:") for entry in errors):
            nothing = State(UNKNOWN, "its module could not be collected")
        was, is_now = before.get(test, State(NOT_THERE, "not collected")), after.get(test, nothing)
        pairs.append(TestChange(test, was, is_now, tuple(_results(was.test, is_now.test, difference))))
    new = [one.id for one in pairs if one.kind == NEW]
    maybe = dict(renamed([one.id for one in pairs if one.kind == GONE], new))
    tests = tuple(replace(one, maybe=maybe.get(one.id, "")) for one in pairs)
    both = sorted(a.model.workflows.keys() & b.model.workflows.keys())
    workflows = tuple(
        WorkflowChange(name, tuple(_measures(a.model.workflows[name], b.model.workflows[name]))) for name in both
    )
    return Changes(a, b, tests, workflows, tuple(_remarks(a, b)))


def _remarks(a: Side, b: Side) -> Iterator[str]:
    yield from (*a.doubts, *b.doubts)
    if a.model.targets != b.model.targets:
        yield f"A and B ran against different targets: {a.target}; {b.target}"
    lone = [(a, set(a.model.workflows) - {*b.model.workflows}), (b, set(b.model.workflows) - {*a.model.workflows})]
    yield from (f"workflows in {side.letter} alone: {', '.join(sorted(names))}" for side, names in lone if names)


# --- tests


def _states(model: Model) -> dict[str, State]:
    """What each test does that ended, was to run, or was deselected."""
    found = {f"{test.worker}:{test.id}" if test.worker else test.id: _state(test) for test in model.tests}
    for test in model.unreported:
        known = found.get(test)
        if known is None or known.kind != FAILS:
            found[test] = State(UNKNOWN, "never reported", known.test if known else None)
    for test in (test for one in model.sessions for test in one.deselected):
        found.setdefault(test, State(LEFT_OUT, "deselected"))
    return found


def _state(test: Test) -> State:
    if test.outcome in (FAILED, DRIFT, ERROR):
        return State(FAILS, test.outcome, test)
    if test.outcome in (SKIPPED, XFAILED):
        return State(LEFT_OUT, test.outcome, test)
    if test.outcome not in (*GOOD, XPASSED):
        return State(UNKNOWN, test.outcome, test)
    if any(run.contradiction for run in test.runs):
        return State(UNKNOWN, f"{test.outcome}, with a run that contradicts itself", test)
    return State(PASSES, test.outcome, test)


# --- results


def _results(before: Test | None, after: Test | None, difference: Difference) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What differs between the runs of a test in both sessions, under a line for each pair."""
    if before is None or after is None:
        return
    for was, is_now in _pairs(before.runs, after.runs):
        run = is_now or was
        assert run is not None
        name = f"{run.workflow} ({run.api}){f', trial {run.trial}' if run.trial else ''}"
        if was is None or is_now is None:
            yield f"{name}: a run in {'B' if was is None else 'A'} alone", ()
            continue
        if was.inputs != is_now.inputs:
            name += f": inputs were {brief(was.inputs)}, now {brief(is_now.inputs)}"
        if not (was.has_envelope and is_now.has_envelope):
            words = [run.problem or run.outcome for run in (was, is_now)]
            if words[0] != words[1]:
                yield f"{name}: A {words[0]} -> B {words[1]}", ()
        elif lines := difference(was, is_now):
            yield name, tuple(lines)


def _pairs(before: Iterable[Run], after: Iterable[Run]) -> Iterator[tuple[Run | None, Run | None]]:
    """The runs of one workflow, API and trial, those of equal inputs first, and then in their order."""
    was, is_now = [*before], [*after]
    for with_inputs in (True, False):
        waiting: dict[tuple[str, ...], list[Run]] = defaultdict(list)
        for run in reversed(was):
            waiting[_place(run, with_inputs=with_inputs)].append(run)
        found = [(_next(waiting[_place(run, with_inputs=with_inputs)]), run) for run in is_now]
        yield from (pair for pair in found if pair[0] is not None)
        is_now = [run for one, run in found if one is None]
        taken = {id(one) for one, _ in found}
        was = [run for run in was if id(run) not in taken]
    yield from ((None, run) for run in is_now)
    yield from ((run, None) for run in was)


def _next(waiting: list[Run]) -> Run | None:
    return waiting.pop() if waiting else None


def _place(run: Run, *, with_inputs: bool) -> tuple[str, ...]:
    inputs = json.dumps(run.inputs, sort_keys=True) if with_inputs else ""
    return run.workflow, run.api, str(run.trial), inputs


# --- workflows


def _measures(before: Workflow, after: Workflow) -> Iterator[Measure]:
    was, is_now = pass_rate(before.tests), pass_rate(after.tests)
    chance = of_rates(was.passed, was.judged, is_now.passed, is_now.judged)
    yield Measure("pass rate", _rate(was), _rate(is_now), chance)
    for name, judge in (("p50", of_p50), ("p95", of_p95)):
        yield Measure(name, _took(before, name), _took(after, name), judge(before.seconds, after.seconds))


def _rate(rate: PassRate) -> str:
    """A pass rate with its 95 % interval."""
    low, high = interval(rate.passed, rate.judged)
    return f"{rate}, 95% interval {_rounded(low)} to {_rounded(high)}" if rate.judged else "no test with a verdict"


def _rounded(share: float) -> str:
    return percent(round(share, 3))


def _took(workflow: Workflow, name: str) -> str:
    if not workflow.seconds:
        return "no live run"
    return f"{seconds_text(workflow.p50 if name == 'p50' else workflow.p95)} ({count(len(workflow.seconds), 'run')})"
