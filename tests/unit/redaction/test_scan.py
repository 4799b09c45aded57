"""The last look at files: what it finds, how it says so, and what it survives."""

from __future__ import annotations

import base64
import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.redaction import MASK, Redactor, Secret
from pytest_wisebot.redaction import scan as scan_module
from pytest_wisebot.redaction.scan import PIECE, SHARED, Finding, scan_file, scan_folder

CANARY = 'CANARY/0123+456"789'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJGQUtFIn0.FAKE-signature_0123"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor([Secret(CANARY)])


def told(path: Path, redactor: Redactor) -> list[str]:
    """What a scan tells of a file or folder, from the folder on."""
    found = [
        str(finding).removeprefix(f"{path}/").removeprefix(f"{path.parent}/") for finding in scan_folder(path, redactor)
    ]
    assert "CANARY" not in repr(found)
    assert "CANARY" not in repr(list(scan_folder(path, redactor)))
    return found


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"one\ntwo " + CANARY.encode() + b" three\nfour", "x:2: two <secret> three"),
        (b'{"a": "CANARY/0123+456\\"789"}', 'x:1: {"a": "<secret>"}'),
        (quote(CANARY, safe="").encode(), "x:1: <secret>"),
        (b"\r\n\r\n" + CANARY[::-1].encode(), "x:3: <secret>"),
        (b"auth: " + base64.b64encode(f"user:{CANARY}".encode()), "x:1: auth: dXNlcjp<secret>"),
        (b"key: |\n  " + base64.encodebytes(b"-" * 51 + CANARY.encode()).replace(b"\n", b"\r\n  "),
         f"x:2: {'LS0t' * 10}<secret>Q=="),
        (CANARY.encode().hex(" ").encode(), "x:1: <secret>"),
        (f"token {JWT}.".encode(), "x:1: token <secret>."),
        (b"wb_live_FAKE0123456789", "x:1: <secret>"),
        ("caf\u00e9 ".encode("latin-1") + CANARY.encode(), "x:1: caf <secret>"),
        (f"one\ntw\u00f6 {CANARY}".encode("utf-8-sig"), "x:2: tw\u00f6 <secret>"),
        (f"one\ntw\u00f6 {CANARY}".encode("utf-16"), "x:2: tw\u00f6 <secret>"),
        (b"\xfe\xff" + f"one\ntwo {CANARY}".encode("utf-16-be"), "x:2: two <secret>"),
        (f"one\ntwo {CANARY}".encode("utf-32"), "x:2: two <secret>"),
        (f"one two {CANARY}".encode("utf-16-le"), "x: byte 16: one two <secret>"),
        (b"x" + f"one two {CANARY}".encode("utf-16-be"), "x: byte 17: one two <secret>"),
        (b"x" + f"one two {CANARY}".encode("utf-32-be"), "x: byte 33: one two <secret>"),
        (b"\0\1\2" + CANARY.encode() + b"\0", "x: byte 3: <secret>"),
        (f"{CANARY}, {CANARY}\n".encode(), "x:1: <secret>,"),
    ],
)  # fmt: skip
def test_a_credential_is_found_in_each_form_and_encoding(
    tmp_path: Path, redactor: Redactor, data: bytes, finding: str
) -> None:
    """A file is told with the line, or the byte in a binary file, and what stands around the mask."""
    (tmp_path / "x").write_bytes(data)

    (found,) = told(tmp_path, redactor)

    assert found == finding


def test_what_holds_no_credential_is_not_told(tmp_path: Path, redactor: Redactor) -> None:
    """Masks, parts of a credential, headers with a reference and other people's words are no finding."""
    text = f"{MASK} {CANARY[:-1]} Authorization: Bearer $TOKEN eyJ.a.b wb_live_ Authorization: Bearer YOUR_TOKEN"
    (tmp_path / "x").write_text(text)

    assert told(tmp_path, redactor) == []


def test_every_line_is_told_once_and_every_file_in_order(tmp_path: Path, redactor: Redactor) -> None:
    """A folder is told file by file in the order of names, the folders below it included."""
    (tmp_path / "b").mkdir()
    for name in ("b/two", "c", "a"):
        (tmp_path / name).write_text(f"{CANARY}\n\n{CANARY}\n")

    assert told(tmp_path, redactor) == [
        "a:1: <secret>", "a:3: <secret>", "c:1: <secret>", "c:3: <secret>", "b/two:1: <secret>", "b/two:3: <secret>",
    ]  # fmt: skip


def test_a_name_that_holds_a_credential_is_a_finding(tmp_path: Path) -> None:
    """Names of files and folders are looked at, and shown masked."""
    redactor = Redactor([Secret("CANARY-0123456")])
    (tmp_path / "CANARY-0123456").mkdir()
    (tmp_path / "CANARY-0123456" / "x-CANARY-0123456.txt").write_text("nothing")

    assert told(tmp_path, redactor) == [
        "<secret>: the name holds a credential",
        "<secret>/x-<secret>.txt: the name holds a credential",
    ]


def test_what_cannot_be_read_is_told(tmp_path: Path, redactor: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be opened is a finding of its own and stops nothing: nobody knows what it holds."""
    (tmp_path / "b").write_text(CANARY)
    locked = tmp_path / "a"
    locked.write_text(CANARY)
    opened = Path.open

    def refuse(path: Path, *args: Any) -> Any:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return opened(path, *args)

    monkeypatch.setattr(Path, "open", refuse)

    assert list(scan_folder(tmp_path, redactor)) == [
        Finding(str(locked), None, "cannot be read: Permission denied", unread=True),
        Finding(str(tmp_path / "b"), 1, "<secret>"),
    ]
    assert str(next(scan_file(locked, redactor))) == f"{locked}: cannot be read: Permission denied"


def test_what_is_not_there_is_told(tmp_path: Path, redactor: Redactor) -> None:
    """A path that leads nowhere was meant to be looked at, and is told."""
    assert told(tmp_path / "no", redactor) == ["no: cannot be read: there is no such file"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_links_pipes_and_what_is_packed_are_left_alone(tmp_path: Path, redactor: Redactor) -> None:
    """A link in a ring, one that leads nowhere, a pipe and a compressed file stop nothing and find nothing."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "ring").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(CANARY.encode()))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").write_text(CANARY)

    found = told(tmp_path, redactor)

    assert [line for line in found if "self" not in line] == ["link:1: <secret>", "real:1: <secret>"]
    assert [line for line in found if "self" in line] == ["self: cannot be read: Too many levels of symbolic links"]


@pytest.mark.parametrize("at", [0, 1, PIECE - 19, PIECE - 5, PIECE, PIECE + 5, PIECE - SHARED, PIECE - SHARED // 2,
                                PIECE - SHARED // 2 - 3, 2 * PIECE - SHARED - 4, 3 * PIECE])  # fmt: skip
@pytest.mark.parametrize("fill", [b"x", b"\n", b"\0"], ids=["one-line", "lines", "binary"])
def test_a_credential_is_found_wherever_the_pieces_meet(
    tmp_path: Path, redactor: Redactor, at: int, fill: bytes
) -> None:
    """What lies across two pieces is found once, and its line and byte are those of the whole file."""
    (tmp_path / "x").write_bytes(fill * at + CANARY.encode() + fill * (3 * PIECE - at))

    (found,) = scan_file(tmp_path / "x", redactor)

    expected = {b"x": (1, None), b"\n": (at + 1, None), b"\0": (None, at)}
    assert (found.line, found.offset) == expected[fill]


def test_a_huge_line_takes_little_memory(tmp_path: Path, redactor: Redactor) -> None:
    """A file of a single line is read in pieces: what it takes has nothing to do with its size."""
    with (tmp_path / "x").open("wb") as file:
        for _ in range(24):
            file.write(b"x" * 2**20)
        file.write(CANARY.encode())
    tracemalloc.start()

    (found,) = scan_file(tmp_path / "x", redactor)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(found).endswith(f"x:1: {'x' * 40}<secret>")
    assert peak < 16 * 2**20


def test_a_quick_look_is_all_that_most_files_get(
    tmp_path: Path, redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no mark of any credential stands, nothing is decoded and no pattern runs."""
    (tmp_path / "x").write_text("nothing to be seen here\n" * 1000)
    monkeypatch.setattr(scan_module, "_in_text", lambda *_: pytest.fail("a closer look was taken"))

    assert list(scan_file(tmp_path / "x", redactor)) == []


PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=8, max_size=30)
WRITTEN: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-32": lambda text: text.encode("utf-32"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "quoted": lambda text: quote(text).encode(),
}


@given(
    credential=PRINTABLE.map(str.strip).filter(lambda text: len(text) >= 8),
    before=st.binary(max_size=9),
    written=st.sampled_from(sorted(WRITTEN)),
)
def test_any_credential_is_found_in_any_file(
    tmp_path_factory: pytest.TempPathFactory, credential: str, before: bytes, written: str
) -> None:
    """Whatever the credential, and whatever stands before it, its file is told."""
    path = tmp_path_factory.mktemp("scan") / "x"
    mark = b"" if written in ("utf-16", "utf-32") else before * (2 if written == "utf-16-le" else 1)
    path.write_bytes(mark + WRITTEN[written](credential))

    assert list(scan_file(path, Redactor([Secret(credential)])))
