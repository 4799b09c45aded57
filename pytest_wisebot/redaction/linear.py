r"""A project's regular expressions, matched in linear time by RE2: the extra ``redact`` installs it.

RE2 is not given the text, but one byte for each of its characters, which stands for all characters that the expression
does not tell apart. Which those are, Python's own `re` is asked, piece by piece of the expression. So ``\w``, ``\d``,
``\s``, ``\b``, letter case, lone surrogates and NUL mean what they mean in Python, although RE2 itself reads ASCII
classes and refuses surrogates; and a byte's place is its character's place.
"""

from __future__ import annotations

import functools
import importlib
import re
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from .forms import Span

INSTALL: Final = "pip install 'pytest-wisebot[redact]'"

Stop = Callable[[], bool]
"""Whether to give up: the time of the run whose answer is searched is over."""


class StoppedError(Exception):
    """A search was given up because `Stop` asked for it."""


def never() -> bool:
    """The `Stop` of a search that has all the time it needs."""
    return False


_NEVER: Final = r"[^\x00-\xff]"
_NEWLINE: Final = 0x0A
_WORD_BYTES: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_TYPE_FLAGS: Final = re.ASCII | re.LOCALE | re.UNICODE
_END_OF_CASES: Final = 0x20000
"""No letter beyond has an upper and a lower case: the planes behind it hold ideographs."""

_REFUSED: Final = {
    "ASSERT": "looks ahead or behind, which cannot be matched in linear time: match what stands there, too, or write "
    r"\b for the border of a word",
    "GROUPREF": r"refers back to a group, which cannot be matched in linear time: write out what the group matches",
    "GROUPREF_EXISTS": "has a condition on a group, which cannot be matched in linear time: write both cases with |",
    "POSSESSIVE_REPEAT": 'has a possessive repetition, which RE2 does not have: leave out the "+" behind it',
    "ATOMIC_GROUP": "has an atomic group, which RE2 does not have: write (?:…) in place of (?>…)",
}
_REFUSED["ASSERT_NOT"] = _REFUSED["ASSERT"]


class LinearPattern:
    """One regular expression.

    Args:
        text: the expression, in Python's syntax.

    Raises:
        ValueError: it is not valid, matches the empty string, cannot be matched in linear time, or RE2 is not
            installed. The message has the reason, and what to write.
    """

    def __init__(self, text: str) -> None:
        parsed = _parsed(text)
        if parsed.getwidth()[0] == 0:
            raise ValueError(f"{text!r} matches the empty string, and so everywhere")
        try:
            translation = _Translation(parsed)
            whole, before_newline = translation.expression(r"\z"), translation.expression(_NEVER)
            self._whole = _compiled(whole)
            self._before_newline = _compiled(before_newline) if translation.has_dollar else None
        except _RefusedError as error:
            raise ValueError(f"{text!r} {error}") from None
        self._classes = translation.classes
        self._ascii = bytes(self._classes[code] for code in range(128)) + bytes(128)

    def spans(self, text: str, stop: Stop = never) -> Iterator[Span]:
        """Where it matches something, in order.

        Raises:
            StoppedError: ``stop`` asked for it.
        """
        data = self._data(text)
        found = self._found(self._whole, data, stop)
        if self._before_newline is not None and text.endswith("\n"):  # "$" may stand there, too
            found = _joined(sorted({*found, *self._found(self._before_newline, data[:-1], stop)}))
        return found

    def _data(self, text: str) -> bytes:
        if text.isascii():
            return text.encode("ascii").translate(self._ascii)
        return text.translate(self._classes).encode("latin-1")

    def _found(self, expression: Any, data: bytes, stop: Stop) -> Iterator[Span]:
        for found in expression.finditer(data):
            yield found.span()
            if stop():
                raise StoppedError


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans in order, those that overlap as one."""
    current: Span | None = None
    for start, end in spans:
        if current is not None and start < current[1]:
            current = current[0], max(end, current[1])
            continue
        if current is not None:
            yield current
        current = start, end
    if current is not None:
        yield current


def _parsed(text: str) -> Any:
    """The expression in parts, as Python's parser reads it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that a later Python may read otherwise
            re.compile(text)
            return _parser().parse(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a valid regular expression: {error}") from None


def _parser() -> Any:
    return importlib.import_module("re._parser")


class _RefusedError(Exception):
    """Why an expression is not taken, in words that go on after the expression."""


def _compiled(expression: str) -> Any:
    try:
        re2 = importlib.import_module("re2")
    except ImportError:
        raise _RefusedError(
            f"needs RE2, which is not installed: {INSTALL}; the ready-made patterns (email, iban, phone, card) need "
            "nothing"
        ) from None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    try:
        return re2.compile(expression.encode("ascii"), options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise _RefusedError(
            f"is too large for RE2 ({reason}): write fewer repetitions, of which it takes 1000"
        ) from None


class _Classes(dict[int, int]):
    """The byte of each character, looked up at its first use."""

    _MOST = 2**16

    def __init__(self, starts: Sequence[int], of_starts: Sequence[int]) -> None:
        super().__init__()
        self._starts = starts
        self._bytes = of_starts

    def __missing__(self, code: int) -> int:
        found = self._bytes[bisect_right(self._starts, code) - 1]
        if len(self) < self._MOST:
            self[code] = found
        return found


class _Atom:
    """A piece of the expression that matches one character."""

    def __init__(self, part: tuple[Any, Any], flags: int) -> None:
        self.members: list[int] = []
        """The bytes of the characters that it matches."""
        state = _parser().State()
        state.flags = flags
        pattern = _parser().SubPattern(state, [part])
        self.matches = importlib.import_module("re._compiler").compile(pattern, flags).match

    def __str__(self) -> str:
        if not self.members:
            return _NEVER
        return f"[{''.join(f'{chr(92)}x{byte:02x}' for byte in sorted(self.members))}]"


class _Translation:
    """An expression in RE2's syntax, over the bytes of `classes`."""

    def __init__(self, parsed: Any) -> None:
        self.has_dollar = False
        self._by_line = False
        self._border: int | None = None
        self._atoms: dict[tuple[str, int], _Atom] = {}
        self._edges = {0, _NEWLINE, _NEWLINE + 1}
        self._pieces = self._sequence(list(parsed), self._flags_of(parsed), last=True)
        self.classes = self._classified()

    def expression(self, end: str) -> str:
        r"""The whole of it, with what stands for ``\Z``."""
        return "".join(end if piece is None else str(piece) for piece in self._pieces)

    @staticmethod
    def _flags_of(parsed: Any) -> int:
        flags: int = parsed.state.flags
        return flags if flags & re.ASCII else flags | re.UNICODE

    # --- parts of the expression; None is the end of the string

    def _sequence(self, parts: Sequence[Any], flags: int, *, last: bool) -> list[Any]:
        pieces: list[Any] = []
        for index, (name, value) in enumerate(parts):
            pieces += self._part(str(name), value, (name, value), flags, last=last and index == len(parts) - 1)
        return pieces

    def _part(self, name: str, value: Any, part: tuple[Any, Any], flags: int, *, last: bool) -> list[Any]:
        if name in _REFUSED:
            raise _RefusedError(_REFUSED[name])
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return [self._atom(part, flags)]
        if name == "AT":
            return self._at(str(value), flags, last=last)
        if name == "BRANCH":
            options = [self._sequence(list(option), flags, last=last) for option in value[1]]
            return ["(?:", *options[0], *chain.from_iterable(["|", *option] for option in options[1:]), ")"]
        if name == "SUBPATTERN":
            return ["(?:", *self._sequence(list(value[3]), _combined(flags, value[1], value[2]), last=last), ")"]
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(value, flags, lazy=name == "MIN_REPEAT")
        raise _RefusedError(f"has a part that this version does not read ({name.lower()}): write it another way")

    def _repeat(self, value: Any, flags: int, *, lazy: bool) -> list[Any]:
        least, most, body = value
        if most > 1 and body.getwidth()[0] == 0:
            raise _RefusedError("repeats what may be empty, which matches in many ways: repeat what is not empty")
        unlimited = str(most) == "MAXREPEAT"
        times = f"{{{least},{'' if unlimited else most}}}{'?' if lazy else ''}"
        return ["(?:", *self._sequence(list(body), flags, last=False), ")", times]

    def _at(self, name: str, flags: int, *, last: bool) -> list[Any]:
        if name in ("AT_BOUNDARY", "AT_NON_BOUNDARY"):
            kind = flags & re.ASCII
            if self._border not in (None, kind):
                raise _RefusedError(r"has \b for ASCII and for all letters: write one of the two, (?a) or none")
            self._border = kind
            return [r"\b" if name == "AT_BOUNDARY" else r"\B"]
        if flags & re.MULTILINE and name in ("AT_BEGINNING", "AT_END"):
            self._by_line = True
            return ["(?m:^)" if name == "AT_BEGINNING" else "(?m:$)"]
        if name == "AT_END":
            if not last:
                raise _RefusedError('has a "$" that is not at its end: write it last, or (?m) where it ends a line')
            self.has_dollar = True
            return [r"\z"]
        return [r"\A"] if name in ("AT_BEGINNING", "AT_BEGINNING_STRING") else [None]

    def _atom(self, part: tuple[Any, Any], flags: int) -> _Atom:
        flags &= _TYPE_FLAGS | re.IGNORECASE | re.DOTALL
        key = str(part), flags
        if key not in self._atoms:
            self._atoms[key] = _Atom(part, flags)
            self._edges.update(_edges_of(part))
            if flags & re.IGNORECASE:
                self._edges.update(_edges_of_cases())
        return self._atoms[key]

    # --- which characters are told apart

    def _classified(self) -> _Classes:
        r"""Gives each kind of characters a byte: those of words one that is of a word for RE2's ``\b``, too."""
        if self._border is not None:
            self._edges.update(_edges_of_categories())
        is_word = re.compile(r"\w", re.RegexFlag(self._border or 0)).match
        rest = [byte for byte in range(256) if byte != _NEWLINE and (self._border is None or byte not in _WORD_BYTES)]
        free = {False: iter(rest), True: iter(_WORD_BYTES)}
        kinds: dict[tuple[bool, ...], int] = {}
        starts = sorted(edge for edge in self._edges if edge < 0x110000)
        found: list[int] = []
        for start in starts:
            char = chr(start)
            of_word = self._border is not None and is_word(char) is not None
            by_line = self._by_line and char == "\n"
            kind = (of_word, by_line, *(atom.matches(char) is not None for atom in self._atoms.values()))
            if kind not in kinds:
                byte = _NEWLINE if by_line else next(free[of_word], None)
                if byte is None:
                    raise _RefusedError("tells too many kinds of characters apart: write two patterns")
                kinds[kind] = byte
            found.append(kinds[kind])
        for index, atom in enumerate(self._atoms.values(), start=2):
            atom.members = [byte for kind, byte in kinds.items() if kind[index]]
        return _Classes(starts, found)


def _combined(flags: int, added: int, removed: int) -> int:
    """The flags within a group, as Python's compiler combines them."""
    if added & _TYPE_FLAGS:
        flags &= ~_TYPE_FLAGS
    return (flags | added) & ~removed


def _edges_of(part: tuple[Any, Any]) -> Iterator[int]:
    """Where the characters that a part matches begin and end, letter case left out."""
    name, value = str(part[0]), part[1]
    if name == "IN":
        yield from chain.from_iterable(map(_edges_of, value))
    elif name in ("LITERAL", "NOT_LITERAL"):
        yield from (value, value + 1)
    elif name == "RANGE":
        yield from (value[0], value[1] + 1)
    elif name == "CATEGORY":
        yield from _edges_of_categories()


@functools.cache
def _edges_of_categories() -> tuple[int, ...]:
    """Where runs of letters, of digits and of white space begin and end, in Unicode and in ASCII."""
    every = "".join(map(chr, range(0x110000)))
    runs = [re.finditer(text, some) for text in (r"\w+", r"\d+", r"\s+") for some in (every, every[:128])]
    return tuple({edge for run in runs for found in run for edge in found.span()})


@functools.cache
def _edges_of_cases() -> tuple[int, ...]:
    """Around each letter that has another case."""
    cased = (code for code in range(_END_OF_CASES) if (char := chr(code)).lower() != char or char.upper() != char)
    return tuple({edge for code in cased for edge in (code, code + 1)})
