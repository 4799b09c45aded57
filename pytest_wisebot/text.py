"""Text for people: escapes for what does not print, truncation, counts, JSON on one line, and paths into JSON.

JSON numbers that a float does not hold exactly keep the digits that they were written with (`WrittenNumber`).
"""

from __future__ import annotations

import argparse
import io
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final, Self

from .originals import json

LONGEST_NAME: Final = 60
"""Characters of a name that a column shows."""

LONGEST_SCALAR: Final = 300
"""Characters of a string or a number within JSON that is laid out over lines."""

LONGEST_PATH: Final = 120
"""Characters of a path into JSON that a message shows."""

_NOT_PLAIN: Final = re.compile(r"[^\x20-\x7e]")
"""All but printable ASCII, of which a text mostly consists."""

_TOML_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")

_BARE_KEY: Final = re.compile(r"[\w-]+")

_COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")


def print_any_letter() -> None:
    """From now on `print` writes letters that the output's encoding lacks as escapes, in place of an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def without_colours(text: str) -> str:
    """Text without the sequences that colour a terminal, by which pytest highlights values and source code."""
    return _COLOUR.sub("", text) if "\x1b" in text else text


def escape(text: str, *, keep: str = "") -> str:
    r"""Returns valid UTF-8 of which every character prints.

    Control characters, ANSI escapes, marks of direction, spaces without a width, NUL and lone surrogates become
    ``\x1b``, ``\u202e`` and the like. Letters of every script stay.

    Args:
        text: any string.
        keep: characters that stay although they do not print, such as line ends.
    """
    if text.isprintable():
        return text
    return _escaped(text, keep, lambda char: char.encode("unicode_escape").decode("ascii"))


def escape_json(text: str, *, keep: str = "") -> str:
    r"""The same with the escapes of JSON (``\u001b``), for text that a JSON parser may read."""
    if text.isprintable():
        return text
    return _escaped(text, keep, lambda char: "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1])


def _escaped(text: str, keep: str, write: Callable[[str], str]) -> str:
    def written(found: re.Match[str]) -> str:
        char = found[0]
        return char if char.isprintable() or char in keep else write(char)

    return _NOT_PLAIN.sub(written, text)


class WrittenNumber(float):
    """A JSON number that no float is: a float to calculate with, and the digits that it was written with.

    Attributes:
        text: the digits.
    """

    __slots__ = ("text",)

    text: str
    exist = False
    """Whether this process has met any: without one, JSON is written as ever."""

    def __new__(cls, text: str) -> Self:
        """The number of these digits."""
        WrittenNumber.exist = True
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, WrittenNumber) else super().__eq__(other)

    def __ne__(self, other: object) -> bool:  # that of float would not ask __eq__
        return not self == other

    __hash__ = float.__hash__

    def __repr__(self) -> str:
        return self.text

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)


_EXACT_DIGITS: Final = 16
"""Characters of a number without an exponent that a float always holds: 15 digits and the point."""

_MOST_DIGITS: Final = 400


def json_number(text: str) -> float:
    """The number of a JSON text with a point or an exponent, for ``parse_float``.

    A number is a plain float where it is no more than that float with more or fewer of its digits, as other languages
    write them (``0.10000000000000001``). All else that would be rounded is a `WrittenNumber`.
    """
    value = float(text)
    is_short = len(text) <= _EXACT_DIGITS and "e" not in text and "E" not in text
    return value if is_short or repr(value) == text or _is_float(value, text) else WrittenNumber(text)


def _is_float(value: float, text: str) -> bool:
    if value in (float("inf"), float("-inf")):
        return True  # which is refused elsewhere
    if len(text) > _MOST_DIGITS:
        return False
    written = Decimal(text)
    with localcontext(prec=2 * _MOST_DIGITS):
        try:
            return written == Decimal(repr(value)) or written == Decimal(value).quantize(written)
        except InvalidOperation:  # an exponent far from the number's own
            return False


_MARK: Final = secrets.token_hex(8)
_MARKED: Final = re.compile(rf'"{_MARK}:([^"]+)"')


def to_json(value: Any, **options: Any) -> str:
    """`json.dumps`, which writes each `WrittenNumber` with its own digits.

    Args:
        value: a JSON value.
        **options: those of `json.dumps`.
    """
    if not WrittenNumber.exist:
        return json.dumps(value, **options)
    return _MARKED.sub(r"\1", json.dumps(_marked(value), **options))


def _marked(value: Any) -> Any:
    """The value with a marked string in the place of each number that has its own digits."""
    if isinstance(value, WrittenNumber):
        return f"{_MARK}:{value.text}"
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    return value


def readable_json(value: Any, *, indent: int | None = None) -> str:
    """JSON for people, shells and ``git diff``: letters as they are, the rest escaped.

    Raises:
        TypeError, ValueError: the value is not JSON; NaN and infinity are not.
    """
    return escape_json(to_json(value, ensure_ascii=False, allow_nan=False, indent=indent), keep="\n")


def brief(value: object, most: int = 120) -> str:
    """Any value on one line of at most ``most`` characters: JSON where it is JSON; a long one lacks its middle."""
    try:
        text = readable_json(value)
    except (TypeError, ValueError, RecursionError):
        text = " ".join(repr(value).split())
    return text if len(text) <= most else f"{text[: most - 25]} … {text[-20:]}"


def laid_out(value: Any, width: int, indent: int = 0, before: str = "", after: str = "") -> Iterator[str]:
    """JSON over several lines, made one by one as they are asked for: what fits into a line is not divided.

    Args:
        value: a JSON value.
        width: characters of a line. A string or a number may be longer, up to `LONGEST_SCALAR`.
        indent: blanks before each line.
        before: what the first line begins with, such as the key of this value.
        after: what the last line ends with.
    """
    room = width - indent - len(before) - len(after)
    start = f"{' ' * indent}{before}"
    if not (isinstance(value, dict | list) and value) or _fits(value, room):
        yield f"{start}{brief(value, max(room, LONGEST_SCALAR))}{after}"
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield f"{start}{opening}"
    items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for number, (key, item) in enumerate(items, 1):
        named = f"{brief(key)}: " if isinstance(value, dict) else ""
        yield from laid_out(item, width, indent + 2, named, "," if number < len(value) else "")
    yield f"{' ' * indent}{closing}{after}"


def _fits(value: Any, room: int) -> bool:
    """Whether a value fits on a line. A large one is not written out to find that out."""
    return _left(value, room) >= 0 and len(brief(value, room + 25)) <= room


def _left(value: Any, room: int) -> int:
    """The most characters that a value leaves of a line; below 0 where it surely does not fit."""
    if isinstance(value, str):
        return room - len(value) - 2
    if not isinstance(value, dict | list):
        return room - 1
    room -= 2 * max(1, len(value))
    for item in value:
        if room < 0:
            break
        room = _left(value[item], room - len(str(item)) - 4) if isinstance(value, dict) else _left(item, room)
    return room


def truncate(text: str, most: int) -> str:
    """Text of at most ``most`` characters, with a mark where its end is missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def truncate_middle(text: str, most: int) -> str:
    """A name of at most ``most`` characters: its head says where, its tail says which."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


def printable(text: str, most: int = 120) -> str:
    """Any string of a server, as people see it: escaped, on one line, and no longer than ``most`` characters.

    An answer may hold escape sequences that clear a terminal and write "1 passed", or a ``runId`` of a megabyte.
    """
    return truncate_middle(escape(truncate_middle(text, 2 * most)), most)


def run_id_text(run_id: str | None) -> str:
    """A ``runId`` as people see it."""
    return printable(run_id) if run_id else "none"


def column(name: str) -> str:
    """A name in a table: on one line, and no wider than `LONGEST_NAME`."""
    return truncate(escape(name), LONGEST_NAME)


def count(number: int, noun: str) -> str:
    """A number of things: ``1 run``, ``1,200 runs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], most: int | None, noun: str = "") -> Iterator[str]:
    """Names, one a line: the first ``most`` of them, and how many more ``-v`` shows; None: all."""
    yield from (f"  {name}" for name in names[:most])
    if most is not None and (rest := len(names) - most) > 0:
        yield f"  and {count(rest, f'more {noun}') if noun else f'{rest} more'}, shown by -v"


def show_path(path: Sequence[str | int | None]) -> str:
    """A path into JSON as people write it: ``items[0].score``, ``a["odd key"].b``, and ``$`` for the whole value.

    None stands for any index: ``items[*].score``.
    """
    return "".join(map(_step, path)).removeprefix(".") or "$"


def _step(step: str | int | None) -> str:
    if not isinstance(step, str):
        return "[*]" if step is None else f"[{step}]"
    return f".{step}" if _BARE_KEY.fullmatch(step) else f"[{escape_json(json.dumps(step, ensure_ascii=False))}]"


def toml_key(*names: str) -> str:
    """The name of a key or a table in TOML: ``workflows."with space"``."""
    return ".".join(name if _TOML_KEY.fullmatch(name) else _toml_quoted(name) for name in names)


def toml_string(text: str) -> str:
    """A string of TOML, in single quotes where that spares escapes."""
    return f"'{text}'" if '"' in text and "'" not in text and text.isprintable() else _toml_quoted(text)


def _toml_quoted(text: str) -> str:
    """A basic string. TOML has no surrogates: they are shown, and are not the same."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_NOT_PLAIN.sub(lambda found: _toml_char(found[0]), escaped)}"'


def _toml_char(char: str) -> str:
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def not_empty(text: str) -> str:
    """The value of an option, which a shell leaves empty for a variable that is not set.

    Raises:
        argparse.ArgumentTypeError: it is empty, or blank.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(
            f"expected a value, got {text!r}: set the variable that it was to come from, or leave the option out"
        )
    return text
