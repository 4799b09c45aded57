"""From an event log to a `Model`. Unknown events and keys are ignored, and a missing key has its field's default."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, reduce
from pathlib import Path
from typing import Any, Final

from ..event_log import read_events
from ..gate_config import ALLOWED
from ..originals import dates
from ..outcomes import BAD, ERROR, FAILED, PASSED, REPORT_ORDER, XPASSED, rank
from ..quarantine import Quarantine, days_left
from ..shapes import checker, read, types_of
from .baseline import Comparison
from .history import Past
from .model import Compared, Model, Run, Session, Test

Event = Mapping[str, Any]
_Events = Mapping[str, Sequence[Event]]
"""The events of one session by kind, each kind in order."""


_RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "run": {"run_id": "runId", "problem": "class", "reference": "run"},
    "beside": {"run_id": "runId", "problem": "class", "reference": "run"},
    "test": {"id": "test", "problem": "class"},
    "session": {"name": "session"},
}
"""By kind of event, the fields of its dataclass that have another name in the log."""


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a log, each checked for its shape.

    Raises:
        ConfigurationError: the log cannot be read, or a line is wrong; the message names file and line.
    """
    return read_events(path, _mistake)


def _mistake(event: Event) -> str:
    return _checker(event["event"], isinstance(event.get("baseline"), str))(event)


@cache
def _checker(kind: str, names_baseline: bool) -> Callable[[Event], str]:
    """Checks the types of an event's values: those that the model has, and those that it is made of."""
    more: dict[str, Any] = {}
    of: Any = None
    if kind in ("session", "end"):
        of, more = Session, {"shard": str, "session": str, "without_gate": int, "exitstatus": int}
    elif kind in ("run", "beside"):
        of = Run
    elif kind == "test":
        of, more = Test, {"runs": tuple[str, ...], "item": int, "quarantined_until": str}
    elif kind == "merge":
        more = dict.fromkeys(ALLOWED, int)
    if kind in ("end", "merge"):
        more |= {"history": Past} | ({} if names_baseline else {"baseline": Comparison})
    types = types_of(of) if of is not None else {}
    renamed = _RENAMED.get(kind, {})
    return checker({renamed.get(name, name): hint for name, hint in types.items()} | more)


def model_of(events: Iterable[Event]) -> Model:
    """The model of a log, of one session or joined of several."""
    sessions: list[dict[str, list[Event]]] = []
    union: dict[str, Any] = {}
    for event in events:
        kind = str(event.get("event"))
        if kind == "merge":
            union.update(event)
            continue
        if kind == "session" or not sessions:
            sessions.append(defaultdict(list))
        sessions[-1][kind].append(event)
    tests: dict[tuple[str, str], Test] = {}
    runs: list[Run] = []
    beside: list[Run] = []
    for index, one in enumerate(sessions):
        prefix = f"{index + 1}:" if len(sessions) > 1 else ""
        own = [_run(event, prefix, index) for event in one["run"]]
        runs += own
        beside += [_run(event, prefix, index) for event in one["beside"]]
        for test in _tests(one, own, prefix, index):
            known = tests.get((test.worker, test.id))
            tests[test.worker, test.id] = test if known is None else _both(known, test)
    last: Event = {**_last(sessions[0], "end"), **union} if len(sessions) == 1 else union
    known_sessions = tuple(map(_session, sessions)) or (Session(),)
    allowed = {name: union[name] for name in ALLOWED if union.get(name) is not None}
    given = last.get("baseline"), allowed, last.get("history")
    model = Model(known_sessions, tuple(tests.values()), tuple(runs), *given, tuple(beside))
    return _of_gate(model) if any(one.shard for one in known_sessions) else model


def _of_gate(union: Model) -> Model:
    """The union without the tests that ``[gate] select`` leaves out, which its shards have run all the same."""
    others = union.deselected_by_gate
    if not others:
        return union
    tests = tuple(test for test in union.tests if _tag(test.worker, test.id) not in others)
    used = {run.reference for test in tests for run in test.runs}
    runs = tuple(run for run in union.runs if run.reference in used or run.fixture or run.test not in others)
    beside = tuple(run for run in union.beside if run.fixture or run.test not in others)
    return replace(union, sessions=tuple(map(_without_others, union.sessions)), tests=tests, runs=runs, beside=beside)


def _without_others(session: Session) -> Session:
    """A shard as if it had deselected the tests that are not of the gate."""
    others = {*session.deselected_by_gate}
    if session.selected is None or others.isdisjoint(session.selected):
        return session
    selected = tuple(test for test in session.selected if test not in others)
    deselected = dict.fromkeys([*session.deselected, *(test for test in session.selected if test in others)])
    return replace(session, selected=selected, deselected=tuple(deselected))


def _tag(worker: str, nodeid: str) -> str:
    return f"{worker}:{nodeid}" if worker else nodeid


def _last(events: _Events, kind: str) -> Event:
    return (events.get(kind) or [{}])[-1]


def _session(events: _Events) -> Session:
    first, last = _last(events, "session"), _last(events, "end")
    name = first.get("shard") or first.get("session", "")
    return read(Session, {**last, **first}, name=name, exitstatus=last.get("without_gate", last.get("exitstatus")))


def _run(event: Event, prefix: str, session: int) -> Run:
    event = {**event, "run_id": event.get("runId"), "problem": event.get("class")}
    reference = f"{prefix}{event.get('run', '')}"
    return read(Run, event, reference=reference, has_result="result" in event, session=session)


def _tests(events: _Events, runs: Sequence[Run], prefix: str, session: int) -> Iterable[Test]:
    """The tests of one session. With ``--dist=each`` the tests of each worker are tests of their own."""
    requested: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.test and not run.fixture:
            requested[run.test].append(run)
    by_reference = {run.reference: run for run in runs}
    each = bool(_last(events, "session").get("each"))
    by_test: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events.get("test", ()):
        by_test[str(event.get("worker", "")) if each else "", str(event.get("test", ""))].append(event)
    for (worker, nodeid), several in by_test.items():
        used = [by_reference.get(f"{prefix}{one}") for event in several for one in event.get("runs", ())]
        tag = _tag(worker, nodeid)
        own = {run.reference: run for run in [*requested.get(tag, ()), *filter(None, used)]}
        in_order = sorted(own.values(), key=lambda run: (run.trial, run.queued or 0.0, run.reference))
        items: dict[int, list[Event]] = defaultdict(list)
        for event in several:
            items[int(event.get("item", 0))].append(event)
        began = _last(events, "session").get("started")
        in_items = (_test(one, tuple(in_order), session, worker, prefix, began) for one in items.values())
        yield reduce(_both, in_items)


def _test(
    events: Sequence[Event], runs: tuple[Run, ...], session: int, worker: str, prefix: str, began: str | None
) -> Test:
    """A test from its last line. The lines before it are attempts that a plugin has repeated."""
    last = events[-1]
    event = {"executions": len(events), **last, "id": last.get("test"), "problem": last.get("class"), "worker": worker}
    uses_runs = bool(runs or event["problem"])
    outcome = str(event.get("outcome", ERROR))
    broke = bool(event.get("broke")) or ERROR in (outcome, *event.get("also", ()))
    if uses_runs:  # a fixture that breaks around a run fails the test, and an unexpected pass is a pass
        outcome = {ERROR: FAILED, XPASSED: PASSED}.get(outcome, outcome)
    quarantine = _quarantine(event, began)
    compared = tuple(_compared(one, prefix) for one in event.get("compared", ()))
    known = {"outcome": outcome, "runs": runs, "uses_runs": uses_runs, "broke": broke, "session": session}
    return read(Test, {**event, "quarantine": None}, **known, quarantine=quarantine, compared=compared)


def _compared(event: Event, prefix: str) -> Compared:
    one = read(Compared, event)
    beside = f"{prefix}{one.beside}" if one.beside else ""
    return replace(one, run=f"{prefix}{one.run}", beside=beside, again=tuple(f"{prefix}{run}" for run in one.again))


def _quarantine(event: Event, began: str | None) -> Quarantine | None:
    """The quarantine of a test on the day on which its session began; one of which the day is unknown forgives none."""
    until = event.get("quarantined_until")
    if not until:
        return None
    left = days_left(until, dates.read(began).timestamp() if began else None)
    return read(Quarantine, event.get("quarantine") or {}, until=until, days_left=left)


def _weaker(one: Quarantine | None, other: Quarantine | None) -> Quarantine | None:
    """The quarantine of two tests of one id: only what both have, and the end that is nearer."""
    if one is None or other is None:
        return None
    return min(one, other, key=lambda each: -math.inf if each.days_left is None else each.days_left)


def _both(one: Test, other: Test) -> Test:
    """Two tests of one id, in two shards or twice in a session: the worse of both, with what both have."""
    worse, better = sorted((one, other), key=lambda test: rank(test.outcome, REPORT_ORDER))
    also = dict.fromkeys([*worse.also, better.outcome, *better.also])
    return replace(
        worse,
        runs=tuple({run.reference: run for run in (*one.runs, *other.runs)}.values()),
        uses_runs=one.uses_runs or other.uses_runs,
        executions=one.executions + other.executions,
        items=one.items + other.items,
        failures=one.failures + other.failures,
        compared=tuple({compared.run: compared for compared in (*one.compared, *other.compared)}.values()),
        unused_mark=one.unused_mark and other.unused_mark,
        broke=one.broke or other.broke,
        quarantine=_weaker(one.quarantine, other.quarantine),
        also=tuple(word for word in also if word in BAD and word != worse.outcome),
    )
