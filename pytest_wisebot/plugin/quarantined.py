"""The quarantines of the selected tests: of their markers, and of ``[quarantine]`` in ``wisebot.toml``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from ..errors import ConfigurationError
from ..quarantine import Quarantine, parse
from ..settings import Settings
from ..settings.settings import FILE_NAME, table_place
from ..text import toml_key
from . import markers
from .collection import Collection, refuse_collection
from .gate_selection import collects_whole
from .session_state import state_of
from .settings_source import resolved


def find_quarantines(session: pytest.Session) -> None:
    """Keeps the quarantine of each selected test for its reports.

    Raises:
        pytest.UsageError: a test has two quarantines, or ``wisebot.toml`` names a test that does not exist.
    """
    config = session.config
    settings = _settings(config)
    named, place = settings.quarantine, partial(_place, settings.file)
    problems = [f"{place(name)}: {why}" for name, why in _unknown(session, named)]
    found = state_of(config).quarantines
    for item in session.items:
        own = _of_markers(item)
        name = next((one for one in _names(item) if one in named), None) if named else None
        if own is not None and name is not None:
            problems.append(f"{place(name)}: the test's marker has a quarantine, too: leave one of the two")
        elif quarantine := own or (parse(named[name]) if name is not None else None):
            found[item.nodeid] = quarantine
    refuse_collection(config, problems)


def _settings(config: pytest.Config) -> Settings:
    """The settings, of which a mistake has its message elsewhere."""
    with suppress(ConfigurationError):
        return resolved(config)
    return Settings()


def _place(file: Path | None, name: str) -> str:
    """A key of ``[quarantine]``, for messages."""
    return f"{file.name if file is not None else FILE_NAME}: {toml_key(*table_place(file), 'quarantine', name)}"


def _of_markers(item: pytest.Item) -> Quarantine | None:
    with suppress(ValueError):  # of a test that is skipped: that of any other is an error of the collection
        return markers.quarantine_of(item)
    return None


def _names(item: pytest.Item) -> Iterator[str]:
    """The names by which ``[quarantine]`` may have a test: its id, and the one of all its parameters."""
    nodeid = item.nodeid
    if getattr(item.config.option, "loadgroup", False) or item.config.getoption("dist", "no") == "loadgroup":
        nodeid = nodeid.rpartition("@")[0] or nodeid  # xdist has appended the test's group
    yield nodeid
    yield nodeid.partition("[")[0]


def _unknown(session: pytest.Session, named: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The names that match no test, as far as this session has collected the tests of their files; and why."""
    items = state_of(session.config).one(Collection).items.values() if named else ()
    known = {name for item in items for name in _names(item)}
    if not (missing := [name for name in named if name not in known]):
        return
    is_whole = collects_whole(session)
    for name in missing:
        if is_whole(name.partition("::")[0]):
            near = difflib.get_close_matches(name, known, n=1)
            yield name, "there is no such test" + (f', did you mean "{near[0]}"?' if near else "")
