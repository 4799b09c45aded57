"""A session beside an earlier one: what fails that did not, what is fixed, and how rates and latencies moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from ..outcomes import DRIFT, FAILED, GOOD, JUDGED
from ..text import count
from .format import percent, seconds_text
from .missing import missing
from .model import Model, Test, Workflow, pass_rate

ROUNDING: Final = 1e-9
"""By how much floating point may be off: what is just enough is enough."""

NONE_YET: Final = "none"
"""What is given in the place of a baseline's file where there is no earlier session yet."""

FEWEST_FOR_P95: Final = 20
"""Live runs from which on a p95 is anything else than the slowest one."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One workflow now and then.

    Attributes:
        name: the workflow's.
        now: tests that passed, and those with a verdict; ``then`` likewise.
        p95_now: seconds; None without a live run; ``p95_then`` likewise.
        runs_now: live runs; ``runs_then`` likewise.
    """

    name: str
    now: tuple[int, int]
    then: tuple[int, int]
    p95_now: float | None
    p95_then: float | None
    runs_now: int
    runs_then: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """One of the workflows in `Comparison.to_dict`."""
        return cls(**{item.name: _tuples(data[item.name]) for item in fields(cls)})

    @property
    def drop(self) -> float:
        """By how much the pass rate is below the baseline's, from -1 to 1; 0 where one of them has none."""
        return _rate(self.then) - _rate(self.now) if self.now[1] and self.then[1] else 0.0

    def doubt_of_drop(self, limit: float) -> str:
        """Why nothing can be said of a drop; empty where it can.

        Where one test alone is more than the limit allows, the rate of so few tests cannot be held to it.
        """
        fewest = min(self.now[1], self.then[1])
        if not fewest:
            return "too few to say: no test with a verdict to compare"
        wanted = math.ceil(1 / limit - ROUNDING) if limit > 0 else 1
        if fewest >= wanted or self.drop <= limit + ROUNDING:
            return ""
        return f"too few to say: {count(fewest, 'test')}, and it takes {wanted} to tell {100 * limit:g} points"

    @property
    def growth(self) -> float:
        """By what share the p95 is above the baseline's."""
        return self.p95_now / self.p95_then - 1 if self.p95_now and self.p95_then else 0.0

    @property
    def doubt_of_growth(self) -> str:
        """Why nothing can be said of the p95; empty where it can."""
        fewest = min(self.runs_now, self.runs_then)
        if fewest >= FEWEST_FOR_P95:
            return ""
        return f"too few to say: {count(fewest, 'live run')}, and a p95 takes {FEWEST_FOR_P95}"

    @property
    def rates(self) -> str:
        """Both pass rates in words."""
        return f"{_in_words(self.now)}, baseline {_in_words(self.then)}"

    @property
    def p95s(self) -> str:
        """Both p95 in words."""
        now, then = (seconds_text(one) if one is not None else "none" for one in (self.p95_now, self.p95_then))
        grown = f" ({100 * self.growth:+.3g}%)" if self.p95_now and self.p95_then else ""
        return f"{now}, baseline {then}{grown}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A session beside its baseline.

    Attributes:
        name: what the baseline is called.
        newly_failing: tests that passed then and fail now.
        still_failing: tests that failed then, too.
        newly_fixed: tests that failed then and pass now.
        new: tests that the baseline did not judge.
        workflows: those that both have.
        missing: tests that the baseline has and the session has not; one that was collected is not missing.
        renamed: of these the ones that may be there by another name, each with that name.
        missing_workflows: workflows that the baseline ran, and no test of the session's that was to.
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
    def missing_in_words(self) -> list[str]:
        """Each missing test, and beside it the new one that may be the same."""
        new = dict(self.renamed)
        return [f"{test} -> {new[test]}?" if test in new else test for test in self.missing]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` gave, by this version or another one."""
        known = {item.name: _tuples(data[item.name]) for item in fields(cls) if item.name in data}
        known["workflows"] = tuple(Beside.from_dict(one) for one in data.get("workflows", ()))
        return cls(**known)


def compare(now: Model, then: Model, name: str) -> Comparison:
    """How a session compares with an earlier one.

    Args:
        now: the session.
        then: the baseline.
        name: what to call it.
    """
    before = {test.id: test for test in then.counted if test.outcome in JUDGED}
    judged = [test for test in now.counted if test.outcome in JUDGED]
    failing = [test for test in judged if test.outcome in (FAILED, DRIFT)]
    both = sorted(now.workflows.keys() & then.workflows.keys())
    gone = missing(now, then)
    return Comparison(
        name=name,
        newly_failing=tuple(test.id for test in failing if _was_good(test, before)),
        still_failing=tuple(test.id for test in failing if test.id in before and not _was_good(test, before)),
        newly_fixed=tuple(
            test.id for test in judged if test.outcome in GOOD and test.id in before and not _was_good(test, before)
        ),
        new=tuple(test.id for test in judged if test.id not in before),
        workflows=tuple(_beside(now.workflows[one], then.workflows[one]) for one in both),
        missing=gone.tests,
        renamed=gone.renamed,
        missing_workflows=gone.workflows,
        outside=gone.outside,
    )


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _was_good(test: Test, before: Mapping[str, Test]) -> bool:
    return test.id in before and before[test.id].outcome in GOOD


def _beside(now: Workflow, then: Workflow) -> Beside:
    return Beside(
        now.name, pass_rate(now.tests), pass_rate(then.tests), now.p95, then.p95, len(now.seconds), len(then.seconds)
    )


def _rate(passed_of: tuple[int, int]) -> float:
    passed, judged = passed_of
    return passed / judged


def _in_words(passed_of: tuple[int, int]) -> str:
    passed, judged = passed_of
    return f"{percent(passed / judged)} ({passed} of {judged})" if judged else "none"
