"""The folder of recordings: one readable file for each workflow and canonical request.

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
from ..text import json_number, readable_json
from .input_diff import differences, input_diff

FORMAT: Final = 1

MOST_CACHED: Final = 16 * 1024 * 1024
"""Bytes of files whose content is kept in memory."""

MOST_COMPARED: Final = 500
"""Files of one workflow that are looked at for the nearest recording."""

MOST_DATED: Final = 2_000
"""Files of recordings that are looked at for their age."""

_NAME: Final = re.compile(r"((?:webhook|dashboard)-[0-9a-f]{20})(\.\d+)?\.json")
"""Names of files. Earlier versions began a numbered file when a file had become large."""

_UNTOUCHED: Final = "it was not touched: mend it, or remove it and make its runs anew"

_ENVELOPE: Final = ("ok", "result", "error")
"""Keys of an envelope that are fields of a run; the others are in its ``extra``."""

_ABOUT: Final = ("runId", "started_at", "elapsed", "attempts", "status", "source", "environment")
"""The first facts about a run, in their order."""

_ABOUT_NAMES: Final = {"made": "started_at", "seconds": "elapsed"}
"""Facts that have another name in the event log."""

_EVENT_NAMES: Final = {name: event_name for event_name, name in _ABOUT_NAMES.items()}

_NOT_ABOUT: Final = (*_ENVELOPE, "extra", "workflow_id", "first_source", "contradiction", "commands")
"""Parts of a run that stand elsewhere in a file, or are not recorded: commands name hosts and files of one machine."""

_OWN_FACTS: Final = ("started_at", "elapsed", "clock_ahead", "attempts", "status", "source", "session")
"""Facts of which no part comes from outside."""

_OCCURRENCE_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "test": (str,), "fixture": (str,), "call": (int,), "trial": (int,), "timeout": (float, int),
}  # fmt: skip

Key = tuple[str, str]
"""Identifies a canonical request: the name of its workflow's folder, and a digest of what is sent."""


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
        """A digest of what is sent. Values that only a project redacts are in it: they tell two requests apart."""
        sent = [str(request.api), self.workflow_id(request.workflow), request.inputs]
        text = self._without_credentials(json.dumps(sent, sort_keys=True, ensure_ascii=False))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]
        return safe_name(self.redactor.clean_json(request.workflow)), f"{request.api}-{digest}"

    def occurrence(self, request: RunRequest) -> Occurrence:
        """The request's occurrence, as it is written down."""
        asks = request.occurrence
        test, fixture = self.redactor.clean_json([asks.test, asks.fixture])
        return asks if (test, fixture) == (asks.test, asks.fixture) else replace(asks, test=test, fixture=fixture)

    def answer(self, run: WorkflowRun, request: RunRequest) -> WorkflowRun:
        """A kept run as the answer to a request. Cleaned again: credentials may have become known since."""
        return replace(
            self.cleaned(run),
            workflow=request.workflow,
            workflow_id=self.workflow_id(request.workflow),
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
    """The content of the files of one canonical request."""

    request: Mapping[str, Any] | None = None
    entries: dict[Occurrence, _Entry] = field(default_factory=dict)
    seen: Seen | None = None
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
        self._listed: dict[str, dict[str, list[Path]]] = {}
        """By a workflow's folder and a request's digest, the numbered files of an earlier version."""

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
        path = self._path(key)
        entry = _Entry(occurrence, *self._written(run, session), path)
        with folder_lock(path.parent):
            group = self._group(key)
            group.request = group.request or self._described(request)
            group.entries[occurrence] = entry
            self._write(path, group)
            for numbered in self._numbered(key).pop(key[1], ()):
                remove_file(numbered)
        return path, occurrence

    def check(self, request: RunRequest) -> None:
        """Checks, before a run is paid for, that its file can be read.

        Raises:
            ConfigurationError: it cannot.
        """
        self._group(self._keys.key(request))

    def remove(self, path: Path, occurrences: set[Occurrence]) -> None:
        """Removes occurrences from a file, and the file with its last occurrence.

        Raises:
            ConfigurationError: the file cannot be read, and stays as it is.
        """
        with folder_lock(path.parent):
            group = self._read([path])
            group.entries = {one: entry for one, entry in group.entries.items() if one not in occurrences}
            self._groups.clear()
            self._cached = 0
            if group.entries:
                self._write(path, group)
                return
            remove_file(path)
            if not entries_of(path.parent):
                os.rmdir(path.parent)

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
        group.seen = seen(path)

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
        entry = self._group(key).entries.get(occurrence or self._keys.occurrence(request))
        if entry is None:
            return None
        run = _run_of(entry.envelope, entry.about, request)
        return Found(self._keys.answer(run, request), entry.path, entry.occurrence, key)

    def occurrences(self, request: RunRequest) -> list[Occurrence]:
        """All occurrences of a request, in their order.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        return in_order(self._group(self._keys.key(request)).entries)

    def nearest(self, request: RunRequest) -> Nearest | None:
        """The recording nearest to a request without one: the same request of others, or one with similar inputs."""
        inputs, test = self._redactor.clean_inputs(request.inputs), self._keys.occurrence(request).test
        best: tuple[tuple[float, ...], Path, _Group] | None = None
        folder = self._path(self._keys.key(request)).parent
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
        recorded, asked = group.request or {}, self._described(request)
        names = [("api", "api"), ("workflow_id", "workflow id")]
        lines = [
            f"{shown}: recorded {recorded.get(name)}, asked {asked[name]}"
            for name, shown in names
            if recorded.get(name) != asked[name]
        ]
        return Nearest(path, tuple(group.entries), (*lines, *differences(recorded.get("inputs", {}), inputs)))

    def everything(self) -> Iterator[tuple[Path, Occurrence]]:
        """Every occurrence, with its file. Files that cannot be read are left out."""
        for path in self.paths():
            with suppress(ConfigurationError):
                yield from ((path, occurrence) for occurrence in self._read([path]).entries)

    def paths(self) -> list[Path]:
        """Every file of recordings, in order."""
        found = (path for folder in entries_of(self.folder) for path in entries_of(folder))
        return sorted(path for path in found if _NAME.fullmatch(path.name))

    def dates(self) -> tuple[list[datetime], bool]:
        """When the runs were made, as far as their files can be read, and whether these are all files."""
        paths = self.paths()
        return [made for path in paths[:MOST_DATED] for made in _dates(path)], len(paths) <= MOST_DATED

    def shown(self, path: Path) -> str:
        """A file as messages name it: from the folder's own name on."""
        return path.relative_to(self.folder.parent).as_posix()

    # --- files

    def _path(self, key: Key) -> Path:
        return self.folder / key[0] / f"{key[1]}.json"

    def _numbered(self, key: Key) -> dict[str, list[Path]]:
        folder = self._path(key).parent
        if key[0] not in self._listed:
            listed = self._listed[key[0]] = {}
            for path in sorted(entries_of(folder), key=lambda path: (len(path.name), path.name)):
                if (named := _NAME.fullmatch(path.name)) and named[2]:
                    listed.setdefault(named[1], []).append(path)
        return self._listed[key[0]]

    def _group(self, key: Key) -> _Group:
        """The content of a request's files as it is on disk now."""
        path = self._path(key)
        group = self._groups.get(key)
        if group is not None and group.seen == seen(path):
            self._groups.move_to_end(key)
            return group
        group = self._groups[key] = self._read([path, *self._numbered(key).get(key[1], ())])
        self._cached += group.size
        while self._cached > MOST_CACHED and len(self._groups) > 1:
            self._cached -= self._groups.popitem(last=False)[1].size
        return group

    def _read(self, paths: list[Path]) -> _Group:
        group = _Group(seen=seen(paths[0]))
        for path in filter(is_there, paths):
            request, entries = _read_file(path, self.shown(path))
            group.request = group.request or request
            group.size += os.stat(path).st_size
            for entry in entries:
                group.entries.setdefault(entry.occurrence, entry)
        return group

    # --- content

    def _described(self, request: RunRequest) -> Mapping[str, Any]:
        known = [request.workflow, self._keys.workflow_id(request.workflow)]
        workflow, workflow_id = self._redactor.clean_json(known)
        inputs = self._redactor.clean_inputs(request.inputs)
        return {"workflow": workflow, "workflow_id": workflow_id, "api": str(request.api), "inputs": inputs}

    def _written(self, run: WorkflowRun, session: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A run's envelope without its id, and the facts about it, cleaned."""
        run = self._keys.cleaned(run)
        event, more = run.to_event(), dict(run.extra)
        about = dict.fromkeys(_ABOUT) | {
            _ABOUT_NAMES.get(name, name): value for name, value in event.items() if name not in _NOT_ABOUT
        }
        about |= {"runId": more.pop("runId", run.run_id), "source": run.first_source or run.source, "session": session}
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
        return request, [_checked_entry(number, *one, path) for number, one in both]
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


def _checked_entry(number: int, said: Any, about: Any, path: Path) -> _Entry:
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
    return _Entry(Occurrence.from_dict(said), envelope, about, path)


def _run_of(envelope: Mapping[str, Any], about: Mapping[str, Any], request: RunRequest) -> WorkflowRun:
    """The recorded run. Numbers that were edited into something else take their default."""
    numbers = {name: about.get(name) for name in ("elapsed", "clock_ahead", "attempts", "status")}
    wrong = {name for name, value in numbers.items() if isinstance(value, bool) or not isinstance(value, int | float)}
    facts = {_EVENT_NAMES.get(name, name): value for name, value in about.items() if name not in wrong}
    extra = {name: value for name, value in envelope.items() if name not in _ENVELOPE}
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
