"""What the terminal shows of the runs: the status line while a test waits, and the summary at the session's end.

The status line is written to a copy of the terminal that was made while pytest captured nothing, so that no test finds
it in its output. On a terminal it stands one line below the cursor, which stays where it was, behind pytest's own dots;
elsewhere it is a line now and then.
"""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from ..files import file_of
from ..originals import os, threading, time
from ..outcomes import DRIFT, FLAKY, INFRASTRUCTURE, NOT_RUN
from ..quarantine import Quarantine, from_dict
from ..report.format import percentile
from ..text import column, count, escape, listed, printable
from .report_facts import OWN_CATEGORIES, ReportFacts, TrialCount, facts_of, reports_with_facts
from .session_state import state_of

if TYPE_CHECKING:
    from ..engine.stats import StatsSnapshot, Status
    from ..redaction import Redactor


MOST_NAMED = 10
"""Tests that are named for one reason; ``-v`` names all."""

MOST_ACCEPTED = 20
"""Tests in the command that accepts their results."""

LISTED_BY = {INFRASTRUCTURE: "f", NOT_RUN: "f", DRIFT: "f", FLAKY: "X"}
"""The letter of ``-r`` that lists an outcome: those that failed with the failed, and flaky ones with the odd passes."""

TRIAL_WORDS = ("passed", FLAKY, DRIFT, "failed", "no verdict", "error", "skipped")
"""The outcomes of a test with trials, in the order in which they are counted."""

_LISTED_BY_PYTEST = {"x": "xfailed", "X": "xpassed", "f": "failed", "s": "skipped", "p": "passed", "E": "error"}
_SOURCES = {"recording": "from recordings", "last": "of an earlier session"}


def _named(reporter: Any, names: list[str], what: str = "") -> Iterator[str]:
    """Names, one a line; without ``-v`` the first of them alone."""
    return listed(names, None if reporter.verbosity > 0 else MOST_NAMED, what)


def show_block(reporter: Any, lines: Iterable[str]) -> None:
    """Shows the block "wisebot"; nothing without lines."""
    lines, quiet = list(lines), reporter.verbosity < 0
    if lines and not quiet:
        reporter.write_sep("=", "wisebot")
    for line in lines:
        reporter.write_line(f"wisebot: {line}" if quiet else line)


# --- failures, as pytest shows those of its own categories


def show_failures(reporter: Any) -> None:
    """Shows failures in full, in a section for each category, and one of those that have one reason; ``-vv``: all."""
    if reporter.config.option.tbstyle == "no":
        return
    for category in OWN_CATEGORIES:
        groups = list(_by_reason(reporter.stats.get(category, ()), apart=reporter.verbosity >= 2))
        if groups:
            reporter.write_sep("=", category.upper())
        for first, *others in groups:
            _show_failure(reporter, first)
            if others:
                reporter.write_line(f"and for the same reason {len(others)} more:")
            for line in _named(reporter, [report.nodeid for report in others]):
                reporter.write_line(line)


def _by_reason(reports: Iterable[pytest.TestReport], *, apart: bool) -> Iterator[list[pytest.TestReport]]:
    """Those of one reason together; those without one alone. Those that the end of the session counts are left out.

    A test whose run had no verdict shows where it asked for the run: in its call, or around it.
    """
    groups: dict[tuple[str, str], list[pytest.TestReport]] = {}
    for report in reports:
        facts = facts_of(report)
        if not facts.is_told_at_end:
            where = "" if facts.category == NOT_RUN else str(report.when)
            reason = "" if apart else facts.reason
            groups.setdefault((reason, where) if reason else (f"{len(groups)}", "alone"), []).append(report)
    yield from groups.values()


def _show_failure(reporter: Any, report: pytest.TestReport) -> None:
    in_lines = reporter.config.option.tbstyle == "line" and report.when == "call"  # as pytest does with its failures
    if not in_lines:
        when = "" if report.when == "call" else f" at {report.when}"
        reporter.write_sep("_", f"{report.head_line or 'test session'}{when}", yellow=True, bold=True)
    _show_report(reporter, report)
    if in_lines:
        crash = getattr(report.longrepr, "reprcrash", None)
        reporter.write_line(str(crash) if crash is not None else str(report.longrepr)[:50])
    elif report.when == "call":
        for end in reporter.getreports(""):
            if end.when == "teardown" and end.nodeid == report.nodeid:
                reporter.print_teardown_sections(end)


def _show_report(reporter: Any, report: pytest.TestReport) -> None:
    """A failure and its captured output, as pytest shows them."""
    writer, wanted = reporter.config.get_terminal_writer(), reporter.config.option.showcapture
    report.toterminal(writer)
    for name, content in report.sections if wanted != "no" else ():
        if wanted == "all" or wanted in name:
            writer.sep("-", name)
            writer.line(content.removesuffix("\n"))


def show_short_summary(reporter: Any) -> None:
    """A line for each test, under pytest's own ones, as ``-r`` orders them."""
    chars = reporter.reportchars
    lines = [
        (outcome.upper(), report)
        for outcome, char in LISTED_BY.items()
        if char in chars
        for report in reporter.stats.get(outcome, ())
    ]
    if lines and not any(reporter.stats.get(_LISTED_BY_PYTEST.get(char)) for char in chars):
        reporter.write_sep("=", "short test summary info", cyan=True, bold=True)
    for word, report in lines:
        why = _why(report)
        reporter.write(word, yellow=True)
        reporter.write_line(_fitted(reporter, word, f" {report.nodeid}{f' - {why}' if why else ''}"))


def _fitted(reporter: Any, word: str, line: str) -> str:
    """As much of a line as the terminal shows; all of it where pytest does not cut its own either."""
    width = reporter.config.get_terminal_writer().fullwidth - len(word)
    if reporter.verbosity >= 2 or any(os.environ.get(name) for name in ("CI", "BUILD_NUMBER")) or len(line) <= width:
        return line
    return f"{line[: max(0, width - 3)]}..."


def _why(report: pytest.TestReport) -> str:
    trials = facts_of(report).trials
    if report.passed:
        return str(trials) if trials is not None else ""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first.removeprefix("pytest_wisebot.errors.")


def unused_marks(reporter: Any) -> Iterator[str]:
    """The tests that passed under a wisebot mark and used no run, in lines for the block "wisebot"."""
    found = (report.nodeid for report, facts in reports_with_facts(reporter) if facts.unused_mark)
    if tests := list(dict.fromkeys(found)):
        yield f"{count(len(tests), 'test')} under a wisebot mark used no run:"
        yield from _named(reporter, tests)


def earlier_snapshots(number: int) -> Iterator[str]:
    """A line on snapshots whose placeholders of an earlier version accepted what was compared."""
    if number:
        have = "has" if number == 1 else "have"
        found = f"{count(number, 'snapshot')} {have} placeholders of an earlier version"
        yield f"{found}: --snapshot-update writes those of this one"


def hints(reporter: Any, mode: str, *, interrupted: bool) -> Iterator[str]:
    """What to do next with the runs that were kept.

    Args:
        reporter: pytest's.
        mode: of ``--wisebot-runs``.
        interrupted: the session was ended by Ctrl-C, after a run had ended.
    """
    if reporter.verbosity < 0:
        return
    if interrupted and mode in ("live", "resume"):
        yield "to go on: --wisebot-runs=resume keeps the runs that have ended"
    updates = getattr(reporter.config.option, "update_snapshots", False)
    compared = (one for one in reports_with_facts(reporter) if one[1].snapshot and one[0].failed)
    red = list(dict.fromkeys(facts.nodeid or report.nodeid for report, facts in compared))
    if red and not updates:
        yield from _accepting(reporter.config, red, "replay" if mode == "replay" else "last")


def _accepting(config: pytest.Config, tests: list[str], source: str) -> Iterator[str]:
    """The command that accepts the results of these tests alone, from the folder where pytest was started."""
    from ..apis import in_any_shell

    option = config.option
    places = {"-c": option.inifilename, "--rootdir": option.rootdir}
    chosen = [word for name, value in places.items() if value is not None for word in (name, str(value))]
    named = {"env": option.wisebot_env, "config": option.wisebot_config, "api": option.wisebot_api}
    chosen += [f"--wisebot-{name}={value}" for name, value in named.items() if value is not None]
    ids = [_from_here(config, test) for test in tests[:MOST_ACCEPTED]]
    words: list[str] = [*ids, *chosen, f"--wisebot-runs={source}", "--snapshot-update"]
    some = f" (the first {MOST_ACCEPTED} of {len(tests)} tests)" if len(tests) > MOST_ACCEPTED else ""
    yield f"to accept these results at no cost{some}:"
    yield f"  python -m pytest {' '.join(map(in_any_shell, words))}"


def _from_here(config: pytest.Config, test: str) -> str:
    """The id of a test, relative to the folder where pytest was started."""
    file, colons, name = test.partition("::")
    return os.path.relpath(config.rootpath / file, config.invocation_params.dir).replace(os.sep, "/") + colons + name


# --- the numbers of the runs


class Summary:
    """What a session shows of its runs.

    Args:
        stats: the engine's.
        terminalreporter: pytest's, for the tests' reports and for the verbosity.
        against: the second environment and its numbers, if there is one.
    """

    def __init__(
        self, stats: StatsSnapshot, terminalreporter: Any, against: tuple[str, StatsSnapshot] | None = None
    ) -> None:
        self._stats = stats
        self._against = against
        self._reporter = terminalreporter
        self._reports = list(reports_with_facts(terminalreporter))
        self._trial_counts = {report.nodeid: facts.trials for report, facts in self._reports if facts.trials}

    def lines(self) -> list[str]:
        """The lines; with ``-q`` only those that name what is missing."""
        lines = [*self._durations(self._stats), *self._trials()] if self._reporter.verbosity >= 0 else []
        return [*lines, *self._missing(self._stats), *self._odd(), *self._beside()]

    def _beside(self) -> Iterator[str]:
        """The runs of the second environment, and the repetitions of the first."""
        if self._against is None:
            return
        environment, stats = self._against
        compared = {one["run"]: one for _, facts in self._reports for one in facts.compared}
        done = [one for one in compared.values() if not one.get("why_not")]
        differ = sum(bool(one.get("diff")) for one in done)
        yield f"against {environment}: {count(len(done), 'run')} compared, {differ} of them drifted"
        if self._reporter.verbosity >= 0:
            yield from (f"  {line}" for line in self._durations(stats))
            if repeated := self._stats.repeated:
                yield f"  {count(repeated, 'repetition')} of the first environment's runs, for what differs by itself"
        reasons = Counter(one["why_not"] for one in compared.values() if one.get("why_not"))
        yield from (f"  {count(number, 'run')} not compared: {why}" for why, number in reasons.items())
        if stats.without_verdict:
            yield f"  {count(stats.without_verdict, 'run')} without a verdict"
        yield from (f"  {count(stopped, 'run')} not run: {reason}" for reason, stopped in stats.not_run.items())
        if stats.not_awaited:
            yield f"  {count(stats.not_awaited, 'run')} sent and not compared: the test ended before"

    def _durations(self, stats: StatsSnapshot) -> Iterator[str]:
        saved = stats.run_time - stats.wall
        together = f", {saved:.1f} s saved" if saved >= 0.05 else ""
        if stats.runs:
            took = f"{stats.run_time:.1f} s of run time in {stats.wall:.1f} s of wall time"
            yield f"{count(stats.runs, 'run')}, {took}{together}"
        width = max((len(column(workflow)) for workflow in stats.seconds), default=0)
        for workflow, seconds in sorted(stats.seconds.items()):
            p50, p95 = (percentile(seconds, share) or 0.0 for share in (0.5, 0.95))
            yield f"  {column(workflow):<{width}}  {count(len(seconds), 'run')}, p50 {p50:.2f} s, p95 {p95:.2f} s"
        for source, kept in sorted(stats.kept.items()):
            yield f"{count(kept, 'run')} {_SOURCES[source]}"
        if stats.retries:
            retries = f"{stats.retries} {'retry' if stats.retries == 1 else 'retries'}"
            yield f"{retries}, {stats.back_off:.1f} s of back-off"

    def _trials(self) -> Iterator[str]:
        counts = self._trial_counts
        if not counts:
            return
        words = Counter(one.word for one in counts.values())
        by_word = ", ".join(f"{words[word]} {word}" for word in TRIAL_WORDS if word in words)
        judged = sum(one.passes + one.failures for one in counts.values())
        yield f"{count(len(counts), 'test')} with trials: {by_word}; {count(judged, 'trial')} judged"
        told = {nodeid: one for nodeid, one in counts.items() if one.word not in ("passed", "skipped")}
        yield from self._named([f"{nodeid}: {_count_and_reason(one)}" for nodeid, one in told.items()])

    def _missing(self, stats: StatsSnapshot) -> Iterator[str]:
        if stats.without_verdict:
            yield f"{count(stats.without_verdict, 'run')} without a verdict"
        tests: dict[str, list[str]] = {}
        for report in self._reporter.stats.get(NOT_RUN, ()):
            if facts_of(report).is_told_at_end:
                tests.setdefault(facts_of(report).reason, []).append(report.nodeid)
        for reason in {**stats.not_run, **tests}:
            stopped = stats.not_run.get(reason, 0) or len(tests[reason])
            yield f"{count(stopped, 'run')} not run: {reason}"
            yield from self._named(tests.get(reason, []))
        if stats.not_awaited == 1:
            yield "1 run was sent and not awaited: it may have happened"
        elif stats.not_awaited:
            yield f"{stats.not_awaited} runs were sent and not awaited: they may have happened"
        yield from self._not_needed()

    def _not_needed(self) -> Iterator[str]:
        runs, unfinished = self._stats.not_needed, self._stats.unfinished
        ended = f", and {unfinished} had not ended" if unfinished else ""
        if runs == 1:
            yield f"1 run of a trial was sent ahead and not needed: its test ended without it{ended}"
        elif runs:
            yield f"{runs} runs of trials were sent ahead and not needed: their tests ended without them{ended}"

    def _odd(self) -> Iterator[str]:
        if tests := sum(facts.unlimited for _, facts in self._reports):
            whose = "whose run was" if tests == 1 else "whose runs were"
            yield f"not judged: max_seconds of {count(tests, 'test')}, {whose} made earlier"
        if drifted := self._reporter.stats.get(DRIFT, ()):
            yield f"{count(len(drifted), 'test')} with drift:"
            yield from self._named([report.nodeid for report in drifted])
        if alone := drifted_alone(self._stats, self._reporter):
            yield f"{count(len(alone), 'run')} drifted, and no test failed by it:"
            yield from self._named(alone, "run")
        yield from self._quarantined()
        yield from self._contradictory()
        yield from unused_marks(self._reporter)
        notes = [note for _, facts in self._reports for note in facts.notes]
        shown = notes if self._reporter.verbosity > 0 else notes[:MOST_NAMED]
        yield from shown
        if len(shown) < len(notes):
            yield f"and {count(len(notes) - len(shown), 'more note')}, shown by -v"

    def _quarantined(self) -> Iterator[str]:
        """Each test in quarantine: how it ended, who mends it, until when, and why."""
        began = state_of(self._reporter.config).began
        found: dict[str, Quarantine] = {}
        words: dict[str, str] = {}
        for report, facts in self._reports:
            if facts.quarantine:
                nodeid = facts.nodeid or report.nodeid
                found[nodeid] = from_dict(facts.quarantine, began)
                words[nodeid] = _worse_word(report, facts, words.get(nodeid, ""))
        if found:
            yield f"{count(len(found), 'test')} in quarantine:"
            yield from self._named([_in_quarantine(nodeid, words[nodeid], one) for nodeid, one in found.items()])

    def _contradictory(self) -> Iterator[str]:
        runs = self._stats.contradictory
        if not runs:
            return
        contradict = "contradicts itself" if len(runs) == 1 else "contradict themselves"
        yield f"{count(len(runs), 'run')} {contradict} (ok: true, beside an error or a status that says failed):"
        users = {run: [report.nodeid for report, facts in self._reports if run in facts.runs] for run in runs}
        yield from self._named(list(dict.fromkeys(name for run in runs for name in users[run] or [runs[run]])))

    def _named(self, names: list[str], what: str = "test") -> Iterator[str]:
        return _named(self._reporter, names, what)


def drifted_alone(stats: StatsSnapshot, terminalreporter: Any) -> list[str]:
    """The runs that differ from their recordings, and that no failed test has used."""
    if not stats.drifted:
        return []
    reports = reports_with_facts(terminalreporter)
    answered = {run for report, facts in reports if report.outcome in ("failed", "rerun") for run in facts.runs}
    return [name for reference, name in stats.drifted.items() if reference not in answered]


def _worse_word(report: pytest.TestReport, facts: ReportFacts, known: str) -> str:
    """How a test ended, as far as its reports so far tell."""
    if report.failed:
        return known if known not in ("", "passed", FLAKY) else facts.category or "failed"
    word = facts.trials.word if facts.trials is not None else str(report.outcome)
    return known if known not in ("", "passed") else word


def _in_quarantine(nodeid: str, word: str, one: Quarantine) -> str:
    ends = f" ({one.end_in_words})" if one.end_in_words else ""
    lifted = ", may be lifted" if word == "passed" else ""
    return f"{nodeid}: {word}{lifted}; {printable(str(one), 500)}{ends}"


def _count_and_reason(trials: TrialCount) -> str:
    """Without the reason of a failure, which pytest itself shows."""
    return f"{trials}; {trials.why}" if trials.word == FLAKY and trials.why else str(trials)


REFRESH_SECONDS = 0.2
"""How often the line is written anew."""

PATIENCE_SECONDS = 0.5
"""How long a test waits before the line appears, and how long it stays away after pytest has written something."""

PLAIN_SECONDS = 30.0
"""Seconds of waiting between two lines where there is no terminal."""

_BELOW = "\x1bD\x1b7\r\x1b[2K"
"""One line down, scrolling if need be; that place is kept; the line is emptied."""

_BACK = "\x1b8\x1b[1A"
"""To the kept place, and one line up: where the cursor was."""


class StatusLine:
    """Shows the progress of the runs, from `start` to `stop`, in a thread of its own.

    On a terminal silent with ``-q``; silent where pytest itself has no terminal reporter or no real output.

    Args:
        config: the session's.
        status: the progress; None before the first run.
        redactor: cleans what is shown: a workflow's name may be its id, and that anything.
    """

    def __init__(self, config: pytest.Config, status: Callable[[], Status | None], redactor: Redactor) -> None:
        self._config = config
        self._redactor = redactor
        self._status = status
        self._fd: int | None = None
        self._file: tuple[int, int] | None = None
        self._encoding = "utf-8"
        self._is_terminal = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._waits = 0
        self._waits_here = False
        self._shown = False
        self._hidden_until = 0.0
        self._waited = 0.0

    def start(self) -> None:
        """Begins to show the line. Called while pytest captures nothing."""
        if self._config.pluginmanager.has_plugin("terminalreporter"):
            with suppress(OSError, ValueError, AttributeError):
                # A CI job ends where nothing is written.
                if self._config.get_verbosity() >= 0 or not sys.stdout.isatty():
                    self._fd = os.dup(sys.stdout.fileno())
                    self._file = file_of(self._fd)
                    self._encoding = sys.stdout.encoding or self._encoding
        if self._fd is not None:
            rewrites = os.isatty(self._fd) and os.environ.get("TERM", "dumb") != "dumb"
            self._is_terminal = rewrites and not _logs_live(self._config)
            self._thread = threading.Thread(target=self._go_on, name="wisebot-live", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Removes the line, and shows nothing any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * REFRESH_SECONDS)
        with self._lock:
            self._clear()
            if self._fd is not None:
                if file_of(self._fd) == self._file:
                    os.close(self._fd)
                self._fd = None

    def waits(self, begins: bool) -> None:
        """A test of this process begins to wait, or stops waiting: the line is gone before the test continues."""
        with self._lock:
            self._waits_here = True
            self._waits += 1 if begins else -1
            if not self._waits:
                self._clear()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Keeps the line away while something else is written."""
        with self._lock:
            self._clear()
            try:
                yield
            finally:
                self._hidden_until = time.monotonic() + PATIENCE_SECONDS

    def _go_on(self) -> None:
        since: float | None = None
        while not self._ended.wait(REFRESH_SECONDS):
            status = self._status() if self._may_wait() else None
            now = time.monotonic()
            with self._lock:
                if self._ended.is_set():
                    return
                if status is None or not status.awaited or not self._may_wait():
                    since = None
                    self._clear()
                    continue
                since = now if since is None else since
                self._waited += REFRESH_SECONDS
                if self._is_terminal and now - since >= PATIENCE_SECONDS and now >= self._hidden_until:
                    self._write(f"{_BELOW}{_fitting(self._line(status), self._columns())}{_BACK}")
                    self._shown = True
                elif not self._is_terminal and self._waited >= PLAIN_SECONDS:
                    self._waited = 0.0
                    self._write(f"\n{self._line(status)}\n")

    def _line(self, status: Status) -> str:
        return escape(self._redactor.clean(line_of(status)))

    def _may_wait(self) -> bool:
        """Whether a test may be waiting: one of this process, or, on a controller, one of a worker."""
        return self._waits > 0 or not self._waits_here

    def _clear(self) -> None:
        if self._shown:
            self._shown = False
            self._write(f"{_BELOW}{_BACK}")

    def _write(self, text: str) -> None:
        if self._fd is not None and file_of(self._fd) == self._file:
            with suppress(OSError):  # the terminal has gone: the tests go on
                os.write(self._fd, text.encode(self._encoding, "replace"))

    def _columns(self) -> int:
        with suppress(OSError):
            if self._fd is not None:
                return os.get_terminal_size(self._fd).columns or 80  # a fresh pseudo terminal has 0
        return 80


def _logs_live(config: pytest.Config) -> bool:
    """Whether pytest writes log records to the terminal as they come: they would be written over the line."""
    can = config.pluginmanager.has_plugin("logging-plugin")
    return can and (config.getoption("--log-cli-level") is not None or bool(config.getini("log_cli")))


def line_of(status: Status) -> str:
    """The line."""
    parts = [f"{status.done} done", f"{status.running} running"]
    if status.resumes_in is not None:
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + status.resumes_in))
        parts.append(f"{status.waiting} waiting (back-off until {until})")
    elif status.waiting:
        held = ", ".join(f"{number} until a run of {workflow} ends" for workflow, number in status.held.items())
        parts.append(f"{status.waiting} waiting (cap {status.cap}{f'; {held}' if held else ''})")
    if status.oldest is not None:
        parts.append(f"oldest {status.age:.0f} s: {status.oldest}")
    if status.left is not None:
        parts.append(f"about {_in_words(status.left)} left")
    return "wisebot: " + ", ".join(parts)


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _fitting(text: str, columns: int) -> str:
    """As much of a string as fits into one line."""
    fitting, width = "", 0
    for char in text:
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width >= columns:
            break
        fitting += char
    return fitting
