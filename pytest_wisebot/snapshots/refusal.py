"""Keeps runs out of syrupy's own snapshots: ports, seconds and ids are recorded there, and never match again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from syrupy.assertion import SnapshotAssertion

MESSAGE = "compare the run with workflow_snapshot, or run.result with snapshot"


def refuse(kinds: tuple[type, ...]) -> Callable[[], None]:
    """Has syrupy's assertions refuse values of these types, with a `TypeError`, before anything is written.

    Every form of a comparison ends in syrupy's ``__eq__``: either side of ``==`` and ``!=``, ``in``, ``assert_match``,
    a part of a list. A value is looked through before, where it holds others in a known way, and beyond that while
    syrupy's serializer walks it, which calls the matcher for each part.

    Args:
        kinds: the types.

    Returns:
        What puts syrupy's own ``__eq__`` back.
    """
    original: Any = SnapshotAssertion.__eq__
    SnapshotAssertion.__eq__ = _guarded(original, kinds)  # type: ignore[method-assign]

    def put_back() -> None:
        SnapshotAssertion.__eq__ = original  # type: ignore[method-assign]

    return put_back


def _guarded(original: Callable[[Any, object], bool], kinds: tuple[type, ...]) -> Callable[[Any, object], bool]:
    def equals(self: Any, other: object) -> bool:
        __tracebackhide__ = True
        if getattr(self, "takes_runs", False):
            return original(self, other)
        if _holds([other, getattr(self, "_snapshot_diff_data", None)], kinds):
            _fail_in_place(self, original)
            raise TypeError(MESSAGE)
        matcher = self._matcher = _RefusingMatcher(kinds, self._matcher)
        try:
            equal = original(self, other)
        finally:
            if self._matcher is matcher:  # syrupy puts back what stood there before a call of the fixture
                self._matcher = matcher.own
        if matcher.refused:  # syrupy takes an error while it serializes for a difference
            raise TypeError(MESSAGE)
        return equal

    return equals


def _fail_in_place(assertion: Any, original: Callable[[Any, object], bool]) -> None:
    """Has syrupy count a snapshot that failed: else an update takes one for unused that was recorded before."""
    updates = assertion.update_snapshots, assertion.update_new_snapshots_only
    assertion.update_snapshots = assertion.update_new_snapshots_only = False
    try:
        original(assertion, MESSAGE)
    finally:
        assertion.update_snapshots, assertion.update_new_snapshots_only = updates


class _RefusingMatcher:
    """A matcher of one comparison, which refuses values of these types before the test's own matcher gets them."""

    def __init__(self, kinds: tuple[type, ...], own: Callable[..., object] | None) -> None:
        self.own = own
        self.refused = False
        self._kinds = kinds

    def __call__(self, *, data: object, path: object) -> object:
        if isinstance(data, self._kinds):
            self.refused = True
            raise TypeError(MESSAGE)
        return self.own(data=data, path=path) if self.own is not None else data


def _holds(values: list[object], kinds: tuple[type, ...]) -> bool:
    """Whether a value of these types is among the values, or within one of them."""
    seen: set[int] = set()
    todo = values
    for one in todo:  # which grows as it is read
        if isinstance(one, kinds):
            return True
        if id(one) not in seen:
            seen.add(id(one))
            todo += _parts(one)
    return False


def _parts(value: Any) -> Sequence[object]:
    """What a value holds, of the kinds that hold others and whose look changes nothing."""
    if isinstance(value, str | bytes | int | float | type | None):
        return ()
    if isinstance(value, Mapping):
        return (*value, *value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(value)
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return [getattr(value, one.name, None) for one in dataclasses.fields(kind)]
    if hasattr(kind, "__attrs_attrs__"):
        return [getattr(value, one.name, None) for one in kind.__attrs_attrs__]
    if isinstance(value, SimpleNamespace) or hasattr(kind, "__pydantic_fields__"):
        return list(vars(value).values())
    return ()
