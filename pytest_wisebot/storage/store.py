"""The folder of recordings: one readable file for each workflow and canonical request.

A request is the workflow's name, the API and the inputs. The id of the workflow is not a part of it: it differs from
environment to environment, and stands beside each run.

A file holds the occurrences of its request in their own order, and never in the order of arrival: a run that is
recorded anew changes its own lines alone. The facts that differ from run to run stand at the end, in one line for each
run.

For one thread: the recorder's. Another process may write into the same folder: a folder is locked, and a file is read
again if it has changed, before it is written.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from ..errors import ConfigurationError
from ..files import (
    Seen,
    entries_of,
    folder_lock,
    is_there,
    make_folder,
    reachable,
    read_bytes,
    remove_file,
    safe_name,
    seen,
    sweep,
    write_whole,
)
from ..originals import dates, json, os
from ..redaction import Redactor
from ..runs import Occurrence, RunRequest, WorkflowRun
from ..text import brief, json_number, readable_json, show_path
from .recording_names import DIGITS, Listing, file_name, is_digest, is_old, is_recording

FORMAT: Final = 1

MOST_CACHED: Final = 16 * 1024 * 1024
"""Bytes of files whose content is kept in memory."""

MOST_COMPARED: Final = 500
"""Files of one workflow that are looked at for the nearest recording."""

MOST_DATED: Final = 2_000
"""Files of recordings that are looked at for their age."""

_UNTOUCHED: Final = "it was not touched: mend it, or remove it and make its runs anew"

_ENVELOPE: Final = ("ok", "result", "error")
"""Keys of an envelope that are fields of a run; the others are in its ``extra``."""

_ABOUT: Final = ("runId", "started_at", "elapsed", "attempts", "status", "source", "environment", "workflow_id")
"""The first facts about a run, in their order."""

_ABOUT_NAMES: Final = {"made": "started_at", "seconds": "elapsed"}
"""Facts that have another name in the event log."""

_EVENT_NAMES: Final = {name: event_name for event_name, name in _ABOUT_NAMES.items()}

_NOT_ABOUT: Final = (*_ENVELOPE, "extra", "first_source", "contradiction", "commands")
"""Parts of a run that stand elsewhere in a file, or are not recorded: commands name hosts and files of one machine."""

_OWN_FACTS: Final = ("started_at", "elapsed", "clock_ahead", "attempts", "status", "source", "session")
"""Facts of which no part comes from outside."""

_OCCURRENCE_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "test": (str,), "fixture": (str,), "call": (int,), "trial": (int,), "timeout": (float, int),
}  # fmt: skip

Key = tuple[str, str]
"""Identifies a canonical request: the name of its workflow's folder, and its API with a digest of name and inputs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A kept run.

    Attributes:
        run: the run, with the inputs of the request that asked.
        path: the file that holds it.
        occurrence: the occurrence that it was made for.
        key: its canonical request.
    """

    run: WorkflowRun
    path: Path
    occurrence: Occurrence
    key: Key


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recording that comes nearest to a request without one.

    Attributes:
        path: its file.
        occurrences: the occurrences in the file.
        differences: the inputs that differ, line by line; none where the request is the same.
    """

    path: Path
    occurrences: tuple[Occurrence, ...]
    differences: tuple[str, ...]


class KeptRuns(Protocol):
    """Runs that were made earlier: a store of recordings, or the log of a session."""

    def key(self, request: RunRequest) -> Key:
        """Identifies the canonical request."""
        ...

    def find(self, request: RunRequest, occurrence: Occurrence | None = None) -> Found | None:
        """The run of this request's occurrence, or of another one. Raises `ConfigurationError`."""
        ...

    def occurrences(self, request: RunRequest) -> list[Occurrence]:
        """All occurrences of the canonical request, in order. Raises `ConfigurationError`."""
        ...


class RequestKeys:
    """Makes keys and occurrences without credentials, by which runs are stored and found.

    Args:
        redactor: finds the credentials.
        workflow_id: maps a workflow's name to its id.
    """

    def __init__(self, redactor: Redactor, workflow_id: Callable[[str], str] = lambda name: name) -> None:
        self.redactor = redactor
        self.workflow_id = workflow_id

    def key(self, request: RunRequest) -> Key:
        """A digest of what is asked. Values that only a project redacts are in it: they tell two requests apart.

        Raises:
            ConfigurationError: the environment lists its workflows, and not this one.
        """
        self.workflow_id(request.workflow)
        return safe_name(self.redactor.clean_json(request.workflow)), self._digest(request, request.workflow)

    def older(self, request: RunRequest, ids: Iterable[str]) -> list[str]:
        """The digests of earlier versions, which had the workflow's id in place of its name.

        Args:
            request: the request.
            ids: ids of the workflow in other environments.
        """
        current = self.workflow_id(request.workflow)
        return [self._digest(request, one) for one in dict.fromkeys((current, *sorted(ids)))]

    def _digest(self, request: RunRequest, workflow: str) -> str:
        asked = [str(request.api), workflow, request.inputs]
        text = self._without_credentials(json.dumps(asked, sort_keys=True, ensure_ascii=False))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
        return f"{request.api}-{digest}"

    def occurrence(self, request: RunRequest) -> Occurrence:
        """The request's occurrence, as it is written down."""
        asks = request.occurrence
        test, fixture = self.redactor.clean_json([asks.test, asks.fixture])
        return asks if (test, fixture) == (asks.test, asks.fixture) else replace(asks, test=test, fixture=fixture)

    def answer(self, run: WorkflowRun, request: RunRequest) -> WorkflowRun:
        """A kept run as the answer to a request. Cleaned again: credentials may have become known since.

        It keeps the id that was sent when it was made, which may be that of another environment.
        """
        return replace(
            self.cleaned(run),
            workflow=request.workflow,
            workflow_id=run.workflow_id or self.workflow_id(request.workflow),
            inputs=request.inputs,
            trial=request.trial,
            first_source=run.first_source or run.source,
        )

    def cleaned(self, run: WorkflowRun) -> WorkflowRun:
        """A copy of a run, its answer without credentials. Keys of the envelope itself are none of a project's."""
        extra, (result, error) = self.redactor.clean_json([dict(run.extra), [run.result, run.error]])
        return replace(run, result=result, error=error, extra=extra)

    def _without_credentials(self, text: str) -> str:
        pieces, at = [], 0
        for start, end in self.redactor.credential_spans(text):
            pieces.append(text[at:start])
            at = end
        return "<>".join([*pieces, text[at:]])


@dataclass
class _Entry:
    """One occurrence in a file: its envelope, and the facts about its run."""

    occurrence: Occurrence
    envelope: Mapping[str, Any]
    about: Mapping[str, Any]
    path: Path

    @cached_property
    def lines(self) -> tuple[str, str]:
        occurrence = readable_json({**self.occurrence.to_dict(), "envelope": self.envelope}, indent=2)
        return "    " + occurrence.replace("\n", "\n    "), "    " + readable_json(self.about)


@dataclass(slots=True)
class _Group:
    """The content of the files of one canonical request.

    Attributes:
        request: as it is written down.
        entries: its occurrences.
        paths: its files.
        seen: the state of all files that may be its own, by their names.
        size: bytes of its files.
    """

    request: Mapping[str, Any] | None = None
    entries: dict[Occurrence, _Entry] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    seen: dict[Path, Seen | None] | None = None
    size: int = 0

    def text(self) -> str:
        request = "\n".join(readable_json({"request": self.request}, indent=2).splitlines()[1:-1])
        lines = [self.entries[one].lines for one in in_order(self.entries)]
        occurrences, about = (",\n".join(part) for part in zip(*lines, strict=True))
        return (
            f'{{\n  "format": {FORMAT},\n{request},\n'
            f'  "occurrences": [\n{occurrences}\n  ],\n  "about": [\n{about}\n  ]\n}}\n'
        )


class Store:
    """A folder of recordings.

    Args:
        folder: the folder; it is made with the first run.
        redactor: cleans all that is written.
        workflow_id: maps a workflow's name to its id.
    """

    def __init__(self, folder: Path, redactor: Redactor, workflow_id: Callable[[str], str] = lambda name: name) -> None:
        self.folder = folder
        self._redactor = redactor
        self._keys = RequestKeys(redactor, workflow_id)
        self._groups: OrderedDict[Key, _Group] = OrderedDict()
        self._cached = 0
        self._listings: dict[str, Listing] = {}
        """By the names of the workflows' folders."""
        self._named: set[Key] = set()
        """The requests whose files this session names: by the first of their tests, in whatever order they ask."""

    # --- writing

    def put(self, request: RunRequest, run: WorkflowRun, session: str = "") -> tuple[Path, Occurrence]:
        """Writes a run, in place of the one that its occurrence had.

        Args:
            request: the request.
            run: its run.
            session: the session's id.

        Returns:
            The file, and the occurrence as it is written there.

        Raises:
            ConfigurationError: an existing file cannot be read, and stays as it is.
            OSError: the folder cannot be written.
        """
        key, occurrence = self._keys.key(request), self._keys.occurrence(request)
        with folder_lock(self.folder / key[0]):
            group = self._group(request, key)
            if not is_digest((group.request or {}).get("digest")):
                group.request = self._described(request, key)
            path = self._place(key, group, occurrence)
            group.entries[occurrence] = _Entry(occurrence, *self._written(run, session), path)
            self._write(path, group)
            self._move(key, group, path)
            group.seen = self._state(request, key)
        return path, occurrence

    def _place(self, key: Key, group: _Group, occurrence: Occurrence) -> Path:
        """The file of a request: the one that it has; else one that is named by the first test that asks."""
        named = [path for path in group.paths if not is_old(path.name)]
        if named and key not in self._named:
            return named[0]
        self._named.add(key)
        first = min((*group.entries, occurrence), key=lambda one: (one.is_shared, one.fixture != "", _order(one)))
        path = self.folder / key[0] / file_name(key[1], first)
        if is_there(path) and path not in group.paths:
            return path.with_name(file_name(key[1], first, whole=True))
        return path

    def _move(self, key: Key, group: _Group, path: Path) -> None:
        """Removes the other files of a request, once all that they hold is in one."""
        others = [other for other in group.paths if other != path]
        for other in others:
            remove_file(other)
        if group.paths != [path]:
            for entry in group.entries.values():
                entry.path = path
        group.paths = [path]
        self._listings[key[0]].replace(key[1], path, others)

    def check(self, request: RunRequest) -> None:
        """Checks, before a run is paid for, that its file can be read.

        Raises:
            ConfigurationError: it cannot.
        """
        self._group(request, self._keys.key(request))

    def remove(self, path: Path, occurrences: set[Occurrence]) -> None:
        """Removes occurrences from a file, and the file with its last occurrence.

        Raises:
            ConfigurationError: the file cannot be read, and stays as it is.
        """
        with folder_lock(path.parent):
            group = self._read([path])
            group.entries = {one: entry for one, entry in group.entries.items() if one not in occurrences}
            self._groups.clear()
            self._listings.clear()
            self._cached = 0
            if group.entries:
                self._write(path, group)
                return
            remove_file(path)
            if not entries_of(path.parent):
                os.rmdir(reachable(path.parent))

    def clean_again(self, paths: Iterable[Path]) -> None:
        """Masks credentials in files that became known after they had been written.

        Raises:
            OSError: a file cannot be read, or written.
        """
        for path in paths:
            written = read_bytes(path)
            cleaned = self._redactor.clean(written.decode("utf-8", "surrogateescape"))
            if (data := cleaned.encode("utf-8", "surrogateescape")) != written:
                write_whole(str(path), data)

    def _write(self, path: Path, group: _Group) -> None:
        if not is_there(path):
            make_folder(path.parent)
            sweep([path.parent])
        write_whole(str(path), group.text().encode())

    # --- reading

    def key(self, request: RunRequest) -> Key:
        """Identifies the canonical request."""
        return self._keys.key(request)

    def find(self, request: RunRequest, occurrence: Occurrence | None = None) -> Found | None:
        """The run of this request's occurrence, or of another one; None without one.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        key = self._keys.key(request)
        entry = self._group(request, key).entries.get(occurrence or self._keys.occurrence(request))
        if entry is None:
            return None
        run = _run_of(entry.envelope, entry.about, request)
        return Found(self._keys.answer(run, request), entry.path, entry.occurrence, key)

    def occurrences(self, request: RunRequest) -> list[Occurrence]:
        """All occurrences of a request, in their order.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        return in_order(self._group(request, self._keys.key(request)).entries)

    def files(self, key: Key) -> list[Path]:
        """The files of a request that was recorded."""
        return self._listing(key[0]).files(key[1])

    def nearest(self, request: RunRequest) -> Nearest | None:
        """The recording nearest to a request without one: the same request of others, or one with similar inputs."""
        inputs, test = self._redactor.clean_inputs(request.inputs), self._keys.occurrence(request).test
        best: tuple[tuple[float, ...], Path, _Group] | None = None
        key = self._keys.key(request)
        folder = self.folder / key[0]
        for path in [path for path in self.paths() if path.parent == folder][:MOST_COMPARED]:
            with suppress(ConfigurationError):
                group = self._read([path])
                recorded = group.request or {}
                same_test = any(one.test == test for one in group.entries)
                diff = input_diff(recorded.get("inputs", {}), inputs)
                rank = (recorded.get("api") != str(request.api), diff, not same_test)
                if best is None or rank < best[0]:
                    best = rank, path, group
        if best is None:
            return None
        _, path, group = best
        recorded = group.request or {}
        lines = (
            [f"api: recorded {api}, asked {request.api}"] if (api := recorded.get("api")) != str(request.api) else []
        )
        return Nearest(path, tuple(group.entries), (*lines, *differences(recorded.get("inputs", {}), inputs)))

    def everything(self) -> Iterator[tuple[Path, Occurrence]]:
        """Every occurrence, with its file. Files that cannot be read are left out."""
        for path in self.paths():
            with suppress(ConfigurationError):
                yield from ((path, occurrence) for occurrence in self._read([path]).entries)

    def paths(self) -> list[Path]:
        """Every file of recordings, in order."""
        found = (path for folder in entries_of(self.folder) for path in entries_of(folder))
        return sorted(path for path in found if is_recording(path.name))

    def dates(self) -> tuple[list[datetime], bool]:
        """When the runs were made, as far as their files can be read, and whether these are all files."""
        paths = self.paths()
        return [made for path in paths[:MOST_DATED] for made in _dates(path)], len(paths) <= MOST_DATED

    def shown(self, path: Path) -> str:
        """A file as messages name it: from the folder's own name on."""
        return path.relative_to(self.folder.parent).as_posix()

    # --- files

    def _listing(self, name: str) -> Listing:
        listing = self._listings.get(name)
        if listing is None or not listing.is_current:
            listing = self._listings[name] = Listing(self.folder / name)
        return listing

    def _state(self, request: RunRequest, key: Key) -> dict[Path, Seen | None]:
        """The files that may hold a request, and their state; those of earlier versions last."""
        listing = self._listing(key[0])
        paths = listing.files(key[1])
        if (ids := listing.old_ids) is not None:
            paths += listing.old_files(self._keys.older(request, ids))
        return {path: seen(path) for path in paths}

    def _group(self, request: RunRequest, key: Key) -> _Group:
        """The content of a request's files as it is on disk now."""
        group, state = self._groups.get(key), self._state(request, key)
        if group is not None and group.seen == state:
            self._groups.move_to_end(key)
            return group
        group = self._groups[key] = self._read(state, key[1].partition("-")[2])
        group.seen = state
        self._cached += group.size
        while self._cached > MOST_CACHED and len(self._groups) > 1:
            self._cached -= self._groups.popitem(last=False)[1].size
        return group

    def _read(self, paths: Iterable[Path], digest: str = "") -> _Group:
        """The content of files; without those of a request that has another digest."""
        group = _Group()
        for path in filter(is_there, paths):
            request, entries = _read_file(path, self.shown(path))
            if digest and is_digest(other := request.get("digest")) and other != digest:
                continue
            group.request = group.request or request
            group.paths.append(path)
            group.size += os.stat(reachable(path)).st_size
            for entry in entries:
                group.entries.setdefault(entry.occurrence, entry)
        return group

    # --- content

    def _described(self, request: RunRequest, key: Key) -> Mapping[str, Any]:
        workflow, inputs = self._redactor.clean_json(request.workflow), self._redactor.clean_inputs(request.inputs)
        digest = key[1].partition("-")[2]
        return {"workflow": workflow, "api": str(request.api), "digest": digest, "inputs": inputs}

    def _written(self, run: WorkflowRun, session: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A run's envelope without its id, and the facts about it, cleaned."""
        run = self._keys.cleaned(run)
        event, more = run.to_event(), dict(run.extra)
        about = dict.fromkeys(_ABOUT) | {
            _ABOUT_NAMES.get(name, name): value for name, value in event.items() if name not in _NOT_ABOUT
        }
        about |= {"runId": more.pop("runId", run.run_id), "source": run.first_source or run.source}
        about |= {"workflow_id": run.workflow_id or self._keys.workflow_id(run.workflow), "session": session}
        texts = {name: value for name, value in about.items() if name not in _OWN_FACTS}
        about |= dict(zip(texts, self._redactor.clean_json(list(texts.values())), strict=True))
        envelope = {name: event[name] for name in _ENVELOPE if name in event}
        if run.error is None:
            del envelope["error"]
        return envelope | more, about


# --- one file -----------------------------------------------------------------------------------------------------


def _read_file(path: Path, name: str) -> tuple[dict[str, Any], list[_Entry]]:
    """A file's request, and its entries.

    Raises:
        ConfigurationError: it cannot be read; the message names it, and it stays as it is.
    """
    try:
        data = json.loads(read_bytes(path), parse_constant=_refuse, parse_float=json_number)
    except OSError as error:
        raise ConfigurationError(f"{name}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name}: is not valid JSON ({error}); {_UNTOUCHED}") from None
    found = data.get("format") if isinstance(data, dict) else None
    if isinstance(found, int) and not isinstance(found, bool) and found > FORMAT:
        raise ConfigurationError(
            f"{name}: has format {found}, and this version of pytest-wisebot reads {FORMAT}: install a newer one; "
            "it was not touched"
        )
    try:
        if type(found) is not int or found != FORMAT:
            raise ValueError(f'has no "format": {FORMAT}')
        request, occurrences, about = _checked(data)
        both = enumerate(zip(occurrences, about, strict=True), 1)
        known = {name: request[name] for name in ("workflow_id",) if name in request}  # of an earlier version
        return request, [_checked_entry(number, *one, path, known) for number, one in both]
    except ValueError as problem:
        raise ConfigurationError(f"{name}: {problem}; {_UNTOUCHED}") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _checked(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any], list[Any]]:
    request, occurrences, about = data.get("request"), data.get("occurrences"), data.get("about")
    if not isinstance(request, dict):
        raise ValueError('has no "request" that is an object')
    if not isinstance(occurrences, list) or not isinstance(about, list):
        raise ValueError('has no lists "occurrences" and "about"')
    if len(occurrences) != len(about):
        raise ValueError(f'has {len(occurrences)} "occurrences" and {len(about)} lines "about" them')
    return request, occurrences, about


def _checked_entry(number: int, said: Any, about: Any, path: Path, known: Mapping[str, Any]) -> _Entry:
    if not isinstance(said, dict) or not isinstance(about, dict):
        raise ValueError(f"occurrence {number} is not an object")
    try:
        made: datetime | None = dates.read(about["started_at"])
    except (KeyError, TypeError, ValueError):
        made = None
    if made is None or made.tzinfo is None:
        raise ValueError(f'line {number} "about" has no "started_at" that is a time with its zone')
    if any(type(said[name]) not in kinds for name, kinds in _OCCURRENCE_TYPES.items() if name in said):
        raise ValueError(f"occurrence {number} does not name a test or fixture")
    envelope = said.get("envelope")
    if not isinstance(envelope, dict) or not isinstance(envelope.get("ok"), bool):
        raise ValueError(f'occurrence {number} has no valid envelope: an object with a boolean "ok"')
    known = {name: value for name, value in known.items() if name not in about}
    return _Entry(Occurrence.from_dict(said), envelope, {**about, **known}, path)


def _run_of(envelope: Mapping[str, Any], about: Mapping[str, Any], request: RunRequest) -> WorkflowRun:
    """The recorded run. Numbers that were edited into something else take their default."""
    numbers = {name: about.get(name) for name in ("elapsed", "clock_ahead", "attempts", "status")}
    wrong = {name for name, value in numbers.items() if isinstance(value, bool) or not isinstance(value, int | float)}
    facts = {_EVENT_NAMES.get(name, name): value for name, value in about.items() if name not in wrong}
    extra = {name: value for name, value in envelope.items() if name not in _ENVELOPE}
    if not isinstance(facts.get("workflow_id"), str):
        facts.pop("workflow_id", None)
    if (run_id := about.get("runId")) is not None and not isinstance(run_id, str):
        extra["runId"], facts["runId"] = run_id, json.dumps(run_id)
    answer = {name: envelope[name] for name in _ENVELOPE if name in envelope}
    return WorkflowRun.from_event({**request.to_event(), **facts, **answer, "extra": extra})


def in_order(occurrences: Iterable[Occurrence]) -> list[Occurrence]:
    """Occurrences by their tests, and never by their arrival."""
    return sorted(occurrences, key=_order)


def _order(occurrence: Occurrence) -> tuple[str, str, int, int, float]:
    return occurrence.test, occurrence.fixture, occurrence.trial, occurrence.call, occurrence.timeout


def _dates(path: Path) -> list[datetime]:
    """When the runs in a file were made, as far as it can be read."""
    try:
        text = read_bytes(path).decode("utf-8", "replace")
        found = re.findall(r'"started_at": "([^"]+)"', text[text.rindex('"about": [') :])
        return [dates.read(one) for one in found]
    except (OSError, ValueError):
        return []


MOST_LINES: Final = 20
"""Differences that a message names one by one."""

_MISSING: Final = object()


def input_diff(recorded: Any, asked: Any) -> float:
    """The distance of two bags: 0 for equal ones, 1 for two that have nothing in common."""
    there, here = dict(_leaves(recorded)), dict(_leaves(asked))
    paths = there.keys() | here.keys()
    if not paths:
        return 0.0
    # A value that differs is nearer than one that is missing: the shape is the same.
    apart = sum(_apart(there.get(path, _MISSING), here.get(path, _MISSING)) for path in paths)
    return apart / len(paths)


def differences(recorded: Any, asked: Any) -> list[str]:
    """The differences, by their paths in the inputs; the same in a message as in a file."""
    there, here = dict(_leaves(recorded)), dict(_leaves(asked))
    lines = [
        f"{path}: recorded {_shown(there.get(path, _MISSING))}, asked {_shown(here.get(path, _MISSING))}"
        for path in sorted(there.keys() | here.keys())
        if _apart(there.get(path, _MISSING), here.get(path, _MISSING))
    ]
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more"] if more > 0 else lines


def _apart(one: Any, other: Any) -> float:
    if one is _MISSING or other is _MISSING:
        return 1.0
    return 0.0 if type(one) is type(other) and one == other else 0.5


def _shown(value: Any) -> str:
    return "nothing" if value is _MISSING else brief(value)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif path or not isinstance(value, Mapping):
        yield show_path(path), value
