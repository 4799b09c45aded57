"""``trigger_workflow``: from the call of a test to requests, and from pending runs to results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from ..errors import ConfigurationError, WisebotError
from ..runs import Api, ApiName, RunRequest, WorkflowRun, json_inputs
from ..text import brief
from .item_session import WisebotSession
from .mark_use import inputs_left_out
from .markers import UNKNOWN, Declared, inputs_of, made_inputs
from .prefetch import as_api, declared_request, no_workflow, workflow_name
from .run_tracker import declared_occurrence

if TYPE_CHECKING:
    from ..engine.pending import PendingRun

Inputs = Mapping[str, Any]

LONGEST_TIMEOUT = 1e9
"""Seconds; far beyond any run, and within what a clock can add up."""


class TriggerWorkflow:
    """Runs workflows. The fixture ``trigger_workflow`` is one.

    Calling it runs a workflow and waits for its end; `start` does not wait; `map` runs many at once. All of them take:

    - ``workflow``: its name in ``wisebot.toml``, or its id; ``id:ID`` is always the id.
    - ``inputs``: the input bag, a mapping of field names to JSON values.
    - ``api``: ``"webhook"`` or ``"dashboard"``; default: the test's.
    - ``timeout``: seconds for the whole run, its retries included; default: the settings'.
    - ``secret``: the webhook secret for this call: ``env:NAME``, ``file:PATH`` or a value. It is refused beside the
      dashboard API, which does not use it: a test that expects a refusal would start a run.

    Raises:
        ConfigurationError: nothing can be sent: an unknown workflow, no host, no credential, inputs that are not JSON,
            a ``secret`` beside the dashboard API.
        InfrastructureError: there is no verdict on the workflow; the class names the reason.
    """

    def __init__(self, session: WisebotSession) -> None:
        self._session = session

    def __repr__(self) -> str:
        return "<trigger_workflow>"

    def __call__(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        api: ApiName | None = None,
        timeout: float | None = None,
        secret: str | None = None,
    ) -> WorkflowRun:
        """Runs a workflow and waits for its end."""
        __tracebackhide__ = True
        return self.start(workflow, inputs, api=api, timeout=timeout, secret=secret).wait()

    def start(
        self,
        workflow: str,
        inputs: Inputs | None = None,
        *,
        api: ApiName | None = None,
        timeout: float | None = None,
        secret: str | None = None,
    ) -> PendingRun:
        """Starts a run; wait for it with ``.wait()``, or with ``await`` under asyncio or trio."""
        __tracebackhide__ = True
        (pending,) = self._start(workflow, [inputs], api, timeout, secret)
        return pending

    def map(
        self,
        workflow: str,
        inputs: Iterable[Inputs | None],
        *,
        api: ApiName | None = None,
        timeout: float | None = None,
        secret: str | None = None,
    ) -> list[WorkflowRun]:
        """Runs a workflow once for each of ``inputs``, all at once; the results are in the same order.

        Raises:
            WisebotError: the first, in order, of the runs that have no verdict, once all have ended.
        """
        __tracebackhide__ = True
        self._session.mask(secret)
        if isinstance(inputs, Mapping | str) or not isinstance(inputs, Iterable):
            raise ConfigurationError(f"map: expected a list of input bags, got one: {brief(inputs)}")
        return _all(self._start(workflow, list(inputs), api, timeout, secret))

    def _start(
        self,
        workflow: str,
        bags: list[Inputs | None],
        api: ApiName | None,
        timeout: float | None,
        secret: str | None,
    ) -> list[PendingRun]:
        """Starts one run for each input bag; the test's marker gives what the call leaves out."""
        __tracebackhide__ = True
        session = self._session
        session.mask(secret)
        try:
            declaration = session.tracker.declaration
            if declaration.workflow is not None:  # then it is about workflow_run, and not about the calls beside it
                declaration = Declared(api=declaration.api)
            common = self._request(workflow, declaration, api, timeout, secret)
            requests = [replace(common, inputs=json_inputs(declaration.inputs if bag is None else bag)) for bag in bags]
            numbered = [replace(request, occurrence=session.tracker.occurrence(request)) for request in requests]
            return session.start(numbered, declaration.max_seconds)
        except WisebotError as error:  # a user's mistake: what matters is the user's own line
            raise error.with_traceback(None) from None

    def _request(
        self, workflow: str, declaration: Declared, api: ApiName | None, timeout: float | None, secret: str | None
    ) -> RunRequest:
        session = self._session
        chosen = as_api(api) or session.tracker.api or session.settings.api
        if secret is not None and chosen is Api.DASHBOARD:
            raise ConfigurationError(
                'secret=: this call uses the dashboard API, which has no webhook secret: give api="webhook"'
            )
        credential = session.credential(secret)
        return RunRequest(
            workflow=workflow_name(workflow),
            api=chosen,
            timeout=_seconds(timeout if timeout is not None else declaration.timeout),
            secret=credential.secret if credential else None,
            secret_reference=credential.reference if credential else None,
            test=session.tracker.tag,
            share=declaration.share,
        )


def run_declared(session: WisebotSession, request: pytest.FixtureRequest, api: Api) -> WorkflowRun:
    """The run that a test's marker declares.

    Raises:
        ConfigurationError: it declares none.
    """
    __tracebackhide__ = True
    item, tracker = request.node, session.tracker
    declaration = tracker.declaration
    if declaration.workflow is None:
        raise no_workflow(item)
    bag = declaration.inputs if declaration.inputs is not None else inputs_of(item)
    if bag is UNKNOWN:
        bag = made_inputs(request)
    if (problem := inputs_left_out(item)) is not None:
        raise ConfigurationError(f"{item.nodeid}: {problem}")
    try:
        occurrence = declared_occurrence(item, tracker.worker_prefix, tracker.trial)
        wanted = declared_request(declaration, bag, api, tracker.tag, occurrence)
        pending = session.start_declared(wanted, declaration.max_seconds)
    except WisebotError as error:
        raise error.with_traceback(None) from None
    return pending.wait()


class Runs(list[WorkflowRun]):
    """The runs of `Trigger.map`: a list that is neither true nor false, as its runs are."""

    def __bool__(self) -> NoReturn:
        """``assert trigger_workflow.map(…)`` would hold for runs that failed.

        Raises:
            TypeError: always.
        """
        __tracebackhide__ = True
        raise TypeError(
            "a list of runs is neither true nor false: write all(run.ok for run in runs), or len(runs) for their number"
        )


def _all(pending: list[PendingRun]) -> list[WorkflowRun]:
    """Waits for every run before it raises, so that none is left in flight behind an error."""
    __tracebackhide__ = True
    runs: list[WorkflowRun] = []
    errors: list[WisebotError] = []
    for one in pending:
        try:
            runs.append(one.wait())
        except WisebotError as error:
            errors.append(error)
    if not errors:
        return Runs(runs)
    if len(pending) > 1:
        errors[0].add_note(f"{len(errors)} of {len(pending)} runs have no verdict; this is the first of them.")
    raise errors[0].with_traceback(None) from None


def _seconds(timeout: object) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < LONGEST_TIMEOUT:
        raise ConfigurationError(f"timeout: expected a number of seconds above 0, got {brief(timeout)}")
    return float(timeout)
