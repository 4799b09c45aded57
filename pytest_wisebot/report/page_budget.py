"""Values and texts of any size on a page of bounded size: each is cut, and what failed is cut last."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..text import escape

PAGE_ROOM: Final = 2_300_000
"""Bytes of a page that values and texts may take together; with 1,000 runs the rest of it takes about as much."""

LONGEST: Final = 48_000
"""Characters of a text that a page shows at most, however much room there is."""

SHORTEST: Final = 120
"""Characters that are shown of every text, however many there are."""

_IN_MEMORY: Final = 40_000_000
"""Characters of all texts that are looked at: more could never be shown."""

_TEXTS_A_RUN: Final = 5

_JSON: Final = json.JSONEncoder(ensure_ascii=False, indent=2)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a text.

    Attributes:
        text: as much of it as any page would show, harmless.
        whole: characters of the whole, where that is more; else 0.
        weight: bytes that the beginning takes in a page.
    """

    text: str
    whole: int
    weight: int

    def within(self, room: int) -> Cut:
        """As much of it as fits into so many bytes."""
        if self.weight <= room:
            return Cut(self.text, self.whole)
        kept = self.text[: max(SHORTEST, len(self.text) * room // self.weight)]
        return Cut(kept, (self.whole or len(self.text)) if len(kept) < len(self.text) else self.whole)


@dataclass(frozen=True, slots=True)
class Cut:
    """What is shown of a text, and how many characters the whole has; 0 where that is all."""

    text: str
    whole: int

    @property
    def lines(self) -> int:
        """How many lines are shown."""
        return self.text.count("\n") + 1


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that each text may take: of tests that did not pass, and of the others."""

    failing: int
    passing: int


def longest(runs: int) -> int:
    """Characters of one text that are worth looking at, on a page of so many runs."""
    return max(SHORTEST, min(LONGEST, _IN_MEMORY // (_TEXTS_A_RUN * max(1, runs))))


def text_excerpt(text: str, most: int) -> Excerpt:
    """The beginning of a text."""
    return _excerpt(text[:most], len(text) if len(text) > most else 0)


def json_excerpt(value: Any, most: int) -> Excerpt:
    """The beginning of a value as JSON for people.

    A value that is cut is counted as it stands in the log: laid out for people it might be many times as long.
    """
    text = _begun(value, most)
    return _excerpt(text[:most], len(json.dumps(value, ensure_ascii=False)) if len(text) > most else 0)


def _begun(value: Any, most: int) -> str:
    """A value as JSON, up to the part in which it becomes too long."""
    parts: list[str] = []
    size = 0
    for part in _JSON.iterencode(value):
        parts.append(part)
        size += len(part)
        if size > most:
            break
    return "".join(parts)


def _excerpt(text: str, whole: int) -> Excerpt:
    shown = escape(text, keep="\n\t")
    return Excerpt(shown, whole, len(html.escape(shown).encode()))


def room(failing: Iterable[Excerpt], passing: Iterable[Excerpt], total: int = PAGE_ROOM) -> Budget:
    """How the room of a page is shared: what did not pass takes what it needs first, up to three quarters of it."""
    first, rest = sorted(one.weight for one in failing), sorted(one.weight for one in passing)
    most_first = _level(first, max(total * 3 // 4, total - sum(rest)))
    used = sum(min(weight, most_first) for weight in first)
    return Budget(most_first, _level(rest, total - used))


def _level(weights: Sequence[int], total: int) -> int:
    """The largest bound for each of these, from light to heavy, with which they do not exceed the total together."""
    left = total
    for index, weight in enumerate(weights):
        share = left // (len(weights) - index)
        if weight > share:
            return max(SHORTEST, share)
        left -= weight
    return max([SHORTEST, *weights[-1:]])
