"""``pytest-wisebot capture``: a kept run becomes a row of a data file, or a test, with its recording.

Nothing is run, no host is asked, and no file is overwritten.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest

from ..assertions import assert_result
from ..errors import ConfigurationError
from ..files import is_there, write_new
from ..originals import dates, json
from ..plugin.runtime import LocalRuntime
from ..plugin.snapshot_fixture import habits_of
from ..redaction import MASK, REDACTED, Redactor
from ..report.format import named
from ..runs import Api, Occurrence, RunRequest, WorkflowRun
from ..settings import Settings
from ..settings.checks import nearest
from ..snapshots.json_codec import loads
from ..snapshots.serialize import ComparisonContext, ComparisonOptions, receive
from ..storage.sessions import LoggedRuns, Sessions
from ..storage.store import RequestKeys, Store
from ..text import brief, count, listed, not_empty, printable, readable_json, run_id_text, show_path
from . import WITHOUT_SESSION
from .check import without_session

UNREADABLE: Final = 2
SETTINGS_WRONG: Final = 4

LAST: Final = "last"

MOST_LISTED: Final = 100
"""Runs that are listed."""

MOST_NAMED: Final = 10
"""Places in a result that a remark names."""

WIDTH: Final = 100
"""Characters of a line in a test."""

_PLACEHOLDER: Final = re.compile(r"<[^<>]+>")

_LEFT_OUT: Final = object()


class CaptureError(Exception):
    """What was asked for cannot be captured; the message is for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Captures a run.

    Returns:
        0; 2 if there is no such session or run, or nothing can be made of it; 4 if settings are wrong.
    """
    options = parser().parse_intermixed_args(arguments)
    config = [f"--wisebot-config={options.config}"] if options.config is not None else []
    return int(pytest.main([*WITHOUT_SESSION, *config], plugins=[_Capture(options)]))


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot capture",
        description="Make a row of a data file, or a test, of a kept run. Without TEST|RUN the kept runs are listed.",
        epilog="for example: pytest-wisebot capture last tests/test_a.py::test_x --test=tests/test_captured.py",
    )
    made.add_argument("session", metavar="SESSION", help="a session of .wisebot/, by its id, or: last")
    made.add_argument("run", metavar="TEST|RUN", nargs="?", type=not_empty, help="a test's id, or a run's runId")
    where = made.add_mutually_exclusive_group()
    where.add_argument(
        "--row", metavar="FILE", type=_jsonl, help="append the row to this JSONL file; default: print it"
    )
    where.add_argument("--test", metavar="FILE", type=_python, help="write a test into this new file")
    made.add_argument("--id", metavar="ID", type=not_empty, help="the row's id, or a part of the test's name")
    made.add_argument("--exact", action="store_true", help="expect also values that differ from run to run")
    made.add_argument("--env", metavar="NAME", help="with last: the last session of this environment")
    made.add_argument("--config", metavar="FILE", help="the settings file in place of the nearest wisebot.toml")
    return made


def _jsonl(text: str) -> Path:
    return _of_kind(text, ".jsonl", "a row is a line of a JSONL file")


def _python(text: str) -> Path:
    return _of_kind(text, ".py", "a test is written into a Python file")


def _of_kind(text: str, suffix: str, why: str) -> Path:
    path = Path(not_empty(text))
    if path.suffix != suffix:
        raise argparse.ArgumentTypeError(f'{why}: expected a name that ends with "{suffix}", got "{text}"')
    return path


class _Capture:
    """Takes the place of a session in a pytest that is configured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        without_session(config)
        if self._options.env is not None:
            config.option.wisebot_env = self._options.env
        runtime = LocalRuntime(config)
        code, lines = 0, []
        try:
            lines = list(_captured(config, runtime.unguarded, runtime.redactor, self._options))
        except CaptureError as error:
            code, lines = UNREADABLE, [f"pytest-wisebot capture: {error}"]
        except (ConfigurationError, pytest.UsageError, pytest.exit.Exception) as error:
            code, lines = SETTINGS_WRONG, [f"pytest-wisebot capture: {error}"]
        except OSError as error:
            code, lines = UNREADABLE, [f"pytest-wisebot capture: {error.filename}: {error.strerror}"]
        finally:
            runtime.close()
        for line in lines:
            is_remark = code or line.startswith("#")
            print(runtime.redactor.clean(line), file=sys.stderr if is_remark else sys.stdout)
        return code


def _captured(
    config: pytest.Config, settings: Settings, redactor: Redactor, options: argparse.Namespace
) -> Iterator[str]:
    """Captures, and yields lines to print; those that begin with ``#`` are remarks."""
    for name in ("id", "row", "test"):
        if (given := str(getattr(options, name) or "")) != redactor.clean(given):
            raise CaptureError(f"--{name}: holds a credential, or what [redact] masks: nothing was written")
    sessions = Sessions(config.rootpath)
    keys = RequestKeys(redactor)
    with _files_to_read():
        folder = _session(sessions, options)
        logged = LoggedRuns(folder, keys)
        runs = [_Kept(event) for event in logged.events()]
        yield from (f"# {line}" for line in logged.not_whole())
    if options.run is None:
        yield f"{count(len(runs), 'run')} of session {folder.name}:"
        yield from _table(runs)
        return
    kept = _chosen(runs, options.run, folder)
    capture = _Captured.of(kept, settings, keys, folder.name, options)
    yield from capture.remarks
    at = _Place(config, settings, redactor)
    if options.test is not None:
        yield from _write_test(capture, at, options.test)
    elif options.row is not None:
        yield from _write_row(capture, at, options.row)
    else:
        yield capture.row(config)


@contextmanager
def _files_to_read() -> Iterator[None]:
    """Kept runs and recordings that cannot be read are not a mistake in the settings."""
    try:
        yield
    except ConfigurationError as error:
        raise CaptureError(str(error).removeprefix("--wisebot-session: ")) from None


# --- the run


def _session(sessions: Sessions, options: argparse.Namespace) -> Path:
    """The folder of the session that is named."""
    if options.session != LAST:
        return sessions.named(options.session)
    wanted, keys = options.env, RequestKeys(Redactor())
    of_environment = (one for one in sessions.all() if wanted in (None, sessions.environment(one)))
    last = next((one for one in of_environment if any(True for _ in LoggedRuns(one, keys).events())), None)
    if last is not None:
        return sessions.named(last.name)
    of = f' of environment "{wanted}"' if wanted is not None else ""
    raise CaptureError(f"no session{of} with runs is kept in {sessions.folder}: each session with runs adds its own")


@dataclass(frozen=True)
class _Kept:
    """A run of the session's log."""

    event: Mapping[str, Any]

    @property
    def test(self) -> str:
        return str(self.event.get("test", ""))

    def is_named(self, name: str) -> bool:
        """Whether this is the run, or a run of the test, that a user names."""
        test = self.test.partition("[")[0]
        return name in (self.event.get("runId"), self.event.get("run"), self.test, test, test.rpartition("::")[2])

    @property
    def line(self) -> str:
        event = self.event
        about = [run_id_text(event.get("runId")), event["workflow"], event["api"], "ok" if event["ok"] else "failed"]
        trial = f", trial {number}" if (number := event.get("trial")) else ""
        fixture = f", fixture {event['fixture']}" if event.get("fixture") else ""
        inputs = brief(event.get("inputs") or {}, 60)
        return f"  {'  '.join(printable(str(one)) for one in about)}  {printable(self.test)}{trial}{fixture}  {inputs}"


def _table(runs: Sequence[_Kept]) -> Iterator[str]:
    return listed([run.line.strip() for run in runs], MOST_LISTED, "run")


def _chosen(runs: Sequence[_Kept], name: str, folder: Path) -> _Kept:
    """The run that is named.

    Raises:
        CaptureError: there is none, or there are several; the message lists them.
    """
    exact = [run for run in runs if name in (run.event.get("runId"), run.test)]
    found = exact or [run for run in runs if run.is_named(name)]
    if not found:
        known = [str(text) for run in runs for text in (run.test, run.event.get("runId")) if text]
        near = f", {nearest(name, dict.fromkeys(known))}" if len(known) <= MOST_LISTED else ""
        raise CaptureError(f'session {folder.name} has no run of "{name}"{near}')
    if len(found) > 1:
        several = "\n".join(_table(found))
        raise CaptureError(f'session {folder.name} has {len(found)} runs of "{name}": name one by its runId\n{several}')
    return found[0]


# --- what is made of it


@dataclass(frozen=True)
class _Place:
    """Where captured things go: the configuration of pytest, and the project's settings."""

    config: pytest.Config
    settings: Settings
    redactor: Redactor

    def path(self, name: Path) -> Path:
        """A path that a user names."""
        return self.config.invocation_params.dir / name

    def node(self, path: Path) -> str:
        """A path as node ids have it."""
        return Path(os.path.relpath(path, self.config.rootpath)).as_posix()


@dataclass(frozen=True)
class _Captured:
    """A run that a test can be made of.

    Attributes:
        run: the run, with its inputs.
        expected: the part of its result that a test compares.
        name: the row's id.
        session: the id of its session.
        remarks: what a user should know, in lines that begin with ``#``.
    """

    run: WorkflowRun
    expected: Any
    name: str
    session: str
    remarks: tuple[str, ...]

    @classmethod
    def of(
        cls, kept: _Kept, settings: Settings, keys: RequestKeys, session: str, options: argparse.Namespace
    ) -> _Captured:
        """Checks the run.

        Raises:
            CaptureError: no test of it would pass, or its inputs are not known.
        """
        inputs: Mapping[str, Any] = kept.event.get("inputs") or {}
        run = keys.cleaned(replace(WorkflowRun.from_event({**kept.event, "inputs": {}}), inputs=inputs))
        _check_inputs(kept, run, keys)
        if run.contradiction:
            raise CaptureError(f"the answer contradicts itself (ok: true, beside {run.contradiction}): no test passes")
        age = (dates.now() - run.started_at).total_seconds() / 86_400
        if settings.max_age_days is not None and age > settings.max_age_days:
            raise CaptureError(
                f"the run is {age:.0f} days old, more than max-age-days = {settings.max_age_days} lets a replay give"
            )
        compares = run.ok and run.has_result and not options.exact
        expected, left_out, kept_so = _steady(run, settings, keys.redactor) if compares else (run.result, [], [])
        remarks = [*_remark("left out of what is expected, as it differs from run to run", left_out)]
        remarks += _remark("expected as it was, although it may differ from run to run", kept_so)
        name = options.id or _name_of(kept.test) or run.workflow
        return cls(run, expected, name, session, tuple(remarks))

    def row(self, config: pytest.Config) -> str:
        """A line of a data file.

        Raises:
            CaptureError: the run has no result that a row could expect.
        """
        if not self.run.ok:
            raise CaptureError("the run failed, and a row expects a result: capture it as a test, by --test FILE")
        if not self.run.has_result:
            raise CaptureError("the run has no result that a row could expect: capture it as a test, by --test FILE")
        row = {"id": self.name, "inputs": dict(self.run.inputs), "expected": self.expected}
        if config.option.wisebot_api == "both" or self.run.api != (config.option.wisebot_api or Api.WEBHOOK):
            row["api"] = str(self.run.api)
        return readable_json(row)


class _Recording:
    """The recording of a test that is captured.

    Raises:
        CaptureError: the test has one already, which is not overwritten; or its file cannot be read.
    """

    def __init__(self, capture: _Captured, test: str, at: _Place) -> None:
        run, folder = capture.run, at.settings.recordings or at.config.rootpath / "recordings"
        self._run, self._session, self._at = run, capture.session, at
        self._request = RunRequest(run.workflow, run.inputs, run.api, occurrence=Occurrence(test))
        self._store = Store(folder, at.redactor, lambda name: run.workflow_id or name)
        with _files_to_read():
            found = self._store.find(self._request)
        if found is not None:
            raise CaptureError(f"{at.node(found.path)}: has a recording of {test}, which is not overwritten")

    def write(self) -> str:
        """Writes it, and names its file."""
        with _files_to_read():
            path, _ = self._store.put(self._request, self._run, self._session)
        return f"its recording in {self._at.node(path)}"


def _check_inputs(kept: _Kept, run: WorkflowRun, keys: RequestKeys) -> None:
    """Inputs of which something was masked in the log are not those that were sent."""
    request = RunRequest(run.workflow, run.inputs, run.api)
    key, logged = keys.key(request), str(kept.event["key"]).partition("/")[2]
    if logged in (key[1], *keys.older(request, [run.workflow_id])) and keys.redactor.clean_inputs(run.inputs) == dict(
        run.inputs
    ):
        return
    masked = [path for path, text in _strings(run.inputs) if MASK in text or REDACTED in text]
    where = f" at {', '.join(f'inputs.{path}' for path in masked)}" if masked else ""
    raise CaptureError(
        f"something in the inputs is masked{where}: the log does not hold what was sent, so that no test can send it"
    )


def _strings(value: Any, path: tuple[str | int | None, ...] = ()) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield show_path(path), value
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(key, str) and (MASK in key or REDACTED in key):
            yield show_path((*path, key)), key
        yield from _strings(item, (*path, key))


def _steady(run: WorkflowRun, settings: Settings, redactor: Redactor) -> tuple[Any, list[str], list[str]]:
    """The result without what the rules of snapshots replace; the paths left out, and those kept all the same."""
    habits = habits_of(settings.snapshots.of([run.workflow]))
    around = ComparisonContext(redactor.clean_json, redactor.clean, habits, lambda: [run])
    normal = loads(receive(run, ComparisonOptions(), around))["result"]
    left_out: list[str] = []
    kept: list[str] = []
    found = _without_differing(run.result, normal, (), left_out, kept)
    if found is _LEFT_OUT or found == {} != run.result:  # a test that compares nothing proves nothing
        return run.result, [], [*left_out, *kept] or ["the result"]
    return found, left_out, kept


def _without_differing(raw: Any, normal: Any, path: tuple[str | int, ...], left_out: list[str], kept: list[str]) -> Any:
    """A value without the keys whose values became placeholders. Items of a list stay: its length is compared."""
    if isinstance(raw, Mapping) and isinstance(normal, Mapping) and raw.keys() == normal.keys():
        parts = {key: _without_differing(raw[key], normal[key], (*path, key), left_out, kept) for key in raw}
        left_out += [show_path((*path, key)) for key, part in parts.items() if part is _LEFT_OUT]
        return {key: part for key, part in parts.items() if part is not _LEFT_OUT}
    if isinstance(raw, list) and isinstance(normal, list) and len(raw) == len(normal):
        items = [
            _without_differing(one, other, (*path, at), left_out, kept)
            for at, (one, other) in enumerate(zip(raw, normal, strict=True))
        ]
        kept += [show_path((*path, at)) for at, item in enumerate(items) if item is _LEFT_OUT]
        return [one if item is _LEFT_OUT else item for one, item in zip(raw, items, strict=True)]
    if raw == normal:
        return raw
    if isinstance(normal, str) and _PLACEHOLDER.fullmatch(normal):
        return _LEFT_OUT
    kept.append(show_path(path) or "the result")
    return raw


def _remark(what: str, paths: list[str]) -> list[str]:
    return [f"# {what}: {named(paths, MOST_NAMED)}"] if paths else []


def _name_of(test: str) -> str:
    """A row's id from the test's: its parameters, or its name."""
    function, _, parameters = test.rpartition("::")[2].partition("[")
    return parameters.removesuffix("]") or function


# --- files


def _write_row(capture: _Captured, at: _Place, name: Path) -> Iterator[str]:
    path, line = at.path(name), capture.row(at.config)
    try:
        text = path.read_text("utf-8-sig") if is_there(path) else ""
    except UnicodeDecodeError:
        raise CaptureError(f"{name}: is not UTF-8 text: nothing was added") from None
    if capture.name in _ids(text, name):
        raise CaptureError(f'{name}: has a row "{capture.name}" already: name another id by --id')
    recording = _Recording(capture, f"{at.node(path)}::{capture.name}", at)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as file:  # before the recording: it may not be writable
        recorded = recording.write()
        file.write(f"{line}\n" if not text or text.endswith("\n") else f"\n{line}\n")
    yield f'row "{capture.name}" of workflow {capture.run.workflow} in {name}'
    yield recorded


def _ids(text: str, path: Path) -> set[object]:
    found: set[object] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
                found.add(row.get("id") if isinstance(row, dict) else None)
            except (ValueError, TypeError, RecursionError):
                raise CaptureError(f"{path}: line {number} is not a row of JSON: nothing was added") from None
    return found


def _write_test(capture: _Captured, at: _Place, name: Path) -> Iterator[str]:
    path, function = at.path(name), _function(capture.name)
    if is_there(path):
        raise CaptureError(f"{name}: exists already, and is not overwritten")
    patterns = at.config.getini("python_files")
    if not any(fnmatch(path.name, pattern) for pattern in patterns):
        raise CaptureError(f"{name}: pytest collects files named {' or '.join(patterns)}")
    text = "\n".join(_module(capture, function))
    recording = _Recording(capture, f"{at.node(path)}::{function}", at)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_new(str(path), text.encode())
    try:
        recorded = recording.write()
    except BaseException:
        path.unlink()
        raise
    yield f"test {function} in {name}"
    yield recorded
    yield f"run it: pytest {name.as_posix()} --wisebot-runs=replay"


def _function(name: str) -> str:
    """A test's name, from a row's id."""
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:80] or "run"
    return words if words.startswith("test_") else f"test_{words}"


def _module(capture: _Captured, name: str) -> Iterator[str]:
    """A module with the one test."""
    run = capture.run
    if run.ok and run.has_result:
        checks = ["assert_result(workflow_run, EXPECTED)"]
        constants = {"INPUTS": dict(run.inputs), "EXPECTED": capture.expected}
    elif run.ok:
        checks = ["assert_ok(workflow_run)", "assert not workflow_run.has_result"]
        constants = {"INPUTS": dict(run.inputs)}
    else:
        checks = ["assert_failed(workflow_run)", "assert workflow_run.error == ERROR"]
        constants = {"INPUTS": dict(run.inputs), "ERROR": run.error}
    yield from [f'"""A run that was captured from session {capture.session}."""', "", "import pytest", ""]
    yield from [f"from pytest_wisebot import {checks[0].partition('(')[0]}", ""]
    for constant, value in constants.items():
        yield f"{constant} = {_literal(value, run if constant == 'EXPECTED' else None)}"
    marked = f'{_python_text(run.workflow)}, INPUTS, api="{run.api}"'
    yield from ["", "", f"@pytest.mark.wisebot({marked})"]
    yield from [f"def {name}(workflow_run):", *(f"    {check}" for check in checks), ""]


def _literal(value: Any, run: WorkflowRun | None) -> str:
    """A JSON value in Python, which is what the run has."""
    text = _python_text(value)
    try:
        again = ast.literal_eval(text)
        if run is not None:
            assert_result(run, again)
        elif again != value:
            raise ValueError
    except (ValueError, AssertionError, SyntaxError, RecursionError, MemoryError):
        raise CaptureError("the run holds a value that cannot be written in Python: capture it as a row") from None
    return text


def _python_text(value: Any, indent: int = 0) -> str:
    """A JSON value in Python, on several lines if it is long."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if value.isprintable() else repr(value)
    if not isinstance(value, Mapping | list) or not value:
        return repr(value)
    inner = indent + 4
    if isinstance(value, Mapping):
        items = [f"{_python_text(key)}: {_python_text(item, inner)}" for key, item in value.items()]
    else:
        items = [_python_text(item, inner) for item in value]
    begin, end = "{}" if isinstance(value, Mapping) else "[]"
    line = f"{begin}{', '.join(items)}{end}"
    if len(line) + indent <= WIDTH and "\n" not in line:
        return line
    return "\n".join([begin, *(f"{' ' * inner}{item}," for item in items), f"{' ' * indent}{end}"])
