"""Follows the collection: which tests pytest finds and leaves out, and credentials in what goes wrong meanwhile.

It leaves out tests itself by ``--wisebot-workflow``.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from . import markers, xdist
from .redact_pytest import clean_debug_log, clean_early, clean_value, secrets_in_sources
from .session_state import state_of

if TYPE_CHECKING:
    from ..redaction import Redactor


def left_out_of(session: pytest.Session) -> list[pytest.Item]:
    """The tests that were collected and are not among those that the session runs, whatever plugin left them out.

    An item that a plugin has replaced by another one of the same id is not left out.
    """
    collected = list(state_of(session.config).one(Collection).items.values())
    known, present = set(map(id, collected)), set(map(id, session.items))
    replaced = Counter(item.nodeid for item in session.items if id(item) not in known)
    return [item for item in collected if id(item) not in present and not _taken(replaced, item.nodeid)]


def _taken(replaced: Counter[str], nodeid: str) -> bool:
    replaced[nodeid] -= 1
    return replaced[nodeid] >= 0


class Collection:
    """Sees each item as pytest makes it, before any other plugin can remove it. Registered in every session.

    Until a test uses the plugin, only credentials that were given as values are known. When the collection fails, the
    settings are read for their credentials alone.

    Attributes:
        items: every item that was seen, by its identity, in order.
        skipped: modules that skip themselves while they are collected, by ``importorskip`` for example.
        failed: of each module or test that could not be collected its name, and the first line of its error.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._made: dict[str, list[pytest.Item]] = {}
        self._has_failed = False
        self.items: dict[int, pytest.Item] = {}
        self.skipped: list[str] = []
        self.failed: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """An item that an argument of pytest leads to."""
        self._add([item])

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Items that a plugin leaves out, some of which it may have made itself."""
        self._add(items)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Items that a plugin has added without a hook."""
        self._add(items)
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """The innermost wrapper: the items of a collector, before ``--lf`` and others remove some of them."""
        report = yield
        self._made[collector.nodeid] = list(_items_of(report))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A collector has ended: with items, or with an error whose text may hold a credential."""
        if not report.passed:
            # Skipped modules are an everyday matter, in projects of any kind: the settings are not read for them.
            redactor = self._informed() if report.failed else state_of(self._config).redactor
            if report.failed:
                module = self._config.rootpath / report.nodeid.partition("::")[0]
                redactor.add(*secrets_in_sources(self._config, [module]))
            report.longrepr = clean_value(report.longrepr, redactor)
            report.sections = clean_value(report.sections, redactor)
        if report.failed:
            line, name = _error_line(report.longreprtext), report.nodeid or "the session"
            self.failed.setdefault(name, line if line.startswith(name) else f"{name}: {line}")
        if report.skipped:
            self.skipped.append(report.nodeid)
        kept = set(map(id, _items_of(report)))
        self._add(item for item in self._made.pop(report.nodeid, ()) if id(item) not in kept)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        """A worker of xdist writes it past every terminal."""
        clean_value(excrepr, self._informed())

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self) -> None:
        """The terminal keeps where the session was interrupted until its end."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        clean_value(getattr(reporter, "_keyboardinterrupt_memo", None), self._informed())

    def pytest_unconfigure(self) -> None:
        """The debug log has the failures, too."""
        if self._has_failed and not xdist.is_worker(self._config):
            clean_debug_log(self._config)

    def _add(self, items: Iterable[pytest.Item]) -> None:
        self.items.update((id(item), item) for item in items)

    def _informed(self) -> Redactor:
        """The session's redactor, with the credentials of the settings."""
        redactor = state_of(self._config).redactor
        if not self._has_failed and not self._config.option.collectonly:  # as editors do, over modules half written
            self._has_failed = True
            with suppress(Exception):  # a mistake in the settings is not what has failed here
                from .settings_source import resolved

                redactor.add(*resolved(self._config).credentials())
        return redactor


def _error_line(text: str) -> str:
    """The first line of the error in pytest's text of a failed collection; without one, the last line."""
    from ..text import without_colours  # loaded for what fails

    text = without_colours(text)
    found = re.search(r"^E {3}(\S.*)$", text, re.MULTILINE)
    return found[1] if found else text.strip().rpartition("\n")[2]


def _items_of(report: pytest.CollectReport) -> Iterator[pytest.Item]:
    return (one for one in report.result or () if isinstance(one, pytest.Item))


# --- the tests of single workflows, read from their marks and their code: a name that a run computes is not found

FIXTURE = "trigger_workflow"


def keep_workflows(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Deselects the tests of other workflows than those that ``--wisebot-workflow`` names.

    Raises:
        pytest.UsageError: no collected test is of a workflow of that name.
    """
    wrong = 'no collected test is marked with workflow "{}", or calls it by that name'
    _keep(session, items, "workflow", workflows_of, wrong)


def keep_tagged(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Deselects the tests that no row or case with a tag of ``--wisebot-tag`` has made.

    Raises:
        pytest.UsageError: no collected test has that tag.
    """
    _keep(session, items, "tag", tags_of, 'no row or case has the tag "{}"')


def tags_of(item: pytest.Item) -> tuple[str, ...]:
    """The tags of the row or case that a test was made of."""
    case = markers.case_of(item)
    return case.tags if case is not None else ()


def _keep(
    session: pytest.Session,
    items: list[pytest.Item],
    option: str,
    names_of: Callable[[pytest.Item], Iterable[str]],
    wrong: str,
) -> None:
    """Deselects the tests of other names than an option has."""
    config = session.config
    wanted = getattr(config.option, f"wisebot_{option}")
    # Half a collection does not have every name.
    problem = "" if session.testsfailed else _unknown_name(config, option, wanted, names_of, wrong)
    refuse_collection(config, [problem] if problem else [])
    rest = {id(item): item for item in items if set(wanted).isdisjoint(names_of(item))}
    if rest:
        items[:] = [item for item in items if id(item) not in rest]
        config.hook.pytest_deselected(items=list(rest.values()))


def refuse_collection(config: pytest.Config, problems: Iterable[str]) -> None:
    """Ends the session before its first test where there are problems.

    A worker of xdist leaves them to the controller: an exception of a worker is a crash to xdist.

    Raises:
        pytest.UsageError: with the problems.
    """
    cleaned = [clean_early(config, one) for one in dict.fromkeys(problems)]
    if xdist.is_worker(config):
        state_of(config).collection_problems.extend(cleaned)
    elif cleaned:
        raise pytest.UsageError(*cleaned)


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


def _unknown_name(
    config: pytest.Config,
    option: str,
    wanted: list[str],
    names_of: Callable[[pytest.Item], Iterable[str]],
    wrong: str,
) -> str:
    """What is wrong with the names; empty where each is that of a collected test, selected or not."""
    items = state_of(config).one(Collection).items.values()
    known = {name for item in items for name in names_of(item)}
    for name in wanted:
        if name not in known:
            from ..settings.checks import nearest_of_all

            return f"--wisebot-{option}: {wrong.format(name)}, {nearest_of_all(name, sorted(known))}"
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
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_call(node)]
    by_name = [word.value for call in calls for word in call.keywords if word.arg == "workflow"]
    return (*(call.args[0] for call in calls if call.args), *by_name)


def is_call(call: ast.Call) -> bool:
    """Whether code calls ``trigger_workflow``, its ``start`` or its ``map``."""
    called = call.func
    if isinstance(called, ast.Attribute) and called.attr in ("start", "map"):
        called = called.value
    return isinstance(called, ast.Name) and called.id == FIXTURE
