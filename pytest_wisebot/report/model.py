"""A session as plain data: what its event log says of its tests and their runs. Every report is made of this alone."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..gate_config import Gate
from ..outcomes import GOOD, JUDGED, OUTCOMES, SKIPPED, WITHOUT_RUN, XFAILED
from .format import percentile


@dataclass(frozen=True)
class Run:
    """A run that has ended, in whatever way. Moments are seconds since the epoch; None where nobody knows.

    Attributes:
        reference: its name in the log, unique in the model.
        test: the id of the test that asked for it; of a wider fixture, what that is wide for.
        fixture: the name of such a fixture; empty where a test asked.
        trial: which trial of its test it belongs to, from 1; 0 without trials.
        workflow: as the tests name it.
        outcome: ``ok``, ``failed`` (an envelope that says so), ``infrastructure``, ``not run``, ``not recorded``,
            ``configuration`` or ``error``.
        queued: when it was asked for; ``started``: when it was let in; ``ended``: when it had ended.
        made: when it was made, which for a kept run is not this session.
        seconds: how long its last attempt took, without queueing and back-off.
        attempts: requests that were sent for it.
        lag: seconds that this package itself may have added to ``seconds``.
        source: ``live``, ``emulator``, ``recording`` or ``last``; empty without an envelope.
        problem: the class of the error that it ended with; empty for one with an envelope.
        message: what that error says.
        commands: what repeats it by hand.
        diff: in what it differs from its recording, line by line.
        contradiction: what its answer says against its own ``ok: true``; empty where it says nothing against it.
        trace: the header ``traceparent`` of its last attempt; empty where none went out.
        session: the index of its session in the model.
    """

    reference: str
    workflow: str
    api: str
    outcome: str
    test: str = ""
    fixture: str = ""
    trial: int = 0
    shared: bool = False
    workflow_id: str = ""
    run_id: str | None = None
    status: int | None = None
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    made: float | None = None
    seconds: float | None = None
    attempts: int = 0
    lag: float = 0.0
    source: str = ""
    environment: str | None = None
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
class Trials:
    """What became of a test's trials: so many of at most so many had to pass, and so many did."""

    trials: int
    min_passes: int
    passes: int
    failures: int
    why: str = ""


@dataclass(frozen=True)
class Test:
    """A test that has ended.

    Attributes:
        id: pytest's node id.
        outcome: one of `outcomes.OUTCOMES`, or what pytest calls it: ``skipped``, ``xfailed``, ``error``.
        runs: the runs that it used, in order.
        uses_runs: whether it asked for any, be it in vain.
        seconds: of the whole test: mostly waiting.
        problem: the class of this package's error that it ended with.
        text: why it did not pass, as pytest shows it.
        executions: how often it was run: by a plugin that repeats failed tests, or because its id was given twice.
        items: how many tests of this id have ended.
        failures: how many of its reports pytest counts as failures of the session.
        also: the outcomes of its other failed phases, which rules about them count, too.
        unused_mark: a class, a module or a hook has put it under a wisebot mark, and it passed without a run.
        session: the index of its session in the model.
    """

    __test__ = False  # for pytest, which takes the name for a class of tests

    id: str
    outcome: str
    runs: tuple[Run, ...] = ()
    uses_runs: bool = False
    seconds: float = 0.0
    started: float | None = None
    ended: float | None = None
    worker: str = ""
    problem: str = ""
    text: str = ""
    trials: Trials | None = None
    executions: int = 1
    items: int = 1
    failures: int = 0
    also: tuple[str, ...] = ()
    unused_mark: bool = False
    session: int = 0

    def is_also(self, outcome: str) -> bool:
        """Whether it, or one of its phases, ended so."""
        return outcome == self.outcome or outcome in self.also

    @property
    def workflows(self) -> tuple[str, ...]:
        """The workflows that it ran or meant to, each once."""
        return tuple(dict.fromkeys(run.workflow for run in self.runs))

    @property
    def counts(self) -> bool:
        """Whether a verdict is about it."""
        return self.uses_runs and self.outcome in OUTCOMES

    @property
    def said(self) -> str:
        """What the failure says, without the source around it; with trials, why the first one failed."""
        lines = [line[1:].removeprefix("   ") for line in self.text.splitlines() if line == "E" or line[:2] == "E "]
        why = self.trials.why if self.trials is not None else ""
        text = textwrap.dedent("\n".join(lines)).replace("pytest_wisebot.errors.", "")
        return text or why or self.text.strip().rpartition("\n")[2]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """An option that leaves out tests.

    Attributes:
        kind: what can be seen of its work: ``tests`` that were collected and left out, ``files`` that were not
            collected, or nothing (``unseen``).
        option: as it was written, such as ``--ignore``.
        value: its value; empty for an option that has none.
        where: ``command line``, ``addopts`` or ``PYTEST_ADDOPTS``.
    """

    kind: str
    option: str
    value: str = ""
    where: str = ""

    def __str__(self) -> str:
        return f"{' '.join(filter(None, (self.option, self.value)))} ({self.where})"


@dataclass(frozen=True, slots=True)
class Extent:
    """Of which folders a session's tests are all, and what narrows them. Paths are those of node ids.

    Attributes:
        by: what states the folders: ``paths`` (of ``[gate]``), ``arguments``, ``testpaths`` or ``rootdir``.
        paths: the folders and files.
        arguments: pytest's arguments that name less than a folder, where nothing else states the folders.
        named: pytest's arguments.
        complete: folders of which no file was ignored.
        files: the test files of ``paths``; None where all of ``paths`` is ``complete`` or ``whole``.
        whole: files that were collected whole.
        narrowed: the options that leave out tests.
        skipped: modules that have skipped themselves, with tests that are not known.
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


@dataclass(frozen=True)
class Session:
    """What the first and the last line of a log say.

    Attributes:
        name: what tells it from others: its shard's name where several were joined.
        shard: the name of its shard; empty where none were joined.
        ended: when; None for one that was killed.
        selected: the ids of the tests that were to run; None where nobody has told.
        deselected: those that an option left out, ``deselected_by_gate`` included, which the gate's own expression did.
        named: an option named its environment or host.
        updates_snapshots: ``--snapshot-update`` was given.
        exitstatus: what pytest ended with, before any gate; None for one that was killed.
        failures_elsewhere: how many failures pytest counted that are of no test's report.
        interrupted: what ended it before its end, such as ``Exit: done``; empty where nothing did.
        failed_by: what failed it besides tests, such as another plugin, in words.
        other_failures: of an earlier version's log: it failed by something else than tests that used runs.
        snapshots_written: how many files of snapshots are new or changed.
        split: which of how many groups pytest-split gave it.
        extent: of which folders its tests are all; None before the tests were collected.
    """

    name: str = ""
    shard: str = ""
    version: str = ""
    mode: str = "live"
    started: float | None = None
    ended: float | None = None
    environment: str | None = None
    origin: str | None = None
    base_url: str | None = None
    emulator: str | None = None
    protected: bool = False
    selected: tuple[str, ...] | None = None
    deselected: tuple[str, ...] = ()
    deselected_by_gate: tuple[str, ...] = ()
    gate: Gate = field(default_factory=Gate)
    gated: bool = False
    named: bool = False
    updates_snapshots: bool = False
    exitstatus: int | None = None
    failures_elsewhere: int = 0
    interrupted: str = ""
    failed_by: tuple[str, ...] = ()
    other_failures: bool = False
    snapshots_written: int = 0
    split: tuple[int, int] | None = None
    extent: Extent | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is a log of it; of a shard that is missing there is none."""
        return self.started is not None

    @property
    def target(self) -> str:
        """Whom it asked, in words."""
        hosts = " and ".join(host for host in (self.origin, self.base_url) if host)
        where = hosts or (f"emulator {self.emulator}" if self.emulator else "no host")
        return f"{self.environment} ({where})" if self.environment else where


@dataclass(frozen=True)
class Workflow:
    """The figures of one workflow.

    Attributes:
        tests: those that used a run of it.
        runs: its runs.
        seconds: of its live runs, each.
    """

    name: str
    tests: tuple[Test, ...]
    runs: tuple[Run, ...]

    @cached_property
    def seconds(self) -> tuple[float, ...]:
        """How long each of its live runs took."""
        return tuple(run.seconds for run in self.runs if run.is_live and run.seconds is not None)

    def took(self, share: float, *, for_certain: bool = False) -> float:
        """Seconds that so large a share of its live runs did not exceed; 0 without any.

        Args:
            share: from 0 to 1.
            for_certain: without what this package itself may have added to each.
        """
        late = [run.lag if for_certain else 0.0 for run in self.runs if run.is_live and run.seconds is not None]
        return percentile([took - lag for took, lag in zip(self.seconds, late, strict=True)], share) or 0.0

    @property
    def p50(self) -> float | None:
        """Seconds that half of its live runs did not exceed."""
        return percentile(self.seconds, 0.5)

    @property
    def p95(self) -> float | None:
        """Seconds that 95 % of its live runs did not exceed."""
        return percentile(self.seconds, 0.95)


@dataclass(frozen=True)
class Model:
    """Everything that reports show: of one session, or of several that were one suite."""

    sessions: tuple[Session, ...]
    tests: tuple[Test, ...]
    runs: tuple[Run, ...]
    compared: Any = None
    """The baseline in the log: a comparison as JSON, or the word for none yet; None without either."""
    max_missing_tests: int | None = None
    """What allows missing tests in the place of ``[gate]``, as an option of ``merge``."""

    @property
    def begun(self) -> tuple[Session, ...]:
        """The sessions of which there is a log."""
        return tuple(one for one in self.sessions if one.has_begun)

    @property
    def targets(self) -> list[str]:
        """Whom the sessions asked, each once."""
        return sorted({one.target for one in self.begun})

    @property
    def gate(self) -> Gate:
        """What the sessions are held to."""
        gate = next((one.gate for one in self.begun), self.sessions[0].gate)
        allowed = self.max_missing_tests
        return gate if allowed is None else replace(gate, max_missing_tests=allowed)

    @property
    def is_joined(self) -> bool:
        """Whether it is the union of shards."""
        return any(one.shard for one in self.sessions)

    @cached_property
    def counted(self) -> tuple[Test, ...]:
        """The tests that a verdict is about."""
        return tuple(test for test in self.tests if test.counts)

    @cached_property
    def workflows(self) -> Mapping[str, Workflow]:
        """The figures of each workflow, by name."""
        names = sorted({run.workflow for run in self.runs})
        of: dict[str, list[Test]] = {name: [] for name in names}
        for test in self.tests:
            for name in test.workflows:
                of[name].append(test)
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for run in self.runs:
            runs[run.workflow].append(run)
        return {name: Workflow(name, tuple(of[name]), tuple(runs[name])) for name in names}

    @cached_property
    def collected(self) -> frozenset[str]:
        """The ids of all tests that any session has seen."""
        return frozenset().union(*({*(one.selected or ()), *one.deselected} for one in self.sessions))

    @cached_property
    def unreported(self) -> tuple[str, ...]:
        """Tests that were to run and have not ended, in order; an id that was given twice has to end twice."""
        reported: Counter[str] = Counter()
        for test in self.tests:
            reported[f"{test.worker}:{test.id}" if test.worker else test.id] += test.items
        selected = Counter(test for one in self.sessions for test in one.selected or ())
        return tuple(test for test, times in selected.items() if reported[test] < times)


def outcome_counts(tests: Iterable[Test]) -> dict[str, int]:
    """How many of the tests that used runs ended how, in the order of `outcomes.OUTCOMES`; none that is zero."""
    found = Counter(test.outcome for test in tests if test.uses_runs)
    return {word: found[word] for word in (*OUTCOMES, *sorted(found.keys() - {*OUTCOMES})) if found[word]}


def all_counts(tests: Iterable[Test]) -> dict[str, int]:
    """The same with the tests that a verdict is not about: skipped, xfailed, and those that used no run."""
    tests = list(tests)
    found = outcome_counts(tests)
    without = [test.outcome for test in tests if not test.uses_runs]
    rest = Counter(word if word in (SKIPPED, XFAILED) else WITHOUT_RUN for word in without)
    for word in (SKIPPED, XFAILED, WITHOUT_RUN):
        if many := found.pop(word, 0) + rest[word]:
            found[word] = many
    return found


def counts_in_words(tests: Iterable[Test]) -> str:
    """How many tests ended how, and first of all that none used a run, where none did."""
    found = all_counts(tests)
    ran = [] if any(word in found for word in OUTCOMES) else ["no test used a run"]
    return ", ".join([*ran, *(f"{many} {word}" for word, many in found.items())])


def pass_rate(tests: Iterable[Test]) -> tuple[int, int]:
    """How many tests passed, of how many that say something of their workflow."""
    judged = [test for test in tests if test.uses_runs and test.outcome in JUDGED]
    return sum(test.outcome in GOOD for test in judged), len(judged)
