"""The folder of reports: the names of its files, and the functions that read and write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import ConfigurationError
from ..event_log import read_events
from ..files import write_whole
from .baseline import NONE_YET
from .document import json_report
from .gate import Baseline, Conclusion
from .html import html_report
from .log_reader import model_of
from .markdown import markdown_report

LOG: Final = "runs.jsonl"
"""The event log: every other file can be made of it alone."""

KEPT_LOG: Final = "events.jsonl"
"""The name of the same log in the folder of a kept session."""

JSON: Final = "report.json"
SUMMARY: Final = "summary.md"

_WRITERS: Final[Mapping[str, Callable[[Conclusion], str]]] = {
    JSON: json_report,
    SUMMARY: markdown_report,
    "report.html": lambda one: html_report(one.model, one.verdict, one.comparison),
}


def log_in(folder: Path) -> Path:
    """The event log of a folder: of reports, or of a kept session."""
    own, kept = folder / LOG, folder / KEPT_LOG
    return kept if kept.is_file() and not own.is_file() else own


def read_logs(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The events of these folders, one folder after the other.

    Raises:
        ConfigurationError: a folder has no log that can be read.
    """
    for folder in folders:
        yield from read_events(log_in(folder))


def clear(folder: Path) -> None:
    """Makes the folder, and removes the reports of an earlier session from it.

    Raises:
        OSError: the folder cannot be made, or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (LOG, *_WRITERS):
        (folder / name).unlink(missing_ok=True)


def write_reports(folder: Path, conclusion: Conclusion, *names: str) -> None:
    """Writes these reports; without a name, every report.

    Raises:
        OSError: a file cannot be written.
    """
    for name in names or _WRITERS:
        write_whole(str(folder / name), _WRITERS[name](conclusion).encode())


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
    model = model_of(read_events(log))
    if not model.tests:
        raise ConfigurationError(f"{log}: holds no test that has ended: a {LOG} of an earlier session is wanted")
    return Baseline(model, name)
