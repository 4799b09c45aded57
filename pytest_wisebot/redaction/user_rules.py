"""What a project redacts of its own, beside the credentials: the ``[redact]`` table of ``wisebot.toml``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .forms import REDACTED, Span
from .jsonpath import Path, Pattern, Wild
from .linear import LinearPattern, Stop, never
from .ready_made import READY_MADE

PARTS: Final = ("result", "error")
"""The parts of an answer from which a path is looked for, before it is from the answer itself."""


@dataclass(frozen=True, slots=True)
class Redact:
    """What is redacted although it is not a credential, a customer's e-mail address for instance.

    It is redacted once, when an answer is read: a test sees `REDACTED` itself in its place, a number's and a null's
    included, and so do the recording, the report and the snapshot. What a test sends stays as it is, and is redacted
    where it is published.

    Attributes:
        keys: names of keys, in any letter case: what stands under them is redacted, whatever it is.
        patterns: regular expressions, and names of `READY_MADE` ones: what they match is redacted, in every text.
        paths: places in a run's answer or inputs, such as ``result.customer.email`` or ``items[*].email``.
    """

    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class UserRules:
    """A project's `Redact`, ready for use."""

    def __init__(self, redact: Redact) -> None:
        self.keys = frozenset(key.casefold() for key in redact.keys)
        self._paths = tuple(Pattern.parse(path) for path in redact.paths)
        self.patterns = tuple(map(matcher, redact.patterns))

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing at all."""
        return not (self.keys or self._paths or self.patterns)

    def spans(self, text: str, stop: Stop = never) -> Iterator[Span]:
        """Where a pattern matches something."""
        for pattern in self.patterns:
            yield from pattern.spans(text, stop)

    def without_paths(self, answer: Mapping[str, Any], parts: Iterable[str] = PARTS) -> dict[str, Any]:
        """An answer with the values at the paths redacted; what they do not meet is shared, not copied.

        Args:
            answer: the answer, or something else of named parts.
            parts: the parts from which a path is looked for as well.
        """
        meant: set[Path] = set()
        for pattern in self._paths:
            meant |= {path for path in pattern.found_in(answer) if path}
            if pattern.steps[:1] != (Wild.DEPTH,):  # which looks into the parts already
                meant |= {(part, *path) for part in parts if part in answer for path in pattern.found_in(answer[part])}
        redacted: dict[str, Any] = _redacted(answer, _tree(meant))
        return redacted


def _tree(paths: Iterable[Path]) -> dict[str | int, Any]:
    """The paths as one tree; where a path leads through another's end, the shorter one decides."""
    tree: dict[str | int, Any] = {}
    for path in sorted(paths, key=len, reverse=True):
        place = tree
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = {}
    return tree


def _redacted(value: Any, tree: Mapping[str | int, Any]) -> Any:
    """A copy with the ends of the tree redacted."""
    copied: Any = dict(value) if isinstance(value, Mapping) else list(value)
    for step, below in tree.items():
        copied[step] = _redacted(copied[step], below) if below else REDACTED
    return copied


# --- patterns -----------------------------------------------------------------------------------------------------


class Matcher(Protocol):
    """Finds what one pattern of a project means."""

    def spans(self, text: str, stop: Stop = never) -> Iterator[Span]:
        """Where it stands, in order. Raises `StoppedError` where ``stop`` asks for it."""
        ...


def matcher(pattern: str) -> Matcher:
    """What finds a pattern: a ready-made one by its name, else a regular expression.

    Raises:
        ValueError: it is not a regular expression that can be matched in linear time, or RE2 is not installed.
    """
    return READY_MADE.get(pattern) or LinearPattern(pattern)


def checked_pattern(text: object) -> str:
    """``text`` if it is the name of a ready-made pattern, or a regular expression that can be used on any text.

    Raises:
        ValueError: it is not; the message has the reason, and what to write.
    """
    if not isinstance(text, str):
        raise ValueError(
            f"expected a regular expression, or {', '.join(READY_MADE)}, as a string, got {type(text).__name__}"
        )
    matcher(text)
    return text
