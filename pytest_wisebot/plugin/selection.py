"""The tests that run: those of workflows, by ``--wisebot-workflow``, and those that the gate judges, by ``[gate]``.

The workflows of a test are read from its marks and its code, and not from a run: a name that only a run can compute is
not found. ``[gate] select`` has pytest's own selection expressions.
"""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import markers
from .collection import Collection
from .options import asks_for_report
from .session_state import state_of
from .xdist import is_worker

if TYPE_CHECKING:
    from ..gate_config import Gate

FIXTURE = "trigger_workflow"

# --- the gate


def in_gate(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """A function that decides whether the gate judges a test: without ``select`` and ``paths`` it judges all.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    selects, paths = _selector(config), stated_paths(config)

    def is_inside(item: pytest.Item) -> bool:
        return not paths or any(path == item.path or path in item.path.parents for path in paths)

    return lambda item: is_inside(item) and selects(item)


def deselect_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that ``[gate] select`` leaves out, as an option would. Tests outside ``paths`` stay.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    selects = _selector(config)
    rest = [item for item in items if not selects(item)]
    if rest:
        items[:] = [item for item in items if selects(item)]
        config.hook.pytest_deselected(items=rest)


def stated_paths(config: pytest.Config) -> list[Path]:
    """The folders and files of ``[gate] paths``."""
    gate, folder = _gate(config)
    paths = gate.paths if gate is not None else ()
    return [Path(os.path.abspath(folder / path)) for path in paths]  # noqa: PTH100 - symbolic links stay, as in pytest


def _gate(config: pytest.Config) -> tuple[Gate | None, Path]:
    """From the file: a worker of xdist collects before it has the controller's settings."""
    if not asks_for_report(config):
        return None, config.rootpath
    from ..errors import ConfigurationError
    from .settings_source import resolved

    try:
        settings = resolved(config)
    except ConfigurationError:  # every session that runs tests reports it, at the header
        return None, config.rootpath
    return settings.gate, settings.file.parent if settings.file is not None else config.rootpath


def _selector(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """Decides by ``[gate] select`` alone; compiled once in a session."""
    state = state_of(config)
    if state.in_selection is None:
        gate, _ = _gate(config)
        state.in_selection = _compiled(gate.select) if gate is not None and gate.select is not None else lambda _: True
    return state.in_selection


def _compiled(select: str) -> Callable[[pytest.Item], bool]:
    from _pytest.mark import KeywordMatcher, MarkMatcher
    from _pytest.mark.expression import Expression

    from ..gate_config import selected

    compiled: dict[str, Callable[..., bool]] = {}
    for option, expression in selected(select).items():
        try:
            compiled[option] = Expression.compile(expression).evaluate
        except Exception as error:  # noqa: BLE001 - its class is pytest's own, and another one in each version
            raise pytest.UsageError(f"[gate] select: -{option} {expression}: {error}") from None

    def selects(item: pytest.Item) -> bool:
        markers.name_workflows([item])
        marked = "m" not in compiled or compiled["m"](MarkMatcher.from_markers(item.iter_markers()))
        return marked and ("k" not in compiled or compiled["k"](KeywordMatcher.from_item(item)))

    return selects


# --- workflows


def keep_workflows(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Deselects the tests of other workflows than those that ``--wisebot-workflow`` names.

    A worker of xdist reports a wrong name as an error of the collection: xdist cannot hand on any other.

    Raises:
        pytest.UsageError: no collected test is of a workflow of that name.
    """
    config = session.config
    problem = "" if session.testsfailed else _unknown_name(config)  # half a collection does not have every name
    if problem and not is_worker(config):
        raise pytest.UsageError(problem)
    if problem:
        session.ihook.pytest_collectreport(report=pytest.CollectReport("", "failed", problem, []))
    wanted = set(config.option.wisebot_workflow)
    rest = {id(item): item for item in items if wanted.isdisjoint(workflows_of(item))}
    if rest:
        items[:] = [item for item in items if id(item) not in rest]
        config.hook.pytest_deselected(items=list(rest.values()))


def workflows_of(item: pytest.Item) -> Iterator[str]:
    """The workflows that a test declares by its mark, or calls, as far as its code shows."""
    mark = markers.mark_of(item)
    if mark is not None:
        yield from _names([markers.workflow_named(mark)])
    parameters = markers.parameters(item)
    for function in markers.functions_of(item):
        for argument in _first_arguments(function):
            if isinstance(argument, ast.Constant):
                yield from _names([argument.value])
            elif isinstance(argument, ast.Name):
                yield from _names([parameters.get(argument.id)])


def _names(values: Iterable[object]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))


def _unknown_name(config: pytest.Config) -> str:
    """What is wrong with the names; empty where each is that of a collected test, selected or not."""
    items = state_of(config).one(Collection).items.values()
    known = {name for item in items for name in workflows_of(item)}
    for name in config.option.wisebot_workflow:
        if name not in known:
            from ..settings.checks import nearest_of_all

            problem = f'no collected test is marked with workflow "{name}", or calls it by that name'
            return f"--wisebot-workflow: {problem}, {nearest_of_all(name, sorted(known))}"
    return ""


@cache
def _first_arguments(function: Callable[..., Any]) -> tuple[ast.expr, ...]:
    """What a function passes as the workflow to ``trigger_workflow``, its ``start`` and its ``map``."""
    if FIXTURE not in getattr(getattr(function, "__code__", None), "co_varnames", ()):
        return ()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):  # made without source, or in the middle of an expression
        return ()
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_ours(node.func)]
    by_name = [word.value for call in calls for word in call.keywords if word.arg == "workflow"]
    return (*(call.args[0] for call in calls if call.args), *by_name)


def _is_ours(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute) and called.attr in ("start", "map"):
        called = called.value
    return isinstance(called, ast.Name) and called.id == FIXTURE
