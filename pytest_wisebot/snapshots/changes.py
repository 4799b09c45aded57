"""What changed between two JSON values: which paths, keys and rows, as plain data that nobody has written out yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from ..redaction.jsonpath import Path
from .placeholder_numbers import consistent, renumbering, unnumbered
from .rows import Matching, Rows
from .similarity import CONTAINERS, LONG_TEXT, canonical, identity, same_scalar

_FEW = 3
_TELLING_TEXT = 8


class Absent(Enum):
    """What stands for a value where there is none; null is one."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Change:
    """A place that changed.

    Attributes:
        path: where it is in the received value.
        was: where it is in the expected value: elsewhere in rows that have shifted.
        row: the nearest row of a list around it that says which row it is, as expected and as received.
    """

    path: Path
    was: Path
    row: tuple[Any, Any] | None

    @property
    def units(self) -> int:
        """How many changed paths this is."""
        return 1


@dataclass(frozen=True, slots=True)
class ValueChange(Change):
    """Another value at a path, a key that is new or gone (`ABSENT`), or a value that breaks a rule.

    Where a rule is broken by a value that is the expected one or has no counterpart, both are the same object.
    """

    expected: Any
    received: Any
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class RenamedKey(Change):
    """The last key of the path has another name, and the same value."""

    value: Any


@dataclass(frozen=True, slots=True)
class ListChange(Change):
    """Rows of a list that are new, gone or elsewhere, and the pairs that are plain values and differ."""

    expected: list[Any]
    received: list[Any]
    rows: Rows

    @property
    def units(self) -> int:
        """How many rows this is."""
        return len(self.rows.removed) + len(self.rows.added) + len(self.rows.moved) + len(self.rows.paired)


@dataclass(frozen=True)
class Changes:
    """All that changed, in the order of the received value.

    Attributes:
        found: the changes.
        renumbered: how many texts differ by the numbers of their placeholders alone, each number standing for one other
            number throughout. They are no changes: another row before them gives them other numbers.
        numbers: these placeholders, and what they are called in the received value.
    """

    found: list[Change]
    renumbered: int
    numbers: dict[str, str]


class _Pair(NamedTuple):
    """Two values that belong together, still to be compared."""

    path: Path
    was: Path
    expected: Any
    received: Any
    row: tuple[Any, Any] | None

    def child(self, step: str | int, old_step: str | int, expected: Any, received: Any) -> _Pair:
        path = (*self.path, step)
        was = path if step == old_step and self.was is self.path else (*self.was, old_step)
        is_row = isinstance(step, int) and identity(expected, received) is not None
        return _Pair(path, was, expected, received, (expected, received) if is_row else self.row)

    def scalars_differ(self) -> bool:
        return not same_scalar(self.expected, self.received)


def find_changes(expected: Any, received: Any, broken: Mapping[Path, str], matching: Matching) -> Changes:
    """Compares two JSON values.

    Args:
        expected: what the snapshot says.
        received: what came.
        broken: the rules that received values do not satisfy, by their paths.
        matching: what finds the rows that belong together.
    """
    walk = _Walk(broken, matching)
    walk.compare(expected, received)
    walk.add_rules_not_seen(received)
    return walk.without_renumbered()


@dataclass
class _Walk:
    broken: Mapping[Path, str]
    matching: Matching
    found: list[Change] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)

    def compare(self, expected: Any, received: Any) -> None:
        # A stack of its own, not recursion: what is nested deeply must not end in an error of Python's.
        waiting = [_Pair((), (), expected, received, None)]
        while waiting:
            pair = waiting.pop()
            if pair.path in self.broken and pair.received is not ABSENT:
                self._add_broken(pair)
            elif isinstance(pair.expected, dict) and isinstance(pair.received, dict):
                waiting += reversed(list(self._keys(pair)))
            elif isinstance(pair.expected, list) and isinstance(pair.received, list):
                waiting += reversed(self._rows(pair))
            elif pair.scalars_differ():
                self.found.append(ValueChange(*pair[:2], pair.row, pair.expected, pair.received))
            elif isinstance(pair.expected, str) and "<" in pair.expected:
                self.matching.unchanged.add(pair.expected)

    def _add_broken(self, pair: _Pair) -> None:
        expected = pair.expected
        if expected is not ABSENT and canonical(expected) == canonical(pair.received):
            expected = pair.received
        self.seen.add(pair.path)
        self.found.append(ValueChange(*pair[:2], pair.row, expected, pair.received, self.broken[pair.path]))

    def add_rules_not_seen(self, received: Any) -> None:
        """Adds the broken rules inside of what is shown as one: new rows and keys, and values that are equal."""
        for path in [path for path in self.broken if path not in self.seen]:
            value = _value_at(received, path)
            self.found.append(ValueChange(path, path, None, value, value, self.broken[path]))

    def _keys(self, pair: _Pair) -> Iterator[_Pair]:
        ours, theirs = pair.expected, pair.received
        renamed = self._renamed(ours, theirs)
        new_names = set(renamed.values())
        for key in sorted(ours.keys() | theirs.keys()):
            if not self.broken and _nothing_to_see(ours.get(key, ABSENT), theirs.get(key, ABSENT)):
                continue
            if key in renamed:
                self.found.append(RenamedKey((*pair.path, renamed[key]), (*pair.was, key), pair.row, ours[key]))
                yield pair.child(renamed[key], key, ours[key], theirs[renamed[key]])
            elif key in ours or key not in new_names:
                yield pair.child(key, key, ours.get(key, ABSENT), theirs.get(key, ABSENT))

    def _renamed(self, ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, str]:
        """The keys that are gone, with the new keys that have their values; each of these values is there once."""
        if ours.keys() == theirs.keys():
            return {}
        old, new = (self._telling(one, other) for one, other in ((ours, theirs), (theirs, ours)))
        return {keys[0]: new[text][0] for text, keys in old.items() if len(keys) == len(new.get(text, ())) == 1}

    def _telling(self, one: dict[str, Any], other: dict[str, Any]) -> dict[Any, list[str]]:
        """The keys that the other object lacks, by their values, where these are more than a number or a word."""
        keys: dict[Any, list[str]] = defaultdict(list)
        for key in sorted(one.keys() - other.keys()):
            value = one[key]
            if (isinstance(value, str) and len(value) >= _TELLING_TEXT) or (isinstance(value, CONTAINERS) and value):
                keys[unnumbered([canonical(value)])[0]].append(key)
        return keys

    def _rows(self, pair: _Pair) -> list[_Pair]:
        """Adds the rows that are new, gone or elsewhere; gives those to look into."""
        ours, theirs = pair.expected, pair.received
        rows = self.matching.rows(ours, theirs)
        plain = [places for places in rows.paired if self._is_plain(pair, *places)]
        if not (rows.removed or rows.added or rows.moved) and len(plain) <= _FEW:
            plain = []
        inside = sorted(set(rows.paired) - set(plain), key=lambda places: places[1]) if plain else rows.paired
        if plain or rows.removed or rows.added or rows.moved:
            apart = Rows(rows.removed, rows.added, rows.moved, plain)
            self.found.append(ListChange(pair.path, pair.was, pair.row, ours, theirs, apart))
        return [pair.child(other, at, ours[at], theirs[other]) for at, other in inside]

    def _is_plain(self, pair: _Pair, at: int, other: int) -> bool:
        """Whether the values are different, and both so short that they need no place of their own."""
        one, two = pair.expected[at], pair.received[other]
        if isinstance(one, CONTAINERS) or isinstance(two, CONTAINERS) or same_scalar(one, two):
            return False
        if self.broken and (*pair.path, other) in self.broken:
            return False
        if isinstance(one, str) and isinstance(two, str):
            return max(len(one), len(two)) <= LONG_TEXT and renumbering(one, two) is None
        return not any(isinstance(value, str) and len(value) > LONG_TEXT for value in (one, two))

    def without_renumbered(self) -> Changes:
        """The changes, without the texts whose placeholders are the same but for their numbers."""
        candidates = {at: names for at, change in enumerate(self.found) if (names := _renumbering(change))}
        same = consistent(candidates, self.matching.unchanged) if candidates else {}
        numbers = {one: other for names in same.values() for one, other in names if one != other}
        return Changes([change for at, change in enumerate(self.found) if at not in same], len(same), numbers)


def _nothing_to_see(one: Any, other: Any) -> bool:
    """Whether there is nothing to look into: most of what a large value holds, and texts may hold placeholders."""
    if type(one) is str:
        return one == other and "<" not in one
    return not isinstance(one, CONTAINERS) and same_scalar(one, other)


def _renumbering(change: Change) -> list[tuple[str, str]] | None:
    if not isinstance(change, ValueChange) or change.rule is not None:
        return None
    return renumbering(change.expected, change.received)


def _value_at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return ABSENT
    return value
