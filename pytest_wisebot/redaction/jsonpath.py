"""The grammar of JSON paths: how a place inside of a JSON value is written down, shown and looked up.

``items[0].score`` is the key ``score`` of the first element of ``items``; ``customer["e-mail (work)"]`` a key with
characters of its own; ``$`` or nothing the whole value. A pattern may also say ``[*]`` for any index, ``*`` for any key
and ``**`` for any number of keys and indices, none included, so that ``**.email`` finds the key at every depth.
It lives here because redaction, settings and snapshots share it, and redaction may import nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..originals import json

Path = tuple[str | int, ...]
"""Where a value stands: keys of objects and indices of lists, outermost first. The whole value is ``()``."""


class Wild(Enum):
    """What stands in a pattern for more than one key or index."""

    KEY = "*"
    INDEX = "[*]"
    DEPTH = "**"


_PART = re.compile(
    r"""
      (?P<dot> \. )? (?: (?P<depth> \*\* ) | (?P<star> \* ) | (?P<name> [^\s.\[\]*"']+ ) ) (?= [.\[] | \Z )
    | \[ (?: (?P<any> \* ) | (?P<index> 0 | [1-9][0-9]{0,8} ) | (?P<quoted> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' ) ) \]
    """,
    re.VERBOSE | re.DOTALL,
)
_GRAMMAR = 'keys and indices as in items[0].score, odd keys as in a["odd key"], [*], * and ** for any of them'


def all_paths(value: Any) -> Iterator[Path]:
    """The path of each value there is, the whole one first, in the order of the sorted text of the JSON."""
    yield from Pattern.parse("**").found_in(value)


def _children(value: Any) -> list[tuple[str | int, Any]]:
    """The keys or indices of a value and what stands there, in the order of sorted JSON text."""
    if isinstance(value, Mapping):
        # What is not a string is not a key of JSON, and no path leads there.
        return sorted(((key, item) for key, item in value.items() if isinstance(key, str)), key=_first)
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    return []


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]


@dataclass(frozen=True)
class Pattern:
    """One or many places in a JSON value. Made by `parse`; equal patterns mean the same places.

    Attributes:
        steps: the keys and indices, or what stands for any of them.
    """

    steps: tuple[str | int | Wild, ...]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """The pattern that a string says; a leading ``$.`` or ``$`` may stand for the whole value.

        Raises:
            ValueError: the string is not a path; the message names where it stops being one, and shows a path.
        """
        if not isinstance(text, str):
            raise ValueError(f"a JSON path is a string, got {type(text).__name__}: {text!r}")
        steps: list[str | int | Wild] = []
        at = 1 if text[:2] in ("$", "$.", "$[") else 0
        while at < len(text):
            part = _PART.match(text, at)
            if not part or not _well_dotted(part, at):
                raise ValueError(
                    f"{text!r} is not a valid JSON path: not understood from {text[at:]!r} on; expected {_GRAMMAR}"
                )
            steps.append(_step(part))
            at = part.end()
        return cls(tuple(steps))

    def matches(self, path: Path) -> bool:
        """Whether the value at this path is meant."""
        at = self._closed({0})
        for step in path:
            at = self._after(at, step)
        return len(self.steps) in at

    def found_in(self, value: Any) -> list[Path]:
        """Every path in the value that is meant, in the order of the sorted text of the JSON."""
        return list(self._found(value))

    def below(self, path: Path) -> list[Pattern]:
        """The patterns that mean the same places, as seen from the value at this path; ``$`` for all of that value."""
        at = self._closed({0})
        for step in path:
            if len(self.steps) in at:
                return [Pattern(())]
            at = self._after(at, step)
        return [Pattern(self.steps[place:]) for place in sorted(at)]

    def _found(self, value: Any) -> Iterator[Path]:
        waiting: list[tuple[Path, Any, frozenset[int]]] = [((), value, self._closed({0}))]
        known: dict[tuple[frozenset[int], str | int], frozenset[int]] = {}  # thousands of rows ask the same again
        while waiting:
            path, item, at = waiting.pop()
            if len(self.steps) in at:
                yield path
            for step, child in reversed(self._candidates(item, at)):
                asked = (at, step if isinstance(step, str) or step in self.steps else -1)
                if asked not in known:
                    known[asked] = self._after(at, step)
                if known[asked]:
                    waiting.append(((*path, step), child, known[asked]))

    def _candidates(self, value: Any, at: frozenset[int]) -> list[tuple[str | int, Any]]:
        """The children that may be meant: looked up where one key is asked for, since objects may be wide."""
        asked = [self.steps[place] for place in at if place < len(self.steps)]
        if len(asked) != 1 or isinstance(asked[0], Wild):
            return _children(value) if asked else []
        step = asked[0]
        if isinstance(step, str):
            return [(step, value[step])] if isinstance(value, Mapping) and step in value else []
        return [(step, value[step])] if isinstance(value, list | tuple) and step < len(value) else []

    def _after(self, at: frozenset[int], step: str | int) -> frozenset[int]:
        """Where in the pattern one may be, having been at one of these places, after one more key or index."""
        reached: set[int] = set()
        for place in at:
            if place == len(self.steps):
                continue
            asked = self.steps[place]
            if asked is Wild.DEPTH:
                reached.add(place)
            elif asked is (Wild.KEY if isinstance(step, str) else Wild.INDEX) or _same(asked, step):
                reached.add(place + 1)
        return self._closed(reached)

    def _closed(self, places: Iterable[int]) -> frozenset[int]:
        """These places, and those behind a ``**`` that stands for nothing."""
        reached: set[int] = set()
        for place in places:
            reached.add(place)
            while place < len(self.steps) and self.steps[place] is Wild.DEPTH:
                place += 1
                reached.add(place)
        return frozenset(reached)


def _same(asked: str | int | Wild, step: str | int) -> bool:
    return type(asked) is type(step) and asked == step


def _well_dotted(part: re.Match[str], at: int) -> bool:
    """Whether a dot stands where one is due: before each bare key but the first of all, and before no bracket."""
    return part[0].startswith("[") or bool(part["dot"]) is (at > 0)


def _step(part: re.Match[str]) -> str | int | Wild:
    if part["depth"]:
        return Wild.DEPTH
    if part["star"]:
        return Wild.KEY
    if part["any"]:
        return Wild.INDEX
    if part["index"]:
        return int(part["index"])
    return part["name"] or _unquoted(part["quoted"])


def _unquoted(quoted: str) -> str:
    """The key in quotes; single ones as in Python, with JSON's escapes in both."""
    if quoted[0] == "'":
        quoted = '"' + re.sub(r'\\.|"', _requoted, quoted[1:-1], flags=re.DOTALL) + '"'
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        raise ValueError(f"{quoted} is not a key of a JSON path: its escapes are not those of JSON") from None


def _requoted(found: re.Match[str]) -> str:
    return {"\\'": "'", '"': '\\"'}.get(found[0], found[0])
