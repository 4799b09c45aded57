"""What a baseline has and a session has not: tests and workflows; and which new tests may be old ones renamed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..outcomes import SKIPPED, XFAILED
from .model import Model
from .paths import file_of, is_under

MOST_PAIRED: Final = 100
"""Missing tests, and new ones, that are held against each other: each against each."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What is gone; see `baseline.Comparison`."""

    tests: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    workflows: tuple[str, ...]
    outside: tuple[str, ...]


def missing(now: Model, then: Model) -> Missing:
    """What the baseline has and the session has not.

    Compared are the tests that the gate is about. A test that it is not about any more is missing where the baseline's
    own ``[gate]`` had ``paths``, or ``select``, and was about the test: then ``wisebot.toml`` was changed since.
    """
    there, before = _in_gate(now), _in_gate(then)
    by_gate = {test for one in now.sessions for test in one.deselected_by_gate}
    gone: list[str] = []
    outside: list[str] = []
    for test in (test for test in before if test not in there):
        if not _is_in_paths(test, now):
            (gone if _paths(then) else outside).append(test)
        elif test in by_gate:
            (gone if then.gate.select is not None else outside).append(test)
        else:
            gone.append(test)
    known = {*before, *then.collected}
    new = [test for test in there if test not in known]
    return Missing(tuple(gone), tuple(_renamed(gone, new)), tuple(_workflows(now, then, outside)), tuple(outside))


def _in_gate(model: Model) -> list[str]:
    """The tests that were collected, or have ended, and that the model's own gate is about, in order."""
    by_gate = {test for one in model.sessions for test in one.deselected_by_gate}
    collected = [test for one in model.sessions for test in (*(one.selected or ()), *one.deselected)]
    every = dict.fromkeys([*collected, *(test.id for test in model.tests)])
    return [test for test in every if test not in by_gate and _is_in_paths(test, model)]


def _is_in_paths(test: str, model: Model) -> bool:
    paths = _paths(model)
    return not paths or is_under(file_of(test), paths)


def _paths(model: Model) -> list[str]:
    """What ``[gate] paths`` led to; empty without."""
    extents = [one.extent for one in model.begun if one.extent is not None and one.extent.by == "paths"]
    return list(dict.fromkeys(path for one in extents for path in one.paths))


def _workflows(now: Model, then: Model, outside: Sequence[str]) -> Iterator[str]:
    """Those without a run, unless a test that ran one is there and has run nothing, as when it was skipped."""
    idle = {test.id for test in now.tests if not test.runs or test.outcome in (SKIPPED, XFAILED)} | {*now.unreported}
    idle |= {test for one in now.sessions for test in one.deselected}
    for name, workflow in then.workflows.items():
        tests = {test.id for test in workflow.tests}
        is_about_others = bool(tests) and tests <= {*outside}
        if name not in now.workflows and not is_about_others and idle.isdisjoint(tests):
            yield name


def _renamed(gone: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of one that is gone and a new one, the most alike first; each is in one pair."""
    alike = [(_likeness(one, other), one, other) for one in gone[:MOST_PAIRED] for other in new[:MOST_PAIRED]]
    taken: set[str] = set()
    for likeness, one, other in sorted(alike, key=lambda pair: -pair[0]):
        if likeness and taken.isdisjoint((one, other)):
            taken |= {one, other}
            yield one, other


def _likeness(one: str, other: str) -> float:
    """How much a name is like another one of the same file, or whether it is the same name in another file."""
    (file, _, name), (other_file, _, other_name) = one.partition("::"), other.partition("::")
    if file == other_file:
        return difflib.SequenceMatcher(None, name, other_name).ratio()
    return 1.0 if name == other_name else 0.0
