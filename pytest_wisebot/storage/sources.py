"""The sources of runs: Wisebot, a recording, or an earlier session; and the place where new runs are stored.

A source is asked twice: before a run is started, whether it exists already, and after it has ended, to store it. A run
that exists already needs no place in the queue, no budget and no circuit breaker: no host is asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from ..errors import NotRun, RecordingNotFound
from ..originals import dates
from ..runs import Ended, Occurrence, RunRequest, WorkflowRun
from .sessions import Session
from .store import Found, KeptRuns, Key, Store

_WORKER: Final = re.compile(r"^gw\d+:")

Compare = Callable[[WorkflowRun, WorkflowRun], list[str]]
"""The differences of a run from its recording (the first of the two), line by line."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer of a source before a run.

    Attributes:
        ended: the end of the run; None when it must be started.
        expected: the recording to compare it with, once it has ended.
        note: a remark on the recording.
    """

    ended: Ended | None = None
    expected: Found | None = None
    note: str = ""


NOT_FOUND: Final = Lookup()
"""The run does not exist: it must be started."""


class Source(Protocol):
    """One way to come by runs. For the recorder's thread alone."""

    looks_up: bool
    """Whether a run may exist before it is started."""

    is_light: bool
    """Whether storing a run writes nothing but the session's log."""

    def lookup(self, request: RunRequest, /) -> Lookup:
        """Looks for an existing run. Raises `WisebotError` where there is none and none may be started."""
        ...

    def store(self, request: RunRequest, run: WorkflowRun, found: Lookup, /) -> list[str]:
        """Stores a run that has ended, and returns its differences from the expected one.

        Raises:
            ConfigurationError, OSError: it cannot be stored.
        """
        ...


class Finder:
    """Finds kept runs: exactly the one of the request's occurrence, or else one that no other request claims.

    Args:
        runs: the kept runs.
        source: the ``source`` of found runs: ``recording`` or ``last``.
    """

    def __init__(self, runs: KeptRuns, source: str) -> None:
        self._runs = runs
        self._source = source
        self._claimed: dict[Key, set[Occurrence]] = {}
        self._served: dict[tuple[Key, Occurrence], Occurrence] = {}
        self._collected: frozenset[str] = frozenset()
        self._askers: frozenset[str] = frozenset()

    def expect(self, collected: Iterable[str], askers: Iterable[str] = ()) -> None:
        """Reserves the runs of these tests and fixtures for them.

        Args:
            collected: the collected tests.
            askers: the higher-scoped fixtures that they use; and an empty name if any share runs.
        """
        self._collected |= frozenset(map(_without_worker, collected))
        self._askers |= frozenset(askers)

    def found(self, request: RunRequest) -> tuple[Found, str] | None:
        """A run, and a remark on it.

        Raises:
            ConfigurationError: the file that may hold it cannot be read.
        """
        found = self._runs.find(request) or self._of_every_worker(request)
        if found is not None:
            self._claimed.setdefault(found.key, set()).add(found.occurrence)
            return self._named(found), ""
        other = self._unclaimed(request)
        if other is None:
            return None
        note = (
            f"{request.workflow}: {request.occurrence} has no run of its own and was given that of {other.occurrence}"
        )
        return self._named(other), note

    def _of_every_worker(self, request: RunRequest) -> Found | None:
        """The run of a session with one process, for each worker of ``--dist each``."""
        asked = request.occurrence
        found = self._runs.find(request, replace(asked, test=_without_worker(asked.test)))
        return found if found is not None and found.occurrence != asked else None

    def _unclaimed(self, request: RunRequest) -> Found | None:
        """The run of another occurrence, such as a renamed test's; the same one each time it is asked for."""
        asked, key = request.occurrence, self._runs.key(request)
        served = self._served.get((key, asked))
        if served is None:
            claimed = self._claimed.setdefault(key, set())
            others = self._runs.occurrences(request)
            free = [one for one in others if one not in claimed and not self._has_owner(one, asked)]
            if not free:
                return None
            served = self._served[key, asked] = min(free, key=lambda one: _unlike(one, asked))
            claimed.add(served)
        return self._runs.find(request, served)

    def _has_owner(self, one: Occurrence, asked: Occurrence) -> bool:
        """Whether the run belongs to a test or fixture of this session, which asks for it at some time.

        A test that asks in another way than before keeps its run, and a shared request may use any run.
        """
        if asked.is_shared or (_who(one) == _who(asked) and _way(one) != _way(asked)):
            return False
        if one.is_shared:
            return "" in self._askers
        if one.fixture:
            return _bare(one.fixture) in self._askers and self._is_there(one.test)
        return _without_worker(one.test) in self._collected

    def _is_there(self, node: str) -> bool:
        """Whether any test is within a fixture's scope: a folder, a module, a class, or the whole session."""
        node = _without_worker(node)
        return any(test == node or not node or test.startswith((f"{node}::", f"{node}/")) for test in self._collected)

    def _named(self, found: Found) -> Found:
        return replace(found, run=replace(found.run, source=self._source))


def _who(occurrence: Occurrence) -> tuple[str, str]:
    return _without_worker(occurrence.test), _bare(occurrence.fixture)


def _way(occurrence: Occurrence) -> tuple[str, bool, bool, bool]:
    """The way a run is asked for: the worker, a call or the marker, trials or none, a fixture's parameter or none."""
    worker = occurrence.test.removesuffix(_without_worker(occurrence.test))
    return worker, occurrence.call > 0, occurrence.trial > 0, "[" in occurrence.fixture


def _without_worker(test: str) -> str:
    """A test's id without the prefix of a worker of ``--dist each``."""
    return _WORKER.sub("", test)


def _bare(fixture: str) -> str:
    return fixture.partition("[")[0]


def _unlike(one: Occurrence, asked: Occurrence) -> tuple[bool, bool, bool, bool]:
    """The differences of an occurrence from the one that is asked for, the weightiest first."""
    file, _, name = _without_worker(asked.test).partition("::")
    file_of_one, _, name_of_one = _without_worker(one.test).partition("::")
    return (
        name_of_one != name,
        file_of_one != file,
        (one.call, one.trial) != (asked.call, asked.trial),
        one.fixture != asked.fixture,
    )


class Live:
    """Asks Wisebot; the session's log is all that is kept."""

    looks_up = False
    is_light = True

    def lookup(self, _request: RunRequest, /) -> Lookup:
        """Finds nothing."""
        return NOT_FOUND

    def store(self, _request: RunRequest, _run: WorkflowRun, _found: Lookup, /) -> list[str]:
        """Stores nothing."""
        return []


class Record(Live):
    """Asks Wisebot, and stores each run as a recording.

    Args:
        recordings: the folder of recordings.
        session: this session, whose id is written into recordings.
    """

    looks_up = True
    is_light = False

    def __init__(self, recordings: Store, session: Session | None = None) -> None:
        self._recordings = recordings
        self._session = session
        self.made: set[tuple[Key, Occurrence]] = set()
        """The recordings of this session."""

    def lookup(self, request: RunRequest, /) -> Lookup:
        """Checks that the recording can be written, before it is paid for."""
        self._recordings.check(request)
        return NOT_FOUND

    def store(self, request: RunRequest, run: WorkflowRun, _found: Lookup, /) -> list[str]:
        """Writes the recording at once."""
        if self._session is not None:
            self._session.open()
        _, occurrence = self._recordings.put(request, run, self._session.id if self._session is not None else "")
        self.made.add((self._recordings.key(request), occurrence))
        return []

    def written(self) -> set[tuple[Path, Occurrence]]:
        """The recordings of this session, in the files that hold them by now."""
        return {(path, occurrence) for key, occurrence in self.made for path in self._recordings.files(key)}


class Replay(Live):
    """Answers with recordings, and asks no host.

    Args:
        recordings: finds them.
        store: their folder, for messages.
        max_age_days: the highest age; None sets no limit.
        now: the time of day; for tests.
    """

    looks_up = True

    def __init__(
        self,
        recordings: Finder,
        store: Store,
        max_age_days: int | None = None,
        now: Callable[[], datetime] = dates.now,
    ) -> None:
        self._recordings = recordings
        self._store = store
        self._max_age_days = max_age_days
        self._now = now

    def lookup(self, request: RunRequest, /) -> Lookup:
        """The recording.

        Raises:
            RecordingNotFound: there is none, or it is too old.
        """
        found, note = recorded(self._recordings, self._store, request)
        where = self._store.shown(found.path)
        age = (self._now() - found.run.started_at).total_seconds() / 86_400
        if self._max_age_days is not None and age > self._max_age_days:
            raise RecordingNotFound(
                f"the recording of {request.occurrence} in {where} is {age:.0f} days old, more than max-age-days = "
                f"{self._max_age_days} allows: record it anew with --wisebot-runs=record",
                f"older than max-age-days = {self._max_age_days} allows",
            )
        return Lookup(Ended(found.run, kept_in=where, note=note))


class Resume(Live):
    """Answers with the runs of an earlier session, and asks Wisebot for the rest.

    Args:
        runs: finds those runs; None without such a session.
        name: that session's id.
    """

    looks_up = True

    def __init__(self, runs: Finder | None, name: str) -> None:
        self._runs = runs
        self._name = name

    def lookup(self, request: RunRequest, /) -> Lookup:
        """The run of that session, if it has one."""
        found = self._runs.found(request) if self._runs is not None else None
        if found is None:
            return NOT_FOUND
        return Lookup(Ended(found[0].run, kept_in=f"session {self._name}", note=found[1]))


class Last(Resume):
    """Answers with the runs of an earlier session, and asks no host."""

    def lookup(self, request: RunRequest, /) -> Lookup:
        """The run of that session.

        Raises:
            NotRun: it has none.
        """
        found = super().lookup(request)
        if found is NOT_FOUND:
            raise NotRun(f"it is not among the runs of session {self._name}")
        return found


class Verify(Live):
    """Asks Wisebot, and compares each run with its recording, which stays as it is.

    Args:
        recordings: finds the recordings.
        store: their folder, for messages.
        compare: returns the differences of two runs.
    """

    looks_up = True
    is_light = False

    def __init__(self, recordings: Finder, store: Store, compare: Compare) -> None:
        self._recordings = recordings
        self._store = store
        self._compare = compare

    def lookup(self, request: RunRequest, /) -> Lookup:
        """Finds the recording, without which no run is paid for.

        Raises:
            RecordingNotFound: there is no recording.
        """
        found, note = recorded(self._recordings, self._store, request)
        return Lookup(expected=found, note=note)

    def store(self, _request: RunRequest, run: WorkflowRun, found: Lookup, /) -> list[str]:
        """Compares the run."""
        expected = found.expected
        assert expected is not None
        lines = self._compare(expected.run, run)
        made = f"{expected.run.started_at:%Y-%m-%d %H:%M:%S} UTC"
        if expected.run.environment != run.environment:
            made += f", environment {expected.run.environment or 'none'}"
        return [f"recording: {self._store.shown(expected.path)}, of {made}", *lines] if lines else []


def recorded(recordings: Finder, store: Store, request: RunRequest) -> tuple[Found, str]:
    """The recording for a request, and a remark on it.

    Raises:
        RecordingNotFound: there is none; the message has the nearest one.
    """
    found = recordings.found(request)
    if found is None:
        why = f'no recording of workflow "{request.workflow}" over the {request.api} API'
        raise RecordingNotFound("\n".join(_not_found(store, request, f"{why} for {request.occurrence}")), why)
    return found


def _not_found(store: Store, request: RunRequest, what: str) -> list[str]:
    nearest = store.nearest(request)
    if nearest is None:
        return [what, f"  {store.folder.name} holds no run of this workflow: --wisebot-runs=record makes recordings"]
    first, *others = nearest.occurrences
    of = f"{first} and {len(others)} more" if others else str(first)
    lines = [what, f"  nearest: {store.shown(nearest.path)}, of {of}"]
    lines += [f"    {line}" for line in nearest.differences]
    if not nearest.differences:
        lines.append("    the same inputs, and each of its runs belongs to another request of this session")
    return [*lines, "  record it with --wisebot-runs=record"]
