"""Names of snapshot files: readable, safe on every system, and never one file for two tests.

syrupy drops the characters that a file name may not hold and cuts what is too long, so that ``a/b`` and ``ab`` share a
file, and the second overwrites the first. Here a name that had to be changed ends in a short hash of what it was.
Names that differ by case alone would be one file on Windows and macOS: of those only one goes without a hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from ..files import write_whole

MOST_BYTES = 170
"""What a test's name takes of the 255 bytes of a file's name; its hash takes 9 more."""

MOST_BYTES_OF_INDEX = 60
"""What the name that a test gives one of its snapshots takes; with a hash of its own, and ``.json``, it all fits."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.,+=@ ()%-]")
_UNSAFE_IN_NAMES = re.compile(r"[^\w.,+=@ ()%-]")  # an identifier's letters may be of any script
_WORD = re.compile(r"[A-Za-z]+")
_RESERVED = re.compile(r"\A(con|prn|aux|nul|com\d|lpt\d)(?=\.|\Z)", re.IGNORECASE)  # Windows' devices, with any suffix
_SUFFIX = re.compile(r"(\.[1-9][0-9]*|\[[^\[\]]*\](~[0-9a-f]{8})?)\Z")
_USUAL = {"true": "True", "false": "False", "none": "None"}
_APIS = ("webhook", "dashboard")


def stem(test: str, index: int | str = 0) -> str:
    """The name of a snapshot's file, without its extension.

    Args:
        test: the test's name with its classes and parameters, ``TestRefund.test_paid[EUR-3]``.
        index: which of the test's snapshots: its number, or the name that the test gave it.
    """
    return stem_of_test(test) + _suffix(index)


@lru_cache(maxsize=1024)
def stem_of_test(test: str) -> str:
    """The name of a test's first snapshot, with which those of its others begin."""
    name, bracket, parameters = test.partition("[")
    *classes, function = name.split(".")
    cleaned = _RESERVED.sub(r"\1_", _UNSAFE_IN_NAMES.sub("_", name))
    twins = function != function.casefold() or any(one[:1] != one[:1].upper() for one in classes)
    if bracket:
        safe = _UNSAFE.sub("_", parameters.removesuffix("]"))
        twins = twins or _has_a_twin(safe)
        cleaned += f"[{safe}]"
    return _fitting(cleaned, test, MOST_BYTES, changed=twins or cleaned != test)


def stems_of_tests(found: str) -> set[str]:
    """The names of tests, as `stem_of_test` gives them, of which a file of this name may hold a snapshot."""
    return {found, _SUFFIX.sub("", found)}


def without_part(test: str, parts: Sequence[str], place: int) -> str:
    """A parametrised test's name without one part of its id."""
    name = test.removesuffix(f"[{'-'.join(parts)}]")
    left = [part for index, part in enumerate(parts) if index != place]
    return f"{name}[{'-'.join(left)}]" if left else name


def without_api(test: str) -> Iterator[str]:
    """The names that a test may have had before an API became part of its id, where nothing else is known of it."""
    _, bracket, parameters = test.partition("[")
    parts = parameters.removesuffix("]").split("-")
    for place, part in enumerate(parts if bracket else ()):
        if part in _APIS:
            yield without_part(test, parts, place)


def read(location: str) -> str | None:
    """The text of a snapshot file; None where there is none.

    What is no UTF-8 becomes lone surrogates, which no file that was written here holds.
    """
    try:
        return Path(location).read_text("utf-8", "surrogateescape")  # a checkout may have made CRLF of its line ends
    except FileNotFoundError:
        return None


def write(location: str, text: str) -> None:
    """Writes a snapshot file at once or not at all: another worker, or a killed session, sees no half of it."""
    path = Path(location)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its temporary file begins with a dot: syrupy does not take that of a killed process for a snapshot.
    write_whole(str(path), text.encode("utf-8"))


NOT_REMOVED: list[str] = []
"""Unused files that could not be removed, and why: syrupy removes them when the session ends, and tells no test."""


def remove_or_note(location: str) -> None:
    """Removes a snapshot file; one that cannot be removed keeps syrupy from none of the others."""
    try:
        Path(location).unlink(missing_ok=True)
    except OSError as error:
        NOT_REMOVED.append(f"{location} cannot be removed: {error.strerror}")


def _suffix(index: int | str) -> str:
    if isinstance(index, int):
        return f".{index}" if index else ""
    safe = _UNSAFE.sub("_", index)
    return _fitting(f"[{safe}]", index, MOST_BYTES_OF_INDEX, changed=safe != index or _has_a_twin(safe))


def _has_a_twin(parameters: str) -> bool:
    """Whether other names differ from this one by case alone, and one of them is the more usual."""
    words = _WORD.findall(parameters)
    return any(word != _USUAL.get(word.lower(), word.lower()) for word in words)


def _fitting(cleaned: str, raw: str, most: int, *, changed: bool) -> str:
    encoded = cleaned.encode("utf-8", "replace")
    if not changed and len(encoded) <= most:
        return cleaned
    digest = hashlib.sha256(raw.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    if len(encoded) <= most:
        return f"{cleaned}~{digest}"
    cut = encoded[: most - 1].decode("utf-8", "ignore")
    return f"{cut}{']' if cleaned.endswith(']') else ''}~{digest}"
