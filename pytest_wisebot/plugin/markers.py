"""The ``wisebot`` marker: what it may say, and which one holds for a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import pytest

from .arguments import names_in

LINE = (
    "wisebot(workflow=None, inputs=None, *, api=None, timeout=None, max_seconds=None, trials=1, min_passes=None, "
    "share=False): "
    "the run that the workflow_run fixture gives: workflow name, input bag (default: the test's argument 'inputs'; "
    "{} for none), "
    "api 'webhook', 'dashboard' or 'both', seconds for the whole run, seconds that the run itself may take, how many "
    "trials the test has and how many of them must pass (default: all), whether equal requests of the session use one "
    "run. "
    "Without a workflow the rest holds for the runs that the test starts by trigger_workflow."
)

APIS = ("webhook", "dashboard", "both")


@dataclass(frozen=True)
class Declared:
    """What a test's marker says."""

    workflow: str | None = None
    inputs: Any = None
    api: str | None = None
    timeout: float | None = None
    max_seconds: float | None = None
    trials: int | None = None
    """None where the marker does not speak of trials: then `--wisebot-trials` does not concern the test."""
    min_passes: int | None = None
    share: bool = False


def wisebot(
    workflow: str | None = None,
    inputs: Any = None,
    *,
    api: str | None = None,
    timeout: float | None = None,
    max_seconds: float | None = None,
    trials: int | None = None,
    min_passes: int | None = None,
    share: bool = False,
) -> Declared:
    """The marker's arguments, checked.

    Raises:
        TypeError, ValueError: an argument is unknown or wrong; the message names it.
    """
    if workflow is not None and not isinstance(workflow, str):
        raise TypeError(f"workflow: expected a workflow's name, got {workflow!r}")
    if api is not None and api not in APIS:
        raise ValueError(f"api: expected one of {', '.join(map(repr, APIS))}, got {api!r}")
    for name, seconds in (("timeout", timeout), ("max_seconds", max_seconds)):
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (is_number and 0 < seconds < float("inf")):
            raise ValueError(f"{name}: expected a number of seconds above 0, got {seconds!r}")
    _check_trials(trials, min_passes)
    if not isinstance(share, bool):
        raise TypeError(f"share: expected True or False, got {share!r}")
    if share and trials is not None:
        raise ValueError("share=True and trials: every trial would judge the same run")
    return Declared(workflow, inputs, api, timeout, max_seconds, trials, min_passes, share)


def _check_trials(trials: object, min_passes: object) -> None:
    if trials is not None and not (_is_whole(trials) and trials >= 1):
        raise ValueError(f"trials: expected a whole number of at least 1, got {trials!r}")
    if min_passes is None:
        return
    if trials is None:
        raise ValueError(f"min_passes={min_passes!r}: of how many trials? trials=N says so")
    if not (_is_whole(min_passes) and 1 <= min_passes <= trials):
        raise ValueError(f"min_passes: expected a whole number from 1 to trials={trials}, got {min_passes!r}")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def declared(item: pytest.Item) -> Declared:
    """What holds for a test: the closest marker, of which one on a parameter is closer than the function's own.

    Raises:
        ConfigurationError: the marker is wrong, or one on a parameter asks for both APIs.
    """
    __tracebackhide__ = True
    on_parameter = next(_marks_on_parameters(item), None)
    declaration = _parsed(on_parameter or item.get_closest_marker("wisebot"), item.nodeid)
    if on_parameter is not None and declaration.api == "both":
        from ..errors import ConfigurationError

        raise ConfigurationError(
            f"{item.nodeid}: the wisebot marker: api='both' on one parameter alone: "
            "put it on the function, the class or the module"
        )
    return declaration


def says_trials(item: pytest.Item) -> bool:
    """Whether a test's marker speaks of trials, rightly or wrongly."""
    mark = mark_of(item)
    return mark is not None and not {"trials", "min_passes"}.isdisjoint(mark.kwargs)


def says_share(item: pytest.Item) -> bool:
    """Whether a test's marker says that it shares its run, rightly or wrongly."""
    mark = mark_of(item)
    return mark is not None and bool(mark.kwargs.get("share"))


def mark_of(item: pytest.Item) -> pytest.Mark | None:
    """The mark that holds for a test; None without one."""
    return next(_marks_on_parameters(item), None) or item.get_closest_marker("wisebot")


def declares_its_own_run(item: pytest.Item) -> bool:
    """Whether the mark that holds names a workflow, and stands on the test's function or on its parameter.

    One of a class or a module is inherited, and so is one that a hook adds to many tests.
    """
    mark = mark_of(item)
    return mark is not None and names_workflow(mark) and any(mark is one for one in _own_marks(item))


def names_workflow(mark: pytest.Mark) -> bool:
    """Whether a mark declares a run, rightly or wrongly."""
    return (mark.args[0] if mark.args else mark.kwargs.get("workflow")) is not None


def _own_marks(item: pytest.Item) -> Iterator[object]:
    yield from _marks_on_parameters(item)
    on_function = getattr(getattr(item, "obj", None), "pytestmark", ())
    for mark in on_function if isinstance(on_function, list | tuple) else (on_function,):
        yield getattr(mark, "mark", mark)


def first_trial(item: pytest.Item) -> int:
    """The number of a test's first trial; 0 for a test without trials.

    Whoever has one trial alone, as with ``--wisebot-trials 1``, has the first of what was kept of more.
    """
    return 1 if says_trials(item) else 0


def will_be_skipped(item: pytest.Item) -> bool:
    """Whether its marks say already that a test will not run its body."""
    if any(getattr(getattr(item, name, None), "__unittest_skip__", False) for name in ("obj", "cls")):
        return True
    try:
        from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

        if evaluate_skip_marks(item) is not None:
            return True
        expected = evaluate_xfail_marks(item)
        return expected is not None and not expected.run and not item.config.getoption("runxfail", False)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a broken condition: the test itself will say so
        return True


def not_parametrised(item: pytest.Item) -> Exception:
    """The error for a test that asks for both APIs and yet is one test: it would run over one of them in silence."""
    from ..errors import ConfigurationError

    return ConfigurationError(
        f"{item.nodeid}: the wisebot marker: api='both' needs a test function with trigger_workflow, workflow_run or "
        "wisebot_api among its arguments; in a unittest.TestCase, or by request.getfixturevalue, name one API"
    )


def parametrize_api(metafunc: pytest.Metafunc) -> None:
    """Gives a test that asks for both APIs a parameter with each of them."""
    if not _starts_runs(metafunc):
        return
    try:
        declaration = _parsed(metafunc.definition.get_closest_marker("wisebot"), metafunc.definition.nodeid)
    except Exception as error:  # noqa: BLE001 - told as the collection's error, in one line
        raise pytest.Collector.CollectError(str(error)) from None
    if (declaration.api or metafunc.config.option.wisebot_api) == "both" and not _has_its_own_apis(metafunc):
        if "wisebot_api" not in metafunc.fixturenames:
            metafunc.fixturenames.append("wisebot_api")
        metafunc.parametrize("wisebot_api", ["webhook", "dashboard"], indirect=True)


def _has_its_own_apis(metafunc: pytest.Metafunc) -> bool:
    """Whether the project chooses the APIs of a test itself: by a parametrize mark, or a ``wisebot_api`` of its own."""
    flat = [name for mark in metafunc.definition.iter_markers("parametrize") for name in names_in(mark)]
    definitions = getattr(getattr(metafunc.definition, "_fixtureinfo", None), "name2fixturedefs", {})
    nearest = next(iter(definitions.get("wisebot_api", ())[-1:]), None)
    return "wisebot_api" in flat or (nearest is not None and nearest.func.__module__ != f"{__package__}.fixtures")


def _marks_on_parameters(item: pytest.Item) -> Iterator[pytest.Mark]:
    callspec = getattr(item, "callspec", None)
    return (mark for mark in getattr(callspec, "marks", ()) if mark.name == "wisebot")


_last_parsed: tuple[pytest.Mark | None, Declared] = (None, Declared())
"""The last mark that was right. Whoever looks at a test looks several times, and its neighbours have the same mark."""


def _parsed(mark: pytest.Mark | None, nodeid: str) -> Declared:
    __tracebackhide__ = True
    global _last_parsed
    known, declaration = _last_parsed
    if mark is known:
        return declaration
    if mark is None:
        return Declared()
    try:
        declaration = wisebot(*mark.args, **mark.kwargs)
        _last_parsed = (mark, declaration)
        return declaration
    except (TypeError, ValueError) as error:
        from ..errors import ConfigurationError

        raise ConfigurationError(f"{nodeid}: the wisebot marker: {error}; it is {LINE.partition(':')[0]}") from None


def _starts_runs(metafunc: pytest.Metafunc) -> bool:
    """Whether a test starts runs itself, or by fixtures of its own: a wider fixture's run is one, whatever the API."""
    info = getattr(metafunc.definition, "_fixtureinfo", None)
    definitions = getattr(info, "name2fixturedefs", {})
    todo = list(getattr(info, "initialnames", metafunc.fixturenames))
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in ("trigger_workflow", "workflow_run", "wisebot_api"):
            return True
        if name not in seen:
            seen.add(name)
            todo += [
                needed
                for item in definitions.get(name, ())[-1:]
                if item.scope == "function"
                for needed in item.argnames
            ]
    return False
