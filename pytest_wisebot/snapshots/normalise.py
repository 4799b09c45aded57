"""Results without what differs from run to run: placeholders that keep identity in the place of volatile values.

Equal ids get equal numbers in order of appearance, in the order of the snapshot's own text (keys sorted, lists as they
are), so that ``<uuid:1>`` in two places says "the same id" and ``<uuid:2>`` "another one". Moments have no number. What
is recognised is in `patterns` and `moments`; everything else stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from ..originals import json
from ..redaction.jsonpath import Path
from .json_codec import MAX_DEPTH
from .moments import Nearness
from .patterns import MOMENTS, NOTHING, KeyHint, is_opaque, says, says_of_bound, says_of_duration, sets_bounds
from .text_normaliser import SHORTEST_RUN_ID, Known, NormaliserConfig, RunIds, Texts, number_of

__all__ = ["NormaliserConfig", "normalise"]


NO_RUN = Nearness(())
NO_HABITS = NormaliserConfig()


def normalise(
    value: Any,
    *,
    inputs: Any = None,
    run_id: str | None = None,
    other_runs: Iterable[str] = (),
    habits: NormaliserConfig = NO_HABITS,
    skip: frozenset[Path] = frozenset(),
    near: Nearness = NO_RUN,
) -> Any:
    """A copy of a JSON value with placeholders in the place of what differs from run to run.

    What is normalised already stays as it is, and a string that only looks like a placeholder (``<uuid:1>``, written by
    the workflow) keeps its number to itself: no other value gets it. A volatile key is replaced as well, unless another
    key of its object would then have its name; of several such keys the one that came first has the lower number, since
    the order of their sorted text would change with each run.

    Args:
        value: plain JSON.
        inputs: what the run was asked. A string or number equal to one of them stays, and so does a volatile part of a
            text that also stands in one of them; but what the project calls volatile goes all the same.
        run_id: the run's own id, which becomes ``<run-id>`` wherever it stands.
        other_runs: the ids of the test's other runs, ``<run-id:1>`` and so on, also where they equal an input.
        habits: what the project says of its own values.
        skip: paths at which the value stays as it is, such as those that a rule has replaced.
        near: when the run, and the others of the test, began and ended. Moments near them are their clock.
    """
    compiled = habits.compiled
    stays = {path for pattern in compiled.kept_paths for path in pattern.found_in(value)} | skip
    if () in stays:
        return value
    runs = RunIds(run_id, other_runs)
    texts = Texts(compiled, Known.of(inputs, compiled, runs), runs, near)
    walk = _Walk(texts, _Numbers(partial(_reserved, value, compiled.placeholder)))
    return walk.value(value, _Key("", plain=walk.plain), _tree(stays), 0)


# --- what stays where it is

_Tree = dict[str | int, Any]
"""Paths by their steps, one inside of the other; None where a path ends."""


def _tree(paths: Iterable[Path]) -> _Tree:
    root: _Tree = {}
    for path in paths:
        at: _Tree | None = root
        for step in path[:-1]:
            at = at.setdefault(step, {}) if at is not None else None
        if at is not None:
            at[path[-1]] = None
    return root


def _reserved(value: Any, placeholder: re.Pattern[str]) -> dict[str, set[int]]:
    """The numbers of all placeholders that stand in a value already, by name."""
    found: dict[str, set[int]] = {}
    level = [value]
    for _ in range(MAX_DEPTH + 2):  # level by level, and no deeper than a snapshot goes
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                for name, number in placeholder.findall(item) if "<" in item else ():
                    found.setdefault(name, set()).add(int(number or 0))
            elif isinstance(item, dict | Mapping):
                below += item
                below += item.values()
            elif isinstance(item, list | tuple):
                below += item
        level = below
    return found


# --- what takes the place of the rest


class Renamed(dict[Any, Any]):
    """An object with placeholders in its keys.

    Attributes:
        origin: by each of these keys, what it was.
    """

    def __init__(self, copied: dict[Any, Any], origin: dict[Any, Any]) -> None:
        super().__init__(copied)
        self.origin = origin


class _Numbers:
    """Gives each value its placeholder: the same for the same value, and to each other value the next number."""

    def __init__(self, reserved: Callable[[], Mapping[str, set[int]]]) -> None:
        self._find_reserved = reserved
        self._given: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}

    @cached_property
    def _reserved(self) -> Mapping[str, set[int]]:
        return self._find_reserved()

    def placeholder(self, name: str, value: str) -> str:
        if name in MOMENTS:
            return f"<{name}>"
        given = self._given.get((name, value))
        if given is None:
            number = self._last.get(name, 0) + 1
            while number in self._reserved.get(name, ()):
                number += 1
            self._last[name] = number
            given = self._given[name, value] = f"<{name}:{number}>"
        return given


@dataclass(frozen=True)
class _Key:
    """What is known of a key, for all objects that have it."""

    text: Any
    order: str = ""
    """The key as it stands in the snapshot, but for the numbers."""
    volatile: bool = False
    """It is replaced itself, in part or whole."""
    stays: bool = False
    name: str | None = None
    """The placeholder that the project wants for all values under it."""
    says: KeyHint = NOTHING
    runs: bool = False
    """It names the run's own id."""
    bounds: bool = False
    """An object under it sets bounds."""
    plain: bool = False
    """It says nothing at all: small numbers under it stay, and the texts speak for themselves."""


_MOST_LAYOUTS = 1000
_MOST_KEYS = 50
_NOTHING_STAYS: _Tree = {}
_NUMBERS = (int, float)
_FIRST_EPOCH = 10**9
"""Smaller numbers are not an epoch since 2001 in any unit."""
_EPOCH_TEXT = re.compile(r"\d{10,19}(?:\.\d{1,9})?")
_HEX_TEXT = re.compile(r"[0-9a-f]{32}|[0-9A-F]{32}")
_FREE, _MEASURED, _BOUND = range(3)
"""What an object stands under: what a key in it says depends on that."""
_SAID_BY: dict[int, Callable[[str], KeyHint]] = {_FREE: says, _MEASURED: says_of_duration, _BOUND: says_of_bound}
_UNNUMBERED = re.compile(rf"<((?:{'|'.join(MOMENTS)})(?:[+-]\d+d)?)>")
_RUN_ID_KEYS = ("runid", "run_id", "run-id")


class _Walk:
    """Copies a value, in the order of its text, and replaces on the way."""

    def __init__(self, texts: Texts, numbers: _Numbers) -> None:
        self._texts = texts
        self._give = numbers.placeholder
        self._seen: dict[str, str] = {}
        self._layouts: dict[tuple[Any, ...], list[_Key]] = {}  # the rows of a table have the same keys
        self.plain = not texts.runs.may_be_numbers  # else any number may be a run's id

    def value(self, value: Any, key: _Key, stays: _Tree, depth: int) -> Any:
        """The copy of a value that stands under a key; elements of a list stand under the list's."""
        if key.plain and (type(value) is str or type(value) in _NUMBERS):
            if type(value) is str:
                return self._seen.get(value) or self._text(value)
            return value if not value >= _FIRST_EPOCH else self._number(value, key)
        if key.name is not None:
            return self._named(value, key.name)
        if isinstance(value, str):
            return self._text_under(value, key)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value, key)
        if depth >= MAX_DEPTH:
            return value  # no snapshot holds it: the writer says so
        if isinstance(value, dict | Mapping):
            return self._object(value, stays, depth, _MEASURED if key.says.units else _BOUND if key.bounds else _FREE)
        if isinstance(value, list | tuple):
            return self._list(value, key, stays, depth)
        return value

    def _object(self, value: Mapping[Any, Any], stays: _Tree, depth: int, under: int) -> dict[Any, Any]:
        copied: dict[Any, Any] = {}
        renamed: dict[Any, Any] = {}
        for key in self._layout(tuple(value), under):
            text = key.text
            shown = self._volatile_key(text, value, copied) if key.volatile else text
            inner = stays.get(text, _NOTHING_STAYS) if stays else stays
            item = value[text]
            copied[shown] = item if key.stays or inner is None else self.value(item, key, inner, depth + 1)
            if shown is not text:
                renamed[shown] = text
        return Renamed(copied, renamed) if renamed else copied

    def _volatile_key(self, text: str, *taken: Mapping[Any, Any]) -> str:
        """The key with placeholders, and no other key's name: one that differs by its case alone must not get lost."""
        first = shown = self._text(text)
        if any(shown in names for names in taken):
            shown = self._texts.replaced(text, lambda name, value: self._give(name, f"{value} as {text}"))
        number = 2  # of a moment, which has none
        while any(shown in names for names in taken) and _UNNUMBERED.search(first) and number < _MOST_KEYS:
            shown, number = _UNNUMBERED.sub(rf"<\1:{number}>", first, count=1), number + 1
        return text if any(shown in names for names in taken) else shown

    def _list(self, value: list[Any] | tuple[Any, ...], key: _Key, stays: _Tree, depth: int) -> list[Any]:
        if not stays:
            return [self.value(item, key, stays, depth + 1) for item in value]
        inside = (stays.get(index, _NOTHING_STAYS) for index in range(len(value)))
        return [
            item if inner is None else self.value(item, key, inner, depth + 1)
            for item, inner in zip(value, inside, strict=True)
        ]

    def _layout(self, keys: tuple[Any, ...], under: int) -> list[_Key]:
        """The keys in the order of the text; kept for the whole session, unless a key may depend on the run."""
        same = (keys, under, self.plain)
        layout = self._layouts.get(same) or self._texts.compiled.layouts.get(same)
        if layout is None:
            made = (self._key(key, _SAID_BY[under]) for key in keys)
            layout = sorted(made, key=lambda key: key.order)
            layouts = self._texts.compiled.layouts
            own = len(layouts) >= _MOST_LAYOUTS or len(keys) > _MOST_KEYS or any(map(self._texts.may_change, keys))
            (self._layouts if own else layouts)[same] = layout
        return layout

    def _key(self, text: Any, said_by: Callable[[str], KeyHint]) -> _Key:
        if not isinstance(text, str):
            return _Key(text, order=str(text))
        compiled = self._texts.compiled
        order = self._texts.replaced(text, lambda name, _: f"<{name}>")
        # Of a volatile key only the rest says something: it must say the same when the key is a placeholder already.
        said = said_by(compiled.placeholder.sub("", order))
        name, runs, stays = compiled.keys.get(text.casefold()), text.lower() in _RUN_ID_KEYS, text in compiled.kept_keys
        return _Key(
            text,
            order=order,
            volatile=order != text and not stays,
            stays=stays,
            name=name,
            says=said,
            runs=runs,
            bounds=sets_bounds(text),
            plain=self.plain and name is None and said is NOTHING and not runs,
        )

    def _named(self, value: Any, name: str) -> Any:
        """The placeholder for whatever stands under a key that the project named."""
        if value is None or value == "":
            return value
        if isinstance(value, str):
            return value if self._texts.compiled.placeholder.fullmatch(value) else self._give(name, f"text {value}")
        if isinstance(value, bool | int | float):
            return self._give(name, repr(value))
        return self._give(name, json.dumps(value, sort_keys=True, default=repr))

    def _text_under(self, text: str, key: _Key) -> str:
        said = key.says
        if said.units and said.measured(text, self._texts.near.longest):
            return str(self._duration(text, key))
        if text in self._texts.known.texts:
            return self._text(text)  # of which the project's patterns may find a part
        if key.runs and text in self._texts.runs:
            return self._texts.runs.placeholder(self._give, text)
        if said.checksum or said.opaque:  # whose digits may look like those of a UUID in one run, and not in the next
            shown = self._texts.replaced(text, self._give)
            is_opaque_id = said.opaque and shown == text and is_opaque(text, is_cookie=said.opaque == "cookie")
            return self._give(said.opaque, f"text {text}") if is_opaque_id else shown
        if said.uuid and _HEX_TEXT.fullmatch(text) and len(set(text)) > 1:
            return self._give("uuid", text.lower())
        shown = self._text(text)
        if shown != text or said is NOTHING:
            return shown
        if (said.moment or said.identity) and _EPOCH_TEXT.fullmatch(text):
            return self._digits(text, said)
        return text

    def _digits(self, text: str, said: KeyHint) -> str:
        """The replacement of a number written as a string."""
        if said.identity and self._texts.is_of_run("snowflake", text):
            return self._give("snowflake", text)
        return (said.moment and self._texts.epoch(number_of(text), may_expire=True)) or text

    def _duration(self, value: Any, key: _Key) -> Any:
        """A small number may be among the inputs by chance, but hardly under the same key: then it is not measured."""
        return value if (key.text, value) in self._texts.known.durations else "<duration>"

    def _text(self, text: str) -> str:
        seen = self._seen.get(text)
        if seen is None:
            told = text in self._texts.known.texts
            whole = None if told else self._texts.whole(text, self._give)
            seen = self._seen[text] = self._texts.replaced(text, self._give) if whole is None else whole
        return seen

    def _number(self, value: float, key: _Key) -> Any:
        if key.says.units and key.says.lasted(value, self._texts.near.longest):
            return self._duration(value, key)
        if value in self._texts.known.numbers:
            return value
        if value >= _FIRST_EPOCH:
            if (found := self._texts.epoch(value, may_expire=key.says.moment)) is not None:
                return found
            if key.says.identity and isinstance(value, int) and self._texts.is_of_run("snowflake", str(value)):
                return self._give("snowflake", str(value))
            if key.says.opaque and isinstance(value, int) and is_opaque(str(value)):
                return self._give(key.says.opaque, str(value))
        return self._run_id(value, key)

    def _run_id(self, value: float, key: _Key) -> Any:
        """What stands for a number that is the id of a run; any other one as it is."""
        text = str(value)
        if text not in self._texts.runs or not (key.runs or len(text) >= SHORTEST_RUN_ID):
            return value
        return self._texts.runs.placeholder(self._give, text)
