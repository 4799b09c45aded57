"""``--wisebot-plan``: what a session would run, as far as anybody can know before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..runs import RunRequest
from ..settings import Settings
from . import durations as kept
from .ahead import known_request, refusal, runs_ahead, will_be_skipped
from .durations import Durations
from .owner import owner_of

MOST_NAMED = 20
"""Tests that are named one by one; ``-v`` names all."""


@dataclass
class Row:
    """One workflow over one API."""

    runs: int = 0
    ahead: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of the runs whose duration is known, from the last session."""


@dataclass
class Plan:
    """What a session would run."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    """Tests that start runs themselves, or by fixtures that nobody can look into."""
    skipped: int = 0

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
    """Prints what the session would run."""
    owner = owner_of(session.config)
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    plan = plan_of(session.items, owner.settings, kept.read(session.config), refusal(session.config))
    whole = session.config.get_verbosity() > 0
    reporter.ensure_newline()
    for line in plan_lines(plan, owner.settings, refusal(session.config), whole=whole):
        reporter.write_line(f"wisebot plan: {line}")


def plan_of(items: list[pytest.Item], settings: Settings, known: Durations, held: str | None) -> Plan:
    """What these tests would run.

    Args:
        items: the selected tests.
        settings: for the API of tests that name none.
        known: durations of the last session.
        held: why nothing would start ahead; None when it may.
    """
    plan = Plan()
    ahead = set() if held else {one.key for one in runs_ahead(items, settings, known)}
    typical = _typical(known)
    shared: set[str] = set()
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if not names & {"workflow_run", "trigger_workflow"}:
            continue
        if will_be_skipped(item):
            plan.skipped += 1
            continue
        request = known_request(item, settings)
        if request is None or "trigger_workflow" in names:
            plan.unknown.append(item.nodeid)
        if request is None or (request.share and request.key in shared):
            continue
        shared |= {request.key} if request.share else set()
        _count(plan, request, ahead=request.test in ahead, seconds=_expected(request, known, typical))
    return plan


def _count(plan: Plan, request: RunRequest, *, ahead: bool, seconds: float | None) -> None:
    row = plan.rows.setdefault((request.workflow, str(request.api)), Row())
    row.runs += 1
    row.ahead += ahead
    row.seconds += [seconds] if seconds is not None else []


def _expected(request: RunRequest, known: Durations, typical: Mapping[str, float]) -> float | None:
    """How long a run took last time; else how long the runs of its workflow took on average."""
    return known[request.test][1] if request.test in known else typical.get(request.workflow)


def _typical(known: Durations) -> dict[str, float]:
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
    yield f"{plan.runs} runs known, {plan.ahead} of them ahead of their tests" + (f" ({held})" if held else "")
    width = max((len(workflow) for workflow, _ in plan.rows), default=0)
    for (workflow, api), row in sorted(plan.rows.items()):
        counts = f"{row.runs:>5} runs, {row.ahead:>5} ahead"
        yield f"  {workflow:<{width}}  {api:<9}  {counts}, {_estimated(row.seconds, row.runs)}"
    if plan.seconds:
        yield f"in all {_estimated(plan.seconds, plan.runs)} of run time, {_wall(plan, settings)}"
    if settings.max_runs is not None and plan.runs > settings.max_runs:
        over = plan.runs - settings.max_runs
        yield f"--wisebot-max-runs {settings.max_runs} would leave at least {over} of them not run"
    if plan.skipped:
        yield f"{plan.skipped} tests would be skipped by their marks"
    yield from _unknown_lines(plan.unknown, whole=whole)


def _estimated(seconds: list[float], runs: int) -> str:
    if not seconds:
        return "no duration known yet"
    unknown = runs - len(seconds)
    return f"about {sum(seconds):.1f} s" + (f" and {unknown} of unknown duration" if unknown else "")


def _wall(plan: Plan, settings: Settings) -> str:
    """How long all that is known takes at best: no schedule beats the longest run, nor the cap."""
    cap = settings.concurrency if plan.ahead else 1
    return f"at least {max(max(plan.seconds), sum(plan.seconds) / cap):.1f} s at {cap} at once"


def _unknown_lines(unknown: list[str], *, whole: bool) -> Iterator[str]:
    if not unknown:
        return
    yield f"not known: what {len(unknown)} tests run, because they start runs themselves or by fixtures of their own"
    shown = unknown if whole else unknown[:MOST_NAMED]
    yield from (f"  {nodeid}" for nodeid in shown)
    if len(shown) < len(unknown):
        yield f"  and {len(unknown) - len(shown)} more, shown by -v"
