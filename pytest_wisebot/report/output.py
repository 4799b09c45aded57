"""Reads and joins event logs, and shows what is made of them: the files of a folder, and lines for a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, Final, Literal, NamedTuple

from ..errors import ConfigurationError
from ..event_log import FORMAT, event_line
from ..files import is_locked, remove_file, write_whole
from ..text import escape
from .baseline import NONE_YET, Comparison
from .document import json_report
from .format import named
from .gate import Baseline, Conclusion
from .html import html_report, style_sheet
from .log_reader import model_of, read_log
from .markdown import MOST_BYTES, markdown_report
from .verdict import GateRule, GateStatus, RuleState

LOG: Final = "runs.jsonl"
"""The event log: every other file can be made of it alone."""

KEPT_LOG: Final = "events.jsonl"
"""The name of the same log in the folder of a kept session."""

JSON: Final = "report.json"
SUMMARY: Final = "summary.md"
PAGE: Final = "report.html"

_WRITERS: Final[Mapping[str, Callable[[Conclusion], str]]] = {
    JSON: json_report,
    SUMMARY: markdown_report,
    "report.css": lambda _: style_sheet(),
    PAGE: lambda one: html_report(one.model, one.verdict, one.comparison, one.trend),
}

_MASKS: Final = {SUMMARY: r"\<secret\>", PAGE: "&lt;secret&gt;"}
"""How the reports for people write the mask."""


def log_in(folder: Path) -> Path:
    """The event log of a folder: of reports, or of a kept session."""
    own, kept = folder / LOG, folder / KEPT_LOG
    return kept if kept.is_file() and not own.is_file() else own


def clear(folder: Path) -> None:
    """Makes the folder, and removes the reports of an earlier session from it.

    Raises:
        ConfigurationError: another session writes there, which would read the verdict of this one as its own.
        OSError: the folder cannot be made, or written.
    """
    if is_locked(folder / LOG):
        raise ConfigurationError(
            f"{folder}: another session, which has not ended, writes its reports there: each needs a folder of its own"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in (LOG, *_WRITERS):
        remove_file(folder / name)


def write_reports(
    folder: Path, conclusion: Conclusion, *names: str, clean: Callable[[str, str], str] = lambda text, _: text
) -> None:
    """Writes these reports; without a name, every report.

    Args:
        folder: where to.
        conclusion: what they are about.
        *names: their files.
        clean: cleans a whole report, with a mask that is written as the report's format demands. JSON is not cleaned:
            its values are those of the log, which is clean.

    Raises:
        OSError: a file cannot be written.
    """
    for name in names or _WRITERS:
        is_beside_page = name == SUMMARY and not names
        text = markdown_report(conclusion, page=PAGE) if is_beside_page else _WRITERS[name](conclusion)
        if name in _MASKS:  # last of all: what makes a page may have joined what had been apart
            text = clean(text, _MASKS[name])
        write_whole(str(folder / name), text.encode())


def append_summary(path: Path, conclusion: Conclusion, clean: Callable[[str, str], str] = lambda text, _: text) -> bool:
    """Appends the summary to a file, on a line of its own, as much of it as the file has room for.

    GitHub shows nothing of a file of more than 1 MiB. What is there already counts.

    Returns:
        Whether there was room for the verdict at least.

    Raises:
        OSError: the file cannot be written.
    """
    size = path.stat().st_size if path.is_file() else 0
    text = clean(markdown_report(conclusion, MOST_BYTES - size - 1), _MASKS[SUMMARY])
    if not text:
        return False
    with path.open("ab+") as file:
        if size:
            file.seek(-1, os.SEEK_END)
        start = b"\n" if size and file.read(1) != b"\n" else b""
        file.write(start + text.encode())
    return True


def read_baseline(path: Path, name: str) -> Baseline | Literal["none"]:
    """Reads an earlier session's log, to compare with.

    Args:
        path: the log, or the folder of reports that has it.
        name: the name of the baseline, as it was given; ``none`` states that there is no earlier session yet.

    Raises:
        ConfigurationError: the log cannot be read, or no test has ended in it.
    """
    if name == NONE_YET:
        return NONE_YET
    log = log_in(path) if path.is_dir() else path
    model = model_of(read_log(log))
    if not model.tests:
        raise ConfigurationError(f"{log}: holds no test that has ended: a {LOG} of an earlier session is wanted")
    return Baseline(model, name)


# --- the union of shards


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
    events = list(read_log(log)) if log.is_file() else []
    if not events or events[0].get("event") != "session":
        yield {"event": "session", "format": FORMAT, "shard": name, "selected": None}
    for event in events:
        if event.get("event") != "merge":  # of a union that is a part of this one
            yield {**event, "shard": name} if event.get("event") == "session" else event


# --- the terminal

COLOURS: Final = {
    GateStatus.OPEN: "green",
    GateStatus.CLOSED: "red",
    GateStatus.NO_VERDICT: "yellow",
    GateStatus.NOT_GATED: "cyan",
}


class BlockLine(NamedTuple):
    """A line below the verdict: the word of a rule with its colour, if the line has one, and the rest."""

    rest: str
    word: str = ""
    colour: str = ""

    def __str__(self) -> str:
        return f"  {self.word}{self.rest}" if self.word else self.rest


def block(conclusion: Conclusion, width: int) -> list[BlockLine]:
    """The lines below the verdict: the session, the rules, and the changes since the baseline.

    Args:
        conclusion: what they are about.
        width: columns of the terminal. Where a line of the table is longer, each test has a line of its own.
    """
    rows = conclusion.verdict.rows
    lines = list(_table(rows))
    if any(len(str(line)) > width for line in lines):
        lines = [line for row in rows for line in _stacked(row, max(map(len, map(_state, rows))), width)]
    build = escape(str(conclusion.model.build))
    texts = [conclusion.headline, *([f"from {build}"] if build else [])]
    head = [BlockLine(line) for text in texts for line in wrap(text, width, **_WHOLE_WORDS)]
    return [*head, *lines, *map(BlockLine, beside(conclusion.comparison))]


def _state(row: GateRule) -> str:
    return str(row.state)


def _table(rows: Sequence[GateRule]) -> Iterator[BlockLine]:
    """A line for each rule."""
    cells = [(_state(row), row.title, f"wanted {row.wanted}", f"measured {row.measured}") for row in rows]
    widths = [max(map(len, column)) for column in list(zip(*cells, strict=True))[:3]]
    for row, (state, title, wanted, measured) in zip(rows, cells, strict=True):
        rest = f"{' ' * (widths[0] - len(state))}  {title:<{widths[1]}}  {wanted:<{widths[2]}}  {measured}"
        yield BlockLine(rest, state, _STATE_COLOURS[row.state])


def _stacked(row: GateRule, widest: int, width: int) -> Iterator[BlockLine]:
    """Some lines for one rule: what is wanted and measured, and below it a line for each test."""
    indent = " " * (widest + 4)
    text = f"{row.title}: wanted {row.wanted}, measured {row.figure}"
    first, *others = wrap(text, max(20, width - len(indent)), **_WHOLE_WORDS)
    state = _state(row)
    yield BlockLine(f"{' ' * (widest - len(state))}  {first}", state, _STATE_COLOURS[row.state])
    yield from (BlockLine(f"{indent}{line}") for line in [*others, *(f"  {name}" for name in row.name_lines)])


_WHOLE_WORDS: Final[Mapping[str, Any]] = {"break_long_words": False, "break_on_hyphens": False}
"""A test's id is never divided: people copy it."""

_STATE_COLOURS: Final = {
    RuleState.OK: "green",
    RuleState.CLOSED: "red",
    RuleState.NO_VERDICT: "yellow",
    RuleState.NOT_JUDGED: "",
}


def beside(comparison: Comparison | None) -> Iterator[str]:
    """The changes since the baseline; no line without one."""
    if comparison is None:
        return
    yield f"beside {comparison.name}:"
    yield from (f"  {what}: {len(tests)} ({named(tests)})" for what, tests in comparison.lists.items() if tests)
    if not comparison.newly_failing:
        yield "  newly failing: none"
    yield from (f"  {one.name}: pass rate {one.rates}; p95 {one.p95s}" for one in comparison.workflows)
