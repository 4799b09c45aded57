"""Comparison with an earlier session: newly failing, fixed and missing tests, and changes of pass rates and latency."""

from __future__ import annotations

import difflib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..outcomes import GOOD, JUDGED, SKIPPED, XFAILED
from ..text import count
from .chance import FEWEST_FOR_P95
from .format import seconds_text
from .model import Model, PassRate, Test, Workflow, file_of, is_under, pass_rate

ROUNDING: Final = 1e-9
"""Tolerance for floating point: a value at its limit is within it."""

NONE_YET: Final = "none"
"""Given in the place of a baseline's file if there is no earlier session yet."""

MOST_PAIRED: Final = 100
"""Missing tests, and new tests, of which each is compared with each to find renamed ones."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One workflow in the session and in the baseline. The names of the fields are those of ``report.json``.

    Attributes:
        name: the workflow's.
        now: pass rate in the session.
        then: pass rate in the baseline.
        p95_now: seconds in the session; None without a live run.
        p95_then: seconds in the baseline; None without a live run.
        runs_now: live runs in the session.
        runs_then: live runs in the baseline.
    """

    name: str
    now: PassRate
    then: PassRate
    p95_now: float | None = None
    p95_then: float | None = None
    runs_now: int = 0
    runs_then: int = 0

    @property
    def drop(self) -> float:
        """How much lower the pass rate is than the baseline's, from -1 to 1; 0 if one of them has no verdict."""
        return self.then.share - self.now.share if self.now.judged and self.then.judged else 0.0

    @property
    def drop_text(self) -> str:
        """The change of the pass rate in points."""
        return f"{-100 * self.drop:+.3g} points" if abs(self.drop) > 0.0005 else "as before"

    @property
    def growth(self) -> float:
        """How much higher the p95 is than the baseline's, as a share of it."""
        return self.p95_now / self.p95_then - 1 if self.p95_now and self.p95_then else 0.0

    @property
    def growth_text(self) -> str:
        """The growth in per cent; empty if one of both has no p95."""
        return f"{100 * self.growth:+.3g}%" if self.p95_now and self.p95_then else ""

    @property
    def rates(self) -> str:
        """Both pass rates in words."""
        return f"{self.now}, baseline {self.then}"

    @property
    def p95s(self) -> str:
        """Both p95 in words."""
        growth = f" ({self.growth_text})" if self.growth_text else ""
        return f"{seconds_text(self.p95_now)}, baseline {seconds_text(self.p95_then)}{growth}"

    def why_drop_not_judged(self, limit: float) -> str:
        """Why a limit cannot be applied to the drop; empty if it can.

        If one test alone is more than the limit allows, there are too few tests for the limit.
        """
        fewest = min(self.now.judged, self.then.judged)
        if not fewest:
            return "too few to say: no test with a verdict to compare"
        needed = math.ceil(1 / limit - ROUNDING) if limit > 0 else 1
        if fewest >= needed or self.drop <= limit + ROUNDING:
            return ""
        return f"too few to say: {count(fewest, 'test')}, and it takes {needed} to tell {100 * limit:g} points"

    @property
    def why_growth_not_judged(self) -> str:
        """Why a limit cannot be applied to the growth; empty if it can."""
        fewest = min(self.runs_now, self.runs_then)
        if fewest >= FEWEST_FOR_P95:
            return ""
        return f"too few to say: {count(fewest, 'live run')}, and a p95 takes {FEWEST_FOR_P95}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A session beside its baseline.

    Attributes:
        name: the name of the baseline.
        newly_failing: tests that passed in the baseline and fail now.
        still_failing: tests that failed in the baseline, too.
        newly_fixed: tests that failed in the baseline and pass now.
        new: tests without a verdict in the baseline.
        workflows: the workflows that both have.
        missing: tests of the baseline that the session has not; a test that was collected is not missing.
        renamed: pairs of a missing test and the new test that may be the same.
        missing_workflows: workflows of the baseline that the session did not run, and that no idle test may run.
        outside: tests of the baseline that ``[gate]`` is not about, as it is now.
    """

    name: str
    newly_failing: tuple[str, ...]
    still_failing: tuple[str, ...]
    newly_fixed: tuple[str, ...]
    new: tuple[str, ...]
    workflows: tuple[Beside, ...]
    missing: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    missing_workflows: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    @property
    def lists(self) -> dict[str, Sequence[str]]:
        """The lists of tests and workflows by their headings; the first three are of interest even if empty."""
        return {
            "newly failing": self.newly_failing,
            "failing before, too": self.still_failing,
            "newly fixed": self.newly_fixed,
            "missing": self.missing_in_words,
            "workflows missing": self.missing_workflows,
            "not in it": self.new,
        }

    @property
    def missing_in_words(self) -> list[str]:
        """Each missing test, beside the new test that may be the same."""
        new = dict(self.renamed)
        return [f"{test} -> {new[test]}?" if test in new else test for test in self.missing]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return asdict(self)


def compare(after: Model, before: Model, name: str) -> Comparison:
    """Compares a session with an earlier one.

    Args:
        after: the session.
        before: the baseline.
        name: the name of the baseline.
    """
    earlier = {test.id: test for test in before.counted if test.outcome in JUDGED}
    judged = [test for test in after.counted if test.outcome in JUDGED]
    changes: dict[str, list[str]] = defaultdict(list)
    for test in judged:
        changes[_change(test, earlier.get(test.id))].append(test.id)
    missing, outside = _missing(after, before)
    known = {*_in_gate(before), *before.collected}
    new = [test for test in _in_gate(after) if test not in known]
    both = sorted(after.workflows.keys() & before.workflows.keys())
    return Comparison(
        name=name,
        **{change: tuple(changes[change]) for change in ("newly_failing", "still_failing", "newly_fixed", "new")},
        workflows=tuple(_beside(after.workflows[one], before.workflows[one]) for one in both),
        missing=tuple(missing),
        renamed=tuple(renamed(missing, new)),
        missing_workflows=tuple(_missing_workflows(after, before, outside)),
        outside=tuple(outside),
    )


def _change(test: Test, earlier: Test | None) -> str:
    """The field of `Comparison` that a judged test belongs to; empty if it passed before, too."""
    is_good = test.outcome in GOOD
    if earlier is None:
        return "new"
    if earlier.outcome in GOOD:
        return "" if is_good else "newly_failing"
    return "newly_fixed" if is_good else "still_failing"


def _beside(after: Workflow, before: Workflow) -> Beside:
    rates = pass_rate(after.tests), pass_rate(before.tests)
    return Beside(after.name, *rates, after.p95, before.p95, len(after.seconds), len(before.seconds))


def _missing(after: Model, before: Model) -> tuple[list[str], list[str]]:
    """Tests that the baseline has and the session has not, and tests that the gate is not about any more.

    A test that the gate is not about any more is missing if the baseline's own ``[gate]`` had ``paths``, or ``select``,
    and was about the test: ``wisebot.toml`` was changed since.
    """
    missing: list[str] = []
    outside: list[str] = []
    there = {*_in_gate(after)}
    for test in (test for test in _in_gate(before) if test not in there):
        if not _is_in_paths(test, after):
            (missing if _paths(before) else outside).append(test)
        elif test in after.deselected_by_gate:
            (missing if before.gate.select is not None else outside).append(test)
        else:
            missing.append(test)
    return missing, outside


def _in_gate(model: Model) -> list[str]:
    """The tests that were collected, or have ended, and that the model's own gate is about, in order."""
    collected = [test for one in model.sessions for test in (*(one.selected or ()), *one.deselected)]
    every = dict.fromkeys([*collected, *(test.id for test in model.tests)])
    return [test for test in every if test not in model.deselected_by_gate and _is_in_paths(test, model)]


def _is_in_paths(test: str, model: Model) -> bool:
    paths = _paths(model)
    return not paths or is_under(file_of(test), paths)


def _paths(model: Model) -> list[str]:
    """The folders and files of ``[gate] paths``; empty without."""
    return list(dict.fromkeys(path for one in model.extents if one.by == "paths" for path in one.paths))


def _missing_workflows(after: Model, before: Model, outside: Sequence[str]) -> Iterator[str]:
    """Workflows without a run, unless a test that used one is there and used no run, such as a skipped one."""
    idle = {test.id for test in after.tests if not test.runs or test.outcome in (SKIPPED, XFAILED)}
    idle |= {*after.unreported} | {test for one in after.sessions for test in one.deselected}
    for name, workflow in before.workflows.items():
        tests = {test.id for test in workflow.tests}
        is_about_others = bool(tests) and tests <= {*outside}
        if name not in after.workflows and not is_about_others and idle.isdisjoint(tests):
            yield name


def renamed(missing: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a missing test and a new one, the most similar first; each test is in one pair."""
    pairs = [(_similarity(one, other), one, other) for one in missing[:MOST_PAIRED] for other in new[:MOST_PAIRED]]
    taken: set[str] = set()
    for similarity, one, other in sorted(pairs, key=lambda pair: -pair[0]):
        if similarity and taken.isdisjoint((one, other)):
            taken |= {one, other}
            yield one, other


def _similarity(one: str, other: str) -> float:
    """How similar two names in one file are; of two files, whether the names are the same."""
    (file, _, name), (other_file, _, other_name) = one.partition("::"), other.partition("::")
    if file == other_file:
        return difflib.SequenceMatcher(None, name, other_name).ratio()
    return 1.0 if name == other_name else 0.0
