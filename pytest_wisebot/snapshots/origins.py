"""Where in the answer of a run a compared value stands, and what of it the project calls volatile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..redaction.jsonpath import Path, Pattern
from ..runs import WorkflowRun
from .rules import replaced_at, value_at
from .text_normaliser import VOLATILE


@dataclass(frozen=True, slots=True)
class Origin:
    """A run that a compared value, or a part of it, comes from.

    Attributes:
        at: the place of that part in the compared value.
        run: the run.
        within: the place of that part in what a snapshot holds of the run: ``()`` for the whole of it.
    """

    at: Path
    run: WorkflowRun
    within: Path


def origins_of(value: object, runs: Callable[[], Iterable[WorkflowRun]]) -> list[Origin]:
    """The runs that a compared value comes from.

    Args:
        value: what a test compares: a run, a list with runs, a result, or a part of one.
        runs: the runs of the test, asked for where the value is not a run itself.
    """
    if isinstance(value, WorkflowRun):
        return [Origin((), value, ())]
    if isinstance(value, list | tuple) and any(isinstance(item, WorkflowRun) for item in value):
        return [Origin((at,), item, ()) for at, item in enumerate(value) if isinstance(item, WorkflowRun)]
    for run in () if _is_everywhere(value) else runs():
        places = _places(run.result, value)
        if (place := next(places, None)) is not None and next(places, None) is None:
            return [Origin((), run, ("result", *place))]
    return []


def _is_everywhere(value: object) -> bool:
    """Whether Python has one object for all values that equal it."""
    return value is None or isinstance(value, bool) or (isinstance(value, int) and -5 <= value <= 256) or value == ""


def _places(whole: object, part: object) -> Iterator[Path]:
    """Where the very object stands, by identity."""
    waiting: list[tuple[Path, object]] = [((), whole)]
    while waiting:
        path, item = waiting.pop()
        if item is part:
            yield path
        elif isinstance(item, Mapping):
            waiting += [((*path, key), child) for key, child in item.items()]
        elif isinstance(item, list | tuple):
            waiting += [((*path, at), child) for at, child in enumerate(item)]


def without_volatile(
    data: Any, patterns: Iterable[Pattern], origins: Iterable[Origin], untouched: Collection[Path] = ()
) -> Any:
    """A copy with `VOLATILE` in the place of what the project calls volatile. Null stays, and what is not there.

    Args:
        data: what is compared, as plain JSON.
        patterns: paths into it, or into the answer of the run that it comes from.
        origins: where it comes from.
        untouched: places that stay, and all around them, such as those of broken rules.
    """
    found: dict[Path, Any] = {}
    for path in sorted(_meant(data, list(patterns), list(origins)), key=len):
        is_inside = any(path[:size] in found for size in range(len(path)))
        if not is_inside and not any(other[: len(path)] == path for other in untouched):
            found |= {path: VOLATILE} if value_at(data, path) is not None else {}
    return replaced_at(data, found) if found else data


def _meant(data: Any, patterns: list[Pattern], origins: list[Origin]) -> set[Path]:
    meant = {path for pattern in patterns for path in pattern.found_in(data)}
    for origin in origins:
        try:
            part = value_at(data, origin.at)
        except (LookupError, TypeError):  # an exclusion has taken it out
            continue
        below = [inner for pattern in patterns for inner in pattern.below(origin.within)]
        meant |= {(*origin.at, *path) for pattern in below for path in pattern.found_in(part)}
    if not origins:  # such as the fields of a model that a result was read into
        below = [inner for pattern in patterns for inner in pattern.below(("result",)) if inner.steps]
        meant |= {path for pattern in below for path in pattern.found_in(data)}
    return meant
