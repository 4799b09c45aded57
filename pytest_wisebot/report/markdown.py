"""The summary of a session for the page of a CI job: the verdict first, what did not pass next, then the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..outcomes import BAD, CRASHED, DRIFT, FAILED, FLAKY, INFRASTRUCTURE, NOT_RUN, OUTCOMES
from ..text import count, escape
from .baseline import Comparison
from .conclusion import Conclusion
from .format import percent, seconds_text
from .model import Model, Run, Test, Workflow, counts_in_words, outcome_counts, pass_rate
from .verdict import GateRule, GateStatus, RuleState

MOST_BYTES: Final = 900 * 1024
"""GitHub drops a page of more than 1 MiB as a whole, without a word."""

MOST_OF_A_TEST: Final = 6_000
"""Characters that a failure has room for."""

MOST_ROWS: Final = 300
"""Workflows and names that a list has room for."""

MOST_RUNS: Final = 10
"""Runs of one test that are listed."""

_MARKS: Final = {
    RuleState.OK: "✅ ok",
    RuleState.CLOSED: "❌ closed",
    RuleState.NO_VERDICT: "⚠️ no verdict",
    RuleState.NOT_JUDGED: "▫️ not judged",
}
_URGENCY: Final = {FAILED: 0, DRIFT: 1, INFRASTRUCTURE: 2, CRASHED: 3, NOT_RUN: 4, FLAKY: 5}


def markdown_report(conclusion: Conclusion) -> str:
    """The summary, never larger than `MOST_BYTES`; what it leaves out it says."""
    model = conclusion.model
    head = "\n".join([*_head(conclusion), *_beside(conclusion.comparison), ""])
    tail = "\n".join([*_unreported(model), *_workflows(model), ""])
    room = MOST_BYTES - len(head.encode()) - len(tail.encode()) - 500
    return f"{head}\n{_failures(model, room)}{tail}"


# --- the verdict


def _head(conclusion: Conclusion) -> Iterator[str]:
    model, verdict = conclusion.model, conclusion.verdict
    word = "Wisebot workflows" if verdict.word is GateStatus.NOT_GATED else str(verdict.word)
    yield f"# {word}\n"
    counts = counts_in_words(model.tests)
    targets = ", ".join(map(_code, model.targets))
    yield f"**{counts}**; {count(sum(run.is_live for run in model.runs), 'live run')} against {targets}\n"
    if verdict.rows:
        yield "| | rule | wanted | measured |"
        yield "|---|---|---|---|"
        yield from map(_row, verdict.rows[:MOST_ROWS])
        yield from _left_out(len(verdict.rows) - MOST_ROWS, "rule")


def _row(row: GateRule) -> str:
    title = f"{_cell(row.workflow)}: {row.rule}" if row.workflow else _plain(row.rule)
    return f"| {_MARKS[row.state]} | {title} | {_plain(row.wanted)} | {_plain(row.measured)} |"


def _beside(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        return
    yield f"\n## Beside {_code(comparison.name)}\n"
    groups = {
        "Newly failing": comparison.newly_failing,
        "Failing before, too": comparison.still_failing,
        "Newly fixed": comparison.newly_fixed,
    }
    gone = {"Missing": comparison.missing_in_words, "Workflows missing": comparison.missing_workflows}
    groups |= {what: tuple(names) for what, names in gone.items() if names}
    for what, tests in groups.items():
        yield f"- {what}: {len(tests)}"
        yield from (f"  - {_code(test)}" for test in tests[:MOST_ROWS])
        yield from _left_out(len(tests) - MOST_ROWS, "workflow" if "Workflows" in what else "test", indent="  ")
    if comparison.workflows:
        yield "\n| workflow | pass rate | p95 |"
        yield "|---|---|---|"
        shown = comparison.workflows[:MOST_ROWS]
        yield from (f"| {_cell(one.name)} | {_plain(one.rates)} | {_plain(one.p95s)} |" for one in shown)


# --- what did not pass


def _failures(model: Model, room: int) -> str:
    """As many of them as there is room for, the most urgent first."""
    tests = [test for test in model.tests if test.outcome in _URGENCY or test.outcome in ("error", *BAD)]
    if not tests:
        return ""
    text = "## What did not pass\n\n"
    for number, test in enumerate(sorted(tests, key=lambda one: _URGENCY.get(one.outcome, 0))):
        section = "\n".join(_failure(test)) + "\n"
        if len((text + section).encode()) > room:
            rest = count(len(tests) - number, "more test")
            return f"{text}\n**{rest} did not pass, and this page has no room for it**: see the report.\n\n"
        text += section
    return text


def _failure(test: Test) -> Iterator[str]:
    yield f"### {test.outcome}: {_code(test.id)}\n"
    for run in test.runs[:MOST_RUNS]:
        yield f"- {_about(run)}"
    yield from _left_out(len(test.runs) - MOST_RUNS, "run")
    diff = [line for run in test.runs for line in run.diff]
    said = test.said if not diff or test.outcome != DRIFT else "\n".join(diff)
    yield f"\n{_fenced(said)}" if said else ""


def _about(run: Run) -> str:
    took = f", {seconds_text(run.seconds)}" if run.seconds is not None else ""
    attempts = f", {run.attempts} attempts" if run.attempts > 1 else ""
    kept = f", {run.source}" if run.is_kept else ""
    run_id = f", runId {_code(run.run_id)}" if run.run_id else f", trace {_code(run.trace)}" if run.trace else ""
    trial = f"trial {run.trial}: " if run.trial else ""
    against = f", contradicts itself: {run.contradiction}" if run.contradiction else ""
    what = _plain(f"{run.problem or run.outcome}{against}")
    return f"{trial}{_code(run.workflow)} ({run.api}) {what}{run_id}{took}{attempts}{kept}"


# --- the rest


def _unreported(model: Model) -> Iterator[str]:
    if not model.unreported:
        return
    yield f"## {count(len(model.unreported), 'test')} never reported\n"
    yield from (f"- {_code(test)}" for test in model.unreported[:MOST_ROWS])
    yield from _left_out(len(model.unreported) - MOST_ROWS, "test")
    yield ""


def _workflows(model: Model) -> Iterator[str]:
    if not model.workflows:
        return
    yield "## Workflows\n"
    yield f"| workflow | tests | {' | '.join(OUTCOMES)} | pass rate | live runs | p50 | p95 | slowest |"
    yield "|---" * (len(OUTCOMES) + 7) + "|"
    names = sorted(model.workflows, key=lambda name: (_rate_of(model.workflows[name]), name))
    yield from (_workflow(model.workflows[name]) for name in names[:MOST_ROWS])
    yield from _left_out(len(names) - MOST_ROWS, "workflow")


def _rate_of(workflow: Workflow) -> float:
    """The share of a workflow's tests that passed; all, where none has a verdict."""
    passed, judged = pass_rate(workflow.tests)
    return passed / judged if judged else 1.0


def _workflow(workflow: Workflow) -> str:
    counts = outcome_counts(workflow.tests)
    _, judged = pass_rate(workflow.tests)
    rate = percent(_rate_of(workflow)) if judged else "-"
    times = [seconds_text(workflow.took(share)) if workflow.seconds else "-" for share in (0.5, 0.95, 1.0)]
    numbers = [str(counts.get(outcome, 0) or "-") for outcome in OUTCOMES]
    cells = [_cell(workflow.name), str(len(workflow.tests)), *numbers, rate, str(len(workflow.seconds)), *times]
    return f"| {' | '.join(cells)} |"


def _left_out(number: int, what: str, indent: str = "") -> Iterator[str]:
    if number > 0:
        yield f"{indent}- and {count(number, f'more {what}')}"


# --- text that means nothing


def _code(text: str) -> str:
    """A text that is shown as it is, on one line: no mention, no link, no HTML."""
    line = re.sub(r"\s", " ", escape(text, keep="\n\t"))[:500]
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    if not longest:
        return f"`{line}`"
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}"


def _cell(text: str) -> str:
    """The same in a table, where a stroke would end the cell, in code or not."""
    return _code(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """A text of words, in which what Markdown or GitHub would obey is escaped."""
    line = re.sub(r"\s", " ", escape(text, keep="\n\t"))[:2000]
    return re.sub(r"([\\`*_{}\[\]<>#|~!&])", r"\\\1", line).replace("@", "@<!-- -->").replace("://", ":<!-- -->//")


def _fenced(text: str) -> str:
    """A block of text as it is, whatever fences stand in it."""
    shown = escape(text, keep="\n\t")
    if len(shown) > MOST_OF_A_TEST:
        shown = f"{shown[:MOST_OF_A_TEST]}\n… {len(shown):,} characters in all, see the report"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}\n"
