"""Takes credentials out of what pytest reports and logs."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..redaction import Redactor

_COLOUR = re.compile(r"(?:\x1b|\\{1,16}(?:x1b|u001b|033|e)|#x1B)\[[0-9;]*(?:m|(?=\.\.\.))")
_SIGNS_OF_COLOUR = ("\x1b[", "x1b[", "x1B[", "u001b[", "033[", "\\e[")
_BREAK = re.compile(r"""Q(?:\\{1,16}n|[\s+?E-]|Q,\sQ){1,200}b?Q""".replace("Q", r"""\\{0,16}['"]"""))
_SHELL_QUOTE = re.compile(r"""'"'"'""".replace("'", r"\\{0,16}'").replace('"', r"\\{0,16}\""))
_SIGNS_OF_A_BREAK = re.compile(r"""['"]\s*\n|['"](?:\\{1,16}n|, ['"])|b\\{0,16}['"]""")


def clean_report(report: pytest.TestReport, redactor: Redactor) -> None:
    """Takes every known credential out of a report, before it is printed, written or sent to another process."""
    for name in ("longrepr", "sections", "wasxfail", "user_properties"):
        if value := getattr(report, name, None):
            setattr(report, name, clean_value(value, redactor))


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
            cleaned = _cleaned_lines(item, redactor) if name == "lines" else _cleaned(item, redactor, seen)
            object.__setattr__(value, name, cleaned)
    return value


def _cleaned_lines(lines: list[str], redactor: Redactor) -> list[str]:
    """The lines of a failure, cleaned together: a long value goes over several."""
    text = "\n".join(lines)
    cleaned = clean_text(text, redactor)
    return cleaned.split("\n") if cleaned != text else lines


def clean_text(text: str, redactor: Redactor) -> str:
    """Clean, and without lone surrogates: xdist's channel cannot carry one, and a worker that sends one is lost."""
    cleaned = clean_shown(text, redactor)
    return cleaned if cleaned.isascii() else cleaned.encode("utf-8", "backslashreplace").decode()


def clean_shown(text: str, redactor: Redactor) -> str:
    """What is about to be shown, clean, also of a credential that was cut by a truncation, or divided.

    Values are divided by the colours that pytest gives them, long ones by the ends of lines, and those of a command by
    the quotes of the shell. A text in which a credential was divided loses all of these.
    """
    cleaned = redactor.clean_cut(text)
    whole = _joined(cleaned)
    if whole != cleaned and (found := redactor.clean_cut(whole)) != whole:
        return found
    return cleaned


def _joined(text: str) -> str:
    if any(sign in text for sign in _SIGNS_OF_COLOUR):
        text = _COLOUR.sub("", text)
    if "'\"" in text:
        text = _SHELL_QUOTE.sub("'", text)
    return _BREAK.sub("", text) if _SIGNS_OF_A_BREAK.search(text) else text


def clean_logs(config: pytest.Config, redactor: Redactor) -> None:
    """Live logs and log files are no part of a report: what they write is cleaned as it is written."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    for name in ("log_cli_handler", "log_file_handler"):
        handler = getattr(plugin, name, None)
        if isinstance(handler, logging.Handler) and not isinstance(handler.formatter, _CleanFormatter):
            handler.setFormatter(_CleanFormatter(handler.formatter, redactor))


class _CleanFormatter(logging.Formatter):
    def __init__(self, wrapped: logging.Formatter | None, redactor: Redactor) -> None:
        super().__init__()
        self._wrapped = wrapped or logging.Formatter()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return clean_shown(self._wrapped.format(record), self._redactor)
