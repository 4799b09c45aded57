"""Replaces what the project calls volatile in a compared value."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ..redaction.jsonpath import Path, Pattern
from .rules import replaced_at, value_at
from .text_normaliser import VOLATILE

Origin = tuple[Path, Path]
"""The place of a part in the compared value, and its place in what a snapshot holds of its run."""


def without_volatile(
    data: Any, patterns: Iterable[Pattern], origins: Iterable[Origin], untouched: Collection[Path] = ()
) -> Any:
    """A copy with `VOLATILE` in the place of what the project calls volatile. Null stays, and what is not there.

    Args:
        data: what is compared, as plain JSON.
        patterns: paths into it, or into the answer of the run that it comes from.
        origins: where it comes from; ``()`` in ``()`` for a run.
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
    for place, within in origins:
        try:
            part = value_at(data, place)
        except (LookupError, TypeError):  # an exclusion has taken it out
            continue
        below = [inner for pattern in patterns for inner in pattern.below(within)]
        meant |= {(*place, *path) for pattern in below for path in pattern.found_in(part)}
    if not origins:  # such as the fields of a model that a result was read into
        below = [inner for pattern in patterns for inner in pattern.below(("result",)) if inner.steps]
        meant |= {path for pattern in below for path in pattern.found_in(data)}
    return meant
