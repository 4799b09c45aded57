"""What is a credential by its looks, or by the header it stands in, although it was not given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .forms import MASK, Form, Span, View

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]*+")
_SHORTEST_SEGMENT: Final = 8
_KEY: Final = re.compile(r"wb_live_[A-Za-z0-9_-]{8,}")

_NAME: Final = re.compile(r"(?i:((?:proxy-)?authorization)|x-workflow-secret)")
_NAMES: Final = ("proxy-authorization", "authorization", "x-workflow-secret")
_BETWEEN: Final = re.compile(
    r"""
      (?: \\{0,16}["'] \s{0,80} , \s{0,80} [bB]? (?P<item> \\{0,16}["'] ) )
    | (?: \\{0,16}["'] )? [ \t]{0,8} (?: [:=] | => | %(?:25){0,8}3[aA] ) (?: \s | \+ | %(?:25){0,8}20 ){0,8}
      (?: [bBfFrRuU]? (?P<value> \\{0,16}["'] ) )?
    """,
    re.VERBOSE,
)
_SCHEME: Final = re.compile(r"(?i:bearer|basic)(?:[ \t+]|%(?:25){0,8}20){1,8}")
_QUOTE_BEFORE: Final = re.compile(r"""\\{0,16}["']\Z""")
_LINE_BEFORE: Final = re.compile(r"(?:\A|[\r\n])[>E \t]{0,12}\Z")
_END_OF_WORD: Final = re.compile(r"""[\s"'\\]|\Z""")
_END_OF_WORD_OF_A_LINE: Final = re.compile(r"\s|\Z")
_HARMLESS: Final = re.compile(  # a reference, a line of source, a name of a header, a mask
    rf"\$\w+\Z|\$[({{]|\{{[\w.\[\]()'\"!]+\}}\Z|\[masked\]|{MASK}|(?i:authorization|x-workflow-secret)\Z", re.ASCII
)


def jwt_spans(text: str) -> Iterator[Span]:
    """Where a JWT stands. By hand: a pattern would read a long word again from each ``eyJ`` in it."""
    start = text.find("eyJ")
    while start >= 0:
        ends = _three_segments(text, start)
        if len(ends) == 3:
            yield start, ends[2]
        start = text.find("eyJ", ends[-1] if ends else start + 3)


def _three_segments(text: str, start: int) -> list[int]:
    """The ends of the segments that begin here, three at most; fewer where one is too short or no dot follows."""
    ends: list[int] = []
    at = start
    for shortest in (_SHORTEST_SEGMENT + 3, _SHORTEST_SEGMENT, _SHORTEST_SEGMENT):
        end = _end_of_segment(text, at)
        if end - at < shortest:
            return ends
        ends.append(end)
        if text[end : end + 1] != ".":
            return ends
        at = end + 1
    return ends


def _end_of_segment(text: str, at: int) -> int:
    found = _SEGMENT.match(text, at)
    return found.end() if found else at


def key_spans(text: str) -> Iterator[Span]:
    """Where an organisation key stands."""
    return (found.span() for found in _KEY.finditer(text))


def header_spans(text: str) -> Iterator[Span]:
    """Where the value of a header that carries a credential stands, whatever it is."""
    ends = _Ends(text)
    for name in _header_names(text):
        between = _BETWEEN.match(text, name.end())
        scheme = _SCHEME.match(text, between.end()) if between and name[1] else between
        if between is None or scheme is None:
            continue
        start = scheme.end()
        end = ends.of_value(start, name.start(), between["item"] or between["value"])
        if end > start and not _HARMLESS.match(text, start, end):
            yield start, end


def _header_names(text: str) -> Iterator[re.Match[str]]:
    """Where the name of such a header stands. A pattern in whose letters the case does not matter is slow to search."""
    if not text.isascii():  # where a letter in lower case may be two
        yield from _NAME.finditer(text)
        return
    lower = text.lower()
    starts = sorted(start for name in _NAMES for start in _found(lower, name))
    # One that begins with "proxy-" comes before what it ends with.
    end = 0
    for start in starts:
        named = _NAME.match(text, start)
        if named is not None and start >= end:
            end = named.end()
            yield named


def _found(text: str, part: str) -> Iterator[int]:
    """Where a part of a string stands."""
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


class _Ends:
    """Where the values in one text end. Each stretch is read once, however many names of headers stand in it.

    In ``x-workflow-secret:x-workflow-secret:…`` all values have the same end: to look for it from each name anew would
    take hours for an answer of the largest size.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[re.Pattern[str], Span] = {}

    def of_value(self, start: int, name: int, quote: str | None) -> int:
        """The end of the value that starts there: at the quote opened for it or for the header, else with the word."""
        before = self._text[max(0, name - 32) : name]
        if quote is None and (outer := _QUOTE_BEFORE.search(before)):
            quote = outer[0]
        if quote is not None:
            return self._next(re.compile(rf"(?<!\\){re.escape(quote)}|[\r\n]|\Z"), start)
        return self._next(_END_OF_WORD_OF_A_LINE if _LINE_BEFORE.search(before) else _END_OF_WORD, start)

    def _next(self, pattern: re.Pattern[str], start: int) -> int:
        """Where the pattern is found next."""
        first, last = self._known.get(pattern, (0, -1))
        if not first <= start <= last:
            found = pattern.search(self._text, start)
            last = found.start() if found else len(self._text)
            self._known[pattern] = start, last
        return last


def header_value(name: str, value: str) -> Span | None:
    """The part of a header's value that is a credential, where name and value are apart, as JSON has them."""
    if name.lower() == "x-workflow-secret":
        return None if _HARMLESS.match(value) else (0, len(value))
    if name.lower() in ("authorization", "proxy-authorization") and (scheme := _SCHEME.match(value)):
        return None if _HARMLESS.match(value[scheme.end() :]) else (scheme.end(), len(value))
    return None


FORMATS: Final = (Form((b"eyJ",), jwt_spans), Form((b"wb_live_",), key_spans))
"""What is a credential by its looks."""

HEADERS: Final = (
    Form((b"authorization",), header_spans, View.LOWER),
    Form((b"x-workflow-secret",), header_spans, View.LOWER),
)
"""What is a credential by the header it stands in."""
