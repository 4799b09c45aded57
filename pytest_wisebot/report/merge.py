"""Joins the event logs of the shards of a suite: line by line, each session with the name of its shard."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..event_log import FORMAT, event_line, read_events
from .output import LOG, clear, log_in


def write_joined(shards: Sequence[Path], folder: Path, said: Mapping[str, Any]) -> Path:
    """Writes the log of all shards, and gives its path. A shard that has none is said to be missing, in the log, too.

    Args:
        shards: their folders.
        folder: where it goes; what was reported there before is taken away.
        said: what holds for the union, of the options that were given (see `add_event`).

    Raises:
        ConfigurationError: a log cannot be read, there is none at all, or the output is a shard.
        OSError: it cannot be written.
    """
    if folder.resolve() in {shard.resolve() for shard in shards}:
        raise ConfigurationError(f"{folder}: is a shard itself: write the union somewhere else")
    found = [shard for shard in shards if log_in(shard).is_file()]
    if not found:
        raise ConfigurationError(f"none of {', '.join(map(str, shards))} has a {LOG}")
    clear(folder)
    temporary = folder / f".{LOG}.{os.getpid()}.tmp"
    with temporary.open("wb") as file:
        for shard, name in zip(shards, names(shards), strict=True):
            for event in _events(shard, name):
                file.write(event_line(event))
    log = temporary.replace(folder / LOG)
    add_event(log, said)
    return log


def add_event(log: Path, said: Mapping[str, Any]) -> None:
    """Adds to a joined log what holds for the union, so that reports that are made of it later agree.

    Args:
        log: the file.
        said: what is kept; values that are None say nothing.
    """
    known = {name: value for name, value in said.items() if value is not None}
    if known:
        with log.open("ab") as file:
            file.write(event_line({"event": "merge", **known}))


def joined(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The events of these folders, one after the other.

    Raises:
        ConfigurationError: one has no log that can be read.
    """
    for folder in folders:
        yield from read_events(log_in(folder))


def names(shards: Sequence[Path]) -> list[str]:
    """What to call shards: the folder's own name, or its path where others have the same."""
    short = [shard.resolve().name for shard in shards]
    return [name if short.count(name) == 1 else str(shard) for shard, name in zip(shards, short, strict=True)]


def _events(shard: Path, name: str) -> Iterator[dict[str, Any]]:
    log = log_in(shard)
    first = True
    for event in read_events(log) if log.is_file() else ():
        if first and event.get("event") != "session":
            yield _missing(name)
        first = False
        if event.get("event") == "merge":  # of a union that is a part of this one
            continue
        yield {**event, "shard": name} if event.get("event") == "session" else event
    if first:
        yield _missing(name)


def _missing(name: str) -> dict[str, Any]:
    """The first line of a shard that was never begun, or killed before it knew its tests."""
    return {"event": "session", "format": FORMAT, "shard": name, "selected": None}
