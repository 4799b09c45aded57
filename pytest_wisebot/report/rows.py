"""What the page's rows show of tests and of their runs: names, facts, and texts that are still to be cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import dedent
from typing import Final

from ..outcomes import BAD, CRASHED, DRIFT, FAILED, FLAKY, INFRASTRUCTURE, NOT_RUN, PASSED
from ..text import count, truncate_middle
from .baseline import Comparison
from .format import seconds_text
from .model import Run, Test, Trials
from .page_budget import Excerpt, json_excerpt, text_excerpt
from .timeline import kind_of

LONGEST_NAME: Final = 240
"""Characters of an id that a row shows; a parameter may be of any length."""

LONGEST_REASON: Final = 280
"""Characters of why a test did not pass that are seen before its row is opened."""

OPEN_RUNS: Final = 2
"""Runs that are open at once when their test is opened; of more, those that did not end well."""

MOST_BEADS: Final = 20
"""Runs of one test that are told apart before its row is opened."""

FOLDED_TESTS: Final = 60
"""More tests that passed are folded."""

FOLDED_LINES: Final = 40
"""A text of more lines is folded."""

ORDER: Final = (FAILED, DRIFT, INFRASTRUCTURE, CRASHED, NOT_RUN, "error", FLAKY, PASSED, "xfailed", "skipped")
"""In which order the page tells tests: what did not pass first."""

SIGNS: Final = {
    PASSED: "✓",
    FLAKY: "~",
    FAILED: "✗",
    DRIFT: "Δ",
    INFRASTRUCTURE: "!",
    CRASHED: "†",
    NOT_RUN: "∅",
    "ok": "✓",
    "not recorded": "∅",
    "configuration": "!",
    "error": "!",
}
"""A sign for each outcome, beside its word: colour alone tells nothing to many."""

SOURCES: Final = {"live": "live", "emulator": "emulator", "recording": "recording", "last": "an earlier session"}


@dataclass(frozen=True, slots=True)
class Block:
    """A value or text of a run.

    Attributes:
        title: what it is.
        kind: how it is set: ``json``, ``text``, ``diff`` or ``command``.
        excerpt: its beginning.
    """

    title: str
    kind: str
    excerpt: Excerpt


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, under the first of the tests that used it.

    Attributes:
        anchor: its name in the page.
        elsewhere: it is shown under another test; here is a link.
        opened: it is open as soon as its test is.
        facts: names and values.
        blocks: what was sent, what came, and how to repeat it.
    """

    run: Run
    anchor: str
    elsewhere: bool
    opened: bool
    facts: tuple[tuple[str, str], ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def kind(self) -> str:
        """How its outcome is drawn."""
        return kind_of(self.run)

    @property
    def sign(self) -> str:
        """A sign for its outcome."""
        return SIGNS.get(self.run.outcome, "!")


@dataclass(frozen=True, slots=True)
class TestRow:
    """A test.

    Attributes:
        place: what of its id is where it stands; ``name``: the rest.
        failing: it did not pass: its texts are cut last.
        beside: what the baseline says of it; empty without one.
        reason: the beginning of why it did not pass.
        said: what the failure says; ``text``: as pytest shows it; None where nothing is to be said.
    """

    __test__ = False  # for pytest, which takes the name for a class of tests

    test: Test
    anchor: str
    place: str
    name: str
    failing: bool
    beside: str
    reason: str
    said: Excerpt | None
    text: Excerpt | None
    runs: tuple[RunRow, ...]

    @property
    def kind(self) -> str:
        """How its outcome is drawn."""
        return kind_of_test(self.test.outcome)

    @property
    def sign(self) -> str:
        """A sign for its outcome."""
        return SIGNS.get(self.test.outcome, "·")

    @property
    def apis(self) -> tuple[str, ...]:
        """The APIs that were asked for it, each once."""
        return tuple(dict.fromkeys(row.run.api for row in self.runs))

    @property
    def beads(self) -> tuple[RunRow, ...]:
        """Some of its runs at a glance, where it has several."""
        return self.runs[:MOST_BEADS] if len(self.runs) > 1 else ()

    @property
    def excerpts(self) -> Iterator[Excerpt]:
        """Every text that may be cut."""
        yield from (one for one in (self.said, self.text) if one is not None)
        yield from (block.excerpt for row in self.runs for block in row.blocks)


@dataclass(frozen=True, slots=True)
class Name:
    """A test of which nothing but the name is shown.

    Attributes:
        place: its file and class; ``name``: the rest of its id.
        anchor: the name in the page of its row; empty where it has none.
    """

    place: str
    name: str
    anchor: str


@dataclass(frozen=True, slots=True)
class TestGroup:
    """The tests of one outcome."""

    __test__ = False

    word: str
    rows: tuple[TestRow, ...]

    @property
    def anchor(self) -> str:
        """Its name in the page."""
        return anchor_of(self.word)

    @property
    def folded(self) -> bool:
        """Whether there are so many that passed that they would hide the rest of the page."""
        return self.word == PASSED and len(self.rows) > FOLDED_TESTS

    @property
    def kind(self) -> str:
        """How the outcome is drawn."""
        return kind_of_test(self.word)

    @property
    def sign(self) -> str:
        """A sign for the outcome."""
        return SIGNS.get(self.word, "·")


def kind_of_test(word: str) -> str:
    """How an outcome is drawn; those that have no say all alike."""
    return word.replace(" ", "-") if word in SIGNS else "beside"


def anchor_of(word: str) -> str:
    """The name in the page of the tests of an outcome."""
    return f"tests-{word.replace(' ', '-')}"


class Rows:
    """Makes the rows of a page, and remembers which runs it has shown."""

    def __init__(self, anchors: Mapping[str, str], longest: int, baseline: Comparison | None) -> None:
        """Rows for a page.

        Args:
            anchors: the name in the page of each run, by its reference.
            longest: characters of one text that are worth looking at.
            baseline: how the session compares with an earlier one.
        """
        self._anchors = anchors
        self._longest = longest
        self._shown: set[str] = set()
        self._numbers = itertools.count(1)
        self._tests: dict[str, str] = {}
        self._beside = dict(_beside(baseline)) if baseline is not None else {}

    def groups(self, tests: Iterable[Test]) -> tuple[TestGroup, ...]:
        """The tests that used runs, by outcome."""
        of: dict[str, list[Test]] = {}
        for test in tests:
            of.setdefault(test.outcome, []).append(test)
        words = [*(word for word in ORDER if word in of), *sorted(of.keys() - {*ORDER})]
        return tuple(TestGroup(word, tuple(self._test(test) for test in of[word])) for word in words)

    def name(self, nodeid: str) -> Name:
        """A test's name, for lists of them; with a link where there is a row of it already."""
        return Name(*_parted(nodeid), self._tests.get(nodeid, ""))

    def others(self, runs: Iterable[Run]) -> tuple[RunRow, ...]:
        """The runs that no row has shown: those of wider fixtures that no test was said to use."""
        return tuple(self._run(run, opened=False) for run in runs if run.reference not in self._shown)

    def _test(self, test: Test) -> TestRow:
        place, name = _parted(test.id)
        anchor = f"test-{next(self._numbers)}"
        self._tests.setdefault(test.id, anchor)
        failing = test.outcome in BAD or test.outcome in (FLAKY, "error")
        few = len(test.runs) <= OPEN_RUNS
        runs = tuple(self._run(run, opened=few or run.outcome != "ok" or bool(run.contradiction)) for run in test.runs)
        said = dedent(test.said).strip() if failing or test.text else ""
        whole = test.text.strip() not in ("", said)
        return TestRow(
            test,
            anchor,
            place,
            name,
            failing,
            self._beside.get(test.id, ""),
            _reason(said) if failing else "",
            text_excerpt(said, self._longest) if said else None,
            text_excerpt(test.text, self._longest) if whole else None,
            runs,
        )

    def _run(self, run: Run, *, opened: bool) -> RunRow:
        anchor = self._anchors[run.reference]
        if run.reference in self._shown:
            return RunRow(run, anchor, elsewhere=True, opened=False)
        self._shown.add(run.reference)
        return RunRow(run, anchor, False, opened, tuple(_facts(run)), tuple(_blocks(run, self._longest)))


def _beside(baseline: Comparison) -> Iterator[tuple[str, str]]:
    for word, tests in (
        ("newly failing", baseline.newly_failing),
        ("failed before", baseline.still_failing),
        ("newly fixed", baseline.newly_fixed),
        ("new test", baseline.new),
    ):
        yield from ((test, word) for test in tests)


def _parted(nodeid: str) -> tuple[str, str]:
    """A test's file and class, and its own name with its parameters."""
    head, bracket, parameters = nodeid.partition("[")
    place, colons, name = head.rpartition("::")
    return truncate_middle(place + colons, LONGEST_NAME), truncate_middle(name + bracket + parameters, LONGEST_NAME)


def _reason(said: str) -> str:
    """The first lines of what a failure says, on one."""
    lines = [line.strip() for line in said[: 4 * LONGEST_REASON].splitlines() if line.strip()]
    text = " · ".join(lines[:6])
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    yield "runId", run.run_id or "none"
    if run.trace and not run.run_id:
        yield "trace", run.trace
    if run.contradiction:
        yield "contradicted by", run.contradiction
    yield "source", _source(run)
    if run.seconds is not None:
        yield "seconds", seconds_text(run.seconds)
    if run.queued is not None and run.started is not None and not run.is_kept:
        yield "waited", seconds_text(max(0.0, run.started - run.queued))
    yield "attempts", str(run.attempts)
    if run.status is not None:
        yield "HTTP status", str(run.status)
    if run.trial:
        yield "trial", str(run.trial)
    if run.fixture:
        yield "asked by", f"fixture {run.fixture}"
    if run.shared:
        yield "shared", "by equal requests"
    if run.problem:
        yield "error class", run.problem


def _source(run: Run) -> str:
    source = SOURCES.get(run.source, run.source) or "no answer"
    return f"{source}, made {moment(run.made)}" if run.is_kept and run.made is not None else source


def moment(seconds: float) -> str:
    """A time of day for people."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return "at an unknown time"


def _blocks(run: Run, longest: int) -> Iterator[Block]:
    if run.message:
        yield Block("error message", "text", text_excerpt(run.message, longest))
    if run.note:
        yield Block("note", "text", text_excerpt(run.note, longest))
    if run.diff:
        yield Block("differs from its recording", "diff", text_excerpt("\n".join(run.diff), longest))
    if run.error is not None:
        yield Block("error", "json", json_excerpt(run.error, longest))
    if run.inputs:
        yield Block("inputs", "json", json_excerpt(run.inputs, longest))
    if run.has_result:
        yield Block("result", "json", json_excerpt(run.result, longest))
    for index, command in enumerate(run.commands):
        title = "repeat it with curl" if command.startswith("curl") else "or with Wisebot's command"
        yield Block(title if len(run.commands) > 1 or index else "repeat it", "command", text_excerpt(command, longest))


def trials_text(trials: Trials) -> str:
    """What became of a test's trials."""
    judged = trials.passes + trials.failures
    rest = trials.trials - judged
    not_needed = f"; {count(rest, 'trial')} not needed" if rest > 0 else ""
    return f"passed {trials.passes} of {judged}, and {trials.min_passes} of {trials.trials} had to pass{not_needed}"
