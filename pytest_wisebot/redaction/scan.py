"""Looks for credentials in files: the last look at what a session wrote, or at any folder.

Files are read as bytes, piece by piece, so that one of any size, and of a single line, takes little memory. A quick
look at the bytes says where a closer one is worth it. Texts may be of any encoding that writes ASCII as it is; UTF-16
and UTF-32 are read by their mark, and looked for in every other file that holds zero bytes. Compressed files are not
opened, links to folders are not followed, and what is not a regular file (a pipe, a device) is left alone.
"""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ..originals import os
from .forms import MASK, SearchText
from .redactor import Redactor

PIECE: Final = 2**20
"""Bytes that are looked at together."""

SHARED: Final = 2**16
"""Bytes that a piece shares with the next one, at least: what is shorter is found where it crosses from one to the
other."""

_CONTEXT: Final = 40
_BINARY_SAMPLE: Final = 8192
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A credential in a file, or why a file could not be looked at. Nothing of it shows the credential.

    Attributes:
        path: the file, masked where its name holds a credential.
        line: the line, from 1; None where there is none.
        excerpt: the text around the credential, masked; or what is wrong with the file.
        offset: the byte in a binary file, from 0; None in a text file.
        unread: the file could not be looked at, so that nothing is known of it.
    """

    path: str
    line: int | None
    excerpt: str
    offset: int | None = None
    unread: bool = False

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.path}:{self.line}: {self.excerpt}"
        place = f"byte {self.offset}: " if self.offset is not None else ""
        return f"{self.path}: {place}{self.excerpt}"


def scan_folder(folder: Path, redactor: Redactor) -> Iterator[Finding]:
    """What `scan_file` finds in all files below a folder, in the order of their names; a file may be given as well."""
    if not folder.is_dir():
        yield from scan_file(folder, redactor)
        return
    unread: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=unread.append):
        folders.sort()
        for name in folders:
            yield from _in_name(Path(place, name), redactor)
        for name in sorted(files):
            yield from scan_file(Path(place, name), redactor)
    for error in unread:
        yield _unread(Path(str(error.filename)), redactor, error)


def scan_file(path: Path, redactor: Redactor) -> Iterator[Finding]:
    """Every line of a file, or place in a binary one, where a credential stands, and the file's own name.

    A credential is what the redactor knows, in each of its forms, or what looks like one. A file that cannot be read
    is a finding as well: its content is unknown.
    """
    yield from _in_name(path, redactor)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return
        with path.open("rb") as file:
            yield from _in_file(file, path, redactor)
    except FileNotFoundError:
        if not path.is_symlink():  # a link that leads nowhere holds nothing
            yield _unread(path, redactor, FileNotFoundError(2, "there is no such file"))
    except OSError as error:
        yield _unread(path, redactor, error)


def _in_name(path: Path, redactor: Redactor) -> Iterator[Finding]:
    if redactor.credential_spans(_readable(path.name)):
        yield Finding(_shown(path, redactor), None, "the name holds a credential")


def _unread(path: Path, redactor: Redactor, error: OSError) -> Finding:
    return Finding(_shown(path, redactor), None, f"cannot be read: {error.strerror}", unread=True)


def _shown(path: Path, redactor: Redactor) -> str:
    return redactor.clean(_readable(str(path)))


def _readable(text: str) -> str:
    """A name without the surrogates that stand for bytes which are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


# --- one file -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a file, with the zone in which what begins there is this piece's to tell, and not its neighbours'."""

    data: bytes
    base: int
    line: int
    zone: range


def _in_file(file: BinaryIO, path: Path, redactor: Redactor) -> Iterator[Finding]:
    sample = file.read(_BINARY_SAMPLE)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if sample.startswith(mark)), None)
    binary = encoding is None and b"\0" in sample
    file.seek(0)
    told = 0
    for piece in _pieces(file, encoding, max(SHARED, 64 * redactor.longest)):
        # Of what stands in the zone alone: what begins after it, the next piece has whole.
        for at, excerpt in _in_piece(piece, redactor):
            if binary:
                yield Finding(_shown(path, redactor), None, excerpt, offset=piece.base + at)
                continue
            line = piece.line + piece.data.count(b"\n", 0, at)
            if line > told:
                yield Finding(_shown(path, redactor), line, excerpt)
                told = line


def _pieces(file: BinaryIO, encoding: str | None, shared: int) -> Iterator[_Piece]:
    """A file in pieces that overlap; one of UTF-16 or UTF-32 as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
    kept, base, line = b"", 0, 1
    most = max(PIECE, 4 * shared)
    while True:
        read = file.read(most)
        is_last = len(read) < most
        fresh = decoder.decode(read, final=is_last).encode("utf-8", "replace") if decoder else read
        data = kept + fresh
        first = shared // 2 if base else 0
        last = len(data) if is_last else len(data) - shared // 2
        yield _Piece(data, base, line, range(first, max(first, last)))
        if is_last:
            return
        gone = max(0, len(data) - shared)
        line += data.count(b"\n", 0, gone)
        kept, base = data[gone:], base + gone


def _in_piece(piece: _Piece, redactor: Redactor) -> Iterator[tuple[int, str]]:
    """Where a credential begins in a piece, and the text around it, in order."""
    data = piece.data
    found: dict[int, str] = {}
    if redactor.may_hold_credential(SearchText(data)):
        found |= _in_text(data, "utf-8", "surrogateescape", 0, redactor)
    if b"\0" in data and redactor.may_hold_credential(SearchText(data.replace(b"\0", b""))):
        for encoding, width in (("utf-16-le", 2), ("utf-16-be", 2), ("utf-32-le", 4), ("utf-32-be", 4)):
            for shift in range(width):
                whole = data[shift : len(data) - (len(data) - shift) % width]
                errors = "surrogatepass" if width == 2 else "replace"
                for at, excerpt in _in_text(whole, encoding, errors, shift, redactor).items():
                    if not found.keys() & set(range(at - 3, at + 4)):  # the same, read from a byte beside it
                        found[at] = excerpt
    yield from ((at, found[at]) for at in sorted(found) if at in piece.zone)


def _in_text(data: bytes, encoding: str, errors: str, shift: int, redactor: Redactor) -> dict[int, str]:
    """What stands in bytes that are read as text, by the byte where it begins."""
    text = data.decode(encoding, errors)
    spans = redactor.credential_spans(text)
    places: dict[int, str] = {}
    at = shift
    end = 0
    for index, (start, stop) in enumerate(spans):
        at += _width(text[end:start], encoding, errors)
        before = text[max(spans[index - 1][1] if index else 0, start - _CONTEXT) : start]
        after = text[stop : min(spans[index + 1][0] if index + 1 < len(spans) else len(text), stop + _CONTEXT)]
        places[at] = _excerpt(before.rpartition("\n")[2], after.partition("\n")[0], redactor)
        at += _width(text[start:stop], encoding, errors)
        end = stop
    return places


def _width(text: str, encoding: str, errors: str) -> int:
    return 4 * len(text) if encoding.startswith("utf-32") else len(text.encode(encoding, errors))


def _excerpt(before: str, after: str, redactor: Redactor) -> str:
    text = redactor.clean(f"{before}{MASK}{after}")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
