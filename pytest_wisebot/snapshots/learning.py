"""Which parts of results differ from run to run, as runs of equal inputs show it.

What differs is learned and not guessed. Nothing is masked by learning alone: a person pastes the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from ..originals import json
from ..redaction.jsonpath import Path, Pattern, Wild
from ..text import show_path
from .json_codec import MAX_DEPTH

_MISSING: Final = object()
"""In the place of a key that an object lacks in one of the runs."""


@dataclass(frozen=True, slots=True)
class Course:
    """How the value of one place was in a row of runs.

    Attributes:
        runs: how many runs there were.
        changes: in how many of them the value differed from that of the run before.
    """

    runs: int
    changes: int

    @property
    def is_volatile(self) -> bool:
        """Whether it changes again and again. A value that changed once may be a change of the workflow."""
        return self.changes > 1 or (self.changes == 1 and self.runs == 2)


def course_of(values: Sequence[Any]) -> Course:
    """How a value was in these runs, in their order; ``...`` where a run had none."""
    texts = [_text(value) for value in values]
    return Course(len(texts), sum(before != after for before, after in pairwise(texts)))


def courses(values: Sequence[Any]) -> dict[Path, Course]:
    """The places whose values are not the same in all runs.

    A list of another length is one place, and so is a key that an object lacks in some runs.

    Args:
        values: normalised results of runs of equal inputs, the oldest first.
    """
    return {path: course_of(found) for path, found in _differing((), values, 0)}


def _differing(path: Path, values: Sequence[Any], depth: int) -> Iterator[tuple[Path, Sequence[Any]]]:
    if depth < MAX_DEPTH and values and all(isinstance(value, Mapping) for value in values):
        for key in dict.fromkeys(key for value in values for key in value):
            yield from _differing((*path, key), [value.get(key, _MISSING) for value in values], depth + 1)
    elif depth < MAX_DEPTH and _are_lists_of_one_length(values):
        for index in range(len(values[0])):
            yield from _differing((*path, index), [value[index] for value in values], depth + 1)
    elif len(set(map(_text, values))) > 1:
        yield path, values


def _are_lists_of_one_length(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, list) and len(value) == len(values[0]) for value in values)


def _text(value: Any) -> str:
    return "" if value is _MISSING else json.dumps(value, sort_keys=True, default=repr)


def patterns(paths: Iterable[Path], value: Any) -> list[str]:
    """These paths as JSON paths, one for all elements of a list where all of them are meant.

    Args:
        paths: places in ``value``.
        value: a result.
    """
    meant = set(paths)
    found: dict[str, None] = {}
    for path in sorted(meant, key=str):
        general = Pattern(tuple(Wild.INDEX if isinstance(step, int) else step for step in path))
        everywhere = Wild.INDEX in general.steps and meant.issuperset(general.found_in(value))
        found[show_path([None if isinstance(step, int) and everywhere else step for step in path])] = None
    return list(found)
