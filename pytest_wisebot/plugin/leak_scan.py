"""The last look: whether a credential stands in anything that the session has written. And ``--wisebot-scan``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..text import count
from . import xdist
from .redact_pytest import clean_debug_log, clean_junit, redactor_of
from .session_end import fail_session
from .snapshot_retention import keeping_of

if TYPE_CHECKING:
    from ..redaction import Redactor, Secret
    from ..redaction.scan import Finding

MOST_SHOWN = 50
"""Places that are shown one by one."""

_KEY = pytest.StashKey["LeakScan"]()
_OUTPUT = "wisebot_written"
"""Where in ``workeroutput``, and on a report, a worker says what was written."""


def last_look_of(config: pytest.Config) -> LeakScan:
    """The session's last look, registered on first use."""
    look = config.stash.get(_KEY, None)
    if look is None:
        look = config.stash[_KEY] = LeakScan(config)
        config.pluginmanager.register(look, "wisebot-last-look")
        if xdist.is_worker(config) or xdist.is_controller(config):
            config.pluginmanager.register(_Told(config, look), "wisebot-last-look-told")
    return look


class LeakScan:
    """Looks through what the session wrote, when all of it is written.

    Under xdist workers tell the controller what they have written, and the controller looks.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._written: set[Path] = set()
        self._to_tell: list[str] = []
        self._found: list[Finding] = []
        self._before: list[Callable[[], None]] = []
        self._told = False

    def before(self, clean: Callable[[], None]) -> None:
        """Has this done before the look: what is known by then to be a credential may stand in what was written."""
        self._before.append(clean)

    def wrote(self, path: Path) -> None:
        """The session has written, or compared with, this file or folder."""
        if path not in self._written:
            self._written.add(path)
            self._to_tell.append(str(path))

    def told(self) -> list[str]:
        """What was written since this was asked last."""
        told, self._to_tell = self._to_tell, []
        return told

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended."""
        self._written.update(map(Path, json.loads(getattr(node, "workeroutput", {}).get(_OUTPUT, "[]"))))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """The innermost wrapper: after other plugins have written their files, and before pytest's summary."""
        clean_junit(self._config, redactor_of(self._config))
        result = yield
        if xdist.is_worker(self._config):
            output: dict[str, Any] = getattr(self._config, "workeroutput")  # noqa: B009 - xdist's, no type knows it
            output[_OUTPUT] = json.dumps(sorted(map(str, self._written)))
            return result
        for clean in self._before:
            clean()
        clean_debug_log(self._config, redactor_of(self._config))
        self._found = list(_found(self._files(), redactor_of(self._config)))
        if self._found:
            fail_session(session, "a credential in a file that the session wrote")
        return result

    def look_again(self, path: Path) -> bool:
        """Whether a credential stands in what was written after the look, in this file or folder; says where."""
        seen = set(map(str, self._found))
        found = [one for one in _found([path], redactor_of(self._config)) if str(one) not in seen]
        if found:
            self._found, self._told = found, False
            self.pytest_unconfigure()
        return bool(found)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Says where, the credential masked."""
        self._tell(terminalreporter)

    def pytest_unconfigure(self) -> None:
        """Where pytest gives no summary, it is told here."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            self._tell(reporter)

    def _tell(self, reporter: Any) -> None:
        if self._told or not self._found:
            return
        self._told = True
        reporter.write_sep("=", "wisebot: credentials in what this session wrote", red=True)
        for line in _lines(self._found):
            reporter.write_line(line)

    def _files(self) -> Iterator[Path]:
        cwd = self._config.invocation_params.dir
        yield from (path for name in _own(self._config) if name and (path := cwd / name).is_file())
        yield from sorted(path for path in self._written if path.exists())


class _Told:
    """A worker says what it has written with each report, and not at its end alone: it may be killed before that."""

    def __init__(self, config: pytest.Config, look: LeakScan) -> None:
        self._config = config
        self._look = look

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """In a worker."""
        report = yield
        if told := self._look.told():
            setattr(report, _OUTPUT, json.dumps(told))  # in ASCII: not every path goes through the channel
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """On the controller. Of a test that took its worker with it the module is all that is known."""
        for path in json.loads(getattr(report, _OUTPUT, "[]")):
            self._look.wrote(Path(path))
        if report.when not in ("setup", "call", "teardown") and self._config.pluginmanager.has_plugin("syrupy"):
            module = self._config.rootpath / report.nodeid.partition("::")[0]
            self._look.wrote(keeping_of(self._config).folder_of(module))


def _own(config: pytest.Config) -> Iterator[str | None]:
    """The files that pytest itself writes, by the names that it made of options and settings."""
    from _pytest.junitxml import xml_key

    yield getattr(config.stash.get(xml_key, None), "logfile", None)
    yield config.option.debug or None
    handler = getattr(config.pluginmanager.get_plugin("logging-plugin"), "log_file_handler", None)
    yield getattr(handler, "baseFilename", None)


def scan(config: pytest.Config) -> pytest.ExitCode:
    """Looks through the paths of ``--wisebot-scan``, runs no test, and says what it found.

    Raises:
        pytest.UsageError: a path leads nowhere, or the settings that name the credentials are wrong.
    """
    paths = [config.invocation_params.dir / path for path in config.option.wisebot_scan]
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise pytest.UsageError(f"--wisebot-scan: there is no {missing[0]}")
    redactor = redactor_of(config)
    credentials, unknown = _credentials(config)
    redactor.add(*credentials)
    found = list(_found(paths, redactor))
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
    from .runtime import of_every_environment

    known: set[Secret] = set()
    unknown: dict[str, None] = {}
    try:
        for settings in of_every_environment(config):
            known.update(settings.credentials())
            for one in settings.missing_credentials():
                unknown[f"not looked for: {one.reference} ({one.problem}), given by {one.given_by}"] = None
    except ConfigurationError as error:
        raise pytest.UsageError(f"--wisebot-scan: {error}") from None
    return known, list(unknown)


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
