"""Which tests pytest has collected, and which of them the session leaves out, whatever plugin takes them away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence

import pytest

_KEY = pytest.StashKey["CollectedItems"]()


def follow_collection(config: pytest.Config) -> None:
    """Remembers from now on what is collected."""
    collected = config.stash[_KEY] = CollectedItems()
    config.pluginmanager.register(collected, "wisebot-collected")


def left_out_of(session: pytest.Session) -> list[pytest.Item]:
    """The tests that were collected and are not among those that the session runs, each item for itself.

    An item that a plugin has replaced by another one of the same id is not left out.
    """
    collected = session.config.stash[_KEY].items
    known, present = set(map(id, collected)), set(map(id, session.items))
    replaced = Counter(item.nodeid for item in session.items if id(item) not in known)
    return [item for item in collected if id(item) not in present and not _taken(replaced, item.nodeid)]


def skipped_modules(session: pytest.Session) -> list[str]:
    """The modules that skip themselves while they are collected, by ``importorskip`` for one."""
    return session.config.stash[_KEY].skipped


def _taken(replaced: Counter[str], nodeid: str) -> bool:
    replaced[nodeid] -= 1
    return replaced[nodeid] >= 0


class CollectedItems:
    """Sees each item as pytest makes it, before any other plugin can take it away."""

    def __init__(self) -> None:
        self._items: dict[int, pytest.Item] = {}
        self._made: dict[str, list[pytest.Item]] = {}
        self.skipped: list[str] = []
        """Modules that have skipped themselves."""

    @property
    def items(self) -> Sequence[pytest.Item]:
        """Every item that was seen, once, in order."""
        return list(self._items.values())

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
        """The innermost wrapper: what a collector holds, before ``--lf`` and others take items out of it."""
        report = yield
        self._made[collector.nodeid] = list(_items_of(report))
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A collector whose items are wanted, and no argument has chosen among them."""
        if report.skipped:
            self.skipped.append(report.nodeid)
        kept = set(map(id, _items_of(report)))
        self._add(item for item in self._made.pop(report.nodeid, ()) if id(item) not in kept)

    def _add(self, items: Iterable[pytest.Item]) -> None:
        self._items.update((id(item), item) for item in items)


def _items_of(report: pytest.CollectReport) -> Iterator[pytest.Item]:
    return (one for one in report.result or () if isinstance(one, pytest.Item))
