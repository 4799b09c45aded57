"""Which rows of two lists belong together: the same, the same at another place, changed, or on one side alone.

Equal rows are found first, in order and then out of order. What is left is paired by what the rows have in common, as
long as that is more than chance, so that a changed row of a list that has shifted is still seen as that row.
Rows that differ by the numbers of their placeholders alone (``<uuid:3>``, ``<uuid:4>``) count as equal for that: one
row inserted at the head of a list gives new numbers to all the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any

from .align import Budget, Run, equal_runs
from .placeholder_numbers import is_numbered, unnumbered
from .similarity import CONTAINERS, IDENTITIES, belong, canonical, same_name, same_scalar

_MOST_TEXT = 40_000_000
_MANY_ROWS = 2000
_TEXT_WITH_PARTS = 20
_SHORT_LIST = 64


@dataclass(frozen=True, slots=True)
class Rows:
    """What became of the rows of a list, by their indices in the expected and in the received one.

    Attributes:
        removed: rows of the expected list that the received one lacks.
        added: rows of the received list that the expected one lacks.
        moved: equal rows that stand in another order; those with other numbers of placeholders are paired as well.
        paired: rows that belong together and differ, if only by the numbers of placeholders.
    """

    removed: list[int]
    added: list[int]
    moved: list[tuple[int, int]]
    paired: list[tuple[int, int]]


@dataclass
class Matching:
    """What the comparisons of one diff share.

    Attributes:
        effort: the steps that aligning may still take.
        text_left: characters of canonical text that may still be written to compare rows. Lists within lists would else
            be written once for each level they are deep; without it rows are compared by their index.
        unchanged: texts with placeholders that are the same on both sides.
    """

    effort: Budget = field(default_factory=Budget)
    text_left: int = _MOST_TEXT
    unchanged: set[str] = field(default_factory=set)

    def rows(self, expected: Sequence[Any], received: Sequence[Any]) -> Rows:
        """Which rows of two lists belong together."""
        head, tail = self._equal_ends(expected, received)
        left, right = len(expected) - head - tail, len(received) - head - tail
        if self.text_left <= 0 or min(left, right) == 0 or left == right == 1:
            return _by_index(head, left, right)
        ours, theirs = _identities(expected), _identities(received)
        self.text_left -= _size(ours) + _size(theirs)
        alike, others = unnumbered(ours), unnumbered(theirs)
        runs = equal_runs(alike, others, self.effort)
        rest = _Rest.between(expected, received, runs)
        moved = rest.take_moved(alike, others)
        renumbered = list(self._renumbered(ours, theirs, chain(_pairs(runs), moved)) if alike is not ours else ())
        rest.take_alike()
        return Rows(rest.removed, rest.added, moved, sorted([*renumbered, *rest.paired]))

    def _equal_ends(self, expected: Sequence[Any], received: Sequence[Any]) -> tuple[int, int]:
        """How many plain values are equal at the beginning and at the end: all there is to see in most short lists."""
        most = min(len(expected), len(received)) if max(len(expected), len(received)) <= _SHORT_LIST else 0
        head = tail = 0
        while head < most and self._equal(expected[head], received[head]):
            head += 1
        while tail < most - head and self._equal(expected[-tail - 1], received[-tail - 1]):
            tail += 1
        return head, tail

    def _equal(self, one: Any, other: Any) -> bool:
        if isinstance(one, CONTAINERS) or not same_scalar(one, other):
            return False
        if type(one) is str and "<" in one:
            self.unchanged.add(one)
        return True

    def _renumbered(
        self, ours: Sequence[Hashable], theirs: Sequence[Hashable], pairs: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[int, int]]:
        for at, other in pairs:
            text = ours[at]
            if text != theirs[other]:
                yield at, other
            elif isinstance(text, str) and "<" in text:
                self.unchanged.add(text)


def _identities(rows: Sequence[Any]) -> Sequence[Hashable]:
    return rows if set(map(type, rows)) <= {int} else [canonical(row) for row in rows]


def _size(identities: Sequence[Hashable]) -> int:
    return sum(len(item) if isinstance(item, str) else 8 for item in identities)


def _once(items: Sequence[Hashable]) -> set[Hashable]:
    return {item for item, count in Counter(items).items() if count == 1}


def _pairs(runs: Iterable[Run]) -> Iterator[tuple[int, int]]:
    for at, other, size in runs:
        yield from zip(range(at, at + size), range(other, other + size), strict=True)


def _by_index(start: int, left: int, right: int) -> Rows:
    """So many rows of either side from a place on, each with the one at the same index."""
    end = start + min(left, right)
    pairs = [(at, at) for at in range(start, end)]
    return Rows(list(range(end, start + left)), list(range(end, start + right)), [], pairs)


@dataclass
class _Rest:
    """The rows that are not equal in order, stretch by stretch between those that are."""

    expected: Sequence[Any]
    received: Sequence[Any]
    stretches: list[tuple[range, range]]
    ours: dict[int, None]  # a set that keeps its order
    theirs: dict[int, None]
    paired: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def between(cls, expected: Sequence[Any], received: Sequence[Any], runs: Iterable[Run]) -> _Rest:
        stretches = []
        at = other = 0
        for next_at, next_other, size in [*runs, (len(expected), len(received), 0)]:
            if at < next_at or other < next_other:
                stretches.append((range(at, next_at), range(other, next_other)))
            at, other = next_at + size, next_other + size
        ours = dict.fromkeys(chain.from_iterable(ours for ours, _ in stretches))
        theirs = dict.fromkeys(chain.from_iterable(theirs for _, theirs in stretches))
        return cls(expected, received, stretches, ours, theirs)

    @property
    def removed(self) -> list[int]:
        return list(self.ours)

    @property
    def added(self) -> list[int]:
        return list(self.theirs)

    def take_moved(self, alike: Sequence[Hashable], others: Sequence[Hashable]) -> list[tuple[int, int]]:
        """Takes out the equal rows that stand in another order.

        A number or word that occurs several times is no row that could be known again elsewhere, nor does it tell
        anybody anything that thousands of them have moved: these stay.
        """
        if not self.ours or not self.theirs:
            return []
        shared = {alike[at] for at in self.ours} & {others[at] for at in self.theirs}
        if not shared:
            return []
        once = _once(alike) & _once(others) if len(shared) <= _MANY_ROWS else set()
        places: defaultdict[Hashable, list[int]] = defaultdict(list)
        for at in reversed(self.ours):
            if alike[at] in shared and (isinstance(self.expected[at], CONTAINERS) or alike[at] in once):
                places[alike[at]].append(at)
        moved = [(places[others[other]].pop(), other) for other in self.theirs if places.get(others[other])]
        self._take(moved)
        return moved

    def take_alike(self) -> None:
        """Takes out the rows that belong together though they differ."""
        for step in (self._take_same_name_in_place, self._take_by_parts, self._take_in_place):
            if self.ours and self.theirs:
                step()

    def _take(self, pairs: Iterable[tuple[int, int]]) -> None:
        for at, other in pairs:
            del self.ours[at], self.theirs[other]

    def _take_by_parts(self) -> None:
        """Pairs rows by the parts that they have in common with few others, the most telling first."""
        votes = _votes(
            {at: _parts(self.expected[at]) for at in self.ours}, {at: _parts(self.received[at]) for at in self.theirs}
        )
        taken = []
        for at, other in sorted(votes, key=lambda pair: (-votes[pair], abs(pair[0] - pair[1]), pair)):
            if at in self.ours and other in self.theirs and belong(self.expected[at], self.received[other]):
                taken.append((at, other))
                self._take([(at, other)])
        self.paired += taken

    def _take_same_name_in_place(self) -> None:
        """Pairs the objects that say they are the same row: most changes move nothing."""
        if isinstance(self.expected[next(iter(self.ours))], dict):
            self._take_pairs(same_name)

    def _take_in_place(self) -> None:
        """Pairs the rest of a stretch one by one, where both sides have as many left."""
        self._take_pairs(partial(belong, in_place=True))

    def _take_pairs(self, fit: Callable[[Any, Any], bool]) -> None:
        for ours, theirs in self.stretches:
            left = [at for at in ours if at in self.ours]
            right = [at for at in theirs if at in self.theirs]
            if len(left) == len(right):
                pairs = [
                    (at, other)
                    for at, other in zip(left, right, strict=True)
                    if fit(self.expected[at], self.received[other])
                ]
                self._take(pairs)
                self.paired += pairs


def _votes(ours: dict[int, list[Hashable]], theirs: dict[int, list[Hashable]]) -> defaultdict[tuple[int, int], float]:
    """How much speaks for each pair of rows: a part that only they have says the most, a common one nothing."""
    places, other_places = _places(ours), _places(theirs)
    most = 4 if max(len(ours), len(theirs)) > _MANY_ROWS else 400
    votes: defaultdict[tuple[int, int], float] = defaultdict(float)
    for part, at_ours in places.items():
        at_theirs = other_places.get(part, [])
        weight = len(at_ours) * len(at_theirs)
        if 0 < weight <= most:
            # A row that says which it is has the last word.
            worth = 100 if isinstance(part, tuple) and part[0] in IDENTITIES else 1
            for at in at_ours:
                for other in at_theirs:
                    votes[at, other] += worth / weight
    return votes


def _places(rows: dict[int, list[Hashable]]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = {}
    for at, parts in rows.items():
        for part in parts:
            places.setdefault(part, []).append(at)
    return places


def _tells(item: Any) -> bool:
    """Whether a value may tell one row from another: the number of a placeholder is another one in each snapshot."""
    return not isinstance(item, CONTAINERS) and not is_numbered(item)


def _parts(row: Any) -> list[Hashable]:
    """What a row can be known by: the plain values of an object or list, the words of a long text."""
    if isinstance(row, dict):
        return [(key, canonical(item)) for key, item in islice(row.items(), 32) if _tells(item)]
    if isinstance(row, list):
        return list(dict.fromkeys(canonical(item) for item in row[:32] if _tells(item)))
    return list(dict.fromkeys(row[:400].split())) if isinstance(row, str) and len(row) >= _TEXT_WITH_PARTS else []
