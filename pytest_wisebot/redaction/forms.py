r"""The forms that a credential takes on its way through headers, URLs, JSON, HTML, hexadecimal and base64.

Each form is a pattern with required substrings: a text without them cannot hold the form. To search a megabyte for a
substring costs a tenth of a millisecond, for the pattern a hundred times that: patterns run where the substrings are,
which is almost nowhere. Escapes leave ASCII letters and digits alone, so the substrings consist of these.

Every repetition in a pattern is bounded: a megabyte of backslashes in front of a quote must not take a minute.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from typing import Final
from urllib.parse import quote, quote_plus

from ..originals import json

Span = tuple[int, int]
"""Where something stands in a text: its first character, and the one after its last."""

SHORTEST_SECRET: Final = 8
"""Characters that a credential has at least: a shorter one would mask ordinary words wherever they stand."""

_SHORTEST_SUBSTRING: Final = 2
_MOST_SUBSTRINGS: Final = 3


class View(Enum):
    """How a text is laid out for looking for marks."""

    PLAIN = "as it is"
    LOWER = "in lower case"
    HEX = "in lower case, without what stands between the pairs of hexadecimal digits"
    WRAPPED = "without white space, nor line breaks that were escaped"


_ESCAPED_BREAK: Final = r"\\{1,16}[rn]|%(?:25){0,8}0[aAdD]|&#(?:1[03]|[xX]0?[aAdD]);"
_ESCAPED_BREAKS: Final = re.compile(_ESCAPED_BREAK.encode())
_SIGNS_OF_BREAKS: Final = (b"\\n", b"\\r", b"%0", b"%25", b"&#")
"""One of which each of them holds."""


class SearchText:
    """A text in which required substrings are searched, with each view of it made once."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, text: str) -> SearchText:
        """From a string, lone surrogates included."""
        return cls(text.encode("utf-8", "surrogatepass"))

    @cached_property
    def _lower(self) -> bytes:
        return self.data.lower()

    @cached_property
    def _hex(self) -> bytes:
        return self._lower.translate(None, b" :-%\\x")

    @cached_property
    def _wrapped(self) -> bytes:
        joined = self.data.translate(None, b" \t\r\n")
        return _ESCAPED_BREAKS.sub(b"", joined) if any(sign in joined for sign in _SIGNS_OF_BREAKS) else joined

    def seen_as(self, view: View) -> bytes:
        """The bytes of this view."""
        if view is View.PLAIN:
            return self.data
        if view is View.WRAPPED:
            return self._wrapped
        return self._lower if view is View.LOWER else self._hex


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """One form of a credential.

    Attributes:
        required_substrings: each text that holds this form holds them; if there are none, the pattern must run.
        spans: where the form stands in a text.
        view: the view of the text in which the substrings are searched.
    """

    required_substrings: tuple[bytes, ...]
    spans: Callable[[str], Iterator[Span]]
    view: View = View.PLAIN

    def may_be_in(self, searched: SearchText) -> bool:
        """Whether the pattern must run."""
        return bool(candidate_forms(by_view([self]), searched))


FormsByView = tuple[tuple[View, tuple[Form, ...]], ...]
"""Forms, those of one view together."""


def by_view(forms: Iterable[Form]) -> FormsByView:
    """The same forms, for looking many times."""
    every = tuple(forms)
    return tuple((view, some) for view in View if (some := tuple(form for form in every if form.view is view)))


def candidate_forms(views: FormsByView, searched: SearchText) -> list[Form]:
    """The forms whose patterns must run. Asked for each text of a session: a loop, and no call for each form."""
    found: list[Form] = []
    for view, forms in views:
        data = searched.seen_as(view)
        for form in forms:
            for substring in form.required_substrings:
                if substring not in data:
                    break
            else:
                found.append(form)
    return found


def forms_of(credential: str) -> Iterator[Form]:
    """Every form of a credential; none of one that is too short to be masked."""
    if len(credential) < SHORTEST_SECRET:
        return
    for spelling in {credential, credential[::-1]}:
        yield _form(spelling, _spelled(spelling))
    # What is encoded whole may have been escaped before: a JSON body that holds a quote, for instance.
    for written in {credential, json.dumps(credential)[1:-1], quote(credential, safe="")}:
        for core in _base64_cores(_bytes(written)):
            yield _form(core, _LINE_BREAK.join(_BASE64.get(char, char) for char in core), View.WRAPPED)
    digits = _bytes(credential).hex()
    yield Form((digits.encode(),), _finder(_hexadecimal(digits)), View.HEX)


def literal_forms(credential: str) -> set[str]:
    """The commonest forms as texts, of which a truncation may leave the head or the tail."""
    if len(credential) < SHORTEST_SECRET:
        return set()
    raw = _bytes(credential)
    escaped = json.dumps(credential)[1:-1]
    once = quote(credential, safe="")
    found = {credential, credential[::-1], raw.hex(), raw.hex().upper()}
    found |= {escaped, json.dumps(credential, ensure_ascii=False)[1:-1], json.dumps(escaped)[1:-1]}
    found |= {repr(credential)[1:-1], repr(raw)[2:-1], html.escape(credential)}
    found |= {once, quote(credential, errors="replace"), quote_plus(credential, errors="replace"), quote(once, safe="")}
    for core in _base64_cores(raw):
        found |= {core, core.translate(str.maketrans("+/", "-_"))}
    return {form for form in found if len(form) >= SHORTEST_SECRET}


def _form(text: str, pattern: str, view: View = View.PLAIN) -> Form:
    """A form whose letters and digits stand as they are."""
    runs = sorted(re.findall(rf"[A-Za-z0-9]{{{_SHORTEST_SUBSTRING},}}", text), key=len, reverse=True)
    return Form(tuple(run.encode() for run in runs[:_MOST_SUBSTRINGS]), _finder(pattern), view)


def _finder(pattern: str) -> Callable[[str], Iterator[Span]]:
    @cache
    def compiled() -> re.Pattern[str]:
        """Compiled at the first candidate, and mostly never: the pattern of a long token takes a tenth of a second."""
        return re.compile(pattern, re.DOTALL)

    def spans(text: str) -> Iterator[Span]:
        pattern = compiled()
        # From each beginning anew, and not behind the last end: of "ababab…" no end must stay.
        found = pattern.search(text)
        while found:
            yield found.span()
            found = pattern.search(text, found.start() + 1)

    return spans


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# --- letters and digits as they are, all else as it is or escaped -------------------------------------------------

_BACKSLASH: Final = r"(?:\\|%(?:25){0,8}5[cC]|&#92;|&#[xX]5[cC];)"
_ENTITIES: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "\xa0": "nbsp"}
_RAW: Final = {
    " ": r"(?: |\+|&nbsp;)(?:b?['\"][\sE+?-]{1,60}b?['\"])?",  # pprint breaks long texts behind a space
    "'": r"'(?:\"'\"'|\\'')?",  # as shells quote it
    "&": r"&(?:amp;){0,5}",
    "%": r"%(?:25){0,8}",
}


def _spelled(text: str) -> str:
    """A pattern of a text as it is, or escaped, also twice, by URLs, JSON, `repr`, HTML: each escapes others."""
    pieces: list[str] = []
    for run in re.findall(r"\\+|[^\\]", text, re.DOTALL):
        if run[0] == "\\":
            pieces.append(f"{_BACKSLASH}{{{len(run)},{16 * len(run)}}}")
        elif run.isascii() and run.isalnum():
            pieces.append(run)
        else:
            pieces.append(_any_form_of(run, escapable=not pieces or not pieces[-1].startswith(_BACKSLASH)))
    return "".join(pieces)


def _any_form_of(char: str, *, escapable: bool) -> str:
    forms = [_RAW.get(char, re.escape(char)), _percent(char), *_escapes(char), _entity(char)]
    before = f"{_BACKSLASH}{{0,16}}" if escapable else ""
    named = json.dumps(char)[2:-1]
    short = f"|{_BACKSLASH}{{1,16}}{named}" if named in {"b", "f", "n", "r", "t"} else ""
    return f"(?:{before}(?:{'|'.join(forms)}){short})"


def _percent(char: str) -> str:
    return "".join(f"%(?:25){{0,8}}(?i:{byte:02x})" for byte in _bytes(char))


def _escapes(char: str) -> Iterator[str]:
    r"""``\u0026``, ``\x26`` and their like, behind their first backslash."""
    code = ord(char)
    if code < 0x10000:
        yield f"u(?i:{code:04x})"
    else:
        high, low = (code - 0x10000 >> 10) + 0xD800, (code - 0x10000 & 0x3FF) + 0xDC00
        yield f"u(?i:{high:04x}){_BACKSLASH}{{1,16}}u(?i:{low:04x})"
    yield f"U(?i:{code:08x})"
    yield rf"u\{{0{{0,6}}(?i:{code:x})\}}"
    if code < 0x100:
        yield f"x(?i:{code:02x})"
    yield f"{_BACKSLASH}{{1,16}}".join(f"x(?i:{byte:02x})" for byte in _bytes(char))


def _entity(char: str) -> str:
    code = ord(char)
    named = f"|{_ENTITIES[char]};" if char in _ENTITIES else ""
    return f"&(?:amp;){{0,4}}(?:#0{{0,6}}{code};|#[xX]0{{0,6}}(?i:{code:x});{named})"


# --- base64 and hexadecimal ---------------------------------------------------------------------------------------

_BASE64: Final = {
    "+": r"(?:[+ -]|%(?:25){0,8}2[bB]|\\{1,16}u002[bB])",
    "/": r"(?:\\{0,16}/|_|%(?:25){0,8}2[fF])",
}
# MIME and most tools break it into lines, which may be indented. Possessive: there is one way to read white space.
_LINE_BREAK: Final = rf"(?:(?:[\r\n]|{_ESCAPED_BREAK}){{1,4}}+[ \t]{{0,40}}+)?+"


def _base64_cores(value: bytes) -> Iterator[str]:
    """The characters of a base64 text that the value alone decides, at each of the three places it can begin."""
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + value).decode()
        first = -(-offset * 8 // 6)  # the first characters hold bits of what stands before
        last = (offset + len(value)) * 8 // 6  # and the last ones of what comes after
        yield padded[first:last]


def _hexadecimal(digits: str) -> str:
    pairs = [f"(?i:{digits[at : at + 2]})" for at in range(0, len(digits), 2)]
    return r"(?:[ :%-]|\\{1,16}x)?".join(pairs)
