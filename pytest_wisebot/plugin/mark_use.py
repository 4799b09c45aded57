"""Whether tests use what their ``wisebot`` marks declare: told at collection where that is known, else at a test's end.

Loaded where a selected test has a mark. Nothing here loads the engine.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

import pytest

from ..errors import ConfigurationError
from . import report_facts
from .arguments import fixture_names, inputs_name, is_plain, parameter_names, parameters
from .markers import Declared, declared, declares_its_own_run, mark_of, names_workflow, will_be_skipped

NOT_INPUTS = frozenset({"wisebot_api", "anyio_backend"})
"""Parameters that tell how a test runs, and not what it is about."""

_OURS = __package__.partition(".")[0]

_RUN_HOOKS = (
    "pytest_fixture_setup",
    "pytest_pyfunc_call",
    "pytest_runtest_call",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
)
"""The hooks in which a project may ask for a fixture in a test's place."""


def check_marks(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Reports what is wrong with the marks of the selected tests as errors of their collection, and takes these out.

    Args:
        config: of the process that collects.
        items: the selected tests.
    """
    if not config.pluginmanager.has_plugin("wisebot-mark-use"):
        config.pluginmanager.register(MarkUse(config), "wisebot-mark-use")
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
    if mark_of(item) is None:
        return None
    try:
        declaration = declared(item)
        asks = "workflow_run" in fixture_names(item)
        problem = _wrong_inputs(declaration) or (inputs_left_out(item) if asks else _never_asks(item))
    except ConfigurationError:  # a wrong marker: the test itself has the message
        return None
    return problem if problem is not None and not will_be_skipped(item) else None


def _wrong_inputs(declaration: Declared) -> str | None:
    if declaration.inputs is None:
        return None
    from ..runs import json_inputs

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
    declaration = declared(item)
    if declaration.workflow is None or declaration.inputs is not None or inputs_name(item) is not None:
        return None
    by = [name for name in parameter_names(item) if name not in NOT_INPUTS and not name.startswith("_")]
    manager: Any = item.config.pluginmanager.get_plugin("funcmanage")
    if not by and not manager.getfixturedefs("inputs", item):
        return None
    reason = f"the test is parametrised by {', '.join(by)}" if by else "there is a fixture inputs"
    argument = "let the autouse fixture take inputs" if _is_unittest(item) else "take the argument inputs"
    names_none = f'the wisebot marker names no inputs for "{declaration.workflow}"'
    return f"{names_none}, and {reason}: {argument}, or write {{}} for none"


def _never_asks(item: pytest.Item) -> str | None:
    """What is wrong with a test that can never come to ask for the run that its own mark declares."""
    if not declares_its_own_run(item):
        return None
    known = isinstance(item, pytest.Function) and all(map(is_plain, parameters(item).values()))
    return _unused(item) if known and not _may_ask_by_name(item) else None


def _unused(item: pytest.Item) -> str:
    declares = f"declares a run of {declared(item).workflow} and never used it"
    if _is_unittest(item):
        return f"{declares}: add an autouse fixture that takes workflow_run"
    calls = ", or leave the workflow out of the marker: the rest then holds for the calls of trigger_workflow"
    return f"{declares}: add the argument workflow_run" + (calls if "trigger_workflow" in fixture_names(item) else "")


def _may_ask_by_name(item: pytest.Item) -> bool:
    """Whether code has a ``request``, or a hook, by which it may ask for ``workflow_run`` while the test runs."""
    info: Any = getattr(item, "_fixtureinfo", None)
    if "request" in info.argnames:
        return True
    fixtures = [one for found in info.name2fixturedefs.values() for one in found if "request" in one.argnames]
    hooks = [one for name in _RUN_HOOKS for one in getattr(item.config.hook, name).get_hookimpls()]
    installed = _installed(item.config)
    return any(_may_ask(one, installed) for one in [*(one.func for one in fixtures), *(one.function for one in hooks)])


def _may_ask(function: Any, installed: set[str]) -> bool:
    """Code of a project may ask for any fixture; that of an installed plugin only for one that it names."""
    package = str(function.__module__).partition(".")[0]
    if package == _OURS or package not in installed:
        return package != _OURS
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and "workflow_run" in code.co_consts


def _installed(config: pytest.Config) -> set[str]:
    """The packages of pytest and of its installed plugins."""
    plugins = (getattr(plugin, "__name__", "") for plugin, _ in config.pluginmanager.list_plugin_distinfo())
    return {"_pytest", *(name.partition(".")[0] for name in plugins)}


def _is_unittest(item: pytest.Item) -> bool:
    from _pytest.unittest import TestCaseFunction

    return isinstance(item, TestCaseFunction)


class MarkUse:
    """Looks at the end of each test whether it used what its mark declares. Registered where a test has a mark."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A test that passed, and never asked for the run that its own mark declares, has proved nothing."""
        __tracebackhide__ = True
        result = yield
        failed = getattr(item, "_excinfo", None)  # where unittest keeps what a test ended with
        if not failed and "workflow_run" not in fixture_names(item) and declares_its_own_run(item):
            raise ConfigurationError(f"{item.nodeid}: {_unused(item)}")
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Under an inherited mark a test may do without a run: the end of the session has its name."""
        report = yield
        if call.when == "call" and report.passed and self._has_used_none(item):
            report_facts.leave_mark_unused(report)
        return report

    def _has_used_none(self, item: pytest.Item) -> bool:
        mark = mark_of(item)
        if mark is None or not names_workflow(mark) or "workflow_run" in fixture_names(item):
            return False
        asking: Any = self._config.pluginmanager.get_plugin("wisebot-asking")
        return asking is None or not asking.used
