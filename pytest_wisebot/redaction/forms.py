"""A credential that does not show, and the forms that it takes on its way through headers, URLs, JSON, HTML and base64.

Each form is a pattern with required substrings: a text without them cannot hold the form. To search a megabyte for a
substring costs a tenth of a millisecond, for the pattern a hundred times that: patterns run where the substrings are,
which is almost nowhere. Escapes leave ASCII letters and digits alone, so the substrings consist of these.

Every repetition in a pattern is bounded: a megabyte of backslashes in front of a quote must not take a minute.
"""

from __future__ import annotations

import base64
import hmac
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property, lru_cache, partial
from itertools import accumulate
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus

from ..originals import json

MASK = "<secret>"
"""What stands in the place of a credential."""

REDACTED = "<redacted>"
"""What stands in the place of a value that the project redacts."""


class Secret:
    """A credential that no `repr`, format, comparison, pickle or copy shows; only `reveal` does."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        self._reveal: Callable[[], str] = lambda: value  # in a closure, where no debugger's listing of fields looks

    def reveal(self) -> str:
        """The credential itself. Ask as late as possible and let go at once."""
        return self._reveal()

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would leave the process readable")


Span = tuple[int, int]
"""Where something stands in a string: its first character, and the one after its last."""

SHORTEST_SECRET: Final = 8
"""Characters that a credential has at least: a shorter one would mask ordinary words wherever they stand."""

_SHORTEST_SUBSTRING: Final = 2
_MOST_SUBSTRINGS: Final = 3


class View(Enum):
    """How a string is laid out for looking for marks."""

    PLAIN = "as it is"
    LOWER = "in lower case"
    HEX = "in lower case, without what stands between the pairs of hexadecimal digits"
    PREFIXED_HEX = "the same where each pair begins with 0x"
    WRAPPED = "without white space, nor line breaks that were escaped"
    DUMPED = "the bytes that lines of a hexdump show"


_BREAKS: Final = (
    ((b"\\n", b"\\r"), r"\\{1,16}[rn]"),
    ((b"%0", b"%25"), r"%(?:25){0,8}0[aAdD]"),
    ((b"&#",), r"&#(?:1[03]|[xX]0?[aAdD]);"),
)
"""Patterns of escaped line breaks, each with the bytes that a string must contain to match."""

_NEXT_LINE: Final = b"\nE "
"""How pytest begins the lines of a failure."""

_ESCAPED_BREAK: Final = "|".join(pattern for _, pattern in _BREAKS)
_ESCAPED_BREAKS: Final = tuple((signs, re.compile(pattern.encode())) for signs, pattern in _BREAKS)
"""Apart, since a pattern is searched fast by the character that it begins with."""


def is_in(data: bytes, sign: bytes) -> bool:
    """Whether bytes hold a sign, most of which they do not. Single characters are searched fastest, by far."""
    return sign[:1] in data and sign[-1:] in data and data.rfind(sign) >= 0


class SearchText:
    """A string in which required substrings are searched, with each view of it made once."""

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
        return self._wrapped.lower().translate(None, b":-%\\x")

    @cached_property
    def _prefixed_hex(self) -> bytes:
        return re.sub(rb",?0x", b"", self._wrapped.lower()) if is_in(self.data, b"0x") else b""

    @cached_property
    def _backslashes(self) -> bool:
        """Whether a backslash stands for the end of a line, or for a character by its number."""
        return b"\\" in self.data and _BACKSLASHES.search(self.data) is not None

    @cached_property
    def _wrapped(self) -> bytes:
        data = self.data.replace(_NEXT_LINE, b"\n") if is_in(self.data, _NEXT_LINE) else self.data
        joined = data.translate(None, b" \t\r\n")
        for signs, breaks in _ESCAPED_BREAKS:
            if (self._backslashes or signs is not _BREAKS[0][0]) and any(is_in(joined, sign) for sign in signs):
                joined = breaks.sub(b"", joined)
        return joined

    @cached_property
    def _dumped(self) -> bytes:
        if not is_in(self.data, b"0000"):  # the beginning of each offset
            return b""
        text = self.data.decode("latin-1")
        return b"".join(bytes.fromhex(line[1] or line[2]) for line in _DUMPED.finditer(text))

    @cached_property
    def unescaped(self) -> SearchText | None:
        """The same text with the escapes of letters undone; None where it has none."""
        signs = _SIGNS_OF_LETTERS if self._backslashes else _SIGNS_WITHOUT_BACKSLASH
        if not any(char in self.data and sign.search(self.data) for char, sign in signs):
            return None
        return SearchText.of(Unescaped(self.data.decode("utf-8", "surrogateescape")).text)

    def seen_as(self, view: View) -> bytes:
        """The bytes of this view."""
        match view:
            case View.PLAIN:
                return self.data
            case View.LOWER:
                return self._lower
            case View.WRAPPED:
                return self._wrapped
            case View.HEX:
                return self._hex
            case View.PREFIXED_HEX:
                return self._prefixed_hex
        return self._dumped


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """One form of a credential.

    Attributes:
        required_substrings: each text that holds this form holds them; if there are none, the pattern must run.
        spans: where the form stands in a string.
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
    """The forms whose patterns must run, on the text as it is and on what it is without escapes of letters."""
    found = _candidates(views, searched)
    if (unescaped := searched.unescaped) is not None:
        undo = lru_cache(maxsize=1)(Unescaped)  # once for all forms
        found += [Form((), partial(_spans_unescaped, undo, form)) for form in _candidates(views, unescaped)]
    return found


def _candidates(views: FormsByView, searched: SearchText) -> list[Form]:
    """Asked for each text of a session: a loop, and no call for each form."""
    found: list[Form] = []
    for view, forms in views:
        find = searched.seen_as(view).rfind  # which takes half of the time of `in`
        for form in forms:
            for substring in form.required_substrings:
                if find(substring) < 0:
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
    yield Form((digits.encode(),), _finder(_hexadecimal(digits, _BETWEEN_PAIRS)), View.HEX)
    yield Form((digits.encode(),), _finder(_hexadecimal(digits, _BETWEEN_PREFIXED)), View.PREFIXED_HEX)
    yield Form((_bytes(credential),), partial(_dump_spans, _bytes(credential)), View.DUMPED)


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
    # Lines are broken at a space, and joined again: by browsers, Markdown, people. pprint adds quotes.
    " ": r"(?:(?:\s|\\{1,16}[nrt]){1,40}+(?:E\s{1,40}+)?|\+|&nbsp;)(?:b?['\"][\sE+?-]{1,60}b?['\"])?",
    "'": r"'(?:\"'\"'|\\'')?",  # as shells quote it
    "&": r"&(?:amp;){0,5}",
    "%": r"%(?:25){0,8}",
}


def _spelled(text: str) -> str:
    """A pattern of a string as it is, or escaped, also twice, by URLs, JSON, `repr`, HTML: each escapes others."""
    pieces: list[str] = []
    for run in re.findall(r"\\+| +|[^\\ ]", text, re.DOTALL):
        if run[0] == "\\":
            pieces.append(f"{_BACKSLASH}{{{len(run)},{16 * len(run)}}}")
        elif run.isascii() and run.isalnum():
            pieces.append(run)
        elif run[0] == " ":  # many may be shown as one
            pieces.append(f"{_any_form_of(' ', escapable=True)}{{1,{len(run)}}}")
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
# MIME and most tools break it into lines, which may be indented, or begin as pytest's lines of a failure do.
# Possessive: there is one way to read white space.
_LINE_BREAK: Final = rf"(?:(?:[\r\n]|{_ESCAPED_BREAK}){{1,4}}+(?:E[ \t]{{1,40}}+|[ \t]{{0,40}}+))?+"


def _base64_cores(value: bytes) -> Iterator[str]:
    """The characters of a base64 text that the value alone decides, at each of the three places it can begin."""
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + value).decode()
        first = -(-offset * 8 // 6)  # the first characters hold bits of what stands before
        last = (offset + len(value)) * 8 // 6  # and the last ones of what comes after
        yield padded[first:last]


_BETWEEN_PAIRS: Final = rf"(?:\\{{1,16}}x|[ :%-]?{_LINE_BREAK})"
_BETWEEN_PREFIXED: Final = rf",?[ \t]{{0,8}}+{_LINE_BREAK}0x"


def _hexadecimal(digits: str, between: str) -> str:
    pairs = [f"(?i:{digits[at : at + 2]})" for at in range(0, len(digits), 2)]
    return between.join(pairs)


_DUMPED: Final = re.compile(
    r"""
    (?<![0-9A-Fa-f]) [0-9A-Fa-f]{7,16}
    (?: :[ ]  ( (?:[0-9A-Fa-f]{2}){1,8} (?:[ ](?:[0-9A-Fa-f]{2}){1,8}){0,31} ) (?![0-9A-Fa-f])      # xxd
      | [ ]{2} ( [0-9A-Fa-f]{2} (?:[ ]{1,2}[0-9A-Fa-f]{2}){0,15} ) (?=[ ]{2,60}\|)                # hexdump -C
    ) (?: [ ]{2,60} \|? )?
    """,
    re.VERBOSE,
)
"""A line of a hexdump: its bytes, and what leads to their characters, which stand behind them."""


def _dump_spans(credential: bytes, text: str) -> Iterator[Span]:
    """Where a hexdump shows a credential: the bytes in each line, and their characters beside them."""
    lines = list(_DUMPED.finditer(text))
    parts = [bytes.fromhex(line[1] or line[2]) for line in lines]
    starts = list(accumulate(map(len, parts), initial=0))
    dumped = b"".join(parts)
    at = dumped.find(credential)
    while at >= 0:
        index = bisect_right(starts, at) - 1
        while starts[index] < at + len(credential):
            first, last = max(at, starts[index]), min(at + len(credential), starts[index + 1])
            yield from _dumped_line(lines[index], first - starts[index], last - starts[index])
            index += 1
        at = dumped.find(credential, at + 1)


def _dumped_line(line: re.Match[str], first: int, last: int) -> Iterator[Span]:
    """Where a line shows some of its bytes, by their numbers."""
    group = 1 if line[1] else 2
    pairs = [found.start() for found in re.finditer("[^ ]{2}", line[group])]
    yield line.start(group) + pairs[first], line.start(group) + pairs[last - 1] + 2
    yield min(line.end() + first, len(line.string)), min(line.end() + last, len(line.string))


# --- letters that were escaped ------------------------------------------------------------------------------------

_LETTER_OR_BACKSLASH: Final = "(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[cC])"
_AMPERSAND: Final = r"26(?=[#%&\\])"
_SIGNS_OF_LETTERS: Final = tuple(
    (char, re.compile(sign.encode()))
    for char, sign in (
        (b"%", rf"%(?:(?:25)++(?:{_LETTER_OR_BACKSLASH}|{_AMPERSAND})|{_LETTER_OR_BACKSLASH}|{_AMPERSAND})"),
        (
            b"\\",
            rf"\\(?=[uUx01])(?:(?:u00|U000000|u\{{0{{0,6}}|x)(?:{_LETTER_OR_BACKSLASH}|26)"
            r"|0?(?:06[0-7]|07[01]|1[0-7][0-7]))",
        ),
        (b"#", r"&(?:amp;)*+#(?:[xX]0*+[2-7][0-9a-fA-F]|0*+[0-9]{2,3});"),
    )
)
"""What each text holds in which a letter, a digit or a backslash is escaped by its number."""

_SIGNS_WITHOUT_BACKSLASH: Final = tuple(one for one in _SIGNS_OF_LETTERS if one[0] != b"\\")
_BACKSLASHES: Final = re.compile(rb"\\[nruUx01]")

_ESCAPE: Final = re.compile(
    r"""
      (?<!\\)\\++ (?: u\{0{0,6}([2-7][0-9a-fA-F])\} | u00([2-7][0-9a-fA-F]) | U000000([2-7][0-9a-fA-F])
                     | x([2-7][0-9a-fA-F]) )
    | %(?:25)*+ ([2-7][0-9a-fA-F])
    | &(?:amp;)*+\#[xX]0*+ ([2-7][0-9a-fA-F]);
    | (?<!\\)\\++ 0?([01][0-7]{2})
    | &(?:amp;)*+\#0*+ ([0-9]{2,3});
    """,
    re.VERBOSE,
)
_OCTAL: Final = 7
_DECIMAL: Final = 8
"""Groups of the pattern; those before are hexadecimal."""

_MOST_ROUNDS: Final = 4
"""How often an escape may itself be escaped."""


class Unescaped:
    """A string with numeric escapes of printable ASCII decoded, also if their backslash was itself escaped.

    Attributes:
        text: the decoded string.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._rounds: list[tuple[list[int], list[int]]] = []
        for _ in range(_MOST_ROUNDS):
            if not self._undo():
                return

    def original(self, at: int) -> int:
        """The place in the text as it was."""
        for places, shifts in reversed(self._rounds):
            at += shifts[bisect_right(places, at) - 1]
        return at

    def _undo(self) -> bool:
        pieces: list[str] = []
        places, shifts = [0], [0]
        end = length = 0
        for found in _ESCAPE.finditer(self.text):
            group = found.lastindex or 0
            code = int(found[group], {_OCTAL: 8, _DECIMAL: 10}.get(group, 16))
            if not 0x20 <= code < 0x7F:
                continue
            pieces += (self.text[end : found.start()], chr(code))
            length += found.start() - end + 1
            end = found.end()
            places.append(length)
            shifts.append(end - length)
        if not pieces:
            return False
        self.text = "".join((*pieces, self.text[end:]))
        self._rounds.append((places, shifts))
        return True


def _spans_unescaped(undo: Callable[[str], Unescaped], form: Form, text: str) -> Iterator[Span]:
    """Spans of a form in the decoded string, as positions in the original one."""
    unescaped = undo(text)
    for start, end in form.spans(unescaped.text):
        yield unescaped.original(start), unescaped.original(end)
