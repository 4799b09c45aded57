"""The names of recordings: readable for a reviewer, and found by the digest of their request alone.

``webhook-test_was_charged-0939ea3b.json`` has the API, the first test that asked when the file was made, and the
beginning of the digest. The name of the test is for readers: parameters are left out of it, because they may be
personal, and so is all that is not an identifier. Lower case and ASCII make it the same name on every file system.

Earlier versions named a file by the digest alone, ``webhook-`` and 20 digits, and the digest was that of the workflow's
id where it is that of its name today. They began a numbered file when a file had become large.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from ..files import entries_of, open_to_read, seen
from ..originals import json
from ..runs import Occurrence

DIGITS: Final = 20
"""Digits of a digest. A file holds all of them."""

SHORT: Final = 8
"""Digits in the name of a file, unless another request of the same test has the same ones."""

MOST_READABLE: Final = 60
"""Characters of a test's name in the name of a file."""

_NAME: Final = re.compile(r"((?:webhook|dashboard))-.+-([0-9a-f]{20}|[0-9a-f]{8})\.json")

_OLD_NAME: Final = re.compile(r"((?:webhook|dashboard)-[0-9a-f]{20})(\.\d+)?\.json")

_HEAD: Final = 64 * 1024
"""Bytes of an old file in which its workflow's id stands."""

_ID: Final = re.compile(r'"workflow_id"\s*:\s*("(?:[^"\\]|\\.)*")')


def is_recording(name: str) -> bool:
    """Whether a file holds recordings, by its name."""
    return bool(_NAME.fullmatch(name) or _OLD_NAME.fullmatch(name))


def is_old(name: str) -> bool:
    """Whether an earlier version gave a file its name."""
    return _OLD_NAME.fullmatch(name) is not None


def is_digest(value: object) -> bool:
    """Whether a file has its whole digest, which an edit or a pattern of ``[redact]`` may have taken away."""
    return isinstance(value, str) and re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", value) is not None


def file_name(digest: str, first: Occurrence, *, whole: bool = False) -> str:
    """The name of a new file.

    Args:
        digest: the API and the digest of the request, ``webhook-0939ea3b…``.
        first: the first occurrence in the file.
        whole: the name has all digits of the digest.
    """
    api, _, number = digest.partition("-")
    return f"{api}-{_readable(first)}-{number if whole else number[:SHORT]}.json"


def _readable(occurrence: Occurrence) -> str:
    if occurrence.is_shared:
        return "shared"
    file, _, within = occurrence.test.partition("::")
    name = occurrence.fixture.partition("[")[0] or within.partition("[")[0].rpartition("::")[2]
    if not name.isidentifier():  # of an item that is not a function, such as a row of a table
        name = PurePosixPath(file).stem
    return re.sub(r"[^a-z0-9_]+", "-", name.lower())[:MOST_READABLE].strip("-") or "run"


class Listing:
    """The recordings in the folder of one workflow, by what their names tell.

    Args:
        folder: the folder, which need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = seen(folder)
        self._names: dict[tuple[str, str], list[str]] = {}
        self._old: dict[str, list[str]] = {}
        names = sorted((path.name for path in entries_of(folder)), key=lambda name: (len(name), name))
        for name in names:
            if found := _OLD_NAME.fullmatch(name):
                self._old.setdefault(found[1], []).append(name)
            elif found := _NAME.fullmatch(name):
                self._names.setdefault((found[1], found[2]), []).append(name)

    @property
    def is_current(self) -> bool:
        """Whether the folder is as it was listed."""
        return self._seen == seen(self._folder)

    def replace(self, digest: str, path: Path, others: Iterable[Path]) -> None:
        """Takes over that a request has this file, and no other one. For the process that has changed the folder."""
        api, _, number = digest.partition("-")
        gone = {one.name for one in others}
        for digits in (number, number[:SHORT]):
            names = self._names.setdefault((api, digits), [])
            names[:] = [name for name in names if name not in gone and name != path.name]
            if path.name.endswith(f"-{digits}.json"):
                names.append(path.name)
        if self._old:
            self._old = {key: left for key, names in self._old.items() if (left := [n for n in names if n not in gone])}
        self._seen = seen(self._folder)

    def files(self, digest: str) -> list[Path]:
        """The files of a request; and of another one whose digest begins with the same digits."""
        api, _, number = digest.partition("-")
        names = {name for digits in (number, number[:SHORT]) for name in self._names.get((api, digits), ())}
        return [self._folder / name for name in sorted(names)]

    def old_files(self, digests: Iterable[str]) -> list[Path]:
        """The files that an earlier version has named by one of these digests, in their order."""
        return [self._folder / name for digest in digests for name in self._old.get(digest, ())]

    @cached_property
    def _ids(self) -> set[str]:
        return {found for names in self._old.values() for name in names if (found := _id_in(self._folder / name))}

    @property
    def old_ids(self) -> set[str] | None:
        """The ids of the workflow in the files of earlier versions; None without such files."""
        return self._ids if self._old else None


def _id_in(path: Path) -> str:
    """The id of the workflow in an old file; empty where it cannot be read."""
    with suppress(OSError, ValueError), open_to_read(path) as file:
        if found := _ID.search(file.read(_HEAD).decode("utf-8", "replace")):
            return str(json.loads(found[1]))
    return ""
