"""A session as plain data: what its event log says of its tests and their runs. Every report is made of this alone."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from ..limits import Gate
from .figures import percentile
from .outcomes import DRIFT, FAILED, FLAKY, GOOD, INFRASTRUCTURE, JUDGED, NOT_RUN, OUTCOMES, PASSED

_WORST_FIRST = (FAILED, "error", DRIFT, INFRASTRUCTURE, NOT_RUN, FLAKY, PASSED)


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
        executions: how often it was run, by a plugin that repeats failed tests.
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
    session: int = 0

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
        other_failures: it failed by something else than tests that used runs.
        snapshots_written: how many files of snapshots are new or changed.
        split: which of how many groups pytest-split gave it.
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
    other_failures: bool = False
    snapshots_written: int = 0
    split: tuple[int, int] | None = None

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
        return next((one.gate for one in self.begun), self.sessions[0].gate)

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
        """Tests that were to run and have not ended, in order."""
        reported = {test.id for test in self.tests}
        selected = dict.fromkeys(test for one in self.sessions for test in one.selected or ())
        return tuple(test for test in selected if test not in reported)


def outcome_counts(tests: Iterable[Test]) -> dict[str, int]:
    """How many of the tests that used runs ended how, in the order of `outcomes.OUTCOMES`; none that is zero."""
    found = Counter(test.outcome for test in tests if test.uses_runs)
    return {word: found[word] for word in (*OUTCOMES, *sorted(found.keys() - {*OUTCOMES})) if found[word]}


def pass_rate(tests: Iterable[Test]) -> tuple[int, int]:
    """How many tests passed, of how many that say something of their workflow."""
    judged = [test for test in tests if test.uses_runs and test.outcome in JUDGED]
    return sum(test.outcome in GOOD for test in judged), len(judged)


# --- from a log


def model_of(events: Iterable[Mapping[str, Any]]) -> Model:
    """What a log says, be it of one session or joined of several."""
    sessions: list[_Read] = []
    for event in events:
        if event.get("event") == "session" or not sessions:
            sessions.append(_Read(len(sessions)))
        sessions[-1].take(event)
    many = len(sessions) > 1
    made = [one.made(many=many) for one in sessions] or [_Read(0).made()]
    tests: dict[tuple[str, str], Test] = {}
    for test in (test for _, tests, _ in made for test in tests):
        known = tests.get((test.worker, test.id))
        tests[test.worker, test.id] = test if known is None else _both(known, test)
    return Model(
        tuple(session for session, _, _ in made),
        tuple(tests.values()),
        tuple(run for _, _, runs in made for run in runs),
    )


def _both(one: Test, other: Test) -> Test:
    """A test that two shards have run is what it was in the worse of both."""
    worse = min(one, other, key=lambda test: _WORST_FIRST.index(test.outcome) if test.outcome in _WORST_FIRST else 99)
    runs, executions = one.runs + other.runs, one.executions + other.executions
    return replace(worse, runs=runs, uses_runs=one.uses_runs or other.uses_runs, executions=executions)


class _Read:
    """One session's part of a log, as far as it was read."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._first: Mapping[str, Any] = {}
        self._last: Mapping[str, Any] = {}
        self._runs: list[Mapping[str, Any]] = []
        self._tests: dict[tuple[str, str], list[Mapping[str, Any]]] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Reads one event; those of a kind that nobody knows yet say nothing."""
        match event.get("event"):
            case "session":
                self._first = event
            case "end":
                self._last = event
            case "run":
                self._runs.append(event)
            case "test":
                key = str(event.get("worker", "")) if self._each else "", str(event.get("test", ""))
                self._tests.setdefault(key, []).append(event)

    @property
    def _each(self) -> bool:
        """Whether each worker ran all tests."""
        return bool(self._first.get("each"))

    def made(self, *, many: bool = False) -> tuple[Session, list[Test], list[Run]]:
        prefix = f"{self._index + 1}:" if many else ""
        runs = [_run(event, prefix, self._index) for event in self._runs]
        by_test: dict[str, list[Run]] = {}
        for run in runs:
            if run.test and not run.fixture:
                by_test.setdefault(run.test, []).append(run)
        by_reference = {run.reference: run for run in runs}
        tests = []
        for (worker, nodeid), events in self._tests.items():
            tag = f"{worker}:{nodeid}" if worker else nodeid
            used = [by_reference.get(f"{prefix}{one}") for event in events for one in event.get("runs", ())]
            own = {run.reference: run for run in [*by_test.get(tag, ()), *filter(None, used)]}
            tests.append(_test(events, tuple(sorted(own.values(), key=_order)), self._index, worker))
        return _session(self._first, self._last), tests, runs


def _order(run: Run) -> tuple[int, float, str]:
    return run.trial, run.queued or 0.0, run.reference


def _run(event: Mapping[str, Any], prefix: str, session: int) -> Run:
    return Run(
        reference=f"{prefix}{event.get('run', '')}",
        workflow=str(event.get("workflow", "")),
        api=str(event.get("api", "")),
        outcome=str(event.get("outcome", "error")),
        test=str(event.get("test", "")),
        fixture=str(event.get("fixture", "")),
        trial=int(event.get("trial", 0)),
        shared=bool(event.get("shared", False)),
        workflow_id=str(event.get("workflow_id", "")),
        run_id=event.get("runId"),
        status=event.get("status"),
        queued=_seconds(event.get("queued")),
        started=_seconds(event.get("started")),
        ended=_seconds(event.get("ended")),
        made=_seconds(event.get("made")),
        seconds=event.get("seconds"),
        attempts=int(event.get("attempts", 0)),
        lag=float(event.get("lag", 0.0)),
        source=str(event.get("source", "")),
        environment=event.get("environment"),
        inputs=event.get("inputs"),
        has_result="result" in event,
        result=event.get("result"),
        error=event.get("error"),
        problem=str(event.get("class", "")),
        message=str(event.get("message", "")),
        commands=tuple(map(str, event.get("commands", ()))),
        diff=tuple(map(str, event.get("diff", ()))),
        note=str(event.get("note", "")),
        session=session,
    )


def _test(events: list[Mapping[str, Any]], runs: tuple[Run, ...], session: int, worker: str) -> Test:
    """A test of its last execution; earlier ones are those that a plugin has repeated."""
    event = events[-1]
    problem = str(event.get("class", ""))
    uses_runs = bool(runs or problem)
    said = event.get("trials")
    return Test(
        id=str(event.get("test", "")),
        outcome=_outcome(str(event.get("outcome", "error")), uses_runs=uses_runs),
        runs=runs,
        uses_runs=uses_runs,
        seconds=float(event.get("seconds", 0.0)),
        started=_seconds(event.get("started")),
        ended=_seconds(event.get("ended")),
        worker=worker,
        problem=problem,
        text=str(event.get("text", "")),
        trials=Trials(**{name: said.get(name, 0) for name in Trials.__dataclass_fields__}) if said else None,
        executions=len(events),
        session=session,
    )


def _outcome(word: str, *, uses_runs: bool) -> str:
    """What breaks around a run, in a fixture after it, is the test's failure; what passed unexpectedly has passed."""
    if not uses_runs:
        return word
    return {"error": FAILED, "xpassed": PASSED}.get(word, word)


def _session(first: Mapping[str, Any], last: Mapping[str, Any]) -> Session:
    shard = str(first.get("shard", ""))
    selected = first.get("selected")
    split = first.get("split")
    return Session(
        name=shard or str(first.get("session", "")),
        shard=shard,
        version=str(first.get("version", "")),
        mode=str(first.get("mode", "live")),
        started=_seconds(first.get("started")),
        ended=_seconds(last.get("ended")),
        environment=first.get("environment"),
        origin=first.get("origin"),
        base_url=first.get("base_url"),
        emulator=first.get("emulator"),
        protected=bool(first.get("protected", False)),
        selected=None if selected is None else tuple(selected),
        deselected=tuple(first.get("deselected") or ()),
        deselected_by_gate=tuple(first.get("deselected_by_gate") or ()),
        gate=Gate.from_dict(first.get("gate") or {}),
        gated=bool(first.get("gated", False)),
        named=bool(first.get("named", False)),
        updates_snapshots=bool(first.get("updates_snapshots", False)),
        exitstatus=last.get("without_gate", last.get("exitstatus")),
        other_failures=bool(last.get("other_failures", False)),
        snapshots_written=int(last.get("snapshots_written", 0)),
        split=(int(split[0]), int(split[1])) if split else None,
    )


def _seconds(text: str | None) -> float | None:
    """Seconds since the epoch."""
    return None if text is None else datetime.fromisoformat(text).timestamp()
