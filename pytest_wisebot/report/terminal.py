"""The verdict as a block of lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .baseline import Comparison
from .conclusion import Conclusion
from .format import named
from .verdict import GateRule, GateStatus

COLOURS: Final = {
    GateStatus.OPEN: "green",
    GateStatus.CLOSED: "red",
    GateStatus.NO_VERDICT: "yellow",
    GateStatus.NOT_GATED: "cyan",
}


def block(conclusion: Conclusion) -> list[str]:
    """The lines below the verdict itself: the session in one, then a table of the rules, and what is new."""
    return [conclusion.headline, *_table(conclusion.verdict.rows), *beside(conclusion.comparison)]


def _table(rows: tuple[GateRule, ...]) -> Iterator[str]:
    cells = [(str(row.state), row.title, f"wanted {row.wanted}", f"measured {row.measured}") for row in rows]
    widths = [max(map(len, column)) for column in list(zip(*cells, strict=True))[:3]]
    for state, title, wanted, measured in cells:
        yield f"  {state:<{widths[0]}}  {title:<{widths[1]}}  {wanted:<{widths[2]}}  {measured}"


def beside(comparison: Comparison | None) -> Iterator[str]:
    """What is new since the baseline; nothing without one."""
    if comparison is None:
        return
    yield f"beside {comparison.name}:"
    groups = {
        "newly failing": comparison.newly_failing,
        "failing before, too": comparison.still_failing,
        "newly fixed": comparison.newly_fixed,
        "missing": comparison.missing_in_words,
        "workflows missing": comparison.missing_workflows,
        "not in it": comparison.new,
    }
    for what, tests in groups.items():
        if tests:
            yield f"  {what}: {len(tests)} ({named(tests)})"
    if not comparison.newly_failing:
        yield "  newly failing: none"
    for one in comparison.workflows:
        yield f"  {one.name}: pass rate {one.rates}; p95 {one.p95s}"
