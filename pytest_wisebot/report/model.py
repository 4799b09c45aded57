"""A session as plain data: the tests and runs of its event log. Every report is made of this alone."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

from ..gate_config import Gate, ReportConfig
from ..outcomes import (
    DRIFT,
    FAILED,
    FLAKY,
    GOOD,
    INFRASTRUCTURE,
    JUDGED,
    OUTCOMES,
    PASSED,
    SKIPPED,
    WITHOUT_RUN,
    XFAILED,
)
from ..quarantine import Quarantine
from ..runs import AGAINST
from ..shapes import Moment
from ..text import count
from .build_info import BuildInfo, common, run_link, workflow_link
from .format import numbered, percent, percentile

NOT_NEEDED: Final = "not needed"
"""The word for a trial that was not made, because the earlier ones had decided."""


@dataclass(frozen=True)
class Run:
    """A run that has ended. Moments are seconds since the epoch; None if unknown.

    Attributes:
        reference: its name in the log, unique in the model.
        workflow: the name that the tests use.
        outcome: ``ok``, ``failed`` (an envelope with ``ok: false``), ``infrastructure``, ``not run``, ``not recorded``,
            ``configuration`` or ``error``.
        test: the id of the test that requested the run; for a higher-scoped fixture, the node of its scope.
        fixture: the higher-scoped fixture that requested the run; empty if a test did.
        trial: the trial of its test, from 1; 0 without trials.
        queued: when it was requested.
        started: when it was admitted.
        ended: when it ended.
        made: when it was made; for a kept run that is before this session.
        seconds: duration of its last attempt, without queueing and back-off.
        attempts: requests that were sent for it.
        lag: seconds that this package itself may have added to ``seconds``.
        clock_ahead: seconds that the server's clock was ahead of this machine's, by its answer.
        source: ``live``, ``emulator``, ``recording`` or ``last``; empty without an envelope.
        problem: class of the error that it ended with; empty with an envelope.
        message: message of that error.
        commands: shell commands that repeat it.
        diff: difference from its recording, line by line.
        contradiction: what in its answer contradicts its own ``ok: true``; empty without a contradiction.
        trace: the header ``traceparent`` of its last attempt; empty if none was sent.
        side: ``against`` for a run over a second environment, ``repetition`` with its number for one of the first;
            empty for a run that a test judges.
        environment: the environment that was in force, if any.
        session: index of its session in the model.
    """

    reference: str
    workflow: str = ""
    api: str = ""
    outcome: str = "error"
    test: str = ""
    fixture: str = ""
    trial: int = 0
    shared: bool = False
    workflow_id: str = ""
    run_id: str | None = None
    status: int | None = None
    queued: Moment | None = None
    started: Moment | None = None
    ended: Moment | None = None
    made: Moment | None = None
    seconds: float | None = None
    attempts: int = 0
    lag: float = 0.0
    clock_ahead: float = 0.0
    source: str = ""
    inputs: Any = None
    has_result: bool = False
    result: Any = None
    error: Any = None
    problem: str = ""
    message: str = ""
    commands: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    note: str = ""
    contradiction: str = ""
    trace: str = ""
    side: str = ""
    environment: str | None = None
    session: int = 0

    @property
    def has_envelope(self) -> bool:
        """Whether the workflow answered."""
        return self.outcome in ("ok", "failed")

    @property
    def is_live(self) -> bool:
        """Whether the workflow answered in this session."""
        return self.has_envelope and self.source in ("live", "emulator")

    @property
    def is_kept(self) -> bool:
        """Whether it was made earlier."""
        return self.source in ("recording", "last")


@dataclass(frozen=True)
class Trial:
    """One trial: ``passed``, ``failed``, ``drift``, ``skipped``, ``error`` or ``no verdict``, and why."""

    outcome: str = ""
    why: str = ""


class SameTrials(NamedTuple):
    """Trials of a test that ended alike.

    Attributes:
        outcome: that of each, or `NOT_NEEDED`.
        numbers: their numbers in words, such as ``trials 1, 3 to 5``.
        why: the reason that they have in common.
    """

    outcome: str
    numbers: str
    why: str


@dataclass(frozen=True)
class Trials:
    """The trials of a test.

    Attributes:
        trials: how many at most.
        min_passes: how many had to pass.
        passes: how many passed.
        failures: how many failed.
        why: the reason of the first one that failed.
        ended: how the trial ended that ended them all without a verdict; empty if there is one.
        each: the trials that were made, in order; empty in a log of an earlier version.
    """

    trials: int = 0
    min_passes: int = 0
    passes: int = 0
    failures: int = 0
    why: str = ""
    ended: str = ""
    each: tuple[Trial, ...] = ()

    def __str__(self) -> str:
        judged = self.passes + self.failures
        end = f", then {self.ended} in trial {judged + 1}" if self.ended else ""
        rest = max(0, self.trials - max(judged, len(self.each)))
        not_needed = f"; {rest} {NOT_NEEDED}" if rest and not self.ended else ""
        return f"passed {self.passes}/{judged}{end}, {self.min_passes} of {self.trials} wanted{not_needed}"

    def outcome_of(self, number: int) -> str:
        """The outcome of a trial; empty if it is unknown."""
        if number > len(self.each):
            return NOT_NEEDED if self.each else ""
        return self.each[number - 1].outcome if number > 0 else ""

    @property
    def alike(self) -> list[SameTrials]:
        """The trials by outcome and reason: those that failed first, and last those that were not needed."""
        found: dict[tuple[str, str], list[int]] = {}
        for number, one in enumerate(self.each, 1):
            found.setdefault((one.outcome, one.why), []).append(number)
        if rest := range(len(self.each) + 1, self.trials + 1) if self.each else ():
            found[NOT_NEEDED, ""] = [*rest]
        last = (PASSED, NOT_NEEDED)
        in_order = sorted(found.items(), key=lambda one: last.index(one[0][0]) + 1 if one[0][0] in last else 0)
        return [SameTrials(outcome, numbered(numbers, "trial"), why) for (outcome, why), numbers in in_order]


@dataclass(frozen=True)
class Compared:
    """How a run compares with that of a second environment.

    Attributes:
        run: its name in the log, unique in the model; likewise ``beside``, the run of the second environment, and
            ``again``, the repetitions of the first.
        workflow: its workflow.
        diff: the differences, line by line; empty if there is none.
        noise: the paths that differ among the runs of the first environment, and were left out.
        why_not: why it was not compared; empty for one that was.
    """

    run: str = ""
    workflow: str = ""
    beside: str = ""
    again: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    why_not: str = ""


_REFERENCE: Final = re.compile(r'^ *\.\.\. all \d+ lines are below, in the section "(.+)"$', re.MULTILINE)
"""What stands in a failure for the lines of a section that pytest shows below it; reports do not have that section."""


def _with_section(said: str, text: str) -> str:
    """The message of a failure with the lines of the section that it refers to."""
    found = _REFERENCE.search(said)
    if found is None:
        return said
    _, heading, rest = text.partition(f" {found[1]} -")
    lines = rest.partition("\n")[2].splitlines()
    section = "\n".join(itertools.takewhile(lambda line: not re.match(r"-{3,} .+ -{3,}$", line), lines)).strip()
    head = said[: found.start()].rstrip("\n")
    if not heading or not section:
        return head
    first = section.partition("\n")[0].strip()  # the section begins with the lines that stand above the reference
    above = itertools.takewhile(lambda line: line.strip() != first, head.split("\n"))
    return "\n".join([*above, *(f"  {line}" for line in section.split("\n"))])


_NATIVE: Final = "Traceback (most recent call last):"
_OF_PYTEST: Final = re.compile(r"All traceback entries are hidden\.|\[gw\d+\] \w+ -- Python ")
"""Begins a line of pytest's own, or of xdist's, around a failure without a traceback."""


def _without_traceback(text: str) -> str:
    """The message of a failure that has no line of an error: its first paragraph; of a traceback, the last line."""
    text = "\n".join(line for line in text.splitlines() if not _OF_PYTEST.match(line)).strip()
    return text.rpartition("\n")[2] if _NATIVE in text else text.partition("\n\n")[0]


@dataclass(frozen=True)
class Test:
    """A test that has ended.

    Attributes:
        id: pytest's node id.
        outcome: a word of `outcomes.TABLE`.
        runs: the runs that it used, in order.
        uses_runs: whether it requested a run, even one that was never begun.
        seconds: of the whole test: mostly waiting.
        problem: class of this package's error that it ended with.
        text: pytest's text of the failure.
        executions: how often it was executed: by a plugin that repeats failed tests, or because its id was given twice.
        items: how many tests of this id have ended.
        failures: how many of its reports pytest counts as failures of the session.
        also: the outcomes of its other failed phases, which rules about these outcomes count, too.
        compared: how its runs compare with those of a second environment.
        unused_mark: a class, a module or a hook has put it under a wisebot mark, and it passed without a run.
        broke: the test itself has an error, such as one in a fixture: no verdict on the workflow, whatever else failed.
        quarantine: who mends it, until when, and why; None without one.
        session: index of its session in the model.
    """

    __test__ = False  # for pytest, which would collect a class of this name

    id: str = ""
    outcome: str = "error"
    runs: tuple[Run, ...] = ()
    uses_runs: bool = False
    seconds: float = 0.0
    worker: str = ""
    problem: str = ""
    text: str = ""
    trials: Trials | None = None
    executions: int = 1
    items: int = 1
    failures: int = 0
    also: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()
    unused_mark: bool = False
    broke: bool = False
    quarantine: Quarantine | None = None
    session: int = 0

    def is_also(self, outcome: str) -> bool:
        """Whether the test, or one of its phases, has this outcome."""
        return outcome == self.outcome or outcome in self.also

    @property
    def met_outage(self) -> bool:
        """Whether one of its runs had no verdict, and the test does not show it: it failed in another way, or skipped.

        A test that passed expected the outage, or the run's error.
        """
        hides = self.outcome in (FAILED, FLAKY, DRIFT, SKIPPED) and INFRASTRUCTURE not in self.also
        return hides and any(run.outcome == INFRASTRUCTURE for run in self.runs)

    @property
    def workflows(self) -> tuple[str, ...]:
        """The workflows of its runs, each once."""
        return tuple(dict.fromkeys(run.workflow for run in self.runs))

    @property
    def counts(self) -> bool:
        """Whether the verdict is about it."""
        return self.uses_runs and self.outcome in OUTCOMES

    @property
    def is_quarantined(self) -> bool:
        """Whether pass rates and limits of flaky tests leave it out: its quarantine is in force, and about the outcome.

        A quarantine is about a verdict on the workflow alone, and no error of the test itself.
        """
        in_force = self.quarantine is not None and self.quarantine.in_force
        return in_force and self.uses_runs and self.outcome in JUDGED and not self.broke

    @property
    def said(self) -> str:
        """The message of the failure without source code; with trials, the reason of the first one that failed."""
        lines = [line[1:].removeprefix("   ") for line in self.text.splitlines() if line == "E" or line[:2] == "E "]
        why = self.trials.why if self.trials is not None else ""
        text = textwrap.dedent("\n".join(lines)).replace("pytest_wisebot.errors.", "")
        return _with_section(text, self.text) or why or _without_traceback(self.text)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """An option that leaves out tests.

    Attributes:
        kind: what shows its effect: ``tests`` that were collected and left out, ``files`` that were not collected, or
            nothing (``unseen``).
        option: as it was written, such as ``--ignore``.
        value: its value; empty for an option without one.
        where: ``command line``, ``addopts`` or ``PYTEST_ADDOPTS``.
    """

    kind: str = ""
    option: str = ""
    value: str = ""
    where: str = ""

    def __str__(self) -> str:
        return f"{' '.join(filter(None, (self.option, self.value)))} ({self.where})"


@dataclass(frozen=True, slots=True)
class Extent:
    """The folders whose tests a session collects, and the options that narrow them. Paths are those of node ids.

    Attributes:
        by: source of the folders: ``paths`` (of ``[gate]``), ``arguments``, ``testpaths`` or ``rootdir``.
        paths: the folders and files.
        arguments: pytest's arguments that name less than a folder, if nothing else states the folders.
        named: pytest's arguments.
        complete: folders of which no file was ignored.
        files: the test files of ``paths``; None if all of ``paths`` is ``complete`` or ``whole``.
        whole: files that were collected whole.
        narrowed: the options that leave out tests.
        skipped: modules that skipped themselves, so that their tests are unknown.
    """

    by: str = ""
    paths: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    complete: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    whole: tuple[str, ...] = ()
    narrowed: tuple[Narrowing, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Second:
    """The second environment, over which each run of a session was made, too.

    Attributes:
        noise: how many runs the first environment made of each, the judged one included.
    """

    environment: str | None = None
    origin: str | None = None
    base_url: str | None = None
    emulator: str | None = None
    protected: bool = False
    noise: int = 1

    @property
    def target(self) -> str:
        """Environment and hosts, in words."""
        return target_in_words(self.environment, self.origin, self.base_url, self.emulator)


def target_in_words(environment: str | None, origin: str | None, base_url: str | None, emulator: str | None) -> str:
    """An environment and its hosts."""
    hosts = " and ".join(host for host in (origin, base_url) if host)
    where = hosts or (f"emulator {emulator}" if emulator else "no host")
    return f"{environment} ({where})" if environment else where


@dataclass(frozen=True)
class Session:
    """The first and the last line of a log.

    Attributes:
        name: the name of its shard, or else its own.
        shard: the name of its shard; empty if no shards were joined.
        ended: when; None if it was killed.
        selected: ids of the tests that were to run; None if unknown.
        deselected: ids of the tests that were left out, ``deselected_by_gate`` included.
        deselected_by_gate: ids of the tests that are not of the gate, by its own expression; of a shard also those that
            it was to run.
        named: whether an option named its environment or host.
        updates_snapshots: whether ``--snapshot-update`` was given.
        exitstatus: pytest's exit code before any gate; None if it was killed.
        failures_elsewhere: how many failures pytest counted that belong to no test's report.
        not_collected: modules that could not be collected, each with the first line of its error.
        interrupted: what ended it early, such as ``Exit: done``; empty if nothing did.
        failed_by: what failed it besides tests, such as another plugin, in words.
        other_failures: from a log of an earlier version: something other than tests that used runs failed it.
        snapshots_written: number of snapshot files that are new or changed.
        lost_events: how many changes of its log failed, as on a full disk.
        split: group and number of groups of pytest-split.
        extent: the folders whose tests it collects; None before the tests were collected.
        build: the commit and the job that it comes from.
        report: what reports show beside it.
        against: the second environment; None without one.
    """

    name: str = ""
    shard: str = ""
    version: str = ""
    mode: str = "live"
    started: Moment | None = None
    ended: Moment | None = None
    environment: str | None = None
    origin: str | None = None
    base_url: str | None = None
    emulator: str | None = None
    selected: tuple[str, ...] | None = None
    deselected: tuple[str, ...] = ()
    deselected_by_gate: tuple[str, ...] = ()
    gate: Gate = field(default_factory=Gate)
    gated: bool = False
    named: bool = False
    updates_snapshots: bool = False
    exitstatus: int | None = None
    failures_elsewhere: int = 0
    not_collected: tuple[str, ...] = ()
    interrupted: str = ""
    failed_by: tuple[str, ...] = ()
    other_failures: bool = False
    snapshots_written: int = 0
    lost_events: int = 0
    split: tuple[int, int] | None = None
    extent: Extent | None = None
    build: BuildInfo = field(default_factory=BuildInfo)
    report: ReportConfig = field(default_factory=ReportConfig)
    against: Second | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it has a log; a missing shard has none."""
        return self.started is not None

    @property
    def target(self) -> str:
        """Environment and hosts, in words."""
        return target_in_words(self.environment, self.origin, self.base_url, self.emulator)


class PassRate(NamedTuple):
    """How many tests passed, of the tests with a verdict."""

    passed: int
    judged: int

    @property
    def share(self) -> float:
        """From 0 to 1; 1 without a verdict."""
        return self.passed / self.judged if self.judged else 1.0

    def __str__(self) -> str:
        return f"{percent(self.share)} ({self.passed} of {self.judged})" if self.judged else "none"


@dataclass(frozen=True)
class Workflow:
    """The tests and the runs of one workflow."""

    name: str
    tests: tuple[Test, ...]
    runs: tuple[Run, ...]

    @cached_property
    def seconds(self) -> tuple[float, ...]:
        """Durations of its live runs."""
        return tuple(run.seconds for run in self.runs if run.is_live and run.seconds is not None)

    def took(self, share: float, *, for_certain: bool = False) -> float:
        """Seconds that this share of its live runs did not exceed; 0 without any.

        Args:
            share: from 0 to 1.
            for_certain: without the seconds that this package itself may have added to each.
        """
        late = [run.lag if for_certain else 0.0 for run in self.runs if run.is_live and run.seconds is not None]
        return percentile([took - lag for took, lag in zip(self.seconds, late, strict=True)], share) or 0.0

    @property
    def p50(self) -> float | None:
        """Median of the seconds of its live runs."""
        return percentile(self.seconds, 0.5)

    @property
    def p95(self) -> float | None:
        """95th percentile of the seconds of its live runs."""
        return percentile(self.seconds, 0.95)


@dataclass(frozen=True)
class Model:
    """Everything that reports show: of one session, or of several that were one suite."""

    sessions: tuple[Session, ...]
    tests: tuple[Test, ...]
    runs: tuple[Run, ...]
    compared: Any = None
    """The baseline in the log: a comparison as JSON, or ``none`` if there is none yet; None if none was given."""
    allowed: Mapping[str, Any] = field(default_factory=dict)
    """Numbers by their names in `Gate`, whose values they replace: options of ``merge``."""
    past: Any = None
    """The earlier sessions in the log, as JSON; None if no history was given."""
    beside: tuple[Run, ...] = ()
    """The runs that no test judges: over a second environment, and repetitions. No figure of ``runs`` has them."""

    @property
    def begun(self) -> tuple[Session, ...]:
        """The sessions that have a log."""
        return tuple(one for one in self.sessions if one.has_begun)

    @property
    def targets(self) -> list[str]:
        """The targets of the sessions, each once."""
        return sorted({one.target for one in self.begun})

    @property
    def second_environments(self) -> list[Second]:
        """The second environments of the sessions, each once; none without ``--wisebot-against``."""
        return list(dict.fromkeys(one.against for one in self.begun if one.against is not None))

    @cached_property
    def compared_runs(self) -> tuple[Compared, ...]:
        """How the runs compare with those of the second environment, each run once."""
        return tuple({one.run: one for test in self.tests for one in test.compared}.values())

    @cached_property
    def comparisons(self) -> Mapping[str, tuple[Compared, Run | None]]:
        """By a run's reference, how it compares, and the run of the second environment; None if there is none."""
        runs = {run.reference: run for run in self.beside}
        return {one.run: (one, runs.get(one.beside)) for one in self.compared_runs}

    @cached_property
    def drifted_tests(self) -> tuple[Test, ...]:
        """The tests with a run that differs from that of the second environment."""
        return tuple(test for test in self.tests if any(one.diff for one in test.compared))

    @property
    def against_in_words(self) -> str:
        """The second environment, the runs over each side, and how many differ; empty without one."""
        if not self.second_environments:
            return ""
        done = [one for one in self.compared_runs if not one.why_not]
        differ, left_out = sum(bool(one.diff) for one in done), len(self.compared_runs) - len(done)
        again = sum(run.side != AGAINST for run in self.beside)
        second = sum(run.is_live and run.side == AGAINST for run in self.beside)
        repeated = f" and {count(again, 'repetition')}" if again else ""
        runs = f"{count(second, 'live run')} there, {self.live_runs} here{repeated}"
        rest = f", {left_out} not compared" if left_out else ""
        targets = "; ".join(sorted({one.target for one in self.second_environments}))
        return f"{targets}: {runs}; {count(len(done), 'run')} compared, {differ} drifted{rest}"

    @property
    def extents(self) -> list[Extent]:
        """The extents of the sessions."""
        return [one.extent for one in self.begun if one.extent is not None]

    @property
    def gate(self) -> Gate:
        """The ``[gate]`` table of the sessions."""
        return replace(next((one.gate for one in self.begun), self.sessions[0].gate), **self.allowed)

    @property
    def report(self) -> ReportConfig:
        """The ``[report]`` table of the sessions."""
        return next((one.report for one in self.begun), ReportConfig())

    @property
    def build(self) -> BuildInfo:
        """The commit and the job; of several sessions what they have in common."""
        return common(one.build for one in self.begun)

    def link_of_run(self, run: Run) -> str:
        """The address of a run; empty without one."""
        return run_link(self.sessions[run.session].report, run.run_id, run.workflow_id)

    def link_of_workflow(self, name: str) -> str:
        """The address of a workflow's editor; empty without one."""
        runs = self.workflows[name].runs if name in self.workflows else ()
        found = next((run for run in runs if run.workflow_id), None)
        return workflow_link(self.sessions[found.session].report, found.workflow_id) if found is not None else ""

    @property
    def is_joined(self) -> bool:
        """Whether it is the union of shards."""
        return any(one.shard for one in self.sessions)

    @property
    def live_runs(self) -> int:
        """How many runs a workflow answered in these sessions."""
        return sum(run.is_live for run in self.runs)

    @cached_property
    def trial_outcomes(self) -> Mapping[str, str]:
        """The outcome of its trial for each run of one, by the run's reference. A run that is fine may have failed."""
        return {
            run.reference: word
            for test in self.tests
            if test.trials is not None
            for run in test.runs
            if (word := test.trials.outcome_of(run.trial))
        }

    @cached_property
    def counted(self) -> tuple[Test, ...]:
        """The tests that the verdict is about."""
        return tuple(test for test in self.tests if test.counts)

    @cached_property
    def workflows(self) -> Mapping[str, Workflow]:
        """The tests and runs of each workflow, by name."""
        tests: dict[str, list[Test]] = {name: [] for name in sorted({run.workflow for run in self.runs})}
        runs: dict[str, list[Run]] = {name: [] for name in tests}
        for test in self.tests:
            for name in test.workflows:
                tests[name].append(test)
        for run in self.runs:
            runs[run.workflow].append(run)
        return {name: Workflow(name, tuple(tests[name]), tuple(runs[name])) for name in tests}

    @cached_property
    def collected(self) -> frozenset[str]:
        """The ids of all tests that any session has collected."""
        return frozenset().union(*({*(one.selected or ()), *one.deselected} for one in self.sessions))

    @cached_property
    def deselected_by_gate(self) -> frozenset[str]:
        """The ids of the tests that the gate's own expression left out."""
        return frozenset().union(*(one.deselected_by_gate for one in self.sessions))

    @cached_property
    def unreported(self) -> tuple[str, ...]:
        """Tests that were to run and have not ended, in order; an id that was given twice has to end twice."""
        reported: Counter[str] = Counter()
        for test in self.tests:
            reported[f"{test.worker}:{test.id}" if test.worker else test.id] += test.items
        selected = Counter(test for one in self.sessions for test in one.selected or ())
        return tuple(test for test, times in selected.items() if reported[test] < times)


def outcome_counts(tests: Iterable[Test]) -> dict[str, int]:
    """The number of tests that used runs by outcome, without zeros, in the order of `outcomes.OUTCOMES`."""
    found = Counter(test.outcome for test in tests if test.uses_runs)
    return {word: found[word] for word in (*OUTCOMES, *sorted(found.keys() - {*OUTCOMES})) if found[word]}


def all_counts(tests: Iterable[Test]) -> dict[str, int]:
    """The same with the tests that no verdict is about: skipped, xfailed, and those that used no run."""
    tests = list(tests)
    found = outcome_counts(tests)
    without = [test.outcome for test in tests if not test.uses_runs]
    rest = Counter(word if word in (SKIPPED, XFAILED) else WITHOUT_RUN for word in without)
    for word in (SKIPPED, XFAILED, WITHOUT_RUN):
        if number := found.pop(word, 0) + rest[word]:
            found[word] = number
    return found


def counts_in_words(tests: Iterable[Test]) -> str:
    """The number of tests by outcome, and first of all that none used a run, if none did."""
    tests = list(tests)
    found, quarantined = all_counts(tests), sum(test.is_quarantined for test in tests)
    ran = [] if any(word in found for word in OUTCOMES) else ["no test used a run"]
    words = ", ".join([*ran, *(f"{number} {word}" for word, number in found.items())])
    return f"{words} ({quarantined} of them in quarantine)" if quarantined else words


def pass_rate(tests: Iterable[Test]) -> PassRate:
    """How many tests passed, of the tests that are a verdict on their workflow, and not in quarantine."""
    judged = [test for test in tests if test.uses_runs and test.outcome in JUDGED and not test.is_quarantined]
    return PassRate(sum(test.outcome in GOOD for test in judged), len(judged))


def file_of(test: str) -> str:
    """The file of a test's id, relative to the rootdir."""
    return test.partition("::")[0]


def is_under(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of these, or is inside one of them."""
    return any(
        path == folder or path.startswith(f"{folder}/") or (folder == "." and not path.startswith("../"))
        for folder in folders
    )
