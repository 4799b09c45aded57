"""Values as text that does no harm: on one line and cut to its width, or whole.

Control characters, right-to-left marks, lone surrogates and whatever else does not print are written as JSON escapes,
so that a value can neither change a terminal nor look like another one.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

from .align import common_head
from .similarity import IDENTITIES

WIDTH = 200
"""Characters of the longest line that is not shown whole."""

_LONGEST_INSIDE = 60
_DEEPEST = 3
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def escaped(text: str, *, ascii_only: bool = False, in_quotes: bool = False) -> str:
    """The text, each character that does not print as its JSON escape."""
    plain = text.isprintable() and "\\" not in text and not (in_quotes and '"' in text)
    if plain and (text.isascii() or not ascii_only):
        return text
    return "".join(_escaped_char(char, ascii_only, in_quotes) for char in text)


def _escaped_char(char: str, ascii_only: bool = False, in_quotes: bool = False) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if char == '"' and in_quotes:
        return '\\"'
    if char.isprintable() and (char.isascii() or not ascii_only):
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else json.dumps(char)[1:-1]


def fitted(text: str, room: int, *, ascii_only: bool = False, in_quotes: bool = False) -> str:
    """The text, escaped, and cut with a marker where it does not fit."""
    pieces: list[str] = []
    for char in text[: room + 1]:
        pieces.append(_escaped_char(char, ascii_only, in_quotes))
        room -= len(pieces[-1])
    if room >= 0 and len(pieces) == len(text):
        return "".join(pieces)
    while pieces and room < 1:
        room += len(pieces.pop())
    return "".join(pieces) + "…"


def fitted_end(text: str, room: int, *, in_quotes: bool = False) -> str:
    """The end of the text, escaped, with a marker where its beginning does not fit."""
    pieces = [_escaped_char(char, in_quotes=in_quotes) for char in text[-room - 1 :]]
    if sum(map(len, pieces)) <= room and len(pieces) == len(text):
        return "".join(pieces)
    while sum(map(len, pieces)) >= room:
        del pieces[0]
    return "…" + "".join(pieces)


def look_alike(one: str, other: str) -> bool:
    """Whether two different texts may print as the same: accents may be written in more than one way."""
    if one.isascii() and other.isascii():
        return False
    return unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)


def brief(value: Any, room: int = WIDTH) -> str:
    """A value on one line, cut with markers where it does not fit: texts inside first, then what comes last."""
    text = _written(value, room)
    return text if len(text) <= room else text[: room - 1] + "…"


def _written(value: Any, room: int, depth: int = 0) -> str:
    if isinstance(value, str):
        return quoted(value, min(room, _LONGEST_INSIDE) if depth else room)
    if isinstance(value, dict):
        # What tells which row it is comes first: the rest may be cut.
        keys = [*(key for key in IDENTITIES if key in value), *sorted(value.keys() - set(IDENTITIES))]
        return _written_items("{}", ((f"{quoted(key, 40)}: ", value[key]) for key in keys), len(value), room, depth)
    if isinstance(value, list):
        return _written_items("[]", (("", item) for item in value), len(value), room, depth)
    return json.dumps(value)


def _written_items(brackets: str, items: Iterator[tuple[str, Any]], count: int, room: int, depth: int) -> str:
    """As many of the items as there is room for, none of them with more than half of it, and a count of the others."""
    if depth >= _DEEPEST and count:
        return f"{brackets[0]}… {count:,} more{brackets[1]}"
    share = max(room // 2, 12)
    room -= len(f"{brackets}, … {count:,} more")
    pieces: list[str] = []
    for label, item in items:
        piece = label + _written(item, min(max(room - len(label), 12), share) if count > 1 else room, depth + 1)
        room -= len(piece) + 2
        if room < 0:
            pieces.append(f"… {count - len(pieces):,} more")
            break
        pieces.append(piece)
    return f"{brackets[0]}{', '.join(pieces)}{brackets[1]}"


def quoted(text: str, room: int | None = None) -> str:
    """A text in quotes, as JSON writes it, cut with a marker if there is a limit."""
    return f'"{escaped(text, in_quotes=True) if room is None else fitted(text, room - 2, in_quotes=True)}"'


def contrast(expected: Any, received: Any, room: int) -> tuple[str, str]:
    """Two different values on a line each, cut so that the place where they begin to differ is on both."""
    texts = isinstance(expected, str) and isinstance(received, str)
    one, other = brief(expected, room), brief(received, room)
    if one != other and not (texts and (look_alike(one, other) or "…" in one + other)):
        return one, other
    plain, others = _plain(expected), _plain(received)
    at = common_head(plain, others, 0, 0, min(len(plain), len(others)))
    lead = fitted_end(plain[max(0, at - room) : at], room // 3, in_quotes=texts)
    rest, its_rest = plain[at : at + room + 1], others[at : at + room + 1]
    alike = look_alike(rest, its_rest)
    shown = [lead + fitted(text, room - len(lead) - 2, ascii_only=alike, in_quotes=texts) for text in (rest, its_rest)]
    mark = '"' if texts else ""
    return f"{mark}{shown[0]}{mark}", f"{mark}{shown[1]}{mark}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def whole(value: Any, *, ascii_only: bool = False) -> list[str]:
    """The lines of a value that is not cut: one if it is a text or short, else JSON with an indent."""
    if isinstance(value, str):
        return [f'"{escaped(value, ascii_only=ascii_only, in_quotes=True)}"']
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(text) > WIDTH:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)
    return [_printable(line) for line in text.split("\n")]


def _printable(text: str) -> str:
    """JSON text, whose backslashes are escapes already."""
    if text.isprintable():
        return text
    return "".join(char if char == "\\" else _escaped_char(char) for char in text)
