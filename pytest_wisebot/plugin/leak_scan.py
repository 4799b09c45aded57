"""Looks for credentials in what a session has written, and in the paths of ``--wisebot-scan``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..originals import os
from ..text import count, print_any_letter
from .runtime import local_runtime
from .session_state import state_of
from .settings_source import resolved

if TYPE_CHECKING:
    from ..redaction import Redactor, Secret
    from ..redaction.scan import Finding
    from ..settings import Settings

MOST_SHOWN = 50
"""Places that are shown one by one."""


class LeakScan:
    """Looks through what the session wrote, when all of it is written."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: list[Finding] = []
        self._is_told = False

    def look(self) -> bool:
        """Whether a credential stands in a file of the session."""
        self._found = list(_found(self._files(), state_of(self._config).redactor))
        return bool(self._found)

    def look_again(self, paths: Iterable[Path]) -> bool:
        """Whether a credential stands in these files and folders, written after the first look or not; shows where."""
        seen = set(map(str, self._found))
        found = [one for one in _found(paths, state_of(self._config).redactor) if str(one) not in seen]
        if found:
            self._found, self._is_told = found, False
            self.tell(self._config.pluginmanager.get_plugin("terminalreporter"))
        return bool(found)

    def tell(self, reporter: Any) -> None:
        """Shows where, the credential masked."""
        if reporter is None or self._is_told or not self._found:
            return
        self._is_told = True
        reporter.write_sep("=", "wisebot: credentials in what this session wrote", red=True)
        for line in _lines(self._found):
            reporter.write_line(line)

    def _files(self) -> Iterator[Path]:
        cwd = self._config.invocation_params.dir
        yield from (path for name in _own(self._config) if name and (path := cwd / name).is_file())
        yield from sorted(path for path in state_of(self._config).written.paths if path.exists())


def _own(config: pytest.Config) -> Iterator[str | None]:
    """The files that pytest itself writes, by the names that it made of options and settings."""
    from _pytest.junitxml import xml_key

    yield getattr(config.stash.get(xml_key, None), "logfile", None)
    yield config.option.debug or None
    handler = getattr(config.pluginmanager.get_plugin("logging-plugin"), "log_file_handler", None)
    yield getattr(handler, "baseFilename", None)


def scan(config: pytest.Config) -> pytest.ExitCode:
    """Looks through the paths of ``--wisebot-scan``, runs no test, and prints what it found.

    Raises:
        pytest.UsageError: a path leads nowhere, or the settings that name the credentials are wrong.
    """
    paths = [config.invocation_params.dir / path for path in config.option.wisebot_scan]
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise pytest.UsageError(f"--wisebot-scan: there is no {missing[0]}")
    credentials, unknown = _credentials(config)
    redactor = state_of(config).redactor
    redactor.add(*credentials)
    found = list(_found(paths, redactor))
    print_any_letter()
    for line in (*_lines(found), *unknown):
        print(line)
    known = count(len(credentials), "credential")
    what = f"found in {count(len(found), 'place')}" if found else "none found"
    print(f"wisebot scan: {known} known, and all that looks like one: {what}")
    if found:
        return pytest.ExitCode.TESTS_FAILED
    return pytest.ExitCode.USAGE_ERROR if unknown else pytest.ExitCode.OK


def _credentials(config: pytest.Config) -> tuple[set[Secret], list[str]]:
    """Those of all environments, and in words those that are named and lead nowhere."""
    known: set[Secret] = set()
    unknown: dict[str, None] = {}
    try:
        for settings in _of_every_environment(config):
            known.update(settings.credentials())
            for one in settings.missing_credentials():
                unknown[f"not looked for: {one.reference} ({one.problem}), given by {one.given_by}"] = None
    except ConfigurationError as error:
        raise pytest.UsageError(f"--wisebot-scan: {error}") from None
    return known, list(unknown)


def _of_every_environment(config: pytest.Config) -> Iterator[Settings]:
    """The settings in force, to which the project's hook may have added, and those of every environment."""
    chosen = local_runtime(config).unguarded
    yield chosen
    yield from (resolved(config, env=name) for name in chosen.environments)


def _found(paths: Iterable[Path], redactor: Redactor) -> Iterator[Finding]:
    from ..redaction.scan import scan_folder

    seen: set[str] = set()
    for path in paths:
        for finding in scan_folder(path, redactor):
            if str(finding) not in seen:
                seen.add(str(finding))
                yield finding


def _lines(found: list[Finding]) -> Iterator[str]:
    cwd = f"{Path.cwd()}{os.sep}"
    with suppress(OSError):
        yield from (str(finding).removeprefix(cwd) for finding in found[:MOST_SHOWN])
    if len(found) > MOST_SHOWN:
        yield f"and {count(len(found) - MOST_SHOWN, 'more place')}"
