"""What is changed in syrupy for a session, where it has no hook.

A plain ``snapshot`` refuses runs: ports, seconds and ids would be recorded there, and never match again. A file has one
kind of assertion. The files of tests that did not pass are not unused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from types import SimpleNamespace
from typing import Any

from syrupy.assertion import SnapshotAssertion
from syrupy.data import SnapshotCollections
from syrupy.report import SnapshotReport

MESSAGE = "compare the run with workflow_snapshot, or run.result with snapshot"

Equals = Callable[[Any, object], bool]


@contextmanager
def kept_from_unused(is_kept: Callable[[SnapshotReport, str], bool]) -> Iterator[None]:
    """Has syrupy neither report nor delete some of the files that no test has compared.

    Args:
        is_kept: decides on a file, by the report of the session.
    """
    original: Any = SnapshotReport.unused

    def unused(report: SnapshotReport) -> SnapshotCollections:
        left = SnapshotCollections()
        for collection in original.__get__(report):
            if not is_kept(report, collection.location):
                left.add(collection)
        return left

    replacement = cached_property(unused)
    replacement.__set_name__(SnapshotReport, "unused")
    SnapshotReport.unused = replacement  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        SnapshotReport.unused = original  # type: ignore[method-assign]


def _replace_equals(guard: Callable[[Equals], Equals]) -> Callable[[], None]:
    """Replaces syrupy's ``__eq__``, and returns what puts the original back.

    Every form of a comparison ends there: either side of ``==`` and ``!=``, ``in``, ``assert_match``, a part of a list.
    """
    original: Any = SnapshotAssertion.__eq__
    SnapshotAssertion.__eq__ = guard(original)  # type: ignore[method-assign]
    return partial(setattr, SnapshotAssertion, "__eq__", original)


def one_kind_for_a_file() -> Callable[[], None]:
    """Has a comparison raise whose file belongs to ``workflow_snapshot`` and to another extension of syrupy at once.

    Returns:
        What puts syrupy's own ``__eq__`` back.
    """
    kinds: dict[str, bool] = {}

    def guard(original: Equals) -> Equals:
        def equals(self: Any, other: object) -> bool:
            __tracebackhide__ = True
            location = self.extension.get_location(test_location=self.test_location, index=self.index)
            takes_runs = getattr(self, "takes_runs", False)
            if kinds.setdefault(location.casefold(), takes_runs) is not takes_runs:
                _fail_in_place(self, original)
                raise ValueError(
                    f"{location}: workflow_snapshot and another extension of syrupy would both write this file; "
                    "give one of the two snapshots a name of its own by name="
                )
            return original(self, other)

        return equals

    return _replace_equals(guard)


def refuse(kinds: tuple[type, ...]) -> Callable[[], None]:
    """Has syrupy's assertions refuse values of these types, with a `TypeError`, before anything is written.

    A value is looked through before, where it holds others in a known way, and beyond that while syrupy's serializer
    walks it, which calls the matcher for each part.

    Args:
        kinds: the types.

    Returns:
        What puts syrupy's own ``__eq__`` back.
    """

    def guard(original: Equals) -> Equals:
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

    return _replace_equals(guard)


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
