"""The kept runs of equal inputs: what they show of which values differ from run to run is learned from them.

Nothing here fails: a log that cannot be read has no runs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..errors import WisebotError
from ..event_log import event_at, log_lines
from ..files import is_there, open_to_read
from ..originals import json, os, time
from ..runs import Api, RunRequest, WorkflowRun
from .sessions import FILE_NAME, IDENTITY, Sessions, identity_of, is_kept_run, is_of, mistake
from .store import RequestKeys

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
