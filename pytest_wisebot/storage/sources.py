"""Where a run comes from: Wisebot, a recording, or an earlier session; and what becomes of it.

A source is asked twice: before a run is asked for, whether it is there already, and after it has come, to keep it. What
is there already concerns neither window nor budget nor circuit: nobody is asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from ..engine.values import Ended
from ..errors import NotRun, RecordingNotFound
from ..runs import Occurrence, RunRequest, WorkflowRun
from .sessions import Session
from .store import Found, Store, shown

_WORKER: Final = re.compile(r"^gw\d+:")

Compare = Callable[[WorkflowRun, WorkflowRun], list[str]]
"""In what a run differs from its recording (the first of the two), line by line."""


@dataclass(slots=True)
class Lookup:
    """What a source says before a run.

    Attributes:
        ended: how it ended; None when it must be asked for.
        expected: what it is to be compared with, once it has come.
        note: what is odd about that.
    """

    ended: Ended | None = None
    expected: Found | None = None
    note: str = ""


ASK: Final = Lookup()
"""It is not there: ask for it."""


class Source(Protocol):
    """One way to come by runs. For the keeper's thread alone."""

    recalls: bool
    """Whether anything may be there before it is asked for."""

    is_light: bool
    """Whether keeping a run takes no file, but for the session's log."""

    def recall(self, request: RunRequest, /) -> Lookup:
        """Looks whether a run is there already. Raises `WisebotError` where it neither is nor may be asked for."""
        ...

    def keep(self, request: RunRequest, run: WorkflowRun, recalled: Lookup, /) -> list[str]:
        """Keeps a run that has come, and says in what it differs from what was expected.

        Raises:
            ConfigurationError, OSError: it cannot be kept.
        """
        ...

    def close(self) -> None:
        """The last run has ended."""
        ...


class Finder:
    """Finds runs in a store: exactly the one that is asked for, or else one that nobody else has a claim to.

    Args:
        store: where the runs are.
        source: what such a run calls its source: ``recording`` or ``last``.
    """

    def __init__(self, store: Store, source: str) -> None:
        self.store = store
        self._source = source
        self._claimed: dict[Path, set[Occurrence]] = {}
        self._served: dict[tuple[Path, Occurrence], Occurrence] = {}
        self._collected: frozenset[str] = frozenset()
        self._askers: frozenset[str] = frozenset()

    def expect(self, collected: Iterable[str], askers: Iterable[str] = ()) -> None:
        """Learns whose runs are claimed by those who made them, and by nobody else.

        Args:
            collected: the tests that there are.
            askers: the fixtures, wider than one test, that they use; and an empty name if any share runs.
        """
        self._collected |= frozenset(map(_anywhere, collected))
        self._askers |= frozenset(askers)

    def found(self, request: RunRequest) -> tuple[Found, str] | None:
        """A run, and what is odd about it.

        Raises:
            ConfigurationError: the file that may hold it cannot be read.
        """
        found = self.store.find(request) or self._of_every_worker(request)
        if found is not None:
            self._claimed.setdefault(found.place, set()).add(found.occurrence)
            return self._told(found), ""
        other = self._unclaimed(request)
        if other is None:
            return None
        note = (
            f"{request.workflow}: {request.occurrence} has no run of its own and was given that of {other.occurrence}"
        )
        return self._told(other), note

    def _of_every_worker(self, request: RunRequest) -> Found | None:
        """The run that was kept when one process ran the test, which each worker of ``--dist each`` runs now."""
        asked = request.occurrence
        found = self.store.find_other(request, replace(asked, test=_anywhere(asked.test)))
        return found if found is not None and found.occurrence != asked else None

    def _unclaimed(self, request: RunRequest) -> Found | None:
        """The run of another occurrence, such as a renamed test's; the same one each time that it is asked for."""
        asked, place = request.occurrence, self.store.place(request)
        served = self._served.get((place, asked))
        if served is None:
            claimed = self._claimed.setdefault(place, set())
            others = self.store.others(request)
            free = [one for one in others if one not in claimed and not self._has_owner(one, asked)]
            if not free:
                return None
            served = self._served[place, asked] = min(free, key=lambda one: _unlike(one, asked))
            claimed.add(served)
        return self.store.find_other(request, served)

    def _has_owner(self, one: Occurrence, asked: Occurrence) -> bool:
        """Whether the test or fixture whose run it is belongs to this session: it will ask for it, or has done so.

        Who asks in another way than before is still its own heir, and who shares may share anybody's.
        """
        if asked.is_shared or (_who(one) == _who(asked) and _way(one) != _way(asked)):
            return False
        if one.is_shared:
            return "" in self._askers
        if one.fixture:
            return _bare(one.fixture) in self._askers and self._is_there(one.test)
        return _anywhere(one.test) in self._collected

    def _is_there(self, node: str) -> bool:
        """Whether any test is in what a fixture is wide for: a folder, a module, a class, or the whole session."""
        node = _anywhere(node)
        return any(test == node or not node or test.startswith((f"{node}::", f"{node}/")) for test in self._collected)

    def _told(self, found: Found) -> Found:
        return replace(found, run=replace(found.run, source=self._source))


def _who(occurrence: Occurrence) -> tuple[str, str]:
    return _anywhere(occurrence.test), _bare(occurrence.fixture)


def _way(occurrence: Occurrence) -> tuple[str, bool, bool, bool]:
    """How it asks: in which worker, by a call or its marker, with trials or not, with a fixture's parameter or not."""
    worker = occurrence.test.removesuffix(_anywhere(occurrence.test))
    return worker, occurrence.call > 0, occurrence.trial > 0, "[" in occurrence.fixture


def _anywhere(test: str) -> str:
    """A test's id without the worker of ``--dist each`` that it is told by."""
    return _WORKER.sub("", test)


def _bare(fixture: str) -> str:
    return fixture.partition("[")[0]


def _unlike(one: Occurrence, asked: Occurrence) -> tuple[bool, bool, bool, bool]:
    """How little an occurrence looks like the one that is asked for."""
    file, _, name = _anywhere(asked.test).partition("::")
    file_of_one, _, name_of_one = _anywhere(one.test).partition("::")
    return (
        name_of_one != name,
        file_of_one != file,
        (one.call, one.trial) != (asked.call, asked.trial),
        one.fixture != asked.fixture,
    )


class Live:
    """Asks Wisebot, and keeps what comes in the session's own folder."""

    recalls = False
    is_light = True

    def __init__(self, session: Session | None = None) -> None:
        self.session = session

    def recall(self, _request: RunRequest, /) -> Lookup:
        """Nothing is there."""
        return ASK

    def keep(self, request: RunRequest, run: WorkflowRun, _recalled: Lookup, /) -> list[str]:
        """Keeps it for ``--wisebot-runs=last``."""
        if self.session is not None:
            self.session.open()
            self.session.keep(request, run)
        return []

    def close(self) -> None:
        """Puts what was written into its order."""
        if self.session is not None and self.session.store is not None:
            self.session.store.tidy()


class Record(Live):
    """Asks Wisebot, and keeps what comes as recordings, too."""

    recalls = True
    is_light = False

    def __init__(self, recordings: Store, session: Session | None = None) -> None:
        super().__init__(session)
        self._recordings = recordings
        self.made: set[tuple[Path, Occurrence]] = set()
        """What this session has written."""

    def recall(self, request: RunRequest, /) -> Lookup:
        """Sees to it that the recording can be written, before it is paid for."""
        self._recordings.check(request)
        return ASK

    def keep(self, request: RunRequest, run: WorkflowRun, recalled: Lookup, /) -> list[str]:
        """Writes it at once, for the session and as a recording."""
        super().keep(request, run, recalled)
        self.made.add(self._recordings.put(request, run, self.session.id if self.session is not None else ""))
        return []

    def close(self) -> None:
        """Puts what was written into its order."""
        super().close()
        self._recordings.tidy()


class _Offline:
    """Asks nobody."""

    recalls = True
    is_light = True

    def keep(self, _request: RunRequest, _run: WorkflowRun, _recalled: Lookup, /) -> list[str]:
        """Nothing comes."""
        return []

    def close(self) -> None:
        """Nothing is left to do."""


class Replay(_Offline):
    """Gives recordings, and asks nobody.

    Args:
        recordings: where they are.
        max_age_days: how old one may be; None sets no limit.
        now: the time of day; for tests.
    """

    def __init__(
        self,
        recordings: Finder,
        max_age_days: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._recordings = recordings
        self._max_age_days = max_age_days
        self._now = now

    def recall(self, request: RunRequest, /) -> Lookup:
        """The recording.

        Raises:
            RecordingNotFound: there is none, or it is too old.
        """
        found, note = recorded(self._recordings, request)
        where = shown(found.path, self._recordings.store.top)
        age = (self._now() - found.run.started_at).total_seconds() / 86_400
        if self._max_age_days is not None and age > self._max_age_days:
            raise RecordingNotFound(
                f"the recording of {request.occurrence} in {where} is {age:.0f} days old, more than max-age-days = "
                f"{self._max_age_days} allows: record it anew with --wisebot-runs=record"
            )
        return Lookup(Ended(found.run, kept_in=where, note=note))


class Last(_Offline):
    """Gives the runs of an earlier session, and asks nobody.

    Args:
        runs: those that it kept.
        name: the session's id.
    """

    def __init__(self, runs: Finder, name: str) -> None:
        self._runs = runs
        self._name = name

    def recall(self, request: RunRequest, /) -> Lookup:
        """The run of that session.

        Raises:
            NotRun: it has none.
        """
        recalled = from_session(self._runs, request, self._name)
        if recalled is None:
            raise NotRun(f"it is not among the runs of session {self._name}")
        return recalled


class Resume(Live):
    """Gives the runs that an earlier session has, and asks Wisebot for the rest.

    Args:
        runs: those that it kept; None without such a session.
        name: that session's id.
        session: this one.
    """

    recalls = True

    def __init__(self, runs: Finder | None, name: str, session: Session) -> None:
        super().__init__(session)
        self._runs = runs
        self._name = name

    def recall(self, request: RunRequest, /) -> Lookup:
        """The run of that session, if it has one."""
        recalled = from_session(self._runs, request, self._name) if self._runs is not None else None
        return recalled or ASK


class Verify(Live):
    """Asks Wisebot, and compares what comes with its recording, which stays as it is.

    Args:
        recordings: what to compare with.
        compare: says in what two runs differ.
        session: this one.
    """

    recalls = True
    is_light = False

    def __init__(self, recordings: Finder, compare: Compare, session: Session | None = None) -> None:
        super().__init__(session)
        self._recordings = recordings
        self._compare = compare

    def recall(self, request: RunRequest, /) -> Lookup:
        """Nothing is paid for that could be compared with nothing.

        Raises:
            RecordingNotFound: there is no recording.
        """
        found, note = recorded(self._recordings, request)
        return Lookup(expected=found, note=note)

    def keep(self, request: RunRequest, run: WorkflowRun, recalled: Lookup, /) -> list[str]:
        """Compares it."""
        super().keep(request, run, recalled)
        expected = recalled.expected
        assert expected is not None
        lines = self._compare(expected.run, run)
        where = shown(expected.path, self._recordings.store.top)
        made = f"{expected.run.started_at:%Y-%m-%d %H:%M:%S} UTC"
        return [f"recording: {where}, of {made}", *lines] if lines else []


def recorded(recordings: Finder, request: RunRequest) -> tuple[Found, str]:
    """The recording for a request, and what is odd about it.

    Raises:
        RecordingNotFound: there is none; the message has the nearest one.
    """
    found = recordings.found(request)
    if found is None:
        raise RecordingNotFound("\n".join(_not_found(recordings.store, request)))
    return found


def from_session(runs: Finder, request: RunRequest, name: str) -> Lookup | None:
    """The run that an earlier session has for a request; None without one."""
    found = runs.found(request)
    if found is None:
        return None
    run, note = found[0], found[1]
    return Lookup(Ended(run.run, kept_in=f"session {name}", note=note))


def _not_found(store: Store, request: RunRequest) -> list[str]:
    what = f'no recording of workflow "{request.workflow}" over the {request.api} API for {request.occurrence}'
    nearest = store.nearest(request)
    if nearest is None:
        return [what, f"  {store.folder.name} holds no run of this workflow: --wisebot-runs=record makes recordings"]
    lines = [what, f"  nearest: {shown(nearest.path, store.top)}, of {_some(nearest.occurrences)}"]
    lines += [f"    {line}" for line in nearest.differences]
    if not nearest.differences:
        lines.append("    the same inputs, and each of its runs belongs to another request of this session")
    return [*lines, "  record it with --wisebot-runs=record"]


def _some(occurrences: tuple[Occurrence, ...]) -> str:
    more = f" and {len(occurrences) - 1} more" if len(occurrences) > 1 else ""
    return f"{occurrences[0]}{more}" if occurrences else "nobody"
