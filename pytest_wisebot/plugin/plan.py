"""``--wisebot-plan``: what a session would run, as far as it is known before the session runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..errors import ConfigurationError, WisebotError
from ..runs import RunRequest
from ..settings import Settings, Workflow
from ..settings.settings import AGAINST_OPTION
from ..text import column, count, listed
from .markers import functions_of, will_be_skipped
from .prefetch import Durations, known_request, needs_emulator, read_durations, runs_ahead
from .runtime import local_runtime, refuses_ahead
from .session_state import state_of
from .settings_source import check_second
from .trial_policy import doubt_about, policy_of

MOST_NAMED = 20
"""Tests that are named one by one; ``-v`` names all."""


@dataclass
class PlanRow:
    """One workflow over one API.

    Attributes:
        seconds: of the runs whose duration is known, from the last session.
    """

    runs: int = 0
    ahead: int = 0
    seconds: list[float] = field(default_factory=list)


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
            if (against := local_runtime(config).unguarded_against) is not None:
                check_second(settings, against, config)
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        workers = state_of(config).workers_with_every_test
        plan = Plan(items, settings, read_durations(config), refuses_ahead(config), workers, against)
        lines = list(plan.lines(whole=config.get_verbosity() > 0))
        refusals = [refusal for one in (settings, against) if one is not None and (refusal := one.refusal())]
        lines += [f"and now nothing at all would be run: {refusal}" for refusal in refusals[:1]]
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    for line in lines if reporter is not None else ():
        reporter.write_line(f"wisebot plan: {local_runtime(config).redactor.clean(line)}")


class Plan:
    """What a session would run.

    Args:
        items: the selected tests that start runs.
        settings: for the API of tests that name none.
        durations: of the last session.
        held: why nothing would start ahead; None when runs may.
        workers: how many workers run every test (``--dist each``).
        against: the settings of the second environment, if runs are compared with it.
    """

    def __init__(
        self,
        items: list[pytest.Item],
        settings: Settings,
        durations: Durations,
        held: str | None,
        workers: int,
        against: Settings | None = None,
    ) -> None:
        self._settings = settings
        self._against = against
        self._durations = durations
        self._typical = _typical(durations)
        self._held = held
        self._workers = workers
        ahead = [] if held else list(runs_ahead(items, settings, durations))
        self._ahead = Counter(one.request.test for one in ahead)
        self._shared_ahead = {one.request.key for one in ahead}
        self._shared: set[str] = set()
        self._rows: dict[tuple[str, str], PlanRow] = {}
        self._unknown: list[str] = []  # tests that start runs by trigger_workflow, or by fixtures of the project
        self._wrong: list[str] = []  # tests whose runs cannot be, and why
        self._skipped = 0
        self._tests_with_trials = 0
        self._spare = 0  # runs that their trials take beyond those that are counted, where some of them fail
        self._doubtful: list[str] = []  # tests whose trials cannot show the rate that they demand
        self._repeated = 0  # tests with trials whose runs are not known
        self._emulated = 0  # declared runs that wait for their tests because these use wisebot_emulator
        for item in items:
            self._add(item)

    def _add(self, item: pytest.Item) -> None:
        if will_be_skipped(item):
            self._skipped += 1
            return
        try:
            policy = policy_of(item)
            request = known_request(item, self._settings)
        except WisebotError as error:
            self._wrong.append(f"{item.nodeid}: {str(error).removeprefix(f'{item.nodeid}: ')}")
            return
        if policy is not None and (doubt := doubt_about(policy)):
            self._doubtful.append(f"{item.nodeid}: {doubt}")
        if request is None or "trigger_workflow" in _starters(item):
            self._unknown.append(item.nodeid)
            self._repeated += policy is not None
        if request is not None and not (request.share and request.key in self._shared):
            self._shared |= {request.key} if request.share else set()
            runs = policy.min_passes if policy else 1
            self._count(request, runs)
            self._emulated += runs * (needs_emulator(item) and not self._is_ahead(request))
            if policy is not None:
                self._tests_with_trials += 1
                self._spare += (policy.trials - policy.min_passes) * self._workers

    def _count(self, request: RunRequest, runs: int) -> None:
        """Counts the runs that a test takes if all its trials pass."""
        row = self._rows.setdefault((request.workflow, str(request.api)), PlanRow())
        times = runs * (1 if request.share else self._workers)
        row.runs += times
        shared = request.share and self._is_ahead(request)
        row.ahead += times if shared else self._ahead[request.test] * self._workers
        known = self._durations.get(request.test)
        seconds = known[1] if known is not None else self._typical.get(request.workflow)
        row.seconds += [seconds] * times if seconds is not None else []

    def _is_ahead(self, request: RunRequest) -> bool:
        return self._ahead[request.test] > 0 or (request.share and request.key in self._shared_ahead)

    def lines(self, *, whole: bool) -> Iterator[str]:
        """The plan in words.

        Args:
            whole: name every test whose runs are not known.
        """
        rows, limit = self._rows.values(), self._settings.max_runs
        runs, ahead = sum(row.runs for row in rows), sum(row.ahead for row in rows)
        held = f" ({self._held})" if self._held else ""
        yield f"{count(runs, 'run')} known, {ahead} of them ahead of their tests{held}"
        yield from self._row_lines()
        yield from self._limit_lines()
        if self._workers > 1:
            yield f"each of {self._workers} workers runs every test (--dist each)"
        if seconds := [one for row in rows for one in row.seconds]:
            # No schedule beats the longest run, nor the cap, nor the limit of a workflow.
            cap = self._settings.concurrency if ahead else 1
            least = max(max(seconds), sum(seconds) / cap, *self._lane_seconds())
            wall = f"at least {least:.1f} s with {count(cap, 'run')} at once"
            yield f"together {_estimated(seconds, runs)}; {wall}"
        yield from self._trial_lines()
        if self._emulated and not self._held:
            yield f"{count(self._emulated, 'run')} not ahead because of wisebot_emulator"
        yield from self._side_lines(runs)
        if limit is not None and runs * self._times > limit:
            over = count(runs * self._times - limit, "run")
            yield f"at least {over} over max-runs {limit} ({self._settings.source('max-runs')})"
        if self._skipped:
            yield f"{count(self._skipped, 'test')} skipped by marks"
        if self._wrong:
            yield f"{count(len(self._wrong), 'test')} with nothing that can be run:"
            yield from listed(self._wrong, None if whole else MOST_NAMED)
        if self._unknown:
            tests = count(len(self._unknown), "test")
            yield f"not known: the runs of {tests}, which trigger_workflow or fixtures of the project start:"
            yield from listed(self._unknown, None if whole else MOST_NAMED)

    @property
    def _times(self) -> int:
        """How often the first environment makes each run."""
        return self._settings.against.noise if self._against is not None else 1

    def _side_lines(self, runs: int) -> Iterator[str]:
        """The runs over each of two environments, and what is beyond the budget of the second."""
        second = self._against
        if second is None:
            return
        first = self._settings.environment or "the first environment"
        noise = f" ({self._times} of each: noise under {self._settings.table('against')})" if self._times > 1 else ""
        both = f"{count(runs * self._times, 'run')} over {first}{noise}, {runs} over {second.environment}"
        yield f"with {AGAINST_OPTION}={second.environment}: {both}"
        if second.max_runs is not None and runs > second.max_runs:
            over = f"{count(runs - second.max_runs, 'run')} over max-runs {second.max_runs}"
            yield f"{second.environment}: at least {over} ({second.source('max-runs')})"

    def _row_lines(self) -> Iterator[str]:
        width = max((len(column(workflow)) for workflow, _ in self._rows), default=0)
        for (workflow, api), row in sorted(self._rows.items()):
            counts = f"{row.runs:>5} known, {row.ahead:>5} ahead"
            yield f"  {column(workflow):<{width}}  {api:<9}  {counts}, {_estimated(row.seconds, row.runs)}"

    def _trial_lines(self) -> Iterator[str]:
        if self._tests_with_trials:
            tests, more = count(self._tests_with_trials, "test"), count(self._spare, "more run")
            yield f"trials of {tests}: counted as if all passed; where some fail, up to {more}"
        if self._doubtful:
            first, *others = self._doubtful
            likewise = f" (and {count(len(others), 'more test')} likewise)" if others else ""
            yield f"warning: a pass rate that its trials cannot show{likewise}: {first}"
        if self._repeated:
            yield f"trials of {count(self._repeated, 'test')} below: each trial starts those runs anew"

    def _limit_lines(self) -> Iterator[str]:
        for workflow, limit, rows in self._lanes():
            waiting = sum(row.ahead for row in rows) - limit
            if waiting > 0:
                source = workflow.source("concurrency")
                yield f"{count(limit, 'run')} of {workflow.name} at once ({source}): {waiting} wait for their turn"

    def _lane_seconds(self) -> Iterator[float]:
        for _, limit, rows in self._lanes():
            yield sum(one for row in rows for one in row.seconds) / limit

    def _lanes(self) -> Iterator[tuple[Workflow, int, list[PlanRow]]]:
        """The workflows with a limit of their own, the limit, and their rows."""
        found: dict[str, tuple[Workflow, list[PlanRow]]] = {}
        for (name, _), row in sorted(self._rows.items()):
            workflow = self._settings.workflow(name)
            found.setdefault(workflow.id, (workflow, []))[1].append(row)
        for workflow, rows in found.values():
            if (limit := self._settings.limit_of(workflow)) is not None:
                yield workflow, limit, rows


def _starters(item: pytest.Item) -> set[str]:
    """The fixtures by which a test starts runs: its arguments, and those that it requests by name in its code."""
    return {"workflow_run", "trigger_workflow"} & {*getattr(item, "fixturenames", ()), *_by_name(item)}


def _by_name(item: pytest.Item) -> Iterator[object]:
    """The constants in the code of a test and its fixtures, where that requests fixtures by name: among them names."""
    for function in functions_of(item):
        code = getattr(function, "__code__", None)
        if code is not None and "getfixturevalue" in code.co_names:
            yield from code.co_consts


def _typical(known: Durations) -> dict[str, float]:
    """The average duration of the runs of each workflow, for new tests."""
    seconds: dict[str, list[float]] = {}
    for workflow, one in known.values():
        seconds.setdefault(workflow, []).append(one)
    return {workflow: sum(all_of_it) / len(all_of_it) for workflow, all_of_it in seconds.items()}


def _estimated(seconds: list[float], runs: int) -> str:
    if not seconds:
        return "no duration known yet"
    unknown = runs - len(seconds)
    return f"about {sum(seconds):.1f} s" + (f", and {unknown} of unknown duration" if unknown else "")
