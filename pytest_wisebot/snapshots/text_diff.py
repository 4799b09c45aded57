"""How two texts differ: by lines if they have several, by words if they are long, else as they are.

Changed words stand among a few of their neighbours: ``… the customer was [-charged-]{+billed+} twice in …``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import chain
from typing import Any

from .align import common_head, common_tail, equal_runs
from .brief import WIDTH, brief, contrast, fitted, fitted_end, look_alike, quoted, whole
from .rows import Matching, Rows
from .similarity import LONG_TEXT

Entry = list[str]
"""Lines that are shown together or not at all."""

_CONTEXT_WORDS = 5
_CONTEXT_ROOM = 36
_CHANGE_ROOM = 50
_FEWEST_WORDS = 8
_HUNKS_OF_A_LINE = 4
_MOSTLY_OTHER = 0.6
_MOST_WORDS = 200_000
_HUGE_TEXT = 100_000

# A single space between two words goes without saying; any other white space is a word of its own.
_WORD = re.compile(r"\S+|\s{2,}|[^\S ]")


@dataclass
class TextChange:
    """What differs in a text.

    Attributes:
        notes: what is said of the change beside its path.
        entries: the places, first to last.
    """

    notes: list[str] = field(default_factory=list)
    entries: Iterable[Entry] = ()


def text_change(expected: str, received: str, matching: Matching, *, uncut: bool = False) -> TextChange:
    """How two different texts differ; ``uncut`` adds both of them whole."""
    if max(len(expected), len(received)) <= LONG_TEXT:
        return TextChange(entries=[minus_plus(expected, received, uncut=uncut)])
    by_parts = _by_lines if "\n" in expected and "\n" in received else _by_words
    change = by_parts(expected, received, matching, uncut) or _by_characters(expected, received)
    if uncut:
        change.entries = chain(change.entries, [minus_plus(expected, received, uncut=True)])
    return change


def minus_plus(expected: Any, received: Any, *, uncut: bool = False, label: str = "", note: str = "") -> Entry:
    """The expected value and the received one, each on a line, or on many if they are not cut."""
    if uncut:
        alike = isinstance(expected, str) and isinstance(received, str) and look_alike(expected, received)
        pair = whole(expected, ascii_only=alike), whole(received, ascii_only=alike)
        return [*signed("-", pair[0], label), *signed("+", pair[1], label, note)]
    one, other = contrast(expected, received, WIDTH - len(label) - len(note) - 8)
    return [*signed("-", [one], label), *signed("+", [other], label, note)]


def signed(sign: str, lines: list[str], label: str = "", note: str = "") -> Entry:
    """Lines of a value under the sign that says whose it is; what follows them stands at the end."""
    lines = [label + lines[0], *lines[1:]]
    lines[-1] += note
    return [f"  {sign} {line}" for line in lines]


def in_order(rows: Rows, removed: Any, added: Any, moved: Any, paired: Any) -> Iterator[Any]:
    """What each of these functions makes of the rows they are for, by the place where the rows stand."""
    kinds = (
        ((at, 0, removed, (at,)) for at in rows.removed),
        ((at, 1, added, (at,)) for at in rows.added),
        ((pair[1], 2, moved, pair) for pair in sorted(rows.moved, key=lambda pair: pair[1])),
        ((pair[1], 3, paired, pair) for pair in sorted(rows.paired, key=lambda pair: pair[1])),
    )
    for _, _, made, places in merge(*kinds, key=lambda kind: kind[:2]):
        yield made(*places)


def _by_characters(expected: str, received: str) -> TextChange:
    at = common_head(expected, received, 0, 0, min(len(expected), len(received)))
    now = f", now {len(received):,}" if len(expected) != len(received) else ""
    note = f"from character {at + 1:,} on; {len(expected):,} characters{now}"
    return TextChange([note], [minus_plus(expected, received)])


# --- lines


def _by_lines(expected: str, received: str, matching: Matching, uncut: bool) -> TextChange:
    ours, theirs = expected.split("\n"), received.split("\n")
    rows = matching.rows(ours, theirs)
    rows = replace(rows, paired=[(at, other) for at, other in rows.paired if ours[at] != theirs[other]])
    count = max(len(rows.removed), len(rows.added)) + len(rows.moved) + len(rows.paired)

    def one_side(sign: str, lines: list[str]) -> Any:
        def shown(at: int) -> Entry:
            label = f"line {at + 1}: "
            return [f"  {sign} {label}{quoted(lines[at], None if uncut else WIDTH - len(label) - 4)}"]

        return shown

    def moved(at: int, other: int) -> Entry:
        return [f"  ~ line {at + 1} -> {other + 1}: {brief(theirs[other], WIDTH - 40)}"]

    def changed(at: int, other: int) -> Entry:
        return _changed_line(ours[at], theirs[other], f"line {other + 1}: ", matching, uncut)

    entries = in_order(rows, one_side("-", ours), one_side("+", theirs), moved, changed)
    return TextChange([f"{count:,} of {max(len(ours), len(theirs)):,} lines differ"], entries)


def _changed_line(expected: str, received: str, label: str, matching: Matching, uncut: bool) -> Entry:
    change = None
    if max(len(expected), len(received)) > LONG_TEXT:
        change = _by_words(expected, received, matching, uncut, label)
    if change is None:
        return minus_plus(expected, received, uncut=uncut, label=label)
    lines = [line for entry in change.entries for line in entry]
    return lines if uncut or len(lines) <= _HUNKS_OF_A_LINE else [*lines[:_HUNKS_OF_A_LINE], f"  {label}…"]


# --- words


@dataclass
class _Words:
    """A text, or a piece of one, and where the words stand in it."""

    text: str
    spans: list[tuple[int, int]]
    at_start: bool
    at_end: bool

    @classmethod
    def of(cls, text: str, start: int, end: int) -> _Words:
        """The words without so many characters at the start and at the end."""
        piece = text[start : len(text) - end]
        return cls(piece, [found.span() for found in _WORD.finditer(piece)], not start, not end)

    def words(self) -> list[str]:
        return [self.text[start:end] for start, end in self.spans]

    def between(self, first: int, last: int) -> str:
        """The text from the beginning of one word to the end of the one before ``last``."""
        return self.text[self.spans[first][0] : self.spans[last - 1][1]] if first < last else ""

    def gap(self, at: int) -> str:
        """What stands in front of a word: a space, or nothing."""
        return self.text[self.spans[at - 1][1] : self.spans[at][0]] if 0 < at < len(self.spans) else ""


@dataclass(frozen=True)
class _Hunk:
    """Words that have changed, by the first and the one after the last on each side, and how many are equal around."""

    ours: tuple[int, int]
    theirs: tuple[int, int]
    before: int
    after: int


def _by_words(expected: str, received: str, matching: Matching, uncut: bool, label: str = "") -> TextChange | None:
    """The changed words, or None if the texts have too few, too many, or hardly one in common."""
    start, end = _equal_ends(expected, received)
    ours, theirs = _Words.of(expected, start, end), _Words.of(received, start, end)
    if not _FEWEST_WORDS <= max(len(ours.spans), len(theirs.spans)) <= _MOST_WORDS:
        return None
    hunks = list(_hunks(ours, theirs, matching))
    changed = max(_count(hunk.ours for hunk in hunks), _count(hunk.theirs for hunk in hunks))
    total = max(len(expected.split()), len(received.split()))
    if not hunks or changed > _MOSTLY_OTHER * total:
        return None
    entries = ([f"  {label}{_shown(hunk, ours, theirs, uncut)}"] for hunk in hunks)
    return TextChange([f"{changed:,} of {total:,} words differ"], entries)


def _count(spans: Iterable[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def _equal_ends(expected: str, received: str) -> tuple[int, int]:
    """The characters at the beginning and at the end of huge texts that need not be looked at word by word."""
    most = min(len(expected), len(received))
    if most < _HUGE_TEXT:
        return 0, 0
    head = common_head(expected, received, 0, 0, most)
    tail = common_tail(expected, received, len(expected), len(received), most - head)
    start = expected.rfind(" ", 0, max(head - WIDTH, 0)) + 1
    stop = expected.find(" ", len(expected) - tail + WIDTH) if tail > WIDTH else -1
    return start, len(expected) - stop if stop >= 0 else 0


def _hunks(ours: _Words, theirs: _Words, matching: Matching) -> Iterator[_Hunk]:
    runs = equal_runs(ours.words(), theirs.words(), matching.effort)
    at = other = before = 0
    for next_at, next_other, size in [*runs, (len(ours.spans), len(theirs.spans), 0)]:
        if at < next_at or other < next_other:
            yield _Hunk((at, next_at), (other, next_other), before, size)
        at, other, before = next_at + size, next_other + size, size


def _shown(hunk: _Hunk, ours: _Words, theirs: _Words, uncut: bool) -> str:
    first, last = hunk.theirs
    start, end = first - min(hunk.before, _CONTEXT_WORDS), last + min(hunk.after, _CONTEXT_WORDS)
    removed, added = ours.between(*hunk.ours), theirs.between(first, last)
    before = theirs.between(start, first) + (theirs.gap(first) or ours.gap(hunk.ours[0]))
    after = (theirs.gap(last) if first < last else ours.gap(hunk.ours[1])) + theirs.between(last, end)
    before, removed, added, after = _without_common_ends(before, removed, added, after)
    alike = look_alike(removed, added)
    room = max(len(removed), len(added)) * 12 if uncut else _CHANGE_ROOM
    old = f"[-{fitted(removed, room, ascii_only=alike)}-]" if removed else ""
    new = f"{{+{fitted(added, room, ascii_only=alike)}+}}" if added else ""
    # The quotes tell where the text begins and ends, and keep a "-" at its beginning from passing for a sign.
    lead = '"' if theirs.at_start and not start else "… "
    trail = '"' if theirs.at_end and end == len(theirs.spans) else " …"
    return f"{lead}{fitted_end(before, _CONTEXT_ROOM)}{old}{new}{fitted(after, _CONTEXT_ROOM)}{trail}"


def _without_common_ends(before: str, removed: str, added: str, after: str) -> tuple[str, str, str, str]:
    """Long words, addresses and codes among them, are cut down to the characters that changed."""
    most = min(len(removed), len(added))
    if most < _CHANGE_ROOM:
        return before, removed, added, after
    head = common_head(removed, added, 0, 0, most)
    tail = common_tail(removed, added, len(removed), len(added), most - head)
    before, after = before + added[:head], added[len(added) - tail :] + after
    return before, removed[head : len(removed) - tail], added[head : len(added) - tail], after
