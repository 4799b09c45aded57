"""Placeholders within texts: the run id, what the project's patterns find, and what is volatile by its shape.

A moment has a placeholder without a number: two readings of a clock may be equal in one run and differ in the next.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from ..redaction.forms import Span
from ..redaction.jsonpath import Pattern, Wild
from ..redaction.user_rules import Matcher, matcher
from .moments import UNITS, Moment, Nearness, moment_found, moment_of
from .patterns import (
    BUILT_IN,
    MASKS,
    identity,
    is_uuid_of_digits,
    is_volatile,
    may_hold,
    says,
    scanner,
    without_stop,
)
from .timed_ids import KINDS, made_at

SHORTEST_RUN_ID = 6
"""Characters that a run id needs to be known within texts: a shorter one ("42") would stand in prices too."""

VOLATILE = "<volatile>"
"""In the place of what the project calls volatile."""

Give = Callable[[str, str], str]
"""The placeholder for a value of a kind."""

_FEW = 4
_HEX_UUID, _KSUID, _LONGEST_TIME = 32, 27, 21
_ALWAYS_TIMED = ("ulid", "ksuid", "objectid", "snowflake")
_LATEST = 4.2e18
_DAYS = re.compile(r"[+-]\d+d$")
_WORD = re.compile(r"[0-9A-Za-z]+")

# --- what a project says of its own values


@dataclass(frozen=True)
class NormaliserConfig:
    """What a project says of its own values in ``[snapshots]`` of ``wisebot.toml``.

    Attributes:
        keys: names of keys, in any case, with the name of the placeholder for the values under them. Null and the empty
            text stay: an absent value is never noise.
        patterns: names of placeholders, with a regular expression, or the name of a ready-made one, for the texts, or
            parts of texts, that they replace.
        keep: JSON paths, or names of keys at any depth, whose values stay as they are with all they hold.
        volatile: JSON paths, or names of keys at any depth, whose values `serialize` replaces by `VOLATILE`.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()

    @cached_property
    def volatile_paths(self) -> tuple[Pattern, ...]:
        """The paths of ``volatile``; after ``$`` a single name matches at the top alone, and not at any depth."""
        found = [(text, Pattern.parse(text)) for text in self.volatile]
        named = [not text.startswith("$") and _is_name(pattern) for text, pattern in found]
        return tuple(
            Pattern((Wild.DEPTH, pattern.steps[-1])) if is_name else pattern
            for (_, pattern), is_name in zip(found, named, strict=True)
        )

    @cached_property
    def compiled(self) -> Compiled:
        """The same, ready for use: a session normalises thousands of values by one set of habits."""
        names = tuple(dict.fromkeys((*BUILT_IN, *MASKS, VOLATILE[1:-1], *self.keys.values(), *self.patterns)))
        kept = [Pattern.parse(text) for text in self.keep]
        return Compiled(
            keys={key.casefold(): name for key, name in self.keys.items()},
            patterns=tuple((name, _expression(name, text)) for name, text in self.patterns.items()),
            kept_keys=frozenset(str(pattern.steps[-1]) for pattern in kept if _is_name(pattern)),
            kept_paths=tuple(pattern for pattern in kept if not _is_name(pattern)),
            placeholder=re.compile(rf"<({'|'.join(map(re.escape, names))})(?:[+-]\d+d)?(?::(\d+))?>"),
            plain=scanner(names, urls=False),
            with_urls=scanner(names, urls=True),
        )


@dataclass(frozen=True)
class Compiled:
    """What `NormaliserConfig` say, as `normalise` asks for it."""

    keys: Mapping[str, str]
    patterns: tuple[tuple[str, Matcher], ...]
    kept_keys: frozenset[str]
    kept_paths: tuple[Pattern, ...]
    placeholder: re.Pattern[str]
    plain: re.Pattern[str]
    with_urls: re.Pattern[str]
    layouts: dict[Any, Any] = field(default_factory=dict)
    """What is known of the keys of objects, by these keys (see `normalise`)."""


def _is_name(pattern: Pattern) -> bool:
    """Whether a pattern is a key at any depth, written as its name alone or behind ``**``."""
    *before, last = pattern.steps or [None]
    return isinstance(last, str) and before in ([], [Wild.DEPTH])


def _expression(name: str, text: str) -> Matcher:
    try:
        return matcher(text)
    except ValueError as error:
        raise ValueError(f"the pattern {name!r}: {error}") from None


# --- the ids of the runs of a test


class RunIds:
    """The ids that are known in one comparison.

    Args:
        own: the id of the run that is compared, or that a part is of.
        others: those of the test's other runs.
    """

    def __init__(self, own: str | None = None, others: Iterable[str] = ()) -> None:
        self._own = own or ""
        self._all = dict.fromkeys(filter(None, (own, *others)))
        self._long = sorted((one for one in self._all if len(one) >= SHORTEST_RUN_ID), key=len, reverse=True)
        self.any_long = bool(self._long)
        self._words = {word[0] for one in self._long if (word := _WORD.search(one))}
        self._by_kind: dict[str, dict[str, str]] = {}
        self.may_be_numbers = any(map(str.isdecimal, self._all))

    def __contains__(self, text: str) -> bool:
        return text in self._all

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern for those that are long enough to be searched within a string."""
        return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(map(re.escape, self._long))})(?![0-9A-Za-z])")

    def may_be_in(self, text: str) -> bool:
        """Whether the pattern is worth while: it takes long for a thousand ids, and their first words do not."""
        if len(self._long) <= _FEW:
            return any(run_id in text for run_id in self._long)
        return not self._words.isdisjoint(_WORD.findall(text))

    def another_in(self, text: str) -> bool:
        """Whether a string contains the id of another run."""
        return self.may_be_in(text) and any(found != self._own for found in self.pattern.findall(text))

    def placeholder(self, give: Give, run_id: str) -> str:
        """What takes the place of an id."""
        return "<run-id>" if run_id == self._own else give("run-id", run_id)

    def same_as(self, kind: str, value: str) -> str | None:
        """The id that is this value of its kind: that of a UUID may stand there in another case."""
        if kind not in self._by_kind:
            self._by_kind[kind] = {identity(kind, run_id): run_id for run_id in self._all}
        return self._by_kind[kind].get(value)


# --- within a string


class Texts:
    """Finds what is volatile within a string."""

    def __init__(self, compiled: Compiled, known: Known, runs: RunIds, near: Nearness) -> None:
        self.compiled = compiled
        self.known = known
        self.runs = runs
        self.near = near

    def may_change(self, text: Any) -> bool:
        """Whether the replacement of a string may depend on the run or on its inputs."""
        return not isinstance(text, str) or self._may_hold(text) or (self.runs.any_long and self.runs.may_be_in(text))

    def replaced(self, text: str, give: Give) -> str:
        """The text with placeholders for the run id, for what the project's patterns find, and for volatile shapes."""
        told = text in self.known.texts  # which does not matter for what the project itself calls volatile
        once = self._by_patterns(text, give) if told else self._once(text, give)
        # A project's pattern may cut a word in two, and what was a part of it then stands alone.
        while self.compiled.patterns and once != text:
            text, once = once, self._once(once, give)
        return once

    def whole(self, text: str, give: Give) -> str | None:
        """The placeholder for a string that is volatile as a whole; None if it has no such shape."""
        size = len(text)
        if size == _HEX_UUID and is_uuid_of_digits(text):
            return self._given(give, "uuid", text) if self.is_of_run("uuid", text) else None
        if size == _KSUID and text.isalnum():
            return self._given(give, "ksuid", text) if self.is_of_run("ksuid", text) else None
        return self._clock(text) if 8 <= size <= _LONGEST_TIME and text[2:3] == ":" else None

    def _clock(self, text: str) -> str | None:
        """The placeholder for a time without a day."""
        return next(filter(None, (self._moment(moment_of(text, day)) for day in self.near.days)), None)

    def _may_hold(self, text: str) -> bool:
        return may_hold(text) or any(mark in text for mark in self.near.marks)

    def _once(self, text: str, give: Give) -> str:
        if self.runs.any_long and self.runs.may_be_in(text):
            spans = (found.span() for found in self.runs.pattern.finditer(text))
            text = self._outside_placeholders(spans, text, partial(self.runs.placeholder, give))
        if self.compiled.patterns:
            text = self._by_patterns(text, give)
        if self._may_hold(text):
            pattern = self.compiled.with_urls if "://" in text else self.compiled.plain
            text = pattern.sub(partial(self._shape, give), text)
        return text

    def _by_patterns(self, text: str, give: Give) -> str:
        for name, pattern in self.compiled.patterns:
            text = self._outside_placeholders(pattern.spans(text), text, partial(self._found, give, name))
        return text

    def _outside_placeholders(self, spans: Iterable[Span], text: str, replace: Callable[[str], str]) -> str:
        """Replaces what stands there, except for the empty text and where a placeholder stands already."""
        taken = [found.span() for found in self.compiled.placeholder.finditer(text)] if "<" in text else []
        pieces: list[str] = []
        at = 0
        for start, end in spans:
            before = bisect_left(taken, (end, 0))  # how many begin before the end of what was found
            if start < end and not (before and taken[before - 1][1] > start):
                pieces += (text[at:start], replace(text[start:end]))
                at = end
        return "".join((*pieces, text[at:])) if pieces else text

    def _shape(self, give: Give, found: re.Match[str]) -> str:
        kind, text = found.lastgroup or "", found[0]
        if kind == "placeholder":
            return text
        if kind == "url":
            return self._url(give, text)
        if kind.startswith("moment"):
            return self._moment(moment_found(kind, text)) or text
        if kind == "epoch":
            return self.epoch(number_of(text), may_expire=False) or text
        if kind == "marked":
            return text[0] + (self.epoch(number_of(text[1:]), may_expire=False) or text[1:])
        if kind == "clock":
            return (text[6:8] != "00" and self._clock(text)) or text  # "at 10:30:00 sharp"
        if kind == "relative":
            return text if ("relative", text) in self.known.parts else _unnumbered(give, text)
        if not is_volatile(kind, text) or not self.is_of_run(kind, text):
            return text
        return self._given(give, kind, text)

    def _moment(self, moment: Moment | None) -> str | None:
        """The placeholder for a moment that is near the run, unless the run was told of it, in whatever notation."""
        if moment is None or (found := self.near.of(moment)) is None or any(map(moment.is_same, self.known.instants)):
            return None
        return f"<timestamp{found}>"

    def epoch(self, value: float, *, may_expire: bool) -> str | None:
        """The same for a number."""
        if not value < _LATEST or (found := self.near.of_number(value, may_expire=may_expire)) is None:
            return None
        per_second = UNITS[_DAYS.sub("", found)]
        moment = Moment((value / per_second,), 1e-6 if isinstance(value, float) else 1 / per_second)
        return None if any(map(moment.is_same, self.known.instants)) else f"<{found}>"

    def is_of_run(self, kind: str, text: str) -> bool:
        """Whether an id may have been made by the run: one of an earlier moment names what exists already.

        A UUID of a moment that is still to come carries none: some make the version up.
        """
        made = made_at(kind, text) if kind in KINDS else []
        if not made:
            return kind not in _ALWAYS_TIMED
        return any(map(self.near.is_near, made)) or (kind == "uuid" and self.near.cannot_be(made[0]))

    def _url(self, give: Give, text: str) -> str:
        """A URL that is good for a time or a reader only is replaced; of any other one, the volatile parts."""
        if is_volatile("url", text):
            url = without_stop(text)
            return self._given(give, "url", url) + text[len(url) :]
        if not self._may_hold(text.partition("://")[2]):
            return text
        return self.compiled.plain.sub(partial(self._shape, give), text)

    def _given(self, give: Give, name: str, text: str) -> str:
        if text in self.known.texts or (name, identity(name, text)) in self.known.parts:
            return text
        return self._found(give, name, text)

    def _found(self, give: Give, name: str, text: str) -> str:
        value = identity(name, text)
        if (run_id := self.runs.same_as(name, value)) is not None:
            return self.runs.placeholder(give, run_id)  # in another case
        return give(name, value)


# --- what the run was told


@dataclass(frozen=True)
class Known:
    """What the run was told, and may therefore say again."""

    texts: frozenset[str] = frozenset()
    numbers: frozenset[float] = frozenset()
    parts: frozenset[tuple[str, str]] = frozenset()
    """The volatile parts of the texts, by kind."""
    durations: frozenset[tuple[str, Any]] = frozenset()
    """Durations with the keys that they stand under."""
    instants: tuple[float, ...] = ()
    """The moments, in seconds since the epoch."""

    @classmethod
    def of(cls, inputs: Any, compiled: Compiled, runs: RunIds) -> Known:
        """All scalars of the inputs, keys among them, and what is volatile within the texts.

        A string in which the id of another run stands is another one in each session.
        """
        if inputs is None:
            return NOTHING_KNOWN
        scalars = list(_scalars(inputs))
        texts = [item for item in scalars if isinstance(item, str) and not runs.another_in(item)]
        numbers = [item for item in scalars if isinstance(item, int | float) and not isinstance(item, bool)]
        parts: set[tuple[str, str]] = set()
        noted = _Noted()
        inside = Texts(compiled, NOTHING_KNOWN, RunIds(), noted)
        for text in texts:
            if inside.whole(text, partial(_noted, parts)) is None:
                inside.replaced(text, partial(_noted, parts))
        for number in numbers:
            noted.of_number(number)
        instants = tuple(dict.fromkeys(noted.instants))
        return cls(frozenset(texts), frozenset(numbers), frozenset(parts), frozenset(_durations(inputs)), instants)


class _Noted(Nearness):
    """Has everything that carries a moment noted, whenever that is."""

    marks = frozenset([""])

    def __init__(self) -> None:
        super().__init__(())
        self.instants: list[float] = []

    def of(self, moment: Moment) -> None:
        self.instants += moment.at_home()

    def of_number(self, value: float, *, may_expire: bool = True) -> None:
        del may_expire
        self.instants += [value / unit for unit in UNITS.values() if _EARLIEST_INPUT < value / unit < _LATEST_INPUT]

    def is_near(self, instant: float, precision: float = 1.0) -> bool:
        del instant, precision
        return True


_EARLIEST_INPUT, _LATEST_INPUT = 946_684_800, 4_102_444_800
"""The years 2000 and 2100, in seconds of the epoch."""

NOTHING_KNOWN = Known()


def number_of(text: str) -> float:
    """The number that digits are; exact where they have no point."""
    return float(text) if "." in text else int(text)


def _unnumbered(give: Give, text: str) -> str:
    give("relative", text)  # which notes it, of an input
    return "<relative-time>"


def _noted(parts: set[tuple[str, str]], name: str, value: str) -> str:
    parts.add((name, value))
    return f"<{name}>"


def _durations(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _durations(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _durations(item, key)
    elif says(key).units:
        yield key, value


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _scalars(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scalars(item)
    else:
        yield value
