"""Where two long sequences hold the same: runs of equal items, in order, at a cost that stays bounded.

Where there are many items, those that occur once on each side are found first (the patience method), since a match of
theirs is never an accident; what lies between them is left to the shortest edit (Myers' method). Neither is quadratic
here: the second one is given up where it would take more steps than an `Budget` has left, and the items in question
then count as different.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

Run = tuple[int, int, int]
"""Where a run of equal items begins on the left, where on the right, and how many items it has."""

_DEEPEST = 8
_SMALL = 100
_MOST_PER_GAP = 400_000


@dataclass
class Budget:
    """The steps that comparing may still take, shared by all the lists and texts of one diff.

    Attributes:
        left: steps; 4 million of them are about a second.
    """

    left: int = 4_000_000


@dataclass(frozen=True, slots=True)
class _Gap:
    """A stretch of the left side and the stretch of the right side that stands against it."""

    left: int
    left_end: int
    right: int
    right_end: int
    depth: int = 0

    @property
    def open(self) -> bool:
        """Whether both sides have items here, so that some may still be equal."""
        return self.left < self.left_end and self.right < self.right_end

    @property
    def small(self) -> bool:
        """Whether the shortest edit of it is found in no time."""
        return self.left_end - self.left + self.right_end - self.right <= _SMALL


def equal_runs(left: Sequence[Hashable], right: Sequence[Hashable], effort: Budget) -> list[Run]:
    """The longest runs found of items that are equal and in the same order on both sides, first to last."""
    runs: list[Run] = []
    waiting = [_Gap(0, len(left), 0, len(right))]
    while waiting:
        gap = _without_ends(left, right, waiting.pop(), runs)
        if not gap.open:
            continue
        anchors = [] if gap.small or gap.depth == _DEEPEST else _anchors(left, right, gap)
        if anchors:
            runs += [(at, other, 1) for at, other in anchors]
            waiting += _between(anchors, gap)
        else:
            runs += _shortest_edit(left, right, gap, effort)
    return list(_merged(sorted(runs)))


def _merged(runs: list[Run]) -> Iterator[Run]:
    if not runs:
        return
    at, other, size = runs[0]
    for next_at, next_other, next_size in runs[1:]:
        if (next_at, next_other) == (at + size, other + size):
            size += next_size
        else:
            yield at, other, size
            at, other, size = next_at, next_other, next_size
    yield at, other, size


def _without_ends(left: Sequence[Hashable], right: Sequence[Hashable], gap: _Gap, runs: list[Run]) -> _Gap:
    """The gap without the items that are equal at its beginning and at its end; these are added to the runs."""
    head = common_head(left, right, gap.left, gap.right, min(gap.left_end - gap.left, gap.right_end - gap.right))
    if head:
        runs.append((gap.left, gap.right, head))
        gap = _Gap(gap.left + head, gap.left_end, gap.right + head, gap.right_end, gap.depth)
    tail = common_tail(
        left, right, gap.left_end, gap.right_end, min(gap.left_end - gap.left, gap.right_end - gap.right)
    )
    if tail:
        runs.append((gap.left_end - tail, gap.right_end - tail, tail))
        gap = _Gap(gap.left, gap.left_end - tail, gap.right, gap.right_end - tail, gap.depth)
    return gap


def common_head(left: Sequence[Hashable], right: Sequence[Hashable], at: int, other: int, most: int) -> int:
    """How many items, or characters, are equal from these two places on, ``most`` at the most."""
    found, step = 0, 1
    while found < most:
        step = min(step, most - found)
        # Slices are compared at the speed of C; the step grows while they are equal, and shrinks to find the end.
        if left[at + found : at + found + step] == right[other + found : other + found + step]:
            found, step = found + step, step * 2
        elif step == 1:
            break
        else:
            step //= 2
    return found


def common_tail(left: Sequence[Hashable], right: Sequence[Hashable], end: int, other: int, most: int) -> int:
    """How many items, or characters, are equal up to these two places, ``most`` at the most."""
    found, step = 0, 1
    while found < most:
        step = min(step, most - found)
        if left[end - found - step : end - found] == right[other - found - step : other - found]:
            found, step = found + step, step * 2
        elif step == 1:
            break
        else:
            step //= 2
    return found


def _anchors(left: Sequence[Hashable], right: Sequence[Hashable], gap: _Gap) -> list[tuple[int, int]]:
    """The items that occur once on each side of the gap: as many of them as are in the same order on both."""
    ours, theirs = left[gap.left : gap.left_end], right[gap.right : gap.right_end]
    once = {item for item, count in Counter(ours).items() if count == 1}
    once &= {item for item, count in Counter(theirs).items() if count == 1}
    if not once:
        return []
    places = {item: at for at, item in enumerate(theirs, gap.right) if item in once}
    return _increasing([(at, places[item]) for at, item in enumerate(ours, gap.left) if item in once])


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of pairs, sorted by their first number, whose second numbers rise as well."""
    ends: list[int] = []  # the smallest second number with which a chain of each length can end
    which: list[int] = []
    before: list[int] = []
    for at, (_, other) in enumerate(pairs):
        length = bisect_left(ends, other)
        before.append(which[length - 1] if length else -1)
        ends[length : length + 1] = [other]
        which[length : length + 1] = [at]
    chain = []
    at = which[-1] if which else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _between(anchors: list[tuple[int, int]], gap: _Gap) -> Iterator[_Gap]:
    at, other = gap.left, gap.right
    for left, right in [*anchors, (gap.left_end, gap.right_end)]:
        if at < left and other < right:
            yield _Gap(at, left, other, right, gap.depth + 1)
        at, other = left + 1, right + 1


def _shortest_edit(left: Sequence[Hashable], right: Sequence[Hashable], gap: _Gap, effort: Budget) -> list[Run]:
    ours, theirs = left[gap.left : gap.left_end], right[gap.right : gap.right_end]
    shared = set(ours) & set(theirs)
    if not shared:
        return []
    # What the other side has nowhere is different for certain, and would only make the search longer.
    at_ours = [at for at, item in enumerate(ours) if item in shared]
    at_theirs = [at for at, item in enumerate(theirs) if item in shared]
    pairs = _kept([ours[at] for at in at_ours], [theirs[at] for at in at_theirs], effort)
    if pairs is not None:
        return [(gap.left + at_ours[at], gap.right + at_theirs[other], 1) for at, other in pairs]
    if len(ours) != len(theirs):
        return []
    alike = (at for at, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one == other)
    return [(gap.left + at, gap.right + at, 1) for at in alike]


def _kept(left: list[Hashable], right: list[Hashable], effort: Budget) -> list[tuple[int, int]] | None:
    """The pairs that the shortest edit from left to right keeps, or None if that takes more than the effort left."""
    reached = {1: 0}  # how far each diagonal has come, by the edits made so far; its number is left minus right
    past: list[dict[int, int]] = []
    least = max(effort.left - _MOST_PER_GAP, 0)
    for edits in range(len(left) + len(right) + 1):
        effort.left -= edits + 1
        if effort.left < least:
            return None
        past.append(reached)
        reached = dict(reached)
        for diagonal in range(-edits, edits + 1, 2):
            at = _after_an_edit(past[-1], diagonal, edits)
            other = at - diagonal
            if at < len(left) and other < len(right) and left[at] == right[other]:
                same = common_head(left, right, at, other, min(len(left) - at, len(right) - other))
                effort.left -= same // 16
                at += same
            reached[diagonal] = at
            if at >= len(left) and at - diagonal >= len(right):
                return _traced(past, at, diagonal)
    raise AssertionError("an edit of all items reaches the end")  # pragma: no cover


def _adds(reached: dict[int, int], diagonal: int, edits: int) -> bool:
    """Whether this diagonal is best reached by adding an item of the right side, not by removing one of the left."""
    return diagonal == -edits or (diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1])


def _after_an_edit(reached: dict[int, int], diagonal: int, edits: int) -> int:
    return reached[diagonal + 1] if _adds(reached, diagonal, edits) else reached[diagonal - 1] + 1


def _traced(past: list[dict[int, int]], at: int, diagonal: int) -> list[tuple[int, int]]:
    """The way back from the end, edit by edit: what stands between two edits is kept."""
    pairs: list[tuple[int, int]] = []
    for edits in range(len(past) - 1, -1, -1):
        reached = past[edits]
        start = _after_an_edit(reached, diagonal, edits)
        pairs += [(place, place - diagonal) for place in range(at - 1, start - 1, -1)]
        diagonal += 1 if _adds(reached, diagonal, edits) else -1
        at = reached[diagonal]
    return pairs[::-1]
