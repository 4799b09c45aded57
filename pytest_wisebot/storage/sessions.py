"""The kept sessions: a folder for each session that ran something, whose event log holds its runs.

Not in pytest's cache: ``--cache-clear`` must not burn runs that were paid for. A run is in the log the moment it ends,
by one write, so that a killed session loses none.

`PastRuns` are the kept runs of equal inputs: they show which values differ from run to run. It raises no errors: a log
that cannot be read has no runs.
"""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError, WisebotError
from ..event_log import (
    FORMAT,
    EventLog,
    check_format,
    cleaned_line,
    event_at,
    first_event,
    log_lines,
    moment,
)
from ..files import (
    entries_of,
    foreign_owner,
    is_folder,
    is_locked,
    is_there,
    make_folder,
    open_to_read,
    remove_folder,
    write_new,
    write_whole,
)
from ..originals import dates, json, os, threading, time
from ..redaction import Redactor
from ..runs import KEPT, Api, Occurrence, RunRequest, WorkflowRun, logged_types
from ..shapes import checker
from ..text import count
from .store import Found, Key, RequestKeys, in_order

FOLDER: Final = ".wisebot"
"""At the rootdir."""

FILE_NAME: Final = "events.jsonl"

STORAGE: Final = 2
"""The format of a session: all its runs are in its log. Earlier sessions had files for them, too."""

MOST_KEPT: Final = 10
"""Sessions that are kept: so many of the newest, and so many of the newest that have runs."""

MOST_NAMED: Final = 10
"""Lines of a log that are named one by one."""

_NAME: Final = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{6}")

_NUMBER: Final = re.compile(rb'"number":(\d{1,15})[,}]')

_HEAD: Final = 256
"""Bytes of a log in which its session's number stands."""

_BEGINS: Final = float("inf")
"""The number of a session that has no log yet."""

IDENTITY: Final = ("environment", "origin", "base_url", "emulator")
"""Equal in two sessions when the runs of one may be judged in the other."""


class Sessions:
    """The folder of all sessions.

    Args:
        root: pytest's rootdir.
    """

    def __init__(self, root: Path) -> None:
        self._top = root / FOLDER
        self.folder = self._top / "sessions"

    def begin(self, keep: Path | None = None) -> Path:
        """Makes a new session's folder, and removes those beyond the newest ones, apart from running sessions.

        Args:
            keep: the folder of a session that this one resumes.

        Raises:
            OSError: it cannot be made.
        """
        for folder in (self._top, self.folder):
            make_folder(folder, 0o700)
        with suppress(FileExistsError):
            write_new(str(self._top / ".gitignore"), b"*\n")
        now = dates.now()
        made = self.folder / f"{now:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(3)}"
        os.mkdir(made, 0o700)
        there = self.all()
        stay = {made, keep, *there[:MOST_KEPT], *list(filter(_has_runs, there))[:MOST_KEPT]}
        for old in there:
            if old not in stay and not is_locked(old / FILE_NAME):
                remove_folder(old)
        return made

    def all(self) -> list[Path]:
        """The folders of the sessions, the newest first."""
        return [path for _, path in reversed(self._numbered())]

    def next_number(self) -> int:
        """The number of a new session, by which sessions are ordered: a clock may have been moved."""
        return 1 + int(max((number for number, _ in self._numbered() if number != _BEGINS), default=0))

    def _numbered(self) -> list[tuple[float, Path]]:
        found = (path for path in entries_of(self.folder) if _NAME.fullmatch(path.name) and is_folder(path))
        return sorted((_number(path), path) for path in found)

    def named(self, name: str) -> Path:
        """The session of this id.

        Raises:
            ConfigurationError: there is none, or another version wrote it; the message names the existing ones.
        """
        found = next((path for path in self.all() if path.name == name), None)
        if found is None:
            known = ", ".join(path.name for path in self.all()) or "none"
            raise ConfigurationError(f'--wisebot-session: there is no session "{name}"; kept: {known}')
        return _checked(found)

    def environment(self, folder: Path) -> Any:
        """The name of the environment of a session, None without one, or where its log does not tell."""
        return identity_of(folder).get("environment")

    def last_of(self, identity: Mapping[str, Any], *, with_runs: bool = False) -> Path | None:
        """The newest session of the same environment and hosts.

        Args:
            identity: the values that must be equal.
            with_runs: prefers a session with runs.

        Raises:
            ConfigurationError: another version wrote it.
        """
        found = [path for path in self.all() if is_of(path, identity)]
        best = next(filter(_has_runs, found), None) if with_runs else None
        best = best or next(iter(found), None)
        return best and _checked(best)

    def unreadable(self, last: Path | None) -> list[Path]:
        """The sessions after this one whose logs do not tell what they ran against."""
        newer = takewhile(lambda path: path != last, self.all())
        return [path for path in newer if not identity_of(path) and is_there(path / FILE_NAME)]

    def doubt(self) -> str:
        """Why another user may read or change the kept runs, in words; empty if none can."""
        for folder in (self._top, self.folder):
            with suppress(OSError):
                if owner := foreign_owner(folder):
                    return f"{folder} {owner}: what is kept there may be read and changed by others"
        return ""


def _number(folder: Path) -> float:
    """A session's number; 0 where an earlier version kept it."""
    try:
        with open_to_read(folder / FILE_NAME) as file:
            found = _NUMBER.search(file.read(_HEAD))
    except OSError:
        return _BEGINS
    return int(found[1]) if found else 0


def _checked(folder: Path) -> Path:
    """Refuses the session of another version.

    Raises:
        ConfigurationError: this version cannot read its runs.
    """
    session = first_event(folder / FILE_NAME)
    check_format(folder / FILE_NAME, session)
    if session and session.get("storage") != STORAGE:
        raise ConfigurationError(
            f"session {folder.name} was kept by an earlier version of pytest-wisebot, in another format: use that "
            "version to judge or resume it, or make its runs anew with --wisebot-runs=live"
        )
    return folder


def is_of(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a session ran against this environment and these hosts."""
    session = identity_of(folder)
    return bool(session) and all(session.get(name) == identity.get(name) for name in IDENTITY)


def identity_of(folder: Path) -> Mapping[str, Any]:
    """The first line of a session's log; the last one has the environment and the hosts, too."""
    path = folder / FILE_NAME
    if (first := first_event(path)).get("event") == "session":
        return first
    with suppress(ConfigurationError):
        return next((line.event for line in log_lines(path) if line.event and line.event["event"] == "end"), {})
    return {}


def _has_runs(folder: Path) -> bool:
    with suppress(ConfigurationError):
        return any(line.event is not None and is_kept_run(line.event) for line in log_lines(folder / FILE_NAME))
    return False


def is_kept_run(event: Mapping[str, Any]) -> bool:
    """Whether an event holds a run that the session made, or took over."""
    made_here = event.get("event") == "run" and event.get("source") not in KEPT
    return (made_here or event.get("event") == "carried") and "ok" in event


_NEEDED: Final = ("key", "workflow", "ok", "made")
"""Values without which a run cannot be taken from a log."""


def mistake(event: Mapping[str, Any]) -> str:
    """Why a run cannot be taken from this event, in words that go on after "line 3 has "."""
    missing = next((name for name in _NEEDED if name not in event), None)
    return f'no "{missing}"' if missing else _wrong_type(event)


_wrong_type: Final = checker({**logged_types(), "key": str}, allows_null=False)
"""Made now: freezegun replaces the classes of dates that the types name."""


class LoggedRuns:
    """The runs of a kept session: an index of its event log, from which each run is read when it is asked for.

    Args:
        folder: the session's.
        keys: makes the keys by which runs are found.
    """

    def __init__(self, folder: Path, keys: RequestKeys) -> None:
        self.folder = folder
        self._path = folder / FILE_NAME
        self._keys = keys

        self._wrong: dict[int, str] = {}
        """By its number, why a line cannot be used."""
        self._lost = 0
        self._ids: dict[str, set[str]] = {}
        """By the names of the workflows' folders, the ids that were sent."""

    @cached_property
    def _index(self) -> dict[Key, dict[Occurrence, int]]:
        """By request and occurrence, the offset of the run's last line. A line that is not whole hides no other."""
        index: dict[Key, dict[Occurrence, int]] = {}
        for line in log_lines(self._path):
            event, problem = line.event, line.problem
            if event is not None and is_kept_run(event):
                problem = f"has {wrong}" if (wrong := mistake(event)) else ""
            if problem:
                self._wrong[line.number] = problem
            elif event is not None and is_kept_run(event):
                key = _key_of(event)
                index.setdefault(key, {})[Occurrence.from_dict(event)] = line.offset
                self._ids.setdefault(key[0], set()).add(event.get("workflow_id", ""))
            elif event is not None and event["event"] == "end":
                self._lost = lost if isinstance(lost := event.get("lost_runs"), int) else 0
        return index

    def not_whole(self) -> Iterator[str]:
        """What of the log cannot be used, in words: how many lines, and which.

        Raises:
            ConfigurationError: the log cannot be read.
        """
        runs = sum(map(len, self._index.values()))
        if self._wrong:
            (first, why), *_ = self._wrong.items()
            numbers = [*map(str, list(self._wrong)[:MOST_NAMED]), *(["…"] if len(self._wrong) > MOST_NAMED else [])]
            yield (
                f"{count(len(self._wrong), 'line')} of {self._path} cannot be used: {', '.join(numbers)}; line {first} "
                f"{why}; the other lines hold {count(runs, 'run')}"
            )
        if self._lost:
            yield f"{count(self._lost, 'run')} of session {self.folder.name} could not be written when they ended"

    def key(self, request: RunRequest) -> Key:
        """Identifies the canonical request."""
        return self._keys.key(request)

    def find(self, request: RunRequest, occurrence: Occurrence | None = None) -> Found | None:
        """The run of this request's occurrence, or of another one; None without one.

        Raises:
            ConfigurationError: the log cannot be read, or has changed since it was indexed.
        """
        wanted, there = occurrence or self._keys.occurrence(request), self._there(request)
        key, offset = next(((key, there[key][wanted]) for key in there if wanted in there[key]), ("", None))
        if offset is None:
            return None
        event = event_at(self._path, offset)
        if _key_of(event) != key or mistake(event):
            raise ConfigurationError(f"{self._path}: has changed while it was read")
        run = WorkflowRun.from_event({**event, "inputs": {}})
        return Found(self._keys.answer(run, request), self._path, wanted, self._keys.key(request))

    def _there(self, request: RunRequest) -> dict[Key, dict[Occurrence, int]]:
        """The runs of a request, by its key; and by those of earlier versions, which had the workflow's id in them."""
        key = self._keys.key(request)
        index = self._index  # with which the ids are read
        older = self._keys.older(request, self._ids.get(key[0], ()))
        keys = dict.fromkeys((key, *((key[0], digest) for digest in older)))
        return {one: index[one] for one in keys if one in index}

    def occurrences(self, request: RunRequest) -> list[Occurrence]:
        """All occurrences of a request, in their order.

        Raises:
            ConfigurationError: the log cannot be read.
        """
        return in_order({one for there in self._there(request).values() for one in there})

    def events(self) -> Iterator[dict[str, Any]]:
        """The event of each run.

        Raises:
            ConfigurationError: the log cannot be read.
        """
        offsets = {offset for by_occurrence in self._index.values() for offset in by_occurrence.values()}
        yield from (line.event for line in log_lines(self._path) if line.offset in offsets and line.event is not None)

    def dates(self) -> tuple[list[datetime], bool]:
        """When the runs were made, and that these are all.

        Raises:
            ConfigurationError: the log cannot be read.
        """
        return [dates.read(event["made"]) for event in self.events()], True


def _key_of(event: Mapping[str, Any]) -> Key:
    workflow, _, digest = str(event.get("key", "")).partition("/")
    return workflow, digest


def _not_written(path: Path, error: OSError) -> str:
    return f"{path} cannot be written: {error.strerror or type(error).__name__}"


class Session:
    """The session that is being written. Its folder is made when the first run ends.

    Safe to use from several threads.

    Args:
        sessions: the folder of all sessions.
        redactor: cleans all that is written.
        keys: makes the keys by which runs are found again.
        facts: returns the content of the first line, once a run has ended.
        carry: the runs of an earlier session, with which this one begins.
    """

    def __init__(
        self,
        sessions: Sessions,
        redactor: Redactor,
        keys: RequestKeys,
        facts: Callable[[], Mapping[str, Any]],
        carry: LoggedRuns | None = None,
    ) -> None:
        self._sessions = sessions
        self._redactor = redactor
        self._keys = keys
        self._facts = facts
        self._carry = carry
        self._lock = threading.RLock()
        self._log: EventLog | None = None
        self._waiting: list[bytes] = []
        self._closed = False
        self.folder: Path | None = None
        self.problem = ""
        """The first reason why an event was not kept; empty while all are."""
        self.lost_runs = 0
        """How many runs could not be written into the log."""

    @property
    def id(self) -> str:
        """The session's id; empty while it has no folder."""
        return self.folder.name if self.folder is not None else ""

    @property
    def is_open(self) -> bool:
        """Whether an event is added without making anything first."""
        return self._log is not None or bool(self.problem)

    def key(self, request: RunRequest) -> str:
        """Identifies a canonical request in the log."""
        return "/".join(self._keys.key(request))

    def open(self) -> None:
        """Makes the folder and the log. A failure ends nothing but the keeping of runs."""
        with self._lock:
            if self.is_open or self._closed:
                return
            try:
                self._log = self._begun()
            except OSError as error:
                self.problem = _not_written(self._sessions.folder, error)
            self._waiting.clear()

    def _begun(self) -> EventLog:
        carry = self._carry
        events = carry.events() if carry is not None else ()
        carried = [cleaned_line({**event, "event": "carried"}, self._redactor) for event in events]
        number = self._sessions.next_number()
        self.folder = self._sessions.begin(carry.folder if carry is not None else None)
        facts = {"storage": STORAGE, **self._facts(), "carried_from": carry.folder.name if carry is not None else None}
        first = {"event": "session", "format": FORMAT, "session": self.id, "number": number, **facts}
        lines = [cleaned_line(first, self._redactor), *carried, *self._waiting]
        path = self.folder / FILE_NAME
        write_whole(str(path), b"".join(lines), 0o600)  # never without the runs that it takes over
        return EventLog(path)

    def write(self, event: Mapping[str, Any]) -> None:
        """Adds an event to the log."""
        self.write_line(cleaned_line(event, self._redactor))

    def write_line(self, line: bytes) -> None:
        """Adds a clean line to the log, or keeps it until there is a log."""
        with self._lock:
            if self._closed or (self._log is None and self.problem):
                return
            if self._log is None:
                self._waiting.append(line)
                return
            try:
                self._log.write(line)
            except OSError as error:  # there may be room again for the next one
                self.lost_runs += line.startswith(b'{"event":"run"')
                self.problem = self.problem or _not_written(self._log.path, error)

    def check(self) -> None:
        """Notices whether the log was removed, as by a test."""
        with self._lock:
            if self._log is not None:
                try:
                    self._log.check()
                except (ConfigurationError, OSError) as error:
                    self.problem = self.problem or str(error)

    def clean_again(self) -> None:
        """Masks credentials that became known after they had been written.

        Raises:
            ConfigurationError, OSError: the log was removed, or cannot be read, or written.
        """
        with self._lock:
            if self._log is not None:
                self._log.clean_again(self._redactor)

    def end(self, now: float, **facts: Any) -> None:
        """Adds the last event, if the session has a log."""
        if self._log is not None:
            known = self._facts()
            identity = {name: known.get(name) for name in IDENTITY}
            self.write({"event": "end", "ended": moment(now), **identity, "lost_runs": self.lost_runs, **facts})

    def close(self) -> None:
        """Ends the log."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            if self._log is not None:
                self._log.close()
                self._log = None


MOST_RUNS: Final = 20
"""Runs of equal inputs that are looked at: the newest."""

MOST_SECONDS: Final = 5.0
"""How long one process reads logs in all, and compares what it read."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""The largest log that is read while tests run."""

LONGEST_LINE: Final = 1024 * 1024
"""The largest run that is read while tests run."""

_KEY: Final = re.compile(rb'"key":("[^"\\]{1,300}")')


class _Index:
    """Where in one log runs stand, by the keys of their requests. A log that has grown is read from where it ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = 0
        self._file = 0
        self._offsets: dict[bytes, list[int]] = {}

    def offsets(self, key: bytes) -> list[int]:
        """Where lines begin that may hold a run of this key, in order."""
        with suppress(OSError), open_to_read(self._path) as file:
            now = os.fstat(file.fileno())
            if now.st_ino != self._file or now.st_size < self._end:  # written anew, to mask a credential
                self._end, self._file, self._offsets = 0, now.st_ino, {}
            if now.st_size > MOST_BYTES:
                return []
            file.seek(self._end)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                for found in _KEY.findall(line) if len(line) <= LONGEST_LINE else ():
                    self._offsets.setdefault(found, []).append(self._end)
                self._end += len(line)
        return self._offsets.get(key, [])


class PastRuns:
    """The kept runs of one environment, that of the session.

    Args:
        sessions: the folder of all sessions.
        keys: makes the keys by which runs are found.
        identity: environment and hosts (see `IDENTITY`).
    """

    def __init__(self, sessions: Sessions, keys: RequestKeys, identity: Mapping[str, Any]) -> None:
        self._sessions = sessions
        self._keys = keys
        self._identity = identity
        self._indexes: dict[Path, _Index] = {}
        self._of: dict[Path, bool] = {}
        self._seconds = MOST_SECONDS

    def of(self, run: WorkflowRun) -> Iterator[WorkflowRun]:
        """The runs of this one's workflow and inputs over both APIs, the newest first; this one may be among them.

        The time between two of them counts, too: when all is used up, there are no more.
        """
        seen: set[tuple[Any, ...]] = set()
        lines = self._lines(run)
        while self._seconds > 0 and len(seen) < MOST_RUNS:
            began = time.monotonic()
            try:
                event = next(lines, None)
                if event is None:
                    return
                if (same := _same(event)) not in seen:
                    seen.add(same)
                    yield _run(event, run.inputs)
            except (WisebotError, OSError, ValueError):
                return
            finally:
                self._seconds -= time.monotonic() - began

    def _lines(self, run: WorkflowRun) -> Iterator[Mapping[str, Any]]:
        """The events of these runs, from the newest session to the oldest, and in each from its end."""
        keys = ["/".join(self._keys.key(RunRequest(run.workflow, run.inputs, api))) for api in Api]
        began = time.monotonic()
        for folder in self._sessions.all():
            if time.monotonic() - began > self._seconds:
                return
            if not self._is_of(folder):
                continue
            path = folder / FILE_NAME
            index = self._indexes.setdefault(path, _Index(path))
            offsets = {offset for key in keys for offset in index.offsets(json.dumps(key).encode())}
            for offset in sorted(offsets, reverse=True):
                event = event_at(path, offset)
                if event.get("key") in keys and is_kept_run(event) and not mistake(event):
                    yield event

    def _is_of(self, folder: Path) -> bool:
        if folder not in self._of:
            if not is_there(folder / FILE_NAME):
                return False
            self._of[folder] = is_of(folder, self._identity)
        return self._of[folder]


@dataclass(slots=True)
class Equal:
    """Kept runs of equal inputs.

    Attributes:
        workflow: the name of their workflow.
        runs: the runs, the oldest first.
    """

    workflow: str
    runs: list[WorkflowRun] = field(default_factory=list)


def all_equal(sessions: Sessions, wanted: Callable[[Mapping[str, Any]], bool]) -> list[Equal]:
    """All kept runs that went well, those of equal inputs together, over both APIs; those of one environment each.

    Args:
        sessions: the folder of all sessions.
        wanted: whether a session is looked at, by the first line of its log.
    """
    groups: dict[tuple[str, ...], Equal] = {}
    seen: set[tuple[Any, ...]] = set()
    for folder in sessions.all():
        session = identity_of(folder)
        if not session or not wanted(session):
            continue
        of = json.dumps([session.get(name) for name in IDENTITY])
        with suppress(WisebotError):
            events = (line.event for line in log_lines(folder / FILE_NAME) if line.event is not None)
            for event in (event for event in events if is_kept_run(event) and not mistake(event)):
                run = _run(event, event.get("inputs") or {})
                if _same(event) in seen or not run.ok or run.contradiction:
                    continue
                seen.add(_same(event))
                same = (of, run.workflow, json.dumps(run.inputs, sort_keys=True))
                groups.setdefault((*same, event["key"]), Equal(run.workflow)).runs.append(run)
    return list(_joined(groups))


def _joined(groups: Mapping[tuple[str, ...], Equal]) -> Iterator[Equal]:
    """Those over one API joined with those over the other, unless redaction has made different inputs equal."""
    apis: dict[tuple[str, ...], list[Api]] = defaultdict(list)
    for (*same, _), group in groups.items():
        apis[*same,].append(group.runs[0].api)
    joined: dict[tuple[str, ...], Equal] = {}
    for (*same, key), group in groups.items():
        one_each = len(apis[*same,]) == len(set(apis[*same,]))
        place = (*same,) if one_each else (*same, key)
        joined.setdefault(place, Equal(group.workflow)).runs.extend(group.runs)
    for group in joined.values():
        group.runs = sorted(group.runs, key=lambda run: run.started_at)[-MOST_RUNS:]
        yield group


def _run(event: Mapping[str, Any], inputs: Mapping[str, Any]) -> WorkflowRun:
    return replace(WorkflowRun.from_event({**event, "inputs": {}}), inputs=inputs)


def _same(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """Equal for two lines of one run, which a session that resumes another one takes over."""
    return event["key"], event.get("runId"), event["made"], event.get("seconds")
