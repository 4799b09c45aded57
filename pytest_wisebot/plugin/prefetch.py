"""The runs that may start before their tests request them: those that a marker declares and nothing can yet forbid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from ..engine.values import Ahead
from ..errors import ConfigurationError, WisebotError
from ..runs import Api, Occurrence, RunRequest, json_inputs, shared_occurrence
from ..settings import Settings
from ..text import brief
from . import markers
from .markers import Declared
from .network_guard import guarded
from .run_tracker import declared_occurrence, declared_run_key, for_trial, test_tag
from .trial_policy import policy_of

Durations = Mapping[str, tuple[str, float]]
"""By a test's tag: its workflow, and the seconds that its declared run took."""

MOST_KEPT = 20_000
"""Tests whose durations are kept; those that have not run for longest go first."""

_CACHE_KEY = "wisebot/durations"


def runs_ahead(
    items: Iterable[pytest.Item], settings: Settings, durations: Durations, worker_prefix: str = ""
) -> Iterator[Ahead]:
    """The declared runs that may start now, in test order.

    Args:
        items: the selected tests.
        settings: for the API of tests that name none.
        durations: of the last session.
        worker_prefix: tells this process's tests from the same ones of another.
    """
    for item in items:
        try:
            request = request_ahead(item, settings, worker_prefix)
            policy = policy_of(item) if request is not None else None
        except WisebotError:  # the test itself will report it
            continue
        if request is not None:
            _, seconds = durations.get(request.test, ("", None))
            first = markers.first_trial(item)
            for trial in range(1, policy.may_be_open(0, settings.concurrency) + 1) if policy else (first,):
                yield Ahead(declared_run_key(request.test, trial), for_trial(request, trial), seconds)


def request_ahead(item: pytest.Item, settings: Settings, worker_prefix: str = "") -> RunRequest | None:
    """The request of the test's ``workflow_run``, where it may start before the test issues it; else None.

    Raises:
        ConfigurationError: the marker is wrong, or what it declares cannot be run.
    """
    is_forked = item.get_closest_marker("forked") is not None  # its process cannot use what this one has started
    waits = needs_emulator(item) or is_forked or markers.will_be_skipped(item)
    request = None if waits else known_request(item, settings, worker_prefix)
    return None if request is None or guarded(request, item, item.config, settings).guard else request


def known_request(item: pytest.Item, settings: Settings, worker_prefix: str = "") -> RunRequest | None:
    """The request of the test's ``workflow_run``; None without one, or where only its fixtures can make it.

    Raises:
        ConfigurationError: the marker is wrong, or what it declares cannot be run.
    """
    if not markers.uses_ours(item, "workflow_run"):
        return None
    declaration = markers.declared(item)
    api = _api(item, declaration.api, settings)
    bag = declaration.inputs if declaration.inputs is not None else markers.inputs_of(item)
    if api is None or bag is markers.UNKNOWN:
        return None
    if declaration.workflow is None:
        raise no_workflow(item)
    settings.workflow(declaration.workflow)
    occurrence = declared_occurrence(item, worker_prefix)
    return declared_request(declaration, bag, api, test_tag(item, worker_prefix), occurrence)


def declared_request(declaration: Declared, bag: Any, api: Api, tag: str, occurrence: Occurrence) -> RunRequest:
    """The request of a test that declares its run.

    Raises:
        ConfigurationError: the input bag is not JSON.
    """
    return RunRequest(
        workflow=workflow_name(declaration.workflow),
        inputs=json_inputs(bag),
        api=as_api(api) or Api.WEBHOOK,
        timeout=declaration.timeout,
        test=tag,
        share=declaration.share,
        occurrence=shared_occurrence(declaration.timeout) if declaration.share else occurrence,
    )


def no_workflow(item: pytest.Item) -> ConfigurationError:
    """The error for a test that uses ``workflow_run`` and declares no run."""
    return ConfigurationError(
        f'{item.nodeid}: workflow_run needs a marker that names a workflow: @pytest.mark.wisebot("NAME", {{...}})'
    )


def needs_emulator(item: pytest.Item) -> bool:
    """Whether a test uses ``wisebot_emulator``: its faults must be there before its runs are."""
    return "wisebot_emulator" in getattr(item, "fixturenames", ())


def workflow_name(workflow: object) -> str:
    """A workflow's name, checked."""
    if not isinstance(workflow, str):
        raise ConfigurationError(f"workflow: expected a name or id, got {type(workflow).__name__}: {brief(workflow)}")
    return workflow


def as_api(api: object) -> Api | None:
    """An API, checked."""
    if api is None:
        return None
    if api not in (Api.WEBHOOK, Api.DASHBOARD):
        raise ConfigurationError(f'api: expected "webhook" or "dashboard", got {brief(api)}')
    return Api(str(api))


def _api(item: pytest.Item, named: str | None, settings: Settings) -> Api | None:
    if not markers.uses_ours(item, "wisebot_api") and not markers.is_parameter(item, "wisebot_api"):
        return None
    chosen = markers.parameters(item).get("wisebot_api") or named or settings.api
    return Api(chosen) if chosen in (Api.WEBHOOK, Api.DASHBOARD) else None


# --- the order of runs ahead: by how long they took in the last session, which pytest's cache keeps


def read_durations(config: pytest.Config) -> Durations:
    """The durations of the last session; none without a cache, or where something else wrote there."""
    cache = getattr(config, "cache", None)
    found: Any = cache.get(_CACHE_KEY, {}) if cache is not None else {}
    try:
        return {str(tag): (str(workflow), float(seconds)) for tag, (workflow, seconds) in found.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def write_durations(config: pytest.Config, durations: Durations) -> None:
    """Keeps durations, and those of earlier sessions for tests that did not run."""
    cache = getattr(config, "cache", None)
    if cache is not None and durations:
        before = {tag: one for tag, one in read_durations(config).items() if tag not in durations}
        newest_last = [*before.items(), *durations.items()]
        cache.set(_CACHE_KEY, {tag: list(one) for tag, one in newest_last[-MOST_KEPT:]})
