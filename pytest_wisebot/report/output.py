"""The folder of reports: what its files are called, and the one place that writes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from ..errors import ConfigurationError
from ..event_log import read_events
from .baseline import NONE_YET
from .conclusion import Baseline, Conclusion
from .document import json_report
from .html import html_report
from .log_reader import model_of
from .markdown import markdown_report

LOG: Final = "runs.jsonl"
"""The event log, written as things end: of it alone all others can be made."""

KEPT_LOG: Final = "events.jsonl"
"""What the same log is called in the folder of a session that was kept."""

JSON: Final = "report.json"
SUMMARY: Final = "summary.md"

_WRITERS: Final[Mapping[str, Callable[[Conclusion], str]]] = {
    JSON: json_report,
    SUMMARY: markdown_report,
    "report.html": lambda one: html_report(one.model, one.verdict, one.comparison),
}


def log_in(folder: Path) -> Path:
    """The event log of a folder: of reports, or of a session that was kept."""
    own, kept = folder / LOG, folder / KEPT_LOG
    return kept if kept.is_file() and not own.is_file() else own


def clear(folder: Path) -> None:
    """Makes the folder, and takes away what an earlier session has reported there: it must not be taken for this one's.

    Raises:
        OSError: it cannot be made, or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (LOG, *_WRITERS):
        (folder / name).unlink(missing_ok=True)


def write_reports(folder: Path, conclusion: Conclusion) -> None:
    """Writes every report but the log.

    Raises:
        OSError: a file cannot be written.
    """
    for name, written in _WRITERS.items():
        _write_whole(folder / name, written(conclusion))


def write_json(folder: Path, conclusion: Conclusion) -> None:
    """Writes the report for programs alone.

    Raises:
        OSError: it cannot be written.
    """
    _write_whole(folder / JSON, json_report(conclusion))


def write_summary(folder: Path, conclusion: Conclusion) -> None:
    """Writes the summary alone.

    Raises:
        OSError: it cannot be written.
    """
    _write_whole(folder / SUMMARY, markdown_report(conclusion))


def read_baseline(path: Path, name: str) -> Baseline | Literal["none"]:
    """An earlier session's log, to compare with.

    Args:
        path: the log, or the folder of reports that has it.
        name: what to call it, as it was given; ``none`` states that there is no earlier session yet.

    Raises:
        ConfigurationError: it cannot be read, or is no log of a session.
    """
    if name == NONE_YET:
        return NONE_YET
    log = log_in(path) if path.is_dir() else path
    model = model_of(read_events(log))
    if not model.tests:
        raise ConfigurationError(f"{log}: holds no test that has ended: a {LOG} of an earlier session is wanted")
    return Baseline(model, name)


def _write_whole(path: Path, text: str) -> None:
    """Whoever looks sees the old file or the new one, and never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
