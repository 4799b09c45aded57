"""The history of a suite: a file with one line of JSON for each session, and what its last sessions show.

============  ==================================================================================================
``format``    1
``id``        tells one session from another: the line of a session that is judged again replaces its first one
``tests``     outcome, file and names of tests, as in ``["passed", "tests/test_a.py", ["test_x", "test_y[1]"]]``
``workflows`` name, and counts and latencies, as in ``["triage", {"judged": 4, "passed": 3, "p95": 2.4, …}]``
============  ==================================================================================================

A line has no inputs and no results. The log of a session carries what the sessions before it show (`Past`), so that a
verdict that is given again later is the same, whatever the file holds by then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import ConfigurationError
from ..event_log import event_line, moment
from ..files import check_writable, folder_lock, is_there, read_bytes, write_whole
from ..originals import json, os
from ..outcomes import REPORT_ORDER, TABLE, rank
from ..shapes import Moment, checker, read, types_of
from ..text import count, truncate
from .build_info import BuildInfo
from .model import Model, Test, Workflow, outcome_counts, pass_rate

FORMAT: Final = 1

WINDOW: Final = 30
"""Sessions that rates and strips are about, the present one included."""

LONGEST_NAME: Final = 400
"""Characters of a test's id; a parameter may be of any length."""

_BEGIN: Final = b'{"format":'
"""What each line begins with, a torn one too."""

MOST_NAMED: Final = 3

_KEPT_MODES: Final = ("replay", "last")
"""Modes of sessions without live runs, from which no trend follows."""

ABSENT: Final = " "
"""The letter of a session in which a test did not end."""

LETTERS: Final = {word: outcome.letter for word, outcome in TABLE.items()}
GOOD: Final = frozenset(letter for word, letter in LETTERS.items() if TABLE[word].verdict == "good")
WRONG: Final = frozenset(letter for word, letter in LETTERS.items() if TABLE[word].verdict == "wrong")


class SameOutcome(NamedTuple):
    """The tests of a file that ended alike."""

    outcome: str
    file: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkflowFigures:
    """One workflow in one session.

    Attributes:
        tests: the number of its tests by outcome.
        passed: how many of its tests passed, of those with a verdict.
        judged: how many have a verdict.
        runs: how many runs there were.
        live_runs: how many of them it answered in this session.
        p50: median of their seconds; None without one.
        p95: 95th percentile of their seconds; None without one.
    """

    tests: Mapping[str, int] = field(default_factory=dict)
    passed: int = 0
    judged: int = 0
    runs: int = 0
    live_runs: int = 0
    p50: float | None = None
    p95: float | None = None


class WorkflowEntry(NamedTuple):
    """The name of a workflow, and its figures."""

    name: str
    figures: WorkflowFigures


@dataclass(frozen=True)
class Entry:
    """One session, as its line in the file tells of it.

    Attributes:
        id: identifies it.
        hosts: what it tested, if its environment has no name.
        verdict: the words of its verdict; empty while it has none.
    """

    id: str = ""
    started: Moment | None = None
    ended: Moment | None = None
    version: str = ""
    mode: str = "live"
    environment: str | None = None
    hosts: tuple[str, ...] = ()
    verdict: str = ""
    exitstatus: int | None = None
    build: BuildInfo = field(default_factory=BuildInfo)
    tests: tuple[SameOutcome, ...] = ()
    workflows: tuple[WorkflowEntry, ...] = ()

    @property
    def target(self) -> str:
        """What tells sessions of one environment from those of another: its name, or its hosts."""
        return self.environment or " and ".join(self.hosts)

    @property
    def counts(self) -> bool:
        """Whether trends are about it."""
        return self.mode not in _KEPT_MODES

    @property
    def brief(self) -> SessionBrief:
        """What a strip tells of it."""
        return SessionBrief(self.started, self.verdict, self.build)

    @property
    def letters(self) -> Iterator[tuple[str, str]]:
        """The tests by id, each with the letter of its outcome."""
        for outcome, file, names in self.tests:
            letter = LETTERS.get(outcome, "?")
            yield from ((f"{file}{name}", letter) for name in names)

    def to_line(self) -> dict[str, Any]:
        """The line as JSON."""
        build = {name: value for name, value in asdict(self.build).items() if value}
        moments = {"started": moment(self.started), "ended": moment(self.ended)}
        workflows = [[one.name, asdict(one.figures)] for one in self.workflows]
        return {"format": FORMAT, **asdict(self), **moments, "build": build, "workflows": workflows}


def entry_of(model: Model, verdict: str = "", exitstatus: int | None = None) -> Entry:
    """The line of a session, or of several that were one suite.

    Args:
        model: the session.
        verdict: the words of its verdict.
        exitstatus: the exit code of its process, or of the command that has judged it.
    """
    first = next(iter(model.begun), model.sessions[0])
    ends = [one.ended for one in model.begun]
    by_place: dict[tuple[str, str], list[str]] = {}
    for test in model.tests:
        file, name = _divided(test.id)
        by_place.setdefault((test.outcome, file), []).append(name)
    return Entry(
        id=_identity(model),
        started=min((one.started for one in model.begun if one.started is not None), default=None),
        ended=max((one for one in ends if one is not None), default=None) if None not in ends else None,
        version=first.version,
        mode=first.mode,
        environment=first.environment,
        hosts=() if first.environment else tuple(filter(None, (first.origin, first.base_url))),
        verdict=verdict,
        exitstatus=exitstatus,
        build=model.build,
        tests=tuple(SameOutcome(*place, tuple(names)) for place, names in by_place.items()),
        workflows=tuple(WorkflowEntry(one.name, _figures(one)) for one in model.workflows.values()),
    )


def _figures(workflow: Workflow) -> WorkflowFigures:
    counts, rate = outcome_counts(workflow.tests), pass_rate(workflow.tests)
    p50, p95 = (None if one is None else round(one, 3) for one in (workflow.p50, workflow.p95))
    return WorkflowFigures(counts, rate.passed, rate.judged, len(workflow.runs), len(workflow.seconds), p50, p95)


def name_of(test: str) -> str:
    """The id of a test as a history has it: of bounded length, and still one test's alone."""
    if len(test) <= LONGEST_NAME:
        return test
    return f"{test[: LONGEST_NAME - 18]}…{hashlib.sha256(test.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _divided(test: str) -> tuple[str, str]:
    """The file of a test with what stands behind it, and the rest of its id."""
    file, colons, name = name_of(test).partition("::")
    return file + colons, name


def _identity(model: Model) -> str:
    """Equal for a log and for one that is read later, and for no other session's."""
    facts = [[one.started, one.environment] for one in model.sessions]
    tests = [[test.id, test.seconds] for test in model.tests]
    runs = [[run.run_id, run.started, run.seconds] for run in model.runs]
    text = json.dumps([facts, tests, runs])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- the file


@dataclass(frozen=True)
class History:
    """The sessions of a file, oldest first.

    Attributes:
        file: its name, as it was given.
        left_out: what of the file cannot be used, in words: line by line, and why.
        clean: cleans a string: a credential may be known by now that was not when a line was written.
    """

    file: str
    entries: tuple[Entry, ...] = ()
    left_out: tuple[str, ...] = ()
    clean: Callable[[str], str] = str

    @property
    def warning(self) -> str:
        """What was left out, in one line; empty if nothing was."""
        return _warning(self.file, self.left_out)


def _warning(file: str, left_out: Sequence[str]) -> str:
    if not left_out:
        return ""
    rest = f" and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
    return f"{file}: {count(len(left_out), 'line')} left out: {'; '.join(left_out[:MOST_NAMED])}{rest}"


def read_history(path: Path, name: str) -> History:
    """Reads a history; an empty one if there is no file yet.

    A line that is torn, of a later version, or not a session's, is left out by name.

    Args:
        path: the file.
        name: its name for people.

    Raises:
        ConfigurationError: the file cannot be read, or is another program's.
    """
    entries: list[Entry] = []
    left_out: list[str] = []
    for number, line in _lines(path, name):
        found = _read_line(line)
        if isinstance(found, Entry):
            entries.append(found)
        else:
            left_out.append(f"line {number} {found}")
    return History(name, tuple(entries), tuple(left_out))


def _lines(path: Path, name: str) -> list[tuple[int, bytes]]:
    """The lines of a history with their numbers, blank ones left out; none if there is no file yet.

    Raises:
        ConfigurationError: the file cannot be read, or is another program's.
    """
    if is_there(path) and not os.path.isfile(path):
        raise ConfigurationError(f"{name}: is not a file")
    try:
        data = read_bytes(path) if is_there(path) else b""
    except OSError as error:
        raise ConfigurationError(f"{name}: cannot be read: {error.strerror}") from None
    lines = [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    if all(line.startswith(_BEGIN) for _, line in lines) or any(isinstance(_read_line(one), Entry) for _, one in lines):
        return lines
    raise ConfigurationError(
        f"{name}: is not a history: line {lines[0][0]} {_read_line(lines[0][1])}, and no other line is a session's "
        "either. A history is a file of its own, with one line of JSON for each session: give a new file, or one that "
        "an earlier session wrote"
    )


def _read_line(line: bytes) -> Entry | str:
    """The session of a line, or why it is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return "is not valid JSON"
    if not isinstance(data, dict) or type(data.get("format")) is not int or "tests" not in data:
        return "is not a session of a history"
    if data["format"] > FORMAT:
        return f"was written by a later version of pytest-wisebot (format {data['format']})"
    if wrong := _mistake(data):
        return f"has {wrong}"
    return _entry(data)


_mistake: Final = checker(types_of(Entry))
"""Made now: freezegun replaces the classes of dates that the types name."""


def _entry(data: Mapping[str, Any]) -> Entry:
    tests = tuple(SameOutcome(outcome, file, tuple(names)) for outcome, file, names in data["tests"] or ())
    known = data.get("workflows") or ()
    workflows = tuple(WorkflowEntry(name, read(WorkflowFigures, figures)) for name, figures in known)
    return read(Entry, data, tests=tests, workflows=workflows)


def check_history(path: Path, name: str, others: Mapping[str, Path | None]) -> History:
    """The history before a session; its file can be written.

    Args:
        path: the file.
        name: its name for people.
        others: what else the session reads or writes, by its name for people: the history is none of it, nor in it.

    Raises:
        ConfigurationError: it cannot be read or written, or is another program's file, or one of the others.
    """
    path = Path(os.path.realpath(path))
    for what, other in others.items():
        if other is not None and Path(os.path.realpath(other)) in (path, *path.parents):
            raise ConfigurationError(
                f"{name}: is {what}, or in it: a history is a file of its own, such as history.jsonl"
            )
    history = read_history(path, name)
    try:
        check_writable(path.parent)
    except OSError as error:
        raise ConfigurationError(f"{name}: cannot be written: {error.strerror}") from None
    return history


def add_line(path: Path, line: bytes, identity: str, most: int, name: str = "") -> None:
    """Adds the line of a session, as the last one, and removes the oldest lines beyond the bound.

    Lines that this version cannot use stay until they are the oldest: a later version may have written them.

    Args:
        path: the file, which is replaced as a whole, while no other session writes it.
        line: with its end.
        identity: the session's id; an older line of it is removed.
        most: lines that the file has then at most.
        name: the file's name for people; empty for its path.

    Raises:
        ConfigurationError: it cannot be read, or is another program's by now: it stays as it is.
        OSError: it cannot be written.
    """
    name, path, mark = name or str(path), Path(os.path.realpath(path)), f'"id":"{identity}"'.encode()
    with folder_lock(path.parent):
        known = [line for _, line in _lines(path, name)]
        others = [one + b"\n" for one in known if mark not in one[:100]]
        mode = os.stat(path).st_mode & 0o777 if is_there(path) else 0o666
        write_whole(str(path), b"".join([*others[max(0, len(others) - most + 1) :], line]), mode)


def write_entry(path: Path, entry: Entry, most: int, name: str = "") -> None:
    """Adds a session to a history (see `add_line`)."""
    add_line(path, event_line(entry.to_line()), entry.id, most, name)


# --- what the last sessions show


@dataclass(frozen=True, slots=True)
class SessionBrief:
    """A session in a strip."""

    started: Moment | None = None
    verdict: str = ""
    build: BuildInfo = field(default_factory=BuildInfo)


class OutcomeTrack(NamedTuple):
    """A test, and the letter of its outcome in each session."""

    name: str
    letters: str


class WorkflowTrack(NamedTuple):
    """A workflow: of each session the letter of the worst outcome of its tests, and its p95; None without one."""

    name: str
    letters: str
    p95: tuple[float | None, ...]


@dataclass(frozen=True)
class Past:
    """The last sessions of an environment, oldest first.

    Attributes:
        file: the name of the history.
        sessions: the sessions.
        tests: the tests, each with a letter for each session.
        workflows: the workflows, the same.
        left_out: what of the file could not be used, in words.
    """

    file: str = ""
    sessions: tuple[SessionBrief, ...] = ()
    tests: tuple[OutcomeTrack, ...] = ()
    workflows: tuple[WorkflowTrack, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """What was left out, in one line; empty if nothing was."""
        return _warning(self.file, self.left_out)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, as the log has it."""
        moments = [moment(one.started) for one in self.sessions]
        known = asdict(self)
        sessions = [{**one, "started": at} for one, at in zip(known["sessions"], moments, strict=True)]
        return {**known, "sessions": sessions}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Past:
        """From JSON of this shape. Another program may have written it: each track gets the length of the others."""
        sessions = len(data.get("sessions") or ())
        tests = (OutcomeTrack(name, letters.ljust(sessions)[:sessions]) for name, letters in data.get("tests") or ())
        workflows = (
            WorkflowTrack(name, letters.ljust(sessions)[:sessions], (*p95, *[None] * sessions)[:sessions])
            for name, letters, p95 in data.get("workflows") or ()
        )
        return read(cls, data, tests=tuple(tests), workflows=tuple(workflows))

    def with_session(self, entry: Entry) -> Past:
        """The same with a session behind the others, and with the tests and workflows of that session alone.

        A session that made no live run changes nothing in the trends: it is left out.
        """
        if not entry.counts:
            return self
        earlier, blank = {one.name: one.letters for one in self.tests}, ABSENT * len(self.sessions)
        of = {one.name: one for one in self.workflows}
        nothing = WorkflowTrack("", blank, (None,) * len(self.sessions))
        workflows = (
            WorkflowTrack(
                name,
                of.get(name, nothing).letters + _letter(figures),
                (*of.get(name, nothing).p95, figures.p95),
            )
            for name, figures in entry.workflows
        )
        tests = _worst_of_each(entry.letters)
        return replace(
            self,
            sessions=(*self.sessions, entry.brief),
            tests=tuple(OutcomeTrack(name, earlier.get(name, blank) + letter) for name, letter in tests.items()),
            workflows=tuple(workflows),
        )


def past_of(history: History, model: Model) -> Past:
    """What the sessions before this one, in its environment, show of its tests and workflows."""
    own, target = _identity(model), entry_of(model).target
    numbers = [number for number, one in enumerate(history.entries) if one.id == own]
    before = history.entries[: numbers[0]] if numbers else history.entries
    entries = [one for one in before if one.counts and one.target == target][-(WINDOW - 1) :]
    tests = {name_of(test.id) for test in model.tests}
    past = tracked(entries, tests, model.workflows)
    sessions = tuple(_cleaned(one, history.clean) for one in past.sessions)
    left_out = tuple(map(history.clean, history.left_out))
    return replace(past, file=history.clean(history.file), sessions=sessions, left_out=left_out)


def _cleaned(session: SessionBrief, clean: Callable[[str], str]) -> SessionBrief:
    """The same, clean. The names of tests and workflows are those of the present session, which are clean."""
    texts: dict[str, Any] = {
        name: clean(value) for name, value in asdict(session.build).items() if isinstance(value, str)
    }
    return replace(session, verdict=clean(session.verdict), build=replace(session.build, **texts))


def tracked(
    entries: Sequence[Entry], tests: Iterable[str] | None = None, workflows: Iterable[str] | None = None
) -> Past:
    """The tracks of these sessions.

    Args:
        entries: the sessions, oldest first.
        tests: names of tests; None for all.
        workflows: names of workflows; None for all.
    """
    letters = [_worst_of_each(one.letters) for one in entries]
    figures = [dict(one.workflows) for one in entries]
    tests = dict.fromkeys(name for one in letters for name in one) if tests is None else sorted(tests)
    names = sorted({name for one in figures for name in one} if workflows is None else workflows)
    return Past(
        sessions=tuple(one.brief for one in entries),
        tests=tuple(OutcomeTrack(test, "".join(one.get(test, ABSENT) for one in letters)) for test in tests),
        workflows=tuple(
            WorkflowTrack(
                name,
                "".join(_letter(one[name]) if name in one else ABSENT for one in figures),
                tuple(one[name].p95 if name in one else None for one in figures),
            )
            for name in names
        ),
    )


def _letter(figures: WorkflowFigures) -> str:
    """The letter of the worst outcome among the tests of a workflow."""
    words = [word for word, number in figures.tests.items() if number]
    return LETTERS.get(min(words, key=lambda word: rank(word, REPORT_ORDER)), "?") if words else ABSENT


def _worst_of_each(letters: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The letter of each test; of one that has ended twice, as on each worker, that of the worse outcome."""
    words = {letter: word for word, letter in LETTERS.items()}
    found: dict[str, str] = {}
    for name, letter in letters:
        if name in found:
            letter = min(found[name], letter, key=lambda one: rank(words.get(one, ""), REPORT_ORDER))
        found[name] = letter
    return found


class FlakyRate(NamedTuple):
    """In how many sessions a test was flaky, of those in which it had a verdict."""

    flaky: int
    judged: int

    @property
    def share(self) -> float:
        """From 0 to 1; 0 without a session."""
        return self.flaky / self.judged if self.judged else 0.0


def flaky_rate(letters: str, sessions: Sequence[SessionBrief]) -> FlakyRate:
    """In how many sessions a test was flaky, or passed although its verdict before, on the same commit, was a failure.

    Args:
        letters: the test's, one for each session.
        sessions: oldest first.
    """
    flaky = judged = 0
    before: dict[str, str] = {}
    for letter, session in zip(letters, sessions, strict=True):
        if letter not in GOOD | WRONG:
            continue
        commit = session.build.commit if not session.build.is_changed else ""
        judged += 1
        flaky += letter == LETTERS["flaky"] or (letter in GOOD and before.get(commit, "") in WRONG)
        if commit:
            before[commit] = letter
    return FlakyRate(flaky, judged)


class FailingSince(NamedTuple):
    """The first of the sessions since which a test fails; whether there is a session before it that shows a pass."""

    session: SessionBrief
    has_passed: bool

    def __str__(self) -> str:
        build = self.session.build
        day = (moment(self.session.started) or "")[:10]
        commit = f"commit {build.short_commit}" if build.commit else truncate(build.job, 60)
        return ("since " if self.has_passed else "since at least ") + ", ".join(filter(None, (commit, day)))


def failing_since(letters: str, sessions: Sequence[SessionBrief]) -> FailingSince | None:
    """Since when a test fails without a pass between; None if its last verdict is not a failure."""
    first: SessionBrief | None = None
    for letter, session in zip(reversed(letters), reversed(sessions), strict=True):
        if letter in GOOD:
            return FailingSince(first, has_passed=True) if first is not None else None
        if letter in WRONG:
            first = session
    return FailingSince(first, has_passed=False) if first is not None else None


def tests_of(past: Past, tests: Iterable[Test]) -> dict[str, str]:
    """The letters of these tests, by their ids."""
    letters = {one.name: one.letters for one in past.tests}
    return {test.id: found for test in tests if (found := letters.get(name_of(test.id)))}
