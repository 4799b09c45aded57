"""Placeholders within texts: the run id, what the project's patterns find, and what is volatile by its shape."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..redaction.forms import Span
from .key_hints import says
from .normaliser_config import Compiled
from .patterns import identity, is_volatile, may_hold, without_stop
from .runids import Give, RunIds


class Texts:
    """Finds what is volatile within a text."""

    def __init__(self, compiled: Compiled, known: Known, runs: RunIds) -> None:
        self.compiled = compiled
        self.known = known
        self.runs = runs

    def replaced(self, text: str, give: Give) -> str:
        """The text with placeholders for the run id, for what the project's patterns find, and for volatile shapes."""
        told = text in self.known.texts  # which is no matter for what the project itself calls volatile
        once = self._by_patterns(text, give) if told else self._once(text, give)
        # A project's pattern may cut a word in two, and what was a part of it then stands alone.
        while self.compiled.patterns and once != text:
            text, once = once, self._once(once, give)
        return once

    def _once(self, text: str, give: Give) -> str:
        if self.runs.any_long and self.runs.may_be_in(text):
            spans = (found.span() for found in self.runs.pattern.finditer(text))
            text = self._outside_placeholders(spans, text, partial(self.runs.placeholder, give))
        if self.compiled.patterns:
            text = self._by_patterns(text, give)
        if may_hold(text):
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
        if kind == "url":
            return self._url(give, text)
        if kind == "placeholder" or not is_volatile(kind, text):
            return text
        return self._given(give, kind, text)

    def _url(self, give: Give, text: str) -> str:
        """A URL that is good for a time or a reader only is replaced; of any other one, the volatile parts."""
        if is_volatile("url", text):
            url = without_stop(text)
            return self._given(give, "url", url) + text[len(url) :]
        if not may_hold(text.partition("://")[2]):
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

    @classmethod
    def of(cls, inputs: Any, compiled: Compiled, runs: RunIds) -> Known:
        """All scalars of the inputs, keys among them, and what is volatile within the texts.

        A text in which the id of another run stands is another one in each session.
        """
        if inputs is None:
            return cls()
        scalars = list(_scalars(inputs))
        texts = [item for item in scalars if isinstance(item, str) and not runs.another_in(item)]
        numbers = [item for item in scalars if isinstance(item, int | float) and not isinstance(item, bool)]
        parts: set[tuple[str, str]] = set()
        for text in texts:
            Texts(compiled, cls(), RunIds()).replaced(text, partial(_noted, parts))
        return cls(frozenset(texts), frozenset(numbers), frozenset(parts), frozenset(_durations(inputs)))


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
    elif says(key).duration:
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
