"""Where the snapshots of a test stand, and the names of their files: readable, safe, and never one file for two tests.

A test's name is without its API, since both APIs have one snapshot. syrupy drops the characters that a file name may
not hold and cuts what is too long, so that ``a/b`` and ``ab`` share a file, and the second overwrites the first. Here a
name that had to be changed ends in a short hash of what it was. Names that differ by case alone would be one file on
Windows and macOS: of those only one goes without a hash.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from syrupy.extensions.base import SnapshotCollectionStorage
from syrupy.location import PyTestLocation

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


# --- places, and the names of tests


@lru_cache(maxsize=1024)
def folders(module: str, dirname: str) -> tuple[str, str]:
    """Where the snapshots of a module's neighbours stand, and where its own."""
    path = Path(module)
    around = path.parent / dirname
    return str(around), str(around / path.stem)


def name_of_test(location: PyTestLocation) -> str:
    """A test's name with its classes and parameters, but for the API's: both APIs have one snapshot."""
    name = location.snapshot_name
    callspec = getattr(location.item, "callspec", None)
    if callspec is not None and not name.endswith("]"):
        return f"{name}[]"  # of parameters whose id is hidden: others of the test have theirs where a name would stand
    if callspec is None or callspec.params.get("wisebot_api") is None:
        return name
    parts = list(getattr(callspec, "_idlist", None) or callspec.id.split("-"))
    left = _without_api(location.item, callspec, parts)
    if left is None:
        return name
    return name.removesuffix(f"[{'-'.join(parts)}]") + (f"[{'-'.join(left)}]" if left else "")


def _without_api(item: Any, callspec: Any, parts: list[str]) -> list[str] | None:
    """The parts of a test's id without its API; None where they do not show it."""
    case = callspec.params.get("wisebot_case")
    with_api = f"{case.id}-{callspec.params['wisebot_api']}" if case is not None else ""
    if with_api in parts:  # of a row that names both APIs
        return [case.id if part == with_api else part for part in parts]
    place = _place_of_api(item, callspec, parts)
    return None if place is None else parts[:place] + parts[place + 1 :]


def _place_of_api(item: Any, callspec: Any, parts: list[str]) -> int | None:
    """Which part of a test's id is its API: another parameter may have the same value."""
    groups = _groups(item, list(callspec.params))
    if len(groups) == len(parts):
        return groups.index(["wisebot_api"]) if ["wisebot_api"] in groups else None
    api = str(callspec.params["wisebot_api"])
    return parts.index(api) if api in parts else None


def _groups(item: Any, names: list[str]) -> list[list[str]]:
    """The parameters, those together that one mark gives at once: an id has one part for each of these groups."""
    together = [_names(mark) for mark in item.iter_markers("parametrize")]
    groups: list[list[str]] = []
    for name in names:
        if groups and any(name in given and groups[-1][-1] in given for given in together):
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def _names(mark: Any) -> list[str]:
    given = mark.args[0] if mark.args else mark.kwargs.get("argnames", "")
    return [name.strip() for name in (given.split(",") if isinstance(given, str) else given)]


def place_of(item: Any) -> tuple[str, str]:
    """The folder of a test's snapshots, and what the names of their files begin with."""
    location = PyTestLocation(item)
    folder = folders(location.filepath, str(SnapshotCollectionStorage.snapshot_dirname))[1]
    return folder, stem_of_test(name_of_test(location))


# --- the names of files


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
    cleaned, twins = _stem_of_name(name)
    if bracket:
        safe = _UNSAFE.sub("_", parameters.removesuffix("]"))
        twins = twins or _has_a_twin(safe)
        cleaned += f"[{safe}]"
    return _fitting(cleaned, test, MOST_BYTES, changed=twins or cleaned != test)


@lru_cache(maxsize=64)
def _stem_of_name(name: str) -> tuple[str, bool]:
    """The stem of a name without parameters, and whether other names differ from it by case alone."""
    *classes, function = name.split(".")
    twins = function != function.casefold() or any(one[:1] != one[:1].upper() for one in classes)
    return _RESERVED.sub(r"\1_", _UNSAFE_IN_NAMES.sub("_", name)), twins


def stems_of_tests(found: str) -> set[str]:
    """The names of tests, as `stem_of_test` gives them, of which a file of this name may hold a snapshot."""
    return {found, _SUFFIX.sub("", found)}


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
