"""What kept runs of equal inputs show of a value that differs from its snapshot, or that is recorded as a new one.

A remark is an addition: whatever goes wrong with it, the comparison stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..redaction.jsonpath import Path, Pattern
from ..runs import WorkflowRun
from ..text import LONGEST_PATH, count, show_path, truncate_middle
from .json_codec import loads
from .learning import MISSING, Course, at, course_of, courses, path_text, patterns, toml_lines
from .serialize import ComparisonContext, ComparisonOptions, Origin, SerializedValue, address_of, origins_of, receive

MOST_REMARKS: Final = 10
"""Paths of one comparison that are remarked on."""

MOST_RUNS: Final = 5
"""Runs of one compared list whose history is read."""

_VERDICTS: Final = (("ok",), ("status",))
"""Places of a run that are never volatile."""

Steps = tuple[str | int | None, ...]


@dataclass(frozen=True)
class KeptHistory:
    """What remarks are made of.

    Attributes:
        past: the kept runs of a run's workflow and inputs, the newest first; bounded.
        place: of a workflow, the names of its table in the settings' file, and the volatile paths that it has; None
            where there is no such table.
    """

    past: Callable[[WorkflowRun], Iterable[WorkflowRun]]
    place: Callable[[str], tuple[Sequence[str], Sequence[str] | None]]


@dataclass(frozen=True)
class Compared:
    """A comparison.

    Attributes:
        value: what the test compares.
        received: its text.
        asked: what the test says of the comparison.
        around: what the comparison takes from the session.
    """

    value: object
    received: SerializedValue
    asked: ComparisonOptions
    around: ComparisonContext


def of_a_difference(compared: Compared, expected: str, kept: KeptHistory) -> list[str]:
    """Lines on each path that differs from the snapshot; none where there is nothing to say.

    Args:
        compared: the comparison.
        expected: the text of the snapshot.
        kept: earlier runs.
    """
    return _lines(compared, kept, lambda place, part, history: _changed(at(loads(expected), place), part, history))


def of_a_recording(compared: Compared, kept: KeptHistory) -> list[str]:
    """Lines on each path that is known to differ from run to run, of a value that was just recorded."""
    return _lines(compared, kept, lambda _, part, history: _volatile([*history, part]))


def _changed(was: Any, part: Any, history: Sequence[Any]) -> dict[Path, Course]:
    return {path: course_of([at(value, path) for value in (*history, part)]) for path in courses([was, part])}


def _volatile(values: Sequence[Any]) -> dict[Path, Course]:
    return {path: course for path, course in courses(values).items() if course.is_volatile}


def _lines(
    compared: Compared, kept: KeptHistory, find: Callable[[Path, Any, Sequence[Any]], dict[Path, Course]]
) -> list[str]:
    """The remarks, and below them the lines of the settings' file for what is volatile, by workflow."""
    remarks: dict[str, None] = {}
    volatile: dict[str, dict[str, str]] = {}
    ruled = _ruled(compared)
    for origin in origins_of(compared.value, compared.around.runs)[:MOST_RUNS]:
        history = _history(origin, compared, kept)
        part = at(loads(compared.received.accepted or compared.received), origin.at) if history else MISSING
        if part is MISSING:  # or an exclusion has taken it out
            continue
        found = find(origin.at, part, history)
        for steps, course in _general(origin, found, part, ruled):
            remarks[f"{truncate_middle(show_path((*origin.at, *steps)), LONGEST_PATH)} {course}"] = None
            if course.is_volatile and not course.comes_and_goes and not compared.asked.shape:
                volatile.setdefault(origin.run.workflow, {})[path_text((*origin.within, *steps))] = ""
    shown = list(remarks)[:MOST_REMARKS]
    if rest := len(remarks) - len(shown):
        shown.append(f"and {count(rest, 'more path')}: pytest-wisebot learn lists what is volatile")
    for workflow, paths in volatile.items():
        place, present = kept.place(workflow)
        shown.append(f"what is volatile, for {'pyproject.toml' if place[0] == 'tool' else 'wisebot.toml'}:")
        shown += [f"  {line}" for line in toml_lines(place, paths, present)]
    return shown


def _ruled(compared: Compared) -> set[Path]:
    """The places of the compared value that a rule judges: how they differ is stated already."""
    data = loads(compared.received) if compared.asked.rules else None
    patterns_of_rules = (Pattern.parse(address_of(path, data, compared.value)) for path in compared.asked.rules)
    return {*compared.received.broken, *(path for pattern in patterns_of_rules for path in pattern.found_in(data))}


def _general(
    origin: Origin, found: dict[Path, Course], part: Any, ruled: Collection[Path]
) -> Iterator[tuple[Steps, Course]]:
    """The places that are remarked on, volatile ones with one path for all elements of a list."""
    told = {
        path: course
        for path, course in found.items()
        if (*origin.within, *path) not in _VERDICTS and not any((*origin.at, *path)[: len(one)] == one for one in ruled)
    }
    volatile = [path for path, course in told.items() if course.is_volatile]
    for steps, paths in patterns(volatile, part).items():
        yield steps, max((told[path] for path in paths), key=lambda course: course.changes)
    yield from ((path, course) for path, course in told.items() if not course.is_volatile)


def _history(origin: Origin, compared: Compared, kept: KeptHistory) -> list[Any]:
    """This part of earlier runs, as it would be compared, the oldest first."""
    asked = ComparisonOptions(exclude=() if origin.at else compared.asked.exclude, shape=compared.asked.shape)
    values: list[Any] = []
    for run in kept.past(origin.run):
        if run.ok != origin.run.ok or _reference(run) == _reference(origin.run):
            continue
        value: Any = run if not origin.within else at({"result": run.result}, origin.within)
        if value is MISSING:
            continue
        try:
            values.append(loads(receive(value, asked, replace(compared.around, runs=(run,).__iter__))))
        except ValueError:  # an exclusion finds nothing
            continue
    return values[::-1]


def _reference(run: WorkflowRun) -> tuple[object, ...]:
    """Equal for a run and for itself as it is kept, where its time is in milliseconds."""
    return run.api, run.run_id, run.started_at.isoformat(timespec="milliseconds")
