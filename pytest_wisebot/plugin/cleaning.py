"""Takes credentials out of what pytest reports and logs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..redaction import Redactor


def clean_report(report: pytest.TestReport, redactor: Redactor) -> None:
    """Takes every known credential out of a report, before it is printed, written or sent to another process."""
    for name in ("longrepr", "sections", "wasxfail", "user_properties"):
        if hasattr(report, name):
            setattr(report, name, clean_value(getattr(report, name), redactor))


def clean_value(value: Any, redactor: Redactor) -> Any:
    """A part of a report without credentials: pytest's own objects are changed in place, plain values are copied."""
    return _cleaned(value, redactor, set())


def _cleaned(value: Any, redactor: Redactor, seen: set[int]) -> Any:
    if isinstance(value, str):
        return clean_text(value, redactor)
    if isinstance(value, tuple):
        return tuple(_cleaned(item, redactor, seen) for item in value)
    if isinstance(value, list):
        return [_cleaned(item, redactor, seen) for item in value]
    if isinstance(value, dict):
        return {key: _cleaned(item, redactor, seen) for key, item in value.items()}
    if id(value) not in seen and type(value).__module__.startswith("_pytest."):
        seen.add(id(value))
        for name, item in list(getattr(value, "__dict__", {}).items()):
            object.__setattr__(value, name, _cleaned(item, redactor, seen))
    return value


def clean_text(text: str, redactor: Redactor) -> str:
    """Clean, and without lone surrogates: xdist's channel cannot carry one, and a worker that sends one is lost."""
    cleaned = redactor.clean_cut(text)
    return cleaned if cleaned.isascii() else cleaned.encode("utf-8", "backslashreplace").decode()


def clean_logs(config: pytest.Config, redactor: Redactor) -> None:
    """Live logs and log files are no part of a report: what they write is cleaned as it is written."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    for name in ("log_cli_handler", "log_file_handler"):
        handler = getattr(plugin, name, None)
        if isinstance(handler, logging.Handler):
            handler.setFormatter(_CleanFormatter(handler.formatter, redactor))


class _CleanFormatter(logging.Formatter):
    def __init__(self, wrapped: logging.Formatter | None, redactor: Redactor) -> None:
        super().__init__()
        self._wrapped = wrapped or logging.Formatter()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.clean(self._wrapped.format(record))
