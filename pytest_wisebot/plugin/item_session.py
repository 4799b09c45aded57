"""What the fixtures of this plugin use: the start of runs, from the running test's request to the engine."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from ..engine.values import Ahead, CollectedTests
from ..errors import ConfigurationError, InfrastructureError, WisebotError
from ..originals import os
from ..redaction import Secret
from ..runs import AGAINST, RunRequest, WorkflowRun
from ..settings import Credential, Settings, read_credential
from .against import Beside
from .collection import left_out_of
from .gate_selection import extent_of, in_gate, in_select
from .network_guard import guarded
from .options import is_offline
from .prefetch import read_durations, request_ahead, runs_ahead
from .preflight import why_none_can_run
from .redact_pytest import secrets_in_sources
from .run_tracker import (
    Counterparts,
    RequestedRun,
    RunTracker,
    beside_key,
    declared_run_key,
    fixtures_that_start_runs,
    for_trial,
    references,
    tag_in,
    test_tag,
)
from .runtime import Comparison, EngineApi, Runtime
from .session_state import state_of
from .trial_policy import TrialPolicy

if TYPE_CHECKING:
    from ..emulator import EmulatorHandle
    from ..engine.pending import PendingRun


class TrialsAhead:
    """The trials of one test that start before their turn.

    Args:
        request: the request of each of them.
        cap: how many runs may be in flight at once.
    """

    def __init__(self, request: RunRequest, cap: int) -> None:
        self.request = request
        self._cap = cap
        self._started = 0

    def next(self, policy: TrialPolicy, passes: int, judged: int) -> list[Ahead]:
        """The trials to start now: as many as may be sent and not judged yet, by what is known so far."""
        last = min(policy.trials, judged + policy.may_be_open(passes, self._cap))
        fresh = range(self._started + 1, last + 1)
        self._started = max(self._started, last)
        test = self.request.test
        return [Ahead(declared_run_key(test, trial), for_trial(self.request, trial)) for trial in fresh]


class WisebotSession:
    """The runs that tests request. All that costs something is made when it is first needed.

    Attributes:
        execution: what all trials of the running test have in common; None for a test without trials.
    """

    def __init__(self, config: pytest.Config, runtime: Runtime, tracker: RunTracker) -> None:
        self._config = config
        self._runtime = runtime
        self._process = os.getpid()
        self._snapshots_refuse_runs = False
        self._ahead: dict[str, set[str]] = {}
        """By the test's tag, the keys of the runs that were started ahead and not requested yet."""
        self._trials_ahead: TrialsAhead | None = None
        self._beside: Beside | None = None
        self.execution: object | None = None
        self.redactor = runtime.redactor
        self.tracker = tracker
        tracker.worker_prefix = runtime.worker_prefix

    @property
    def settings(self) -> Settings:
        """The settings after the project's hook; the emulator's part may still be open.

        Raises:
            ConfigurationError: something in them is wrong, or they name a protected environment.
        """
        __tracebackhide__ = True
        return self._runtime.settings

    @property
    def target(self) -> Settings:
        """The settings with hosts and credentials of the emulator, which is started where the environment has one.

        Raises:
            ConfigurationError: as for `settings`; or the emulator cannot be started.
        """
        __tracebackhide__ = True
        return self._runtime.target

    def emulator(self) -> EmulatorHandle:
        """A handle on the emulator, for the requesting test's own runs.

        Raises:
            ConfigurationError: the environment has none.
        """
        __tracebackhide__ = True
        target = self.target
        ready = self._runtime.emulator
        if ready is None and is_offline(self._config):
            mode = self._config.option.wisebot_runs
            raise ConfigurationError(
                f"wisebot_emulator: no emulator runs with --wisebot-runs={mode}, which asks nothing of any network"
            )
        if ready is None:
            where = f'environment "{target.environment}"' if target.environment else "this session"
            host = target.origin or target.base_url or "no host"
            raise ConfigurationError(f"wisebot_emulator: {where} runs against {host}, not an emulator")
        from ..emulator import EmulatorHandle

        return EmulatorHandle(ready, lambda: self.tracker.tag, self.redactor)

    # --- runs that the running test requests

    def start(self, requests: list[RunRequest], max_seconds: float | None = None) -> list[PendingRun]:
        """Hands runs to the engine, and keeps them for the test's report."""
        __tracebackhide__ = True
        requests = [self._guarded(request) for request in requests]
        beside = [self._beside_of(request) for request in requests]
        started = self._engine.submit_all([*requests, *chain.from_iterable(beside)])
        counterparts = started[len(requests) :]
        self.tracker.remember(
            started[: len(requests)], max_seconds, [self._counterparts(own, counterparts) for own in beside]
        )
        return started[: len(requests)]

    def start_declared(self, request: RunRequest, max_seconds: float | None) -> PendingRun:
        """The run that the requesting test declares: the one that was started ahead, or one that starts now."""
        __tracebackhide__ = True
        if self._trials_ahead is not None and not self._trials_ahead.request.equals(request):
            self._trials_ahead = None  # what one trial requests otherwise, the others would, too
            self.forget(request.test)
        request = self._guarded(request)
        key = declared_run_key(request.test, self.tracker.trial)
        beside = self._beside_of(request)
        keys = [key, *(beside_key(key, one.side) for one in beside)]
        self._ahead.get(request.test, set()).difference_update(keys)
        started = [self._engine.submit(one, key=own) for one, own in zip([request, *beside], keys, strict=True)]
        self.tracker.remember(started[:1], max_seconds, [self._counterparts(beside, started[1:])])
        return started[0]

    def _guarded(self, request: RunRequest) -> RunRequest:
        return guarded(request, self.tracker.running, self._config, self.settings)

    # --- runs beside them, over a second environment

    @property
    def beside(self) -> Beside | None:
        """The second environment; None without one.

        Raises:
            ConfigurationError: as for `target`.
        """
        __tracebackhide__ = True
        if self._config.option.wisebot_against is None:
            return None
        if self._beside is None and (second := self._runtime.against) is not None:
            self._beside = Beside(self.settings, second, Comparison(self.settings, self.redactor))
        return self._beside

    def _beside_of(self, request: RunRequest) -> list[RunRequest]:
        """The requests of the runs beside a run.

        Raises:
            ConfigurationError: the second environment cannot make it.
        """
        __tracebackhide__ = True
        beside = self.beside
        if beside is None:
            return []
        beside.check(request)
        return [self._guarded_there(one, beside, self.tracker.running) for one in beside.requests(request)]

    def _guarded_there(self, request: RunRequest, beside: Beside, item: pytest.Item | None) -> RunRequest:
        if request.side != AGAINST:
            return request
        return guarded(replace(request, guard=""), item, self._config, beside.second)

    def _counterparts(self, requests: list[RunRequest], started: list[PendingRun]) -> Counterparts | None:
        """What a run is compared with, taken from the head of what was started; None without a second environment."""
        if self.beside is None:
            return None
        own = [started.pop(0) for _ in requests]
        return Counterparts(own[0] if own else None, own[1:])

    def _with_beside(self, runs: list[Ahead]) -> list[Ahead]:
        """Declared runs, each followed by those beside it. One that the second environment cannot make is left out."""
        beside = self.beside
        if beside is None:
            return runs
        found: list[Ahead] = []
        for run in runs:
            with suppress(ConfigurationError):  # the test itself will report it
                beside.check(run.request)
                others = [self._guarded_there(one, beside, None) for one in beside.requests(run.request)]
                found += [run, *(replace(run, key=beside_key(run.key, one.side), request=one) for one in others)]
        return [one for one in found if not one.request.guard]

    def mask(self, secret: object) -> None:
        """Masks the secret of one call, whatever becomes of the call: its source may be shown before it is checked."""
        if isinstance(secret, str):
            kind, colon, name = secret.partition(":")
            value = os.environ.get(name, "") if kind == "env" and colon else secret
            if not (kind == "file" and colon):  # a path is relative to a file that may be missing
                self._runtime.mask(Secret(value))

    def credential(self, secret: str | None) -> Credential | None:
        """The secret of one call: ``env:NAME``, ``file:PATH`` (beside ``wisebot.toml``) or a value; masked from now on.

        Where nothing is sent to any network, a reference that leads nowhere counts as none.

        Raises:
            ConfigurationError: it leads nowhere, or cannot be a credential.
        """
        __tracebackhide__ = True
        if secret is None:
            return None
        folder = self.settings.file.parent if self.settings.file else self._config.rootpath
        found = read_credential(secret, "secret=", folder, os.environ)
        if found.secret is None and is_offline(self._config):
            return None  # nothing is sent, and whose run it is does not depend on it
        if found.secret is None:
            raise ConfigurationError(f"secret=: {found.problem}")
        self._runtime.mask(found.secret)
        return found

    def traceback_of(self, run: WorkflowRun) -> str:
        """What a workflow function of the emulator raised in this run, or where it blocked: the answer has neither."""
        if run.source != "emulator" or run.run_id is None:
            return ""
        from ..emulator import EmulatorHandle

        try:
            ready = self._runtime.emulator
            return EmulatorHandle(ready).log(run.run_id) if ready is not None else ""
        except WisebotError:  # the emulator has ended: the section shows the rest
            return ""

    # --- runs ahead

    def collect(self, session: pytest.Session) -> None:
        """Hands the collected tests to the storage, which keeps runs for them."""
        for secret in secrets_in_sources(self._config, {item.path for item in session.items}):
            self._runtime.mask(secret)
        left_out = left_out_of(session)
        belongs, selects = in_gate(self._config), in_select(self._config)
        not_of_gate = [item for item in left_out if not belongs(item)]
        not_of_gate += [item for item in session.items if not selects(item)]  # of a shard, which has no gate of its own
        selected, deselected, by_gate = (
            [self._runtime.worker_prefix + item.nodeid for item in items]
            for items in (session.items, left_out, not_of_gate)
        )
        starters = fixtures_that_start_runs([*session.items, *left_out])
        self._runtime.collect(CollectedTests(selected, deselected, by_gate, starters, extent_of(session)))

    def check_runs(self, session: pytest.Session) -> None:
        """Ends the session before its first test where each test needs a run, and none can be made.

        A worker also hands on what is wrong with its collection.

        Raises:
            pytest.UsageError: with the reasons.
        """
        problem = "\n".join(state_of(self._config).collection_problems)
        if not problem and not _is_broken(session) and not session.config.getoption("setuponly", False):
            with suppress(WisebotError):  # in the settings: the tests themselves report it
                problem = self.redactor.clean(why_none_can_run(session, self.settings, lambda: self.target))
        if problem:
            self.collect(session)
        self._runtime.refuse(problem)

    def start_ahead(self, session: pytest.Session) -> None:
        """Starts the declared runs of the selected tests. What is wrong with them, the tests themselves report."""
        self.collect(session)
        try:
            settings = self.settings  # in any case: from them a worker takes the credentials to mask
            if _is_broken(session) or self._runtime.no_ahead is not None:
                return
            # With a budget the order decides which tests run at all: it is then the tests' own, and always the same.
            durations = read_durations(self._config) if settings.max_runs is None else {}
            self._start_ahead(list(runs_ahead(session.items, settings, durations, self._runtime.worker_prefix)))
        except WisebotError:
            return

    def begin_trials(self, item: pytest.Item) -> None:
        """A test with trials begins, whose trials may start before their turn."""
        self.execution, self._trials_ahead = object(), None
        try:
            settings = self.settings
            if self._runtime.no_ahead is None:
                request = request_ahead(item, settings, self._runtime.worker_prefix)
                self._trials_ahead = TrialsAhead(request, settings.concurrency) if request is not None else None
        except WisebotError:  # the test itself will report it
            return

    def start_trials(self, policy: TrialPolicy, passes: int, judged: int) -> None:
        """Starts further trials of the test that runs. No other process has this test."""
        if self._trials_ahead is not None and (runs := self._trials_ahead.next(policy, passes, judged)):
            try:
                self._start_ahead(runs, confirmations=1)
            except WisebotError:  # the test itself will report it
                return

    def end_trials(self) -> None:
        """The test with trials is over."""
        self.execution = self._trials_ahead = None

    def _start_ahead(self, runs: list[Ahead], confirmations: int | None = None) -> None:
        runs = self._with_beside(runs)
        if runs:
            self._runtime.engine.ahead(runs, confirmations=confirmations)
        for run in runs:
            self._ahead.setdefault(tag_in(run.key), set()).add(run.key)

    def take_back_refusals(self, requested: Iterable[RequestedRun]) -> None:
        """A test has passed: it expected the errors of the runs that it called for, which open no circuit."""
        pending = [one for asked in requested for one in (asked.pending, *(asked.beside.all if asked.beside else ()))]
        refused = [RequestedRun(one) for one in pending if isinstance(one.outcome, InfrastructureError)]
        if found := references(refused):
            self._runtime.engine.take_back_refusals(found)

    def forget_test(self, item: pytest.Item) -> None:
        """A test is over, or needs no further trial."""
        if self._ahead:
            self.forget(test_tag(item, self._runtime.worker_prefix))

    def forget(self, tag: str) -> None:
        """Does not begin what was started ahead for a test and is still waiting."""
        for key in self._ahead.pop(tag, ()):
            self._runtime.engine.forget(key)

    @property
    def _engine(self) -> EngineApi:
        """The engine, for this process alone: a forked child has its memory and not its thread, and would hang.

        Raises:
            ConfigurationError: this is a forked child; or as for `target`.
        """
        __tracebackhide__ = True
        if os.getpid() != self._process:
            raise ConfigurationError(self._why_not_forked())
        if not self._snapshots_refuse_runs:
            self._snapshots_refuse_runs = True
            _refuse_runs_in_plain_snapshots(self._config)
        return self._runtime.engine

    def _why_not_forked(self) -> str:
        if getattr(self._config.option, "forked", False):
            return "--forked runs each test in a process that cannot start or use runs: leave the option out"
        test = self.tracker.test
        if test is not None and test.get_closest_marker("forked") is not None:
            return "the mark forked runs this test in a process that cannot start or use runs: leave the mark out"
        return "a process that a test has forked cannot start runs: start them in the test itself"


def _is_broken(session: pytest.Session) -> bool:
    """Whether pytest ends the session for tests that could not be collected."""
    return bool(session.testsfailed) and not session.config.option.continue_on_collection_errors


def _refuse_runs_in_plain_snapshots(config: pytest.Config) -> None:
    """Makes syrupy's own fixture refuse runs, from the first run on."""
    if "syrupy.assertion" in sys.modules:  # its plugin may be left out
        from ..engine.pending import PendingRun
        from ..snapshots.patches import refuse

        config.add_cleanup(refuse((WorkflowRun, PendingRun)))
