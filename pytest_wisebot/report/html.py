"""``report.html``: one file that a browser shows without any other file, and without scripts.

This module decides what is on the page, and the templates lay it out. Every string is escaped at one place, as it is
written into the page: the environment below escapes the value of each expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ..gate_config import Gate
from ..outcomes import PASSED, SKIPPED, WITHOUT_RUN, XFAILED, XPASSED
from ..text import count, escape, truncate_middle
from .baseline import ROUNDING, Beside, Comparison
from .format import duration, seconds_text, time_of_day
from .latency_plot import strips
from .model import Model, all_counts, outcome_counts
from .page_budget import Budget, longest, share_bytes
from .rows import FILTERS, Rows, RunRow, TestRow, baseline_words
from .timeline import bar_title, timeline
from .verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

NOTABLE_DROP: Final = 0.01
"""A drop of the pass rate that stands out, if the gate has no limit for it."""

NOTABLE_GROWTH: Final = 0.1
"""A growth of the p95 that stands out, if the gate has no limit for it."""


def html_report(model: Model, verdict: Verdict, baseline: Comparison | None = None) -> str:
    """The page of a session.

    Args:
        model: the session.
        verdict: whether the workflows may be deployed, and why not.
        baseline: how the session compares with an earlier one.
    """
    return _environment().get_template("page.html").render(_page(model, verdict, baseline))


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
    made.filters |= {function.__name__: function for function in _FILTERS}
    return made


def _shown(value: Any) -> Any:
    """The value of an expression, before it is escaped as HTML. Markup has been here before."""
    return escape(value, keep="\n\t") if isinstance(value, str) and not hasattr(value, "__html__") else value


_FILTERS: Final[tuple[Callable[..., Any], ...]] = (
    *FILTERS, bar_title, count, duration, seconds_text, time_of_day, truncate_middle,
)  # fmt: skip


# --- the variables of the templates


def _page(model: Model, verdict: Verdict, baseline: Comparison | None) -> Mapping[str, Any]:
    """The variables of the templates."""
    rows = Rows(longest(len(model.runs)), model.comparisons)
    groups, others = rows.groups(test for test in model.tests if test.uses_runs), rows.others(model.runs)
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
        "run_anchors": {run.reference: f"run-{number}" for number, run in enumerate(model.runs, 1)},
        "test_anchors": rows.anchors,
        "trial_outcomes": model.trial_outcomes,
    }


def _title(verdict: Verdict, counts: Mapping[str, int]) -> str:
    """The verdict; of a session that is not gated, the outcomes of its tests."""
    if verdict.is_gated:
        return str(verdict.word)
    return ", ".join(f"{number:,} {word}" for word, number in counts.items()) or "No test used a run"


def _budget(groups: Sequence[tuple[str, Sequence[TestRow]]], others: Sequence[RunRow]) -> Budget:
    rows = [row for _, several in groups for row in several]
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


def _without_run(model: Model) -> dict[str, list[str]]:
    """The tests that used no run, by outcome; those that failed first."""
    tests = [test for test in model.tests if not test.uses_runs]
    well = (PASSED, SKIPPED, XFAILED, XPASSED)
    words = sorted({test.outcome for test in tests}, key=lambda word: (word in well, word))
    return {word: [test.id for test in tests if test.outcome == word] for word in words}
