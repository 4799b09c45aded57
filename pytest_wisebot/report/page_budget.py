"""Values and strings of any size on a page of bounded size: each is cut, and those of failed tests are cut last."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..originals import json
from ..text import escape

PAGE_BYTES: Final = 2_300_000
"""Bytes of a page for values and strings together; with 1,000 runs the rest of the page takes about as much."""

LONGEST: Final = 48_000
"""Most characters of a string on a page of any size."""

SHORTEST: Final = 120
"""Characters that are shown of every string, however many there are."""

_CHARACTERS_IN_MEMORY: Final = 40_000_000
"""Characters of all strings together; a page could not show more."""

_STRINGS_A_RUN: Final = 5

_JSON: Final = json.JSONEncoder(ensure_ascii=False, indent=2)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a string.

    Attributes:
        text: escaped, as much as any page shows.
        whole: characters of the whole string if ``text`` is only a part of it; else 0.
        bytes: bytes of ``text`` in a page.
    """

    text: str
    whole: int
    bytes: int

    @property
    def lines(self) -> int:
        """The number of its lines."""
        return self.text.count("\n") + 1

    def cut(self, room: int) -> Excerpt:
        """As much of it as fits into so many bytes."""
        if self.bytes <= room:
            return self
        kept = self.text[: max(SHORTEST, len(self.text) * room // self.bytes)]
        return Excerpt(kept, (self.whole or len(self.text)) if len(kept) < len(self.text) else self.whole, room)


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes for each string: of tests that did not pass, and of the others."""

    failing: int
    passing: int


def longest(runs: int) -> int:
    """Characters of one string that are kept for a page of so many runs."""
    return max(SHORTEST, min(LONGEST, _CHARACTERS_IN_MEMORY // (_STRINGS_A_RUN * max(1, runs))))


def text_excerpt(text: str, most: int, whole: int = 0) -> Excerpt:
    """The beginning of a string; of one that is a beginning itself, with the characters of the whole."""
    shown = escape(text[:most], keep="\n\t")
    return Excerpt(shown, whole or len(text) if len(text) > most else 0, len(html.escape(shown).encode()))


def json_excerpt(value: Any, most: int) -> Excerpt:
    """The beginning of a value as indented JSON.

    The length of a value that is cut is that of its JSON in the log: with indents it may be many times as long.
    """
    text = ""
    for part in _JSON.iterencode(value):
        text += part
        if len(text) > most:
            return text_excerpt(text, most, whole=len(json.dumps(value, ensure_ascii=False)))
    return text_excerpt(text, most)


def share_bytes(failing: Iterable[Excerpt], passing: Iterable[Excerpt], total: int = PAGE_BYTES) -> Budget:
    """Shares the bytes of a page: the strings of tests that did not pass come first, with up to three quarters."""
    first, rest = sorted(one.bytes for one in failing), sorted(one.bytes for one in passing)
    most_first = _fair_share(first, max(total * 3 // 4, total - sum(rest)))
    used = sum(min(size, most_first) for size in first)
    return Budget(most_first, _fair_share(rest, total - used))


def _fair_share(sizes: Sequence[int], total: int) -> int:
    """The largest bound for each of these sizes, in ascending order, with which their sum is within the total."""
    left = total
    for index, size in enumerate(sizes):
        share = left // (len(sizes) - index)
        if size > share:
            return max(SHORTEST, share)
        left -= size
    return max([SHORTEST, *sizes[-1:]])
