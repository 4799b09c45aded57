"""Everything that the page shows, as plain values in the order of the page: its templates only lay it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..gate_config import Gate
from ..outcomes import SKIPPED, WITHOUT_RUN, XFAILED
from ..text import count, truncate_middle
from .baseline import Beside, Comparison
from .format import percent, seconds_text
from .latency_plot import Strip, strips
from .model import Model, Session, all_counts, outcome_counts
from .page_budget import Budget, longest, room
from .rows import SIGNS, Name, Rows, RunRow, TestGroup, anchor_of, kind_of_test, moment
from .timeline import Timeline, timeline
from .verdict import GateRule, GateStatus, RuleState, Verdict

MOST_LISTED: Final = 500
"""Tests that a list of names alone holds."""

LONGEST_CELL: Final = 1200
"""Characters of what a rule has measured: it may name tests, and these may be long."""

NOTABLE_DROP: Final = 0.01
"""A drop of the pass rate that stands out, where the gate has no limit for it."""

NOTABLE_GROWTH: Final = 0.1
"""A growth of the p95 that stands out, where the gate has no limit for it."""

KINDS: Final = {
    GateStatus.OPEN: "open",
    GateStatus.CLOSED: "closed",
    GateStatus.NO_VERDICT: "none",
    GateStatus.NOT_GATED: "plain",
}
"""How a verdict is drawn."""

STATES: Final = {
    RuleState.OK: ("✓", "kept", "passed"),
    RuleState.CLOSED: ("✗", "broken", "failed"),
    RuleState.NO_VERDICT: ("?", "no verdict", "infrastructure"),
    RuleState.NOT_JUDGED: ("·", "not judged", "not-run"),
}
"""A rule's sign, its word, and how it is drawn."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many tests ended in one way: ``share`` is their part of the whole, in per cent."""

    word: str
    kind: str
    sign: str
    many: int
    share: float

    @property
    def anchor(self) -> str:
        """The name in the page of these tests."""
        return anchor_of(self.word)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the gate, in words."""

    title: str
    wanted: str
    measured: str
    sign: str
    word: str
    kind: str


@dataclass(frozen=True, slots=True)
class Names:
    """Tests of which nothing but the name is shown: ``rest`` is how many are left out."""

    title: str
    kind: str
    sign: str
    tests: tuple[Name, ...]
    rest: int
    many: int


@dataclass(frozen=True, slots=True)
class Then:
    """A workflow beside its baseline, in words. The doubts say why nothing can be founded on a figure."""

    name: str
    rate_now: str
    rate_then: str
    moved: str
    rate_doubt: str
    rate_worse: bool
    p95_now: str
    p95_then: str
    grown: str
    p95_doubt: str
    p95_worse: bool


@dataclass(frozen=True, slots=True)
class Head:
    """The verdict, and what the session was.

    Attributes:
        kind: how the verdict is drawn.
        gated: the verdict decided about the exit code.
        targets: whom it asked; more than one where shards did not ask the same.
        shards: where there were several.
        counts: how the tests that used runs ended.
    """

    kind: str
    word: str
    gated: bool
    code: int
    targets: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    shards: tuple[Session, ...]
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that keep the gate shut, or would if there was one, and the others."""

    shut: tuple[Rule, ...]
    others: tuple[Rule, ...]
    gated: bool

    @property
    def title(self) -> str:
        """What there is to say of them."""
        if self.shut:
            return "What keeps the gate shut" if self.gated else "What would keep a gate shut"
        kept = all(one.kind == STATES[RuleState.OK][2] for one in self.others)
        return "The rules, all kept" if kept else "The rules, none broken"


@dataclass(frozen=True, slots=True)
class Compared:
    """The session beside its baseline: tests by what became of them, and workflows."""

    name: str
    tests: tuple[Names, ...]
    workflows: tuple[Then, ...]


@dataclass(frozen=True, slots=True)
class Tests:
    """The rows, and what has none.

    Attributes:
        groups: the tests that used runs, by outcome.
        others: runs of wider fixtures that no test was said to use.
        unreported: tests that were to run and have not ended.
        without: tests that used no run, by outcome.
        room: what each text may take.
    """

    groups: tuple[TestGroup, ...]
    others: tuple[RunRow, ...]
    unreported: Names
    without: tuple[Names, ...]
    room: Budget

    @property
    def many(self) -> int:
        """How many tests used runs."""
        return sum(len(group.rows) for group in self.groups)


@dataclass(frozen=True, slots=True)
class Page:
    """The page. ``anchors`` are the names in it of all runs, by their references."""

    head: Head
    rules: Rules
    compared: Compared | None
    timeline: Timeline
    anchors: dict[str, str]
    strips: tuple[Strip, ...]
    tests: Tests
    version: str


def page(model: Model, verdict: Verdict, baseline: Comparison | None) -> Page:
    """What the page of a session shows."""
    anchors = {run.reference: f"run-{number}" for number, run in enumerate(model.runs, 1)}
    rows = Rows(anchors, longest(len(model.runs)), baseline)
    tests = _tests(model, rows)  # before all that links to rows
    return Page(
        _head(model, verdict, baseline),
        _rules(verdict),
        _compared(baseline, model.gate, rows) if baseline is not None else None,
        timeline(model),
        anchors,
        strips(model, baseline),
        tests,
        model.sessions[0].version,
    )


def _tests(model: Model, rows: Rows) -> Tests:
    groups = rows.groups(test for test in model.tests if test.uses_runs)
    others = rows.others(model.runs)
    unreported = _names("never reported", "not-run", "∅", model.unreported, rows)
    return Tests(groups, others, unreported, tuple(_without(model, rows)), _room(groups, others))


def _head(model: Model, verdict: Verdict, baseline: Comparison | None) -> Head:
    return Head(
        KINDS[verdict.word],
        _title(model, verdict),
        verdict.word is not GateStatus.NOT_GATED,
        verdict.code,
        tuple(model.targets),
        tuple(_facts(model, verdict, baseline)),
        model.sessions if len(model.sessions) > 1 else (),
        tuple(_counts(model)),
    )


def _title(model: Model, verdict: Verdict) -> str:
    """The verdict; of a session that nobody judges, how its tests ended."""
    if verdict.word is not GateStatus.NOT_GATED:
        return str(verdict.word)
    counts = outcome_counts(model.tests)
    return ", ".join(f"{many:,} {word}" for word, many in counts.items()) or "No test used a run"


def _rules(verdict: Verdict) -> Rules:
    reasons = verdict.reasons
    others = tuple(_rule(row) for row in verdict.rows if row not in reasons)
    return Rules(tuple(map(_rule, reasons)), others, verdict.word is not GateStatus.NOT_GATED)


def _compared(baseline: Comparison, gate: Gate, rows: Rows) -> Compared:
    workflows = tuple(_then(one, gate) for one in baseline.workflows)
    return Compared(baseline.name, tuple(_beside(baseline, rows)), workflows)


def _room(groups: Sequence[TestGroup], others: Sequence[RunRow]) -> Budget:
    rows = [row for group in groups for row in group.rows]
    return room(
        (one for row in rows if row.failing for one in row.excerpts),
        [
            *(one for row in rows if not row.failing for one in row.excerpts),
            *(block.excerpt for row in others for block in row.blocks),
        ],
    )


def _facts(model: Model, verdict: Verdict, baseline: Comparison | None) -> Iterator[tuple[str, str]]:
    first, many = model.sessions[0], len(model.sessions)
    started = [one.started for one in model.sessions if one.started is not None]
    if started:
        yield "Started", moment(min(started))
    yield "Took", _took(model)
    yield "Mode", ", ".join(sorted({one.mode for one in model.sessions}))
    yield "Runs", _runs(model)
    if baseline is not None:
        failing, fixed, gone = (len(one) for one in (baseline.newly_failing, baseline.newly_fixed, baseline.missing))
        missing = f", {gone} missing" if gone else ""
        yield "Beside the baseline", f"{failing} newly failing, {fixed} newly fixed{missing}"
    if (others := _others(model)) and verdict.word is not GateStatus.NOT_GATED:
        yield "Other tests", others
    if first.gate.select:
        yield "Tests selected by", first.gate.select
    if many > 1:
        yield "Shards", str(many)
    elif first.split is not None:
        yield "Shard", f"{first.split[0]} of {first.split[1]}"


def _others(model: Model) -> str:
    """The tests that the verdict's counts leave out: skipped, xfailed, or without a run."""
    found = all_counts(model.tests)
    return ", ".join(f"{found[word]:,} {word}" for word in (SKIPPED, XFAILED, WITHOUT_RUN) if word in found)


def _took(model: Model) -> str:
    spans = [one.ended - one.started for one in model.sessions if one.ended is not None and one.started is not None]
    if len(spans) < len(model.sessions):
        return "unknown: ended before its end"
    longest_one = " (the longest shard)" if len(spans) > 1 else ""
    return f"{duration(max(0.0, *spans, 0.0))}{longest_one}"


def duration(seconds: float) -> str:
    """How long something took, for people."""
    if seconds < 120:
        return seconds_text(seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _runs(model: Model) -> str:
    """How many runs, and of which kinds where they are not all alike."""
    live, kept = sum(run.is_live for run in model.runs), sum(run.is_kept for run in model.runs)
    unanswered = len(model.runs) - live - kept
    again = sum(run.attempts > 1 for run in model.runs)
    if live == len(model.runs) and live:
        return f"{live:,} live" + (f" ({again:,} retried)" if again else "")
    parts = [(live, "live"), (kept, "made earlier"), (unanswered, "without an answer"), (again, "retried")]
    said = ", ".join(f"{many:,} {word}" for many, word in parts if many)
    return f"{len(model.runs):,}" + (f" ({said})" if said else "")


def _counts(model: Model) -> Iterator[Count]:
    found = outcome_counts(model.tests)
    total = sum(found.values())
    for word, many in found.items():
        yield Count(word, kind_of_test(word), SIGNS.get(word, "·"), many, round(100 * many / total, 3))


def _rule(row: GateRule) -> Rule:
    title, wanted, measured = (truncate_middle(text, LONGEST_CELL) for text in (row.title, row.wanted, row.measured))
    return Rule(title, wanted, measured, *STATES[row.state])


def _beside(baseline: Comparison, rows: Rows) -> Iterator[Names]:
    yield _names("newly failing", "failed", "✗", baseline.newly_failing, rows)
    yield _names("failed before, too", "failed", "✗", baseline.still_failing, rows)
    yield _names("newly fixed", "passed", "✓", baseline.newly_fixed, rows)
    yield _names("not in the baseline", "beside", "+", baseline.new, rows)
    if baseline.missing:
        yield _names("missing", "failed", "-", baseline.missing_in_words, rows)
    if baseline.missing_workflows:
        yield _names("workflows missing", "failed", "-", baseline.missing_workflows, rows)


def _names(title: str, kind: str, sign: str, tests: Sequence[str], rows: Rows) -> Names:
    shown = tuple(rows.name(test) for test in tests[:MOST_LISTED])
    return Names(title, kind, sign, shown, len(tests) - len(shown), len(tests))


def _then(one: Beside, gate: Gate) -> Then:
    most_drop, most_growth = gate.of(one.name, "max_pass_rate_drop"), gate.of(one.name, "max_p95_growth")
    rate_doubt = one.doubt_of_drop(most_drop) if most_drop is not None else ""
    drop = NOTABLE_DROP if most_drop is None else most_drop
    growth = NOTABLE_GROWTH if most_growth is None else most_growth
    return Then(
        name=one.name,
        rate_now=_rate(one.now),
        rate_then=_rate(one.then),
        moved=f"{-100 * one.drop:+.3g} points" if abs(one.drop) > 0.0005 else "as before",
        rate_doubt=rate_doubt,
        rate_worse=not rate_doubt and one.drop > drop + 1e-9,
        p95_now=seconds_text(one.p95_now) if one.p95_now is not None else "none",
        p95_then=seconds_text(one.p95_then) if one.p95_then is not None else "none",
        grown=f"{100 * one.growth:+.3g}%" if one.p95_now and one.p95_then else "",
        p95_doubt=one.doubt_of_growth,
        p95_worse=not one.doubt_of_growth and one.growth > growth + 1e-9,
    )


def _rate(passed_of: tuple[int, int]) -> str:
    passed, judged = passed_of
    return f"{percent(passed / judged)} ({passed} of {judged})" if judged else "none"


def _without(model: Model, rows: Rows) -> Iterator[Names]:
    """The tests that used no run, by outcome; those that failed first."""
    tests = [test for test in model.tests if not test.uses_runs]
    for word in sorted({test.outcome for test in tests}, key=_last_if_well):
        several = [test.id for test in tests if test.outcome == word]
        yield _names(word, kind_of_test(word), SIGNS.get(word, "·"), several, rows)


def _last_if_well(word: str) -> tuple[bool, str]:
    return word in ("passed", "skipped", "xfailed", "xpassed"), word


def without_in_words(without: Sequence[Names]) -> str:
    """How many tests used no run, and how these ended."""
    many = Counter({one.title: one.many for one in without})
    return f"{count(many.total(), 'test')} used no run: " + ", ".join(f"{n:,} {word}" for word, n in many.items())
