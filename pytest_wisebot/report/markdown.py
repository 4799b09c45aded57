"""The summary of a session for the page of a CI job: the verdict, the tests that did not pass, and the workflows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ..outcomes import BAD, DRIFT, ERROR, FAILED, FLAKY, OUTCOMES, PASSED, SKIPPED, XFAILED, rank
from ..quarantine import Quarantine
from ..text import brief, count, escape, truncate
from .baseline import Comparison
from .build_info import web_address
from .changes import HEADINGS, LEVEL_NOTE, Changes, Side, TestChange
from .format import percent, seconds_text, time_of_day
from .gate import Conclusion
from .history import name_of
from .model import NOT_NEEDED, Compared, Model, Run, Test, Workflow, counts_in_words, outcome_counts, pass_rate
from .rows import anchor_of
from .trends import notes_of_tests
from .verdict import GateRule, RuleState

MOST_BYTES: Final = 900 * 1024
"""GitHub drops a page of more than 1 MiB as a whole, without a message."""

MOST_OF_A_TEST: Final = 6_000
"""Characters of a failure."""

MOST_ROWS: Final = 300
"""Rows of a table, and names of a list."""

MOST_RUNS: Final = 10
"""Runs of one test."""

MOST_OF_INPUTS: Final = 300
"""Characters of the inputs of a run."""

_COLUMNS: Final = (*OUTCOMES, SKIPPED, XFAILED)
"""The outcomes of tests that used runs: each test of a workflow is in one of these columns."""

_MARKS: Final = {
    RuleState.OK: "✅ ok",
    RuleState.CLOSED: "❌ closed",
    RuleState.NO_VERDICT: "⚠️ no verdict",
    RuleState.NOT_JUDGED: "▫️ not judged",
}


def markdown_report(conclusion: Conclusion, most: int = MOST_BYTES, page: str = "") -> str:
    """The summary. It counts what it leaves out.

    Args:
        conclusion: what it is about.
        most: bytes that it may take; with too few for its tables it is the verdict and the counts, or empty.
        page: the file of the page that lies beside it, to whose tests it links; empty if none does.
    """
    model = conclusion.model
    head = "\n".join([*_head(conclusion), *_beside(conclusion.comparison), ""])
    tail = "\n".join([*_quarantined(model), *_unreported(model), *_workflows(model), ""])
    room = most - len(head.encode()) - len(tail.encode()) - 500
    if room >= 0:
        return f"{head}\n{_failures(conclusion, room, page)}{tail}"
    short = f"{_title(conclusion)}\n{_counts(conclusion)}\n**This page has no room for more.**\n"
    return short if len(short.encode()) <= most else ""


# --- the verdict


def _head(conclusion: Conclusion) -> Iterator[str]:
    verdict = conclusion.verdict
    yield _title(conclusion)
    yield _counts(conclusion)
    yield from _where_from(conclusion.model)
    if verdict.rows:
        yield "| | rule | wanted | measured |"
        yield "|---|---|---|---|"
        yield from map(_row, verdict.rows[:MOST_ROWS])
        yield from _left_out(len(verdict.rows) - MOST_ROWS, "rule")


def _title(conclusion: Conclusion) -> str:
    verdict, title = conclusion.verdict, conclusion.model.report.title
    word = verdict.word if verdict.is_gated else "Wisebot workflows"
    return f"# {_plain(f'{title}: ') if title else ''}{word}\n"


def _counts(conclusion: Conclusion) -> str:
    model = conclusion.model
    targets = ", ".join(map(_code, model.targets)) or "no target"
    against = f"\nBeside a second environment, {_plain(model.against_in_words)}\n" if model.second_environments else ""
    return f"**{counts_in_words(model.tests)}**; {count(model.live_runs, 'live run')} against {targets}\n{against}"


def _where_from(model: Model) -> Iterator[str]:
    """Commit, branch, pull request and job; of shards what they have in common."""
    build = model.build
    job = [f"job {_linked(_code(build.job_words), web_address(build.job_url))}"] if build.job_words else []
    if known := [*(f"{name} {_code(value)}" for name, value in build.where), *job]:
        yield f"From {', '.join(known)}\n"


def _row(row: GateRule) -> str:
    title = f"{_cell(row.workflow)}: {row.rule}" if row.workflow else _plain(row.rule)
    measured = "<br>".join([_plain(row.figure), *map(_name, row.name_lines)])
    return f"| {_MARKS[row.state]} | {title} | {_plain(row.wanted)} | {measured} |"


def _name(line: str) -> str:
    """A test id on a line of its own in a table; the count of omitted tests is not formatted as an id."""
    return _plain(line) if line.startswith("and ") else _cell(line)


def _beside(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        return
    yield f"\n## Beside {_code(comparison.name)}\n"
    for number, (heading, names) in enumerate(comparison.lists.items()):
        if (names or number < 3) and heading != "not in it":
            yield f"- {heading.capitalize()}: {len(names)}"
            yield from _names(names, "workflow" if "workflow" in heading else "test", indent="  ")
    if comparison.workflows:
        yield "\n| workflow | pass rate | p95 |"
        yield "|---|---|---|"
        shown = comparison.workflows[:MOST_ROWS]
        yield from (f"| {_cell(one.name)} | {_plain(one.rates)} | {_plain(one.p95s)} |" for one in shown)


# --- what did not pass


def _failures(conclusion: Conclusion, room: int, page: str) -> str:
    """As many tests that did not pass as fit into so many bytes, the worst outcome first.

    Args:
        conclusion: the session.
        room: bytes.
        page: the page beside this summary; empty without one.
    """
    model, notes = conclusion.model, notes_of_tests(conclusion.trend)
    tests = [test for test in model.tests if test.outcome in (FLAKY, ERROR, *BAD)]
    if not tests:
        return ""
    text = "## What did not pass\n\n"
    tests.sort(key=lambda test: rank(FAILED if test.outcome == ERROR else test.outcome))
    for number, test in enumerate(tests):
        note = notes.get(name_of(test.id), "")
        section = "\n".join(_failure(test, model, note, page)) + "\n"
        if len((text + section).encode()) > room:
            rest = count(len(tests) - number, "more test")
            return f"{text}\n**{rest} did not pass, and this page has no room for it**.\n\n"
        text += section
    return text


def _beside_run(compared: Compared, model: Model) -> str:
    """A run of the second environment that differs."""
    _, other = model.comparisons.get(compared.run, (compared, None))
    where = (other.environment if other is not None else None) or "the second environment"
    run_id = f", runId {_code(other.run_id)}" if other is not None and other.run_id else ""
    word = f" {other.outcome}" if other is not None else ""
    return f"{_code(compared.workflow)} over {_code(where)}{word}{run_id}: differs (+)"


def _failure(test: Test, model: Model, note: str, page: str) -> Iterator[str]:
    quarantined = " (quarantined)" if test.is_quarantined else ""
    yield f"### {test.outcome}{quarantined}: {_code(test.id)}\n"
    if page:
        yield f"[on the page]({page}#{anchor_of(test)})\n"
    if note:
        yield f"- {_plain(note)}"
    yield from _trials(test)
    runs = sorted(test.runs, key=lambda run: _rank_of_trial(test, run))
    for run in runs[:MOST_RUNS]:
        yield f"- {_about(run, test, model)}"
    yield from _left_out(len(test.runs) - MOST_RUNS, "run")
    differing = [one for one in test.compared if one.diff]
    yield from (f"- {_beside_run(one, model)}" for one in differing[:MOST_RUNS])
    yield from _left_out(len(differing) - MOST_RUNS, "run")
    diff = [line for run in test.runs for line in run.diff] or [line for one in differing for line in one.diff]
    said = test.said if not diff or test.outcome != DRIFT else "\n".join(diff)
    yield f"\n{_fenced(said)}" if said else ""


def _trials(test: Test) -> Iterator[str]:
    """The trials of a test: how many passed, which did not and why, and which were not needed."""
    if test.trials is None:
        return
    yield f"- trials: {test.trials}"
    for outcome, numbers, why in test.trials.alike[:MOST_RUNS]:
        yield f"  - {outcome}: {numbers}{f': {_plain(why)}' if why else ''}"
    yield from _left_out(len(test.trials.alike) - MOST_RUNS, "kind", "  ")


def _rank_of_trial(test: Test, run: Run) -> int:
    """The runs of trials that passed, or were not needed, come after the others."""
    word = test.trials.outcome_of(run.trial) if test.trials is not None else ""
    return 2 if word == NOT_NEEDED else word == PASSED


def _about(run: Run, test: Test, model: Model) -> str:
    took = f", {seconds_text(run.seconds)}" if run.seconds is not None else ""
    attempts = f", {run.attempts} attempts" if run.attempts > 1 else ""
    kept = f", {run.source}" if run.is_kept else ""
    link = model.link_of_run(run)
    run_id = (
        f", runId {_linked(_code(run.run_id), link)}"
        if run.run_id
        else f", trace {_code(run.trace)}"
        if run.trace
        else ""
    )
    word = test.trials.outcome_of(run.trial) if test.trials is not None else ""
    trial = f"trial {run.trial} {word}".rstrip() + ": " if run.trial else ""
    against = f", contradicts itself: {run.contradiction}" if run.contradiction else ""
    what = _plain(f"{run.problem or run.outcome}{against}")
    inputs = f", inputs {_code(brief(run.inputs, MOST_OF_INPUTS))}" if run.inputs else ""
    workflow = _linked(_code(run.workflow), model.link_of_workflow(run.workflow))
    return f"{trial}{workflow} ({run.api}) {what}{run_id}{took}{attempts}{kept}{inputs}"


# --- the rest


def _quarantined(model: Model) -> Iterator[str]:
    """The tests in quarantine, those that failed first."""
    tests = [test for test in model.tests if test.quarantine is not None]
    if not tests:
        return
    tests.sort(key=lambda test: rank(test.outcome))
    yield "## Quarantine\n"
    yield "| test | outcome | owner | until | reason |"
    yield "|---|---|---|---|---|"
    for test in tests[:MOST_ROWS]:
        one = test.quarantine or Quarantine()
        ends = f" ({one.end_in_words})" if one.end_in_words else ""
        owner, reason = (_plain(truncate(text, MOST_OF_INPUTS)) for text in (one.owner, one.reason))
        yield f"| {_cell(test.id)} | {test.outcome} | {owner} | {one.until}{ends} | {reason} |"
    yield from _left_out(len(tests) - MOST_ROWS, "test")
    yield ""


def _unreported(model: Model) -> Iterator[str]:
    if model.unreported and model.tests:  # without any test that has ended, the rules count them
        yield f"## {count(len(model.unreported), 'test')} never reported\n"
        yield from _names(model.unreported, "test")
        yield ""


def _workflows(model: Model) -> Iterator[str]:
    if not model.workflows:
        return
    yield "## Workflows\n"
    yield f"| workflow | tests | {' | '.join(_COLUMNS)} | pass rate | live runs | p50 | p95 | slowest |"
    yield "|---" * (len(_COLUMNS) + 7) + "|"
    worst_first = sorted(model.workflows.values(), key=lambda one: (pass_rate(one.tests).share, one.name))
    yield from (_workflow(one, model.link_of_workflow(one.name)) for one in worst_first[:MOST_ROWS])
    yield from _left_out(len(worst_first) - MOST_ROWS, "workflow")


def _workflow(workflow: Workflow, link: str) -> str:
    counts, rate = outcome_counts(workflow.tests), pass_rate(workflow.tests)
    times = [seconds_text(workflow.took(share)) if workflow.seconds else "-" for share in (0.5, 0.95, 1.0)]
    numbers = [str(counts.get(outcome, "-")) for outcome in _COLUMNS]
    share = percent(rate.share) if rate.judged else "-"
    name = _linked(_cell(workflow.name), link)
    cells = [name, str(len(workflow.tests)), *numbers, share, str(len(workflow.seconds)), *times]
    return f"| {' | '.join(cells)} |"


def _names(names: Sequence[str], noun: str, indent: str = "") -> Iterator[str]:
    yield from (f"{indent}- {_code(name)}" for name in names[:MOST_ROWS])
    yield from _left_out(len(names) - MOST_ROWS, noun, indent)


def _left_out(number: int, noun: str, indent: str = "") -> Iterator[str]:
    if number > 0:
        yield f"{indent}- and {count(number, f'more {noun}')}"


# --- two sessions beside each other


def changes_markdown(changes: Changes, most: int = MOST_BYTES) -> str:
    """Two sessions beside each other. It counts what it leaves out.

    Args:
        changes: what it is about.
        most: bytes that it may take; the lists of tests are always there.
    """
    text = "\n".join([*_changes_head(changes), *_changed_tests(changes), *_changed_workflows(changes), ""])
    if not changes.differing:
        return text
    text += f"\n## Results: {len(changes.differing)} of {count(changes.compared, 'test')} with runs in both differ\n\n"
    for number, one in enumerate(changes.differing):
        section = "\n".join(_differing(one)) + "\n"
        if len((text + section).encode()) > most:
            rest = count(len(changes.differing) - number, "more test")
            return f"{text}\n**The results of {rest} differ, and this page has no room for them**.\n"
        text += section
    return text


def _changes_head(changes: Changes) -> Iterator[str]:
    yield f"# {changes.title}\n"
    yield "| | session | against | began | tests |"
    yield "|---|---|---|---|---|"
    yield from (f"| {side.letter} | {_cell(side.name)} | {_side(side)} |" for side in (changes.a, changes.b))
    yield ""
    yield from (f"- {_plain(remark)}" for remark in changes.remarks)


def _side(side: Side) -> str:
    when = time_of_day(side.started) if side.started is not None else "unknown"
    return f"{_cell(side.target)} | {when} | {_plain(side.counts)}"


def _changed_tests(changes: Changes) -> Iterator[str]:
    for number, (kind, tests) in enumerate(changes.lists.items()):
        if tests or not number:
            yield f"\n## {kind.capitalize()}: {len(tests)}\n\nThese tests: {HEADINGS[kind]}.\n"
            yield from (f"- {_changed(one)}" for one in tests[:MOST_ROWS])
            yield from _left_out(len(tests) - MOST_ROWS, "test")


def _changed(one: TestChange) -> str:
    """A test and its outcomes, on one line."""
    why = f": {_plain(one.why)}" if one.why else ""
    return f"{_code(one.id)} {_plain(one.words)}{why}" + (f", now {_code(one.maybe)}?" if one.maybe else "")


def _changed_workflows(changes: Changes) -> Iterator[str]:
    if not changes.workflows:
        return
    yield "\n## Workflows\n"
    yield "| workflow | | A | B | the difference is |"
    yield "|---|---|---|---|---|"
    for workflow in changes.workflows[:MOST_ROWS]:
        for one in workflow.measures:
            yield f"| {_cell(workflow.name)} | {one.name} | {_plain(one.before)} | {_plain(one.after)} | {one.chance} |"
    yield from _left_out(len(changes.workflows) - MOST_ROWS, "workflow")
    yield f"\n{_plain(LEVEL_NOTE)}."


def _differing(one: TestChange) -> Iterator[str]:
    yield f"### {_code(one.id)}\n"
    for name, lines in one.results[:MOST_RUNS]:
        yield f"{_plain(name)}\n"
        yield _fenced("\n".join(lines), "diff") if lines else ""
    yield from _left_out(len(one.results) - MOST_RUNS, "run")


# --- strings without a meaning in Markdown


def _code(text: str) -> str:
    """A string as inline code on one line: no mention, no link, no HTML."""
    line = re.sub(r"\s", " ", escape(text, keep="\n\t"))[:500]
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    if not longest:
        return f"`{line}`"
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}"


def _cell(text: str) -> str:
    """The same in a table, where a bar would end the cell, even in code."""
    return _code(text).replace("|", "\\|")


def _linked(shown: str, address: str) -> str:
    """A formatted string as a link to an address, which has no character that would end it; as it is without one."""
    return f"[{shown}](<{address}>)" if address else shown


def _plain(text: str) -> str:
    """A string as words; syntax of Markdown and GitHub is escaped."""
    line = re.sub(r"\s", " ", escape(text, keep="\n\t"))[:2000]
    return re.sub(r"([\\`*_{}\[\]<>#|~!&])", r"\\\1", line).replace("@", "@<!-- -->").replace("://", ":<!-- -->//")


def _fenced(text: str, language: str = "text") -> str:
    """A string as a block of code, in a fence that is longer than any inside."""
    shown = escape(text, keep="\n\t")
    if len(shown) > MOST_OF_A_TEST:
        shown = f"{shown[:MOST_OF_A_TEST]}\n… {len(shown):,} characters in all"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence}{language}\n{shown}\n{fence}\n"
