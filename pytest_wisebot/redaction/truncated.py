"""What a truncation leaves of a credential: its head before the dots, its tail behind them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from .forms import Span, literal_forms

SHORTEST_FRAGMENT: Final = 4
"""Characters beside a truncation from which on they are taken for a part of a credential."""

_CUTS: Final = (
    (("..",), re.compile(r"\.\.(?:\.[\])>]?|(?<=\s\.\.)(?=\s))")),
    (("…",), re.compile(r"…[\])>]?")),
    (("\\", "\\u2026"), re.compile(r"\\u2026[\])>]?")),
    (("]", " chars]"), re.compile(r"\[\+?\d{1,9} chars\]")),
    (("truncated",), re.compile(r"truncated(?<=[\[(<]truncated)[\])>]")),
    (("*", "***"), re.compile(r"\*{3,64}")),
)
"""Patterns of truncation marks, each with substrings of every match: single characters are found fastest."""

_OPEN: Final = frozenset("[(<")
_SHAPED_HEAD: Final = re.compile(r"eyJ[A-Za-z0-9_.-]{4,}\Z|wb_live_[A-Za-z0-9_-]*\Z")
_SHAPED_TAIL: Final = re.compile(r"[A-Za-z0-9_.-]*")
_OF_SHAPES: Final = f"{string.ascii_letters}{string.digits}_.-"
_LONGEST_SHAPE: Final = 2048


class TruncatedSecrets:
    """Finds parts of these credentials beside the truncation marks in a string.

    Attributes:
        has_escapes: a form of a credential has a backslash, so that JSON writes its parts in another way.
    """

    def __init__(self, credentials: Iterable[str]) -> None:
        forms = sorted({form for credential in credentials for form in literal_forms(credential)})
        self._joined = "\0".join(forms)
        self._longest = max(map(len, forms), default=0)
        self._heads: dict[str, set[str]] = {}
        self._tails: dict[str, set[str]] = {}
        self.has_escapes = "\\" in self._joined

    @cached_property
    def _parts(self) -> frozenset[str]:
        """All parts of the shortest length: few of the many cuts in ordinary texts have one beside them."""
        joined = self._joined
        return frozenset(joined[at : at + SHORTEST_FRAGMENT] for at in range(len(joined) - SHORTEST_FRAGMENT + 1))

    def may_be_in(self, data: bytes) -> bool:
        """Whether a part may stand in JSON. False is certain."""
        text = data.decode("utf-8")
        return bool(_cuts(text)) if self.has_escapes else any(self.spans(text))

    def spans(self, text: str) -> Iterator[Span]:
        """Where heads, tails and middles stand."""
        cuts = _cuts(text)
        shaped = bool(cuts) and ("eyJ" in text or "wb_live_" in text)
        for index, (start, end) in enumerate(cuts):
            if not (shaped or self._is_beside(text, start, end)):
                continue
            first = cuts[index - 1][1] if index else 0
            last = cuts[index + 1][0] if index + 1 < len(cuts) else len(text)
            if first < start:
                yield from self._head(text, first, start)
                if shaped and (head := _shaped_head(text, max(first, start - _LONGEST_SHAPE), start)):
                    yield head
                    yield end, _end_of_shape(text, end, last)
            if end < last:
                yield from self._tail(text, end, last)
                yield from self._middle(text, end, last, index + 1 < len(cuts))

    def _is_beside(self, text: str, start: int, end: int) -> bool:
        """Whether anything beside a cut, or behind a blank there, may be a part of a credential."""
        parts, size = self._parts, SHORTEST_FRAGMENT
        before, after = text[max(0, start - size - 1) : start], text[end : end + size + 1]
        return before[-size:] in parts or before[:size] in parts or after[:size] in parts or after[-size:] in parts

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
        at = self._joined.find(part) if part in self._parts else -1
        while at >= 0:
            yield at
            at = self._joined.find(part, at + 1)

    def _middle(self, text: str, first: int, last: int, cut: bool) -> Iterator[Span]:
        """What stands between two cuts, when the whole of it is a part of a credential."""
        start, end = _stripped_start(text, first, last), _stripped_end(text, first, last)
        if cut and SHORTEST_FRAGMENT <= end - start <= self._longest and text[start:end] in self._joined:
            yield start, end


def _cuts(text: str) -> list[Span]:
    """Where something was cut out, brackets around it included."""
    found = [cuts for signs, cuts in _CUTS if all(text.rfind(sign) >= 0 for sign in signs)]
    spans = [cut.span() for cuts in found for cut in cuts.finditer(text)]
    return sorted((start - (text[max(0, start - 1) : start] in _OPEN), end) for start, end in spans)


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
