"""From an event log to a `Model`: each line as far as this version knows it, and a default for what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import Any

from ..gate_config import Gate
from ..outcomes import BAD, ERROR, FAILED, PASSED, SKIPPED, WORST_FIRST, XFAILED, XPASSED
from .model import Extent, Model, Narrowing, Run, Session, Test, Trials


def model_of(events: Iterable[Mapping[str, Any]]) -> Model:
    """What a log says, be it of one session or joined of several."""
    sessions: list[_Read] = []
    union: dict[str, Any] = {}
    for event in events:
        if event.get("event") == "merge":
            union.update(event)
            continue
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
        union.get("baseline", sessions[0].compared if len(sessions) == 1 else None),
        union.get("max_missing_tests"),
    )


_OF_SEVERAL = (*(word for word in WORST_FIRST if word not in (XFAILED, SKIPPED)), XFAILED, SKIPPED)
"""The order in which several tests of one id decide: one that was skipped leaves the verdict to the other."""


def _both(one: Test, other: Test) -> Test:
    """Two tests of one id, in two shards or twice in a session: the worse of both, with what both have."""
    worse = min(one, other, key=lambda test: _OF_SEVERAL.index(test.outcome) if test.outcome in _OF_SEVERAL else 0)
    better = other if worse is one else one
    also = dict.fromkeys([*worse.also, better.outcome, *better.also])
    return replace(
        worse,
        runs=tuple({run.reference: run for run in (*one.runs, *other.runs)}.values()),
        uses_runs=one.uses_runs or other.uses_runs,
        executions=one.executions + other.executions,
        items=one.items + other.items,
        failures=one.failures + other.failures,
        unused_mark=one.unused_mark and other.unused_mark,
        also=tuple(word for word in also if word in BAD and word != worse.outcome),
    )


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
    def compared(self) -> Any:
        """The baseline in the last line; None without."""
        return self._last.get("baseline")

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
            runs_of_test = tuple(sorted(own.values(), key=_order))
            items: dict[int, list[Mapping[str, Any]]] = {}
            for event in events:
                items.setdefault(int(event.get("item", 0)), []).append(event)
            tests.append(reduce(_both, (_test(one, runs_of_test, self._index, worker) for one in items.values())))
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
        contradiction=str(event.get("contradiction", "")),
        trace=str(event.get("trace", "")),
        session=session,
    )


def _test(events: list[Mapping[str, Any]], runs: tuple[Run, ...], session: int, worker: str) -> Test:
    """A test, of its last line: the lines before it are those of attempts that a plugin has repeated."""
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
        executions=int(event.get("executions", len(events))),
        failures=int(event.get("failures", 0)),
        also=tuple(map(str, event.get("also", ()))),
        unused_mark=bool(event.get("unused_mark", False)),
        session=session,
    )


def _outcome(word: str, *, uses_runs: bool) -> str:
    """What breaks around a run, in a fixture after it, is the test's failure; what passed unexpectedly has passed."""
    if not uses_runs:
        return word
    return {ERROR: FAILED, XPASSED: PASSED}.get(word, word)


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
        failures_elsewhere=int(last.get("failures_elsewhere", 0)),
        interrupted=str(last.get("interrupted", "")),
        failed_by=tuple(map(str, last.get("failed_by", ()))),
        other_failures=bool(last.get("other_failures", False)),
        snapshots_written=int(last.get("snapshots_written", 0)),
        split=(int(split[0]), int(split[1])) if split else None,
        extent=_extent(first["extent"]) if first.get("extent") else None,
    )


def _extent(said: Mapping[str, Any]) -> Extent:
    values: dict[str, Any] = {name: said[name] for name in Extent.__dataclass_fields__ if name in said}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    values["narrowed"] = tuple(map(_narrowing, values.get("narrowed", ())))
    return Extent(**values)


def _narrowing(said: Mapping[str, Any]) -> Narrowing:
    return Narrowing(**{name: str(said[name]) for name in Narrowing.__dataclass_fields__ if name in said})


def _seconds(text: str | None) -> float | None:
    """Seconds since the epoch."""
    return None if text is None else datetime.fromisoformat(text).timestamp()
