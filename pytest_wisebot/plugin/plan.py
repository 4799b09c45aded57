"""``--wisebot-plan``: what a session would run, as far as anybody can know before it runs."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..errors import ConfigurationError, WisebotError
from ..runs import RunRequest
from ..settings import Settings
from ..text import column, count
from .markers import will_be_skipped
from .prefetch import Durations, known_request, needs_emulator, read_durations, runs_ahead
from .runtime import local_runtime, refuses_ahead
from .session_state import state_of
from .trial_policy import policy_of

MOST_NAMED = 20
"""Tests that are named one by one; ``-v`` names all."""


@dataclass
class PlanRow:
    """One workflow over one API."""

    runs: int = 0
    ahead: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of the runs whose duration is known, from the last session."""


@dataclass
class Plan:
    """What a session would run."""

    rows: dict[tuple[str, str], PlanRow] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    """Tests that start runs by ``trigger_workflow``, or by fixtures that nobody can look into."""
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """Tests whose runs cannot be, and why."""
    each: int = 1
    """How many workers run every test (``--dist each``)."""
    skipped: int = 0
    """Tests that their marks keep from running."""
    tried: int = 0
    """Tests with trials whose runs are known."""
    spare: int = 0
    """Runs that their trials take beyond those that are known, where some of them fail."""
    repeated: int = 0
    """Tests with trials whose runs are not known."""
    emulated: int = 0
    """Declared runs that wait for their tests because these use ``wisebot_emulator``."""

    @property
    def runs(self) -> int:
        """All runs that are known."""
        return sum(row.runs for row in self.rows.values())

    @property
    def ahead(self) -> int:
        """Those that would start before their tests ask."""
        return sum(row.ahead for row in self.rows.values())

    @property
    def seconds(self) -> list[float]:
        """Of all runs whose duration is known."""
        return [one for row in self.rows.values() for one in row.seconds]


def show_plan(session: pytest.Session) -> None:
    """Prints what the session would run.

    Raises:
        pytest.UsageError: the settings are wrong, and a selected test needs them.
    """
    config = session.config
    items = [item for item in session.items if _starters(item)]
    lines = ["no selected test names workflow_run or trigger_workflow"]
    if items:
        try:
            settings = local_runtime(config).unguarded
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        held = refuses_ahead(config)
        plan = plan_of(items, settings, read_durations(config), held, state_of(config).workers_with_every_test)
        lines = list(plan_lines(plan, settings, held, whole=config.get_verbosity() > 0))
        lines += [f"and now nothing at all would be run: {refusal}"] if (refusal := settings.refusal()) else []
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    for line in lines if reporter is not None else ():
        reporter.write_line(f"wisebot plan: {local_runtime(config).redactor.clean(line)}")


def plan_of(
    items: Iterable[pytest.Item], settings: Settings, known: Durations, held: str | None, each: int = 1
) -> Plan:
    """What these tests would run.

    Args:
        items: the selected tests that start runs.
        settings: for the API of tests that name none.
        known: durations of the last session.
        held: why nothing would start ahead; None when it may.
        each: how many workers run every test.
    """
    items = list(items)
    ahead = [] if held else list(runs_ahead(items, settings, known))
    starts = Counter(one.request.test for one in ahead)
    planning = _Planning(settings, known, starts, {one.request.key for one in ahead})
    planning.plan.each = each
    for item in items:
        planning.add(item)
    return planning.plan


class _Planning:
    """Adds up a plan, test by test."""

    def __init__(self, settings: Settings, known: Durations, ahead: Counter[str], shared_ahead: set[str]) -> None:
        self.plan = Plan()
        self._settings = settings
        self._known = known
        self._typical = _typical(known)
        self._ahead = ahead
        self._shared_ahead = shared_ahead
        self._shared: set[str] = set()

    def add(self, item: pytest.Item) -> None:
        """One test."""
        if will_be_skipped(item):
            self.plan.skipped += 1
            return
        try:
            policy = policy_of(item)
            request = known_request(item, self._settings)
        except WisebotError as error:
            self.plan.wrong.append((item.nodeid, str(error).removeprefix(f"{item.nodeid}: ")))
            return
        if request is None or "trigger_workflow" in _starters(item):
            self.plan.unknown.append(item.nodeid)
            self.plan.repeated += policy is not None
        if request is not None and not (request.share and request.key in self._shared):
            self._shared |= {request.key} if request.share else set()
            runs = policy.min_passes if policy else 1
            self._count(request, runs)
            self.plan.emulated += runs * (needs_emulator(item) and not self._is_ahead(request))
            if policy is not None:
                self.plan.tried += 1
                self.plan.spare += (policy.trials - policy.min_passes) * self.plan.each

    def _count(self, request: RunRequest, runs: int) -> None:
        """Counts the runs that a test takes if all its trials pass."""
        row = self.plan.rows.setdefault((request.workflow, str(request.api)), PlanRow())
        times = runs * (1 if request.share else self.plan.each)
        row.runs += times
        row.ahead += times if request.share and self._is_ahead(request) else self._ahead[request.test] * self.plan.each
        seconds = self._known[request.test][1] if request.test in self._known else self._typical.get(request.workflow)
        row.seconds += [seconds] * times if seconds is not None else []

    def _is_ahead(self, request: RunRequest) -> bool:
        return self._ahead[request.test] > 0 or (request.share and request.key in self._shared_ahead)


def _starters(item: pytest.Item) -> set[str]:
    """By which fixtures a test starts runs: its arguments, and what it names for ``request.getfixturevalue``."""
    return {"workflow_run", "trigger_workflow"} & {*getattr(item, "fixturenames", ()), *_by_name(item)}


def _by_name(item: pytest.Item) -> Iterator[object]:
    """What stands in the code of a test and its fixtures, where that asks for fixtures by name: among it the names."""
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    functions = [getattr(item, "function", None), *(found[-1].func for found in definitions.values() if found)]
    for function in functions:
        code = getattr(inspect.unwrap(function), "__code__", None) if function is not None else None
        if code is not None and "getfixturevalue" in code.co_names:
            yield from code.co_consts


def _typical(known: Durations) -> dict[str, float]:
    """How long the runs of each workflow took on average, for tests that are new."""
    seconds: dict[str, list[float]] = {}
    for workflow, one in known.values():
        seconds.setdefault(workflow, []).append(one)
    return {workflow: sum(all_of_it) / len(all_of_it) for workflow, all_of_it in seconds.items()}


def plan_lines(plan: Plan, settings: Settings, held: str | None, *, whole: bool) -> Iterator[str]:
    """The plan in words.

    Args:
        plan: the plan.
        settings: for cap and budget.
        held: why nothing would start ahead.
        whole: name every test whose runs cannot be known.
    """
    reason = f" ({held})" if held else ""
    yield f"{count(plan.runs, 'run')} known, {plan.ahead} of them ahead of their tests{reason}"
    yield from _rows(plan)
    if plan.each > 1:
        yield f"each of {plan.each} workers runs every test (--dist each)"
    if plan.seconds:
        yield f"together {_estimated(plan.seconds, plan.runs)}; {_wall(plan, settings)}"
    if plan.tried:
        tests = count(plan.tried, "test")
        yield f"trials of {tests}: counted as if all passed; where some fail, up to {count(plan.spare, 'more run')}"
    if plan.repeated:
        yield f"trials of {count(plan.repeated, 'test')} below: each trial starts those runs anew"
    if plan.emulated and not held:
        yield f"{count(plan.emulated, 'run')} not ahead because of wisebot_emulator"
    if settings.max_runs is not None and plan.runs > settings.max_runs:
        over = plan.runs - settings.max_runs
        yield f"at least {count(over, 'run')} over max-runs {settings.max_runs} ({settings.source('max-runs')})"
    if plan.skipped:
        yield f"{count(plan.skipped, 'test')} skipped by marks"
    if plan.wrong:
        yield f"{count(len(plan.wrong), 'test')} with nothing that can be run:"
        yield from _named([f"{nodeid}: {problem}" for nodeid, problem in plan.wrong], whole=whole)
    if plan.unknown:
        tests = count(len(plan.unknown), "test")
        yield f"not known: the runs of {tests}, which trigger_workflow or fixtures of the project start:"
        yield from _named(plan.unknown, whole=whole)


def _rows(plan: Plan) -> Iterator[str]:
    width = max((len(column(workflow)) for workflow, _ in plan.rows), default=0)
    for (workflow, api), row in sorted(plan.rows.items()):
        counts = f"{row.runs:>5} known, {row.ahead:>5} ahead"
        yield f"  {column(workflow):<{width}}  {api:<9}  {counts}, {_estimated(row.seconds, row.runs)}"


def _estimated(seconds: list[float], runs: int) -> str:
    if not seconds:
        return "no duration known yet"
    unknown = runs - len(seconds)
    return f"about {sum(seconds):.1f} s" + (f", and {unknown} of unknown duration" if unknown else "")


def _wall(plan: Plan, settings: Settings) -> str:
    """How long all that is known takes at best: no schedule beats the longest run, nor the cap."""
    cap = settings.concurrency if plan.ahead else 1
    return f"at least {max(max(plan.seconds), sum(plan.seconds) / cap):.1f} s with {count(cap, 'run')} at once"


def _named(texts: list[str], *, whole: bool) -> Iterator[str]:
    shown = texts if whole else texts[:MOST_NAMED]
    yield from (f"  {text}" for text in shown)
    if len(shown) < len(texts):
        yield f"  and {len(texts) - len(shown)} more, shown by -v"
