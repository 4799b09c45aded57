"""What changed between a snapshot and the value that came, as the lines that a person reads in a CI log.

Only the paths that changed are shown, each with what was expected (``-``) and what was received (``+``)::

    result.items[2].score   (id "T-3")
      - 0.5
      + 0.51
    result.items: 1 row removed, 2 rows added
      + [0] {"id": "T-9", "category": "shipping"}
      - [3] {"id": "T-3", "category": "billing"}
      + [7] {"id": "T-8", "category": "billing"}
    ... and 17 more changed paths (-vv shows all)

Comparing (`changes`) is apart from showing (here): a value of megabytes may have changed everywhere, and only what
there is room for is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any

from ..redaction.jsonpath import Path
from ..text import show_path
from .brief import WIDTH, brief, contrast, quoted
from .brief import whole as whole_lines
from .changes import ABSENT, Change, Changes, ListChange, RenamedKey, ValueChange, find_changes
from .rows import Matching, Rows
from .similarity import identity, same_name
from .text_diff import Entry, in_order, minus_plus, signed, text_change

_SHARE = 12
_EXAMPLES = 3
_COMPARED = 60
_PATH_ROOM = 120
_RULE_ROOM = 80
_NONE: Mapping[Path, str] = MappingProxyType({})
_KINDS = {bool: "bool", int: "int", float: "float", str: "str"}


def diff_lines(
    expected: Any, received: Any, *, broken: Mapping[Path, str] = _NONE, most: int = 60, whole: bool = False
) -> list[str]:
    """The changed paths of two JSON values, as lines of plain text; none if they are equal and no rule is broken.

    Args:
        expected: what the snapshot says, as plain JSON data.
        received: what came, as plain JSON data.
        broken: the rules that received values do not satisfy, by the paths of these values.
        most: lines shown before the rest is only counted, on one more line.
        whole: values are not cut, and ``most`` does not count.

    Returns:
        Lines without ends and without control characters. Those that begin, after white space, with ``-`` are of the
        expected value, those with ``+`` of the received one.
    """
    matching = Matching()
    changes = find_changes(expected, received, broken, matching)
    writer = _Writer(matching, uncut=whole)
    if whole:
        blocks = (line for change in changes.found for entry in writer.entries(change) for line in entry)
        return [*blocks, *_renumbered(changes)]
    return _page(writer, changes, most)


# --- what there is room for


def _page(writer: _Writer, changes: Changes, most: int) -> list[str]:
    """The lines of as many changes as there is room for, in their order, and the count of the others."""
    found = changes.found
    note = _renumbered(changes)[: most if found else 1]
    room = most - len(note)
    share = max(_SHARE, room // max(len(found), 1))
    blocks: dict[int, list[str]] = {}
    hidden = sum(change.units for change in found)
    for at in _examples_first(found):
        block, shown = _fitting(writer.entries(found[at]), min(share, room), found[at].units)
        if not block:
            break
        blocks[at] = block
        hidden -= shown
        room -= len(block)
    lines = [_bounded(line) for at in sorted(blocks) for line in blocks[at]]
    count = [f"... and {hidden:,} more changed path{'s' if hidden > 1 else ''} (-vv shows all)"] if hidden else []
    return [*lines, *note, *count]


def _examples_first(changes: list[Change]) -> Iterator[int]:
    """The indices of the changes, some of each kind of path before all others, so that no kind hides the rest."""
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
    """As much of a change as fits, and how many of its paths that is; nothing if not even the first one does."""
    block = next(entries)
    for shown, entry in enumerate(entries):
        if len(block) + len(entry) <= room:
            block = block + entry
        elif not shown:
            return [], 0
        elif units > 1:
            return block, shown
        else:  # the parts of one text are not counted: that some are missing is said here
            return [*block, "  …"][:room], 1
    return block, units


def _bounded(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _renumbered(changes: Changes) -> list[str]:
    """The line about placeholders that are the same but for their numbers."""
    if not changes.renumbered:
        return []
    examples = ", ".join(f"{old} is now {new}" for old, new in islice(changes.numbers.items(), 3))
    more = ", …" if len(changes.numbers) > 3 else ""
    values = "1 value is" if changes.renumbered == 1 else f"{changes.renumbered:,} values are"
    return [_bounded(f"{values} the same but for the number of a placeholder: {examples}{more}")]


# --- changes as lines


class _Writer:
    """Writes a change as entries, the first one its header; each is made when it is asked for."""

    def __init__(self, matching: Matching, *, uncut: bool) -> None:
        self._matching = matching
        self._uncut = uncut

    def entries(self, change: Change) -> Iterator[Entry]:
        if isinstance(change, ListChange):
            yield from self._list(change)
        elif isinstance(change, RenamedKey):
            yield [_header(change, ": key renamed, its value is the same")]
            yield [f"  - {self._label(change.was[-1])}", f"  + {self._label(change.path[-1])}"]
        elif isinstance(change, ValueChange):
            yield from self._value(change)

    def _value(self, change: ValueChange) -> Iterator[Entry]:
        expected, received = change.expected, change.received
        if change.rule is not None:
            yield from self._broken(change, change.rule)
        elif expected is ABSENT:
            yield [_header(change, ": key added")]
            yield signed("+", self._lines(received))
        elif received is ABSENT:
            yield [_header(change, ": key removed")]
            yield signed("-", self._lines(expected))
        elif isinstance(expected, str) and isinstance(received, str):
            text = text_change(expected, received, self._matching, uncut=self._uncut)
            yield [_header(change, notes=text.notes)]
            yield from text.entries
        else:
            yield [_header(change, notes=_kinds(expected, received))]
            yield minus_plus(expected, received, uncut=self._uncut)

    def _broken(self, change: ValueChange, rule: str) -> Iterator[Entry]:
        rule = rule if self._uncut or len(rule) <= _RULE_ROOM else rule[: _RULE_ROOM - 1] + "…"
        note = f"   (breaks {rule})"
        yield [_header(change)]
        if change.received is ABSENT:
            yield [f"  + nothing{note}"]
        elif change.expected == change.rule:
            yield [f"  - {rule}", *signed("+", self._lines(change.received, len(note)), note=note)]
        elif change.expected is ABSENT or change.expected is change.received:
            yield signed("+", self._lines(change.received, len(note)), note=note)
        else:
            yield minus_plus(change.expected, change.received, uncut=self._uncut, note=note)

    def _list(self, change: ListChange) -> Iterator[Entry]:
        yield [_header(change, f": {_counted(change.rows, change)}")]
        twins = {} if self._uncut else _twins(change)

        def one(sign: str, rows: list[Any], at: int) -> Entry:
            lines = [twins[sign, at]] if (sign, at) in twins else self._lines(rows[at], len(f"[{at}] "))
            return signed(sign, lines, f"[{at}] ")

        def moved(at: int, other: int) -> Entry:
            label = f"[{at}] -> [{other}] "
            return signed("~", self._lines(change.received[other], len(label)), label)

        def changed(at: int, other: int) -> Entry:
            return [*one("-", change.expected, at), *one("+", change.received, other)]

        removed, added = partial(one, "-", change.expected), partial(one, "+", change.received)
        yield from in_order(change.rows, removed, added, moved, changed)

    def _lines(self, value: Any, taken: int = 0) -> list[str]:
        return whole_lines(value) if self._uncut else [brief(value, WIDTH - taken - 4)]

    def _label(self, step: str | int) -> str:
        return quoted(str(step), None if self._uncut else WIDTH - 4)


def _header(change: Change, what: str = "", notes: list[str] | None = None) -> str:
    """The path of a change, and what helps to find it: which row it is in, and where it was."""
    told = [*_row(change), *([f"was {_path(change.was)}"] if _has_shifted(change) else []), *(notes or [])]
    return f"{_path(change.path)}{what}" + (f"   ({'; '.join(told)})" if told else "")


def _path(path: Path) -> str:
    text = show_path(path)
    half = _PATH_ROOM // 2
    return text if len(text) <= _PATH_ROOM else f"{text[:half]}…{text[-half:]}"


def _has_shifted(change: Change) -> bool:
    return change.was != change.path and not isinstance(change, RenamedKey)


def _row(change: Change) -> list[str]:
    """What the row around a change is called, if that did not change."""
    if change.row is None:
        return []
    key = identity(*change.row)
    return [f"{key} {brief(change.row[1][key], 40)}"] if key is not None and same_name(*change.row) else []


def _kinds(expected: Any, received: Any) -> list[str]:
    """What kinds of value they are, where that is easily overlooked."""
    if type(expected) is type(received) or not {type(expected), type(received)} <= _KINDS.keys():
        return []
    return [f"{_KINDS[type(expected)]}, now {_KINDS[type(received)]}"]


def _counted(rows: Rows, change: ListChange) -> str:
    """What became of how many rows."""
    ours = [*rows.removed[:1], *(at for at, _ in (*rows.moved[:1], *rows.paired[:1]))]
    examples = [change.expected[at] for at in ours] + [change.received[at] for at in rows.added[:1]]
    noun = "row" if any(isinstance(value, dict | list) for value in examples) else "item"
    counts = {
        "removed": len(rows.removed),
        "added": len(rows.added),
        "moved": len(rows.moved),
        "changed": len(rows.paired),
    }
    return ", ".join(f"{count:,} {noun}{'s' if count > 1 else ''} {kind}" for kind, count in counts.items() if count)


def _twins(change: ListChange) -> dict[tuple[str, int], str]:
    """What is shown of the rows that would look the same, removed and added, when they are cut."""
    cut = {brief(change.expected[at], WIDTH - 20): at for at in change.rows.removed[:_COMPARED]}
    twins: dict[tuple[str, int], str] = {}
    for other in change.rows.added[:_COMPARED]:
        at = cut.pop(brief(change.received[other], WIDTH - 20), None)
        if at is not None:
            pair = contrast(change.expected[at], change.received[other], WIDTH - 20)
            twins["-", at], twins["+", other] = pair
    return twins
