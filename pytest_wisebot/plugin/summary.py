"""The numbers at a session's end: what the runs took, and what was not run, or not awaited. Quiet when none ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..outcomes import DRIFT, FLAKY
from ..report.format import percentile
from ..text import column, count
from .failure_sections import unused_marks
from .report_facts import Count, answered_for, drifted, not_run_by_reason, notes_of, trials_of, unlimited, users_of

if TYPE_CHECKING:
    from ..engine.stats import StatsSnapshot

MOST_NAMED = 10
"""Tests not run that are named for one reason; ``-v`` names all."""

TRIAL_WORDS = ("passed", FLAKY, DRIFT, "failed", "no verdict", "error", "skipped")
"""What a test with trials may be, in the order in which it is told."""


_WHERE_FROM = {"recording": "from recordings", "last": "of an earlier session"}


class Summary:
    """What the end of a session says of its runs.

    Args:
        numbers: the engine's.
        terminalreporter: pytest's, for what the tests' reports say and for how much to tell.
    """

    def __init__(self, numbers: StatsSnapshot, terminalreporter: Any) -> None:
        self._numbers = numbers
        self._reporter = terminalreporter

    def lines(self) -> list[str]:
        """The lines; with ``-q`` only those that say what is missing."""
        lines = [*self._took(), *self._trials()] if self._reporter.verbosity >= 0 else []
        return [*lines, *self._doubtful(), *self._missing(), *self._odd()]

    def _took(self) -> Iterator[str]:
        numbers = self._numbers
        saved = numbers.run_time - numbers.wall
        together = f", {saved:.1f} s saved" if saved >= 0.05 else ""
        if numbers.runs:
            took = f"{numbers.run_time:.1f} s of run time in {numbers.wall:.1f} s of wall time"
            yield f"{count(numbers.runs, 'run')}, {took}{together}"
        width = max((len(column(workflow)) for workflow in numbers.seconds), default=0)
        for workflow, seconds in sorted(numbers.seconds.items()):
            p50, p95 = (percentile(seconds, share) or 0.0 for share in (0.5, 0.95))
            yield f"  {column(workflow):<{width}}  {count(len(seconds), 'run')}, p50 {p50:.2f} s, p95 {p95:.2f} s"
        for source, kept in sorted(numbers.kept.items()):
            yield f"{count(kept, 'run')} {_WHERE_FROM[source]}"
        if numbers.retries:
            retries = f"{numbers.retries} {'retry' if numbers.retries == 1 else 'retries'}"
            yield f"{retries}, {numbers.back_off:.1f} s of back-off"

    def _trials(self) -> Iterator[str]:
        tests = dict(trials_of(self._reporter))
        if not tests:
            return
        words = Counter(count.word for count in tests.values())
        many = ", ".join(f"{words[word]} {word}" for word in TRIAL_WORDS if word in words)
        judged = sum(count.passes + count.failures for count in tests.values())
        yield f"{count(len(tests), 'test')} with trials: {many}; {count(judged, 'trial')} judged"
        told = {nodeid: count for nodeid, count in tests.items() if count.word not in ("passed", "skipped")}
        yield from self._named([f"{nodeid}: {_told(count)}" for nodeid, count in told.items()])

    def _doubtful(self) -> Iterator[str]:
        tests = dict(trials_of(self._reporter))
        doubtful = sorted(f"{nodeid}: {count.doubt}" for nodeid, count in tests.items() if count.doubt)
        if doubtful:
            more = f" (and {count(len(doubtful) - 1, 'more test')} likewise)" if len(doubtful) > 1 else ""
            yield f"warning: a pass rate that its trials cannot show{more}: {doubtful[0]}"

    def _missing(self) -> Iterator[str]:
        numbers = self._numbers
        if numbers.without_verdict:
            yield f"{count(numbers.without_verdict, 'run')} without a verdict"
        tests = not_run_by_reason(self._reporter)
        for reason in {**numbers.not_run, **tests}:
            stopped = numbers.not_run.get(reason, 0) or len(tests[reason])
            yield f"{count(stopped, 'run')} not run: {reason}"
            yield from self._named(tests.get(reason, []))
        if numbers.not_awaited == 1:
            yield "1 run was sent and not awaited: it may have happened"
        elif numbers.not_awaited:
            yield f"{numbers.not_awaited} runs were sent and not awaited: they may have happened"

    def _odd(self) -> Iterator[str]:
        if tests := unlimited(self._reporter):
            whose = "whose run was" if tests == 1 else "whose runs were"
            yield f"not judged: max_seconds of {count(tests, 'test')}, {whose} made earlier"
        if drift := drifted(self._reporter):
            yield f"{count(len(drift), 'test')} with drift:"
            yield from self._named([report.nodeid for report in drift])
        if alone := drifted_alone(self._numbers, self._reporter):
            yield f"{count(len(alone), 'run')} drifted, and no test failed by it:"
            yield from self._named(alone, "run")
        yield from self._contradictory()
        yield from unused_marks(self._reporter)
        notes = list(notes_of(self._reporter))
        shown = notes if self._reporter.verbosity > 0 else notes[:MOST_NAMED]
        yield from shown
        if len(shown) < len(notes):
            yield f"and {count(len(notes) - len(shown), 'more note')}, shown by -v"

    def _contradictory(self) -> Iterator[str]:
        runs = self._numbers.contradictory
        if not runs:
            return
        contradict = "contradicts itself" if len(runs) == 1 else "contradict themselves"
        yield f"{count(len(runs), 'run')} {contradict} (ok: true, beside an error or a status that says failed):"
        users = users_of(self._reporter)
        yield from self._named(list(dict.fromkeys(name for run in runs for name in users.get(run) or [runs[run]])))

    def _named(self, names: list[str], what: str = "test") -> Iterator[str]:
        shown = names if self._reporter.verbosity > 0 else names[:MOST_NAMED]
        yield from (f"  {name}" for name in shown)
        if len(shown) < len(names):
            yield f"  and {count(len(names) - len(shown), f'more {what}')}, shown by -v"


def drifted_alone(numbers: StatsSnapshot, terminalreporter: Any) -> list[str]:
    """The runs that are not what was recorded, and that no test which failed has used."""
    answered = answered_for(terminalreporter) if numbers.drifted else set()
    return [whose for reference, whose in numbers.drifted.items() if reference not in answered]


def _told(count: Count) -> str:
    """Of a failure pytest itself says why."""
    return f"{count}; {count.why}" if count.word == FLAKY and count.why else str(count)
