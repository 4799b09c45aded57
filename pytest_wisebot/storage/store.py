"""A folder of runs, for recordings and for sessions alike: one readable file for each workflow and canonical request.

A file holds the occurrences of its request in their own order, and never in the order of arrival, so that a run that is
recorded anew changes its own lines alone; and of these, what differs from run to run stands at the end, in one line for
each. A request with many occurrences has several files, so that each run costs about the same to write.

For one thread: the engine's keeper. Another process may write into the same folder, unless it is a session's own: a
folder is locked, and a file read again where it is not the one that was seen, before it is written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..files import Seen, folder_lock, safe_name, seen, sweep, write_whole
from ..redaction import Redactor
from ..runs import Api, Occurrence, RunRequest, WorkflowRun
from ..text import readable_json
from .input_diff import differences, nearness

FORMAT: Final = 1

MOST_OCCURRENCES: Final = 50
"""Occurrences in one file, before the next one is begun."""

MOST_BYTES: Final = 64 * 1024
"""Size from which on a file takes no further occurrence."""

MOST_CACHED: Final = 16 * 1024 * 1024
"""Characters of files that are kept in memory, so that they are not read anew for each run."""

MOST_COMPARED: Final = 500
"""Files of one workflow that are looked at for the nearest recording."""

_TEXTS: Final = frozenset({"runId", "environment", "commands"})
"""What is known about a run, and came from outside."""

_NAME: Final = re.compile(r"(webhook|dashboard)-([0-9a-f]{20})(?:\.(\d+))?\.json")


@dataclass(frozen=True, slots=True)
class Found:
    """A run that was kept.

    Attributes:
        run: the run, as it was, with the inputs of the request that asked.
        path: the file that holds it.
        occurrence: whose it is.
        place: the first of the files that its request has.
    """

    run: WorkflowRun
    path: Path
    occurrence: Occurrence
    place: Path


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recording that comes nearest to a request that has none.

    Attributes:
        path: its file.
        occurrences: whose runs the file holds.
        differences: in which inputs it differs, line by line; none where the request is the same.
    """

    path: Path
    occurrences: tuple[Occurrence, ...]
    differences: tuple[str, ...]


@dataclass(slots=True)
class _Part:
    """One file. Its texts are those of the occurrences, and of what is known about each."""

    path: Path
    texts: dict[Occurrence, tuple[str, str]] = field(default_factory=dict)
    size: int = 0
    seen: Seen | None = None
    """As which file it was read or written last."""

    def is_full(self) -> bool:
        return len(self.texts) >= MOST_OCCURRENCES or self.size >= MOST_BYTES


@dataclass(slots=True)
class _Group:
    """The files of one canonical request."""

    request: str
    """The request's lines."""
    parts: dict[int, _Part] = field(default_factory=dict)
    where: dict[Occurrence, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts.values())


class Store:
    """A folder of runs.

    Args:
        folder: the folder; it is made with the first run.
        redactor: cleans all that is written.
        workflow_id: the id that a workflow's name stands for.
        commands: whether the commands that repeat a run are kept with it. They name hosts and files of one machine.
        alone: whether nobody else writes into the folder.
        top: the folder from which on messages name its files; by default this one.
    """

    def __init__(
        self,
        folder: Path,
        redactor: Redactor,
        workflow_id: Callable[[str], str] = lambda name: name,
        *,
        commands: bool = False,
        alone: bool = False,
        top: Path | None = None,
    ) -> None:
        self.folder = folder
        self.top = top or folder
        self._redactor = redactor
        self._workflow_id = workflow_id
        self._commands = commands
        self._alone = alone
        self._folders: dict[str, Path] = {}
        """By their names, those of the workflows."""
        self._groups: OrderedDict[tuple[str, str], _Group] = OrderedDict()
        self._read: OrderedDict[tuple[str, str], _Recorded] = OrderedDict()
        self._names: dict[str, dict[str, set[int]]] = {}
        """By a workflow's folder and a request's digest, the numbers of its files."""
        self._written: set[tuple[str, str]] = set()

    # --- writing

    def put(self, request: RunRequest, run: WorkflowRun, session: str = "") -> tuple[Path, Occurrence]:
        """Writes a run down, in the place of the one that its occurrence had.

        Args:
            request: what was asked.
            run: what came.
            session: the session's id.

        Returns:
            The file, and the occurrence as it is written there.

        Raises:
            ConfigurationError: what is there already cannot be read, and stays as it is.
            OSError: the folder cannot be written.
        """
        key, occurrence = self._address(request)
        with self._folder_lock(key[0]):
            path = self._put(key, occurrence, request, self._texts(occurrence, run, session))
        self._written.add(key)
        self._read.pop(key, None)
        self._shrink()
        return path, occurrence

    def _put(self, key: tuple[str, str], occurrence: Occurrence, request: RunRequest, texts: tuple[str, str]) -> Path:
        group = self._group_as_it_is(key, request)
        number = group.where.get(occurrence)
        if number is None:
            number = next((n for n, part in sorted(group.parts.items()) if not part.is_full()), None)
        if number is None:
            number = max(group.parts, default=0) + 1
        part = group.parts.setdefault(number, _Part(self._path(key, number)))
        part.size += sum(map(len, texts)) - sum(map(len, part.texts.get(occurrence, ())))
        part.texts[occurrence] = texts
        group.where[occurrence] = number
        self._write(group, part)
        return part.path

    def check(self, request: RunRequest) -> None:
        """Sees to it, before a run is paid for, that what is there already can be read.

        Raises:
            ConfigurationError: it cannot.
        """
        self._group(self._address(request)[0], request)

    def tidy(self) -> None:
        """Puts the occurrences of each request that was written into their own order over all of its files.

        One that is killed in between leaves an occurrence in two files, and none in no file.
        """
        for key in sorted(self._written):
            if self._alone and len(self._numbers(key)) == 1:
                continue  # one file is in order in itself
            with self._folder_lock(key[0]):
                group = self._group_as_it_is(key, None)
                arrived = [one for _, part in sorted(group.parts.items()) for one in sorted(part.texts, key=_order)]
                if arrived != sorted(arrived, key=_order):
                    self._put_in_order(key, group)
        self._written.clear()

    def remove(self, path: Path, occurrences: set[Occurrence]) -> None:
        """Takes occurrences out of a file, and the file away where none is left.

        Raises:
            ConfigurationError: the file cannot be read, and stays as it is.
        """
        with self._folder_lock(path.parent.name):
            self._remove(path, occurrences)

    def _remove(self, path: Path, occurrences: set[Occurrence]) -> None:
        _, entries = read_file(path, self.top)
        self._read.clear()
        self._groups.clear()
        if not {one for one, _, _ in entries} - occurrences:
            path.unlink()
            self._names.clear()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
            return
        part, request = self._loaded(path)
        part.texts = {one: texts for one, texts in part.texts.items() if one not in occurrences}
        self._write(_Group(request), part)

    # --- reading

    def find(self, request: RunRequest) -> Found | None:
        """The run of exactly this occurrence; None without one.

        Raises:
            ConfigurationError: the file that may hold it cannot be read.
        """
        key, occurrence = self._address(request)
        return self._found(key, occurrence, request)

    def others(self, request: RunRequest) -> list[Occurrence]:
        """All occurrences of a request, in their order.

        Raises:
            ConfigurationError: a file that may hold some cannot be read.
        """
        return sorted(self._recorded(self._address(request)[0]).entries, key=_order)

    def find_other(self, request: RunRequest, occurrence: Occurrence) -> Found | None:
        """The run of this occurrence, whoever asks; None without one.

        Raises:
            ConfigurationError: the file that may hold it cannot be read.
        """
        return self._found(self._address(request)[0], occurrence, request)

    def _found(self, key: tuple[str, str], occurrence: Occurrence, request: RunRequest) -> Found | None:
        entry = self._recorded(key).entries.get(occurrence)
        if entry is None:
            return None
        path, envelope, about = entry
        (answer,) = self._clean_answers(
            envelope
        )  # again, by what is known today; and a copy, which the test may change
        run = run_of(request, answer, about)
        run = replace(run, workflow_id=self._workflow_id(request.workflow))
        return Found(run, path, occurrence, self._path(key, 1))

    def nearest(self, request: RunRequest) -> Nearest | None:
        """What comes nearest to a request that has no run: the same one of others, or one with similar inputs."""
        key, asked_by = self._address(request)
        inputs = self._redactor.clean_json(request.inputs)
        best: tuple[tuple[float, ...], Path, Any, list[Occurrence]] | None = None
        files = [(key[0], name) for name in sorted(self._listed(key[0]))]
        for path in [self._path(file, number) for file in files for number in self._numbers(file)][:MOST_COMPARED]:
            try:
                said, entries = read_file(path, self.top)
            except ConfigurationError:
                continue
            occurrences = [one for one, _, _ in entries]
            same_test = any(one.test == asked_by.test for one in occurrences)
            other_api = said.get("api") != str(request.api)
            rank = (other_api, nearness(said.get("inputs", {}), inputs), not same_test)
            if best is None or rank < best[0]:
                best = rank, path, said, occurrences
        if best is None:
            return None
        _, path, said, occurrences = best
        lines = [f"api: recorded {said.get('api')}, asked {request.api}"] if said.get("api") != str(request.api) else []
        if (known := said.get("workflow_id")) != (asked := self._redactor.clean(self._workflow_id(request.workflow))):
            lines.append(f"workflow id: recorded {known}, asked {asked}")
        return Nearest(path, tuple(occurrences), (*lines, *differences(said.get("inputs", {}), inputs)))

    def everything(self) -> Iterator[tuple[Path, Occurrence, datetime]]:
        """Every occurrence that is kept, with its file and when it was made. What cannot be read is left out."""
        for path in self.paths():
            try:
                _, entries = read_file(path, self.top)
            except ConfigurationError:
                continue
            for occurrence, _, about in entries:
                yield path, occurrence, datetime.fromisoformat(about["started_at"])

    def paths(self) -> list[Path]:
        """Every file of runs, in order."""
        return sorted(path for path in self.folder.glob("*/*.json") if _NAME.fullmatch(path.name))

    # --- names

    def _address(self, request: RunRequest) -> tuple[tuple[str, str], Occurrence]:
        """The folder and the beginning of the file's name, and whose run it is, all without credentials.

        The name is a digest of what is sent. What the project redacts of its own is in it: two requests that differ
        there are two.
        """
        sent = [str(request.api), self._workflow_id(request.workflow), request.inputs]
        text = self._without_credentials(json.dumps(sent, sort_keys=True, ensure_ascii=False))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]
        asks = request.occurrence
        workflow, test, fixture = self._redactor.clean_json([request.workflow, asks.test, asks.fixture])
        occurrence = asks if (test, fixture) == (asks.test, asks.fixture) else replace(asks, test=test, fixture=fixture)
        return (safe_name(workflow), f"{request.api}-{digest}"), occurrence

    def _without_credentials(self, text: str) -> str:
        pieces, at = [], 0
        for start, end in self._redactor.credential_spans(text):
            pieces.append(text[at:start])
            at = end
        return "<>".join([*pieces, text[at:]])

    def place(self, request: RunRequest) -> Path:
        """The first of the files that a request has, or would have."""
        return self._path(self._address(request)[0], 1)

    def _path(self, key: tuple[str, str], number: int) -> Path:
        return self._folder(key[0]) / (f"{key[1]}.json" if number == 1 else f"{key[1]}.{number}.json")

    def _folder(self, name: str) -> Path:
        """The folder of a workflow's runs. Remembered: making a path anew costs as much as a call of the system."""
        if name not in self._folders:
            self._folders[name] = self.folder / name
        return self._folders[name]

    def _folder_lock(self, name: str) -> AbstractContextManager[None]:
        """Nobody else writes into this workflow's folder meanwhile."""
        return nullcontext() if self._alone else folder_lock(self._folder(name))

    def _listed(self, folder: str) -> dict[str, set[int]]:
        """The files of runs in one workflow's folder, by the beginning of their names."""
        if folder not in self._names:
            try:
                names = [path.name for path in self._folder(folder).iterdir()]
            except (FileNotFoundError, NotADirectoryError):
                names = []
            listed = self._names[folder] = {}
            for found in filter(None, map(_NAME.fullmatch, names)):
                listed.setdefault(f"{found[1]}-{found[2]}", set()).add(int(found[3] or 1))
        return self._names[folder]

    def _numbers(self, key: tuple[str, str]) -> list[int]:
        return sorted(self._listed(key[0]).get(key[1], ()))

    # --- groups

    def _group(self, key: tuple[str, str], request: RunRequest | None) -> _Group:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._opened(key, request)
        self._groups.move_to_end(key)
        return group

    def _group_as_it_is(self, key: tuple[str, str], request: RunRequest | None) -> _Group:
        """A group as it is on disk now, for who is alone in its folder."""
        group = self._group(key, request)
        if self._alone:
            return group
        following = self._path(key, max(group.parts, default=0) + 1)
        if all(part.seen == seen(part.path) for part in group.parts.values()) and seen(following) is None:
            return group
        del self._groups[key]
        self._names.pop(key[0], None)
        return self._group(key, request)

    def _opened(self, key: tuple[str, str], request: RunRequest | None) -> _Group:
        group = _Group(self._request_lines(request) if request is not None else "")
        for number in self._numbers(key):
            part, said = self._loaded(self._path(key, number))
            group.parts[number] = part
            group.request = group.request or said
            for occurrence in part.texts:
                group.where.setdefault(occurrence, number)
        return group

    def _loaded(self, path: Path) -> tuple[_Part, str]:
        part = _Part(path, seen=seen(path))
        said, entries = read_file(path, self.top)
        for occurrence, envelope, about in entries:
            part.texts[occurrence] = _occurrence_lines(occurrence, envelope), _about_line(about)
        part.size = sum(len(text) for texts in part.texts.values() for text in texts)
        return part, _indented({"request": said})

    def _shrink(self) -> None:
        """Keeps in memory what was written last. What is known to be full is read again only where it is replaced."""
        if len(self._groups) % 64 == 0 or next(reversed(self._groups.values())).size > MOST_BYTES:
            size = sum(group.size for group in self._groups.values())
            while size > MOST_CACHED and len(self._groups) > 1:
                _, group = self._groups.popitem(last=False)
                size -= group.size

    def _put_in_order(self, key: tuple[str, str], group: _Group) -> None:
        # Of one that a killed session has left in two files the first holds, as everywhere.
        by_number = sorted(group.parts.items(), reverse=True)
        texts = {one: both for _, part in by_number for one, both in part.texts.items()}
        spare = _Part(self._path(key, max(group.parts) + 1), texts)
        self._write(group, spare)
        before, group.parts, group.where = group.parts, {}, {}
        for occurrence in sorted(texts, key=_order):
            number = max(group.parts, default=1)
            if number in group.parts and group.parts[number].is_full():
                number += 1
            part = group.parts.setdefault(number, _Part(self._path(key, number)))
            part.texts[occurrence] = texts[occurrence]
            part.size += sum(map(len, texts[occurrence]))
            group.where[occurrence] = number
        for part in group.parts.values():
            if part.path != spare.path:
                self._write(group, part)
        if spare.path in [part.path for part in group.parts.values()]:
            self._write(group, group.parts[max(before) + 1])
        else:
            spare.path.unlink()
        for number in set(before) - set(group.parts):
            before[number].path.unlink()
        self._names.pop(key[0], None)

    # --- lines

    def _texts(self, occurrence: Occurrence, run: WorkflowRun, session: str) -> tuple[str, str]:
        about = self._about(run, session)
        names = [name for name in about if name in _TEXTS]
        envelope, *known = self._clean_answers(envelope_of(run), *(about[name] for name in names))
        return _occurrence_lines(occurrence, envelope), _about_line(about | dict(zip(names, known, strict=True)))

    def _clean_answers(self, envelope: Mapping[str, Any], *more: Any) -> list[Any]:
        """A clean copy of an envelope, and of other values, all at once.

        Where the keys are ours only the values are cleaned: a project that redacts a key of its own means none of them.
        """
        ours = [name for name in ("result", "error") if name in envelope]
        extra = {name: value for name, value in envelope.items() if name not in ("ok", "result", "error")}
        extra, values, *more_clean = self._redactor.clean_json([extra, [envelope[name] for name in ours], *more])
        return [{"ok": envelope["ok"], **dict(zip(ours, values, strict=True)), **extra}, *more_clean]

    def _about(self, run: WorkflowRun, session: str) -> dict[str, Any]:
        """What differs from run to run. Of one that was kept before, what was written then."""
        about: dict[str, Any] = {
            "runId": run.extra.get("runId", run.run_id),
            "started_at": run.started_at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "elapsed": round(run.elapsed, 6),
            "attempts": run.attempts,
            "status": run.status_code,
            "source": run.first_source or run.source,
            "environment": run.environment,
            "session": session,
        }
        return about | ({"commands": list(run.commands)} if self._commands else {})

    def _request_lines(self, request: RunRequest) -> str:
        known = [request.workflow, self._workflow_id(request.workflow), dict(request.inputs)]
        workflow, workflow_id, inputs = self._redactor.clean_json(known)
        said = {"workflow": workflow, "workflow_id": workflow_id, "api": str(request.api), "inputs": inputs}
        return _indented({"request": said})

    def _write(self, group: _Group, part: _Part) -> None:
        """Writes a file whole. Its name is new to the listing at most once."""
        ordered = [part.texts[one] for one in sorted(part.texts, key=_order)]
        occurrences = ",\n".join(texts[0] for texts in ordered)
        about = ",\n".join(texts[1] for texts in ordered)
        text = (
            f'{{\n  "format": {FORMAT},\n{group.request},\n'
            f'  "occurrences": [\n{occurrences}\n  ],\n  "about": [\n{about}\n  ]\n}}\n'
        )
        folder = part.path.parent
        if not self._listed(folder.name):
            folder.mkdir(parents=True, exist_ok=True)
            sweep([folder])
        write_whole(str(part.path), text.encode())
        part.seen = None if self._alone else seen(part.path)
        found = _NAME.fullmatch(part.path.name)
        assert found is not None
        self._listed(folder.name).setdefault(f"{found[1]}-{found[2]}", set()).add(int(found[3] or 1))

    # --- what is read

    def _recorded(self, key: tuple[str, str]) -> _Recorded:
        recorded = self._read.get(key)
        if recorded is None:
            recorded = self._read[key] = _Recorded({}, 0)
            for number in self._numbers(key):
                path = self._path(key, number)
                try:
                    _, entries = read_file(path, self.top)
                except ConfigurationError:
                    del self._read[key]
                    raise
                recorded.size += path.stat().st_size
                for occurrence, envelope, about in entries:
                    recorded.entries.setdefault(occurrence, (path, envelope, about))
            size = sum(one.size for one in self._read.values()) if recorded.size > MOST_BYTES else 0
            while size > MOST_CACHED and len(self._read) > 1:
                size -= self._read.popitem(last=False)[1].size
        return recorded


@dataclass(slots=True)
class _Recorded:
    """What the files of one canonical request say."""

    entries: dict[Occurrence, tuple[Path, dict[str, Any], dict[str, Any]]]
    size: int


# --- one file -----------------------------------------------------------------------------------------------------

Entry = tuple[Occurrence, dict[str, Any], dict[str, Any]]
"""An occurrence, its envelope, and what is known about it."""


def read_file(path: Path, top: Path) -> tuple[dict[str, Any], list[Entry]]:
    """A file's request, and its entries.

    Raises:
        ConfigurationError: it cannot be read; the message names it, and it stays as it is.
    """
    name = shown(path, top)
    try:
        data = json.loads(path.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        raise ConfigurationError(f"{name}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{name}: is no whole JSON ({error}); it was not touched: mend it, or remove it and make its runs anew"
        ) from None
    found = data.get("format") if isinstance(data, dict) else None
    if isinstance(found, int) and not isinstance(found, bool) and found > FORMAT:
        raise ConfigurationError(
            f"{name}: has format {found}, and this version of pytest-wisebot reads {FORMAT}: install a newer one; "
            "it was not touched"
        )
    try:
        if type(found) is not int or found != FORMAT:
            raise ValueError(f'has no "format": {FORMAT}')
        return _checked_request(data), _checked_entries(data)
    except ValueError as problem:
        raise ConfigurationError(
            f"{name}: {problem}; it was not touched: mend it, or remove it and make its runs anew"
        ) from None


def shown(path: Path, top: Path) -> str:
    """A file of a store as messages name it: from a folder's own name on."""
    return path.relative_to(top.parent).as_posix()


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _checked_request(data: Mapping[str, Any]) -> dict[str, Any]:
    request = data.get("request")
    if not isinstance(request, dict):
        raise ValueError('has no "request" that is an object')
    return request


def _checked_entries(data: Mapping[str, Any]) -> list[Entry]:
    occurrences, about = data.get("occurrences"), data.get("about")
    if not isinstance(occurrences, list) or not isinstance(about, list):
        raise ValueError('has no lists "occurrences" and "about"')
    if len(occurrences) != len(about):
        raise ValueError(f'has {len(occurrences)} "occurrences" and {len(about)} lines "about" them')
    return [_checked_entry(number, *both) for number, both in enumerate(zip(occurrences, about, strict=True), 1)]


def _checked_entry(number: int, said: Any, about: Any) -> Entry:
    if not isinstance(said, dict) or not isinstance(about, dict):
        raise ValueError(f"occurrence {number} is no object")
    try:
        made: datetime | None = datetime.fromisoformat(about["started_at"])
    except (KeyError, TypeError, ValueError):
        made = None
    if made is None or made.tzinfo is None:
        raise ValueError(f'line {number} "about" has no "started_at" that is a time with its zone')
    names: dict[str, tuple[type, ...]] = {
        "test": (str,), "fixture": (str,), "call": (int,), "trial": (int,), "timeout": (float, int),
    }  # fmt: skip
    named = {name: said[name] for name in names if name in said}
    if any(type(value) not in names[name] for name, value in named.items()):
        raise ValueError(f"occurrence {number} is of nobody")
    envelope = said.get("envelope")
    if not isinstance(envelope, dict) or not isinstance(envelope.get("ok"), bool):
        raise ValueError(f'occurrence {number} is no envelope: an object with a boolean "ok"')
    return Occurrence(**named), envelope, about


def envelope_of(run: WorkflowRun) -> dict[str, Any]:
    """What Wisebot answered, without the id that is another one each time."""
    envelope: dict[str, Any] = {"ok": run.ok}
    if run.has_result:
        envelope["result"] = run.result
    if run.error is not None:
        envelope["error"] = run.error
    return envelope | {key: value for key, value in run.extra.items() if key != "runId"}


def run_of(request: RunRequest, envelope: Mapping[str, Any], about: Mapping[str, Any]) -> WorkflowRun:
    """The run that was written down, for a request that asks for it now."""
    run_id = about.get("runId")
    extra = {key: value for key, value in envelope.items() if key not in ("ok", "result", "error")}
    if run_id is not None and not isinstance(run_id, str):
        extra["runId"], run_id = run_id, json.dumps(run_id)
    source = str(about.get("source", "live"))
    return WorkflowRun(
        ok=envelope["ok"],
        workflow=request.workflow,
        api=Api(request.api),
        run_id=run_id,
        result=envelope.get("result"),
        has_result="result" in envelope,
        error=envelope.get("error"),
        extra=extra,
        inputs=request.inputs,
        status_code=_number(about, "status", 200),
        started_at=datetime.fromisoformat(about["started_at"]),
        elapsed=float(_number(about, "elapsed", 0)),
        attempts=_number(about, "attempts", 1),
        source=source,
        first_source=source,
        trial=max(1, request.occurrence.trial),
        environment=about.get("environment"),
        commands=tuple(map(str, about.get("commands", ()))),
    )


def _number(about: Mapping[str, Any], name: str, otherwise: int) -> Any:
    value = about.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _order(occurrence: Occurrence) -> tuple[str, str, int, int, float]:
    return occurrence.test, occurrence.fixture, occurrence.trial, occurrence.call, occurrence.timeout


def _indented(value: Mapping[str, Any]) -> str:
    """The members of an object, as lines of the one that they stand in."""
    return "\n".join(readable_json(value, indent=2).splitlines()[1:-1])


def _occurrence_lines(occurrence: Occurrence, envelope: Mapping[str, Any]) -> str:
    named: dict[str, Any] = {"test": occurrence.test}
    for name in ("fixture", "call", "trial", "timeout"):
        if value := getattr(occurrence, name):
            named[name] = value
    text = readable_json({**named, "envelope": envelope}, indent=2)
    return "    " + text.replace("\n", "\n    ")


def _about_line(about: Mapping[str, Any]) -> str:
    return "    " + readable_json(about)
