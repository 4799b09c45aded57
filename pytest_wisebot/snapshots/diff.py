"""What changed between a snapshot and a received value, as lines for a CI log.

Only changed paths are shown, each with what was expected (``-``) and what was received (``+``)::

    result.items[2].score   (id "T-3")
      - 0.5
      + 0.51
    result.items: 1 row removed, 2 rows added
      + [0] {"id": "T-9", "category": "shipping"}
      - [3] {"id": "T-3", "category": "billing"}
      + [7] {"id": "T-8", "category": "billing"}
    ... and 17 more changed paths (-vv shows all)

Comparing is apart from showing: a value of megabytes may have changed everywhere, and only what there is room for is
written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ..redaction.jsonpath import Path
from ..text import count, show_path, truncate, truncate_middle
from .rows import (
    CONTAINERS,
    LONG_TEXT,
    Budget,
    Fate,
    Rows,
    canonical,
    match_rows,
    placeholders,
    row_key,
    same_scalar,
    without_numbers,
)
from .text_diff import WIDTH, Entry, minus_plus, one_line, signed, text_change, value_lines

ABSENT: Final = object()
"""Stands for a value where there is none; null is a value."""

_FEW: Final = 3
_DISTINCTIVE_TEXT: Final = 8
_SHARE: Final = 12
_EXAMPLES: Final = 3
_PATH_ROOM: Final = 120
_RULE_ROOM: Final = 80
_NONE: Mapping[Path, str] = MappingProxyType({})
_KINDS: Final = {bool: "bool", int: "int", float: "float", str: "str"}


def diff_lines(
    expected: Any, received: Any, *, broken: Mapping[Path, str] = _NONE, most: int = 60, whole: bool = False
) -> list[str]:
    """The changed paths of two JSON values, as lines of plain text; none if they are equal and no rule is broken.

    Args:
        expected: the value of the snapshot, as plain JSON data.
        received: the received value, as plain JSON data.
        broken: the rules that received values do not satisfy, by the paths of these values.
        most: lines shown before the rest is only counted, on one more line.
        whole: values are not cut, and ``most`` does not count.

    Returns:
        Lines without ends and without control characters. Those that begin, after white space, with ``-`` show the
        expected value, those with ``+`` the received one.
    """
    walk = _Walk(broken)
    walk.compare(expected, received)
    changes, note = walk.without_renumbered()
    writer = _Writer(walk.budget, uncut=whole)
    if whole:
        return [*(line for change in changes for entry in writer.entries(change) for line in entry), *note]
    return _page(writer, changes, note, most)


# --- comparing


class _Place(NamedTuple):
    """Two values that belong together; a change, where they differ.

    Attributes:
        path: where the received value stands.
        was: where the expected value stands: elsewhere in rows that have shifted.
        row: the innermost row around the place that has an id, as expected and as received.
        expected: the expected value; `ABSENT` for a new key.
        received: the received value; `ABSENT` for a key that was removed.
        rule: the rule that the received value breaks. If the expected value is equal or missing, it is `received`.
        rows: what became of the rows, if the change is one of a list's rows.
        renamed: the last key of the path was renamed, and its value is the same.
    """

    path: Path
    was: Path
    row: tuple[Any, Any] | None
    expected: Any
    received: Any
    rule: str | None = None
    rows: Rows | None = None
    renamed: bool = False

    @property
    def units(self) -> int:
        """How many changed paths this is."""
        return 1 if self.rows is None else sum(self.rows.counts)

    def child(self, step: str | int, old_step: str | int, expected: Any, received: Any) -> _Place:
        path = (*self.path, step)
        was = path if step == old_step and self.was is self.path else (*self.was, old_step)
        is_row = isinstance(step, int) and row_key(expected, received) is not None
        return _Place(path, was, (expected, received) if is_row else self.row, expected, received)


@dataclass
class _Walk:
    """Compares two values, and collects the changes in the order of the received value."""

    broken: Mapping[Path, str]
    budget: Budget = field(default_factory=Budget)
    found: list[_Place] = field(default_factory=list)
    unchanged: set[str] = field(default_factory=set)  # strings with placeholders that are equal on both sides

    def compare(self, expected: Any, received: Any) -> None:
        # A stack instead of recursion: deep nesting must not end in a RecursionError.
        waiting = [_Place((), (), None, expected, received)]
        seen = set()
        while waiting:
            place = waiting.pop()
            if place.path in self.broken and place.received is not ABSENT:
                seen.add(place.path)
                self._add_broken(place)
            elif isinstance(place.expected, dict) and isinstance(place.received, dict):
                waiting += reversed(list(self._keys(place)))
            elif isinstance(place.expected, list) and isinstance(place.received, list):
                waiting += reversed(self._rows(place))
            elif not same_scalar(place.expected, place.received):
                self.found.append(place)
            elif isinstance(place.expected, str) and "<" in place.expected:
                self.unchanged.add(place.expected)
        for path in self.broken.keys() - seen:  # within new rows and keys, and within equal values
            value = _value_at(received, path)
            self.found.append(_Place(path, path, None, value, value, self.broken[path]))

    def _add_broken(self, place: _Place) -> None:
        same = place.expected is ABSENT or canonical(place.expected) == canonical(place.received)
        expected = place.received if same else place.expected
        self.found.append(place._replace(expected=expected, rule=self.broken[place.path]))

    def _keys(self, place: _Place) -> Iterator[_Place]:
        ours, theirs = place.expected, place.received
        renamed = _renamed(ours, theirs) if ours.keys() != theirs.keys() else {}
        new_names = set(renamed.values())
        for key in sorted(ours.keys() | theirs.keys()):
            old, new = ours.get(key, ABSENT), theirs.get(key, ABSENT)
            if not self.broken and _nothing_to_compare(old, new):
                continue
            if key in renamed:
                inner = place.child(renamed[key], key, old, theirs[renamed[key]])
                self.found.append(inner._replace(renamed=True, row=place.row))
                yield inner
            elif key in ours or key not in new_names:
                yield place.child(key, key, old, new)

    def _rows(self, place: _Place) -> list[_Place]:
        """Adds the rows that are new, gone or elsewhere; returns those to look into."""
        ours, theirs = place.expected, place.received
        rows = match_rows(ours, theirs, self.budget)
        plain = [pair for pair in rows.paired if self._is_plain(place, *pair)]
        if not (rows.removed or rows.added or rows.moved) and len(plain) <= _FEW:
            plain = []
        if plain or rows.removed or rows.added or rows.moved:
            self.found.append(place._replace(rows=rows._replace(paired=plain)))
        together = set(plain)
        return [place.child(other, at, ours[at], theirs[other]) for at, other in rows.paired
                if (at, other) not in together]  # fmt: skip

    def _is_plain(self, place: _Place, at: int, other: int) -> bool:
        """Whether two values are different, and both so short that they need no path of their own."""
        one, two = place.expected[at], place.received[other]
        if isinstance(one, CONTAINERS) or isinstance(two, CONTAINERS) or same_scalar(one, two):
            return False
        if any(isinstance(value, str) and len(value) > LONG_TEXT for value in (one, two)):
            return False
        return (*place.path, other) not in self.broken and not _renumbering(one, two)

    def without_renumbered(self) -> tuple[list[_Place], list[str]]:
        """The changes without those of placeholders' numbers alone, and a line about the latter.

        A number counts as the same if it stands for one other number throughout: one row more at the head of a list
        gives new numbers to all placeholders behind it.
        """
        candidates = {at: names for at, change in enumerate(self.found) if change.rule is None
                      and (names := _renumbering(change.expected, change.received))}  # fmt: skip
        new_names, old_names = defaultdict(set), defaultdict(set)
        kept = [(name, name) for text in self.unchanged for name in placeholders(text)]
        for one, other in (pair for pairs in (kept, *candidates.values()) for pair in pairs):
            new_names[one].add(other)
            old_names[other].add(one)
        same = {
            at: names
            for at, names in candidates.items()
            if all(len(new_names[one]) == len(old_names[other]) == 1 for one, other in names)
        }
        changed = {one: other for names in same.values() for one, other in names if one != other}
        return [change for at, change in enumerate(self.found) if at not in same], _renumbered(len(same), changed)


def _renamed(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, str]:
    """The keys that were removed, with the new keys that have their values; each of these values occurs once."""
    old, new = _distinctive(ours, theirs), _distinctive(theirs, ours)
    return {keys[0]: new[text][0] for text, keys in old.items() if len(keys) == len(new.get(text, ())) == 1}


def _distinctive(one: dict[str, Any], other: dict[str, Any]) -> dict[str, list[str]]:
    """The keys that the other object lacks, by their values, where these are more than a number or a word."""
    keys: dict[str, list[str]] = defaultdict(list)
    for key in sorted(one.keys() - other.keys()):
        value = one[key]
        if (isinstance(value, str) and len(value) >= _DISTINCTIVE_TEXT) or (isinstance(value, CONTAINERS) and value):
            keys[without_numbers(canonical(value))].append(key)
    return keys


def _nothing_to_compare(one: Any, other: Any) -> bool:
    """Whether two values are equal scalars without placeholders, as most parts of a large value are."""
    if type(one) is str:
        return one == other and "<" not in one
    return not isinstance(one, CONTAINERS) and same_scalar(one, other)


def _renumbering(one: Any, other: Any) -> list[tuple[str, str]]:
    """The placeholders of two strings that differ by the numbers of these alone, pair by pair; otherwise none."""
    if not (isinstance(one, str) and isinstance(other, str) and "<" in one):
        return []
    names, others = placeholders(one), placeholders(other)
    alike = len(names) == len(others) and without_numbers(one) == without_numbers(other)
    return list(zip(names, others, strict=True)) if alike else []


def _value_at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return ABSENT
    return value


# --- what there is room for


def _page(writer: _Writer, changes: list[_Place], note: list[str], most: int) -> list[str]:
    """The lines of as many changes as there is room for, in their order, and the count of the others."""
    note = note[: most if changes else 1]
    room = most - len(note)
    share = max(_SHARE, room // max(len(changes), 1))
    blocks: dict[int, list[str]] = {}
    hidden = sum(change.units for change in changes)
    for at in _examples_first(changes):
        block, shown = _fitting(writer.entries(changes[at]), min(share, room), changes[at].units)
        if not block:
            break
        blocks[at] = block
        hidden -= shown
        room -= len(block)
    lines = [truncate(line, WIDTH) for at in sorted(blocks) for line in blocks[at]]
    rest = [f"... and {count(hidden, 'more changed path')} (-vv shows all)"] if hidden else []
    return [*lines, *note, *rest]


def _examples_first(changes: list[_Place]) -> Iterator[int]:
    """The indices of the changes, a few of each kind of path first, so that no kind hides the others."""
    seen: Counter[Path] = Counter()
    later = []
    for at, change in enumerate(changes):
        kind = tuple("[*]" if isinstance(step, int) else step for step in change.path)
        seen[kind] += 1
        if seen[kind] <= _EXAMPLES:
            yield at
        else:
            later.append(at)
    yield from later


def _fitting(entries: Iterator[Entry], room: int, units: int) -> tuple[list[str], int]:
    """As much of a change as fits, and how many of its paths that is; nothing if not even the first entry fits."""
    block = next(entries)
    for shown, entry in enumerate(entries):
        if len(block) + len(entry) <= room:
            block = block + entry
        elif not shown:
            return [], 0
        elif units > 1:
            return block, shown
        else:  # the parts of one string are not counted: a mark stands for the missing ones
            return [*block, "  …"][:room], 1
    return block, units


def _renumbered(values: int, changed: Mapping[str, str]) -> list[str]:
    if not values:
        return []
    examples = ", ".join(f"{old} is now {new}" for old, new in islice(changed.items(), _EXAMPLES))
    more = ", …" if len(changed) > _EXAMPLES else ""
    verb = "is" if values == 1 else "are"
    line = f"{count(values, 'value')} {verb} the same but for the number of a placeholder: {examples}{more}"
    return [truncate(line, WIDTH)]


# --- changes as lines


@dataclass
class _Writer:
    """Writes a change as entries, its header first; each is made when it is asked for."""

    budget: Budget
    uncut: bool

    def entries(self, change: _Place) -> Iterator[Entry]:
        expected, received = change.expected, change.received
        if change.rows is not None:
            yield [_header(change, f": {_counted(change, change.rows)}")]
            yield from (self._row(change, *row) for row in change.rows.in_order())
        elif change.renamed:
            yield [_header(change._replace(was=change.path), ": key renamed, its value is the same")]
            yield [*signed("-", self._lines(change.was[-1])), *signed("+", self._lines(change.path[-1]))]
        elif change.rule is not None:
            yield [_header(change)]
            yield self._broken(change, change.rule)
        elif expected is ABSENT:
            yield [_header(change, ": key added")]
            yield signed("+", self._lines(received))
        elif received is ABSENT:
            yield [_header(change, ": key removed")]
            yield signed("-", self._lines(expected))
        elif isinstance(expected, str) and isinstance(received, str):
            text = text_change(expected, received, self.budget, uncut=self.uncut)
            yield [_header(change, note=text.note)]
            yield from text.entries
        else:
            yield [_header(change, note=_kinds(expected, received))]
            yield minus_plus(expected, received, uncut=self.uncut)

    def _broken(self, change: _Place, rule: str) -> Entry:
        note = f"   (breaks {rule if self.uncut else truncate(rule, _RULE_ROOM)})"
        if change.received is ABSENT:
            return [f"  + nothing{note}"]
        received = signed("+", self._lines(change.received, len(note)), note=note)
        if change.expected is change.received:
            return received
        if change.expected == rule:
            return [f"  - {rule if self.uncut else truncate(rule, _RULE_ROOM)}", *received]
        return minus_plus(change.expected, change.received, uncut=self.uncut, note=note)

    def _row(self, change: _Place, place: int, fate: Fate, at: int, other: int) -> Entry:
        if fate is Fate.CHANGED:
            removed, added = (at, Fate.REMOVED, at, at), (other, Fate.ADDED, other, other)
            return [*self._row(change, *removed), *self._row(change, *added)]
        label = f"[{at}] -> [{other}] " if fate is Fate.MOVED else f"[{place}] "
        value = change.expected[at] if fate is Fate.REMOVED else change.received[other]
        return signed("-+~"[fate], self._lines(value, len(label)), label)

    def _lines(self, value: Any, taken: int = 0) -> list[str]:
        return value_lines(value, uncut=self.uncut, taken=taken)


def _header(change: _Place, what: str = "", note: str = "") -> str:
    """The path of a change, and what helps to find it: which row it is in, and where it was."""
    notes = [] if change.row is None or (key := row_key(*change.row)) is None else [_row_name(change.row[1], key)]
    notes += [f"was {_path(change.was)}"] if change.was != change.path else []
    notes += [note] if note else []
    return f"{_path(change.path)}{what}" + (f"   ({'; '.join(notes)})" if notes else "")


def _row_name(row: dict[str, Any], key: str) -> str:
    return f"{key} {one_line(row[key], 40)}"


def _path(path: Path) -> str:
    return truncate_middle(show_path(path), _PATH_ROOM)


def _kinds(expected: Any, received: Any) -> str:
    """The types of two values, where the difference is easily overlooked."""
    if type(expected) is type(received) or not {type(expected), type(received)} <= _KINDS.keys():
        return ""
    return f"{_KINDS[type(expected)]}, now {_KINDS[type(received)]}"


def _counted(change: _Place, rows: Rows) -> str:
    """What became of how many rows."""
    examples = (*change.expected[:1], *change.received[:1])
    noun = "row" if any(isinstance(value, CONTAINERS) for value in examples) else "item"
    found = ((number, fate.name.lower()) for fate, number in zip(Fate, rows.counts, strict=True) if number)
    return ", ".join(f"{count(number, noun)} {fate}" for number, fate in found)
