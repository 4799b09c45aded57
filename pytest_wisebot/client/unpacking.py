"""Unpacks answers that come packed although they were asked for unpacked: gzip and deflate, up to a limit.

A server or proxy in between may set a wrong ``Content-Encoding`` ("UTF-8"), or leave it in place although it has
unpacked the body. A body that reads as text is therefore taken as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_PIECE: Final = 4096
"""Bytes that are unpacked in one step. A damaged body loses the step that is damaged, and keeps those before it."""

MOST: Final = 4
"""Encodings, one within the other, that are undone."""

MOST_MEMBERS: Final = 1000
"""Members of one gzip file that are read."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A body, as far as it could be unpacked.

    Attributes:
        body: its beginning, where the rest cannot be read.
        flaw: why it cannot be read whole, in words that go on after "the answer …"; empty where it can.
        ignored: encodings that were not undone.
    """

    body: bytes
    flaw: str = ""
    ignored: tuple[str, ...] = ()


class BrokenError(Exception):
    """A packed body does not match its encoding; holds the part that was unpacked before."""

    def __init__(self, body: bytes, flaw: str) -> None:
        super().__init__(flaw)
        self.body = body
        self.flaw = flaw


def encodings_of(header: str) -> list[str]:
    """The encodings that ``Content-Encoding`` names, in the order in which they were applied, identity left out."""
    names = [name.strip().lower() for name in header.split(",")]
    return [name for name in names if name not in ("", "identity")]


def unpacked(body: bytes, encodings: list[str], limit: int) -> Unpacked:
    """A body without these encodings.

    Args:
        body: the bytes as they came.
        encodings: in the order in which they were applied.
        limit: bytes that any of them may unpack to.
    """
    ignored: list[str] = encodings[:-MOST]
    for name in reversed(encodings[-MOST:]):
        unpack = _UNPACK.get(name)
        if unpack is None or not body:
            ignored += [name] if body else []
            continue
        try:
            body = unpack(body, name, limit)
        except BrokenError as error:
            if not is_text(body):
                return Unpacked(error.body, error.flaw, tuple(ignored))
            ignored.append(name)
    return Unpacked(body, ignored=tuple(ignored))


def _gunzip(body: bytes, name: str, limit: int) -> bytes:
    """All members of a gzip file, one after the other; zeros at its end are padding."""
    found = bytearray()
    at = 0
    for _ in range(MOST_MEMBERS):
        at = _inflate_stream(body, at, 16 + zlib.MAX_WBITS, found, name, limit)
        if not body[at:].strip(b"\0"):
            return bytes(found)
    raise BrokenError(bytes(found), f"is packed ({name}) in more than {MOST_MEMBERS} parts")


def _inflate(body: bytes, name: str, limit: int) -> bytes:
    """``deflate``: within zlib's frame by the standard, without it by some servers."""
    framed = len(body) >= 2 and body[0] & 0x0F == zlib.DEFLATED and (body[0] << 8 | body[1]) % 31 == 0
    found = bytearray()
    _inflate_stream(body, 0, zlib.MAX_WBITS if framed else -zlib.MAX_WBITS, found, name, limit)
    return bytes(found)


def _inflate_stream(body: bytes, at: int, bits: int, found: bytearray, name: str, limit: int) -> int:
    """Unpacks the one stream that begins at an offset, and returns the offset of its end.

    Raises:
        BrokenError: it is cut, damaged, or holds more than the limit.
    """
    stream = zlib.decompressobj(bits)
    while not stream.eof:
        packed = body[at : at + _PIECE]
        if not packed:
            raise BrokenError(bytes(found), f"is packed ({name}), and cut short")
        at += len(packed)
        try:
            found += stream.decompress(packed, limit + 1 - len(found))
        except zlib.error:
            raise BrokenError(bytes(found), f"is packed ({name}), and damaged") from None
        if len(found) > limit:
            raise BrokenError(bytes(found[:limit]), f"is larger than {limit // 2**20} MiB ({name}, unpacked)")
    return at - len(stream.unused_data)


_UNPACK: Final[dict[str, Callable[[bytes, str, int], bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
}


def is_text(body: bytes) -> bool:
    """Whether a body reads as text, which packed bytes do not: UTF-8 without control characters."""
    beginning = body[:4096]
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or len(body) <= len(beginning):
            return False
    return not beginning.translate(None, _NO_CONTROL)


_NO_CONTROL: Final = bytes(code for code in range(256) if code >= 0x20 or code in b"\t\r\n")
