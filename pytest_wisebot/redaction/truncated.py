"""What a truncation leaves of a credential: its head before the dots, its tail behind them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from typing import Final

from .forms import Span, literal_forms

SHORTEST_FRAGMENT: Final = 4
"""Characters beside a truncation from which on they are taken for a part of a credential."""

_SIGNS: Final = ("...", "…", "\\u2026", " chars]", "truncated", "***", " .. ")
_CUT: Final = re.compile(
    r"[\[(<]?(?:\.\.\.|…|\\u2026)[\])>]?|\[\+?\d{1,9} chars\]|[\[(<]truncated[\])>]|\*{3,64}|(?<=\s)\.\.(?=\s)"
)
_SHAPED_HEAD: Final = re.compile(r"eyJ[A-Za-z0-9_.-]{4,}\Z|wb_live_[A-Za-z0-9_-]*\Z")
_SHAPED_TAIL: Final = re.compile(r"[A-Za-z0-9_.-]*")
_OF_SHAPES: Final = f"{string.ascii_letters}{string.digits}_.-"
_LONGEST_SHAPE: Final = 2048


class TruncatedSecrets:
    """Finds parts of these credentials beside the places where a text was cut."""

    def __init__(self, credentials: Iterable[str]) -> None:
        forms = sorted({form for credential in credentials for form in literal_forms(credential)})
        self._joined = "\0".join(forms)
        self._longest = max(map(len, forms), default=0)
        self._heads: dict[str, set[str]] = {}
        self._tails: dict[str, set[str]] = {}

    def spans(self, text: str) -> Iterator[Span]:
        """Where heads, tails and middles stand."""
        if not any(sign in text for sign in _SIGNS):
            return
        cuts = [cut.span() for cut in _CUT.finditer(text)]
        starts_after = [0, *(end for _, end in cuts)]
        ends_before = [*(start for start, _ in cuts), len(text)]
        for index, (start, end) in enumerate(cuts):
            first, last = starts_after[index], ends_before[index + 1]
            if first < start:
                yield from self._head(text, first, start)
                if shaped := _shaped_head(text, max(first, start - _LONGEST_SHAPE), start):
                    yield shaped
                    yield end, _end_of_shape(text, end, last)
            if end < last:
                yield from self._tail(text, end, last)
                yield from self._middle(text, end, last, index + 1 < len(cuts))

    def _head(self, text: str, first: int, last: int) -> Iterator[Span]:
        for end in {last, _stripped_end(text, first, last)}:
            part = text[max(first, end - self._longest) : end]
            longest = max(filter(part.endswith, self._heads_to(part[-SHORTEST_FRAGMENT:])), key=len, default="")
            if longest:
                yield end - len(longest), end

    def _tail(self, text: str, first: int, last: int) -> Iterator[Span]:
        for start in {first, _stripped_start(text, first, last)}:
            part = text[start : min(last, start + self._longest)]
            longest = max(filter(part.startswith, self._tails_from(part[:SHORTEST_FRAGMENT])), key=len, default="")
            if longest:
                yield start, start + len(longest)

    def _heads_to(self, end: str) -> Iterable[str]:
        """The beginnings of the forms that end so, looked for once."""
        if end not in self._heads and end in self._joined:
            starts = ((self._joined.rfind("\0", 0, at) + 1, at + len(end)) for at in self._places(end))
            self._heads[end] = {self._joined[start:stop] for start, stop in starts}
        return self._heads.get(end, ())

    def _tails_from(self, begin: str) -> Iterable[str]:
        """The ends of the forms that begin so, looked for once."""
        if begin not in self._tails and begin in self._joined:
            stops = ((at, self._joined.find("\0", at)) for at in self._places(begin))
            self._tails[begin] = {self._joined[at : stop if stop >= 0 else None] for at, stop in stops}
        return self._tails.get(begin, ())

    def _places(self, part: str) -> Iterator[int]:
        at = self._joined.find(part) if len(part) == SHORTEST_FRAGMENT else -1
        while at >= 0:
            yield at
            at = self._joined.find(part, at + 1)

    def _middle(self, text: str, first: int, last: int, cut: bool) -> Iterator[Span]:
        """What stands between two cuts, when the whole of it is a part of a credential."""
        start, end = _stripped_start(text, first, last), _stripped_end(text, first, last)
        if cut and SHORTEST_FRAGMENT <= end - start <= self._longest and text[start:end] in self._joined:
            yield start, end


def _shaped_head(text: str, first: int, last: int) -> Span | None:
    part = text[first:last]
    if "eyJ" not in part and "wb_live_" not in part:
        return None
    # From the last character on that cannot be part of it: else the part is read again from each "eyJ" in it.
    found = _SHAPED_HEAD.search(part, len(part.rstrip(_OF_SHAPES)))
    return (first + found.start(), last) if found else None


def _end_of_shape(text: str, first: int, last: int) -> int:
    found = _SHAPED_TAIL.match(text, first, last)
    return found.end() if found else first


def _stripped_end(text: str, first: int, last: int) -> int:
    return last - 1 if last > first and text[last - 1] in " \t\n" else last


def _stripped_start(text: str, first: int, last: int) -> int:
    return first + 1 if first < last and text[first] in " \t\n" else first
