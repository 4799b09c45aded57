"""What is kept of a session, and what an earlier one has kept: which of both ``--wisebot-runs`` asks for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..runs import Occurrence
from ..settings import Settings
from ..text import count
from . import session_metadata
from .options import OFFLINE

if TYPE_CHECKING:
    from ..engine.values import CollectedTests
    from ..redaction import Redactor
    from ..storage.recorder import RunRecorder
    from ..storage.session_log import Events
    from ..storage.sessions import Session, Sessions
    from ..storage.sources import Compare, Finder, Record, Source
    from ..storage.store import Store

MOST_DATED = 2_000
"""Files of recordings that are looked at for their age."""

Kept = tuple[Path, Occurrence]
"""A run that is kept: its file, and whose it is."""


@dataclass
class Collected:
    """Which tests there are, and what became of them.

    Attributes:
        selected: their ids, in order; None while nobody has told.
        deselected: those of tests that an option left out.
        by_gate: those among them that are none of the gate's.
        askers: who asks for runs besides these tests (see `run_tracker.fixtures_that_start_runs`).
        passed: those of tests that passed.
        whole: every test of each file that was collected is among them, and not only those that an option names.
        everything: every file was collected.
        extent: of which folders they are all, and what narrows them.
    """

    selected: list[str] | None = None
    deselected: list[str] = field(default_factory=list)
    by_gate: list[str] = field(default_factory=list)
    askers: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    whole: bool = True
    everything: bool = True
    extent: dict[str, Any] = field(default_factory=dict)

    def learn(self, census: CollectedTests) -> None:
        """Takes what whoever collected the tests has told."""
        self.selected, self.deselected = census.selected, census.deselected
        self.by_gate, self.askers, self.extent = census.by_gate, census.askers, census.extent

    @property
    def all(self) -> set[str]:
        """The ids of all."""
        return {*(self.selected or ()), *self.deselected}


class History:
    """What a session keeps, and from what it takes runs. Made by the process that owns the engine.

    Args:
        config: the session's.
        settings: in force, of which the emulator's part may still be open.
        redactor: cleans all that is written.
        compare: says in what a run differs from its recording.
        events: what has ended is told to.
        on_collected: told what the first line of a log says, once it is known which tests there are.

    Raises:
        ConfigurationError: the options contradict each other, or there is no such session.
    """

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        redactor: Redactor,
        compare: Compare,
        events: Events,
        on_collected: Callable[[Mapping[str, Any]], None],
    ) -> None:
        from ..storage.sessions import Sessions, catch_up
        from ..storage.store import Store

        self.mode: str = config.option.wisebot_runs
        self._config = config
        self._settings = settings
        self._redactor = redactor
        self._began = time.time()
        self.collected = _how_collected(config)
        check_options(config)
        sessions = Sessions(config.rootpath)
        self.base = self._base(sessions)
        if self.base is not None:
            catch_up(self.base, redactor)
        self.session = self._session(sessions)
        self._events = events
        self._on_collected = on_collected
        if self.session is not None:
            events.tell(self.session.take)
        folder = settings.recordings or config.rootpath / "recordings"
        self.recordings = Store(folder, redactor, self._workflow_id)
        self._finder: Finder | None = None
        self._record: Record | None = None
        self.source = self._source(compare)
        self._keeper: RunRecorder | None = None
        self._credentials = 0

    @property
    def keeper(self) -> RunRecorder:
        """What the engine keeps runs by, made on first use."""
        if self._keeper is None:
            from ..storage.recorder import RunRecorder

            self._credentials = self._redactor.count
            self._keeper = RunRecorder(self.source, self.session, self._redactor, self._finder, self._events)
            if self.collected.selected is not None:
                self._keeper.expect(self.collected.all, self.collected.askers)
        return self._keeper

    def collect(self, census: CollectedTests) -> None:
        """Learns which tests there are, from whoever collected them; each worker tells the same."""
        if self.collected.selected is None:
            self.collected.learn(census)
            if self._keeper is not None:
                self._keeper.expect(self.collected.all, self.collected.askers)
            self._on_collected(self.facts())

    # --- where from, where to

    def _workflow_id(self, name: str) -> str:
        return self._settings.workflow(name).id

    def facts(self) -> Mapping[str, Any]:
        """What the first line of a log says of the session."""
        return {
            **session_metadata.beginning(self._config, self._began),
            **session_metadata.target(self._settings),
            "selected": self.collected.selected,
            "deselected": self.collected.deselected,
            "deselected_by_gate": self.collected.by_gate,
            "extent": self.collected.extent,
        }

    def _base(self, sessions: Sessions) -> Path | None:
        """The earlier session whose runs this one takes."""
        named = self._config.option.wisebot_session
        if self.mode not in ("last", "resume"):
            return None
        if named is not None:
            return sessions.named(named)
        # What had no verdict is to be run again, and not to be taken from a session before it; but to be judged again
        # there must be something.
        found = sessions.last_of(session_metadata.identity(self._settings), with_runs=self.mode == "last")
        if found is None and self.mode == "last":
            of = f'environment "{self._settings.environment}"' if self._settings.environment else "these hosts"
            where = _relative(sessions.folder, self._config.rootpath)
            known = ", ".join(path.name for path in sessions.all())
            others = f"; others are, for --wisebot-session: {known}" if known else ""
            raise ConfigurationError(f"--wisebot-runs=last: no session of {of} is kept in {where}{others}")
        return found

    def _session(self, sessions: Sessions) -> Session | None:
        from ..storage.sessions import Session

        if self.mode in OFFLINE:  # it runs nothing: the runs that were paid for stay where they are
            return None
        return Session(sessions, self._redactor, self._workflow_id, self.facts, self.base)

    def _source(self, compare: Compare) -> Source:
        from ..storage import sources

        match self.mode:
            case "record":
                _check_writable(self.recordings.folder)
                self._record = sources.Record(self.recordings, self.session)
                return self._record
            case "replay":
                self._finder = sources.Finder(self.recordings, "recording")
                return sources.Replay(self._finder, self._settings.max_age_days)
            case "verify":
                self._finder = sources.Finder(self.recordings, "recording")
                return sources.Verify(self._finder, compare, self.session)
            case "last" | "resume":
                name = self.base.name if self.base is not None else ""
                self._finder = sources.Finder(self._runs_of_base(), "last") if self.base is not None else None
                if self.mode == "resume":
                    assert self.session is not None
                    return sources.Resume(self._finder, name, self.session)
                assert self._finder is not None
                return sources.Last(self._finder, name)
        return sources.Live(self.session)

    def _runs_of_base(self) -> Store:
        from ..storage.sessions import runs_of

        assert self.base is not None
        return runs_of(self.base, self._redactor, self._workflow_id)

    def finish(self) -> None:
        """Sees to it that all files are written, and clean, before the last look at them.

        A run that started ahead may have ended, and been written down, before a call has named a credential: that is
        taken out of what was written.
        """
        if self._keeper is None:
            return
        self._keeper.finish()
        if self._redactor.count == self._credentials:
            return
        self._credentials = self._redactor.count
        self._keeper.ask(self._clean_files)

    def _clean_files(self) -> None:
        from ..storage.sessions import clean_again

        with suppress(OSError):  # what cannot be cleaned, the last look will find
            if self.session is not None:
                self.session.clean_again()
            if self._record is not None:
                clean_again({path for path, _ in self._record.made}, self._redactor)

    def settle(self) -> None:
        """Waits until what has ended by now is written down."""
        if self._keeper is not None:
            self._keeper.ask(lambda: None)

    # --- what is said

    def header(self) -> Iterator[str]:
        """Where runs come from, and how old they are; nothing for a session that just asks."""
        folder = _relative(self.recordings.folder, self._config.rootpath)
        match self.mode:
            case "record":
                yield f"runs are recorded in {folder} ({self._settings.source('recordings')})"
            case "replay":
                limit = self._settings.max_age_days
                yield f"runs are replayed from {folder}: {self._dated(self.recordings)}"
                if limit is not None:
                    yield f"  none that is older than {count(limit, 'day')} ({self._settings.source('max-age-days')})"
            case "verify":
                yield f"runs are compared with {folder}: {self._dated(self.recordings)}"
            case "last":
                yield f"runs are those of session {self._base_in_words()}; none is made"
            case "resume" if self.base is not None:
                yield f"runs are those of session {self._base_in_words()}; the rest is made"
            case "resume":
                yield "there is no session to resume: every run is made"

    def _base_in_words(self) -> str:
        assert self.base is not None
        return f"{self.base.name}: {self._dated(self._runs_of_base())}"

    def _dated(self, store: Store) -> str:
        paths = store.paths()
        now = datetime.now(UTC)
        made = [moment for path in paths[:MOST_DATED] for moment in _moments(path)]
        if not made:
            return "none is there"
        newest, oldest = age(max(made), now), age(min(made), now)
        ages = newest if newest == oldest else f"{newest} to {oldest}"
        more = " at least" if len(paths) > MOST_DATED else ""
        return f"{count(len(made), 'run')}{more}, made {ages} ago"

    @property
    def written(self) -> list[Path]:
        """The folders that this session writes into."""
        session = [self.session.folder] if self.session is not None and self.session.folder is not None else []
        return [*session, *([self.recordings.folder] if self.mode == "record" else [])]

    def closing(self, exitstatus: int) -> Iterator[str]:
        """What the end of a session says of what was kept. Asked for once no run is under way any more."""
        if self._keeper is None:
            return
        if self._record is not None:
            yield from self._recorded(self._record, complete=exitstatus in (0, 1))
        for problem, times in self._keeper.problems.items():
            yield f"{count(times, 'run')} could not be kept: {problem}"
        if self.session is not None and self.session.problem:
            yield f"the runs of this session are not kept: {self.session.problem}"

    def _recorded(self, source: Record, *, complete: bool) -> Iterator[str]:
        folder = _relative(self.recordings.folder, self._config.rootpath)
        yield f"{count(len(source.made), 'run')} recorded in {folder}"
        unused = self._unused(source) if complete else []
        if not unused:
            return
        found = f"{count(len(unused), 'recording')} in {folder} not asked for any more"
        if self._config.option.wisebot_prune:
            self.keeper.ask(lambda: self._remove(unused))
            yield f"{found}, removed:"
        else:
            yield f"{found} (--wisebot-prune removes what is unused):"
        yield from (f"  {occurrence} ({_relative(path, self._config.rootpath)})" for path, occurrence in unused[:20])
        if len(unused) > 20:
            yield f"  and {len(unused) - 20} more"

    def _unused(self, source: Record) -> list[Kept]:
        def listed() -> list[Kept]:
            return [(path, occurrence) for path, occurrence, _ in self.recordings.everything()]

        root = self._config.rootpath
        return list(unused(self.keeper.ask(listed), source.made, self.collected, lambda file: (root / file).exists()))

    def _remove(self, unused: Iterable[Kept]) -> None:
        by_file: dict[Path, set[Occurrence]] = {}
        for path, occurrence in unused:
            by_file.setdefault(path, set()).add(occurrence)
        for path, occurrences in by_file.items():
            self.recordings.remove(path, occurrences)


def check_options(config: pytest.Config) -> None:
    """Refuses options of which one would do nothing.

    Raises:
        ConfigurationError: there are such.
    """
    option = config.option
    mode = option.wisebot_runs
    if option.wisebot_session is not None and mode not in ("last", "resume"):
        raise ConfigurationError(
            f"--wisebot-session {option.wisebot_session}: names the session that --wisebot-runs=last or resume takes "
            f"runs from, and this is --wisebot-runs={mode}"
        )
    if option.wisebot_prune and mode != "record":
        raise ConfigurationError(
            f"--wisebot-prune: removes what --wisebot-runs=record finds unused, and this is --wisebot-runs={mode}"
        )


def unused(
    kept: Iterable[Kept], made: set[Kept], collected: Collected, exists: Callable[[str], bool]
) -> Iterator[Kept]:
    """The recordings of which it is certain that no test asks for them any more.

    Args:
        kept: every recording that is there.
        made: those that this session has made.
        collected: which tests there are, and what became of them.
        exists: whether a test file is there.
    """
    asked = {occurrence for _, occurrence in made}
    tests = collected.all
    files = {test.partition("::")[0] for test in tests}
    known = collected.selected is not None and collected.everything and collected.whole
    certain = known and not collected.deselected and tests <= collected.passed
    for path, occurrence in kept:
        file = re.sub(r"^gw\d+:", "", occurrence.test.partition("::")[0])  # of --dist each
        if (path, occurrence) in made:
            continue
        if occurrence.fixture or not occurrence.test:
            gone = certain
        elif occurrence.test in tests:
            gone = occurrence.test in collected.passed
        else:
            gone = (collected.whole and file in files) or not exists(file)
        # Under another name of the workflow, or with other inputs, its test may have asked for it all the same: then
        # what is left here is the old one.
        if gone or (occurrence in asked and occurrence.test in collected.passed):
            yield path, occurrence


def age(moment: datetime, now: datetime) -> str:
    """How long ago a moment was, in its largest unit."""
    seconds = max(0.0, (now - moment).total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return count(int(seconds // size), unit)
    return count(int(seconds), "second")


def _how_collected(config: pytest.Config) -> Collected:
    """What the command line leaves out without saying which tests."""
    option = config.option
    narrow = any(getattr(option, name, False) for name in ("lf", "stepwise", "ignore", "ignore_glob"))
    by_name = any("::" in str(argument) for argument in config.args)
    by_args = config.args_source is pytest.Config.ArgsSource.ARGS
    return Collected(whole=not narrow and not by_name, everything=not by_args)


def _check_writable(folder: Path) -> None:
    """Sees to it, before any run is paid for, that recordings can be written.

    Raises:
        ConfigurationError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise ConfigurationError(f"--wisebot-runs=record: {folder} cannot be written: {error.strerror}") from None


def _moments(path: Path) -> list[datetime]:
    """When the runs in a file were made, as far as it can be read."""
    try:
        text = path.read_text("utf-8", "replace")
        said = re.findall(r'"started_at": "([^"]+)"', text[text.rindex('"about": [') :])
        return [datetime.fromisoformat(one) for one in said]
    except (OSError, ValueError):
        return []


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
