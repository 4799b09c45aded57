"""The verdict as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .baseline import Comparison
from .format import named
from .gate import Conclusion
from .verdict import GateRule, GateStatus

COLOURS: Final = {
    GateStatus.OPEN: "green",
    GateStatus.CLOSED: "red",
    GateStatus.NO_VERDICT: "yellow",
    GateStatus.NOT_GATED: "cyan",
}


def block(conclusion: Conclusion) -> list[str]:
    """The lines below the verdict: the session, a table of the rules, and the changes since the baseline."""
    return [conclusion.headline, *_table(conclusion.verdict.rows), *beside(conclusion.comparison)]


def _table(rows: tuple[GateRule, ...]) -> Iterator[str]:
    cells = [(str(row.state), row.title, f"wanted {row.wanted}", f"measured {row.measured}") for row in rows]
    widths = [max(map(len, column)) for column in list(zip(*cells, strict=True))[:3]]
    for state, title, wanted, measured in cells:
        yield f"  {state:<{widths[0]}}  {title:<{widths[1]}}  {wanted:<{widths[2]}}  {measured}"


def beside(comparison: Comparison | None) -> Iterator[str]:
    """The changes since the baseline; no line without one."""
    if comparison is None:
        return
    yield f"beside {comparison.name}:"
    yield from (f"  {what}: {len(tests)} ({named(tests)})" for what, tests in comparison.lists.items() if tests)
    if not comparison.newly_failing:
        yield "  newly failing: none"
    yield from (f"  {one.name}: pass rate {one.rates}; p95 {one.p95s}" for one in comparison.workflows)
