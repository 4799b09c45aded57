"""Values as lines of text, and how two strings differ: by lines, by words, or as they are.

Changed words stand among a few of their neighbours: ``… the customer was [-charged-]{+billed+} twice in …``. Whatever
does not print is written as a JSON escape, so that a value can neither change a terminal nor look like another one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

from ..originals import json
from ..text import escape_json, to_json, truncate
from .rows import IDENTITIES, LONG_TEXT, Budget, Fate, common_head, common_tail, equal_pairs, match_rows, unmatched

WIDTH: Final = 200
"""Characters of the longest line that is not shown whole."""

Entry = list[str]
"""Lines that are shown together or not at all."""

_LONGEST_INSIDE: Final = 60
_MOST_INSIDE: Final = 24
_DEEPEST: Final = 3
_CONTEXT_WORDS: Final = 5
_CONTEXT_ROOM: Final = 36
_CHANGE_ROOM: Final = 50
_FEWEST_WORDS: Final = 8
_HUNKS_OF_A_LINE: Final = 4
_MOSTLY_DIFFERENT: Final = 0.6

_UNIT = re.compile(r"\\u[0-9a-f]{4}|\\.|.", re.DOTALL)
_WORD = re.compile(r"\S+\s*|\s+")


# --- values


def in_quotes(text: str, *, ascii_only: bool = False) -> str:
    """A string as JSON writes it between quotes."""
    return escape_json(json.dumps(text, ensure_ascii=ascii_only)[1:-1])


def _in_ascii(text: str) -> str:
    return in_quotes(text, ascii_only=True)


def fitted(text: str, room: int, *, tail: bool = False, write: Callable[[str], str] = in_quotes) -> str:
    """The beginning of a string, or its end, written and cut with a mark where it does not fit; no escape is cut."""
    units = _UNIT.findall(write(text[-room - 1 :] if tail else text[: room + 1]))
    size = sum(map(len, units))
    if size <= room:
        return "".join(units)
    while units and size >= room:
        size -= len(units.pop(0 if tail else -1))
    return f"…{''.join(units)}" if tail else f"{''.join(units)}…"


def one_line(value: Any, room: int = WIDTH) -> str:
    """A value as JSON on one line, cut with marks where it does not fit: long strings inside first, then the end."""
    if isinstance(value, str):
        return f'"{fitted(value, room - 2)}"'
    return truncate(escape_json(to_json(_shortened(value), ensure_ascii=False)), room)


def _shortened(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return truncate(value, _LONGEST_INSIDE)
    if isinstance(value, dict | list) and depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):  # the keys that identify a row come first, since the rest may be cut
        keys = [*(key for key in IDENTITIES if key in value), *sorted(value.keys() - set(IDENTITIES))]
        return {truncate(key, 40): _shortened(value[key], depth + 1) for key in keys[:_MOST_INSIDE]}
    return [_shortened(item, depth + 1) for item in value[:_MOST_INSIDE]] if isinstance(value, list) else value


def _whole(value: Any, *, ascii_only: bool = False) -> list[str]:
    """The lines of a value that is not cut: one for a string or a short value, otherwise JSON with an indent."""
    text = to_json(value, ensure_ascii=ascii_only, sort_keys=True)
    if len(text) > WIDTH and not isinstance(value, str):
        text = to_json(value, ensure_ascii=ascii_only, sort_keys=True, indent=2)
    return [escape_json(line) for line in text.split("\n")]


def value_lines(value: Any, *, uncut: bool, taken: int = 0) -> list[str]:
    """The lines of a value; one of them, beside so many characters that are taken, unless it is shown uncut."""
    return _whole(value) if uncut else [one_line(value, WIDTH - taken - 4)]


def signed(sign: str, lines: list[str], label: str = "", note: str = "") -> Entry:
    """Lines of a value with the sign of its side; a note stands at their end."""
    lines = [label + lines[0], *lines[1:]]
    lines[-1] += note
    return [f"  {sign} {line}" for line in lines]


def minus_plus(expected: Any, received: Any, *, uncut: bool = False, label: str = "", note: str = "") -> Entry:
    """The expected value and the received one, each on a line, or on many if they are not cut."""
    if uncut:
        alike = isinstance(expected, str) and isinstance(received, str) and _look_alike(expected, received)
        one, other = _whole(expected, ascii_only=alike), _whole(received, ascii_only=alike)
    else:
        one, other = ([line] for line in _contrast(expected, received, WIDTH - len(label) - len(note) - 8))
    return [*signed("-", one, label), *signed("+", other, label, note)]


def _contrast(expected: Any, received: Any, room: int) -> tuple[str, str]:
    """Two different values on a line each, cut so that both lines show the place where they begin to differ."""
    texts = isinstance(expected, str) and isinstance(received, str)
    one, other = one_line(expected, room), one_line(received, room)
    if one != other and not (texts and (_look_alike(one, other) or "…" in one + other)):
        return one, other
    plain, others = (
        value if isinstance(value, str) else to_json(value, ensure_ascii=False, sort_keys=True)
        for value in (expected, received)
    )
    at = common_head(plain, others)
    alike = _look_alike(plain[at : at + room], others[at : at + room])
    mark, write = ('"', _in_ascii if alike else in_quotes) if texts else ("", escape_json)
    lead = fitted(plain[max(at - room, 0) : at], room // 3, tail=True, write=write)
    rests = (fitted(text[at:], room - len(lead) - 2, write=write) for text in (plain, others))
    one, other = (f"{mark}{lead}{rest}{mark}" for rest in rests)
    return one, other


def _look_alike(one: str, other: str) -> bool:
    """Whether two different strings may print as the same: accents may be written in more than one way."""
    if one.isascii() and other.isascii():
        return False
    return unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)


# --- strings


class TextChange(NamedTuple):
    """What differs in a string.

    Attributes:
        note: describes the change beside its path.
        entries: the places, first to last.
    """

    note: str
    entries: Iterable[Entry]


def text_change(expected: str, received: str, budget: Budget, *, uncut: bool = False) -> TextChange:
    """How two different strings differ; ``uncut`` adds both of them whole."""
    if max(len(expected), len(received)) <= LONG_TEXT:
        return TextChange("", [minus_plus(expected, received, uncut=uncut)])
    by_parts = _by_lines if "\n" in expected and "\n" in received else _by_words
    change = by_parts(expected, received, budget, uncut) or _by_characters(expected, received)
    if uncut:
        return change._replace(entries=chain(change.entries, [minus_plus(expected, received, uncut=True)]))
    return change


def _by_characters(expected: str, received: str) -> TextChange:
    now = f", now {len(received):,}" if len(expected) != len(received) else ""
    note = f"from character {common_head(expected, received) + 1:,} on; {len(expected):,} characters{now}"
    return TextChange(note, [minus_plus(expected, received)])


def _by_lines(expected: str, received: str, budget: Budget, uncut: bool) -> TextChange:
    ours, theirs = expected.split("\n"), received.split("\n")
    rows = match_rows(ours, theirs, budget)
    rows = rows._replace(paired=[(at, other) for at, other in rows.paired if ours[at] != theirs[other]])
    count = max(len(rows.removed), len(rows.added)) + len(rows.moved) + len(rows.paired)
    entries = (_line_entry(row, ours, theirs, budget, uncut) for row in rows.in_order())
    return TextChange(f"{count:,} of {max(len(ours), len(theirs)):,} lines differ", entries)


def _line_entry(
    row: tuple[int, Fate, int, int], ours: list[str], theirs: list[str], budget: Budget, uncut: bool
) -> Entry:
    place, fate, at, other = row
    label = f"line {place + 1}: "
    if fate is Fate.MOVED:
        return [f"  ~ line {at + 1} -> {other + 1}: {one_line(theirs[other], WIDTH - 40)}"]
    if fate is Fate.CHANGED:
        return _changed_line(ours[at], theirs[other], label, budget, uncut)
    line = ours[at] if fate is Fate.REMOVED else theirs[at]
    return signed("-+"[fate], value_lines(line, uncut=uncut, taken=len(label)), label)


def _changed_line(expected: str, received: str, label: str, budget: Budget, uncut: bool) -> Entry:
    long = max(len(expected), len(received)) > LONG_TEXT
    change = _by_words(expected, received, budget, uncut, label) if long else None
    if change is None:
        return minus_plus(expected, received, uncut=uncut, label=label)
    lines = [line for entry in change.entries for line in entry]
    return lines if uncut or len(lines) <= _HUNKS_OF_A_LINE else [*lines[:_HUNKS_OF_A_LINE], f"  {label}…"]


def _by_words(expected: str, received: str, budget: Budget, uncut: bool, label: str = "") -> TextChange | None:
    """The changed words, or None if the strings have too few words, or hardly one in common."""
    ours, theirs = _WORD.findall(expected), _WORD.findall(received)
    total = max(len(ours), len(theirs))
    if total < _FEWEST_WORDS:
        return None
    hunks = list(unmatched(equal_pairs(ours, theirs, budget), len(ours), len(theirs)))
    changed = max(sum(len(hunk[side]) for hunk in hunks) for side in (0, 1))
    if changed > _MOSTLY_DIFFERENT * total:
        return None
    entries = ([f"  {label}{text}"] for text in _hunks(hunks, ours, theirs, uncut))
    return TextChange(f"{changed:,} of {total:,} words differ", entries)


def _hunks(hunks: list[tuple[range, range]], ours: list[str], theirs: list[str], uncut: bool) -> Iterator[str]:
    """Each stretch of changed words, between the words around it that are equal."""
    ends = [0, *(new.stop for _, new in hunks)]
    starts = [*(new.start for _, new in hunks), len(theirs)]
    for place, (old, new) in enumerate(hunks):
        first = max(ends[place], new.start - _CONTEXT_WORDS)
        last = min(starts[place + 1], new.stop + _CONTEXT_WORDS)
        before, added, after = ("".join(theirs[slice(*part)]) for part in (
            (first, new.start), (new.start, new.stop), (new.stop, last)))  # fmt: skip
        removed = "".join(ours[old.start : old.stop])
        # The quotes mark the beginning and the end of the string, and keep a "-" there from passing for a sign.
        lead, trail = '"' if not first else "… ", '"' if last == len(theirs) else " …"
        yield lead + _hunk(before, removed, added, after if trail == '"' else after.rstrip(), uncut) + trail


def _hunk(before: str, removed: str, added: str, after: str, uncut: bool) -> str:
    head = tail = 0
    most = min(len(removed), len(added))
    if most >= _CHANGE_ROOM:  # long words, such as addresses, are cut down to the characters that changed
        head = common_head(removed, added)
        tail = common_tail(removed, added, most - head)
    elif removed.endswith(" ") and added.endswith(" "):
        tail = 1
    before, after = before + added[:head], added[len(added) - tail :] + after
    removed, added = removed[head : len(removed) - tail], added[head : len(added) - tail]
    write = _in_ascii if _look_alike(removed, added) else in_quotes
    room = max(len(removed), len(added)) * 12 if uncut else _CHANGE_ROOM
    old = f"[-{fitted(removed, room, write=write)}-]" if removed else ""
    new = f"{{+{fitted(added, room, write=write)}+}}" if added else ""
    return f"{fitted(before, _CONTEXT_ROOM, tail=True)}{old}{new}{fitted(after, _CONTEXT_ROOM)}"
