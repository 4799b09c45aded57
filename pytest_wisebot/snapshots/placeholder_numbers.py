"""Texts that differ by the numbers of their placeholders alone: ``<uuid:3>`` and ``<uuid:4>``.

The normaliser numbers the values it replaces in the order in which they appear, so that a row more at the head of a
list gives new numbers to all the others. Where each number stands for one other number throughout, nothing has changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

# Projects name placeholders of their own, so that more than the normaliser's names counts.
_NUMBERED = re.compile(r"(<\w[\w .-]*:[0-9]+>)")

Names = list[tuple[str, str]]
"""The placeholders of a text, as expected and as received, one by one."""


def is_numbered(value: Any) -> bool:
    """Whether a value is a text with a number that says nothing beyond its own snapshot."""
    return isinstance(value, str) and "<" in value and _NUMBERED.search(value) is not None


def without_numbers(text: str) -> str:
    """The text with all placeholders of a kind made equal."""
    return _NUMBERED.sub(_kind, text) if "<" in text else text


def _kind(found: re.Match[str]) -> str:
    return found[0].rpartition(":")[0]


def unnumbered(items: Sequence[Hashable]) -> Sequence[Hashable]:
    """The texts with all placeholders of a kind made equal; the very same sequence if there are none."""
    changed = {at: _NUMBERED.sub("<>", item) for at, item in enumerate(items) if isinstance(item, str) and "<" in item}
    return [changed.get(at, item) for at, item in enumerate(items)] if changed else items


def renumbering(one: Any, other: Any) -> Names | None:
    """The placeholders of two texts that are the same but for the numbers of these, pair by pair; else None."""
    if not (isinstance(one, str) and isinstance(other, str) and "<" in one and "<" in other):
        return None
    ours, theirs = _NUMBERED.split(one), _NUMBERED.split(other)
    return list(zip(ours[1::2], theirs[1::2], strict=True)) if _names_only(ours, theirs) else None


def _names_only(ours: list[str], theirs: list[str]) -> bool:
    """Whether the texts between the placeholders are the same, and so are the kinds of these."""
    if len(ours) == 1 or ours[::2] != theirs[::2]:
        return False
    return all(
        one.partition(":")[0] == other.partition(":")[0] for one, other in zip(ours[1::2], theirs[1::2], strict=True)
    )


def consistent(candidates: Mapping[int, Names], unchanged: Iterable[str]) -> dict[int, Names]:
    """Those of the candidates in which each placeholder stands for the same other one as everywhere else.

    Args:
        candidates: the placeholders of texts that are the same but for their numbers.
        unchanged: the texts that are the same with their numbers.
    """
    new_names, old_names = defaultdict(set), defaultdict(set)
    kept = ((name, name) for text in unchanged for name in _NUMBERED.findall(text))
    for one, other in chain(kept, *candidates.values()):
        new_names[one].add(other)
        old_names[other].add(one)
    return {
        at: names
        for at, names in candidates.items()
        if all(len(new_names[one]) == len(old_names[other]) == 1 for one, other in names)
    }
