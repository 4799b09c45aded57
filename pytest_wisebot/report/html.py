"""``report.html``: one file that a browser shows without any other file, and without scripts.

This module decides what is on the page, and the templates lay it out. Every string is escaped at one place, as it is
written into the page: the environment below escapes the value of each expression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ..gate_config import Gate
from ..outcomes import PASSED, REPORT_ORDER, SKIPPED, WITHOUT_RUN, XFAILED, XPASSED
from ..text import count, escape, truncate_middle
from .baseline import ROUNDING, Beside, Comparison
from .build_info import web_address
from .chance import Chance
from .changes import FAILING, HEADINGS, LEVEL_NOTE, NEWLY_FAILING, Changes
from .format import duration, seconds_text, time_of_day
from .history import Past, name_of
from .latency_plot import strips
from .model import Model, Test, all_counts, outcome_counts
from .page_budget import Budget, longest, share_bytes
from .rows import FILTERS, Group, Rows, RunRow, baseline_words
from .timeline import bar_title, timeline
from .trends import trends_of_tests, trends_of_workflows
from .verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_FILTERED: Final = 30
"""Workflows that the tests can be filtered by."""

NOTABLE_DROP: Final = 0.01
"""A drop of the pass rate that stands out, if the gate has no limit for it."""

NOTABLE_GROWTH: Final = 0.1
"""A growth of the p95 that stands out, if the gate has no limit for it."""


MOST_TRENDS: Final = 2_000
"""Tests that have a strip of their own; the page counts the others, which are the steadiest."""

OPEN_TRENDS: Final = 60
"""Tests whose strips are not folded; the worst ones."""


def html_report(model: Model, verdict: Verdict, baseline: Comparison | None = None, trend: Past | None = None) -> str:
    """The page of a session.

    Args:
        model: the session.
        verdict: whether the workflows may be deployed, and why not.
        baseline: how the session compares with an earlier one.
        trend: what the last sessions show, this one included.
    """
    page = {**_page(model, verdict, baseline), "history": _history(model, trend)}
    return _environment().get_template("page.html").render(page)


def changes_page(changes: Changes) -> str:
    """The page of two sessions beside each other."""
    failing = any(changes.lists[kind] for kind in (NEWLY_FAILING, FAILING))
    kind = "closed" if failing else "none" if changes.regressions else "plain"
    variables = {"changes": changes, "kind": kind, "headings": HEADINGS, "level_note": LEVEL_NOTE, "chances": _CHANCES}
    return _environment().get_template("changes.html").render(variables)


_CHANCES: Final = {Chance.MORE: "drift", Chance.WITHIN: "not-run", Chance.FEW: "not-run"}
"""How the change of a figure is drawn."""


def style_sheet() -> str:
    """The style of the page, which is in the page as well: some servers, such as Jenkins, allow only that of a file."""
    return _environment().get_template("style.css").render()


@cache
def _environment() -> Environment:
    """The environment of the templates, loaded only if there is a page to make."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"filtered_words": REPORT_ORDER, "filtered_workflows": range(MOST_FILTERED)}  # of the style
    made.filters |= {function.__name__: function for function in _FILTERS}
    return made


def _shown(value: Any) -> Any:
    """The value of an expression, before it is escaped as HTML. Markup has been here before."""
    return escape(value, keep="\n\t") if isinstance(value, str) and not hasattr(value, "__html__") else value


_FILTERS: Final[tuple[Callable[..., Any], ...]] = (
    *FILTERS, bar_title, count, duration, seconds_text, time_of_day, truncate_middle,
    web_address,
)  # fmt: skip


# --- the variables of the templates


def _page(model: Model, verdict: Verdict, baseline: Comparison | None) -> Mapping[str, Any]:
    """The variables of the templates."""
    rows = Rows(longest(len(model.runs)), len(model.runs), model.comparisons)
    newly_failing = frozenset(baseline.newly_failing) if baseline is not None else frozenset()
    groups = rows.groups((test for test in model.tests if test.uses_runs), newly_failing)
    others = rows.others(model.runs)
    counts = outcome_counts(model.tests)
    return {
        "model": model,
        "verdict": verdict,
        "baseline": baseline,
        "title": _title(verdict, counts),
        "counts": counts,
        "facts": list(_facts(model, baseline)),
        "baseline_words": baseline_words(baseline),
        "changes": [_change(one, model.gate) for one in baseline.workflows] if baseline is not None else [],
        "timeline": timeline(model),
        "strips": strips(model, baseline),
        "groups": groups,
        "others": others,
        "without_run": _without_run(model),
        "budget": _budget(groups, others),
        "run_anchors": rows.run_anchors,
        "test_anchors": rows.anchors,
        "workflow_numbers": _workflow_numbers(groups),
        "trial_outcomes": model.trial_outcomes,
    }


def _history(model: Model, trend: Past | None) -> Mapping[str, Any] | None:
    """The variables of the section about the last sessions; None without a history."""
    if trend is None:
        return None
    ids = {name_of(test.id): test.id for test in model.tests}
    used = {name_of(test.id) for test in model.tests if test.uses_runs}
    limits = {name: model.gate.of(name, "p95_seconds") for name in model.workflows}
    tests = [one for one in trends_of_tests(trend) if one.name in used]
    shown = tests[:MOST_TRENDS]
    unsteady = [one for one in shown if not one.is_steady]
    return {
        "file": trend.file,
        "sessions": trend.sessions,
        "left_out": trend.left_out,
        "ids": ids,
        "tests": unsteady[:OPEN_TRENDS],
        "folded": unsteady[OPEN_TRENDS:],
        "steady": [one for one in shown if one.is_steady],
        "more": max(0, len(tests) - MOST_TRENDS),
        "workflows": trends_of_workflows(trend, limits),
    }


def _title(verdict: Verdict, counts: Mapping[str, int]) -> str:
    """The verdict; of a session that is not gated, the outcomes of its tests."""
    if verdict.is_gated:
        return str(verdict.word)
    return ", ".join(f"{number:,} {word}" for word, number in counts.items()) or "No test used a run"


def _workflow_numbers(groups: Sequence[Group]) -> Mapping[str, int]:
    """The number of each workflow that the page can be filtered by, those with the most failed tests first."""
    failed: Counter[str] = Counter()
    for row in (row for group in groups for row in group.rows):
        failed.update(dict.fromkeys(row.test.workflows, int(row.failing)))
    worst_first = sorted(failed, key=lambda name: (-failed[name], name))
    return {name: number for number, name in enumerate(worst_first[:MOST_FILTERED])}


def _budget(groups: Sequence[Group], others: Sequence[RunRow]) -> Budget:
    rows = [row for group in groups for row in group.rows]
    passing = [excerpt for row in rows if not row.failing for excerpt in row.excerpts]
    passing += [block.excerpt for row in others for block in row.blocks]
    return share_bytes((excerpt for row in rows if row.failing for excerpt in row.excerpts), passing)


def _facts(model: Model, baseline: Comparison | None) -> Iterator[tuple[str, str]]:
    first, shards = model.sessions[0], len(model.sessions)
    started = [one.started for one in model.begun if one.started is not None]
    if started:
        yield "Started", time_of_day(min(started))
    yield "Took", _took(model)
    yield "Mode", ", ".join(sorted({one.mode for one in model.sessions}))
    yield "Runs", _runs(model)
    if model.second_environments:
        yield "Against", model.against_in_words
    if baseline is not None:
        failing, fixed, gone = (len(one) for one in (baseline.newly_failing, baseline.newly_fixed, baseline.missing))
        missing = f", {gone} missing" if gone else ""
        yield "Beside the baseline", f"{failing} newly failing, {fixed} newly fixed{missing}"
    found, used = all_counts(model.tests), outcome_counts(model.tests)
    rest = {word: found.get(word, 0) - used.get(word, 0) for word in (SKIPPED, XFAILED, WITHOUT_RUN)}
    if others := [f"{number:,} {word}" for word, number in rest.items() if number]:
        yield "Other tests", ", ".join(others)
    if quarantined := sum(test.is_quarantined for test in model.tests):
        yield "In quarantine", count(quarantined, "test")
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


def _change(one: Beside, gate: Gate) -> tuple[Beside, str, bool, bool]:
    """A workflow, why the drop of its pass rate is not judged, and whether its pass rate or its p95 stands out."""
    most_drop, most_growth = gate.of(one.name, "max_pass_rate_drop"), gate.of(one.name, "max_p95_growth")
    why_not_judged = one.why_drop_not_judged(most_drop) if most_drop is not None else ""
    drop = NOTABLE_DROP if most_drop is None else most_drop
    growth = NOTABLE_GROWTH if most_growth is None else most_growth
    rate_worse = not why_not_judged and one.drop > drop + ROUNDING
    return one, why_not_judged, rate_worse, not one.why_growth_not_judged and one.growth > growth + ROUNDING


def _without_run(model: Model) -> dict[str, list[Test]]:
    """The tests that used no run, by outcome; those that failed first."""
    tests = [test for test in model.tests if not test.uses_runs]
    well = (PASSED, SKIPPED, XFAILED, XPASSED)
    words = sorted({test.outcome for test in tests}, key=lambda word: (word in well, word))
    return {word: [test for test in tests if test.outcome == word] for word in words}
