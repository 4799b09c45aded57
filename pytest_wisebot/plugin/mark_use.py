"""Whether tests use what their ``wisebot`` marks declare: found at collection where possible, else at a test's end.

Loaded where a selected test has a mark. Nothing here loads the engine.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from ..errors import ConfigurationError
from ..runs import json_inputs
from . import markers
from .markers import Declared

NOT_INPUTS = frozenset({"wisebot_api", "anyio_backend", markers.CASE})
"""Parameters that determine how a test runs, and not what it is about."""

_OURS = __package__.partition(".")[0]

RUN_HOOKS = (
    "pytest_fixture_setup",
    "pytest_pyfunc_call",
    "pytest_runtest_call",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
)
"""The hooks in which a project may request a fixture in a test's place."""


def check_marks(items: list[pytest.Item]) -> None:
    """Reports what is wrong with the marks of the selected tests as errors of their collection, and removes these."""
    problems = {id(item): problem for item in items if (problem := _problem(item)) is not None}
    by_function: dict[tuple[str, str], list[pytest.Item]] = {}
    for item in (item for item in items if id(item) in problems):
        by_function.setdefault((item.nodeid.partition("[")[0], problems[id(item)]), []).append(item)
    for (function, problem), wrong in by_function.items():
        nodeid = function if wrong[1:] else wrong[0].nodeid
        report = pytest.CollectReport(nodeid, "failed", f"{nodeid}: {problem}", [])
        wrong[0].ihook.pytest_collectreport(report=report)
    if problems:
        items[:] = [item for item in items if id(item) not in problems]


def _problem(item: pytest.Item) -> str | None:
    if markers.mark_of(item) is None:
        return None
    try:
        markers.quarantine_of(item)
    except ValueError as error:
        return f"the wisebot marker: {error}"
    try:
        declaration = markers.declared(item)
        uses_run = "workflow_run" in markers.fixture_names(item)
        problem = _wrong_inputs(declaration) or (inputs_left_out(item) if uses_run else _never_used(item))
    except ConfigurationError:  # a wrong marker: the test itself has the message
        return None
    return problem if problem is not None and not markers.will_be_skipped(item) else None


def _wrong_inputs(declaration: Declared) -> str | None:
    try:
        json_inputs(declaration.inputs)
    except ConfigurationError as error:
        return f"the wisebot marker: {error}"
    return None


def inputs_left_out(item: pytest.Item) -> str | None:
    """Why a test that uses ``workflow_run`` must not run with an empty input bag; None where it may.

    Raises:
        ConfigurationError: the marker is wrong.
    """
    declaration = markers.declared(item)
    if declaration.workflow is None or declaration.inputs is not None or markers.inputs_name(item) is not None:
        return None
    by = [name for name in markers.parameter_names(item) if name not in NOT_INPUTS and not name.startswith("_")]
    manager: Any = item.config.pluginmanager.get_plugin("funcmanage")
    if not by and not manager.getfixturedefs("inputs", item):
        return None
    reason = f"the test is parametrised by {', '.join(by)}" if by else "there is a fixture inputs"
    argument = "let the autouse fixture take inputs" if _is_unittest(item) else "take the argument inputs"
    names_none = f'the wisebot marker names no inputs for "{declaration.workflow}"'
    return f"{names_none}, and {reason}: {argument}, or write {{}} for none"


def unused_declaration(item: pytest.Item) -> str | None:
    """What is wrong with a test that passed without the run that its own mark declares: it has proved nothing."""
    never_used = "workflow_run" not in markers.fixture_names(item)
    return _unused(item) if never_used and markers.declares_its_own_run(item) else None


def has_unused_mark(item: pytest.Item) -> bool:
    """Whether a test is under a mark, its own or an inherited one, and does not use ``workflow_run``."""
    mark = markers.mark_of(item)
    return mark is not None and markers.names_workflow(mark) and "workflow_run" not in markers.fixture_names(item)


def _never_used(item: pytest.Item) -> str | None:
    """What is wrong with a test that has no way to use the run that its own mark declares."""
    if not markers.declares_its_own_run(item):
        return None
    values = [value for name, value in markers.parameters(item).items() if name != markers.CASE]
    known = isinstance(item, pytest.Function) and all(map(markers.is_plain, values))
    return _unused(item) if known and not _may_use_by_name(item) else None


def _unused(item: pytest.Item) -> str:
    declares = f"declares a run of {markers.declared(item).workflow} and never used it"
    if _is_unittest(item):
        return f"{declares}: add an autouse fixture that takes workflow_run"
    calls = ", or leave the workflow out of the marker: the rest then holds for the calls of trigger_workflow"
    triggers = "trigger_workflow" in markers.fixture_names(item)
    return f"{declares}: add the argument workflow_run{calls if triggers else ''}"


def _may_use_by_name(item: pytest.Item) -> bool:
    """Whether code has a ``request``, or a hook, by which it may request ``workflow_run`` while the test runs."""
    info: Any = getattr(item, "_fixtureinfo", None)
    if "request" in info.argnames:
        return True
    fixtures = [one for found in info.name2fixturedefs.values() for one in found if "request" in one.argnames]
    hooks = [one for name in RUN_HOOKS for one in getattr(item.config.hook, name).get_hookimpls()]
    installed = installed_packages(item.config)
    return any(_may_use(one, installed) for one in [*(one.func for one in fixtures), *(one.function for one in hooks)])


def _may_use(function: Any, installed: set[str]) -> bool:
    """Code of a project may request any fixture; that of an installed plugin only one that it names."""
    package = str(function.__module__).partition(".")[0]
    if package == _OURS or package not in installed:
        return package != _OURS
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and "workflow_run" in code.co_consts


def installed_packages(config: pytest.Config) -> set[str]:
    """The packages of pytest and of its installed plugins."""
    plugins = (getattr(plugin, "__name__", "") for plugin, _ in config.pluginmanager.list_plugin_distinfo())
    return {"_pytest", *(name.partition(".")[0] for name in plugins)}


def _is_unittest(item: pytest.Item) -> bool:
    from _pytest.unittest import TestCaseFunction

    return isinstance(item, TestCaseFunction)
