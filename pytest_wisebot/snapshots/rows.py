"""Which rows of two lists belong together: equal, moved, changed, or on one side alone.

Equal rows are found first, in order and then out of order. The others are paired by an id that both have, then by what
they have in common, then by their place. Rows that differ by the numbers of their placeholders alone (``<uuid:3>``,
``<uuid:4>``) count as equal: a row inserted at the head of a list gives new numbers to all the others.

Every step has a bounded cost: a failing comparison of 5 MB takes seconds, whatever changed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import IntEnum
from itertools import islice
from typing import Any, Final, NamedTuple

from ..originals import json
from ..text import WrittenNumber, to_json

CONTAINERS: Final = (dict, list)
"""Types that hold other values. A tuple, since `isinstance` is three times slower with a union."""

IDENTITIES: Final = ("id", "_id", "uuid", "key", "slug", "name", "title")
"""Keys that identify a row, the most reliable first."""

LONG_TEXT: Final = 60
"""Characters from which on a string is compared by its words."""

Pair = tuple[int, int]
"""An index in the expected list, and one in the received list."""

_NUMBERED: Final = re.compile(r"<(\w[\w .-]*):[0-9]+>")  # projects name placeholders of their own
_MOST_CANDIDATES: Final = 10_000
_ALIKE: Final = 0.5
_TEXT_WITH_WORDS: Final = 20
_MOST_PARTS: Final = 64
_DEEPEST: Final = 3

_COMPACT: Final[dict[str, Any]] = {
    "sort_keys": True, "ensure_ascii": False, "separators": (",", ":"), "check_circular": False,
}  # fmt: skip
_encode = json.JSONEncoder(**_COMPACT).encode


@dataclass
class Budget:
    """What comparing may still cost, shared by all lists and strings of one diff.

    Attributes:
        steps: comparisons of items by difflib, at the worst; 10 million of them take about a second.
        characters: characters of canonical JSON that may still be written to compare rows. Lists within lists would
            otherwise be written once for each level of nesting. Without it rows are compared by their index.
    """

    steps: int = 40_000_000
    characters: int = 40_000_000


class Fate(IntEnum):
    """What became of a row."""

    REMOVED, ADDED, MOVED, CHANGED = range(4)


class Rows(NamedTuple):
    """What became of the rows of a list, by index.

    Attributes:
        removed: rows that the expected list alone has.
        added: rows that the received list alone has.
        moved: equal rows in another order.
        paired: rows that belong together and may differ, if only by the numbers of placeholders.
    """

    removed: list[int]
    added: list[int]
    moved: list[Pair]
    paired: list[Pair]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The number of rows of each fate, in the order of `Fate`."""
        return len(self.removed), len(self.added), len(self.moved), len(self.paired)

    def in_order(self) -> list[tuple[int, Fate, int, int]]:
        """All rows by the place where they stand: the place, what became of them, and a pair."""
        found = [(at, Fate.REMOVED, at, at) for at in self.removed] + [(at, Fate.ADDED, at, at) for at in self.added]
        found += [(other, Fate.MOVED, at, other) for at, other in self.moved]
        found += [(other, Fate.CHANGED, at, other) for at, other in self.paired]
        return sorted(found)


# --- values


def same_scalar(one: Any, other: Any) -> bool:
    """Whether two values without parts are the same JSON: 1, 1.0, true and "1" are four."""
    if type(one) is not type(other):
        return False
    return repr(one) == repr(other) if type(one) is float else bool(one == other)  # NaN is NaN here, and -0.0 not 0.0


def canonical(value: Any) -> str:
    """A string that equal values share, and different values do not."""
    if isinstance(value, str):
        return f'"{value}'
    if not isinstance(value, CONTAINERS):
        return repr(value)
    return to_json(value, **_COMPACT) if WrittenNumber.exist else _encode(value)


def without_numbers(text: str) -> str:
    """The string with all placeholders of a kind made equal."""
    return _NUMBERED.sub(r"<\1:>", text) if "<" in text else text


def placeholders(text: str) -> list[str]:
    """The numbered placeholders of a string."""
    return [found[0] for found in _NUMBERED.finditer(text)]


def row_key(one: Any, other: Any) -> str | None:
    """The key by which two rows are known to be the same row, if they have one."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in IDENTITIES:
            if key in one and key in other and _identifies(one[key]) and same_scalar(one[key], other[key]):
                return key
    return None


def _identifies(value: Any) -> bool:
    """Whether a value may identify a row: the number of a placeholder is different in each snapshot."""
    return isinstance(value, str | int) and not (isinstance(value, str) and _NUMBERED.search(value))


def similarity(one: Any, other: Any, depth: int = 0) -> float:
    """How much two values have in common, from 0 to 1. Of large ones the first parts count."""
    if isinstance(one, dict) and isinstance(other, dict):
        parts = ((one[key], other[key]) for key in one if key in other)
        return _share(parts, max(len(one), len(other)), depth)
    if isinstance(one, list) and isinstance(other, list):
        return _share(zip(one, other, strict=False), max(len(one), len(other)), depth)
    if isinstance(one, str) and isinstance(other, str):
        words = without_numbers(one[:2000]).split(), without_numbers(other[:2000]).split()
        return float(one == other) or SequenceMatcher(None, *words, autojunk=False).quick_ratio()
    return float(same_scalar(one, other))


def _share(parts: Iterable[tuple[Any, Any]], size: int, depth: int) -> float:
    if depth == _DEEPEST or not size:
        return 0.5
    return sum(similarity(one, other, depth + 1) for one, other in islice(parts, _MOST_PARTS)) / min(size, _MOST_PARTS)


# --- items that are equal and in order


def common_head(left: Sequence[Any], right: Sequence[Any]) -> int:
    """How many items, or characters, are equal at the beginning."""
    different = (at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other)
    return next(different, min(len(left), len(right)))


def common_tail(left: Sequence[Any], right: Sequence[Any], most: int) -> int:
    """How many items, or characters, are equal at the end, ``most`` at the most."""
    pairs = islice(zip(reversed(left), reversed(right), strict=False), most)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), most)


def equal_pairs(left: Sequence[Hashable], right: Sequence[Hashable], budget: Budget) -> list[Pair]:
    """Items that are equal and in the same order on both sides.

    Items that occur once on each side are paired first, since these pairs are no accident (the patience method). What
    stands between them is left to difflib, unless that could be too slow: then items are compared by their index.
    """
    if left == right:
        return [(at, at) for at in range(len(left))]
    head = common_head(left, right)
    tail = common_tail(left, right, min(len(left), len(right)) - head)
    end, other_end = len(left) - tail, len(right) - tail
    pairs = [(at, at) for at in range(head)]
    anchors = [*_anchors(left, right, head, end, other_end), (end, other_end)]
    at = other = head
    for anchor in anchors:
        pairs += _pairs_between(left[at : anchor[0]], right[other : anchor[1]], at, other, budget)
        pairs.append(anchor)
        at, other = anchor[0] + 1, anchor[1] + 1
    pairs.pop()  # the end
    return pairs + list(zip(range(end, len(left)), range(other_end, len(right)), strict=True))


def unmatched(pairs: Sequence[Pair], size: int, other_size: int) -> Iterator[tuple[range, range]]:
    """The stretches between pairs that are in order."""
    at = other = 0
    for next_at, next_other in [*pairs, (size, other_size)]:
        if at < next_at or other < next_other:
            yield range(at, next_at), range(other, next_other)
        at, other = next_at + 1, next_other + 1


def _anchors(left: Sequence[Hashable], right: Sequence[Hashable], start: int, end: int, other_end: int) -> list[Pair]:
    """Items that occur once on each side: as many of them as are in the same order."""
    places = _once(right[start:other_end], range(start, other_end))
    ours = _once(left[start:end], range(start, end))
    pairs = [(at, places[item]) for item, at in ours.items() if item in places]
    if (others := [other for _, other in pairs]) == sorted(others):
        return pairs
    # For each length of a chain, the smallest index on the right with which it can end, and its last pair.
    ends, chains, before = list[int](), list[int](), list[int]()
    for place, (_, other) in enumerate(pairs):
        length = bisect_left(ends, other)
        before.append(chains[length - 1] if length else -1)
        ends[length : length + 1] = [other]
        chains[length : length + 1] = [place]
    chain = []
    place = chains[-1] if chains else -1
    while place >= 0:
        chain.append(pairs[place])
        place = before[place]
    return chain[::-1]


def _once(items: Sequence[Hashable], places: Sequence[int]) -> dict[Hashable, int]:
    """The items that occur once, with their places."""
    counts = Counter(items)
    return {item: at for item, at in zip(items, places, strict=True) if counts[item] == 1}


def _pairs_between(
    left: Sequence[Hashable], right: Sequence[Hashable], at: int, other: int, budget: Budget
) -> Iterator[Pair]:
    if not left or not right:
        return
    counts = Counter(right)
    equal = sum(counts[item] for item in left)
    cost = (len(left) + equal) * min(len(left), len(right))
    if equal and cost <= budget.steps:
        budget.steps -= cost
        for start, other_start, size in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
            yield from ((at + start + step, other + other_start + step) for step in range(size))
    elif equal:
        same = (place for place, (one, two) in enumerate(zip(left, right, strict=False)) if one == two)
        yield from ((at + place, other + place) for place in same)


# --- rows


def match_rows(expected: Sequence[Any], received: Sequence[Any], budget: Budget) -> Rows:
    """Which rows of two lists belong together."""
    common = min(len(expected), len(received))
    if budget.characters <= 0 or common == 0 or len(expected) == len(received) == 1:
        by_index = [(at, at) for at in range(common)]
        return Rows([*range(common, len(expected))], [*range(common, len(received))], [], by_index)
    left, right = ([without_numbers(canonical(row)) for row in rows] for rows in (expected, received))
    budget.characters -= sum(map(len, left)) + sum(map(len, right))
    equal = equal_pairs(left, right, budget)
    rest = _Rest(expected, received, list(unmatched(equal, len(expected), len(received))))
    moved = rest.take(_equal_elsewhere(rest, left, right))
    steps = (_by_identity, _by_similarity, _in_place)
    changed = [pair for step in steps if rest.left and rest.right for pair in rest.take(step(rest))]
    numbered = [pair for pair in (*equal, *moved) if "<" in left[pair[0]]]
    return Rows([*rest.left], [*rest.right], moved, sorted([*numbered, *changed], key=lambda pair: pair[1]))


@dataclass
class _Rest:
    """The rows that are not paired yet, and the stretches in which they stand."""

    expected: Sequence[Any]
    received: Sequence[Any]
    stretches: list[tuple[range, range]]
    left: dict[int, None] = field(init=False)  # a set that keeps its order
    right: dict[int, None] = field(init=False)

    def __post_init__(self) -> None:
        self.left = dict.fromkeys(at for ours, _ in self.stretches for at in ours)
        self.right = dict.fromkeys(at for _, theirs in self.stretches for at in theirs)

    def take(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Takes out those of the pairs of which both rows are still there."""
        taken = []
        for at, other in pairs:
            if at in self.left and other in self.right:
                del self.left[at], self.right[other]
                taken.append((at, other))
        return taken


def _equal_elsewhere(rest: _Rest, left: Sequence[Hashable], right: Sequence[Hashable]) -> list[Pair]:
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for at in reversed(rest.left):
        places[left[at]].append(at)
    return [(places[right[other]].pop(), other) for other in rest.right if places.get(right[other])]


def _by_identity(rest: _Rest) -> Iterator[Pair]:
    for key in IDENTITIES:
        ours, theirs = (
            _once([canonical(rows[at][key]) for at in named], named)
            for rows, places in ((rest.expected, rest.left), (rest.received, rest.right))
            for named in [[at for at in places if _has_identity(rows[at], key)]]
        )
        yield from [(at, theirs[text]) for text, at in ours.items() if text in theirs]


def _has_identity(row: Any, key: str) -> bool:
    return isinstance(row, dict) and key in row and _identifies(row[key])


def _by_similarity(rest: _Rest) -> list[Pair]:
    """Rows that have most in common, the most similar first; of two equally similar rows the nearer one."""
    left = [at for at in rest.left if _has_parts(rest.expected[at])]
    right = [at for at in rest.right if _has_parts(rest.received[at])]
    if len(left) * len(right) > _MOST_CANDIDATES:
        return []
    found = ((-similarity(rest.expected[at], rest.received[other]), abs(at - other), (at, other))
             for at in left for other in right)  # fmt: skip
    return [pair for score, _, pair in sorted(found) if -score >= _ALIKE]


def _has_parts(row: Any) -> bool:
    return isinstance(row, CONTAINERS) or (isinstance(row, str) and len(row) >= _TEXT_WITH_WORDS)


def _in_place(rest: _Rest) -> Iterator[Pair]:
    """The rest of a stretch, one by one, where both sides have as many rows left."""
    for ours, theirs in rest.stretches:
        left, right = [at for at in ours if at in rest.left], [at for at in theirs if at in rest.right]
        if len(left) == len(right):
            for at, other in zip(left, right, strict=True):
                one, two = rest.expected[at], rest.received[other]
                scalars = not isinstance(one, CONTAINERS) and not isinstance(two, CONTAINERS)
                if scalars or similarity(one, two) >= _ALIKE:
                    yield at, other
