"""Which runs may start before their tests ask for them: those that a marker declares and nothing can yet forbid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from ..engine.values import Ahead
from ..errors import WisebotError
from ..runs import Api, RunRequest
from ..settings import Settings
from .arguments import UNKNOWN, inputs_of, is_parameter, parameters, uses_ours
from .durations import Durations
from .markers import declared, first_trial, will_be_skipped
from .run_tracker import declared_occurrence, key_of, of_trial, tag_of
from .trial_policy import demanded
from .trigger import declared_request, no_workflow


def refusal(config: pytest.Config) -> str | None:
    """Which option keeps every run until its test asks; None without one.

    A session that may stop at any failure would have paid for runs that nobody looks at, and so would one whose tests
    run in processes of their own, which cannot start or use a run.
    """
    option = config.option
    given = {
        "--wisebot-no-ahead": option.wisebot_no_ahead,
        "-x or --maxfail": getattr(option, "maxfail", 0),
        "--stepwise": getattr(option, "stepwise", False),
        "--setup-only": getattr(option, "setuponly", False),
        "--forked": getattr(option, "forked", False),
    }
    return next((name for name, value in given.items() if value), None)


def runs_ahead(
    items: Iterable[pytest.Item], settings: Settings, durations: Durations, each: str = ""
) -> Iterator[Ahead]:
    """The declared runs that may start now, in test order.

    Args:
        items: the selected tests.
        settings: for the API of tests that name none.
        durations: of the last session, by the tests' tags.
        each: tells this process's tests from the same ones of another.
    """
    for item in items:
        try:
            request = request_ahead(item, settings, each)
            demand = demanded(item) if request is not None else None
        except WisebotError:  # the test will be told
            continue
        if request is not None:
            _, seconds = durations.get(request.test, ("", None))
            trials = range(1, demand.may_be_open(0, settings.concurrency) + 1) if demand else (first_trial(item),)
            for trial in trials:
                yield Ahead(key_of(request.test, trial), of_trial(request, trial), seconds)


def request_ahead(item: pytest.Item, settings: Settings, each: str = "") -> RunRequest | None:
    """What the test's ``workflow_run`` will run, where that may start before the test asks; else None.

    Raises:
        ConfigurationError: the marker is wrong, or what it says cannot be run.
    """
    waits = needs_emulator(item) or is_forked(item) or will_be_skipped(item)
    return None if waits else known_request(item, settings, each)


def known_request(item: pytest.Item, settings: Settings, each: str = "") -> RunRequest | None:
    """What the test's ``workflow_run`` will run; None without one, or when only its fixtures will know.

    Raises:
        ConfigurationError: the marker is wrong, or what it says cannot be run.
    """
    if not uses_ours(item, "workflow_run"):
        return None
    declaration = declared(item)
    api = _api(item, declaration.api, settings)
    bag = declaration.inputs if declaration.inputs is not None else inputs_of(item)
    if api is None or bag is UNKNOWN:
        return None
    if declaration.workflow is None:
        raise no_workflow(item)
    settings.workflow(declaration.workflow)
    return declared_request(declaration, bag, api, tag_of(item, each), declared_occurrence(item, each))


def needs_emulator(item: pytest.Item) -> bool:
    """Whether a test uses ``wisebot_emulator``: its faults must be there before its runs are."""
    return "wisebot_emulator" in getattr(item, "fixturenames", ())


def is_forked(item: pytest.Item) -> bool:
    """Whether pytest-forked runs a test in a process of its own, which cannot use what this one has started."""
    return item.get_closest_marker("forked") is not None


def _api(item: pytest.Item, named: str | None, settings: Settings) -> Api | None:
    if not uses_ours(item, "wisebot_api") and not is_parameter(item, "wisebot_api"):
        return None
    chosen = parameters(item).get("wisebot_api") or named or settings.api
    return Api(chosen) if chosen in (Api.WEBHOOK, Api.DASHBOARD) else None
