"""The sessions that were kept: a folder for each that ran something, with its runs and its event log.

Not in pytest's cache: ``--cache-clear`` must not burn runs that were paid for.

A run is in the log the moment it ends, by one write; in a file of the store as soon as there is time for it. Of a
session that was killed in between `catch_up` brings the store up to its log.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..event_log import FORMAT, check_format, first_event, last_event, moment, read_events
from ..files import is_locked, write_whole
from ..redaction import Redactor
from ..runs import KEPT, Api, Occurrence, RunRequest, WorkflowRun
from .session_log import FILE_NAME, EventLog, cleaned_line
from .store import Store

FOLDER: Final = ".wisebot"
"""At the rootdir."""

MOST_KEPT: Final = 10
"""Sessions that are kept: so many of the newest, and so many of the newest that have runs."""

MOST_BEHIND: Final = 2 * 1024 * 1024
"""Bytes of the log, beyond which its runs go into files at once: until then they are held in memory, too."""

_NAME: Final = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{6}")

IDENTITY: Final = ("environment", "origin", "base_url", "emulator")
"""What two sessions have in common when the runs of one may be judged in the other."""


class Sessions:
    """The folder of all sessions.

    Args:
        root: pytest's rootdir.
    """

    def __init__(self, root: Path) -> None:
        self._top = root / FOLDER
        self.folder = self._top / "sessions"

    def begin(self, keep: Path | None = None) -> Path:
        """Makes a new session's folder, and takes away those beyond the newest ones, but for those that still run.

        Args:
            keep: another session's, that this one is made from.

        Raises:
            OSError: it cannot be made.
        """
        for folder in (self._top, self.folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self._top / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")
        now = datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(3)}"
        made = self.folder / name
        made.mkdir(mode=0o700)
        there = self.all()
        stay = {made, keep, *there[:MOST_KEPT], *list(filter(_has_runs, there))[:MOST_KEPT]}
        for old in there:
            if old not in stay and not is_locked(old / FILE_NAME):
                shutil.rmtree(old, ignore_errors=True)
        return made

    def all(self) -> list[Path]:
        """The folders of the sessions, the newest first."""
        with suppress(OSError):
            found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
            return sorted((path for path in found if not path.is_symlink()), reverse=True)
        return []

    def named(self, name: str) -> Path:
        """The session of this id.

        Raises:
            ConfigurationError: there is none, or a later version has written it; the message names those there are.
        """
        found = next((path for path in self.all() if path.name == name), None)
        if found is None:
            known = ", ".join(path.name for path in self.all()) or "none"
            raise ConfigurationError(f'--wisebot-session: there is no session "{name}"; kept: {known}')
        check_format(found / FILE_NAME, first_event(found / FILE_NAME))
        return found

    def last_of(self, identity: Mapping[str, Any], *, with_runs: bool = False) -> Path | None:
        """The newest session of the same environment and hosts.

        Args:
            identity: what they have in common.
            with_runs: rather one of which runs were kept, if there is any.

        Raises:
            ConfigurationError: a later version has written it.
        """
        found = [path for path in self.all() if _is_of(path, identity)]
        best = next(filter(_has_runs, found), None) if with_runs else None
        best = best or next(iter(found), None)
        if best is not None:
            check_format(best / FILE_NAME, first_event(best / FILE_NAME))
        return best


class Session:
    """The session that is being written down. Its folder is made with the first run that ends.

    Safe to use from several threads, but for the store, which is the keeper's.

    Args:
        sessions: where it is kept.
        redactor: cleans all that is written.
        workflow_id: the id that a workflow's name stands for.
        facts: what the first line says, known once a run has ended.
        carry: an earlier session, whose runs this one begins with.
    """

    def __init__(
        self,
        sessions: Sessions,
        redactor: Redactor,
        workflow_id: Callable[[str], str],
        facts: Callable[[], Mapping[str, Any]],
        carry: Path | None = None,
    ) -> None:
        self._sessions = sessions
        self._redactor = redactor
        self._workflow_id = workflow_id
        self._facts = facts
        self._carry = carry
        self._lock = threading.RLock()
        self._log: EventLog | None = None
        self._waiting: list[bytes] = []
        self._unfiled: deque[tuple[RunRequest, WorkflowRun]] = deque()
        """Runs that are in the log, and in no file yet."""
        self._behind = 0
        """Bytes that were logged since the oldest of them ended, or longer."""
        self.logged_at = 0.0
        """When the last line was added, on the clock that only goes forward."""
        self._closed = False
        self.folder: Path | None = None
        self.store: Store | None = None
        self.problem = ""
        """Why nothing is kept; empty while it is."""

    @property
    def id(self) -> str:
        """The session's id; empty while nothing was kept."""
        return self.folder.name if self.folder is not None else ""

    @property
    def is_open(self) -> bool:
        """Whether there is nothing left to make before an event can be added, or nothing will be."""
        return self._log is not None or bool(self.problem)

    def open(self) -> None:
        """Makes the folder, if it is not made yet. That it cannot be made ends nothing but the keeping."""
        with self._lock:
            if self._log is not None or self.problem or self._closed:
                return
            try:
                self._open()
            except OSError as error:
                self.problem = f"{self._sessions.folder} cannot be written: {error.strerror or type(error).__name__}"
                self._waiting.clear()

    def _open(self) -> None:
        self.folder = self._sessions.begin(self._carry)
        runs = self.folder / "runs"
        if self._carry is not None:
            _carry_over(self._carry / "runs", runs)
        self.store = runs_of(self.folder, self._redactor, self._workflow_id, alone=True)
        log = EventLog(self.folder / FILE_NAME)
        facts = {**self._facts(), "carried_from": self._carry.name if self._carry else None}
        log.write(cleaned_line({"event": "session", "format": FORMAT, "session": self.id, **facts}, self._redactor))
        for line in self._waiting:
            log.write(line)
        self._waiting.clear()
        self._log = log

    def write(self, event: Mapping[str, Any]) -> None:
        """Adds an event to the log."""
        self.take(cleaned_line(event, self._redactor))

    def take(self, line: bytes) -> None:
        """Adds a line that is clean to the log; before the folder is made it waits for that."""
        with self._lock:
            if self._closed or self.problem:
                return
            if self._log is None:
                self._waiting.append(line)
                return
            self._behind += len(line)
            self.logged_at = time.monotonic()
            try:
                self._log.write(line)
            except OSError as error:
                self.problem = f"{self._log.path} cannot be written: {error.strerror or type(error).__name__}"

    # --- runs, which the keeper keeps

    def keep(self, request: RunRequest, run: WorkflowRun) -> None:
        """Keeps a run that is about to be logged.

        Raises:
            ConfigurationError, OSError: it cannot be kept.
        """
        if self.store is None:
            return
        if self._can_be_told_from_log(request):
            if not self._unfiled:
                self._behind = 0
            self._unfiled.append((request, run))
        else:
            self.store.put(request, run, self.id)

    def takes_at_once(self, request: RunRequest) -> bool:
        """Whether keeping a run of this request is a line of the log, and no file. For any thread."""
        return self.is_open and (bool(self.problem) or self._can_be_told_from_log(request))

    def _can_be_told_from_log(self, request: RunRequest) -> bool:
        """Whether the file of a request can be found by what the log says of it, which is clean."""
        said = [request.workflow, request.inputs]
        return bool(self._redactor.clean_json(said) == said)

    @property
    def is_behind(self) -> bool:
        """Whether there are runs that are in no file yet."""
        return bool(self._unfiled)

    @property
    def is_far_behind(self) -> bool:
        """Whether they have become too many."""
        return self._behind > MOST_BEHIND and self.is_behind

    def file_one(self) -> None:
        """Writes a run that is in the log into its file.

        Raises:
            ConfigurationError, OSError: it cannot be written.
        """
        request, run = self._unfiled.popleft()
        assert self.store is not None
        self.store.put(request, run, self.id)

    def clean_again(self) -> None:
        """Takes out of what was written what was no credential then, as far as anybody knew.

        Raises:
            OSError: it cannot be read, or written.
        """
        with self._lock:
            if self._log is not None and self.folder is not None:
                self._log.clean_again(self._redactor)
                clean_again(self.folder.glob("runs/*/*.json"), self._redactor)

    def end(self, now: float, **said: Any) -> None:
        """Adds the last event, where anything was kept."""
        if self._log is not None:
            self.write({"event": "end", "ended": moment(now), **said})

    def close(self) -> None:
        """Nothing is written any more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            if self._log is not None:
                self._log.close()
                self._log = None


def runs_of(session: Path, redactor: Redactor, workflow_id: Callable[[str], str], *, alone: bool = False) -> Store:
    """The runs in a session's folder. Messages say which session's: each has files of the same names.

    Args:
        session: the folder.
        redactor: cleans all that is written.
        workflow_id: the id that a workflow's name stands for.
        alone: whether it is the session's own process that asks: no other one writes there.
    """
    return Store(session / "runs", redactor, workflow_id, commands=True, alone=alone, top=session.parents[1])


def _is_of(folder: Path, identity: Mapping[str, Any]) -> bool:
    session = first_event(folder / FILE_NAME)
    return bool(session) and all(session.get(name) == identity.get(name) for name in IDENTITY)


def _has_runs(folder: Path) -> bool:
    return any(folder.glob("runs/*/*.json")) or (not _is_complete(folder) and any(_logged_runs(folder)))


# --- sessions that were killed


def catch_up(session: Path, redactor: Redactor) -> None:
    """Writes into a session's store what its log has, and no file: it was killed, or cut off, before it came to that.

    A session that still runs is left alone, and so is a run that cannot be written or read: what is missing is made
    anew, or is not among the runs of that session.
    """
    if _is_complete(session) or is_locked(session / FILE_NAME):
        return
    ids: dict[str, str] = {}
    store = runs_of(session, redactor, lambda name: ids.get(name, name))
    for event in _logged_runs(session):
        ids[event["workflow"]] = event["workflow_id"]
        request = _logged_request(event)
        with suppress(ConfigurationError, OSError):
            if store.find(request) is None:
                store.put(request, _logged_run(event, request), session.name)


def _is_complete(session: Path) -> bool:
    """Whether a session has come to its end: by then all runs are in files."""
    return last_event(session / FILE_NAME).get("event") == "end"


def _logged_runs(session: Path) -> Iterator[dict[str, Any]]:
    """The runs of a session's log that it made itself; none where it cannot be read."""
    with suppress(ConfigurationError):
        for event in read_events(session / FILE_NAME):
            if event.get("event") == "run" and "ok" in event and event["source"] not in KEPT:
                yield event


def _logged_request(event: Mapping[str, Any]) -> RunRequest:
    names = ("test", "fixture", "call", "trial", "timeout")
    occurrence = Occurrence(**{name: event[name] for name in names if name in event})
    return RunRequest(event["workflow"], event["inputs"], api=Api(event["api"]), occurrence=occurrence)


def _logged_run(event: Mapping[str, Any], request: RunRequest) -> WorkflowRun:
    return WorkflowRun(
        ok=event["ok"],
        workflow=request.workflow,
        workflow_id=event["workflow_id"],
        api=request.api,
        run_id=event["runId"],
        result=event.get("result"),
        has_result="result" in event,
        error=event["error"],
        extra=event.get("extra", {}),
        inputs=request.inputs,
        status_code=event["status"],
        started_at=datetime.fromisoformat(event["made"]),
        elapsed=event["seconds"],
        attempts=event["attempts"],
        source=event["source"],
        trial=request.trial,
        environment=event["environment"],
        commands=tuple(event["commands"]),
    )


def _carry_over(there: Path, here: Path) -> None:
    """The runs of an earlier session, as they are. Files are never changed in place: one may stand in two folders."""
    for path in sorted(there.glob("*/*.json")):
        target = here / path.relative_to(there)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)


def clean_again(paths: Iterable[Path], redactor: Redactor) -> None:
    """Takes out of files what was no credential, as far as anybody knew, when they were written.

    Raises:
        OSError: a file cannot be read, or written.
    """
    for path in paths:
        written = path.read_bytes()
        cleaned = redactor.clean(written.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if cleaned != written:
            write_whole(str(path), cleaned)
