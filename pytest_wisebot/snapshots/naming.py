"""Where the snapshots of a test stand, and what it is called there: without its API, since both have one snapshot."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from syrupy.extensions.base import SnapshotCollectionStorage
from syrupy.location import PyTestLocation

from . import files


@lru_cache(maxsize=1024)
def folders(module: str, dirname: str) -> tuple[str, str]:
    """Where the snapshots of a module's neighbours stand, and where its own."""
    path = Path(module)
    around = path.parent / dirname
    return str(around), str(around / path.stem)


def name_of_test(location: PyTestLocation) -> str:
    """A test's name with its classes and parameters, of which an API is none: both APIs have one snapshot."""
    name = location.snapshot_name
    callspec = getattr(location.item, "callspec", None)
    if callspec is not None and not name.endswith("]"):
        return f"{name}[]"  # of parameters whose id is hidden: others of the test have theirs where a name would stand
    if callspec is None or "wisebot_api" not in callspec.params:
        return name
    parts = list(getattr(callspec, "_idlist", None) or callspec.id.split("-"))
    place = _place_of_api(location.item, callspec, parts)
    return files.without_part(name, parts, place) if place is not None else name


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
    return folder, files.stem_of_test(name_of_test(location))


def is_told(item: Any, *, by_name: bool) -> bool:
    """Whether syrupy can tell by its name that a snapshot is this test's.

    Args:
        item: the test.
        by_name: syrupy knows its node id alone, as on xdist's controller.
    """
    location = PyTestLocation(item)
    stem = files.stem_of_test(name_of_test(location))
    if stem == location.snapshot_name:
        return True
    names = possible_names(PyTestLocation(_name_alone(item)) if by_name else location)
    return stem in map(files.stem_of_test, names) and location.matches_snapshot_name(stem)


def possible_names(location: PyTestLocation) -> set[str]:
    """The names a test may have: in a node id alone, any part may be that of the API."""
    names = {name_of_test(location)}
    return names if hasattr(location.item, "config") else names.union(files.without_api(location.snapshot_name))


def _name_alone(item: Any) -> Any:
    return SimpleNamespace(nodeid=item.nodeid, name=item.name, path=item.path, obj=item.obj)
