"""The modes of ``--wisebot-runs``: the source of a session's runs, and the place where they are kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError
from ..files import check_writable
from ..originals import dates, time
from ..runs import Occurrence
from ..settings import Settings
from ..text import count
from . import session_metadata
from .options import OFFLINE

if TYPE_CHECKING:
    from ..engine.values import CollectedTests
    from ..event_log import Events
    from ..redaction import Redactor
    from ..storage.recorder import RunRecorder
    from ..storage.sessions import LoggedRuns, Session, Sessions
    from ..storage.sources import Compare, Finder, Record, Source
    from ..storage.store import Store

Kept = tuple[Path, Occurrence]
"""A recording: its file, and its occurrence."""


@dataclass
class Collected:
    """The tests of a session, and their outcomes.

    Attributes:
        selected: their ids, in order; None before the collection is known.
        deselected: the ids of tests that an option left out.
        by_gate: those among them that do not belong to the gate.
        askers: the fixtures that start runs (see `run_tracker.fixtures_that_start_runs`).
        passed: the ids of tests that passed.
        whole: every test of each collected file is among them, and not only those that an option names.
        everything: every file was collected.
        extent: the folders of which these tests are all, and the options that narrow them.
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
        """Takes over the collected tests."""
        self.selected, self.deselected = census.selected, census.deselected
        self.by_gate, self.askers, self.extent = census.by_gate, census.askers, census.extent

    @property
    def all(self) -> set[str]:
        """The ids of all."""
        return {*(self.selected or ()), *self.deselected}


class History:
    """The runs that a session keeps, and those it takes. Made by the process that owns the engine.

    Args:
        config: the session's.
        settings: in force, of which the emulator's part may still be open.
        redactor: cleans all that is written.
        compare: returns the differences of a run from its recording.
        events: get the event of each run.
        on_collected: called with the content of a log's first line, once the collected tests are known.
        against: the settings of the second environment, if runs are compared with it.

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
        against: Settings | None = None,
    ) -> None:
        from ..storage.sessions import LoggedRuns, Session, Sessions
        from ..storage.store import RequestKeys, Store

        check_options(config)
        self.mode: str = config.option.wisebot_runs
        self._config = config
        self._settings = settings
        self._against = against
        self._redactor = redactor
        self._began = time.time()
        self.collected = _how_collected(config)
        self._events = events
        self._on_collected = on_collected
        self._credentials = 0
        keys = RequestKeys(redactor, self._workflow_id)
        sessions = Sessions(config.rootpath)
        base = self._base(sessions)
        self._base_runs = LoggedRuns(base, keys) if base is not None else None
        self._sessions = sessions
        takes_runs = self.mode in ("last", "resume")
        self._passed_over = sessions.unreadable(base) if takes_runs else []
        self.session = None
        if self.mode not in OFFLINE:  # a session that runs nothing leaves the last paid runs the last ones
            self.session = Session(sessions, redactor, keys, self.facts, self._base_runs)
            events.add_sink(self.session.write_line)
        folder = settings.recordings or config.rootpath / "recordings"
        self.recordings = Store(folder, redactor, self._workflow_id)
        self._finder: Finder | None = None
        self._record: Record | None = None
        self.source = self._source(compare)
        self._keeper: RunRecorder | None = None
        self._beside: RunRecorder | None = None

    @property
    def keeper(self) -> RunRecorder:
        """The engine's recorder, made on first use."""
        if self._keeper is None:
            from ..storage.recorder import RunRecorder

            self._credentials = self._redactor.count
            self._keeper = RunRecorder(self.source, self.session, self._redactor, self._finder, self._events)
            if self.collected.selected is not None:
                self._keeper.expect(self.collected.all, self.collected.askers)
        return self._keeper

    def keeper_beside(self) -> RunRecorder:
        """The recorder of the second environment's engine, whose runs are logged, and never taken by a session."""
        from ..storage import sources
        from ..storage.recorder import RunRecorder

        self._beside = RunRecorder(sources.Live(), self.session, self._redactor, None, self._events)
        return self._beside

    @property
    def _keepers(self) -> list[RunRecorder]:
        return [one for one in (self._keeper, self._beside) if one is not None]

    def collect(self, census: CollectedTests) -> None:
        """Takes over the collected tests; each worker sends the same ones."""
        if self.collected.selected is None:
            self.collected.learn(census)
            if self._keeper is not None:
                self._keeper.expect(self.collected.all, self.collected.askers)
            self._on_collected(self.facts())

    # --- sources

    def _workflow_id(self, name: str) -> str:
        return self._settings.workflow(name).id

    def facts(self) -> Mapping[str, Any]:
        """The facts of the session in the first line of a log."""
        return {
            **session_metadata.beginning(self._config, self._began),
            **session_metadata.target(self._settings),
            "against": session_metadata.against(self._against, self._settings) if self._against else None,
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
            return self._of_this_environment(sessions, sessions.named(named))
        # A run without a verdict is run again by "resume", and never taken from an older session; "last" needs runs.
        found = sessions.last_of(session_metadata.identity(self._settings), with_runs=self.mode == "last")
        if found is None and self.mode == "last":
            of = f'environment "{self._settings.environment}"' if self._settings.environment else "these hosts"
            where = _relative(sessions.folder, self._config.rootpath)
            known = ", ".join(path.name for path in sessions.all())
            others = f"; others are, for --wisebot-session: {known}" if known else ""
            raise ConfigurationError(f"--wisebot-runs=last: no session of {of} is kept in {where}{others}")
        return found

    def _of_this_environment(self, sessions: Sessions, base: Path) -> Path:
        """Refuses to resume in one environment what another one did: their workflows have the same names.

        Raises:
            ConfigurationError: the session that is named is another environment's.
        """
        other, here = sessions.environment(base), self._settings.environment
        if self.mode == "resume" and other is not None and other != here:
            this = f'environment "{here}"' if here else "no environment"
            raise ConfigurationError(
                f'--wisebot-session={base.name}: its runs are those of environment "{other}", and this session has '
                f"{this}: resume it with --wisebot-env={other}, or judge its runs alone with --wisebot-runs=last"
            )
        return base

    def _source(self, compare: Compare) -> Source:
        from ..storage import sources

        match self.mode:
            case "record":
                _check_writable(self.recordings.folder)
                self._record = sources.Record(self.recordings, self.session)
                return self._record
            case "replay" | "verify":
                self._finder = sources.Finder(self.recordings, "recording")
                if self.mode == "verify":
                    return sources.Verify(self._finder, self.recordings, compare)
                return sources.Replay(self._finder, self.recordings, self._settings.max_age_days)
            case "last" | "resume":
                base = self._base_runs
                self._finder = sources.Finder(base, "last") if base is not None else None
                kind = sources.Last if self.mode == "last" else sources.Resume
                return kind(self._finder, base.folder.name if base is not None else "")
        return sources.Live()

    def finish(self) -> None:
        """Waits until all files are written, and clean, before the leak scan reads them.

        A run that started ahead may have been written before a call named a credential, which is then masked.
        """
        if self._keeper is None:
            return
        self.settle()
        if self._redactor.count == self._credentials:
            return
        self._credentials = self._redactor.count
        self._keeper.ask(self._clean_files)

    def _clean_files(self) -> None:
        # The leak scan finds what cannot be cleaned.
        with suppress(ConfigurationError, OSError):
            if self.session is not None:
                self.session.clean_again()
        with suppress(OSError):
            if self._record is not None:
                self.recordings.clean_again({path for path, _ in self._record.written()})

    def settle(self) -> None:
        """Waits until the runs that have ended by now are written."""
        for keeper in self._keepers:
            keeper.ask(lambda: None)

    # --- lines for the terminal

    def header(self) -> Iterator[str]:
        """The source of the runs, and their age; nothing for a session that only asks Wisebot."""
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
            case "resume" if self._base_runs is not None:
                yield f"runs are those of session {self._base_in_words()}; the rest is made"
            case "resume":
                yield "there is no session to resume: every run is made"
        yield from (f"  {line}" for line in self._not_whole())

    def _not_whole(self) -> Iterator[str]:
        """What there is of earlier sessions and cannot be used, in words."""
        if self._base_runs is not None:
            yield from self._base_runs.not_whole()
        if self._config.option.wisebot_session is None:
            for folder in self._passed_over:
                yield (
                    f"session {folder.name} was passed over: its log does not tell its environment; "
                    f"--wisebot-session={folder.name} takes the runs that it has"
                )

    def _base_in_words(self) -> str:
        assert self._base_runs is not None
        return f"{self._base_runs.folder.name}: {self._dated(self._base_runs)}"

    def _dated(self, runs: Store | LoggedRuns) -> str:
        (made, complete), now = runs.dates(), dates.now()
        if not made:
            return "none is there"
        newest, oldest = age(max(made), now), age(min(made), now)
        ages = newest if newest == oldest else f"{newest} to {oldest}"
        return f"{count(len(made), 'run')}{'' if complete else ' at least'}, made {ages} ago"

    @property
    def written(self) -> list[Path]:
        """The folders that this session writes into."""
        session = [self.session.folder] if self.session is not None and self.session.folder is not None else []
        return [*session, *([self.recordings.folder] if self.mode == "record" else [])]

    def closing(self, exitstatus: int) -> Iterator[str]:
        """Lines on the kept runs for the end of a session. Called once no run is under way."""
        if self._keeper is None:
            return
        if self._record is not None:
            yield from self._recorded(self._record, complete=exitstatus in (0, 1))
        for problem, times in sum((one.problems for one in self._keepers), Counter()).items():
            yield f"{count(times, 'run')} could not be kept: {problem}"
        if self._config.get_verbosity() < 0:  # without a header
            yield from self._not_whole()
        if self.session is not None:
            yield from self._not_kept(self.session)
        if doubt := self._sessions.doubt():
            yield doubt

    def _not_kept(self, session: Session) -> Iterator[str]:
        session.check()
        if session.lost_runs:
            yield f"{count(session.lost_runs, 'run')} of this session could not be kept: {session.problem}"
        elif session.problem:
            yield f"the runs of this session are not kept: {session.problem}"

    def _recorded(self, source: Record, *, complete: bool) -> Iterator[str]:
        folder = _relative(self.recordings.folder, self._config.rootpath)
        there = self.keeper.ask(lambda: sum(bool(self.recordings.files(key)) for key, _ in source.made))
        yield f"{count(there, 'run')} recorded in {folder}"
        if there < len(source.made):
            gone = count(len(source.made) - there, "run")
            yield f"{gone} recorded, and gone: something has removed files in {folder} since"
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
        root = self._config.rootpath
        kept, made = self.keeper.ask(lambda: (list(self.recordings.everything()), source.written()))
        return list(unused(kept, made, self.collected, lambda file: (root / file).exists()))

    def _remove(self, unused: Iterable[Kept]) -> None:
        by_file: dict[Path, set[Occurrence]] = {}
        for path, occurrence in unused:
            by_file.setdefault(path, set()).add(occurrence)
        for path, occurrences in by_file.items():
            self.recordings.remove(path, occurrences)


def check_options(config: pytest.Config) -> None:
    """Refuses an option that has no effect in this mode.

    Raises:
        ConfigurationError: there is one.
    """
    option = config.option
    mode = option.wisebot_runs
    if option.wisebot_session is not None and mode not in ("last", "resume"):
        raise ConfigurationError(
            f"--wisebot-session={option.wisebot_session}: names the session that --wisebot-runs=last or resume takes "
            f"runs from, and this is --wisebot-runs={mode}"
        )
    if option.wisebot_prune and mode != "record":
        raise ConfigurationError(
            f"--wisebot-prune: removes what --wisebot-runs=record finds unused, and this is --wisebot-runs={mode}"
        )


def unused(
    kept: Iterable[Kept], made: set[Kept], collected: Collected, exists: Callable[[str], bool]
) -> Iterator[Kept]:
    """The recordings that certainly no test asks for any more.

    Args:
        kept: every recording.
        made: those that this session has made.
        collected: the tests, and their outcomes.
        exists: whether a test file exists.
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
        # Its test may have asked under another name of the workflow, or with other inputs: this is the old recording.
        if gone or (occurrence in asked and occurrence.test in collected.passed):
            yield path, occurrence


def age(moment: datetime, now: datetime) -> str:
    """The time since a moment, in its largest unit."""
    seconds = max(0.0, (now - moment).total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return count(int(seconds // size), unit)
    return count(int(seconds), "second")


def _how_collected(config: pytest.Config) -> Collected:
    """Whether the command line leaves tests out without naming them."""
    option = config.option
    narrow = any(getattr(option, name, False) for name in ("lf", "stepwise", "ignore", "ignore_glob"))
    by_name = any("::" in str(argument) for argument in config.args)
    by_args = config.args_source is pytest.Config.ArgsSource.ARGS
    return Collected(whole=not narrow and not by_name, everything=not by_args)


def _check_writable(folder: Path) -> None:
    """Checks, before any run is paid for, that recordings can be written.

    Raises:
        ConfigurationError: they cannot.
    """
    try:
        check_writable(folder)
    except OSError as error:
        raise ConfigurationError(f"--wisebot-runs=record: {folder} cannot be written: {error.strerror}") from None


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
