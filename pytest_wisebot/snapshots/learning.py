"""Which parts of results differ from run to run, as runs of equal inputs show it.

What differs is learned and not guessed. Nothing is masked by learning alone: a person pastes the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, product
from typing import Any, Final

from ..redaction.jsonpath import Path, Pattern, Wild
from ..text import count, show_path, toml_key, toml_string
from .json_codec import MAX_DEPTH, dumps
from .text_normaliser import VOLATILE

FEWEST: Final = 3
"""Runs of equal inputs from which something is learned for all later runs."""

_MOST_INDICES: Final = 3
"""Indices of one path that are generalised one by one."""

MISSING: Final = object()
"""In the place of a key that an object lacks in one of the runs."""


@dataclass(frozen=True, slots=True)
class Course:
    """How the value of one place was in a row of runs.

    Attributes:
        runs: how many runs there were.
        changes: in how many of them the value differed from that of the run before.
        values: how many different values there were.
        absent: in how many runs the value was missing or null.
        steady: in how many runs in a row the value was the same, up to the last run or to the one before it.
    """

    runs: int
    changes: int
    values: int = 1
    absent: int = 0
    steady: int = 1

    @property
    def is_volatile(self) -> bool:
        """Whether the value changes again and again: it comes back, or it changes often.

        One that changed and stayed is a change of the workflow. Two runs that differ may be either.
        """
        if self.changes < 2:
            return self.changes == 1 and self.runs == 2
        return self.changes >= self.values or self.changes > 2 or 2 * self.changes >= self.runs - 1

    @property
    def comes_and_goes(self) -> bool:
        """Whether the value is missing or null in some runs alone, which no placeholder hides."""
        return 0 < self.absent < self.runs

    def __str__(self) -> str:
        """What is remarked of a path that differs from its snapshot."""
        of = f"{self.runs} runs of these inputs"
        if self.is_volatile and self.comes_and_goes:
            return f"was missing or null in {self.absent} of the last {of}, which volatile does not hide"
        if self.is_volatile:
            return f"differed in {self.changes} of the last {of}: volatile?"
        if self.steady > 1:
            return f"has been the same in the last {self.steady} runs of these inputs: a real change"
        return f"differed in {self.changes} of the last {of}"


def course_of(values: Sequence[Any]) -> Course:
    """How a value was in these runs, in their order; `at` gives what stands for a missing one."""
    texts = [_text(value) for value in values]
    rows = [len(list(same)) for _, same in groupby(texts)] or [0]
    steady = rows[-2] if rows[-1] == 1 and rows[1:] else rows[-1]
    changes = sum(before != after for before, after in pairwise(texts))
    return Course(len(texts), changes, len(set(texts)), sum(text in ("", "null") for text in texts), steady)


def at(value: Any, path: Path) -> Any:
    """The value at a path; if absent, a sentinel that equals no JSON value."""
    for step in path:
        is_there = step in value if isinstance(value, Mapping) else isinstance(value, list) and _has(value, step)
        if not is_there:
            return MISSING
        value = value[step]
    return value


def _has(items: list[Any], step: str | int) -> bool:
    return isinstance(step, int) and step < len(items)


def courses(values: Sequence[Any]) -> dict[Path, Course]:
    """The places whose values are not the same in all runs.

    A list of another length is one place, and so is a key that an object lacks in some runs, and an object of which no
    key is the same in all of them.

    Args:
        values: normalised results of runs of equal inputs, the oldest first.
    """
    return {path: course_of(found) for path, found in _differing((), values, 0)}


def _differing(path: Path, values: Sequence[Any], depth: int) -> Iterator[tuple[Path, Sequence[Any]]]:
    if depth < MAX_DEPTH and _are_objects_of_one_kind(values):
        for key in dict.fromkeys(key for value in values for key in value):
            yield from _differing((*path, key), [value.get(key, MISSING) for value in values], depth + 1)
    elif depth < MAX_DEPTH and _are_lists_of_one_length(values):
        for index in range(len(values[0])):
            yield from _differing((*path, index), [value[index] for value in values], depth + 1)
    elif len(set(map(_text, values))) > 1:
        yield path, values


def _are_objects_of_one_kind(values: Sequence[Any]) -> bool:
    """Whether these are objects that have a key in common, unlike those whose keys are ids."""
    if not values or not all(isinstance(value, Mapping) for value in values):
        return False
    return bool(set(values[0]).intersection(*values[1:])) or not any(values)


def _are_lists_of_one_length(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, list) and len(value) == len(values[0]) for value in values)


def _text(value: Any) -> str:
    return "" if value is MISSING else dumps(value).strip()


def without_places(value: Any, paths: Iterable[Path]) -> Any:
    """A copy with `VOLATILE` at these places, where an object may lack the key: one place equals any other one.

    Args:
        value: plain JSON.
        paths: places, as `courses` finds them.
    """
    meant = [path for path in paths if path]
    found: dict[Path, Any] = {}
    for path in sorted(meant, key=len):
        around, last = at(value, path[:-1]), path[-1]
        is_there = isinstance(around, Mapping) or (isinstance(around, list) and _has(around, last))
        if is_there and not any(path[:size] in found for size in range(len(path))):
            found[path] = VOLATILE
    return _with(value, found)


def _with(value: Any, new: Mapping[Path, Any]) -> Any:
    if () in new:
        return new[()]
    copied: Any = dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, list) else value
    for step in dict.fromkeys(path[0] for path in new):
        inner = {path[1:]: item for path, item in new.items() if path[0] == step}
        copied[step] = _with(copied.get(step) if isinstance(copied, dict) else copied[step], inner)
    return copied


# --- paths that mean them


def patterns(paths: Iterable[Path], value: Any) -> dict[tuple[str | int | None, ...], list[Path]]:
    """These paths as steps of JSON paths, None for any index where all elements of a list are meant; and which each is.

    Args:
        paths: places in ``value``.
        value: a result.
    """
    meant = set(paths)
    found: dict[tuple[str | int | None, ...], list[Path]] = {}
    for path in sorted(meant, key=str):
        found.setdefault(_general(path, meant, value), []).append(path)
    return found


def _general(path: Path, meant: set[Path], value: Any) -> tuple[str | int | None, ...]:
    """The path with as many indices replaced by None as leave it to mean these places alone."""
    indices = [place for place, step in enumerate(path) if isinstance(step, int)]
    choices = product((True, False), repeat=len(indices)) if len(indices) <= _MOST_INDICES else [(True,) * len(indices)]
    best: tuple[str | int | None, ...] = path
    most = 0
    for wild in choices:
        any_of = {place for place, is_wild in zip(indices, wild, strict=True) if is_wild}
        places = Pattern(tuple(Wild.INDEX if at in any_of else step for at, step in enumerate(path))).found_in(value)
        if any_of and len(places) > most and meant.issuperset(places):
            best, most = tuple(None if at in any_of else step for at, step in enumerate(path)), len(places)
    return best


def path_text(steps: Sequence[str | int | None]) -> str:
    """A path as ``volatile`` has it: one of a single key begins with ``$``, since a name alone means every depth."""
    text = show_path(steps)
    return text if len(steps) != 1 or text == "$" else f"${'' if text.startswith('[') else '.'}{text}"


# --- lines to paste


def toml_lines(place: Sequence[str], paths: Mapping[str, str], present: Sequence[str] | None = None) -> list[str]:
    """The table of a workflow with these paths, as TOML.

    Args:
        place: the names of the table, one inside of the other.
        paths: paths to add, and a comment on each; without comments they stand on one line.
        present: paths that the table has already, which TOML allows once; None where there is no such table.
    """
    head, old = f"[{toml_key(*place)}]", present or ()
    lines = [head if present is None else f"{head}  # is there already: give it this line in place of its volatile"]
    if not any(paths.values()):
        return [*lines, f"volatile = [{', '.join(map(toml_string, [*old, *paths]))}]"]
    lines += ["volatile = [", *(f"    {toml_string(path)}," for path in old)]
    return [*lines, *(f"    {toml_string(path)},  # {comment}" for path, comment in paths.items()), "]"]


# --- all of one workflow


@dataclass(frozen=True, slots=True)
class Learned:
    """What runs of one workflow show.

    Attributes:
        volatile: paths that differ from run to run, and how often they did.
        others: what differs and cannot be masked, or changed once, in words.
    """

    volatile: dict[str, str]
    others: list[str]


def learn(groups: Iterable[Sequence[Any]]) -> Learned:
    """What the runs of a workflow show.

    Args:
        groups: normalised runs of equal inputs, the oldest first; at least `FEWEST` in each.
    """
    found: dict[tuple[str | int | None, ...], list[Course]] = {}
    others: dict[str, str] = {}
    for values in groups:
        differing = courses(values)
        volatile = [path for path, course in differing.items() if course.is_volatile]
        for steps, paths in patterns(volatile, values[-1]).items():
            found.setdefault(steps, []).append(max((differing[path] for path in paths), key=lambda one: one.changes))
        for path, course in differing.items():
            if not course.is_volatile:
                others[show_path(path)] = f"changed once in {count(course.runs, 'run')}, and stayed"
    lines: dict[str, str] = {}
    for steps, all_of in sorted(_outermost(found).items(), key=str):
        runs, absent = sum(course.runs for course in all_of), sum(course.absent for course in all_of)
        if absent:
            others[show_path(steps)] = f"was missing or null in {absent} of {runs} runs, which volatile does not hide"
        if max(course.values for course in all_of) > 1 + bool(absent):
            lines[path_text(steps)] = f"differed in {sum(course.changes for course in all_of)} of {runs} runs"
    return Learned(lines, [f"{path} {why}" for path, why in sorted(others.items())])


def _outermost(
    found: Mapping[tuple[str | int | None, ...], list[Course]],
) -> dict[tuple[str | int | None, ...], list[Course]]:
    """Those that no other one means as well: inputs differ in what their results hold."""
    compiled = {steps: Pattern(tuple(Wild.INDEX if step is None else step for step in steps)) for steps in found}
    kept = {}
    for steps, all_of in found.items():
        example = tuple(0 if step is None else step for step in steps)
        ways = [example[:size] for size in range(len(example) + 1)]
        wider = (other for other, pattern in compiled.items() if other != steps and any(map(pattern.matches, ways)))
        if not any(_is_wider(other, steps) for other in wider):
            kept[steps] = all_of
    return kept


def _is_wider(other: tuple[str | int | None, ...], steps: tuple[str | int | None, ...]) -> bool:
    return len(other) < len(steps) or other.count(None) > steps.count(None)
