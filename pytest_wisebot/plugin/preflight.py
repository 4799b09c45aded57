"""Before the first test: whether any selected test can pass at all. Else one message ends the session.

The session ends where each selected test needs a run for certain, and for no test a run can be made: a credential is
missing, say. A test needs a run for certain if it declares one, or calls ``trigger_workflow`` on a straight way through
its code. What may skip a test, or expect an error, leaves the session as it is: each test then has its own report.
Tests that their marks skip do not count.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..runs import Api, RunRequest
from ..text import count
from . import markers
from .collection import FIXTURE, is_call
from .mark_use import RUN_HOOKS, installed_packages
from .options import is_offline
from .prefetch import known_request

if TYPE_CHECKING:
    from ..settings import Settings

MOST_REASONS = 10
"""Reasons that the message has."""

_SKIPS = frozenset({"skip", "skipTest", "importorskip", "xfail"})
"""The names by which code ends a test without a failure."""

_ESCAPES = _SKIPS | {"exit", "expectedFailure", "getfixturevalue", "suppress"}
_ESCAPES |= {"raises", "RaisesExc", "RaisesGroup", "assertRaises", "assertRaisesRegex"}
"""Those by which a project's code may also end the session, expect an error, or request another fixture."""

_KNOWN = ("_pytest", "pytest_wisebot")
"""The packages whose fixtures, hooks and assertions do none of that."""

_XUNIT = ("setup_module", "setup_class", "setup_function", "setup_method", "setUpModule", "setUpClass", "setUp")

_MOST_CODE = 500
"""Functions that are searched for such names; beyond them anything may happen."""

Target = Callable[[], "Settings"]
"""The settings with what the emulator gives, which it starts."""


def why_none_can_run(session: pytest.Session, settings: Settings, target: Target) -> str:
    """Why no selected test can pass, in words; empty where one may.

    Args:
        session: with the selected tests.
        settings: the emulator's part may still be open.
        target: completes them.
    """
    config = session.config
    if is_offline(config) or config.option.wisebot_runs == "resume":  # an earlier run may serve
        return ""
    reasons: dict[str, list[str]] = {}
    for item in session.items:
        if markers.will_be_skipped(item):
            continue
        reason = _why_not(item, settings, target)
        if not reason:
            return ""
        reasons.setdefault(reason, []).append(item.nodeid)
    return "\n".join(_in_words(reasons)) if reasons else ""


def _in_words(reasons: dict[str, list[str]]) -> Iterator[str]:
    number = sum(map(len, reasons.values()))
    which = "the only test needs a run, and it" if number == 1 else f"all {number} tests need runs, and none"
    yield f"no test was started: {which} can{'not' if number == 1 else ''} be made:"
    for reason, (first, *others) in list(reasons.items())[:MOST_REASONS]:
        more = f" and {count(len(others), 'more test')}" if others else ""
        yield f"  {first}{more}: {reason}"
    if (rest := len(reasons) - MOST_REASONS) > 0:
        yield f"  and {count(rest, 'more reason')}"


def _why_not(item: pytest.Item, settings: Settings, target: Target) -> str:
    """Why a test cannot pass; empty where it may."""
    needed = _needed(item, settings)
    if needed is None or _may_escape(item):
        return ""
    if isinstance(needed, str):
        return needed
    from ..apis import prepare

    try:
        prepare(needed, target() if settings.emulated_by is not None else settings)
    except ConfigurationError as error:
        return str(error)
    return ""


def _needed(item: pytest.Item, settings: Settings) -> RunRequest | str | None:
    """The first run that a test needs for certain, or why there cannot be any; None where it may need none."""
    if any("raises" in mark.kwargs for mark in item.iter_markers("xfail")):
        return None
    try:
        if markers.uses_ours(item, "workflow_run"):
            return known_request(item, settings)
        workflow = _called(item) if markers.uses_ours(item, FIXTURE) else None
        api = markers.parameters(item).get("wisebot_api") or markers.declared(item).api or settings.api
        return RunRequest(workflow, api=Api(api)) if workflow is not None and api in tuple(Api) else None
    except ConfigurationError as error:
        return str(error).removeprefix(f"{item.nodeid}: ")


# --- what the code of a test does for certain


def _called(item: pytest.Item) -> str | None:
    """The workflow of the first call that a test, or one of its fixtures, makes whatever happens."""
    for function in markers.functions_of(item):
        if (argument := _first_call(function)) is not None:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                return argument.value
            if isinstance(argument, ast.Name):
                named = {**getattr(function, "__globals__", {}), **markers.parameters(item)}.get(argument.id)
                return named if isinstance(named, str) else None
    return None


@cache
def _first_call(function: Any) -> ast.expr | None:
    """What a function passes as the workflow to its first certain call, if only the API is left to the test."""
    if FIXTURE not in getattr(getattr(function, "__code__", None), "co_varnames", ()):
        return None
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, TypeError, ValueError):  # made without source, or in the middle of an expression
        return None
    for node in _certain(getattr(definition, "body", ())):
        if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom):
            return None
        if isinstance(node, ast.Call) and is_call(node):
            named = {word.arg: word.value for word in node.keywords}
            plain = named.keys() <= {"workflow", "inputs", "timeout"}
            return named.get("workflow", next(iter(node.args), None)) if plain else None
    return None


_UNCERTAIN = (
    ast.If, ast.IfExp, ast.BoolOp, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match, ast.Lambda,
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
"""What may be passed over. One that holds a way out of the function makes all that follows uncertain."""


def _certain(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes that are reached for certain, those inside of a node before the node itself."""
    for node in nodes:
        if not isinstance(node, _UNCERTAIN):
            yield from _certain(ast.iter_child_nodes(node))
            yield node
        elif any(isinstance(one, ast.Return | ast.Yield | ast.YieldFrom) for one in ast.walk(node)):
            yield ast.Return()


# --- what may end a test otherwise


def _may_escape(item: pytest.Item) -> bool:
    """Whether the code around a test may skip it, or expect that its run cannot be made.

    A run that the test declares is made before the test's own code.
    """
    if not isinstance(item, pytest.Function) or hasattr(item.function, "__wrapped__"):
        return True
    functions = set(markers.functions_of(item))
    if markers.uses_ours(item, "workflow_run"):
        functions.discard(inspect.unwrap(item.function))
    functions |= {one.function for name in RUN_HOOKS for one in getattr(item.config.hook, name).get_hookimpls()}
    places = [getattr(item, "module", None), getattr(item, "cls", None)]
    functions |= {getattr(place, name) for place in places for name in _XUNIT if hasattr(place, name)}
    installed = installed_packages(item.config)
    return any(_escapes(one, is_installed=_package(one) in installed) for one in functions)


def _escapes(function: Any, *, is_installed: bool) -> bool:
    names = _SKIPS if is_installed else _ESCAPES
    return not names.isdisjoint(_names_within(function, is_installed=is_installed))


def _package(function: Any) -> str:
    return str(getattr(function, "__module__", "")).partition(".")[0]


@cache
def _names_within(function: Any, *, is_installed: bool) -> frozenset[str]:
    """The names that a function uses; and what it calls by a name of its module, unless it is an installed plugin's."""
    todo, seen, names = [function], set[int](), set[str]()
    for one in todo:  # which grows as it is read
        one = inspect.unwrap(one)
        code = getattr(one, "__code__", None)
        if code is None or id(code) in seen or _package(one) in _KNOWN:
            continue
        seen.add(id(code))
        if len(seen) > _MOST_CODE:
            return _ESCAPES
        used = set(_used(code))
        names |= used
        known = {} if is_installed else one.__globals__
        todo += [known[name] for name in used if inspect.isfunction(known.get(name))]
    return frozenset(names)


def _used(code: CodeType) -> Iterator[str]:
    """The names of a function's code, and of the functions that are written within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _used(constant)
