"""The tests of single workflows: ``--wisebot-workflow NAME``, by the marks of tests and the calls in their code.

Calls are read from the source of a test and its fixtures, and not from a run: a name that only a run can compute is
not found.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import pytest

from . import markers
from .collection import Collection
from .session_state import state_of
from .xdist import is_worker

FIXTURE = "trigger_workflow"


def deselect_others(session: pytest.Session, items: list[pytest.Item]) -> None:
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
