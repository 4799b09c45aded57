"""Two sessions beside each other, as lines for a terminal: what changed first, and no more of it than people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..text import count, escape, truncate
from .changes import FAILING, GONE, LEVEL_NOTE, LOST, NEWLY_FAILING, Changes, Side, TestChange
from .format import time_of_day

MOST_TESTS: Final = 20
"""Tests of one list."""

MOST_LINES: Final = 12
"""Lines of one result."""

_COLOURS: Final = {NEWLY_FAILING: "red", FAILING: "red", "still failing": "red", LOST: "yellow", "fixed": "green"}


class Line(NamedTuple):
    """A line, and its colour; empty for none."""

    text: str
    colour: str = ""


def terminal_lines(changes: Changes, width: int) -> Iterator[Line]:
    """The lines.

    Args:
        changes: what they are about.
        width: columns of the terminal, which a line may exceed only where it has a test's id.
    """
    yield from (Line(line) for side in (changes.a, changes.b) for line in _side(side))
    yield from (Line(f"! {escape(remark)}", "yellow") for remark in changes.remarks)
    for kind, tests in changes.lists.items():
        if tests or kind == NEWLY_FAILING:
            yield Line("")
            number = count(len(tests), "test") if tests else "none"
            yield Line(f"{kind}: {number}", _COLOURS.get(kind, "") if tests else "")
            yield from (Line(line) for line in _tests(kind, tests, width))
    yield Line("")
    unchanged = sum(not one.kind for one in changes.tests)
    yield Line(f"unchanged: {count(unchanged, 'test')}")
    yield Line(f"results: {len(changes.differing)} of {count(changes.compared, 'test')} with runs in both differ")
    yield from (Line(line) for line in _results(changes, width))
    yield from (Line(line) for line in _workflows(changes))
    for reason in changes.regressions:
        yield Line(f"regression: {escape(reason)}", "red")


def _side(side: Side) -> Iterator[str]:
    when = f", {time_of_day(side.started)}" if side.started is not None else ""
    yield f"{side.letter}  {escape(side.name)}: {escape(side.target)}{when}"
    yield f"   {escape(side.counts)}"


def _tests(kind: str, tests: tuple[TestChange, ...], width: int) -> Iterator[str]:
    for one in tests[:MOST_TESTS]:
        yield f"  {escape(one.id)}"
        if kind == GONE and one.maybe:
            yield f"    now {escape(one.maybe)}?"
        elif kind != GONE:
            why = f": {one.why}" if one.why else ""
            yield truncate(escape(f"    {one.words}{why}"), width)
    yield from _more(len(tests) - MOST_TESTS, "test")


def _results(changes: Changes, width: int) -> Iterator[str]:
    for one in changes.differing[:MOST_TESTS]:
        yield f"  {escape(one.id)}"
        for name, lines in one.results[:MOST_LINES]:
            yield truncate(escape(f"    {name}"), width)
            yield from (truncate(escape(f"      {line}"), width) for line in lines[:MOST_LINES])
            yield from _more(len(lines) - MOST_LINES, "line", "      ")
        yield from _more(len(one.results) - MOST_LINES, "run", "    ")
    yield from _more(len(changes.differing) - MOST_TESTS, "test")


def _more(number: int, noun: str, indent: str = "  ") -> Iterator[str]:
    if number > 0:
        yield f"{indent}and {count(number, f'more {noun}')}: --markdown or --html shows them"


def _workflows(changes: Changes) -> Iterator[str]:
    for workflow in changes.workflows:
        yield ""
        yield escape(workflow.name)
        for one in workflow.measures:
            yield f"  {one.name:9}  A  {one.before}"
            yield f"  {'':9}  B  {one.after}: {one.chance}"
    if changes.workflows:
        yield ""
        yield LEVEL_NOTE
