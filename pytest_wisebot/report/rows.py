"""The rows of the page: tests and their runs, with facts, and with values and strings that are still to be cut."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Final, NamedTuple

from ..outcomes import BAD, DRIFT, ERROR, FAILED, FLAKY, PASSED, REPORT_ORDER, SKIPPED, TABLE, Outcome
from ..text import run_id_text, truncate_middle
from .baseline import Comparison
from .format import seconds_text, time_of_day
from .model import NOT_NEEDED, Compared, Run, Test
from .page_budget import Excerpt, json_excerpt, text_excerpt

LONGEST_NAME: Final = 240
"""Characters of an id that a row shows; a parameter may be of any length."""

LONGEST_REASON: Final = 280
"""Characters of the reason that a closed row shows."""

MOST_RUNS_WHOLE: Final = 1_500
"""Runs of a session from which on tests that passed are rows without what was sent and what came."""

MOST_FAILING_WHOLE: Final = 1_000
"""Runs of tests that did not pass, of which more are rows as well."""

MOST_ROWS: Final = 6_000
"""Tests that have a row; the rest is counted."""

FEWEST_ALIKE: Final = 3
"""Tests that failed for the same reason, from which on the first one stands for all."""

OPEN_RUNS: Final = 2
"""A test with at most so many runs shows them open; of more runs, those that did not end well are open."""

RUN_KINDS: Final = {
    "ok": "ok",
    "failed": "failed",
    "infrastructure": "infrastructure",
    "not run": "not-run",
    "not recorded": "not-run",
    "configuration": "error",
    "error": "error",
}
"""How a run is drawn, by its outcome."""

TRIAL_KINDS: Final = {
    PASSED: "passed",
    FAILED: "failed",
    DRIFT: "drift",
    SKIPPED: "not-run",
    "no verdict": "infrastructure",
    NOT_NEEDED: "not-run",
}
"""How a trial is drawn, by its outcome."""


class Block(NamedTuple):
    """A value or string of a run; ``kind`` is ``json``, ``text``, ``diff`` or ``command``."""

    title: str
    kind: str
    excerpt: Excerpt


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, under the first of the tests that used it.

    Attributes:
        run: the run.
        elsewhere: whether it is shown under another test, and this row is a link.
        opened: whether it is open when its test is opened.
        blocks: what was sent, what came, and how to repeat it.
        beside: how it compares with the run of a second environment, in words; empty if there is none.
    """

    run: Run
    elsewhere: bool
    opened: bool
    blocks: tuple[Block, ...] = ()
    beside: str = ""


@dataclass(frozen=True, slots=True)
class TestRow:
    """A test.

    Attributes:
        test: the test.
        anchor: its name in the page.
        failing: whether it did not pass: its strings are cut last.
        reason: the beginning of why it did not pass.
        said: the message of the failure; None without one.
        text: pytest's text of the failure; None if it adds nothing to ``said``.
        whole: whether it can be opened, for its failure and its runs.
    """

    __test__ = False  # for pytest, which would collect a class of this name

    test: Test
    anchor: str
    failing: bool
    reason: str
    said: Excerpt | None = None
    text: Excerpt | None = None
    runs: tuple[RunRow, ...] = ()
    whole: bool = False

    @property
    def excerpts(self) -> Iterator[Excerpt]:
        """Every string that may be cut."""
        yield from (one for one in (self.said, self.text) if one is not None)
        yield from (block.excerpt for row in self.runs for block in row.blocks)


class Alike(NamedTuple):
    """Tests of one outcome that failed for the same reason, or one test: the first one, and the others."""

    first: TestRow
    others: Sequence[TestRow] = ()


class Group(NamedTuple):
    """The tests of one outcome, and how many of them have no row."""

    outcome: str
    alike: Sequence[Alike]
    rest: int

    @property
    def rows(self) -> list[TestRow]:
        """All rows."""
        return [row for one in self.alike for row in (one.first, *one.others)]


class Rows:
    """Makes the rows of a page. Each run is shown once.

    Attributes:
        anchors: the name in the page of each test that has a row, by its id.
        run_anchors: that of each run, by its reference: its own, or that of its test.
    """

    def __init__(
        self, longest: int, runs: int, comparisons: Mapping[str, tuple[Compared, Run | None]] | None = None
    ) -> None:
        """Rows of a page.

        Args:
            longest: the most characters of one string.
            runs: how many runs the session has.
            comparisons: how runs compare with those of a second environment, by their references.
        """
        self._comparisons = comparisons or {}
        self.anchors: dict[str, str] = {}
        self.run_anchors: dict[str, str] = {}
        self._longest = longest
        self._passing_whole = runs <= MOST_RUNS_WHOLE
        self._failing_whole = MOST_FAILING_WHOLE
        self._left = MOST_ROWS

    def groups(self, tests: Iterable[Test], first: Collection[str] = ()) -> list[Group]:
        """The rows of tests that used runs, by outcome, the worst first.

        Args:
            tests: the tests.
            first: ids of those that come first of their outcome, such as newly failing ones.
        """
        of: dict[str, list[Test]] = {}
        for test in tests:
            of.setdefault(test.outcome, []).append(test)
        words = [*(word for word in REPORT_ORDER if word in of), *sorted(of.keys() - {*REPORT_ORDER})]
        return [self._group(word, of[word], first) for word in words]

    def _group(self, word: str, tests: Sequence[Test], first: Collection[str]) -> Group:
        in_order = sorted(tests, key=lambda test: test.id not in first)
        shown, rest = in_order[: self._left], in_order[self._left :]
        self._left -= len(shown)
        for run in (run for test in rest for run in test.runs):
            self.run_anchors.setdefault(run.reference, f"tests-{word.replace(' ', '-')}")
        if not is_failing(word):
            return Group(word, [Alike(self._test(test)) for test in shown], len(rest))
        alike: dict[str, list[Test]] = {}
        for test in shown:
            alike.setdefault(_same_for_all(test), []).append(test)
        sets = [[one] for several in alike.values() if len(several) < FEWEST_ALIKE for one in several]
        sets = [*(several for several in alike.values() if len(several) >= FEWEST_ALIKE), *sets]
        sets.sort(key=lambda several: (several[0].id not in first, -len(several)))
        return Group(word, [_alike(map(self._test, several)) for several in sets], len(rest))

    def others(self, runs: Iterable[Run]) -> list[RunRow]:
        """The rows of runs that no test has shown, such as those of higher-scoped fixtures."""
        return [self._run(run, opened=False) for run in runs if run.reference not in self.run_anchors]

    def _test(self, test: Test) -> TestRow:
        anchor = anchor_of(test)
        self.anchors.setdefault(test.id, anchor)
        failing = is_failing(test.outcome)
        said = dedent(test.said).strip() if failing or test.text else ""
        row = TestRow(test, anchor, failing, _reason(said) if failing else "")
        if not (self._failing_whole > 0 if failing else self._passing_whole):
            for run in test.runs:
                self.run_anchors.setdefault(run.reference, anchor)
            return row
        self._failing_whole -= len(test.runs) if failing else 0
        few = len(test.runs) <= OPEN_RUNS
        runs = tuple(self._run(run, opened=few or _is_telling(run, test)) for run in test.runs)
        adds = test.text.strip() not in ("", said)
        why = text_excerpt(said, self._longest) if said else None
        text = text_excerpt(test.text, self._longest) if adds else None
        return replace(row, said=why, text=text, runs=runs, whole=True)

    def _run(self, run: Run, *, opened: bool) -> RunRow:
        if run.reference in self.run_anchors:
            return RunRow(run, elsewhere=True, opened=False)
        self.run_anchors[run.reference] = f"run-{len(self.run_anchors) + 1}"
        compared, other = self._comparisons.get(run.reference, (Compared(), None))
        blocks = [*_blocks(run, self._longest)]
        if compared.diff:
            excerpt = text_excerpt("\n".join(compared.diff), self._longest)
            blocks.insert(0, Block(f"differs from that of {_where(other)}", "diff", excerpt))
        return RunRow(run, False, opened, tuple(blocks), _beside(compared, other) if compared.run else "")


def _where(run: Run | None) -> str:
    return run.environment or "the second environment" if run is not None else "the second environment"


def _beside(compared: Compared, other: Run | None) -> str:
    """How a run compares with that of a second environment."""
    if compared.why_not:
        return f"nothing: {compared.why_not}"
    noise = f"; left out: {', '.join(compared.noise)}" if compared.noise else ""
    run_id = f", runId {run_id_text(other.run_id)}" if other is not None and other.run_id else ""
    return f"{_where(other)}{run_id}: {'drifted' if compared.diff else 'alike'}{noise}"


def _alike(rows: Iterable[TestRow]) -> Alike:
    first, *others = rows
    return Alike(first, others)


def is_failing(word: str) -> bool:
    """Whether a test of this outcome did not pass, or not at once."""
    return word in (FLAKY, ERROR, *BAD)


def anchor_of(test: Test) -> str:
    """The name of a test in a page: the same in each session, so that a link to it stays right."""
    name = f"{test.worker}:{test.id}".encode(errors="surrogatepass")
    return f"test-{hashlib.sha1(name, usedforsecurity=False).hexdigest()[:12]}"


_OF_ONE_RUN: Final = re.compile(
    r"\b[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b|\b\w*(?=\w*\d)[0-9a-f]{12,}\b|(?<=\d:)\d{4,5}\b"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+\S*|\b\d+(?:\.\d+)?(?= ?m?s\b)"
)
"""What two failures for the same reason may differ in: traces, ids, ports, moments and durations."""


def _same_for_all(test: Test) -> str:
    """The reason of a failure without what is of its run alone; of a test that states no reason, its own id."""
    said = test.said[: 4 * LONGEST_REASON]
    if not said.strip():
        return test.id
    for run_id in {run.run_id for run in test.runs if run.run_id}:
        said = said.replace(run_id, "…")
    return f"{test.problem} {_OF_ONE_RUN.sub('…', said)}"


def _is_telling(run: Run, test: Test) -> bool:
    """Whether a run of many is open: it did not end well, or its trial did not."""
    trial = test.trials.outcome_of(run.trial) if test.trials is not None else ""
    return run.outcome != "ok" or bool(run.contradiction) or trial not in ("", PASSED, NOT_NEEDED)


def outcome(word: str) -> Outcome:
    """The row of an outcome in the table of outcomes; a default one for a word that only a later version has."""
    return TABLE.get(word, Outcome())


def outcome_kind(word: str) -> str:
    """How the outcome of a test is drawn: all without a sign of their own alike."""
    return word.replace(" ", "-") if outcome(word).sign != Outcome().sign else "beside"


def run_kind(run: Run) -> str:
    """How a run is drawn; one of an outcome that only a later version has, as an error."""
    return RUN_KINDS.get(run.outcome, "error")


def run_sign(run: Run) -> str:
    """The sign of a run's outcome, which is that of a test."""
    kind = run_kind(run)
    return outcome("passed" if kind == "ok" else kind.replace("-", " ")).sign


def split_id(nodeid: str) -> tuple[str, str]:
    """A test's file and class, and its own name with its parameters."""
    head, bracket, parameters = nodeid.partition("[")
    place, colons, name = head.rpartition("::")
    return brief(place + colons), brief(name + bracket + parameters)


def trial_kind(word: str) -> str:
    """How a trial is drawn, by its outcome."""
    return TRIAL_KINDS.get(word, "error")


def trial_sign(word: str) -> str:
    """The sign of a trial's outcome: that of a test; of one that shows nothing, of a rule without a verdict."""
    return TABLE[word].sign if word in TABLE and word != SKIPPED else "·" if word in (NOT_NEEDED, SKIPPED) else "?"


def run_time(test: Test) -> float | None:
    """Seconds of the runs that a test used, without those that were made earlier; None without any."""
    took = [run.seconds for run in test.runs if run.seconds is not None and not run.is_kept]
    return sum(took) if took else None


def brief(text: str) -> str:
    """A name of bounded length."""
    return truncate_middle(text, LONGEST_NAME)


def baseline_words(baseline: Comparison | None) -> Mapping[str, str]:
    """How each test compares with the baseline."""
    if baseline is None:
        return {}
    lists = {
        "newly failing": baseline.newly_failing,
        "failed before": baseline.still_failing,
        "newly fixed": baseline.newly_fixed,
        "new test": baseline.new,
    }
    return {test: word for word, tests in lists.items() for test in tests}


def _reason(said: str) -> str:
    """The first lines of a failure's message, on one line."""
    lines = [line.strip() for line in said[: 4 * LONGEST_REASON].splitlines() if line.strip()]
    text = " · ".join(lines[:6])
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def run_facts(run: Run) -> Mapping[str, str]:
    """Names and values of a run."""
    waited = None if run.queued is None or run.started is None or run.is_kept else max(0.0, run.started - run.queued)
    source = "an earlier session" if run.source == "last" else run.source or "no answer"
    made = f", made {time_of_day(run.made)}" if run.is_kept and run.made is not None else ""
    facts = {
        "runId": run_id_text(run.run_id),
        "trace": run.trace if not run.run_id else "",
        "contradicted by": run.contradiction,
        "source": f"{source}{made}",
        "seconds": seconds_text(run.seconds, ""),
        "waited": seconds_text(waited, ""),
        "attempts": str(run.attempts),
        "HTTP status": "" if run.status is None else str(run.status),
        "trial": str(run.trial) if run.trial else "",
        "asked by": f"fixture {run.fixture}" if run.fixture else "",
        "shared": "by equal requests" if run.shared else "",
        "error class": run.problem,
    }
    return {name: value for name, value in facts.items() if value}


def _blocks(run: Run, longest: int) -> Iterator[Block]:
    texts = {"error message": run.message, "note": run.note}
    yield from (Block(title, "text", text_excerpt(text, longest)) for title, text in texts.items() if text)
    if run.diff:
        yield Block("differs from its recording", "diff", text_excerpt("\n".join(run.diff), longest))
    if run.error is not None:
        yield Block("error", "json", json_excerpt(run.error, longest))
    if run.inputs:
        yield Block("inputs", "json", json_excerpt(run.inputs, longest))
    if run.has_result:
        yield Block("result", "json", json_excerpt(run.result, longest))
    for command in run.commands:
        title = "repeat it with curl" if command.startswith("curl") else "or with Wisebot's command"
        yield Block(title if len(run.commands) > 1 else "repeat it", "command", text_excerpt(command, longest))


def reason_of(test: Test) -> str:
    """The beginning of why a test failed; empty if it did not."""
    return _reason(dedent(test.said).strip()) if is_failing(test.outcome) else ""


def workflow_class(name: str, numbers: Mapping[str, int]) -> str:
    """The class of a workflow's tests, by which they are filtered; empty for one without a button."""
    return f"w{numbers[name]}" if name in numbers else ""


FILTERS: Final = (
    anchor_of, brief, outcome, outcome_kind, reason_of, run_facts, run_kind, run_sign, run_time, split_id,
    trial_kind, trial_sign, workflow_class,
)  # fmt: skip
"""Filters of the templates."""
