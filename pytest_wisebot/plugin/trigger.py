"""``trigger_workflow``: from what a test writes to requests, and from pending runs to results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError, WisebotError
from ..runs import Api, Occurrence, RunRequest, WorkflowRun, json_inputs, shared_occurrence
from ..text import brief
from .arguments import UNKNOWN, inputs_of, made_inputs
from .mark_use import inputs_left_out
from .markers import Declared

if TYPE_CHECKING:
    from ..engine.pending import PendingRun
    from .item_session import WisebotSession

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
        ConfigurationError: nothing can be sent: an unknown workflow, no host, no credential, inputs that are no JSON,
            a ``secret`` beside the dashboard API.
        InfrastructureError: there is no verdict on the workflow; the class says why.
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
        api: Api | str | None = None,
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
        api: Api | str | None = None,
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
        api: Api | str | None = None,
        timeout: float | None = None,
        secret: str | None = None,
    ) -> list[WorkflowRun]:
        """Runs a workflow once for each of ``inputs``, all at once; the results are in the same order.

        Raises:
            WisebotError: the first, in order, of the runs that have no verdict, once all have ended.
        """
        __tracebackhide__ = True
        if isinstance(inputs, Mapping | str) or not isinstance(inputs, Iterable):
            raise ConfigurationError(f"map: expected a list of input bags, got one: {brief(inputs)}")
        return _all(self._start(workflow, list(inputs), api, timeout, secret))

    def _start(
        self,
        workflow: str,
        bags: list[Inputs | None],
        api: Api | str | None,
        timeout: float | None,
        secret: str | None,
    ) -> list[PendingRun]:
        __tracebackhide__ = True
        try:
            requests, max_seconds = self._requests(workflow, bags, api, timeout, secret)
            return self._session.start(requests, max_seconds)
        except WisebotError as error:  # a user's mistake: what matters is the user's own line
            raise error.with_traceback(None) from None

    def _requests(
        self,
        workflow: str,
        bags: list[Inputs | None],
        api: Api | str | None,
        timeout: float | None,
        secret: str | None,
    ) -> tuple[list[RunRequest], float | None]:
        """What is to run, with the test's marker for what the call leaves out; and how long a run may take."""
        session = self._session
        declaration = session.asking.declaration
        if declaration.workflow is not None:  # then it speaks of workflow_run, and not of the calls beside it
            declaration = Declared(api=declaration.api)
        chosen = _api(api) or session.asking.api or session.settings.api
        if secret is not None and chosen is Api.DASHBOARD:
            raise ConfigurationError(
                'secret=: this call uses the dashboard API, which has no webhook secret: give api="webhook"'
            )
        credential = session.credential(secret)
        common = RunRequest(
            workflow=_name(workflow),
            api=chosen,
            timeout=_seconds(timeout if timeout is not None else declaration.timeout),
            secret=credential.secret if credential else None,
            secret_reference=credential.reference if credential else None,
            test=session.asking.tag,
            share=declaration.share,
        )
        bags = [declaration.inputs if bag is None else bag for bag in bags]
        requests = [replace(common, inputs=json_inputs(bag)) for bag in bags]
        numbered = [replace(request, occurrence=session.asking.occurrence(request)) for request in requests]
        return numbered, declaration.max_seconds


def run_declared(session: WisebotSession, request: pytest.FixtureRequest, api: Api) -> WorkflowRun:
    """The run that a test's marker declares.

    Raises:
        ConfigurationError: it declares none.
    """
    __tracebackhide__ = True
    declaration = session.asking.declaration
    if declaration.workflow is None:
        raise no_workflow(request.node)
    bag = declaration.inputs if declaration.inputs is not None else inputs_of(request.node)
    if bag is UNKNOWN:
        bag = made_inputs(request)
    if (problem := inputs_left_out(request.node)) is not None:
        raise ConfigurationError(f"{request.node.nodeid}: {problem}")
    try:
        declares = declared_request(declaration, bag, api, session.asking.tag, session.asking.declares(request.node))
        pending = session.start_declared(declares, declaration.max_seconds)
    except WisebotError as error:
        raise error.with_traceback(None) from None
    return pending.wait()


def no_workflow(item: pytest.Item) -> ConfigurationError:
    """The error for a test that uses ``workflow_run`` and declares no run."""
    return ConfigurationError(
        f'{item.nodeid}: workflow_run needs a marker that names a workflow: @pytest.mark.wisebot("NAME", {{...}})'
    )


def declared_request(declaration: Declared, bag: Any, api: Api, tag: str, occurrence: Occurrence) -> RunRequest:
    """The request of a test that declares its run.

    Raises:
        ConfigurationError: the input bag is no JSON.
    """
    return RunRequest(
        workflow=_name(declaration.workflow),
        inputs=json_inputs(bag),
        api=_api(api) or Api.WEBHOOK,
        timeout=declaration.timeout,
        test=tag,
        share=declaration.share,
        occurrence=shared_occurrence(declaration.timeout) if declaration.share else occurrence,
    )


def _all(pending: list[PendingRun]) -> list[WorkflowRun]:
    """Waits for every run before it raises, so that none is left flying behind an error."""
    __tracebackhide__ = True
    runs: list[WorkflowRun] = []
    errors: list[WisebotError] = []
    for one in pending:
        try:
            runs.append(one.wait())
        except WisebotError as error:
            errors.append(error)
    if not errors:
        return runs
    if len(pending) > 1:
        errors[0].add_note(f"{len(errors)} of {len(pending)} runs have no verdict; this is the first of them.")
    raise errors[0].with_traceback(None) from None


def _name(workflow: object) -> str:
    if not isinstance(workflow, str):
        raise ConfigurationError(f"workflow: expected a name or id, got {type(workflow).__name__}: {brief(workflow)}")
    return workflow


def _api(api: object) -> Api | None:
    if api is None:
        return None
    if api not in (Api.WEBHOOK, Api.DASHBOARD):
        raise ConfigurationError(f'api: expected "webhook" or "dashboard", got {brief(api)}')
    return Api(str(api))


def _seconds(timeout: object) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < LONGEST_TIMEOUT:
        raise ConfigurationError(f"timeout: expected a number of seconds above 0, got {brief(timeout)}")
    return float(timeout)
