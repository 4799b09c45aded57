"""Patterns that a project names in place of writing them: ``email``, ``iban``, ``phone``, ``card``.

They need no RE2: each looks at every character a bounded number of times, which `tests/benchmarks/growth.py` measures.
Where a check digit tells a card or an account from another number, it is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from .forms import Span
from .linear import Stop, StoppedError, never


class ReadyMade:
    """One of them."""

    def __init__(self, find: Callable[[str, Stop], Iterator[Span]]) -> None:
        self._find = find

    def spans(self, text: str, stop: Stop = never) -> Iterator[Span]:
        """Where it stands, in order. Raises `StoppedError` where ``stop`` asks for it."""
        return self._find(text, stop)


_LOCAL: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]")
_DOMAIN: Final = re.compile(r"(?:[\w-]++\.)+(?=[^\W\d_])[\w-]{2,}")


def _emails(text: str, stop: Stop) -> Iterator[Span]:
    """From each ``@`` to the left and to the right: a pattern would read a long word again from each of its letters."""
    end = 0
    at = text.find("@")
    while at >= 0:
        _go_on(stop)
        start = at
        while start > end and _LOCAL.match(text, start - 1):
            start -= 1
        domain = _DOMAIN.match(text, at + 1)
        if domain and start < at:
            end = domain.end()
            yield start, end
        at = text.find("@", at + 1)


_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ \xa0-]?[A-Z0-9]){11,30}")
_SHORTEST_IBAN: Final = 15


def _ibans(text: str, stop: Stop) -> Iterator[Span]:
    """Matches with the check digits of ISO 13616, without the words that may follow."""
    found = _IBAN.search(text)
    while found:
        _go_on(stop)
        end = _end_of_iban(text, found.start(), found.end())
        if end is not None:
            yield found.start(), end
        found = _IBAN.search(text, end or found.start() + 4)


def _end_of_iban(text: str, start: int, last: int) -> int | None:
    checked = int("".join(str(int(char, 36)) for char in text[start : start + 4]))
    remainder, length, end = 0, 4, None
    for at in range(start + 4, last):
        char = text[at]
        if not char.isalnum():
            continue
        value = int(char, 36)
        remainder = (remainder * (100 if value > 9 else 10) + value) % 97
        length += 1
        ends = not text[at + 1 : at + 2].isalnum()
        # The first four characters count as the last: six digits, of which two letters make four.
        if ends and length >= _SHORTEST_IBAN and (remainder * 10**6 + checked) % 97 == 1:
            end = at + 1
    return end


_CARD: Final = re.compile(r"(?<![\w.+-])[2-6](?:[ \xa0-]?[0-9]){12,18}", re.ASCII)
_SHORTEST_CARD: Final = 13


def _cards(text: str, stop: Stop) -> Iterator[Span]:
    """13 to 19 digits, from 2 to 6 at first, with the check digit of ISO 7812."""
    found = _CARD.search(text)
    while found:
        _go_on(stop)
        end = _end_of_card(text, found.start(), found.end())
        if end is not None:
            yield found.start(), end
        found = _CARD.search(text, end or found.start() + 1)


def _end_of_card(text: str, start: int, last: int) -> int | None:
    digits = ""
    end = None
    for at in range(start, last):
        if not text[at].isdigit():
            continue
        digits += text[at]
        ends = not text[at + 1 : at + 2].isalnum()
        if ends and len(digits) >= _SHORTEST_CARD and _has_check_digit(digits):
            end = at + 1
    return end


def _has_check_digit(digits: str) -> bool:
    total = sum(map(int, digits[-1::-2]))
    return (total + sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])) % 10 == 0


_PHONE: Final = re.compile(
    r"""
      (?<![\w+.]) \+ [1-9] (?: [ \xa0./()-]{0,3} [0-9] ){6,14}+ (?![0-9])
    | (?<![\w+.,-]) 00 [ ]? [1-9] [0-9]{0,2} [ \xa0./()-] (?: [ \xa0./()-]{0,2} [0-9] ){6,13}+ (?![0-9])
    | (?<![\w+.,-]) (?: \( [2-9] [0-9]{2} \) [ ]? | [2-9] [0-9]{2} [ .-] ) [2-9] [0-9]{2} [ .-] [0-9]{4} (?![\w-])
    """,
    re.VERBOSE | re.ASCII,
)


def _phones(text: str, stop: Stop) -> Iterator[Span]:
    """With a country's code behind ``+`` or ``00``, or as North America writes its own."""
    for found in _PHONE.finditer(text):
        _go_on(stop)
        yield found.span()


def _go_on(stop: Stop) -> None:
    if stop():
        raise StoppedError


READY_MADE: Final[Mapping[str, ReadyMade]] = {
    "email": ReadyMade(_emails),
    "iban": ReadyMade(_ibans),
    "phone": ReadyMade(_phones),
    "card": ReadyMade(_cards),
}
