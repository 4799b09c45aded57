"""Joins the event logs of the shards of a suite: line by line, each session with the name of its shard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..event_log import FORMAT, event_line, read_events
from ..files import write_whole
from .output import LOG, clear, log_in


def write_joined(shards: Sequence[Path], folder: Path, options: Mapping[str, Any]) -> Path:
    """Writes the log of all shards, and returns its path. The log names the shards that have no log.

    Args:
        shards: their folders.
        folder: the output; the reports that are there are removed.
        options: values that hold for the union (see `add_event`).

    Raises:
        ConfigurationError: a log cannot be read, no shard has a log, or the output is a shard.
        OSError: the log cannot be written.
    """
    if folder.resolve() in {shard.resolve() for shard in shards}:
        raise ConfigurationError(f"{folder}: is a shard itself: write the union somewhere else")
    if not any(log_in(shard).is_file() for shard in shards):
        raise ConfigurationError(f"none of {', '.join(map(str, shards))} has a {LOG}")
    clear(folder)
    log = folder / LOG
    named = zip(shards, names(shards), strict=True)
    write_whole(str(log), b"".join(event_line(event) for shard, name in named for event in _events(shard, name)))
    add_event(log, options)
    return log


def add_event(log: Path, values: Mapping[str, Any]) -> None:
    """Adds values that hold for the union to a joined log, so that later reports agree.

    Args:
        log: the file.
        values: by name; None is left out.
    """
    known = {name: value for name, value in values.items() if value is not None}
    if known:
        with log.open("ab") as file:
            file.write(event_line({"event": "merge", **known}))


def names(shards: Sequence[Path]) -> list[str]:
    """The names of shards: the folder's name, or its path if another shard has the same name."""
    short = [shard.resolve().name for shard in shards]
    return [name if short.count(name) == 1 else str(shard) for shard, name in zip(shards, short, strict=True)]


def _events(shard: Path, name: str) -> Iterator[dict[str, Any]]:
    """The events of a shard. If it has no first line, it never began, or was killed before it had collected."""
    log = log_in(shard)
    events = list(read_events(log)) if log.is_file() else []
    if not events or events[0].get("event") != "session":
        yield {"event": "session", "format": FORMAT, "shard": name, "selected": None}
    for event in events:
        if event.get("event") != "merge":  # of a union that is a part of this one
            yield {**event, "shard": name} if event.get("event") == "session" else event
