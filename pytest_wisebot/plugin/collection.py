"""Follows the collection: which tests pytest finds and leaves out, and credentials in what goes wrong meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from . import xdist
from .redact_pytest import clean_debug_log, clean_value, secrets_in_sources
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
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._made: dict[str, list[pytest.Item]] = {}
        self._has_failed = False
        self.items: dict[int, pytest.Item] = {}
        self.skipped: list[str] = []

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


def _items_of(report: pytest.CollectReport) -> Iterator[pytest.Item]:
    return (one for one in report.result or () if isinstance(one, pytest.Item))
